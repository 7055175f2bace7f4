//! What the election adds to its units: state transfer, releases with an end, stopping.

mod others;
mod renewal;
mod site;
mod succession;
mod waiting;

use super::*;
use crate::desired::fixtures;
use crate::model::{
    ConnectionSync, Director, Family, Pair, Policy, Preempt, SyncRole, VirtualRouter, VrrpVersion,
};
use crate::vrrp::timing::Pace;
use crate::vrrp::transfer::{PREEMPT_BOUND, Said};
use crate::vrrp::unit::Elsewhere;
use std::num::NonZeroU8;

const SESSION: SessionId = SessionId { router: RouterId(0), family: Family::Ipv4 };
const PACE: Pace = Pace { version: VrrpVersion::V3, interval: Duration::from_millis(100) };

fn policy() -> Policy {
    let router = VirtualRouter {
        priorities: [("a".into(), 150), ("b".into(), 100)].into(),
        addresses: vec!["192.0.2.1/24".parse().expect("a network")],
        interval: PACE.interval,
        ..fixtures::router("outside", 1)
    };
    let role = SyncRole::FollowRouter("outside".into());
    let sync = ConnectionSync { interface: "eth1".to_owned(), sync_id: NonZeroU8::MIN, role };
    let pair = Pair {
        directors: ["a", "b"].map(|name| (name.into(), Director::default())).into(),
        own: Some("a".into()),
        routers: [("outside".into(), router)].into(),
        connection_sync: Some(sync),
        ..Pair::default()
    };
    Policy { pair, ..fixtures::policy([]) }
}

struct Story {
    election: Election,
    said: Vec<Output>,
    /// Of the other director's beats.
    sequence: u64,
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

impl Story {
    fn new() -> Self {
        let mut story = Self { election: Election::new(&policy(), 7, at(0)), said: Vec::new(), sequence: 0 };
        story.give(Input::Link { at: at(0), session: SESSION, source: Some([192, 0, 2, 11].into()) });
        story.give(Input::Warm { at: at(0), since: at(0) });
        story.give(Input::Timeout { at: at(0) });
        story
    }

    fn give(&mut self, input: Input) {
        self.election.handle(input);
        for _ in 0..100 {
            match self.election.poll() {
                Output::Wait { .. } => return,
                output => self.said.push(output),
            }
        }
        panic!("it never waits: {:?}", self.said);
    }

    /// Each step of 100 ms until here.
    fn until(&mut self, from: u64, until: u64, mut each: impl FnMut(&mut Self, u64)) {
        for millis in (from..=until).step_by(100) {
            each(self, millis);
            self.give(Input::Timeout { at: at(millis) });
        }
    }

    fn hear(&mut self, millis: u64, priority: u8) {
        let heard = Heard { source: [192, 0, 2, 12].into(), priority, pace: PACE };
        self.give(Input::Advertisement { at: at(millis), session: SESSION, heard });
    }

    fn beat(&mut self, millis: u64, said: Said) {
        self.sequence += 1;
        let (sequence, interval) = (self.sequence, Duration::from_millis(100));
        let beat =
            Beat { director: "b".into(), epoch: 1, sequence, interval, said, stale: None, units: Vec::new() };
        self.give(Input::Beat { at: at(millis), beat, apart: false, sealed: true });
    }

    fn role(&self) -> Role {
        self.election.role(RouterId(0))
    }

    fn passes_state(&self) -> usize {
        self.said.iter().filter(|output| matches!(output, Output::PassState { .. })).count()
    }

