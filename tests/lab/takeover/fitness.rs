//! What moves the addresses beside the death of a director, and what must not.

use super::*;
use crate::world::load::Load;
use crate::world::site::{A, B, POLICY, Pool};

/// Three failed probes a second apart, and one time-out.
const OUT_LIMIT: Duration = Duration::from_secs(8);
/// Longer than the hold-down of a tracked pool.
const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn a_real_server_that_dies_during_a_takeover_leaves_every_pool() {
    let site = Site::new();
    let pair = Pair::start(&site, POLICY);
    let [dying, living] = &site.real_servers[..] else { panic!("two real servers") };
    let start = Instant::now();
    dying.stop();
    pair.directors[A].signal(nix::sys::signal::Signal::SIGKILL);
    pair.wait_until_holds(B, SERVES_WITHIN);
    until("the other real server alone", OUT_LIMIT, || match site.directors[B].ipvs_destinations() {
        4 => Ok(()),
        found => Err(format!("{found} destinations")),
    });
    println!("out of the new Master's table after {:.1?}", start.elapsed());
    for pool in POOLS {
        for _ in 0..3 {
            assert_eq!(site.curl(pool), Ok(living.greeting()), "{pool}");
        }
    }
}

/// `conf/pair.yaml`, where the outside addresses follow a pool too, at an interval that no emulated machine sleeps through:
/// here it is proved that nothing happens.
fn with_tracked_pool() -> String {
    let replace = |policy: &str, from: &str, to: &str| {
        assert!(policy.contains(from), "the policy says `{from}`");
        policy.replace(from, to)
    };
    let policy = replace(POLICY, "track: [{interface: eth1}]", "track: [{interface: eth1}, {pool: nat}]");
    let policy = replace(&policy, "vrid: 51", "advertisement_interval: 500ms\n    vrid: 51");
    replace(&policy, "vrid: 52", "advertisement_interval: 500ms\n    vrid: 52")
}

#[test]
fn a_pool_that_both_lose_moves_nothing_and_one_that_the_master_loses_moves_the_addresses() {
    let site = Site::new();
    let pair = Pair::start(&site, &with_tracked_pool());
    let start = Instant::now();
    site.real_servers.iter().for_each(|server| server.stop());
    while start.elapsed() < PATIENCE {
        assert_eq!(pair.watch.only_holder(), Some(A), "after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    for server in &site.real_servers {
        server.start();
        server.wait_until_serving();
    }
    pair.settle();
    serves_within(&site, "return of the servers", Instant::now(), SERVES_WITHIN);
    // Only the probes of the Master fail: they come from its own inside address.
    let blind = "table ip blind { chain out { type filter hook output priority 0;
        ip saddr 10.20.0.2 tcp dport { 8080, 8081 } drop
    }\n}";
    takes_over(&site, &pair, "loss of the Master's pool", B, PATIENCE * 2, || site.directors[A].nft(blind));
    let see_again = || drop(site.directors[A].run("nft delete table ip blind"));
    takes_over(&site, &pair, "its return", A, RETURN_LIMIT, see_again);
}

/// Its checks have failed while it was cut off, so its table is empty: it must wait until they pass before it preempts.
#[test]
fn a_director_that_was_cut_off_for_long_returns_warm() {
    let site = Site::new();
    let pair = Pair::start(&site, POLICY);
    let set_both = |plugged| {
        site.set_outside(A, plugged);
        site.set_inside(A, plugged);
    };
    takes_over(&site, &pair, "cut of both links", B, SERVES_WITHIN, || set_both(false));
    until("empty table", OUT_LIMIT, || match site.directors[A].ipvs_destinations() {
        0 => Ok(()),
        found => Err(format!("{found} destinations")),
    });
    let load = Load::start(&site.client, Pool::Nat.service(), "/", 20);
    takes_over(&site, &pair, "their return", A, RETURN_LIMIT, || set_both(true));
    std::thread::sleep(Duration::from_secs(2));
    let account = load.finish().account(Duration::ZERO, Duration::from_millis(50));
    assert!(account.blackout < Duration::from_millis(500), "{account:?}");
}
