//! Holding: adding, renewing, announcing, dropping.

use super::*;

const WORK: [&str; 4] = ["add", "renew", "remove", "announce"];

#[test]
fn what_is_wished_is_added_at_once_announced_in_two_bursts_and_renewed_each_second() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.wish(100, Wish::Hold);
    world.run_until(3_200);
    let expected = [
        (100, "add 192.0.2.1 3s"),
        (100, "announce 192.0.2.1"),
        (120, "announce 192.0.2.1"),
        (1_100, "renew 192.0.2.1 3s"),
        (2_100, "renew 192.0.2.1 3s"),
        (3_100, "renew 192.0.2.1 3s"),
    ];
    assert_eq!(world.told(&WORK), lines(&expected));
    world.run_until(5_200);
    assert_eq!(
        world.told(&["announce"]),
        lines(&[(5_100, "announce 192.0.2.1"), (5_120, "announce 192.0.2.1")])
    );
}

#[test]
fn a_lone_director_holds_for_ever_and_needs_no_advert_thread() {
    let mut world = World::new(&plan(&[address(1)], false));
    world.lives_until = Instant::ZERO;
    world.wish(0, Wish::Hold);
    world.run_until(100_000);
    assert_eq!(world.told(&["add", "renew"]), lines(&[(0, "add 192.0.2.1 for ever")]));
}

#[test]
fn a_lone_director_takes_the_lifetime_from_what_it_adopts() {
    let mut world = World::new(&plan(&[address(1), address(2)], false));
    world.found(0, 1, Some(Duration::from_secs(2)));
    world.found(0, 2, None);
    world.wish(10, Wish::Hold);
    assert_eq!(world.told(&["add", "renew"]), lines(&[(10, "renew 192.0.2.1 for ever")]));
}

#[test]
fn nothing_is_touched_before_the_first_wish() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.found(0, 1, Some(Duration::from_secs(3)));
    world.run_until(5_000);
    assert_eq!(world.told(&WORK), []);
}

#[test]
fn an_adopted_address_is_renewed_and_announced_and_not_made_anew() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.found(0, 1, None);
    world.wish(10, Wish::Hold);
    assert_eq!(world.told(&WORK), lines(&[(10, "renew 192.0.2.1 3s"), (10, "announce 192.0.2.1")]));
}

#[test]
fn a_silent_advert_thread_stops_renewals_and_announcements_and_its_return_adds_again() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.lives_until = millis(2_500);
    world.wish(0, Wish::Hold);
    world.run_until(6_000);
    assert_eq!(
        world.told(&["add", "renew", "the advert"]),
        lines(&[
            (0, "add 192.0.2.1 3s"),
            (1_000, "renew 192.0.2.1 3s"),
            (2_000, "renew 192.0.2.1 3s"),
            (3_000, "renew 192.0.2.1 3s"),
            (
                4_000,
                "the advert thread gave no sign of life for a second: the floating addresses are not renewed"
            ),
        ])
    );
    world.lost(6_100, 1);
    assert_eq!(
        world.told(&["web"]),
        lines(&[(6_100, "web: the kernel removed 192.0.2.1, which were not renewed in time")])
    );
    world.lives_until = millis(1_000_000);
    world.run_until(6_300);
    let told = world.told(&["add", "announce", "the advert"]);
    assert_eq!(
        told,
        lines(&[
            (6_150, "the advert thread is alive again"),
            (6_150, "add 192.0.2.1 3s"),
            (6_150, "announce 192.0.2.1"),
            (6_170, "announce 192.0.2.1")
        ])
    );
}

#[test]
fn drop_removes_at_once_and_cancels_what_was_to_be_announced_even_without_the_advert_thread() {
    let mut world = World::new(&plan(&[address(1), address(2)], true));
    world.lives_until = millis(1_500);
    world.wish(0, Wish::Hold);
    world.run_until(4_000);
    world.diary.clear();
    world.wish(4_000, Wish::Drop);
    world.run_until(20_000);
    assert_eq!(
        world.told(&["add", "renew", "remove", "announce", "Held"]),
        lines(&[
            (4_000, "Held { router: RouterId(0), held: 2, wanted: 0 }"),
            (4_000, "remove 192.0.2.1"),
            (4_000, "remove 192.0.2.2"),
            (4_000, "Held { router: RouterId(0), held: 0, wanted: 0 }")
        ])
    );
}

