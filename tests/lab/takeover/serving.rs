//! Who holds what, and that every pool serves after each kind of takeover.

use super::*;
use crate::world::director::Director;
use crate::world::site::{A, B, DESTINATIONS, FLOATING, POLICY};
use std::collections::BTreeSet;

#[test]
fn both_tables_are_warm_and_only_the_master_holds_addresses() {
    let site = Site::new();
    let pair = Pair::start(&site, POLICY);
    assert_eq!(pair.watch.only_holder(), Some(A));
    // By the programs of an administrator too.
    for (director, count) in [(A, FLOATING), (B, 0)] {
        let listed = site.directors[director].run("ip -4 -o addr show");
        let floating: Vec<_> = listed.lines().filter(|line| line.contains("/32 ")).collect();
        assert_eq!(floating.len(), count, "{listed}");
        assert!(floating.iter().all(|line| line.contains("noprefixroute")), "{listed}");
    }
    let tables =
        [A, B].map(|director| site.directors[director].ipvs_saved().into_iter().collect::<BTreeSet<_>>());
    assert_eq!(tables[A], tables[B]);
    assert_eq!(tables[A].len(), POOLS.len() + DESTINATIONS);
    let daemon = |director: usize| site.directors[director].run("ipvsadm -L --daemon");
    until("daemons by role", RETURN_LIMIT, || {
        let found = [A, B].map(daemon);
        let right = found[A].starts_with("master") && found[B].starts_with("backup");
        if right { Ok(()) } else { Err(format!("{found:?}")) }
    });
    serves_within(&site, "start", Instant::now(), SERVES_WITHIN);
    // The Backup's table serves at once, so no probe of it may be less certain than the Master's.
    assert_eq!(pair.status(B)["ready"], true, "{:#}", pair.status(B));
}

#[test]
fn every_pool_serves_after_a_stop_a_release_and_each_return() {
    let site = Site::new();
    let mut pair = Pair::start(&site, POLICY);
    takes_over(&site, &pair, "SIGTERM", B, RETURN_LIMIT, || {
        pair.directors[A].signal(nix::sys::signal::Signal::SIGTERM);
    });
    assert!(pair.directors[A].wait_until_ended().success());
    let start = Instant::now();
    pair.directors[A].launch_again();
    pair.settle();
    serves_within(&site, "return", start, SERVES_WITHIN);
    takes_over(&site, &pair, "release", B, RETURN_LIMIT, || {
        println!("{}", pair.ask(A, &["release"]));
    });
    takes_over(&site, &pair, "clear", A, RETURN_LIMIT, || {
        println!("{}", pair.ask(A, &["clear"]));
    });
}

#[test]
fn every_pool_serves_after_a_kill_and_the_dead_director_loses_its_addresses() {
    let site = Site::new();
    let mut pair = Pair::start(&site, POLICY);
    let killed = Instant::now();
    takes_over(&site, &pair, "SIGKILL", B, SERVES_WITHIN, || {
        pair.directors[A].signal(nix::sys::signal::Signal::SIGKILL);
    });
    let emptied = pair.watch.emptied(A, killed).expect("the kernel took its addresses");
    println!("the killed director held addresses for {:.0?}", emptied - killed);
    assert!(emptied - killed <= GONE_WITHIN);
    pair.directors[A].wait_until_ended();
    Director::launch_again(&mut pair.directors[A]);
    pair.settle();
    serves_within(&site, "return", Instant::now(), SERVES_WITHIN);
}

#[test]
fn every_pool_serves_after_a_cut_of_either_link_and_of_both() {
    let site = Site::new();
    let pair = Pair::start(&site, POLICY);
    let cuts: [(&str, bool, bool); 3] =
        [("outside link", true, false), ("inside link", false, true), ("both links", true, true)];
    for (what, outside, inside) in cuts {
        let plug = |plugged| {
            if outside {
                site.set_outside(A, plugged);
            }
            if inside {
                site.set_inside(A, plugged);
            }
        };
        takes_over(&site, &pair, &format!("cut of {what}"), B, SERVES_WITHIN, || plug(false));
        takes_over(&site, &pair, &format!("return of {what}"), A, RETURN_LIMIT, || plug(true));
    }
}

/// Stopped in its tracks it can renew nothing. When it goes on it hears the other first.
#[test]
fn a_stopped_master_loses_its_addresses_and_does_not_fight_when_it_goes_on() {
    let site = Site::new();
    let pair = Pair::start(&site, POLICY);
    let stopped = Instant::now();
    takes_over(&site, &pair, "SIGSTOP", B, SERVES_WITHIN, || pair.freeze(A, true));
    let emptied = pair.watch.emptied(A, stopped).expect("the kernel took its addresses");
    println!("the stopped director held addresses for {:.0?}", emptied - stopped);
    assert!(emptied - stopped <= GONE_WITHIN);
    let resumed = Instant::now();
    pair.freeze(A, false);
    pair.wait_for_holder(A, RETURN_LIMIT);
    serves_within(&site, "SIGCONT and return", resumed, SERVES_WITHIN);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(pair.watch.only_holder(), Some(A));
    assert_eq!([A, B].map(|director| pair.watch.takings(director, resumed)), [1, 0], "they fought");
}
