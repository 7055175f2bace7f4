//! An upgrade and the way back: the program of an earlier package, and this one, each in the other's place, on both directors, by
//! takeover and by restart. `tests/lab/run upgrade` names the earlier one; else it is a copy of this one.

use crate::stage::pinger::Pinger;
use crate::stage::program::Member;
use crate::stage::{NAMES, OTHER, PREFERRED, Stage, vip};
use crate::takeover::{FAST, START, Watched, latest};
use crate::world::installed::Edition;
use crate::world::wait::until_true;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// There and back, twice: what one leaves to the other is read again by it.
const WAYS: [Edition; 4] = [Edition::This, Edition::Before, Edition::This, Edition::Before];
const PING_EVERY: Duration = Duration::from_millis(2);

/// A pair of the program before, at rest.
fn pair_of_before() -> Watched {
    let stage = Stage::new();
    for director in [PREFERRED, OTHER] {
        Member::install(&stage, director, Edition::Before);
    }
    Watched::on(stage, FAST)
}

/// The Backup first, as the manual advises.
#[test]
fn by_takeover_nobody_notices() {
    let mut watched = pair_of_before();
    let pinger = Pinger::start(&watched.stage.client, vip().of(FAST.family), PING_EVERY);
    let (begun, other_before) = (Instant::now(), watched.log(OTHER));
    for edition in WAYS {
        for director in [OTHER, PREFERRED] {
            Member::install(&watched.stage, director, edition);
            let took = watched.pair[director].take_over(&watched.stage);
            println!("{edition:?} goes on on {} after {took:?}", NAMES[director]);
            until_true("the peer", START, || sees_its_peer(&watched, director));
        }
    }
    sleep(FAST.interval * 5);
    let late = watched.latest_since(begun);
    let pings = pinger.finish();
    println!("the latest advertisement came {late:?} late; {} of {} pings lost", pings.lost(), pings.count());
    assert!(late < FAST.interval / 2, "an advertisement came {late:?} late");
    assert_eq!(pings.lost(), 0, "of {} pings", pings.count());
    watched.nobody_noticed(begun, &other_before);
}

/// Each stops and is started anew: the Master hands over and comes back, and no ping is lost.
#[test]
fn by_restart_no_ping_is_lost() {
    let mut watched = pair_of_before();
    let pinger = Pinger::start(&watched.stage.client, vip().of(FAST.family), PING_EVERY);
    let begun = Instant::now();
    for edition in WAYS {
        for director in [OTHER, PREFERRED] {
            Member::install(&watched.stage, director, edition);
            watched.pair[director].terminate();
            watched.pair[director].start_again(&watched.stage);
            until_true("the preferred one as Master", START, || {
                watched.holders.only_holder() == Some(PREFERRED) && sees_its_peer(&watched, director)
            });
        }
    }
    let late = latest_of_all(&watched, begun);
    let pings = pinger.finish();
    println!("the latest advertisement came {late:?} late; {} of {} pings lost", pings.lost(), pings.count());
    assert_eq!(pings.lost(), 0, "of {} pings", pings.count());
    // The Master's last claim may be a whole interval old when it resigns, and from then on the other one waits for its skew.
    let allowed = FAST.skew() + FAST.interval / 2;
    assert!(late < allowed, "an advertisement came {late:?} late, beyond {allowed:?}");
}

/// Whoever sends: while the addresses change hands one of the two does, in time.
fn latest_of_all(watched: &Watched, since: Instant) -> Duration {
    let of = |director| watched.adverts.times_of(director, since, Instant::now());
    let mut times = [of(PREFERRED), of(OTHER)].concat();
    times.sort();
    latest(&times, FAST.interval)
}

/// It shows what the other director says of itself.
fn sees_its_peer(watched: &Watched, director: usize) -> bool {
    let peer = NAMES[if director == PREFERRED { OTHER } else { PREFERRED }];
    let status = watched.pair[director].tries_to_say(&watched.stage, &["status", "--json"]);
    status.is_some_and(|status| {
        let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
        let peers = status["peers"].as_array().expect("peers");
        peers.iter().any(|told| told["name"] == peer && told["channel"]["up"] == true)
    })
}
