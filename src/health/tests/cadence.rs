//! Intervals by state, jitter, and failures that decide at once.

use super::*;
use crate::model::FailAtOnce;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// 2 s while up, 5 s while down, 500 ms between.
fn paced() -> Params {
    Params { interval_down: ms(5_000), interval_changing: ms(500), timeout: ms(200), ..params(2, 3) }
}

/// Starts the probe that is due and ends it `after` its start; when it started.
fn next_probe(machine: &mut Machine, after: Duration, result: Result<(), Failure>) -> Instant {
    let (_, due) = drain(machine);
    machine.handle(Input::Timeout { at: due });
    assert!(matches!(drain(machine).0.as_slice(), [Output::StartProbe { probe, .. }] if probe.0 == due));
    machine.handle(Input::ProbeFinished { at: due + after, probe: ProbeId(due), outcome: outcome(result) });
    due
}

/// The time from each start to the next, one letter a probe (`+` success, `-` refused, `l` local), each taking 100 ms.
fn gaps(machine: &mut Machine, script: &str) -> Vec<u128> {
    let result = |letter| match letter {
        '+' => Ok(()),
        '-' => Err(Failure::ConnectionRefused),
        _ => Err(Failure::Local("no file descriptor".to_owned())),
    };
    let starts: Vec<Instant> =
        script.chars().map(|letter| next_probe(machine, ms(100), result(letter))).collect();
    starts.windows(2).map(|pair| pair[1].saturating_since(pair[0]).as_millis()).collect()
}

#[test]
fn the_outcome_of_a_probe_chooses_the_interval_to_the_next() {
    let mut up = Machine::new(paced(), Start::Up, us(7));
    assert_eq!(
        gaps(&mut up, "++-+---l-+-++++"),
        [2_000, 2_000, 500, 2_000, 500, 500, 5_000, 5_000, 5_000, 500, 5_000, 500, 2_000, 2_000]
    );
    let mut new = Machine::new(paced(), Start::Down, us(7));
    assert_eq!(gaps(&mut new, "l+-"), [500, 2_000], "not yet probed is between");
}

#[test]
fn a_new_interval_begins_at_the_start_of_the_probe_that_chose_it() {
    let mut machine = Machine::new(paced(), Start::Up, us(0));
    machine.handle(Input::Timeout { at: us(30_000) });
    drain(&mut machine);
    let refused = outcome(Err(Failure::ConnectionRefused));
    machine.handle(Input::ProbeFinished { at: us(40_000), probe: ProbeId(us(30_000)), outcome: refused });
    assert_eq!(drain(&mut machine).1, us(530_000), "30 ms late, and 500 ms from there");
}

#[test]
fn a_failure_of_the_list_takes_a_server_out_at_the_first_time_and_comes_back_by_a_full_run() {
    let at_once = FailAtOnce { statuses: vec![503..=503], reasons: ["connection_refused"].into() };
    let decisive = Params { fail_at_once: at_once, ..params(2, 3) };
    for failure in [Failure::Status(503), Failure::ConnectionRefused] {
        let mut machine = Machine::new(decisive.clone(), Start::Up, us(0));
        assert_eq!(
            probe(&mut machine, us(0), Err(Failure::Status(500))),
            None,
            "this one is not of the list"
        );
        assert_eq!(probe(&mut machine, us(2_000_000), Err(failure.clone())), Some(false));
        assert_eq!(machine.reason(), &Reason::Failed { failures: 2, last: failure.into() });
        assert!(machine.is_settled_since(us(2_000_000)) && !machine.is_settled_since(us(2_000_001)));
        assert_eq!(probe(&mut machine, us(4_000_000), Ok(())), None);
        assert_eq!(probe(&mut machine, us(6_000_000), Ok(())), Some(true));
    }
}

#[test]
fn jitter_moves_each_start_and_never_the_grid() {
    let jittered = Params { jitter_percent: 10, ..params(2, 3) };
    let mut machine = Machine::new(jittered, Start::Up, us(0)).with_seed(7);
    let first = next_probe(&mut machine, ms(100), Ok(()));
    let second = schedule::second_probe_after(7, INTERVAL);
    let mut offsets = std::collections::BTreeSet::new();
    for number in 0..1_000 {
        let place = first + second + INTERVAL * number;
        let start = next_probe(&mut machine, ms(100), Ok(()));
        assert!(start >= place && start < place + INTERVAL / 10, "probe {number}: {start} for {place}");
        offsets.insert(start.saturating_since(place));
    }
    assert!(offsets.len() > 990, "each has its own: {}", offsets.len());
}

#[test]
fn a_probe_that_is_asked_for_when_one_is_due_anyway_moves_no_grid() {
    let jittered = Params { jitter_percent: 10, ..params(2, 3) };
    let starts = |asked: bool| -> Vec<Instant> {
        let mut machine = Machine::new(jittered.clone(), Start::Up, us(0)).with_seed(7);
        let mut start = |_| {
            let (_, due) = drain(&mut machine);
            machine.handle(if asked { Input::ProbeNow { at: due } } else { Input::Timeout { at: due } });
            drain(&mut machine);
            let passed = outcome(Ok(()));
            machine.handle(Input::ProbeFinished { at: due, probe: ProbeId(due), outcome: passed });
            due
        };
        (0..5).map(&mut start).collect()
    };
    assert_eq!(starts(true), starts(false));
}

