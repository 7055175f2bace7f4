//! A station that goes on in another process does what the one before would have done, at the same instants.

use super::*;
use crate::floating::Wish;
use crate::model::{Preempt, Tracker};
use crate::vrrp::handed::HandedStation;
use proptest::prelude::*;

/// Something that happens so many milliseconds after the step before.
#[derive(Clone, Debug)]
enum Step {
    Quiet,
    Hear(u8),
    Beat,
    Tracked(bool),
    Link(bool),
    Release(Option<u64>),
    Clear,
    Held(usize),
    Released,
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let step = prop_oneof![
        4 => Just(Step::Quiet),
        6 => prop::sample::select(vec![0, 1, 9, 90, 100, 149, 150, 151, 254]).prop_map(Step::Hear),
        4 => Just(Step::Beat),
        2 => any::<bool>().prop_map(Step::Tracked),
        1 => any::<bool>().prop_map(Step::Link),
        1 => prop::option::of(1..3_000_u64).prop_map(Step::Release),
        1 => Just(Step::Clear),
        1 => (0..=1_usize).prop_map(Step::Held),
        2 => Just(Step::Released),
    ];
    (prop_oneof![3 => 0..=120_u64, 1 => 0..=900_u64], step)
}

fn tracked() -> Policy {
    let mut outside = router("outside", 51);
    let what = Tracked::Check("upstream".into());
    outside.track = vec![Tracker { name: "check upstream".into(), what, priority_change: None }];
    let inside = VirtualRouter { preempt: Preempt::Never, ..router("inside", 52) };
    policy([outside, inside])
}

/// Does one step at its instant; what was said, and until when it waits.
fn take(story: &mut Story, millis: u64, count: u64, step: &Step) {
    let routers: Vec<_> = story.station.routers().to_vec();
    story.until(millis);
    let now = at(millis);
    match step {
        Step::Quiet => {}
        Step::Hear(priority) => {
            let bytes = advertisement(&routers[usize::try_from(count).expect("small") % 2], *priority);
            story.hear(millis, &bytes);
        }
        Step::Beat => story.beat(millis, count, None),
        Step::Tracked(good) => {
            story.give(Input::Tracked { at: now, what: Tracked::Check("upstream".into()), good: *good });
        }
        Step::Link(up) => story.link(millis, 0, *up),
        Step::Release(until) => {
            let until = until.map(|until| now + Duration::from_millis(until));
            story.give(Input::Release { at: now, router: None, until });
        }
        Step::Clear => story.give(Input::Clear { at: now, router: None }),
        Step::Held(held) => {
            let report = Report::Held { router: RouterId(1), held: *held, wanted: 1 };
            story.give(Input::Keeper { at: now, report });
        }
        Step::Released => {
            for router in [RouterId(0), RouterId(1)] {
                story.give(Input::Keeper { at: now, report: Report::Released { router } });
            }
        }
    }
}

/// The same at another process that has what this one hands on, after it went over a wire.
fn successor(before: &Story, policy: &Policy, handed: &HandedStation) -> Story {
    let text = serde_json::to_vec(handed).expect("JSON");
    let handed: HandedStation = serde_json::from_slice(&text).expect("understood");
    let now = at(before.now);
    let beginning = Beginning { policy, keyring: Keyring::default(), epoch: 2, marks: BTreeMap::new(), now };
    let mut story = Story { station: Station::new(beginning), now: before.now, said: Vec::new() };
    story.station.go_on(now, &handed);
    story.give(Input::Timeout { at: now });
    let is_drop = |said: &Output| matches!(said, Output::Order(Order::Wish { wish: Wish::Drop, .. }));
    let asks = |said: &Output| matches!(said, Output::WarmUp { .. });
    assert!(story.said.iter().all(|said| is_drop(said) || asks(said)), "{:?}", story.said);
    story.said.clear();
    story
}

