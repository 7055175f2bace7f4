//! A check that goes on in another process does what the one before would have done.

use super::*;
use crate::health::handed::HandedCheck;

fn result(good: bool) -> Result<(), Failure> {
    if good { Ok(()) } else { Err(Failure::Timeout(Phase::Connect)) }
}

fn successor(before: &Machine, params: Params, seed: u64, now: Instant) -> Machine {
    let text = serde_json::to_string(&before.hand_on()).expect("JSON");
    let handed: HandedCheck = serde_json::from_str(&text).expect("understood");
    let mut machine = Machine::new(params, Start::Down, now + INTERVAL * 9).with_seed(seed);
    machine.go_on(now, &handed);
    machine
}

proptest! {
    #[test]
    fn it_probes_at_the_same_instants_and_comes_to_the_same_verdicts(
        rise in 1..5_u32, fall in 1..5_u32, seed in any::<u64>(),
        before in prop::collection::vec(any::<bool>(), 0..20), after in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        let mut old = Machine::new(params(rise, fall), Start::Up, us(5)).with_seed(seed);
        for good in before {
            let (_, at) = drain(&mut old);
            probe(&mut old, at, result(good));
        }
        let (_, due) = drain(&mut old);
        let mut new = successor(&old, params(rise, fall), seed, due - Duration::from_micros(1));
        for good in after {
            let (_, at) = drain(&mut old);
            prop_assert_eq!(drain(&mut new), (Vec::new(), at));
            prop_assert_eq!(probe(&mut new, at, result(good)), probe(&mut old, at, result(good)));
            prop_assert_eq!(new.hand_on(), old.hand_on());
            prop_assert_eq!(new.is_settled_since(due), old.is_settled_since(due));
        }
    }
}

#[test]
fn one_whose_probe_was_in_flight_probes_at_once() {
    let mut old = Machine::new(params(2, 3), Start::Up, us(5));
    old.handle(Input::Timeout { at: us(5) });
    assert_eq!(drain(&mut old).0.len(), 1);
    let mut new = successor(&old, params(2, 3), 1, us(50));
    assert_eq!(drain(&mut new), (Vec::new(), us(50)));
}

#[test]
fn under_other_bounds_the_verdict_stays_what_it_is() {
    for (up, counter) in [(true, 9), (false, 9), (true, 0), (false, 0)] {
        let handed = HandedCheck { up, counter, ..HandedCheck::default() };
        let mut machine = Machine::new(params(2, 2), Start::Down, us(5));
        machine.go_on(us(9), &handed);
        assert_eq!(machine.is_up(), up);
        assert_eq!(drain(&mut machine).0, [], "it is no news");
    }
}

#[test]
fn a_reason_that_only_a_later_version_knows_is_left_out() {
    let later =
        r#"{"up": true, "counter": 3, "reason": {"Divined": {"by": "entrails"}}, "last": 7, "omen": "good"}"#;
    let handed: HandedCheck = serde_json::from_str(later).expect("understood");
    assert_eq!(handed, HandedCheck { up: true, counter: 3, ..HandedCheck::default() });
}