#[test]
fn an_outcome_that_comes_after_the_next_place_is_followed_at_once_and_the_grid_stays() {
    let mut machine = Machine::new(params(2, 3), Start::Up, us(0));
    let slow = next_probe(&mut machine, INTERVAL + ms(300), Ok(()));
    let started = slow + INTERVAL + ms(300);
    assert!(
        matches!(drain(&mut machine).0.as_slice(), [Output::StartProbe { probe, .. }] if probe.0 == started)
    );
    machine.handle(Input::ProbeFinished { at: started, probe: ProbeId(started), outcome: outcome(Ok(())) });
    assert_eq!(drain(&mut machine).1, slow + INTERVAL * 2);
}

fn intervals() -> impl Strategy<Value = Params> {
    let interval = || (100_u64..5_000).prop_map(ms);
    let numbers = (1..4_u32, 1..5_u32, 0..=MOST_JITTER_PERCENT);
    (interval(), interval(), interval(), numbers).prop_map(
        |(interval, interval_down, interval_changing, (rise, fall, jitter_percent))| Params {
            interval_down,
            interval_changing,
            jitter_percent,
            ..Params::plain(interval, ms(100), rise, fall)
        },
    )
}

/// What `is_settled_since` means, from all that happened: the starts of the probes with their outcomes.
fn settled_by_history(machine: &Machine, history: &[(Instant, bool)], since: Instant) -> bool {
    let params = machine.params();
    if machine.is_up() {
        return history.iter().any(|(start, good)| *good && *start + params.interval >= since);
    }
    let failed = history.iter().rev().take_while(|(_, good)| !good);
    let failed_since = failed.filter(|(start, _)| *start >= since).count();
    machine.counter() == 0 && u32::try_from(failed_since).expect("few") >= params.fall
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_death_and_a_return_are_decided_within_their_bounds(params in intervals(), seed: u64, phase in 0..5_000_000_u64) {
        let changes = us(20_000_000 + phase);
        let share = f64::from(params.jitter_percent) / 100.0;
        let bound = |first: Duration, in_a_row: u32| {
            let changing = params.interval_changing;
            first + changing * (in_a_row - 1) + (first + changing).mul_f64(share)
        };
        let refused = || Err(Failure::ConnectionRefused);
        let dies = |at: Instant| Some((ms(30), if at < changes { Ok(()) } else { refused() }));
        let machine = Machine::new(params.clone(), Start::Up, us(0)).with_seed(seed);
        let found = first_verdict(machine, &dies).saturating_since(changes);
        prop_assert!(found <= bound(params.interval, params.fall) + ms(30), "death after {found:?}");

        let returns = |at: Instant| Some((ms(30), if at < changes { refused() } else { Ok(()) }));
        let machine = Machine::new(params.clone(), Start::Failed, us(0)).with_seed(seed);
        let found = first_verdict(machine, &returns).saturating_since(changes);
        prop_assert!(found <= bound(params.interval_down, params.rise) + ms(30), "return after {found:?}");
    }

    #[test]
    fn starts_keep_their_distance_and_a_verdict_is_of_now_when_its_probes_are(
        params in intervals(),
        seed: u64,
        script in prop::collection::vec((any::<bool>(), 0..60_u64, 0..40_000_u64), 1..100),
    ) {
        let mut machine = Machine::new(params.clone(), Start::Up, us(0)).with_seed(seed);
        let mut history: Vec<(Instant, bool)> = Vec::new();
        let (_, mut due) = drain(&mut machine);
        // A probe that outlasted the time to the next is followed by it at once.
        let mut followed_by = None;
        for (good, takes, late) in script {
            let at = followed_by.take().unwrap_or(due + Duration::from_micros(late));
            // The second probe is spread over the interval: its distance is free.
            if let [_, .., (before, _)] = history.as_slice() {
                let interval = params.interval_at(machine.counter());
                let least = interval.mul_f64(1.0 - f64::from(params.jitter_percent) / 100.0);
                let distance = at.saturating_since(*before);
                prop_assert!(distance + ms(40) >= least, "{distance:?}, at least {least:?}");
            }
            machine.handle(Input::Timeout { at });
            drain(&mut machine);
            let result = if good { Ok(()) } else { Err(Failure::Body) };
            machine.handle(Input::ProbeFinished { at: at + ms(takes), probe: ProbeId(at), outcome: outcome(result) });
            let (outputs, next) = drain(&mut machine);
            due = next;
            followed_by = outputs.iter().find_map(|output| match output {
                Output::StartProbe { probe, .. } => Some(probe.0),
                Output::Verdict { .. } | Output::Wait { .. } => None,
            });
            history.push((at, good));
            for (start, _) in &history {
                for since in [*start, *start + Duration::from_micros(1), *start + params.interval] {
                    let expected = settled_by_history(&machine, &history, since);
                    prop_assert_eq!(machine.is_settled_since(since), expected, "since {}: {:?}", since, history);
                }
            }
        }
    }
}
