//! What an operator orders is in the kernel's table, is kept over reload and restart, and costs nobody a connection.

use crate::policies::{Mode, wait_for_destinations};
use crate::restart::{MODES, POLICY, start, vip};
use crate::world::World;
use crate::world::clients::{Clients, allow_many_sockets};
use crate::world::director::Director;
use crate::world::wait::{stays, until_true};
use std::net::SocketAddr;
use std::process::Output;
use std::time::Duration;

const ONE: &str = "192.168.101.110";
const SOON: Duration = Duration::from_secs(15);
/// Clients through each pool.
const CLIENTS: usize = 1_000;
const RELOADS: usize = 100;

#[track_caller]
fn done(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

/// The weights that the kernel holds of the first server, in each of the four pools; `None`: it is out.
fn of_one(world: &World) -> Vec<Option<u32>> {
    let table = world.director().ipvs();
    let weight = |index: u16| {
        let address = format!("{}:80", vip(index));
        let service = table.iter().find(|service| service.address == address)?;
        let found = service.destinations.iter().find(|found| found.address == format!("{ONE}:80"))?;
        Some(found.weight)
    };
    (0..4).map(weight).collect()
}

#[track_caller]
fn wait_for(world: &World, weights: [Option<u32>; 4]) {
    until_true(&format!("{weights:?} of {ONE}"), SOON, || of_one(world) == weights);
}

fn listed(director: &Director<'_>) -> String {
    String::from_utf8(director.ask(&["overrides"]).stdout).expect("text")
}

#[test]
fn each_order_is_in_the_kernel_and_ends_when_it_is_cleared() {
    let world = World::new();
    let director = start(&world, POLICY);
    done(&director.ask(&["weight", "7", "--server", ONE, "--reason", "larger machine"]));
    wait_for(&world, [Some(7); 4]);
    done(&director.ask(&["disable", "--server", ONE, "--pool", "dr", "--for", "1h"]));
    wait_for(&world, [Some(7), None, Some(7), Some(7)]);
    let list = listed(&director);
    assert!(list.contains("*/192.168.101.110") && list.contains("larger machine"), "{list}");
    assert!(list.contains("dr/192.168.101.110") && list.contains("in 59m"), "{list}");
    until_true("the metric", SOON, || {
        let series = "tandem_override_active{pool=\"*\",server=\"192.168.101.110\",kind=\"weight\"}";
        director.metric(series) == Some(1.0)
    });
    let emptied = director.ask(&["drain", "--pool", "nat"]);
    assert_eq!(emptied.status.code(), Some(6), "{}", String::from_utf8_lossy(&emptied.stderr));
    done(&director.ask(&["clear", "--overrides"]));
    wait_for(&world, [Some(1); 4]);
    assert_eq!(listed(&director), "");
}

#[test]
fn a_frozen_pool_and_a_forced_server_stay_though_their_checks_fail() {
    let world = World::new();
    let director = start(&world, POLICY);
    done(&director.ask(&["freeze", "nat"]));
    done(&director.ask(&["force-up", "--server", ONE, "--pool", "dr"]));
    world.real_servers[0].stop();
    wait_for(&world, [Some(1), Some(1), None, None]);
    stays("the table", Duration::from_secs(5), || match of_one(&world)[..] {
        [Some(1), Some(1), None, None] => Ok(()),
        _ => Err(format!("{:?}", of_one(&world))),
    });
    done(&director.ask(&["clear", "--pool", "nat"]));
    wait_for(&world, [None, Some(1), None, None]);
}

#[test]
fn orders_survive_reload_restart_and_death() {
    let world = World::new();
    let mut director = start(&world, POLICY);
    done(&director.ask(&["disable", "--server", ONE]));
    wait_for(&world, [None; 4]);
    director.write_policy(&POLICY.replacen(
        "192.168.101.210:80",
        "{address: 192.168.101.210:80, weight: 3}",
        1,
    ));
    done(&director.ask(&["reload"]));
    let before = listed(&director);
    for kill in [false, true] {
        if kill {
            director.kill();
        } else {
            assert!(director.stop().success());
        }
        director.start_again();
        stays("out", Duration::from_secs(3), || match of_one(&world)[..] {
            [None, None, None, None] => Ok(()),
            _ => Err(format!("{:?}", of_one(&world))),
        });
        assert_eq!(listed(&director).lines().count(), before.lines().count());
    }
    done(&director.ask(&["clear", "--server", ONE]));
    wait_for(&world, [Some(1); 4]);
}

#[test]
fn a_drain_that_is_waited_for_says_what_came_of_it() {
    let world = World::new();
    let policy = POLICY.replace("{pool: {check: alive}}", "{pool: {check: alive, drain: {deadline: 8s}}}");
    let director = start(&world, &policy);
    let waited = director.ask(&["drain", "--server", ONE, "--pool", "tun", "--wait"]);
    assert!(done(&waited).contains("drained: no connection is left"));
    assert_eq!(of_one(&world)[2], None);
    let target = SocketAddr::new(vip(0), 80);
    let clients = Clients::open(Mode::Nat.client(&world), target, 0, 10);
    until_true("connections", Duration::from_secs(10), || clients.all_open());
    let waited = director.ask(&["drain", "--server", ONE, "--pool", "nat", "--wait"]);
    let said = String::from_utf8_lossy(&waited.stderr);
    assert_eq!(waited.status.code(), Some(4), "{said}");
    assert!(said.contains("with 5 connections left"), "{said}");
    assert_eq!(clients.finish().len(), 5, "those of the server that left");
}

#[test]
fn a_thousand_connections_through_each_mode_outlive_a_hundred_reloads_and_a_drain() {
    allow_many_sockets();
    let world = World::new();
    // Thousands that speak at once keep an emulated server busy for longer than a check usually waits.
    let patient = "interval: 5s, timeout: 5s, rise: 1, fall: 5";
    let policy = POLICY.replace("interval: 1s, timeout: 500ms, rise: 2, fall: 3", patient);
    assert!(policy.contains(patient));
    let director = start(&world, &policy);
    let open = |(index, mode): (u16, Mode)| {
        Clients::open(mode.client(&world), SocketAddr::new(vip(index), 80), 10, CLIENTS - 10)
    };
    let clients: Vec<Clients> = (0..).zip(MODES).map(open).collect();
    until_true("all connections", Duration::from_secs(180), || clients.iter().all(Clients::all_open));
    // Another server joins each pool, or leaves it.
    let more = policy
        .replace("192.168.101.210:80]", "192.168.101.210:80, {address: 192.168.101.111:80, check: none}]")
        .replace("192.168.101.210]", "192.168.101.210, {address: 192.168.101.111, check: none}]");
    for turn in 0..RELOADS {
        director.write_policy(if turn % 2 == 0 { &more } else { &policy });
        done(&director.ask(&["reload"]));
    }
    wait_for_destinations(world.director(), 8);
    done(&director.ask(&["drain", "--server", ONE]));
    wait_for(&world, [Some(0); 4]);
    clients.iter().for_each(|clients| clients.let_speak(CLIENTS - 10));
    for (mode, clients) in MODES.into_iter().zip(clients) {
        until_true("all have spoken", Duration::from_secs(120), || clients.spoken() == CLIENTS - 10);
        assert_eq!(clients.finish(), [""; 0], "{mode:?}");
    }
    println!("{CLIENTS} connections through each of 4 modes, {RELOADS} reloads, one drain: none lost");
}
