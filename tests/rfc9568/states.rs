//! Section 6.4: the states, one test a statement.

use std::time::Duration;
use tandem::model::VrrpVersion;
use tandem::time::Instant;
use tandem::vrrp::machine::{Heard, Input, Machine, Output, State};
use tandem::vrrp::timing::Pace;

const OWN_PACE: Pace = Pace { version: VrrpVersion::V3, interval: Duration::from_millis(100) };
const OTHER_PACE: Pace = Pace { version: VrrpVersion::V3, interval: Duration::from_millis(200) };
/// When what is tested happens.
const NOW: Instant = Instant::from_millis(1_000);

fn initialized(priority: u8) -> Machine {
    Machine::new(priority, OWN_PACE, [192, 0, 2, 11].into())
}

fn outputs(machine: &mut Machine) -> Vec<Output> {
    let mut outputs = Vec::new();
    loop {
        match machine.poll() {
            Output::Wait { .. } => return outputs,
            output => outputs.push(output),
        }
    }
}

/// Priority 100, whose Active_Down_Timer ends at 1,060.937 ms.
fn backup() -> Machine {
    let mut machine = initialized(100);
    machine.handle(Input::Startup { at: Instant::from_millis(700) });
    outputs(&mut machine);
    machine
}

/// Priority 100, whose Adver_Timer ends at 1,060.937 ms.
fn active() -> Machine {
    let mut machine = backup();
    machine.handle(Input::Timeout { at: Instant::from_micros(960_937 + 100_000) });
    machine.handle(Input::Timeout { at: Instant::from_micros(1_060_937) });
    outputs(&mut machine);
    assert!(machine.is_master());
    machine
}

const TIMER: Instant = Instant::from_micros(1_160_937);

fn heard(last: u8, priority: u8) -> Input {
    let heard = Heard { source: [192, 0, 2, last].into(), priority, pace: OTHER_PACE };
    Input::Advertisement { at: NOW, heard }
}

fn advertises(priority: u8) -> Output {
    Output::Advertise { priority }
}

#[test]
fn s6_4_1_an_owner_that_starts_advertises_and_is_active() {
    let mut machine = initialized(255);
    machine.handle(Input::Startup { at: NOW });
    assert_eq!(outputs(&mut machine), [Output::BecameMaster, advertises(255)]);
    assert_eq!(machine.state(), State::Master { advertise_at: Instant::from_millis(1_100) });
}

#[test]
fn s6_4_1_any_other_that_starts_is_backup_with_its_own_interval_and_a_whole_down_interval() {
    let mut machine = initialized(100);
    machine.handle(Input::Startup { at: NOW });
    let down_at = Instant::from_micros(1_000_000 + 360_937);
    assert_eq!(machine.state(), State::Backup { pace: OWN_PACE, down_at });
    assert_eq!(outputs(&mut machine), [Output::BecameBackup { to: None }]);
}

#[test]
fn s6_4_1_in_initialize_nothing_is_done_but_starting() {
    let mut machine = initialized(100);
    for input in [heard(12, 200), heard(12, 0), Input::Timeout { at: NOW }, Input::Shutdown { at: NOW }] {
        machine.handle(input);
    }
    assert_eq!((machine.state(), outputs(&mut machine)), (State::Initialize, Vec::new()));
}

#[test]
fn s6_4_2_a_backup_that_is_shut_down_is_in_initialize_and_says_nothing() {
    let mut machine = backup();
    machine.handle(Input::Shutdown { at: NOW });
    assert_eq!(machine.state(), State::Initialize);
    assert_eq!(outputs(&mut machine), [Output::BecameInitialize]);
    machine.handle(Input::Timeout { at: Instant::from_millis(9_000) });
    assert_eq!(machine.state(), State::Initialize, "the timer is cancelled");
}

#[test]
fn s6_4_2_when_the_active_down_timer_fires_it_advertises_and_is_active() {
    let mut machine = backup();
    machine.handle(Input::Timeout { at: Instant::from_micros(1_060_937) });
    assert_eq!(outputs(&mut machine), [Output::BecameMaster, advertises(100)]);
    assert_eq!(machine.state(), State::Master { advertise_at: TIMER });
}

#[test]
fn s6_4_2_priority_0_sets_the_active_down_timer_to_the_skew_time() {
    let mut machine = backup();
    machine.handle(heard(12, 0));
    let down_at = NOW + Duration::from_micros(60_937);
    assert_eq!(machine.state(), State::Backup { pace: OWN_PACE, down_at });
}

