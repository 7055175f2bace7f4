//! The machine at exact microseconds: counter, cadence, late reports, and the bounds of detection over all phases.

mod at_once;
mod cadence;
mod succession;

use super::params::{MOST_IN_A_ROW, MOST_JITTER_PERCENT};
use super::*;
use crate::model::{Advice, Failure, Outcome, Phase};
use crate::time::Instant;
use proptest::prelude::*;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(1);
/// Inputs within which a server that changes has its verdict: a machine that stands still fails its test, and hangs none.
const LONGEST_WAIT: usize = 1_000;

fn params(rise: u32, fall: u32) -> Params {
    Params::plain(INTERVAL, TIMEOUT, rise, fall)
}

fn us(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

fn outcome(result: Result<(), Failure>) -> Outcome {
    Outcome::new(Duration::ZERO, result)
}

#[test]
fn parameters_out_of_bounds_are_brought_back() {
    let shortest = Duration::from_millis(1);
    let [none, far] =
        [Params::plain(Duration::ZERO, TIMEOUT, 0, 0), Params::plain(INTERVAL, TIMEOUT, u32::MAX, u32::MAX)];
    let none = none.bounded();
    assert!(
        [none.interval, none.interval_down, none.interval_changing]
            .iter()
            .all(|interval| *interval >= shortest)
    );
    assert_eq!((none.rise, none.fall), (1, 1));
    let far = Params { jitter_percent: u8::MAX, ..far }.bounded();
    assert_eq!((far.rise, far.fall, far.jitter_percent), (MOST_IN_A_ROW, MOST_IN_A_ROW, MOST_JITTER_PERCENT));
}

/// Everything until the machine waits, and its deadline.
fn drain(machine: &mut Machine) -> (Vec<Output>, Instant) {
    let mut outputs = Vec::new();
    // Verdict and start of a probe are all that one input can bring.
    for _ in 0..4 {
        match machine.poll() {
            Output::Wait { deadline, .. } => return (outputs, deadline.expect("always a deadline")),
            output => outputs.push(output),
        }
    }
    panic!("it never waits: {outputs:?}");
}

/// Starts the probe that is due at `at` and ends it in the same microsecond; the verdict that follows.
fn probe(machine: &mut Machine, at: Instant, result: Result<(), Failure>) -> Option<bool> {
    machine.handle(Input::Timeout { at });
    let (outputs, _) = drain(machine);
    assert_eq!(outputs, [Output::StartProbe { probe: ProbeId(at), give_up_at: at + TIMEOUT }]);
    machine.handle(Input::ProbeFinished { at, probe: ProbeId(at), outcome: outcome(result) });
    match drain(machine).0.as_slice() {
        [] => None,
        [Output::Verdict { up, .. }] => Some(*up),
        other => panic!("unexpected {other:?}"),
    }
}

/// Probes on the grid, one letter each (`+` success, `-` refused, `l` local); the counter after each.
fn counters(machine: &mut Machine, script: &str) -> Vec<u32> {
    let (_, first) = drain(machine);
    let grid = (0..).map(|slot| first + INTERVAL * slot);
    script
        .chars()
        .zip(grid)
        .map(|(letter, at)| {
            let result = match letter {
                '+' => Ok(()),
                '-' => Err(Failure::ConnectionRefused),
                _ => Err(Failure::Local("no file descriptor".to_owned())),
            };
            probe(machine, at, result);
            machine.counter()
        })
        .collect()
}

#[test]
fn what_a_server_says_last_stays_until_it_says_something_else() {
    let mut machine = Machine::new(params(1, 1), Start::Up, us(0));
    let mut hears = |at, advice: Option<Advice>, result| {
        machine.handle(Input::Timeout { at });
        drain(&mut machine);
        let mut outcome = outcome(result);
        outcome.findings.advice = advice;
        machine.handle(Input::ProbeFinished { at, probe: ProbeId(at), outcome });
        drain(&mut machine);
        machine.advice()
    };
    let half = Advice { weight_percent: Some(50), state: None };
    assert_eq!(hears(us(0), None, Ok(())), None);
    assert_eq!(hears(us(2_000_000), Some(half), Ok(())), Some((us(2_000_000), half)));
    assert_eq!(hears(us(4_000_000), None, Err(Failure::ConnectionRefused)), Some((us(2_000_000), half)));
}

#[test]
fn the_counter_snaps_as_haproxys_does() {
    let mut up = Machine::new(params(2, 3), Start::Up, Instant::ZERO);
    assert_eq!(counters(&mut up, "--+---+-+++"), [3, 2, 4, 3, 2, 0, 1, 0, 1, 4, 4]);
    let mut new = Machine::new(params(3, 2), Start::Down, Instant::ZERO);
    assert_eq!(counters(&mut new, "+--++-+++"), [4, 3, 0, 1, 2, 0, 1, 2, 4]);
    let mut failed = Machine::new(params(3, 2), Start::Failed, Instant::ZERO);
    assert_eq!(counters(&mut failed, "-++-+++"), [0, 1, 2, 0, 1, 2, 4]);
}

#[test]
fn a_new_target_joins_after_one_success_but_needs_the_full_run_after_a_failure() {
    let mut machine = Machine::new(params(2, 3), Start::Down, us(5));
    assert_eq!(probe(&mut machine, us(5), Ok(())), Some(true));
    assert_eq!(machine.reason(), &Reason::Passed { successes: 1 });
    assert_eq!(machine.changed_at(), Some(us(5)));

    let mut machine = Machine::new(params(2, 3), Start::Down, us(5));
    assert_eq!(probe(&mut machine, us(5), Err(Failure::Body)), None);
    assert_eq!(machine.reason(), &Reason::Failed { failures: 1, last: Failure::Body.into() });
    assert_eq!(machine.changed_at(), None);
    assert_eq!(probe(&mut machine, us(2_000_005), Ok(())), None);
    assert_eq!(probe(&mut machine, us(4_000_005), Ok(())), Some(true));
    assert_eq!(machine.reason(), &Reason::Passed { successes: 2 });
}

#[test]
fn an_adopted_target_stays_until_a_full_run_of_failures_and_says_the_last_of_them() {
    let mut machine = Machine::new(params(2, 3), Start::Up, us(0));
    assert_eq!(machine.reason(), &Reason::Started(Start::Up));
    assert_eq!(probe(&mut machine, us(0), Err(Failure::ConnectionRefused)), None);
    assert_eq!(probe(&mut machine, us(2_000_000), Err(Failure::ConnectionRefused)), None);
    assert_eq!(probe(&mut machine, us(4_000_000), Err(Failure::Status(503))), Some(false));
    assert_eq!(machine.reason().to_string(), "failed its check 3 times in a row, the last: status 503");
    assert_eq!(machine.reason().label(), "status");
    assert_eq!(machine.changed_at(), Some(us(4_000_000)));
}

#[test]
fn it_is_settled_by_the_first_success_or_by_the_failures_that_decide() {
    for (start, script, settled) in [
        (Start::Up, "", false),
        (Start::Up, "--", false),
        (Start::Up, "---", true),
        (Start::Up, "+", true),
        (Start::Down, "", false),
        (Start::Down, "-", true),
        (Start::Down, "l", false),
    ] {
        let mut machine = Machine::new(params(2, 3), start, Instant::ZERO);
        counters(&mut machine, script);
        assert_eq!(machine.is_settled(), settled, "{start:?} after {script:?}");
    }
}

#[test]
fn the_last_probe_that_ended_is_known_whatever_it_said() {
    let mut machine = Machine::new(params(2, 3), Start::Up, us(0));
    assert_eq!((machine.last_probe(), machine.last_failure()), (None, None));
    let local = || Err(Failure::Local("no file descriptor".to_owned()));
    for (at, result) in [(us(0), Ok(())), (us(2_000_000), Err(Failure::Body)), (us(4_000_000), local())] {
        probe(&mut machine, at, result.clone());
        let Outcome { duration, result, .. } = outcome(result);
        assert_eq!(machine.last_probe(), Some((at, duration)));
        assert_eq!(machine.last_failure(), result.as_ref().err());
    }
}

#[test]
fn what_this_host_could_not_do_says_nothing_of_the_server() {
    let mut machine = Machine::new(params(2, 2), Start::Up, Instant::ZERO);
    assert_eq!(counters(&mut machine, "lll-l-"), [3, 3, 3, 2, 2, 0]);
    assert_eq!(machine.reason(), &Reason::Failed { failures: 2, last: Failure::ConnectionRefused.into() });
}

#[test]
fn probes_start_on_a_grid_that_small_lateness_does_not_shift() {
    let mut machine = Machine::new(params(2, 3), Start::Up, us(7));
    assert_eq!(drain(&mut machine).1, us(7));
    for slot in 0..5 {
        let late = us(7 + slot * 2_000_000 + 900_000);
        machine.handle(Input::Timeout { at: late - Duration::from_micros(900_001) });
        assert_eq!(drain(&mut machine).0, [], "never before its time");
        assert_eq!(probe(&mut machine, late, Ok(())), None);
        assert_eq!(drain(&mut machine).1, us(7 + (slot + 1) * 2_000_000));
    }
}

#[test]
fn a_start_that_is_half_an_interval_late_begins_a_new_grid() {
    let half = INTERVAL / 2;
    for (late, next) in [(half - Duration::from_micros(1), INTERVAL), (half, half + INTERVAL)] {
        let mut machine = Machine::new(params(2, 3), Start::Up, us(0));
        probe(&mut machine, us(0) + late, Ok(()));
        assert_eq!(drain(&mut machine).1, us(0) + next, "{late:?}");
    }
}

#[test]
fn a_verdict_keeps_its_reason_until_another_is_reached() {
    let mut machine = Machine::new(params(2, 2), Start::Down, us(0));
    let refused = || Err(Failure::ConnectionRefused);
    let body = || Err(Failure::Body);
    let slot = |number: u64| us(number * 2_000_000);
    probe(&mut machine, slot(0), Ok(()));
    probe(&mut machine, slot(1), Ok(()));
    assert_eq!(machine.reason(), &Reason::Passed { successes: 1 }, "what brought it up");
    probe(&mut machine, slot(2), body());
    assert_eq!(machine.reason(), &Reason::Passed { successes: 1 }, "one failure takes nothing out");
    probe(&mut machine, slot(3), refused());
    let out = Reason::Failed { failures: 2, last: Failure::ConnectionRefused.into() };
    assert_eq!(machine.reason(), &out);
    probe(&mut machine, slot(4), body());
    assert_eq!(machine.reason(), &out, "what took it out");
    probe(&mut machine, slot(5), Ok(()));
    assert_eq!(machine.reason(), &out, "one success brings nothing back");
}

#[test]
fn a_probe_that_outlasts_its_interval_delays_the_next_to_its_end_and_no_burst_follows() {
    let slow = Params { timeout: Duration::from_secs(9), ..params(2, 3) };
    let mut machine = Machine::new(slow, Start::Up, us(0));
    machine.handle(Input::Timeout { at: us(0) });
    assert_eq!(drain(&mut machine).0.len(), 1);
    machine.handle(Input::Timeout { at: us(2_000_000) });
    machine.handle(Input::Timeout { at: us(4_000_000) });
    assert_eq!(drain(&mut machine).0, [], "one is in flight");
    let end = us(6_500_000);
    machine.handle(Input::ProbeFinished { at: end, probe: ProbeId(us(0)), outcome: outcome(Ok(())) });
    let next = Output::StartProbe { probe: ProbeId(end), give_up_at: us(15_500_000) };
    assert_eq!(drain(&mut machine).0, [next]);
    machine.handle(Input::ProbeFinished { at: end, probe: ProbeId(end), outcome: outcome(Ok(())) });
    assert_eq!(drain(&mut machine), (vec![], us(8_500_000)), "a whole interval from start to start");
}

#[test]
fn after_a_long_stall_there_is_one_probe_and_then_the_cadence() {
    let mut machine = Machine::new(params(2, 3), Start::Up, us(0));
    assert_eq!(probe(&mut machine, us(0), Ok(())), None);
    let woken = us(3_600_000_001);
    assert_eq!(probe(&mut machine, woken, Ok(())), None);
    machine.handle(Input::Timeout { at: woken });
    assert_eq!(drain(&mut machine), (vec![], woken + INTERVAL));
}

#[test]
fn a_late_a_foreign_and_a_duplicate_report_change_nothing() {
    let mut machine = Machine::new(params(1, 1), Start::Up, us(0));
    let failed =
        |at, probe| Input::ProbeFinished { at, probe: ProbeId(probe), outcome: outcome(Err(Failure::Body)) };
    machine.handle(failed(us(0), us(0)));
    assert_eq!(drain(&mut machine), (vec![], us(0)), "none in flight");
    assert_eq!(probe(&mut machine, us(0), Ok(())), None);
    machine.handle(failed(us(1), us(0)));
    assert_eq!(drain(&mut machine), (vec![], us(2_000_000)), "a duplicate");
    machine.handle(Input::Timeout { at: us(2_000_000) });
    drain(&mut machine);
    machine.handle(failed(us(2_000_001), us(0)));
    assert_eq!(drain(&mut machine).0, [], "the probe before, while another is in flight");
    assert!(machine.is_up());
    machine.handle(failed(us(2_000_002), us(2_000_000)));
    assert!(!machine.is_up(), "its own report still counts");
}

#[test]
fn a_probe_that_nobody_reports_does_not_stop_the_check() {
    let mut machine = Machine::new(params(1, 1), Start::Up, us(0));
    machine.handle(Input::Timeout { at: us(0) });
    let (_, lost_at) = drain(&mut machine);
    assert_eq!(lost_at, us(0) + TIMEOUT + LOST_AFTER);
    machine.handle(Input::Timeout { at: lost_at });
    let next = Output::StartProbe { probe: ProbeId(lost_at), give_up_at: lost_at + TIMEOUT };
    assert_eq!(drain(&mut machine).0, [next]);
    assert!(machine.is_up(), "it says nothing of the server");
}

#[test]
fn zeroes_in_the_parameters_are_taken_as_the_smallest_that_make_sense() {
    let nothing = Params::plain(Duration::ZERO, Duration::ZERO, 0, 0);
    let mut machine = Machine::new(nothing, Start::Up, us(0));
    machine.handle(Input::Timeout { at: us(0) });
    drain(&mut machine);
    machine.handle(Input::ProbeFinished { at: us(0), probe: ProbeId(us(0)), outcome: outcome(Ok(())) });
    assert_eq!(drain(&mut machine), (vec![], us(1_000)));
    assert_eq!(machine.counter(), 1);
}

/// What a server answers to a probe: after how long, and what; `None` is silence.
type Server<'a> = &'a dyn Fn(Instant) -> Option<(Duration, Result<(), Failure>)>;

/// Runs the machine against a server with a prober that keeps every time exactly, until the first verdict.
fn first_verdict(mut machine: Machine, server: Server<'_>) -> Instant {
    let mut in_flight: Option<(Instant, ProbeId, Outcome)> = None;
    for _ in 0..LONGEST_WAIT {
        let (outputs, deadline) = drain(&mut machine);
        for output in outputs {
            match output {
                Output::StartProbe { probe, give_up_at } => {
                    assert!(in_flight.is_none(), "two probes in flight");
                    in_flight = Some(match server(probe.0) {
                        Some((after, result)) => (probe.0 + after, probe, outcome(result)),
                        None => (give_up_at, probe, outcome(Err(Failure::Timeout(Phase::Connect)))),
                    });
                }
                Output::Verdict { .. } => return machine.changed_at().expect("it just changed"),
                Output::Wait { .. } => unreachable!("drained"),
            }
        }
        match in_flight.take() {
            Some((at, probe, outcome)) => machine.handle(Input::ProbeFinished { at, probe, outcome }),
            None => machine.handle(Input::Timeout { at: deadline }),
        }
    }
    panic!("no verdict after {LONGEST_WAIT} inputs");
}

/// Every moment of an interval in which a server can change, the edges and their neighbours among them.
fn phases() -> impl Iterator<Item = u64> {
    let interval = u64::try_from(INTERVAL.as_micros()).expect("small");
    let edges = [0, 1, 2, 299_999, 300_000, 300_001, 999_999, 1_000_000, 1_000_001, interval - 1, interval];
    (0..interval).step_by(7_919).chain(edges)
}

#[test]
fn a_death_is_decided_within_its_bound_in_every_phase() {
    let latency = Duration::from_micros(300_000);
    for (rise, fall) in [(1, 1), (2, 3), (3, 1), (2, 5)] {
        let mut worst = [Duration::ZERO; 2];
        for phase in phases() {
            let death = us(20_000_000 + phase);
            let alive = |at: Instant| at + latency <= death;
            let silent = |at| alive(at).then_some((latency, Ok(())));
            let refusing = |at| {
                Some(if at < death {
                    (latency, Ok(()))
                } else {
                    (Duration::ZERO, Err(Failure::ConnectionRefused))
                })
            };
            for (server, worst) in [&silent as Server<'_>, &refusing].into_iter().zip(&mut worst) {
                let machine = Machine::new(params(rise, fall), Start::Up, us(0));
                *worst = (*worst).max(first_verdict(machine, server).saturating_since(death));
            }
        }
        assert_eq!(worst[1], INTERVAL * fall - Duration::from_micros(1), "refused, fall {fall}");
        let silent = INTERVAL * fall + TIMEOUT - latency;
        assert_eq!(worst[0], silent, "silent, fall {fall}: dies right after it answered");
    }
}

#[test]
fn a_return_is_decided_within_its_bound_in_every_phase() {
    let latency = Duration::from_micros(300_000);
    for (rise, fall) in [(1, 1), (2, 3), (5, 2)] {
        let mut worst = Duration::ZERO;
        for phase in phases() {
            let back = us(20_000_000 + phase);
            let server = |at: Instant| (at >= back).then_some((latency, Ok(())));
            let machine = Machine::new(params(rise, fall), Start::Failed, us(0));
            worst = worst.max(first_verdict(machine, &server).saturating_since(back));
        }
        assert_eq!(worst, INTERVAL * rise + latency - Duration::from_micros(1), "rise {rise}");
    }
}

/// What the world does next to the machine.
#[derive(Clone, Debug)]
enum Step {
    Pass(u32),
    Report(bool),
    Local,
    Stray,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3_000_000_u32).prop_map(Step::Pass),
        any::<bool>().prop_map(Step::Report),
        Just(Step::Local),
        Just(Step::Stray),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold(
        steps in steps(), rise in 0..5_u32, fall in 0..5_u32, start in 0..3_u8,
    ) {
        let start = match start { 0 => Start::Up, 1 => Start::Down, _ => Start::Failed };
        let mut machine = Machine::new(params(rise, fall), start, us(1));
        let (mut now, mut in_flight, mut up) = (us(0), None::<ProbeId>, machine.is_up());
        let (mut last_start, mut decided) = (None::<Instant>, None::<bool>);
        for step in steps {
            let result = match step {
                Step::Pass(micros) => {
                    now = now + Duration::from_micros(micros.into());
                    machine.handle(Input::Timeout { at: now });
                    None
                }
                Step::Report(true) => Some(Ok(())),
                Step::Report(false) => Some(Err(Failure::Body)),
                Step::Local => Some(Err(Failure::Local(String::new()))),
                Step::Stray => {
                    let before = machine.counter();
                    let stray = ProbeId(us(u64::MAX));
                    machine.handle(Input::ProbeFinished { at: now, probe: stray, outcome: outcome(Ok(())) });
                    prop_assert_eq!(machine.counter(), before);
                    None
                }
            };
            if let (Some(result), Some(probe)) = (result, in_flight) {
                in_flight = None;
                decided = Some(result.is_ok());
                machine.handle(Input::ProbeFinished { at: now, probe, outcome: outcome(result) });
            }
            let (outputs, deadline) = drain(&mut machine);
            for output in outputs {
                match output {
                    Output::StartProbe { probe, give_up_at } => {
                        let lost = last_start.is_some_and(|at| at + TIMEOUT + LOST_AFTER <= now);
                        prop_assert!(in_flight.is_none() || lost, "two probes in flight");
                        prop_assert!(last_start < Some(now), "identities are unique");
                        prop_assert_eq!((probe, give_up_at), (ProbeId(now), now + TIMEOUT));
                        (in_flight, last_start) = (Some(probe), Some(now));
                    }
                    Output::Verdict { up: now_up, .. } => {
                        prop_assert_ne!(now_up, up, "verdicts alternate");
                        prop_assert_eq!(decided, Some(now_up), "a verdict agrees with the outcome that made it");
                        up = now_up;
                    }
                    Output::Wait { .. } => unreachable!("drained"),
                }
            }
            prop_assert!(deadline > now, "a deadline lies ahead");
            prop_assert_eq!(machine.is_up(), up);
            prop_assert!(machine.counter() < machine.params().rise + machine.params().fall);
        }
    }
}

#[test]
fn a_verdict_is_of_now_when_a_success_is_fresh_or_a_full_run_of_failures_came_since() {
    let at = |intervals: u32| Instant::ZERO + INTERVAL * intervals;
    let settled = |script: &str, since| {
        let mut machine = Machine::new(params(2, 3), Start::Up, Instant::ZERO);
        counters(&mut machine, script);
        machine.is_settled_since(since)
    };
    assert!(settled("+", at(1)), "a success is good for an interval");
    assert!(!settled("+", at(1) + Duration::from_micros(1)));
    assert!(settled("+-", at(1)) && !settled("+-", at(2)), "one failure takes nobody out and proves nothing");
    assert!(!settled("l", at(0)), "what could not be probed has no verdict");
    assert!(settled("---", at(0)) && !settled("---", at(1)));
    assert!(settled("-----", at(2)) && !settled("-----", at(3)), "three of them began since");
    assert!(!settled("-----+", at(2)), "it is about to come back");
    assert!(settled("-----++", at(7)));
}