    fn master() -> Self {
        let mut story = Self::new();
        story.until(100, 400, |_, _| {});
        assert_eq!(story.role(), Role::Master);
        story
    }
}

#[test]
fn a_returning_director_waits_for_the_others_beats_and_then_for_its_state_before_it_preempts() {
    let mut story = Story::new();
    story.until(100, 1_000, |story, millis| story.hear(millis, 100));
    assert_eq!(story.role(), Role::Backup, "whether the other has state to pass is not known yet");
    story.until(1_100, 3_000, |story, millis| {
        story.beat(millis, Said::default());
        story.hear(millis, 100);
    });
    assert_eq!(story.role(), Role::Backup);
    let wants = story.said.iter().rev().find_map(|output| match output {
        Output::Beat(beat) => Some(beat.said.wants),
        _ => None,
    });
    let said = Said { wants: 0, passed: wants.expect("a beat") };
    story.until(3_100, 3_500, |story, millis| {
        story.beat(millis, said);
        story.hear(millis, 100);
    });
    assert_eq!(story.role(), Role::Master);
}

#[test]
fn it_preempts_without_state_when_the_bound_is_over() {
    let mut story = Story::new();
    let bound = u64::try_from(PREEMPT_BOUND.as_millis()).expect("short");
    let both = |story: &mut Story, millis| {
        story.beat(millis, Said::default());
        story.hear(millis, 100);
    };
    story.until(100, bound, both);
    assert_eq!(story.role(), Role::Backup);
    story.until(bound + 100, bound + 600, both);
    assert_eq!(story.role(), Role::Master);
}

#[test]
fn a_release_first_passes_the_state_and_waits_for_that_three_seconds_at_most() {
    for answers in [true, false] {
        let mut story = Story::master();
        story.beat(450, Said::default());
        story.give(Input::Release { at: at(460), router: None, until: None });
        assert_eq!((story.passes_state(), story.role()), (1, Role::Master));
        if answers {
            story.give(Input::StatePassed { at: at(500) });
        } else {
            story.until(500, 3_400, |_, _| {});
            assert_eq!(story.role(), Role::Master);
            story.until(3_500, 3_500, |_, _| {});
        }
        assert_eq!(story.role(), Role::Backup, "{answers}");
    }
}

#[test]
fn a_release_ends_when_its_time_is_over() {
    let mut story = Story::master();
    story.give(Input::Release { at: at(410), router: None, until: Some(at(2_000)) });
    story.until(500, 1_900, |story, millis| story.hear(millis, 100));
    assert_eq!((story.role(), story.election.priority(RouterId(0))), (Role::Backup, 1));
    story.until(2_000, 2_600, |story, millis| story.hear(millis, 100));
    assert_eq!((story.role(), story.election.priority(RouterId(0))), (Role::Master, 150));
}

#[test]
fn an_operator_who_releases_or_clears_while_it_stops_does_not_keep_it_from_stopping() {
    let late: [fn(Instant) -> Input; 2] =
        [|at| Input::Release { at, router: None, until: None }, |at| Input::Clear { at, router: None }];
    for command in late {
        let mut story = Story::master();
        story.beat(410, Said::default());
        story.give(Input::Stop { at: at(420) });
        story.give(command(at(430)));
        story.give(Input::StatePassed { at: at(440) });
        assert_eq!(story.role(), Role::Backup);
        story.until(500, 900, |_, _| {});
        assert_eq!(story.said.last(), Some(&Output::Stopped { lengthen: true }));
    }
}

#[test]
fn a_master_that_stops_alone_leaves_the_addresses_to_its_next_run() {
    let mut story = Story::master();
    story.give(Input::Stop { at: at(410) });
    story.until(500, 900, |_, _| {});
    assert_eq!(story.said.last(), Some(&Output::Stopped { lengthen: true }));
}

#[test]
fn state_is_passed_to_another_director_that_asks_for_it() {
    let mut story = Story::master();
    story.beat(450, Said { wants: 9, passed: 0 });
    story.beat(470, Said { wants: 9, passed: 0 });
    assert_eq!(story.passes_state(), 1);
    story.give(Input::StatePassed { at: at(600) });
    story.said.clear();
    story.until(600, 800, |_, _| {});
    let passed =
        story.said.iter().any(|output| matches!(output, Output::Beat(beat) if beat.said.passed == 9));
    assert!(passed);
}

/// Seed 13479: a Master that had been unfit was taken for unfit until its next beat, and another took over from silence.
#[test]
fn the_others_hear_at_once_that_a_director_is_unfit_or_fit_again() {
    let mut story = Story::master();
    for (millis, up) in [(430, false), (440, true)] {
        story.said.clear();
        story.give(Input::Link {
            at: at(millis),
            session: SESSION,
            source: up.then(|| [192, 0, 2, 11].into()),
        });
        let fit = story.said.iter().find_map(|output| match output {
            Output::Beat(beat) => beat.units.first().map(|unit| unit.is_fit),
            _ => None,
        });
        assert_eq!(fit, Some(up), "{millis}");
    }
    story.said.clear();
    story.give(Input::Timeout { at: at(445) });
    assert!(!story.said.iter().any(|output| matches!(output, Output::Beat(_))), "no news");
}

#[test]
fn it_counts_as_ready_after_a_minute_whatever_its_pools_say() {
    let mut story = Story::new();
    story.election.warmth = Warmth::new(at(0));
    story.until(100, 59_900, |story, millis| story.hear(millis, 100));
    assert_eq!(story.role(), Role::Backup);
    story.until(60_000, 60_600, |story, millis| story.hear(millis, 100));
    assert_eq!(story.role(), Role::Master);
}

#[test]
fn a_director_that_was_cut_off_preempts_when_its_pools_know_their_servers_anew() {
    let mut story = Story::master();
    story.give(Input::Link { at: at(500), session: SESSION, source: None });
    assert_eq!(story.role(), Role::Fault);
    story.said.clear();
    story.give(Input::Link { at: at(5_000), session: SESSION, source: Some([192, 0, 2, 11].into()) });
    assert!(story.said.contains(&Output::WarmUp { since: at(5_000) }), "{:?}", story.said);
    story.until(5_100, 9_000, |story, millis| story.hear(millis, 100));
    assert_eq!(story.role(), Role::Backup, "its tables are cold");
    story.give(Input::Warm { at: at(9_010), since: at(0) });
    story.until(9_100, 9_500, |story, millis| story.hear(millis, 100));
    assert_eq!(story.role(), Role::Backup, "that is what it knew before");
    story.give(Input::Warm { at: at(9_510), since: at(5_000) });
    story.until(9_600, 10_200, |story, millis| story.hear(millis, 100));
    assert_eq!(story.role(), Role::Master);
}

#[test]
fn cold_tables_keep_nobody_from_taking_over_what_no_master_holds() {
    let mut story = Story::master();
    story.give(Input::Link { at: at(500), session: SESSION, source: None });
    story.give(Input::Link { at: at(5_000), session: SESSION, source: Some([192, 0, 2, 11].into()) });
    story.until(5_100, 5_400, |_, _| {});
    assert_eq!(story.role(), Role::Master);
}

/// The other director takes over from one that was asked to leave and lets go of its addresses then; what the state was passed
/// for, in turn.
fn hand_over(story: &mut Story, leave: Input, gone_at: u64) -> Vec<bool> {
    story.beat(410, Said::default());
    story.give(leave);
    story.give(Input::StatePassed { at: at(430) });
    story.hear(500, 100);
    let passes = |story: &Story| -> Vec<bool> {
        let whole = |output: &Output| match output {
            Output::PassState { whole } => Some(*whole),
            _ => None,
        };
        story.said.iter().filter_map(whole).collect()
    };
    assert_eq!(passes(story), [true, false], "what has come since, while the addresses are still here");
    story.give(Input::StatePassed { at: at(510) });
    story.give(Input::Keeper { at: at(gone_at), report: Report::Released { router: RouterId(0) } });
    passes(story)
}

#[test]
fn what_began_here_until_the_addresses_were_gone_is_passed_as_well() {
    let mut story = Story::master();
    let passes = hand_over(&mut story, Input::Release { at: at(420), router: None, until: None }, 520);
    assert_eq!(passes, [true, false, false]);
    assert_eq!(story.election.deadline(), story.election.beat_at, "that was the last");
}

#[test]
fn a_stop_waits_until_the_rest_has_been_passed() {
    // The other director's last beat is of 410: at 950 it is not heard, and the addresses are there all the same.
    for gone_at in [520, 950] {
        let mut story = Story::master();
        assert_eq!(hand_over(&mut story, Input::Stop { at: at(420) }, gone_at), [true, false, false]);
        story.until(1_000, 1_100, |_, _| {});
        let stopped = Output::Stopped { lengthen: false };
        assert!(!story.said.contains(&stopped));
        story.give(Input::StatePassed { at: at(1_110) });
        assert_eq!(story.said.last(), Some(&stopped));
    }
}