/// What others see and hear of it: beats are numbered anew, and a policy that differs is told once by each process.
fn seen(story: &mut Story) -> Vec<Output> {
    let is_said = |output: &Output| !matches!(output, Output::Tell(Event::Differs { .. }));
    let said = std::mem::take(&mut story.said).into_iter().filter(is_said);
    said.map(|output| match output {
        Output::Beat { .. } => Output::Beat { bytes: Vec::new() },
        other => other,
    })
    .collect()
}

proptest! {
    #[test]
    fn it_says_and_does_what_the_one_before_would_have(
        before in prop::collection::vec(step(), 0..40), after in prop::collection::vec(step(), 1..40),
    ) {
        let policy = tracked();
        let mut old = Story::of(&policy, Keyring::default(), BTreeMap::new());
        let mut now = 500;
        let mut count = 0;
        for (later, step) in &before {
            (now, count) = (now + later, count + 1);
            take(&mut old, now, count, step);
        }
        old.until(now);
        let Ok(handed) = old.station.hand_on() else { return Ok(()) };
        old.give(Input::Timeout { at: at(now) });
        old.said.clear();
        let mut new = successor(&old, &policy, &handed);
        for (later, step) in &after {
            (now, count) = (now + later, count + 1);
            take(&mut old, now, count, step);
            take(&mut new, now, count, step);
            prop_assert_eq!(seen(&mut new), seen(&mut old), "at {} ms, {:?}", now, step);
            let shown = |story: &Story| {
                let shown = story.station.picture();
                let router = |router: RouterPicture| (router.role, router.since, router.cause, router.priority);
                (shown.routers.into_iter().map(router).collect::<Vec<_>>(), shown.peers)
            };
            prop_assert_eq!(shown(&new), shown(&old));
        }
    }
}

#[test]
fn a_master_hands_on_its_role_and_the_instant_of_its_next_advertisement() {
    let policy = policy([router("outside", 51)]);
    let mut old = Story::master_of(&policy);
    old.until(4_730);
    let handed = old.station.hand_on().expect("it is at rest");
    assert_eq!((handed.units[0].role.as_str(), handed.units[0].holds), ("master", true));
    assert_eq!(old.station.held_routers(), [RouterId(0)].into());
    let due = old.station.election().advertises_at().expect("it is Master");
    old.said.clear();
    let mut new = successor(&old, &policy, &handed);
    assert_eq!(new.station.held_routers(), [RouterId(0)].into());
    assert_eq!(new.station.poll(), Output::Wait { deadline: Some(due.min(new_beat(&handed))) });
    new.until(4_900);
    assert_eq!(new.sent().len(), 2, "its beat goes on");
}

fn new_beat(handed: &HandedStation) -> Instant {
    handed.beat_at.expect("beats are sent")
}

#[test]
fn nothing_is_handed_on_in_the_middle_of_something() {
    let policy = policy([router("outside", 51)]);
    let mut story = Story::of(&policy, Keyring::default(), BTreeMap::new());
    assert!(story.station.hand_on().is_err(), "it does not know yet whose the addresses are");
    story.until(500);
    assert!(story.station.hand_on().is_ok());
    story.give(Input::Release { at: at(500), router: None, until: None });
    assert!(story.station.hand_on().is_err(), "they are offered");
    story.give(Input::Stop { at: at(500) });
    assert_eq!(story.station.hand_on().expect_err("it stops"), "the director stops");
}

#[test]
fn one_that_takes_back_is_a_run_that_the_others_believe() {
    let mut story = Story::master();
    story.station.take_back(at(600), 9);
    story.give(Input::Timeout { at: at(600) });
    assert!(story.said.contains(&Output::Run { epoch: 9 }));
    story.said.clear();
    story.station.take_back(at(700), 9);
    story.give(Input::Timeout { at: at(700) });
    assert!(!story.said.contains(&Output::Run { epoch: 9 }), "once");
}
