//! A Master that is stopped in its tracks (SIGSTOP) loses its addresses by the kernel's own clock, and does not fight for
//! them when it goes on.

use crate::stage::adverts::Adverts;
use crate::stage::holders::Holders;
use crate::stage::pinger::Pinger;
use crate::stage::program::{Member, Program};
use crate::stage::setting::{Checksum, Setting};
use crate::stage::{OTHER, PREFERRED, Stage, vip};
use crate::world::wait::until_true;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The lifetime of an address, and a second for the kernel to take it.
const GONE_MAX: Duration = Duration::from_secs(4);
const START: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(3);

#[test]
fn a_stopped_master_loses_its_addresses_and_does_not_fight_when_it_goes_on() {
    let setting = Setting { is_default: true, checksum: Checksum::Rfc9568, ..Setting::V3 };
    let stage = Stage::new();
    let target = vip().of(setting.family);
    let holders = Holders::watch(&stage, target, LOOK_EVERY);
    let adverts = Adverts::listen(&stage);
    let [preferred, _other] =
        [PREFERRED, OTHER].map(|director| Member::start(&stage, Program::Tandem, director, &setting, ""));
    until_true("Master", START, || holders.only_holder() == Some(PREFERRED));

    let stopped = Instant::now();
    preferred.freeze(true);
    until_true("empty Master", GONE_MAX, || !holders.holds(PREFERRED));
    assert_eq!(holders.only_holder(), Some(OTHER), "the other took over meanwhile");
    let (both, _) = holders.both_since(stopped);
    assert!(both <= GONE_MAX, "both held the address for {both:?}");

    let resumed = Instant::now();
    let pinger = Pinger::start(&stage.client, target, Duration::from_millis(2));
    preferred.freeze(false);
    // It preempts in the end, as it may; until then it hears and keeps still.
    until_true("Master again", START, || holders.only_holder() == Some(PREFERRED));
    sleep(setting.interval * 10);
    let pings = pinger.finish();
    assert!(adverts.changes_since(resumed) <= 1, "the roles went to and fro");
    assert_eq!(pings.lost(), 0, "of {} pings while it came back", pings.count());
}
