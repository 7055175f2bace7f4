//! Probes that are asked for between their places.

use super::*;

/// Whether a probe started at `at`.
fn started(outputs: &[Output], at: Instant) -> bool {
    matches!(outputs, [Output::StartProbe { probe, .. }] if probe.0 == at)
}

fn finish(machine: &mut Machine, started: Instant, at: Instant) {
    machine.handle(Input::ProbeFinished { at, probe: ProbeId(started), outcome: outcome(Ok(())) });
}

/// A machine whose probe of instant 0 passed at once.
fn probed() -> Machine {
    let mut machine = Machine::new(params(1, 1), Start::Down, Instant::ZERO);
    probe(&mut machine, Instant::ZERO, Ok(()));
    machine
}

#[test]
fn a_waiting_check_is_made_at_once_and_a_new_grid_begins() {
    let mut machine = probed();
    let at = us(700_000);
    machine.handle(Input::ProbeNow { at });
    assert!(started(&drain(&mut machine).0, at));
    finish(&mut machine, at, us(701_000));
    assert_eq!(drain(&mut machine), (vec![], at + INTERVAL));
}

#[test]
fn two_starts_are_never_closer_than_the_shortest_interval() {
    let mut machine = probed();
    machine.handle(Input::ProbeNow { at: us(1_000) });
    assert_eq!(drain(&mut machine), (vec![], Instant::ZERO + SOONEST_AGAIN));
    machine.handle(Input::ProbeNow { at: us(2_000) });
    assert_eq!(drain(&mut machine).1, Instant::ZERO + SOONEST_AGAIN, "asked twice, it is made once");
    machine.handle(Input::Timeout { at: us(100_000) });
    assert!(started(&drain(&mut machine).0, us(100_000)));
}

#[test]
fn what_is_asked_for_during_a_probe_follows_it() {
    let mut machine = Machine::new(params(1, 1), Start::Down, Instant::ZERO);
    machine.handle(Input::Timeout { at: Instant::ZERO });
    drain(&mut machine);
    machine.handle(Input::ProbeNow { at: us(300_000) });
    assert!(drain(&mut machine).0.is_empty(), "one is in flight");
    finish(&mut machine, Instant::ZERO, us(500_000));
    let outputs = drain(&mut machine).0;
    assert!(
        matches!(outputs.as_slice(), [Output::Verdict { up: true, .. }, Output::StartProbe { .. }]),
        "{outputs:?}"
    );
    finish(&mut machine, us(500_000), us(501_000));
    assert_eq!(drain(&mut machine).1, us(500_000) + INTERVAL, "once asked, made once");
}

#[test]
fn asking_never_delays() {
    let mut machine = probed();
    machine.handle(Input::ProbeNow { at: us(1_950_000) });
    assert!(started(&drain(&mut machine).0, us(1_950_000)));
    finish(&mut machine, us(1_950_000), us(1_951_000));
    machine.handle(Input::Timeout { at: us(3_940_000) });
    machine.handle(Input::Timeout { at: us(3_950_000) });
    assert!(started(&drain(&mut machine).0, us(3_950_000)));
    // Asked while the place of the next is nearer than the shortest interval: it stays there.
    finish(&mut machine, us(3_950_000), us(5_940_000));
    machine.handle(Input::ProbeNow { at: us(5_949_999) });
    let outputs = drain(&mut machine).0;
    assert!(started(&outputs, us(5_949_999)), "{outputs:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever asks whenever: one probe is in flight at most, starts keep their distance, and each wish is met in time.
    #[test]
    fn wishes_are_met_and_cost_no_more_than_the_shortest_interval(
        wishes in proptest::collection::vec((0..400_000_u64, 0..300_000_u64), 1..40),
    ) {
        let mut machine = probed();
        let (mut now, mut flight, mut last, mut wished) = (us(0), None, us(0), None);
        for (pause, takes) in wishes {
            let ask = now + Duration::from_micros(pause);
            let due = drain(&mut machine).1;
            if let Some((probe, end)) = flight.filter(|(_, end)| *end <= ask) {
                finish(&mut machine, probe, end);
                flight = None;
            } else if flight.is_none() && due <= ask {
                machine.handle(Input::Timeout { at: due.max(now) });
            }
            let at = ask.max(now);
            machine.handle(Input::ProbeNow { at });
            wished = Some(at);
            for output in drain(&mut machine).0 {
                if let Output::StartProbe { probe, .. } = output {
                    prop_assert!(flight.is_none(), "two in flight");
                    prop_assert!(probe.0 >= last + SOONEST_AGAIN, "{probe:?} after {last:?}");
                    last = probe.0;
                    flight = Some((probe.0, probe.0 + Duration::from_micros(takes)));
                }
            }
            now = at;
        }
        let deadline = drain(&mut machine).1;
        let wished = wished.expect("at least one");
        prop_assert!(flight.is_some() || deadline <= wished + SOONEST_AGAIN, "{deadline:?} for {wished:?}");
    }
}
