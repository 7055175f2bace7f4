//! Addresses that another process of this director has held until now.

use super::*;

const WORK: [&str; 4] = ["add", "renew", "remove", "announce"];

fn adopting(addresses: &[IpAddr]) -> World {
    let plan = plan(addresses, true);
    let mut world = World::new(&plan);
    world.keeper = Keeper::new(&plan).adopting([WEB]);
    world
}

fn dump(world: &mut World, at: u64, held: &[u8]) {
    world.run_until(at);
    let lifetime = Some(Duration::from_secs(2));
    let held =
        held.iter().map(|last| HeldAddress { address: address(*last), prefix_length: 32, valid: lifetime });
    world.keeper.handle(Input::Link { at: millis(at), interface: "eth0".into(), link: Some(LINK) });
    let held = held.collect();
    world.input(Input::Addresses { at: millis(at), interface: "eth0".into(), held });
}

#[test]
fn they_are_renewed_on_and_nobody_is_told() {
    let mut world = adopting(&[address(1)]);
    dump(&mut world, 10, &[1]);
    world.run_until(2_500);
    let renewals = [(10, "renew 192.0.2.1 3s"), (1_010, "renew 192.0.2.1 3s"), (2_010, "renew 192.0.2.1 3s")];
    assert_eq!(world.told(&WORK), lines(&renewals));
}

#[test]
fn one_that_is_missing_is_added_and_announced() {
    let mut world = adopting(&[address(1), address(2)]);
    dump(&mut world, 10, &[1]);
    world.run_until(15);
    let told = world.told(&["add", "announce"]);
    assert_eq!(told, lines(&[(10, "add 192.0.2.2 3s"), (10, "announce 192.0.2.2")]));
}

#[test]
fn one_that_is_taken_over_again_later_is_announced() {
    let mut world = adopting(&[address(1)]);
    dump(&mut world, 10, &[1]);
    world.wish(100, Wish::Drop);
    world.wish(200, Wish::Hold);
    world.run_until(205);
    assert_eq!(world.told(&["announce"]), lines(&[(200, "announce 192.0.2.1")]));
}
