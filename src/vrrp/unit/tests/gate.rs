//! The gate by itself: how long a Master elsewhere and a hook hold up a takeover, to the microsecond.

use super::*;
use crate::vrrp::unit::gate::Gate;

const INTERVAL: Duration = Duration::from_millis(100);
const MOMENT: Duration = Duration::from_micros(1);

/// Fresh for a minute.
fn master(director: &str, reach: Reach) -> Elsewhere {
    Elsewhere {
        director: director.into(),
        is_master: true,
        is_fit: true,
        reach,
        sealed: true,
        until: at(60_000),
    }
}

fn hearing(those: impl IntoIterator<Item = Elsewhere>) -> Gate {
    let mut gate = Gate::default();
    those.into_iter().for_each(|elsewhere| gate.elsewhere(elsewhere));
    gate
}

fn opens(gate: &mut Gate, now: Instant, own: Reach) -> bool {
    gate.postponement_over(now, INTERVAL, own)
}

#[test]
fn only_a_fit_master_whose_word_is_fresh_holds_up_a_takeover() {
    let fresh = || master("lb-b", Reach::Untracked);
    assert!(opens(&mut hearing([]), at(0), Reach::Untracked));
    assert!(!opens(&mut hearing([fresh()]), at(0), Reach::Untracked));
    assert!(opens(&mut hearing([Elsewhere { is_master: false, ..fresh() }]), at(0), Reach::Untracked));
    assert!(opens(&mut hearing([Elsewhere { is_fit: false, ..fresh() }]), at(0), Reach::Untracked));
    let until = at(500);
    let stale = || hearing([Elsewhere { until, ..fresh() }]);
    assert!(!opens(&mut stale(), until - MOMENT, Reach::Untracked));
    assert!(opens(&mut stale(), until, Reach::Untracked));
}

#[test]
fn a_takeover_is_held_up_for_ten_intervals_and_looked_at_again_when_the_word_is_stale() {
    let mut gate = hearing([master("lb-b", Reach::Untracked)]);
    let bound = at(100) + INTERVAL * 10;
    assert!(!opens(&mut gate, at(100), Reach::Untracked));
    assert_eq!(gate.deadline(), Some(bound));
    assert!(!opens(&mut gate, bound - MOMENT, Reach::Untracked));
    assert!(opens(&mut gate, bound, Reach::Untracked));
    assert_eq!(gate.deadline(), None);
    let until = at(300);
    let mut gate = hearing([Elsewhere { until, ..master("lb-b", Reach::Untracked) }]);
    assert!(!opens(&mut gate, at(100), Reach::Untracked));
    assert_eq!(gate.deadline(), Some(until));
}

#[test]
fn after_that_it_wins_unless_the_other_reaches_the_gateway_or_neither_does() {
    for (other, own, over) in [
        (Reach::Reached, Reach::Reached, false),
        (Reach::Reached, Reach::Lost, false),
        (Reach::Lost, Reach::Lost, false),
        (Reach::Lost, Reach::Reached, true),
        (Reach::Lost, Reach::Untracked, true),
        (Reach::Untracked, Reach::Lost, true),
    ] {
        let mut gate = hearing([master("lb-b", other)]);
        assert!(!opens(&mut gate, at(0), own));
        assert_eq!(opens(&mut gate, at(1_000), own), over, "{other:?} {own:?}");
        assert_eq!(gate.deadline(), (!over).then_some(at(60_000)), "{other:?} {own:?}");
    }
}

#[test]
fn of_two_masters_elsewhere_the_one_that_reaches_the_gateway_speaks() {
    let later = Elsewhere { until: at(90_000), ..master("lb-c", Reach::Untracked) };
    let mut gate = hearing([master("lb-b", Reach::Reached), later]);
    assert!(!opens(&mut gate, at(0), Reach::Untracked));
    assert!(!opens(&mut gate, at(1_000), Reach::Untracked));
}

#[test]
fn a_master_that_is_heard_again_starts_the_postponement_and_the_hook_anew() {
    for anew in [Gate::not_due as fn(&mut Gate), Gate::reset] {
        let mut gate = hearing([master("lb-b", Reach::Untracked)]);
        assert!(!opens(&mut gate, at(0), Reach::Untracked));
        assert_eq!(gate.hook_over(at(0), INTERVAL), (false, true));
        anew(&mut gate);
        assert_eq!(gate.deadline(), None);
        assert!(!opens(&mut gate, at(500), Reach::Untracked));
        assert!(!opens(&mut gate, at(1_000), Reach::Untracked), "due since 500 only");
        assert_eq!(gate.hook_over(at(1_000), INTERVAL), (false, true), "it runs again");
    }
}

#[test]
fn a_hook_is_run_once_and_waited_for_until_it_is_done_or_its_time_is_over() {
    let limit = Duration::from_millis(500);
    let mut gate = Gate::default();
    gate.hook_done();
    assert_eq!(gate.hook_over(at(100), limit), (false, true), "what nobody started is not done");
    assert_eq!(gate.deadline(), Some(at(600)));
    assert_eq!(gate.hook_over(at(600) - MOMENT, limit), (false, false));
    assert_eq!(gate.hook_over(at(600), limit), (true, false));
    let mut gate = Gate::default();
    gate.hook_over(at(100), limit);
    gate.hook_done();
    assert_eq!(gate.hook_over(at(101), limit), (true, false));
    assert_eq!(gate.deadline(), None);
}

#[test]
fn a_takeover_waits_at_the_gate_while_it_is_postponed_or_its_hook_has_been_started() {
    let mut gate = hearing([master("lb-b", Reach::Untracked)]);
    assert!(!gate.is_waited_at(), "nothing is due");
    assert!(!opens(&mut gate, at(0), Reach::Untracked));
    assert!(gate.is_waited_at());
    gate.not_due();
    assert!(!gate.is_waited_at());
    // A Master that is preempted is not waited for.
    gate.hook_over(at(100), INTERVAL);
    assert!(gate.is_waited_at());
    gate.reset();
    assert!(!gate.is_waited_at());
}

/// What `tests/fuzz` found: a word of the other director came while the hook ran, and the thread that sends advertisements was
/// woken without end for the hook's time, which was over.
#[test]
fn a_hook_is_not_waited_for_while_a_master_elsewhere_holds_up_the_takeover() {
    let mut gate = Gate::default();
    assert!(opens(&mut gate, at(0), Reach::Untracked));
    assert_eq!(gate.hook_over(at(0), Duration::from_millis(500)), (false, true));
    gate.elsewhere(master("lb-b", Reach::Reached));
    assert!(!opens(&mut gate, at(100), Reach::Untracked));
    assert_eq!(gate.deadline(), Some(at(0) + INTERVAL * 10), "the bound alone");
    assert!(!opens(&mut gate, at(1_000), Reach::Untracked));
    assert_eq!(gate.deadline(), Some(at(60_000)), "the other reaches the gateway");
}

/// What `tests/fuzz` found: a Master elsewhere held up the takeover, a worse one was heard and is preempted, and from the moment at
/// which the first one's word would have been stale the thread that sends advertisements was woken without end until the hook
/// was through.
#[test]
fn a_postponement_is_not_waited_for_once_the_hook_runs() {
    let until = at(300);
    let mut gate = hearing([Elsewhere { until, ..master("lb-b", Reach::Untracked) }]);
    assert!(!opens(&mut gate, at(100), Reach::Untracked));
    assert_eq!(gate.deadline(), Some(until));
    assert_eq!(gate.hook_over(at(200), Duration::from_millis(500)), (false, true));
    assert_eq!(gate.deadline(), Some(at(700)), "the hook alone");
}
