//! Another program, or a hand, changes what is the directors': addresses that are removed come back, and such as were added to
//! the wrong director go, or are told.

use super::{GAP_MAX, Pair, RIGHT_MAX, assert_gap};
use crate::stage::{INTERFACE, OTHER, PREFERRED, vip};
use crate::world::wait::{until, until_true};
use std::time::{Duration, Instant};

const HEALED: Duration = Duration::from_secs(5);
/// It cannot hold for a second what it should.
const FIGHT_GAP_MAX: Duration = Duration::from_millis(2_000);

#[test]
fn a_vip_that_is_taken_away_by_hand_is_back_before_clients_notice() {
    let pair = Pair::new();
    let pinger = pair.ping();
    for times in 1..=2 {
        let taken = Instant::now();
        pair.stage.take_vip_away(PREFERRED);
        // It may be back between two looks at the interface.
        let told = || pair.log(PREFERRED).matches("another program removed").count();
        until_true("a word about it", HEALED, || told() >= times);
        until_true("the VIP again", HEALED, || pair.holders.holds(PREFERRED));
        println!("back after {:.0?}", taken.elapsed());
    }
    pair.wait_until_right(RIGHT_MAX);
    assert_gap(&pinger.finish(), GAP_MAX, "a VIP that is taken away");
}

/// Against a program that does so again and again nobody wins: the other director serves.
#[test]
fn a_vip_that_is_taken_away_again_and_again_goes_to_the_other_director() {
    let pair = Pair::new();
    let pinger = pair.ping();
    until("the other as holder", HEALED, || {
        pair.stage.take_vip_away(PREFERRED);
        if pair.holders.holds(OTHER) { Ok(()) } else { Err("not yet") }
    });
    pair.wait_for_holder(OTHER, HEALED);
    assert_gap(&pinger.finish(), FIGHT_GAP_MAX, "a VIP that is taken away again and again");
}

/// One that could be ours is taken away. One with another prefix length, as static configurations have it, is another program's,
/// and would answer clients beside the Master: that is told.
#[test]
fn a_vip_that_is_added_to_the_backup_by_hand_is_taken_away_or_told() {
    let pair = Pair::new();
    let machine = &pair.stage.directors[OTHER];
    let pinger = pair.ping();
    machine.ip(&format!("addr add {}/32 dev {INTERFACE}", vip().ipv4));
    until_true("a Backup without the VIP", HEALED, || !machine.has_address(vip().ipv4.into()));
    machine.ip(&format!("addr add {}/24 dev {INTERFACE}", vip().ipv4));
    until_true("a word about the other one", HEALED, || pair.log(OTHER).contains("does not float"));
    machine.ip(&format!("addr del {}/24 dev {INTERFACE}", vip().ipv4));
    pair.wait_until_right(RIGHT_MAX);
    assert_gap(&pinger.finish(), GAP_MAX, "a VIP on the Backup");
}
