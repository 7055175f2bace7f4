//! Probes through the real path, on both directors of a pair and over a failover: a real server that answers under its own
//! address, and has lost its VIP or no longer unwraps, is found on the Master and on the Backup. In IPv6 on a director that
//! holds the VIP.

use std::time::Duration;

use crate::policies::Mode;
use crate::world::World;
use crate::world::addresses::{Family, near};
use crate::world::director::Director;
use crate::world::namespace::Namespace;
use crate::world::pair::Pair;
use crate::world::real_server::{Encapsulation, RealServer};
use crate::world::site::{A, B, POLICY, Pool, Site};
use crate::world::wait::{stays, until};

/// Three failures at an interval of a second, in an emulated machine.
const PATIENCE: Duration = Duration::from_secs(30);
const START_LIMIT: Duration = Duration::from_secs(60);
/// Longer than any verdict takes.
const CALM: Duration = Duration::from_secs(6);
const BOTH: [&str; 2] = ["192.168.101.110:80", "192.168.101.210:80"];

/// The policy as it is shipped, with the real path for the two pools that have one.
fn policy() -> String {
    let path = |policy: &str, mode: &str| {
        let said = format!("    forwarding: {mode}\n");
        replaced(policy, &said, &format!("{said}    check: {{from: alive, through: real_path}}\n"))
    };
    path(&path(POLICY, "dr"), "tun")
}

#[track_caller]
fn replaced(policy: &str, said: &str, by: &str) -> String {
    let changed = policy.replace(said, by);
    assert_ne!(changed, policy, "the policy says {said}");
    changed
}

/// The servers of a pool, as `ipvsadm` lists them.
fn servers(director: &Namespace, pool: Pool) -> Vec<String> {
    let address = pool.service().to_string();
    let table = director.ipvs();
    let service = table.iter().find(|service| service.protocol == "TCP" && service.address == address);
    let destinations = service.into_iter().flat_map(|service| &service.destinations);
    destinations.map(|destination| destination.address.clone()).collect()
}

/// On both directors, whatever their roles.
fn are(site: &Site, pool: Pool, expected: &[&str]) -> Result<(), String> {
    let found = [A, B].map(|director| servers(&site.directors[director], pool));
    if found.iter().all(|found| found == expected) { Ok(()) } else { Err(format!("{pool}: {found:?}")) }
}

fn all_serve(site: &Site) -> Result<(), String> {
    are(site, Pool::Dr, &BOTH)?;
    are(site, Pool::Tun, &BOTH)
}

/// Breaks the path to a server in one pool: it is out there on both directors, and nowhere else, while it answers under its
/// own address; then mends it.
fn is_found(site: &Site, server: &RealServer, pool: Pool, (breaks, mends): (&str, &str)) {
    let own = format!("{}:80", server.addresses.ipv4);
    let left: Vec<&str> = BOTH.into_iter().filter(|other| *other != own).collect();
    server.namespace.ip(breaks);
    until("a server out", PATIENCE, || are(site, pool, &left));
    let page = format!("http://{}/", server.addresses.ipv4);
    assert_eq!(site.client.curl(&page), Ok(server.greeting()), "its own address answers all the while");
    let other = if pool == Pool::Dr { Pool::Tun } else { Pool::Dr };
    assert_eq!(are(site, other, &BOTH), Ok(()), "the other pool's path is whole");
    server.namespace.ip(mends);
    until("it is back", PATIENCE, || are(site, pool, &BOTH));
}

#[test]
fn a_server_that_lost_its_vip_or_its_tunnel_is_found_in_both_roles_and_after_a_failover() {
    let site = Site::new();
    let pair = Pair::launch(&site, &policy());
    until("both servers on both directors", START_LIMIT, || all_serve(&site));
    pair.wait_for_holder(A, START_LIMIT);
    stays("the servers of both pools, on Master and Backup", CALM, || all_serve(&site));
    for director in [A, B] {
        assert_eq!(site.directors[director].read_sysctl("net.ipv4.conf.eth0.accept_local"), "1");
    }
    let [first, second] = &site.real_servers[..] else { panic!("two real servers") };
    let vip = Pool::Dr.vip();
    let (lose, hold) = (format!("addr del {vip}/32 dev lo"), format!("addr add {vip}/32 dev lo"));
    let tunnel = ("link set unwrap4 down", "link set unwrap4 up");
    is_found(&site, first, Pool::Dr, (&lose, &hold));
    is_found(&site, second, Pool::Tun, tunnel);

    println!("{}", pair.ask(A, &["release"]));
    pair.wait_for_holder(B, PATIENCE);
    stays("the servers of both pools, over a failover", CALM, || all_serve(&site));
    is_found(&site, second, Pool::Dr, (&lose, &hold));
    is_found(&site, first, Pool::Tun, tunnel);
    assert!(
        site.curl(Pool::Dr).is_ok() && site.curl(Pool::Tun).is_ok(),
        "clients are served by the new Master"
    );
}

/// `breaks` breaks the path to the first server, which is out until `mends` mends it.
fn assert_found_in_ipv6(mode: Mode, (breaks, mends): (&str, &str)) {
    let world = World::new();
    let vip = near(100).of(Family::Ipv6);
    for server in &world.real_servers {
        mode.set_up(server, vip);
    }
    let source = near(200).of(Family::Ipv6);
    let check = format!("    check: {{from: alive, through: real_path, source: \"{source}\"}}");
    let policy = replaced(&mode.policy(Family::Ipv6), "    check: alive", &check);
    let _director = Director::start(world.director(), world.folder(), &policy);
    let destinations = |expected: &[&RealServer]| {
        let table = world.director().ipvs();
        let service = table.iter().find(|service| service.protocol == "TCP");
        let found: Vec<&str> =
            service.iter().flat_map(|service| &service.destinations).map(|it| &*it.address).collect();
        let expected: Vec<_> =
            expected.iter().map(|server| format!("[{}]:80", server.addresses.ipv6)).collect();
        if found == expected { Ok(()) } else { Err(format!("{table:#?}")) }
    };
    let [first, second] = &world.real_servers[..] else { panic!("two real servers") };
    until("both servers", PATIENCE, || destinations(&[first, second]));
    stays("both servers, while the VIP is the director's own", CALM, || destinations(&[first, second]));
    first.namespace.ip(breaks);
    until("a server out", PATIENCE, || destinations(&[second]));
    first.namespace.ip(mends);
    until("it is back", PATIENCE, || destinations(&[first, second]));
}

#[test]
fn in_ipv6_a_server_that_lost_its_vip_is_found() {
    let vip = near(100).ipv6;
    let lost = (&*format!("addr del {vip}/128 dev lo"), &*format!("addr add {vip}/128 dev lo"));
    assert_found_in_ipv6(Mode::Dr, lost);
}

#[test]
fn in_ipv6_a_server_that_no_longer_unwraps_is_found() {
    // A device that goes down loses its IPv6 addresses.
    let up = format!("link set unwrap6 up\naddr add {}/128 dev unwrap6", near(100).ipv6);
    assert_found_in_ipv6(Mode::Tun(Encapsulation::IpIp), ("link set unwrap6 down", &up));
}
