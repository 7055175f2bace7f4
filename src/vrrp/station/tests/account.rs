//! What is counted of advertisements and roles, and how often the log hears of it.

use super::*;

#[test]
fn what_was_sent_and_received_is_counted_and_the_last_master_known_until_it_resigns() {
    let outside = router("outside", 51);
    let mut story = Story::new(outside.clone());
    story.hear(100, &advertisement(&outside, 200));
    story.hear(200, &advertisement(&outside, 200));
    let counts = story.picture().counts;
    assert_eq!((counts.received, counts.last_received, counts.last_master), (2, Some(at(200)), Some(PEER)));
    story.hear(300, &advertisement(&outside, 0));
    assert_eq!(story.picture().counts.last_master, None, "nobody is Master");
    assert_eq!(story.errors(), [], "nothing was wrong with them");
    story.said.clear();
    story.until(900);
    let sent = story.sent().len();
    assert!(sent > 3, "Master for half a second: {sent}");
    assert_eq!(usize::try_from(story.picture().counts.sent), Ok(sent));
}

#[test]
fn resignations_are_counted_among_what_was_sent_and_among_what_was_received() {
    let outside = router("outside", 51);
    let mut story = Story::master();
    let counted = |story: &Story| {
        let counts = story.picture().counts;
        (counts.resignations_sent, counts.resignations_received)
    };
    story.hear(600, &advertisement(&outside, 100));
    assert_eq!(counted(&story), (0, 0));
    for times in [1, 2] {
        story.hear(600 + times, &advertisement(&outside, 0));
        assert_eq!(counted(&story), (0, times));
    }
    story.give(Input::Release { at: at(610), router: None, until: None });
    assert_eq!(counted(&story), (1, 2));
}

#[test]
fn a_mastership_that_ends_is_counted_and_no_other_change_of_role_is() {
    let outside = router("outside", 51);
    let mut story = Story::new(outside.clone());
    let ended = |story: &Story| (story.role(), story.picture().counts.masterships_ended);
    assert_eq!(ended(&story), (Role::Backup, 0));
    story.until(350);
    assert_eq!(ended(&story), (Role::Master, 0));
    story.hear(400, &advertisement(&outside, 200));
    assert_eq!(ended(&story), (Role::Backup, 1));
    story.link(410, 0, false);
    assert_eq!(ended(&story), (Role::Fault, 1));
    story.link(420, 0, true);
    assert_eq!(ended(&story), (Role::Backup, 1));
}

#[test]
fn what_is_not_believed_is_counted_each_time_and_told_every_ten_seconds_with_its_number() {
    let mut story = Story::new(router("outside", 51));
    let dropped = |times| Event::Dropped {
        router: "outside".into(),
        family: Family::Ipv4,
        source: PEER,
        kind: "too_short",
        times,
    };
    let mut drops = |millis| {
        story.until(millis - 1);
        story.said.clear();
        story.hear(millis, &[0x31, 51]);
        let told = story.told();
        told.into_iter().filter(|event| matches!(event, Event::Dropped { .. })).collect::<Vec<_>>()
    };
    assert_eq!(drops(1_000), [dropped(1)]);
    assert_eq!(drops(2_000), []);
    assert_eq!(drops(10_999), []);
    assert_eq!(drops(11_000), [dropped(3)], "those that were not told are in the number");
    assert_eq!(drops(21_000), [dropped(1)]);
    assert_eq!(story.errors(), [("too_short", 5)]);
}

#[test]
fn bytes_of_nobodys_vrid_are_counted_only_where_one_router_alone_can_be_meant() {
    let bytes = [0x31, 99];
    let mut alone = Story::new(router("outside", 51));
    alone.hear(100, &bytes);
    assert_eq!(alone.errors(), [("too_short", 1)]);
    let two = policy([router("inside", 52), router("outside", 51)]);
    let mut beside = Story::of(&two, Keyring::default(), BTreeMap::new());
    beside.hear(100, &bytes);
    assert!(beside.station.picture().routers.iter().all(|router| router.counts.errors.is_empty()));
    assert_eq!(beside.told(), []);
}