#[test]
fn s6_4_2_an_equal_or_higher_priority_is_followed_at_its_interval() {
    for priority in [100, 101, 255] {
        let mut machine = backup();
        machine.handle(heard(12, priority));
        let down_at = NOW + Duration::from_micros(600_000 + 121_875);
        assert_eq!(machine.state(), State::Backup { pace: OTHER_PACE, down_at }, "{priority}");
    }
}

#[test]
fn s6_4_2_without_preemption_a_lower_priority_is_followed_too() {
    let mut machine = backup();
    machine.set_preempts(false);
    machine.handle(heard(12, 99));
    let down_at = NOW + Duration::from_micros(600_000 + 121_875);
    assert_eq!(machine.state(), State::Backup { pace: OTHER_PACE, down_at });
}

#[test]
fn s6_4_2_with_preemption_a_lower_priority_is_discarded_and_the_timer_runs_on() {
    let mut machine = backup();
    let before = machine.state();
    machine.handle(heard(12, 99));
    assert_eq!((machine.state(), outputs(&mut machine)), (before, Vec::new()));
}

#[test]
fn s6_4_3_an_active_router_that_is_shut_down_says_priority_0_and_is_in_initialize() {
    let mut machine = active();
    machine.handle(Input::Shutdown { at: NOW });
    assert_eq!(outputs(&mut machine), [advertises(0), Output::BecameInitialize]);
    assert_eq!(machine.state(), State::Initialize);
}

#[test]
fn s6_4_3_when_the_adver_timer_fires_it_advertises_and_sets_it_again() {
    let mut machine = active();
    machine.handle(Input::Timeout { at: TIMER - Duration::from_micros(1) });
    assert_eq!(outputs(&mut machine), []);
    machine.handle(Input::Timeout { at: TIMER });
    assert_eq!(outputs(&mut machine), [advertises(100)]);
    assert_eq!(machine.state(), State::Master { advertise_at: TIMER + OWN_PACE.interval });
}

#[test]
fn s6_4_3_priority_0_is_answered_at_once_and_sets_the_adver_timer_again() {
    let mut machine = active();
    machine.handle(heard(12, 0));
    let sent = |output: &Output| matches!(output, Output::Advertise { .. });
    assert_eq!(outputs(&mut machine).into_iter().filter(sent).collect::<Vec<_>>(), [advertises(100)]);
    assert_eq!(machine.state(), State::Master { advertise_at: NOW + OWN_PACE.interval });
}

#[test]
fn s6_4_3_a_higher_priority_or_an_equal_one_of_a_higher_address_makes_it_backup() {
    for (last, priority) in [(10, 101), (12, 101), (12, 100), (10, 255)] {
        let mut machine = active();
        machine.handle(heard(last, priority));
        let down_at = NOW + Duration::from_micros(600_000 + 121_875);
        assert_eq!(machine.state(), State::Backup { pace: OTHER_PACE, down_at }, "{last} {priority}");
        assert!(matches!(outputs(&mut machine)[..], [Output::BecameBackup { to: Some(_) }]));
    }
}

#[test]
fn s6_4_3_addresses_compare_as_unsigned_numbers_in_network_byte_order() {
    let wins = |own: &str, other: &str| {
        let mut machine = Machine::new(100, OWN_PACE, own.parse().expect("an address"));
        machine.handle(Input::Startup { at: Instant::ZERO });
        machine.handle(Input::Timeout { at: NOW });
        let source = other.parse().expect("an address");
        let heard = Heard { source, priority: 100, pace: OWN_PACE };
        machine.handle(Input::Advertisement { at: NOW, heard });
        machine.is_master()
    };
    assert!(wins("200.0.2.1", "100.0.2.255") && !wins("100.0.2.255", "200.0.2.1"));
    assert!(wins("10.0.1.0", "10.0.0.255") && wins("fe80::a", "fe80::9") && !wins("fe80::9", "fe80::1:0"));
}

#[test]
fn s6_4_3_any_other_is_discarded_and_answered_at_once_without_a_change_of_the_timer() {
    for (last, priority) in [(12, 99), (10, 100), (11, 100), (10, 1)] {
        let mut machine = active();
        let before = machine.state();
        machine.handle(heard(last, priority));
        let said = outputs(&mut machine);
        assert!(
            matches!(said[..], [Output::Advertise { priority: 100 }, Output::Contested { .. }]),
            "{said:?}"
        );
        assert_eq!(machine.state(), before);
    }
}
