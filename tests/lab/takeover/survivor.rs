//! A director whose peer is gone is restarted: nobody can take over, so its addresses live on until it is back.

use super::*;
use crate::world::clients::Clients;
use crate::world::director::Director;
use crate::world::site::{A, B, FLOATING, POLICY, Pool};

const CLIENTS: usize = 10;
/// Longer than an address lives that is not lengthened.
const AWAY: Duration = Duration::from_secs(5);

#[test]
fn the_restart_of_a_lone_survivor_costs_neither_addresses_nor_connections() {
    let site = Site::new();
    let mut pair = Pair::start(&site, POLICY);
    assert!(pair.directors[A].stop().success());
    pair.wait_for_holder(B, RETURN_LIMIT);
    let open = |pool: Pool| (pool, Clients::open(&site.client, pool.service(), CLIENTS, 0));
    let clients: Vec<_> = POOLS.into_iter().map(open).collect();
    until("open connections", RETURN_LIMIT, || {
        if clients.iter().all(|(_, clients)| clients.all_open()) { Ok(()) } else { Err("some are not") }
    });
    let start = Instant::now();
    assert!(pair.directors[B].stop().success());
    println!("stopped in {:.0?}", start.elapsed());
    println!("{}", site.directors[B].run("ip -4 addr show dev eth0"));
    while start.elapsed() < AWAY {
        assert_eq!(pair.watch.held(B).len(), FLOATING, "after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    serves_within(&site, "stop of the last", Instant::now(), SERVES_WITHIN);
    Director::launch_again(&mut pair.directors[B]);
    until("renewed addresses", RETURN_LIMIT, || {
        let listed = site.directors[B].run("ip -4 -o addr show dev eth0");
        let renewed =
            listed.lines().filter(|line| line.contains("valid_lft 3sec") || line.contains("valid_lft 2sec"));
        if renewed.count() == POOLS.len() { Ok(()) } else { Err(listed) }
    });
    assert_eq!(pair.watch.takings(B, start), 0, "no address was away");
    serves_within(&site, "restart", Instant::now(), SERVES_WITHIN);
    for (pool, clients) in clients {
        assert_eq!(clients.finish(), [""; 0], "{pool}");
    }
}
