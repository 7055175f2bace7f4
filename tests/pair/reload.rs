//! The policy of a running pair changes: addresses come and go under a Master that stays Master, and where a session becomes
//! another the addresses are handed over, without a lost ping.

use crate::stage::adverts::Adverts;
use crate::stage::holders::Holders;
use crate::stage::pinger::Pinger;
use crate::stage::program::{Member, Program};
use crate::stage::setting::{Checksum, Setting};
use crate::stage::{OTHER, PREFERRED, Stage, vip};
use crate::world::wait::{stays, until_true};
use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(3);
const SETTING: Setting = Setting { is_default: true, checksum: Checksum::Rfc9568, ..Setting::V3 };
/// What the policy says of addresses, and what it says with one more.
const ONE: &str = "/24]";
const TWO: &str = "/24, 192.168.101.177/24]";

fn second() -> IpAddr {
    "192.168.101.177".parse().expect("an address")
}

/// Both directors; the preferred one is Master.
fn started(stage: &Stage, holders: &Holders) -> [Member; 2] {
    let start = |director| Member::start(stage, Program::Tandem, director, &SETTING, "");
    let pair = [PREFERRED, OTHER].map(start);
    until_true("Master", START, || holders.only_holder() == Some(PREFERRED));
    pair
}

#[test]
fn an_address_comes_and_goes_under_a_master_that_stays_master() {
    let stage = Stage::new();
    let target = vip().of(SETTING.family);
    let holders = Holders::watch(&stage, target, LOOK_EVERY);
    let adverts = Adverts::listen(&stage);
    let pair = started(&stage, &holders);
    sleep(SETTING.interval * 10);

    let begun = Instant::now();
    let pinger = Pinger::start(&stage.client, target, Duration::from_millis(2));
    for round in 0..3 {
        // The Backup first in one round, and the Master in the next.
        let order = if round % 2 == 0 { [OTHER, PREFERRED] } else { [PREFERRED, OTHER] };
        order.into_iter().for_each(|director| pair[director].reload(&stage, ONE, TWO));
        until_true("the second address", SOON, || stage.directors[PREFERRED].has_address(second()));
        let answers = Pinger::start(&stage.client, second(), Duration::from_millis(5));
        sleep(Duration::from_millis(500));
        assert!(!stage.directors[OTHER].has_address(second()), "the Backup holds nothing");
        let answers = answers.finish();
        assert_eq!(answers.lost(), 0, "of {} pings to the second address", answers.count());
        order.into_iter().for_each(|director| pair[director].reload(&stage, TWO, ONE));
        until_true("the second address to go", SOON, || !stage.directors[PREFERRED].has_address(second()));
    }
    let pings = pinger.finish();
    assert_eq!(pings.lost(), 0, "of {} pings to the first address", pings.count());
    assert_eq!(holders.takings_since(PREFERRED, begun), 0, "it was never let go of");
    assert_eq!(adverts.changes_since(begun), 0, "and the Master stayed the Master");
}

#[test]
fn another_priority_moves_the_addresses_without_a_lost_ping() {
    let stage = Stage::new();
    let target = vip().of(SETTING.family);
    let holders = Holders::watch(&stage, target, LOOK_EVERY);
    let pair = started(&stage, &holders);
    sleep(SETTING.interval * 10);
    let pinger = Pinger::start(&stage.client, target, Duration::from_millis(2));
    pair.iter().for_each(|member| member.reload(&stage, "lb-b: 100", "lb-b: 220"));
    until_true("the other as Master", START, || holders.only_holder() == Some(OTHER));
    sleep(SETTING.interval * 10);
    let pings = pinger.finish();
    assert_eq!(pings.lost(), 0, "of {} pings", pings.count());
}

#[test]
fn another_interval_begins_the_election_anew_and_loses_no_ping() {
    let stage = Stage::new();
    let target = vip().of(SETTING.family);
    let holders = Holders::watch(&stage, target, LOOK_EVERY);
    let pair = started(&stage, &holders);
    sleep(SETTING.interval * 10);
    let pinger = Pinger::start(&stage.client, target, Duration::from_millis(2));
    let slower = |director: usize| {
        pair[director].reload(&stage, "    vrid:", "    advertisement_interval: 200ms\n    vrid:")
    };
    slower(OTHER);
    sleep(SETTING.interval * 20);
    slower(PREFERRED);
    until_true("another Master, for a while", START, || holders.only_holder() == Some(OTHER));
    until_true("the preferred one again", START, || holders.only_holder() == Some(PREFERRED));
    stays("the Master", Duration::from_secs(2), || match holders.only_holder() {
        Some(PREFERRED) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let pings = pinger.finish();
    assert_eq!(pings.lost(), 0, "of {} pings", pings.count());
}

#[test]
fn a_release_outlives_an_election_that_begins_anew() {
    let stage = Stage::new();
    let holders = Holders::watch(&stage, vip().of(SETTING.family), LOOK_EVERY);
    let pair = started(&stage, &holders);
    pair[PREFERRED].release(&stage);
    until_true("the other as Master", START, || holders.only_holder() == Some(OTHER));
    pair[PREFERRED].reload(&stage, "    vrid:", "    advertisement_interval: 200ms\n    vrid:");
    stays("the release", Duration::from_secs(6), || match holders.only_holder() {
        Some(OTHER) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    pair[PREFERRED].clear_release(&stage);
    until_true("Master again", START, || holders.only_holder() == Some(PREFERRED));
}

#[test]
fn a_release_outlives_the_director_that_heard_it() {
    let stage = Stage::new();
    let holders = Holders::watch(&stage, vip().of(SETTING.family), LOOK_EVERY);
    let mut pair = started(&stage, &holders);
    pair[PREFERRED].release(&stage);
    until_true("the other as Master", START, || holders.only_holder() == Some(OTHER));
    pair[PREFERRED].terminate();
    pair[PREFERRED].wait_until_ended();
    pair[PREFERRED].start_again(&stage);
    stays("the release", Duration::from_secs(10), || match holders.only_holder() {
        Some(OTHER) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    pair[PREFERRED].clear_release(&stage);
    until_true("Master again", START, || holders.only_holder() == Some(PREFERRED));
}
