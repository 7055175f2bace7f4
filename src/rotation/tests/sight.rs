//! What both directors see.

use super::*;

impl Story {
    /// What another director sees: up, or not.
    fn others(&mut self, second: u64, others: &str) -> String {
        for (seen, other) in self.seen.iter_mut().zip(others.chars()) {
            seen.vouched = other == '+';
        }
        self.look(second)
    }

    fn whys(&self) -> Vec<Why> {
        self.machine.placement().servers.iter().map(|place| place.why).collect()
    }
}

#[test]
fn a_server_leaves_when_both_directors_see_it_fail() {
    let mut story = Story::new(&pool(&[1, 2]));
    story.others(1, "++");
    assert_eq!(story.verdicts(1, "++"), "1 2");
    assert_eq!(story.verdicts(2, "-+"), "1 2");
    assert_eq!((story.told(), story.whys()), ("+disputed".to_owned(), vec![Why::Disputed, Why::Verdict]));
    assert_eq!(story.others(3, "-+"), ". 2");
    assert_eq!(story.told(), "-disputed");
    assert_eq!(story.others(4, "++"), "1 2", "and comes back when one sees it answer");
}

#[test]
fn what_the_other_sees_is_a_verdict_before_the_first_one_here() {
    let mut story = Story::new(&pool(&[1, 1]));
    story.others(1, "+-");
    assert_eq!(story.verdicts(1, "??"), "1 .");
    assert_eq!(story.told(), "", "nothing is disputed that nobody has asked here");
    assert!(story.machine.is_in_sight());
}

#[test]
fn an_operator_the_server_itself_and_this_host_stand_above_what_the_other_sees() {
    let mut story = Story::new(&pool(&[1, 1, 1]));
    story.seen[0].usable = false;
    story.advise(1, 1, state(AdvisedState::Down));
    story.seen[2].ordered = Some(crate::model::Order::Disable);
    story.others(1, "+++");
    assert_eq!(story.verdicts(1, "---"), ". . .");
}

#[test]
fn who_alone_sees_less_than_half_has_lost_sight_and_keeps_the_pool() {
    let mut story = Story::new(&pool(&[1, 1, 1, 1, 0]));
    story.others(1, "+++++");
    story.verdicts(1, "+++++");
    assert_eq!(story.verdicts(2, "--++-"), "1 1 1 1 0");
    assert!(story.machine.is_in_sight(), "half is not most; weight 0 does not count");
    story.verdicts(3, "---+-");
    assert!(!story.machine.is_in_sight());
    assert_eq!(story.machine.has_quorum(), Some(true));
    let told = story.told();
    assert!(told.contains("+sight_lost"), "{told}");
    story.others(4, "----+");
    assert!(story.machine.is_in_sight(), "both have lost them");
    assert_eq!(story.weights(), ". . . 1 0");
    assert!(story.told().contains("-sight_lost"));
}

proptest! {
    /// Two directors never yield to each other in turn.
    #[test]
    fn at_most_one_of_two_has_lost_sight(seen in prop::collection::vec(any::<(bool, bool)>(), 0..40)) {
        let sees = |own: fn(&(bool, bool)) -> bool, other: fn(&(bool, bool)) -> bool| {
            let mut story = Story::new(&pool(&vec![1; seen.len()]));
            for (server, verdicts) in story.seen.iter_mut().zip(&seen) {
                (server.up, server.vouched, server.settled) = (own(verdicts), other(verdicts), true);
            }
            let weights = story.look(1);
            (story.machine.is_in_sight(), weights)
        };
        let ((one, table), (other, same)) = (sees(|seen| seen.0, |seen| seen.1), sees(|seen| seen.1, |seen| seen.0));
        prop_assert!(one || other);
        prop_assert_eq!(table, same, "and both have one table");
    }
}
