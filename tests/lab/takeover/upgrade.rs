//! An upgrade of both directors and the way back, under a hundred connections through each pool: by takeover, and by restart.
//! `tests/lab/run upgrade` names the program of an earlier package; else it is a copy of this one.

use super::connections::Crowd;
use super::*;
use crate::world::installed::Edition;
use crate::world::site::{A, B, POLICY};
use nix::sys::signal::Signal;

/// There and back. The Backup first, as the manual advises.
const WAYS: [Edition; 2] = [Edition::This, Edition::Before];

/// The policy with an interval of 1 s: an emulated machine under eight hundred connections stands still for some hundred
/// milliseconds now and then, which at 100 ms is a failover of its own. `tests/pair/upgrade.rs` sees to the default.
fn at_an_easy_pace() -> String {
    let policy = POLICY.replace("    vrid: ", "    advertisement_interval: 1s\n    vrid: ");
    assert_ne!(policy, POLICY);
    policy
}

/// No connection is lost, through full-NAT either, the addresses stay where they are, and afterwards the two are a
/// pair as before.
#[test]
#[ignore = "minutes each in an emulated machine: tests/lab/run upgrade"]
fn connections_live_on_by_takeover() {
    let site = Site::new();
    let mut pair = Pair::start_edition(&site, &at_an_easy_pace(), Edition::Before);
    let mut crowd = Crowd::open(&site);
    let begun = Instant::now();
    for edition in WAYS {
        for (name, director) in [("Backup", B), ("Master", A)] {
            pair.directors[director].install(edition);
            pair.directors[director].succeed();
            crowd.lives_after(&format!("{edition:?} on the {name}"));
        }
    }
    for (pool, clients) in &crowd.clients {
        assert_eq!(clients.lost(), [""; 0], "{pool}");
    }
    assert_eq!(pair.watch.only_holder(), Some(A));
    assert_eq!(pair.watch.emptied(A, begun), None, "the addresses were never gone");
    takes_over(&site, &pair, "release", B, RETURN_LIMIT, || drop(pair.ask(A, &["release"])));
    crowd.lives_after("release");
    crowd.finish();
}

/// The manual says to wait for this before the other one is restarted.
fn until_safe(pair: &Pair<'_>) {
    until("the Master's word that it is safe to fail over", RETURN_LIMIT, || {
        let safe = &pair.status(A)["safe_to_fail_over"];
        if safe["yes"] == true { Ok(()) } else { Err(safe.to_string()) }
    });
}

#[test]
#[ignore = "minutes each in an emulated machine: tests/lab/run upgrade"]
fn connections_live_on_by_restart() {
    let site = Site::new();
    let mut pair = Pair::start_edition(&site, POLICY, Edition::Before);
    let mut crowd = Crowd::open(&site);
    for edition in WAYS {
        for (name, director) in [("Backup", B), ("Master", A)] {
            pair.directors[director].install(edition);
            let stop = || pair.directors[director].signal(Signal::SIGTERM);
            if director == A {
                takes_over(&site, &pair, "SIGTERM", B, RETURN_LIMIT, stop);
            } else {
                stop();
            }
            pair.directors[director].wait_until_ended();
            pair.directors[director].launch_again();
            pair.settle();
            until_safe(&pair);
            crowd.lives_after(&format!("{edition:?} on the {name}"));
        }
    }
    crowd.finish();
}