#[test]
fn what_is_held_is_told_when_it_changes() {
    let mut world = World::new(&plan(&[address(1), address(2)], true));
    world.wish(5, Wish::Hold);
    world.run_until(4_000);
    assert_eq!(
        world.told(&["Held"]),
        lines(&[
            (5, "Held { router: RouterId(0), held: 0, wanted: 2 }"),
            (5, "Held { router: RouterId(0), held: 2, wanted: 2 }")
        ])
    );
}

#[test]
fn an_order_to_announce_repeats_what_is_held() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.wish(0, Wish::Hold);
    world.run_until(1_500);
    world.diary.clear();
    world.input(Input::Order { at: millis(1_500), order: Order::Announce { router: WEB, repeat: 3 } });
    world.run_until(3_000);
    let times: Vec<u64> = world.told(&["announce"]).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [1_500, 1_520, 1_600]);
}

#[test]
fn thousands_are_each_announced_once_between_the_batches_that_add_them() {
    let all: Vec<IpAddr> = (0..1_000).map(|n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes())).collect();
    let mut world = World::new(&plan(&all, true));
    world.wish(0, Wish::Hold);
    let work = world.told(&["add", "announce"]);
    assert_eq!(work.len(), 2_000);
    assert!(work[..64].iter().all(|(_, line)| line.starts_with("add")));
    assert!(work[64..128].iter().all(|(_, line)| line.starts_with("announce")));
    assert!(work[128..192].iter().all(|(_, line)| line.starts_with("add")));
    assert!(world.batches.iter().all(|batch| *batch <= BATCH_MAX));
    world.run_until(999);
    world.diary.clear();
    world.run_until(1_000);
    assert_eq!(world.told(&["renew"]).len(), 1_000);
}

#[test]
fn a_drop_is_not_stuck_behind_the_rest_of_the_additions() {
    let all: Vec<IpAddr> = (0..1_000).map(|n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes())).collect();
    let mut keeper = Keeper::new(&plan(&all, true));
    keeper.handle(Input::Link { at: millis(0), interface: "eth0".into(), link: Some(LINK) });
    keeper.handle(Input::AdvertThreadAlive { at: millis(0), sign: millis(0) });
    keeper.handle(Input::Order { at: millis(0), order: Order::Wish { router: WEB, wish: Wish::Hold } });
    let mut removed = 0;
    let mut added = 0;
    loop {
        match keeper.poll() {
            Output::Operate(batch) => {
                match batch[0].kind {
                    OperationKind::Remove => removed += batch.len(),
                    OperationKind::Add | OperationKind::Renew => added += batch.len(),
                }
                keeper.handle(Input::Order {
                    at: millis(1),
                    order: Order::Wish { router: WEB, wish: Wish::Drop },
                });
                keeper.handle(Input::Done { at: millis(1), results: vec![Ok(()); batch.len()] });
            }
            Output::Wait { .. } => break,
            Output::SetLink { .. } | Output::Announce(_) | Output::Report(_) | Output::Tell(_) => {}
        }
    }
    assert_eq!((added, removed), (64, 64));
    assert!(keeper.is_quiet());
}

#[test]
fn a_planned_restart_lengthens_once_and_then_only_removes() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.wish(0, Wish::Hold);
    world.run_until(500);
    world.diary.clear();
    world.input(Input::Lengthen { at: millis(500), lifetime: Duration::from_secs(30) });
    assert!(world.keeper.is_quiet());
    world.run_until(20_000);
    assert_eq!(world.told(&WORK), lines(&[(500, "renew 192.0.2.1 30s")]));
    world.wish(20_000, Wish::Hold);
    assert_eq!(world.told(&WORK), lines(&[(20_000, "renew 192.0.2.1 3s")]));
}

/// Found by the simulation (seed 7581): a director that became Master while its addresses were being removed waited 100 ms
/// before it added them again.
#[test]
fn a_wish_to_hold_that_meets_a_removal_under_way_is_fulfilled_at_once() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.wish(0, Wish::Hold);
    world.run_until(1_500);
    let order = |wish| Input::Order { at: millis(1_500), order: Order::Wish { router: WEB, wish } };
    world.keeper.handle(order(Wish::Drop));
    assert!(matches!(world.keeper.poll(), Output::Report(_)));
    assert!(matches!(world.keeper.poll(), Output::Operate(_)));
    world.keeper.handle(order(Wish::Hold));
    world.keeper.handle(Input::Done { at: millis(1_501), results: vec![Ok(())] });
    world.diary.clear();
    world.run_until(1_510);
    assert_eq!(world.told(&["add"])[0].1, "add 192.0.2.1 3s");
}
