//! What the kernel and other programs do to the addresses.

use super::*;

fn holding() -> World {
    let mut world = World::new(&plan(&[address(1)], true));
    world.wish(0, Wish::Hold);
    world.run_until(1_500);
    world.diary.clear();
    world
}

const TAKEN: &str = "web: another program removed 192.0.2.1; put back (does it manage this interface? let it leave these alone)";

#[test]
fn what_another_program_removes_is_put_back_and_announced_at_once() {
    let mut world = holding();
    world.lost(1_600, 1);
    assert_eq!(
        world.told(&["add", "announce", "web"]),
        lines(&[(1_600, TAKEN), (1_600, "add 192.0.2.1 3s"), (1_600, "announce 192.0.2.1")])
    );
}

#[test]
fn a_program_that_goes_on_removing_meets_a_back_off_that_grows_to_five_seconds() {
    let mut world = holding();
    let (mut at, mut delays) = (1_600, Vec::new());
    for _ in 0..9 {
        world.diary.clear();
        world.lost(at, 1);
        world.run_until(at + 6_000);
        let added = world.told(&["add"])[0].0;
        delays.push(added - at);
        at = added + 6_001 - (added - at);
    }
    assert_eq!(delays, [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    world.lost(at + 20_000, 1);
    assert_eq!(world.told(&["add"]), lines(&[(at + 20_000, "add 192.0.2.1 3s")]));
}

#[test]
fn an_address_that_leaves_at_the_end_of_its_lifetime_was_not_taken_away() {
    let mut world = holding();
    world.lives_until = millis(1_600);
    world.run_until(4_900);
    assert_eq!(world.told(&["renew"]), lines(&[(2_000, "renew 192.0.2.1 3s")]));
    world.lost(4_900, 1);
    world.run_until(6_000);
    assert_eq!(
        world.told(&["web", "add"]),
        lines(&[(4_900, "web: the kernel removed 192.0.2.1, which were not renewed in time")])
    );
}

/// What IPv4 holds with another prefix length.
const BESIDE: &str = "web: eth0 holds 192.0.2.1/24, which is another program's and does not float: this director answers for \
                      it in every role, beside the Master; remove it";

#[test]
fn a_dump_shows_what_was_missed() {
    let mut world = holding();
    world.input(Input::Addresses { at: millis(1_500), interface: "eth0".into(), held: Vec::new() });
    assert_eq!(world.told(&["add"]), lines(&[(1_500, "add 192.0.2.1 3s")]));
    let held = |prefix_length| HeldAddress { address: address(1), prefix_length, valid: None };
    let held = vec![held(24), held(32)];
    world.input(Input::Addresses { at: millis(1_500), interface: "eth0".into(), held });
    world.run_until(1_900);
    assert_eq!(world.told(&["add", "web"]), lines(&[(1_500, BESIDE)]), "and what is not ours, once");
}

#[test]
fn an_interface_that_goes_and_returns_gets_its_addresses_again() {
    let mut world = holding();
    world.link(1_600, None);
    world.run_until(5_000);
    world.link(5_000, Some(Link { index: 9, ..LINK }));
    assert_eq!(
        world.told(&["add", "renew", "web", "interface", "Held", "announce"]),
        lines(&[
            (1_600, "interface eth0 is not there: its floating addresses wait for it"),
            (1_600, "Held { router: RouterId(0), held: 0, wanted: 1 }"),
            (5_000, "interface eth0 is there again"),
            (5_000, "add 192.0.2.1 3s"),
            (5_000, "Held { router: RouterId(0), held: 1, wanted: 1 }"),
            (5_000, "announce 192.0.2.1")
        ])
    );
}

#[test]
fn what_the_kernel_takes_from_an_interface_that_is_down_waits_until_it_is_up() {
    let mut world = holding();
    world.link(1_600, Some(Link { up: false, carrier: false, ..LINK }));
    world.lost(1_600, 1);
    world.run_until(3_000);
    assert_eq!(world.told(&["add", "web"]), []);
    world.link(3_000, Some(LINK));
    assert_eq!(
        world.told(&["add", "announce"]),
        lines(&[(3_000, "add 192.0.2.1 3s"), (3_000, "announce 192.0.2.1")])
    );
}

#[test]
fn a_carrier_that_returns_or_a_new_hardware_address_is_announced() {
    let mut world = holding();
    world.link(1_600, Some(Link { carrier: false, ..LINK }));
    world.link(1_700, Some(LINK));
    world.run_until(1_710);
    assert_eq!(world.told(&["announce"]), lines(&[(1_700, "announce 192.0.2.1")]));
    world.link(4_000, Some(Link { hardware_address: FOREIGN, ..LINK }));
    world.run_until(4_010);
    assert_eq!(
        world.told(&["announce"]),
        lines(&[(1_720, "announce 192.0.2.1"), (4_000, "announce 192.0.2.1")])
    );
}

#[test]
fn a_refusal_is_told_once_and_tried_again_with_a_back_off() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.errno = Some(1);
    world.wish(0, Wish::Hold);
    world.run_until(3_000);
    let times: Vec<u64> = world.told(&["add"]).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [0, 100, 300, 700, 1_500, 2_500]);
    world.errno = None;
    world.run_until(3_600);
    assert_eq!(world.told(&["add", "web"]), lines(&[(3_500, "add 192.0.2.1 3s")]));
}

#[test]
fn a_removal_of_what_is_not_there_has_succeeded() {
    let mut world = holding();
    world.errno = Some(99);
    world.wish(1_600, Wish::Drop);
    world.run_until(9_000);
    assert_eq!(world.told(&["remove", "web"]), lines(&[(1_600, "remove 192.0.2.1")]));
    assert!(world.keeper.is_quiet());
}

#[test]
fn what_another_program_adds_against_our_wish_is_removed() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.wish(0, Wish::Drop);
    world.found(100, 1, None);
    world.found(120, 1, None);
    world.run_until(1_000);
    assert_eq!(world.told(&["remove"]), lines(&[(100, "remove 192.0.2.1"), (200, "remove 192.0.2.1")]));
}

#[test]
fn an_ipv6_address_with_another_prefix_length_is_in_the_way_until_it_goes() {
    let vip: IpAddr = "2001:db8::1".parse().expect("an address");
    let mut world = World::new(&plan(&[vip], true));
    let held = HeldAddress { address: vip, prefix_length: 64, valid: None };
    let found = Input::AddressFound { at: millis(0), interface: "eth0".into(), held };
    world.input(found.clone());
    world.input(found);
    world.wish(10, Wish::Hold);
    world.run_until(1_000);
    let told = world.told(&["add", "renew", "web"]);
    let expected =
        "web: eth0 holds 2001:db8::1/64 already, which is in the way of 2001:db8::1/128: remove it";
    assert_eq!(told, lines(&[(0, expected)]));
    let lost =
        Input::AddressLost { at: millis(1_000), interface: "eth0".into(), address: vip, prefix_length: 64 };
    world.input(lost);
    assert_eq!(world.told(&["add"]), lines(&[(1_000, "add 2001:db8::1 3s")]));
}