#[test]
fn a_second_owner_is_a_mistake_and_any_other_advertisement_of_or_to_an_owner_is_none() {
    for (own, other, errors) in [(255, 255, 1), (255, 100, 0), (150, 255, 0)] {
        let mut outside = router("outside", 51);
        outside.priorities.insert("a".into(), own);
        let mut story = Story::new(outside.clone());
        story.hear(100, &advertisement(&outside, other));
        let found = story.picture().counts.errors.get("address_owner").copied().unwrap_or_default();
        assert_eq!(found, errors, "{own} hears {other}");
    }
}

#[test]
fn a_role_is_told_counted_and_known_with_its_cause() {
    let outside = router("outside", 51);
    let mut story = Story::new(outside.clone());
    story.until(300);
    let before = story.picture();
    assert_eq!((before.role, before.since, before.cause), (Role::Backup, at(0), Some(Cause::Started)));
    story.said.clear();
    story.until(350);
    let role = |is_master| Output::Role { router: RouterId(0), is_master, handed_over: false };
    assert!(story.said.contains(&role(true)), "{:?}", story.said);
    let told = |role, cause| Event::Role { router: "outside".into(), role, cause };
    assert!(story.told().contains(&told(Role::Master, Cause::Silence)));
    let now = story.picture();
    assert_eq!((now.role, now.since, now.cause), (Role::Master, at(350), Some(Cause::Silence)));
    story.hear(400, &advertisement(&outside, 200));
    assert!(story.said.contains(&role(false)), "{:?}", story.said);
    story.hear(450, &advertisement(&outside, 0));
    story.until(600);
    let transitions = story.picture().counts.transitions;
    assert_eq!(transitions[&(Role::Backup, "started")], 1);
    assert_eq!(transitions[&(Role::Backup, "higher_priority")], 1);
    assert_eq!(transitions[&(Role::Master, "silence")], 1);
    assert_eq!(transitions[&(Role::Master, "master_resigned")], 1);
    assert_eq!(transitions.len(), 4);
}

#[test]
fn a_master_that_has_to_give_way_is_told_once_until_it_was_silent_for_five_seconds() {
    let outside = router("outside", 51);
    let mut story = Story::master();
    let told = || Event::Contested { router: "outside".into(), source: PEER, priority: 100 };
    let mut meets = |millis| {
        story.said.clear();
        story.hear(millis, &advertisement(&outside, 100));
        story.told()
    };
    assert_eq!(meets(1_000), [told()]);
    assert_eq!(meets(5_999), []);
    assert_eq!(meets(10_998), []);
    assert_eq!(meets(15_998), [told()]);
    let picture = story.picture();
    assert_eq!((picture.counts.master_conflicts, picture.contested_at), (4, Some(at(15_998))));
}

#[test]
fn the_neighbours_of_all_that_moves_together_are_told_where_the_policy_says_how_often() {
    for (repeat, orders) in [(0, 0), (3, 2)] {
        let mut both = policy([router("inside", 52), router("outside", 51)]);
        for router in both.pair.routers.values_mut() {
            router.announcements.lower_priority_repeat = repeat;
        }
        let routers = both.pair.routers.keys().cloned().collect();
        let group = crate::model::SyncGroup { name: "site".into(), routers, both_unfit: Default::default() };
        both.pair.groups = [("site".into(), group)].into();
        let mut story = Story::master_of(&both);
        story.hear(600, &advertisement(&router("outside", 51), 100));
        let announces: Vec<_> = story
            .said
            .iter()
            .filter(|output| matches!(output, Output::Order(Order::Announce { repeat, .. }) if *repeat > 0))
            .collect();
        assert_eq!(announces.len(), orders, "{repeat}: {announces:?}");
        assert_eq!(
            story
                .said
                .iter()
                .filter(|output| matches!(output, Output::Order(Order::Announce { .. })))
                .count(),
            orders
        );
    }
}
