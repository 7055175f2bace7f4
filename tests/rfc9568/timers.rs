//! Section 6.1: the timers, exact to the microsecond, at the priorities at which rounding and scaling would show.

use std::time::Duration;
use tandem::model::VrrpVersion;
use tandem::time::Instant;
use tandem::vrrp::machine::{Heard, Input, Machine, Output, State};
use tandem::vrrp::timing::Pace;

const PRIORITIES: [u8; 4] = [1, 100, 254, 255];

fn pace(version: VrrpVersion, interval_ms: u64) -> Pace {
    Pace { version, interval: Duration::from_millis(interval_ms) }
}

fn backup(priority: u8, own: Pace) -> Machine {
    // 255 is the owner, which starts as Active; as Backup it is one that was beaten by a higher address.
    let mut machine = Machine::new(priority.min(254), own, [192, 0, 2, 11].into());
    machine.handle(Input::Startup { at: Instant::ZERO });
    machine.set_priority(priority);
    machine.restart_down_timer(Instant::ZERO);
    machine
}

fn down_at(machine: &Machine) -> u64 {
    match machine.state() {
        State::Backup { down_at, .. } => down_at.as_micros(),
        other => panic!("{other:?}"),
    }
}

fn heard(priority: u8, pace: Pace) -> Heard {
    Heard { source: [192, 0, 2, 12].into(), priority, pace }
}

#[test]
fn s6_1_the_active_down_interval_is_three_intervals_and_the_skew_time() {
    let down = |priority| down_at(&backup(priority, pace(VrrpVersion::V3, 100)));
    assert_eq!(PRIORITIES.map(down), [399_609, 360_937, 300_781, 300_390]);
    let down = |priority| down_at(&backup(priority, pace(VrrpVersion::V3, 10)));
    assert_eq!(PRIORITIES.map(down), [39_960, 36_093, 30_078, 30_039]);
    let down = |priority| down_at(&backup(priority, pace(VrrpVersion::V3, 40_950)));
    assert_eq!(PRIORITIES.map(down), [163_640_039, 147_803_906, 123_169_921, 123_009_960]);
}

#[test]
fn s6_1_the_skew_time_scales_with_the_active_routers_interval() {
    let skew = |priority| {
        let mut machine = backup(priority, pace(VrrpVersion::V3, 100));
        let at = Instant::from_millis(10);
        machine.handle(Input::Advertisement { at, heard: heard(255, pace(VrrpVersion::V3, 1_000)) });
        machine.handle(Input::Advertisement { at, heard: heard(0, pace(VrrpVersion::V3, 1_000)) });
        down_at(&machine) - 10_000
    };
    assert_eq!(PRIORITIES.map(skew), [996_093, 609_375, 7_812, 3_906]);
}

#[test]
fn rfc3768_6_1_the_skew_time_of_version_2_is_a_part_of_a_second() {
    let down = |priority| down_at(&backup(priority, pace(VrrpVersion::V2, 1_000)));
    assert_eq!(PRIORITIES.map(down), [3_996_093, 3_609_375, 3_007_812, 3_003_906]);
    let down = |priority| down_at(&backup(priority, pace(VrrpVersion::V2, 10_000)));
    assert_eq!(PRIORITIES.map(down), [30_996_093, 30_609_375, 30_007_812, 30_003_906]);
}

#[test]
fn s6_4_2_the_active_router_is_taken_for_dead_at_the_microsecond_and_not_before() {
    for (priority, down) in PRIORITIES.into_iter().zip([399_609_u64, 360_937, 300_781, 300_390]) {
        let mut machine = backup(priority, pace(VrrpVersion::V3, 100));
        while !matches!(machine.poll(), Output::Wait { .. }) {}
        machine.handle(Input::Timeout { at: Instant::from_micros(down - 1) });
        assert!(!machine.is_master(), "{priority}");
        machine.handle(Input::Timeout { at: Instant::from_micros(down) });
        assert_eq!(machine.poll(), Output::BecameMaster, "{priority}");
        assert_eq!(machine.poll(), Output::Advertise { priority });
        assert_eq!(machine.poll(), Output::Wait { deadline: Some(Instant::from_micros(down + 100_000)) });
    }
}

#[test]
fn s6_4_3_the_beat_does_not_drift_however_late_the_machine_is_called() {
    let mut machine = backup(100, pace(VrrpVersion::V3, 100));
    machine.handle(Input::Timeout { at: Instant::from_micros(360_937) });
    for step in 1..=1_000 {
        machine.handle(Input::Timeout { at: Instant::from_micros(360_937 + step * 100_000 + 777) });
    }
    assert_eq!(
        machine.state(),
        State::Master { advertise_at: Instant::from_micros(360_937 + 1_001 * 100_000) }
    );
}
