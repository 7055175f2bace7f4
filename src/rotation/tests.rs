//! One test a rule of a pool, as stories of seconds.

use super::*;
use crate::desired::fixtures;
use crate::model::{
    Advice, AdvisedState, Curve, Drain, Forwarding, OnFailure, OnLoss, PanicAction, Percent, Pool, Quorum,
    QuorumUnit, SlowStart, WeightFrom,
};
use crate::time::Instant;
use proptest::prelude::*;
use std::time::Duration;

mod orders;
mod sight;

const WINDOW: Duration = Duration::from_secs(5);

fn at(second: u64) -> Instant {
    Instant::from_millis(second * 1000)
}

fn share(percent: u8) -> Percent {
    Percent::new(percent).expect("a share")
}

/// A pool of servers with these weights; a negative one is a backup server.
fn pool(weights: &[i32]) -> Pool {
    let mut pool = fixtures::pool("web", "192.0.2.1", &Forwarding::Nat);
    let server = |(index, weight): (usize, &i32)| {
        let mut server = fixtures::server(&format!("10.0.0.{}", index + 1), &Forwarding::Nat);
        (server.weight, server.backup) = (weight.unsigned_abs(), *weight < 0);
        server
    };
    pool.servers = weights.iter().enumerate().map(server).collect();
    pool
}

fn with_sorry(mut pool: Pool) -> Pool {
    pool.sorry_servers = vec![fixtures::server("10.0.0.250", &Forwarding::Nat)];
    pool
}

/// A pool's rotation, and what is seen of its servers.
struct Story {
    machine: Machine,
    seen: Vec<Seen>,
    frozen: bool,
    acts: Vec<Act>,
}

impl Story {
    fn new(pool: &Pool) -> Self {
        Self::found(pool, Found::default())
    }

    fn found(pool: &Pool, found: Found) -> Self {
        let seen = vec![Seen { usable: true, ..Seen::default() }; pool.servers.len()];
        Self { machine: Machine::new(pool, WINDOW, found), seen, frozen: false, acts: Vec::new() }
    }

    /// Verdicts by their signs: up, down, or `?` for none yet; the weights that come of them, `.` for out of the table.
    fn verdicts(&mut self, second: u64, verdicts: &str) -> String {
        for (seen, verdict) in self.seen.iter_mut().zip(verdicts.chars()) {
            (seen.up, seen.settled) = (verdict == '+', verdict != '?');
        }
        self.look(second)
    }

    fn look(&mut self, second: u64) -> String {
        self.seen
            .iter_mut()
            .filter_map(|seen| seen.held.as_mut())
            .for_each(|held| held.counted_at = at(second));
        let servers = self.seen.clone();
        let frozen = self.frozen;
        self.machine.handle(Input::Looked { at: at(second), servers, sorry_up: true, frozen });
        self.weights()
    }

    fn pass(&mut self, second: u64) -> String {
        self.machine.handle(Input::Timeout { at: at(second) });
        self.weights()
    }

    fn weights(&mut self) -> String {
        while let Output::Acted(act) = self.machine.poll() {
            self.acts.push(act);
        }
        let placement = self.machine.placement();
        let weight = |place: &Place| place.weight.map_or(".".to_owned(), |weight| weight.to_string());
        let mut weights: Vec<_> = placement.servers.iter().map(weight).collect();
        weights.extend(placement.sorry.then(|| "sorry".to_owned()));
        weights.join(" ")
    }

