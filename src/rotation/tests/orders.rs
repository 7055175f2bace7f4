//! What an operator orders: above panic, sorry, backup and verdicts.

use super::*;
use crate::model::Order;

impl Story {
    fn order(&mut self, second: u64, server: usize, order: Option<Order>) -> String {
        self.seen[server].ordered = order;
        self.look(second)
    }

    fn hold(&mut self, server: usize, weight: u32, connections: u64) {
        self.seen[server].held = Some(Held { weight, connections, ..Held::default() });
    }

    fn why(&self, server: usize) -> &'static str {
        self.machine.placement().of(server).why.name()
    }
}

#[test]
fn a_drained_server_leaves_with_its_last_connection() {
    let mut story = Story::new(&pool(&[1, 1]));
    assert_eq!(story.verdicts(1, "++"), "1 1");
    story.hold(0, 1, 4);
    assert_eq!(story.order(2, 0, Some(Order::Drain)), "0 1");
    assert_eq!((story.why(0), story.told().as_str()), ("override", "+drain"));
    story.hold(0, 0, 1);
    assert_eq!(story.look(4), "0 1", "one connection is left");
    story.hold(0, 0, 0);
    assert_eq!(story.look(6), ". 1");
    assert_eq!(story.told(), "-drain");
    assert_eq!(story.order(8, 0, None), "1 1");
}

#[test]
fn a_drain_ends_at_its_deadline_and_a_failed_check_does_not_cut_it_short() {
    let mut with_deadline = pool(&[1, 1]);
    with_deadline.rules.drain = Drain { deadline: Duration::from_secs(60) };
    let mut story = Story::new(&with_deadline);
    story.verdicts(1, "++");
    story.hold(0, 0, 4);
    assert_eq!(story.order(2, 0, Some(Order::Drain)), "0 1");
    assert_eq!(
        story.verdicts(5, "-+"),
        "0 1",
        "its application ends; its connections are served to their end"
    );
    assert_eq!(story.pass(61), "0 1");
    assert_eq!(story.pass(62), ". 1");
}

#[test]
fn a_drained_or_disabled_server_counts_for_no_quorum() {
    for order in [Order::Drain, Order::Disable] {
        let mut pool = with_sorry(pool(&[1, 1]));
        pool.rules.quorum = Quorum { least: 2, recover: 2, ..Quorum::default() };
        let mut story = Story::new(&pool);
        assert_eq!(story.verdicts(1, "++"), "1 1");
        story.hold(0, 1, 4);
        let weights = story.order(2, 0, Some(order));
        assert!(weights.ends_with("0 sorry"), "{weights}");
        assert_eq!(story.machine.has_quorum(), Some(false));
    }
}

#[test]
fn a_disabled_server_is_out_at_once_and_comes_back_as_its_verdict_says() {
    let mut story = Story::new(&pool(&[1, 1]));
    story.verdicts(1, "++");
    story.hold(0, 1, 4);
    assert_eq!(story.order(2, 0, Some(Order::Disable)), ". 1");
    assert_eq!(story.told(), "");
    story.seen[0].up = false;
    assert_eq!(story.order(3, 0, None), ". 1");
    assert_eq!(story.verdicts(4, "++"), "1 1");
}

#[test]
fn an_ordered_weight_stands_in_for_the_policys_and_what_was_advised() {
    let mut story = Story::new(&pool(&[10, 10]));
    story.verdicts(1, "++");
    story.advise(1, 0, Advice { weight_percent: Some(50), state: None });
    assert_eq!(story.look(2), "5 10");
    assert_eq!(story.order(3, 0, Some(Order::Weight(7))), "7 10");
    assert_eq!(story.why(0), "override");
    assert_eq!(story.verdicts(4, "-+"), ". 10", "its verdict goes on to decide");
    assert_eq!(story.verdicts(5, "++"), "7 10");
    assert_eq!(story.order(6, 0, Some(Order::Weight(0))), "0 10");
}

#[test]
fn a_forced_server_serves_whatever_is_said_of_it() {
    let mut story = Story::new(&with_sorry(pool(&[1, 1])));
    assert_eq!(story.verdicts(1, "--"), ". . sorry");
    assert_eq!(story.order(2, 0, Some(Order::ForceUp)), "1 .");
    assert_eq!(story.machine.has_quorum(), Some(true), "an operator says that it serves");
    story.advise(3, 0, state(AdvisedState::Down));
    assert_eq!(story.look(3), "1 .");
    story.seen[0].usable = false;
    assert_eq!(story.look(4), ". . sorry", "but not where the host cannot reach it");
}

