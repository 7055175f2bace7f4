//! Full-NAT: what it takes that a connection lives on at the other director.
//!
//! Its state is in two tables: the entry of IPVS (which real server), and that of connection tracking (which of our local
//! addresses and ports the real server sees). The first is told as ever; the second is put into the other kernel's table as
//! the first director's lists it, with its source translation, before the addresses move. Or the second kernel makes it
//! again, from the same choice of address and port.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

use tandem::model::{self, Protocol, Ruleset, ServiceKey, SourceTranslation};

/// The local address, which floats with the VIP.
fn local() -> IpAddr {
    near(20).of(Family::Ipv4)
}

/// A pair with one idle connection of full-NAT, told to B.
fn told() -> (Pair, IpAddr, TcpStream) {
    let mut pair = Pair::new();
    let vip = near(103).of(Family::Ipv4);
    pair.add("-t", vip, 80, "", "-m");
    pair.hold(local());
    for director in &pair.world.directors {
        director.sysctl(&[("net.ipv4.vs.conntrack", "1")]);
        director.nft(&format!(
            "table ip by_hand {{ chain postrouting {{ type nat hook postrouting priority srcnat;
                meta l4proto tcp ct original ip daddr {vip} ct original proto-dst 80 snat to {} fully-random
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
    let (pair, vip, connection) = told();
    let [a, b] = &pair.world.directors[..] else { panic!("a pair") };
    inject(b, &tracked(a, vip));
    pair.move_addresses();
    assert!(ask(connection).expect("it lives on").contains("hello"));
}

#[test]
fn a_full_nat_connection_without_its_tracking_is_lost() {
    let (pair, _, connection) = told();
    pair.move_addresses();
    ask(connection).expect_err("the real server knows nothing of the new port");
}

/// What a policy with synchronisation asks for: the client's own port is kept while it is free, and the local address follows
/// from the client's. So the other kernel comes to the same choice by itself, from a packet in the middle of the connection
/// (`nf_conntrack_tcp_loose`).
#[test]
fn a_full_nat_connection_under_our_own_rules_needs_no_tracking() {
    let mut pair = Pair::new();
    for family in FAMILIES {
        let [vip, local, another] = [103, 20, 21].map(|host| near(host).of(family));
        pair.add("-t", vip, 80, "", "-m");
        pair.hold(local);
        pair.hold(another);
    }
    let translation = |family: Family| {
        SourceTranslation::LocalAddresses([20, 21].map(|host| near(host).of(family)).to_vec())
    };
    let service = |family: Family| ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: near(103).of(family),
        port: 80,
    };
    let families = [(model::Family::Ipv4, Family::Ipv4), (model::Family::Ipv6, Family::Ipv6)];
    let entry = |(key, family)| ((key, translation(family)), BTreeSet::from([service(family)]));
    let source_translations = families.map(entry).into();
    let ruleset = Ruleset { source_translations, repeatable_sources: true, ..Ruleset::default() };
    for director in &pair.world.directors {
        director.sysctl(&[("net.ipv4.vs.conntrack", "1")]);
        let change = Change::ReplaceRuleset { to: ruleset.clone() };
        assert_eq!(director.inside(|| LinuxKernel::new().apply(&[change])), [Ok(())]);
    }
    let connections = FAMILIES.map(|family| open(&pair.world.near_client, near(103).of(family)));
    let [original, answer] = tracked(pair.world.director(), near(103).of(Family::Ipv4));
    assert_eq!(original["sport"], answer["dport"], "the port was free");
    pair.synchronise();
    pair.pass();
    pair.move_addresses();
    for connection in connections {
        assert!(ask(connection).expect("it lives on").contains("hello"));
    }
    let seen = pair.world.real_servers.iter().flat_map(|server| server.clients()).collect::<Vec<_>>();
    println!("{seen:?}");
    assert!(!seen.contains(&near(10).of(Family::Ipv4)), "the real servers see local addresses");
}