    /// What was told since the last time: `+` where it began, `s` where it was in shadow.
    fn told(&mut self) -> String {
        let word = |act: &Act| {
            let (begins, shadow) = (if act.begins { '+' } else { '-' }, if act.shadow { "s" } else { "" });
            format!("{begins}{}{shadow}", act.kind.name())
        };
        std::mem::take(&mut self.acts).iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn advise(&mut self, second: u64, server: usize, advice: Advice) {
        self.seen[server].said = Some((at(second), advice));
    }
}

fn state(state: AdvisedState) -> Advice {
    Advice { state: Some(state), weight_percent: None }
}

#[test]
fn without_rules_the_verdicts_decide() {
    let mut removes = Story::new(&pool(&[1, 2, 0]));
    assert_eq!(removes.verdicts(1, "??+"), ". . 0");
    assert_eq!(removes.machine.has_quorum(), None);
    assert_eq!(removes.verdicts(2, "++-"), "1 2 .");
    assert_eq!(removes.machine.has_quorum(), Some(true));
    let mut quiescing = pool(&[1, 2]);
    quiescing.on_failure = OnFailure::Quiesce;
    assert_eq!(Story::new(&quiescing).verdicts(1, "+-"), "1 0");
}

#[test]
fn a_server_that_the_host_cannot_use_stays_out() {
    let mut story = Story::new(&pool(&[1, 1]));
    story.seen[0].usable = false;
    assert_eq!(story.verdicts(1, "++"), ". 1");
}

#[test]
fn without_its_quorum_the_sorry_server_answers_and_those_left_keep_their_connections() {
    let mut pool = with_sorry(pool(&[1, 1, 1, 1]));
    pool.rules.quorum = Quorum { least: 2, recover: 3, ..Quorum::default() };
    let mut story = Story::new(&pool);
    assert_eq!(story.verdicts(1, "???+"), ". . . 1", "nothing is lost before it is known");
    assert_eq!(story.verdicts(2, "++++"), "1 1 1 1");
    assert_eq!(story.verdicts(3, "++--"), "1 1 . .");
    assert_eq!(story.told(), "");
    assert_eq!(story.verdicts(4, "+---"), "0 . . . sorry");
    assert_eq!(story.told(), "+quorum_lost +sorry");
    assert_eq!(story.verdicts(5, "++--"), "0 0 . . sorry", "it takes more to come back");
    assert_eq!(story.verdicts(6, "+++-"), "1 1 1 .");
    assert_eq!(story.told(), "-quorum_lost -sorry");
}

#[test]
fn the_quorum_may_be_kept_counted_by_weight_or_only_watched() {
    let mut pool = with_sorry(pool(&[10, 1, 1]));
    pool.rules.quorum = Quorum { unit: QuorumUnit::Weight, least: 5, recover: 5, ..Quorum::default() };
    assert_eq!(Story::new(&pool).verdicts(1, "-++"), ". 0 0 sorry");
    pool.rules.quorum.shadow = true;
    let mut shadow = Story::new(&pool);
    assert_eq!(shadow.verdicts(1, "-++"), ". 1 1");
    assert_eq!(shadow.told(), "+quorum_losts");
    pool.rules.quorum = Quorum { on_loss: OnLoss::Keep, shadow: false, ..pool.rules.quorum };
    assert_eq!(Story::new(&pool).verdicts(1, "-++"), ". 1 1");
}

#[test]
fn what_stood_in_before_a_restart_goes_on_until_the_verdicts_are_in() {
    let pool = with_sorry(pool(&[1, 1, -1]));
    let mut sorry = Story::found(&pool, Found { sorry: true, backup: false });
    assert_eq!(sorry.verdicts(1, "???"), ". . . sorry");
    assert_eq!(sorry.verdicts(2, "+??"), "1 . .");
    let mut backup = Story::found(&pool, Found { sorry: false, backup: true });
    assert_eq!(backup.verdicts(1, "??+"), ". . 1");
}

#[test]
fn backup_servers_join_while_the_others_are_too_few_and_leave_with_their_last_connection() {
    let mut pool = pool(&[1, 1, -3]);
    pool.rules.quorum = Quorum { least: 1, recover: 2, ..Quorum::default() };
    let mut story = Story::new(&pool);
    assert_eq!(story.verdicts(1, "+++"), "1 1 .");
    assert_eq!(story.verdicts(2, "--+"), ". . 3");
    assert_eq!(story.told(), "+backup");
    story.seen[2].held = Some(Held { weight: 3, connections: 7, ..Held::default() });
    assert_eq!(story.verdicts(3, "+-+"), "1 . 3");
    assert_eq!(story.verdicts(4, "+++"), "1 1 0", "its connections live on");
    assert_eq!(story.told(), "-backup");
    story.seen[2].held = Some(Held { weight: 0, connections: 0, ..Held::default() });
    assert_eq!(story.look(5), "1 1 0", "one may have come while the weight was changed");
    assert_eq!(story.look(6), "1 1 .");
}

fn panicking(action: PanicAction) -> Pool {
    let mut pool = with_sorry(pool(&[1, 1, 1, 1]));
    let (below, recover) = (share(50), share(75));
    pool.rules.panic = Some(crate::model::Panic { below, recover, within: None, action, shadow: false });
    pool
}

#[test]
fn a_panic_keeps_the_last_serves_all_is_sorry_or_closes() {
    let after = |action| {
        let mut story = Story::new(&panicking(action));
        story.verdicts(1, "++++");
        story.verdicts(10, "+++-");
        story.verdicts(98, "++--");
        story.verdicts(100, "+---")
    };
    assert_eq!(after(PanicAction::KeepLast), "1 1 1 .", "one had failed long before");
    assert_eq!(after(PanicAction::All), "1 1 1 1");
    assert_eq!(after(PanicAction::Sorry), "0 . . . sorry");
    assert_eq!(after(PanicAction::None), "0 . . .");
}

#[test]
fn a_panic_ends_with_its_hysteresis_and_may_be_in_shadow() {
    let mut story = Story::new(&panicking(PanicAction::All));
    assert_eq!(story.verdicts(1, "????"), ". . . .", "a director that starts knows nothing");
    story.verdicts(2, "+---");
    assert_eq!(story.told(), "+panic");
    assert_eq!(story.verdicts(3, "++--"), "1 1 1 1");
    assert!(story.machine.panics());
    assert_eq!(story.verdicts(4, "+++-"), "1 1 1 .");
    assert_eq!(story.told(), "-panic");
    let mut pool = panicking(PanicAction::All);
    pool.rules.panic.iter_mut().for_each(|panic| panic.shadow = true);
    let mut shadow = Story::new(&pool);
    assert_eq!(shadow.verdicts(2, "+---"), "1 . . .");
    assert_eq!(shadow.told(), "+panics");
}

#[test]
fn panic_comes_before_sorry() {
    let mut pool = panicking(PanicAction::KeepLast);
    pool.rules.quorum = Quorum { least: 2, recover: 2, ..Quorum::default() };
    let mut story = Story::new(&pool);
    story.verdicts(1, "++++");
    assert_eq!(story.verdicts(2, "+---"), "1 1 1 1");
    assert_eq!(story.machine.has_quorum(), Some(false), "who asks for the health is told of it");
}

fn slow(steps: u32) -> Pool {
    let mut pool = pool(&[100, 100]);
    let duration = Duration::from_secs(60);
    pool.rules.slow_start =
        Some(SlowStart { duration, from: share(10), steps, curve: Curve::Linear, shadow: false });
    pool
}

#[test]
fn a_server_that_comes_back_beside_others_gets_its_weight_in_steps() {
    let mut story = Story::new(&slow(3));
    assert_eq!(story.verdicts(1, "+-"), "100 .");
    assert_eq!(story.verdicts(10, "++"), "100 10");
    assert_eq!(story.machine.deadline(), Some(at(30)));
    assert_eq!([30, 50, 70].map(|second| story.pass(second)), ["100 40", "100 70", "100 100"]);
    assert_eq!(story.told(), "+slow_start -slow_start");
    assert_eq!(story.machine.deadline(), None, "a quiet pool sleeps");
}

#[test]
fn nobody_starts_slowly_who_is_new_or_alone() {
    let mut fresh = Story::new(&slow(3));
    assert_eq!(fresh.verdicts(1, "+?"), "100 .");
    assert_eq!(fresh.verdicts(2, "++"), "100 100", "a director that starts has no servers that come back");
    fresh.verdicts(3, "--");
    assert_eq!(fresh.verdicts(4, "+-"), "100 .", "there is nobody to spare it");
    assert_eq!(fresh.verdicts(5, "++"), "100 10");
    assert_eq!(fresh.verdicts(6, "-+"), ". 100", "those who spared it are gone");
}

#[test]
fn a_slow_start_in_shadow_is_only_told() {
    let mut pool = slow(3);
    pool.rules.slow_start.iter_mut().for_each(|slow| slow.shadow = true);
    let mut story = Story::new(&pool);
    story.verdicts(1, "+-");
    assert_eq!(story.verdicts(2, "++"), "100 100");
    assert_eq!(story.told(), "+slow_starts");
}

#[test]
fn weights_follow_what_servers_say_until_it_expires() {
    let mut pool = pool(&[100, 100]);
    pool.rules.weight_from = WeightFrom { valid_for: Duration::from_secs(30), ..WeightFrom::default() };
    let mut story = Story::new(&pool);
    story.verdicts(1, "++");
    story.advise(2, 0, Advice { weight_percent: Some(25), state: None });
    assert_eq!(story.look(2), "25 100");
    assert_eq!(story.machine.deadline(), Some(at(32)));
    assert_eq!(story.pass(32), "100 100");
    assert_eq!(story.told(), "+silence");
    story.advise(40, 0, state(AdvisedState::Down));
    assert_eq!(story.look(40), ". 100");
    story.advise(41, 0, state(AdvisedState::Up));
    assert_eq!(story.look(41), "100 100");
}

#[test]
fn who_asks_to_drain_leaves_with_its_last_connection() {
    let mut pool = pool(&[100, 100]);
    pool.rules.drain = Drain { deadline: Duration::from_secs(20) };
    let mut story = Story::new(&pool);
    story.verdicts(1, "++");
    story.seen[0].held = Some(Held { weight: 100, connections: 3, ..Held::default() });
    story.advise(2, 0, state(AdvisedState::Drain));
    assert_eq!(story.look(2), "0 100");
    story.seen[0].held = Some(Held { weight: 0, connections: 1, ..Held::default() });
    assert_eq!(story.look(4), "0 100");
    assert!(story.machine.drains());
    assert_eq!(story.pass(22), ". 100", "the deadline");
    assert_eq!(story.told(), "+drain -drain");
    assert!(!story.machine.drains());
    story.advise(23, 0, state(AdvisedState::Up));
    assert_eq!(story.look(23), "100 100");
}

proptest! {
    /// Whatever the verdicts do: a panic and a quorum change at most as their hysteresis allows, slow start never goes
    /// back, no server that is down for sure gets connections outside of a panic, and the machine always comes to rest.
    #[test]
    fn rules_hold_whatever_the_verdicts_do(
        steps in prop::collection::vec((1..=30_u64, prop::collection::vec(any::<bool>(), 6)), 1..60),
        least in 1..=3_u32, extra in 0..=2_u32, action in 0..=3_usize,
    ) {
        let actions = [PanicAction::KeepLast, PanicAction::All, PanicAction::Sorry, PanicAction::None];
        let mut pool = with_sorry(pool(&[100, 100, 50, 50, 10, -10]));
        pool.rules.quorum = Quorum { least, recover: least + extra, ..Quorum::default() };
        let (below, recover) = (share(30), share(50));
        let action = actions[action];
        pool.rules.panic = Some(crate::model::Panic { below, recover, within: None, action, shadow: false });
        pool.rules.slow_start = slow(6).rules.slow_start;
        let mut story = Story::new(&pool);
        let (mut now, mut before): (u64, Vec<Option<u32>>) = (0, vec![None; 6]);
        for (wait, verdicts) in steps {
            now += wait;
            let signs: String = verdicts.iter().map(|up| if *up { '+' } else { '-' }).collect();
            let (had_quorum, panicked) = (story.machine.has_quorum(), story.machine.panics());
            story.verdicts(now, &signs);
            let ordinary = verdicts[..5].iter().filter(|up| **up).count();
            let joined = ordinary < (least + extra) as usize && verdicts[5];
            let most = ordinary + usize::from(joined);
            match (had_quorum, story.machine.has_quorum()) {
                (Some(true), Some(false)) => prop_assert!(ordinary < least as usize),
                (Some(false), Some(true)) => prop_assert!(most >= (least + extra) as usize),
                _ => {}
            }
            match (panicked, story.machine.panics()) {
                (false, true) => prop_assert!(ordinary * 100 < 5 * 30),
                (true, false) => prop_assert!(ordinary * 100 >= 5 * 50),
                _ => {}
            }
            let placement = story.machine.placement().clone();
            for (index, place) in placement.servers.iter().enumerate() {
                if place.serves() && place.why != Why::Panic {
                    prop_assert!(verdicts[index], "a server that is down serves");
                }
                let ramps = |weight: Option<u32>| weight.filter(|weight| *weight > 0);
                if let (Why::SlowStart, Some(weight), Some(old)) = (place.why, ramps(place.weight), ramps(before[index])) {
                    prop_assert!(weight >= old || placement.sorry, "slow start went back");
                }
            }
            // What went out of rotation begins anew.
            before = placement.servers.iter().map(|place| place.weight.filter(|_| place.why == Why::SlowStart)).collect();
            let deadline = story.machine.deadline();
            prop_assert!(deadline.is_none_or(|deadline| deadline > at(now)), "a deadline lies ahead");
        }
    }
}