#[test]
fn a_forced_server_serves_beside_a_sorry_server_and_in_a_panic() {
    let mut two = with_sorry(pool(&[1, 1, 1]));
    two.rules.quorum = Quorum { least: 2, recover: 2, ..Quorum::default() };
    let mut story = Story::new(&two);
    story.verdicts(1, "---");
    assert_eq!(story.order(2, 0, Some(Order::ForceUp)), "1 . . sorry");
    let mut panicking = pool(&[1, 1, 1]);
    panicking.rules.panic = Some(crate::model::Panic {
        below: share(50),
        recover: share(50),
        within: None,
        action: PanicAction::None,
        shadow: false,
    });
    let mut story = Story::new(&panicking);
    story.verdicts(1, "+++");
    assert_eq!(story.verdicts(2, "+--"), "0 . .");
    assert_eq!(story.order(3, 0, Some(Order::ForceUp)), "1 . .");
}

#[test]
fn a_panic_does_not_bring_back_who_was_sent_away() {
    for (order, weight) in [(Order::Disable, "."), (Order::Drain, "0")] {
        let mut all = pool(&[1, 1, 1, 1]);
        all.rules.panic = Some(crate::model::Panic {
            below: share(50),
            recover: share(50),
            within: None,
            action: PanicAction::All,
            shadow: false,
        });
        let mut story = Story::new(&all);
        story.verdicts(1, "++++");
        story.hold(0, 0, 4);
        story.order(2, 0, Some(order));
        assert_eq!(story.verdicts(3, "++--"), format!("{weight} 1 1 1"));
    }
}

#[test]
fn a_forced_backup_server_joins_and_a_drained_one_leaves() {
    let mut story = Story::new(&pool(&[1, -1]));
    assert_eq!(story.verdicts(1, "++"), "1 .");
    assert_eq!(story.order(2, 1, Some(Order::ForceUp)), "1 1");
    assert_eq!(story.order(3, 1, None), "1 .");
    assert_eq!(story.verdicts(4, "-+"), ". 1");
    story.hold(1, 0, 4);
    assert_eq!(story.order(5, 1, Some(Order::Drain)), ". 0");
}

#[test]
fn who_comes_back_from_a_drain_gets_its_weight_in_steps() {
    let mut slow = pool(&[100, 100]);
    slow.rules.slow_start = Some(SlowStart {
        duration: Duration::from_secs(60),
        from: share(10),
        steps: 6,
        curve: Curve::Linear,
        shadow: false,
    });
    let mut story = Story::new(&slow);
    assert_eq!(story.verdicts(1, "++"), "100 100");
    assert_eq!(story.order(2, 0, Some(Order::Drain)), ". 100");
    assert_eq!(story.order(10, 0, None), "10 100");
    assert_eq!(story.pass(71), "100 100");
}

#[test]
fn a_frozen_pool_stays_as_it_is_and_thaws_into_what_is_said_then() {
    let mut story = Story::new(&with_sorry(pool(&[1, 1, 1])));
    assert_eq!(story.verdicts(1, "++-"), "1 1 .");
    story.frozen = true;
    assert_eq!(story.look(1), "1 1 .");
    assert_eq!(story.verdicts(2, "--+"), "1 1 .");
    assert_eq!(story.verdicts(3, "---"), "1 1 .", "no sorry server");
    assert_eq!(story.machine.has_quorum(), Some(true));
    story.frozen = false;
    assert_eq!(story.look(4), ". . . sorry");
}

#[test]
fn what_was_advised_does_not_expire_in_a_frozen_pool() {
    let mut rules = pool(&[10, 10]);
    rules.rules.weight_from = WeightFrom { valid_for: Duration::from_secs(10), ..WeightFrom::default() };
    let mut story = Story::new(&rules);
    story.advise(1, 0, Advice { weight_percent: Some(50), state: None });
    assert_eq!(story.verdicts(1, "++"), "5 10");
    story.frozen = true;
    assert_eq!(story.look(2), "5 10");
    assert_eq!(story.look(30), "5 10");
    story.frozen = false;
    assert_eq!(story.look(31), "10 10");
}

#[test]
fn a_server_that_is_new_in_a_frozen_pool_is_judged_once() {
    let mut story = Story::new(&pool(&[1, 1]));
    story.frozen = true;
    assert_eq!(story.verdicts(1, "+?"), "1 .");
    assert_eq!(story.verdicts(2, "++"), "1 1");
    assert_eq!(story.verdicts(3, "--"), "1 1");
}

#[test]
fn an_order_stands_in_a_frozen_pool() {
    let mut story = Story::new(&pool(&[1, 1]));
    story.verdicts(1, "++");
    story.frozen = true;
    story.look(1);
    assert_eq!(story.order(2, 0, Some(Order::Disable)), ". 1");
}
