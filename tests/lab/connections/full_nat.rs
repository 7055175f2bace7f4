//! Full-NAT: what it takes that a connection lives on at the other director.
//!
//! Its state is in two tables: the entry of IPVS (which real server), and that of connection tracking (which of our local
//! addresses and ports the real server sees). The first is told as ever; the second is put into the other kernel's table as
//! the first director's lists it, with its source translation, before the addresses move.

use super::*;
use std::collections::BTreeMap;

/// How our own ruleset chooses ports today.
const RANDOM: &str = "fully-random";

/// The local address, which floats with the VIP.
fn local() -> IpAddr {
    near(20).of(Family::Ipv4)
}

/// A pair with one idle connection of full-NAT, told to B.
fn told(choice_of_ports: &str) -> (Pair, IpAddr, TcpStream) {
    let mut pair = Pair::new();
    let vip = near(103).of(Family::Ipv4);
    pair.add("-t", vip, 80, "", "-m");
    pair.hold(local());
    for director in &pair.world.directors {
        director.sysctl(&[("net.ipv4.vs.conntrack", "1")]);
        director.nft(&format!(
            "table ip by_hand {{ chain postrouting {{ type nat hook postrouting priority srcnat;
                meta l4proto tcp ct original ip daddr {vip} ct original proto-dst 80 snat to {} {choice_of_ports}
            }}\n}}",
            local()
        ));
    }
    let connection = open(&pair.world.near_client, vip);
    pair.synchronise();
    pair.pass();
    assert_told(&pair);
    (pair, vip, connection)
}

/// The fields of the connection to the VIP in A's tracking: of the first direction, and of the answers.
fn tracked(director: &Namespace, vip: IpAddr) -> [BTreeMap<String, String>; 2] {
    let listing = director.run("conntrack -L");
    let line = listing.lines().find(|line| line.contains(&format!("dst={vip}"))).expect("it is tracked");
    println!("{line}");
    let mut directions = [BTreeMap::new(), BTreeMap::new()];
    for (name, value) in line.split(' ').filter_map(|word| word.split_once('=')) {
        let direction = usize::from(directions[0].contains_key(name));
        directions[direction].insert(name.to_owned(), value.to_owned());
    }
    directions
}

/// As IPVS leaves the entry: the answers come from the real server, without a translation of the destination; ours is the
/// translation of the source alone.
fn inject(director: &Namespace, [original, answer]: &[BTreeMap<String, String>; 2]) {
    director.run(&format!(
        "conntrack -I -p tcp --state ESTABLISHED -t 600 -u SEEN_REPLY,ASSURED -s {} -d {} --sport {} --dport {} \
         -r {} -q {} --reply-port-src {} --reply-port-dst {} --src-nat {}:{}",
        original["src"],
        original["dst"],
        original["sport"],
        original["dport"],
        answer["src"],
        original["src"],
        answer["sport"],
        original["sport"],
        answer["dst"],
        answer["dport"],
    ));
    println!("{}", director.run("conntrack -L"));
}

#[test]
fn a_full_nat_connection_lives_on_with_both_of_its_entries() {
    let (pair, vip, connection) = told(RANDOM);
    let [a, b] = &pair.world.directors[..] else { panic!("a pair") };
    inject(b, &tracked(a, vip));
    pair.move_addresses();
    assert!(ask(connection).expect("it lives on").contains("hello"));
}

#[test]
fn a_full_nat_connection_without_its_tracking_is_lost() {
    let (pair, _, connection) = told(RANDOM);
    pair.move_addresses();
    ask(connection).expect_err("the real server knows nothing of the new port");
}

/// Where the client's own port is kept whenever it is free, the other kernel comes to the same choice by itself, from a
/// packet in the middle of the connection (`nf_conntrack_tcp_loose`).
#[test]
fn a_full_nat_connection_that_kept_its_port_needs_no_tracking() {
    let (pair, vip, connection) = told("persistent");
    let [original, answer] = tracked(pair.world.director(), vip);
    assert_eq!(original["sport"], answer["dport"], "the port was free");
    pair.move_addresses();
    assert!(ask(connection).expect("it lives on").contains("hello"));
}
