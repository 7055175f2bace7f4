//! Full-NAT: what it takes that a connection lives on at the other director.
//!
//! Its state is in two tables: the entry of IPVS (which real server), and that of connection tracking (which of our local
//! addresses and ports the real server sees). The first is told as ever; the second is put into the other kernel's table as
//! the first director's lists it, with its source translation, before the addresses move. Or the second kernel makes it
//! again, from the same choice of address and port.

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tandem::connections::{Restorer, follow, sweep};
use tandem::kernel::{Conntrack, KernelError, KnownConnections, Restored, UnderWay};
use tandem::model::{self, Connection, Protocol, Ruleset, ServiceKey, SourceTranslation};

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

/// The ruleset that a policy with synchronisation asks for: the client's own port is kept while it is free, and the local
/// address follows from the client's.
fn our_rules() -> Ruleset {
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
    Ruleset { source_translations, repeatable_sources: true, ..Ruleset::default() }
}

/// A pair under our own rules, with both local addresses.
fn under_our_rules() -> Pair {
    let mut pair = Pair::new();
    for family in FAMILIES {
        let [vip, local, another] = [103, 20, 21].map(|host| near(host).of(family));
        pair.add("-t", vip, 80, "", "-m");
        pair.hold(local);
        pair.hold(another);
    }
    for director in &pair.world.directors {
        director.sysctl(&[("net.ipv4.vs.conntrack", "1")]);
        let change = Change::ReplaceRuleset { to: our_rules() };
        assert_eq!(director.inside(|| LinuxKernel::new().apply(&[change])), [Ok(())]);
    }
    pair
}

fn told_connections(pair: &Pair) -> [TcpStream; 2] {
    let connections = FAMILIES.map(|family| open(&pair.world.near_client, near(103).of(family)));
    pair.synchronise();
    pair.pass();
    assert_told(pair);
    connections
}

fn our_tables(director: &Namespace) -> Tables {
    Tables { services: observe(director).services, ruleset: our_rules(), ..Tables::default() }
}

/// What B's tracking was given.
fn restore(pair: &Pair) -> Restored {
    let b = &pair.world.directors[1];
    let tables = our_tables(b);
    b.inside(|| {
        let mut restorer = Restorer::open(&sync()).expect("ctnetlink");
        let restored = restorer.restore(&tables).expect("IPVS");
        assert_eq!(restorer.restore(&tables).expect("IPVS"), Restored::default(), "each of them once");
        restored
    })
}

/// The other kernel comes to the same choice by itself, from a packet in the middle of the connection
/// (`nf_conntrack_tcp_loose`).
#[test]
fn a_full_nat_connection_under_our_own_rules_needs_no_tracking() {
    let pair = under_our_rules();
    let connections = told_connections(&pair);
    let [original, answer] = tracked(pair.world.director(), near(103).of(Family::Ipv4));
    assert_eq!(original["sport"], answer["dport"], "the port was free");
    pair.move_addresses();
    for connection in connections {
        assert!(ask(connection).expect("it lives on").contains("hello"));
    }
    let seen = pair.world.real_servers.iter().flat_map(|server| server.clients()).collect::<Vec<_>>();
    println!("{seen:?}");
    assert!(!seen.contains(&near(10).of(Family::Ipv4)), "the real servers see local addresses");
}

/// Asks, moves the addresses while the real servers think, and reads what they answer. The client has nothing to send.
fn answers_under_way<const COUNT: usize>(
    pair: &Pair,
    connections: [TcpStream; COUNT],
) -> [std::io::Result<String>; COUNT] {
    let servers = &pair.world.real_servers;
    servers.iter().for_each(|server| server.hang());
    for mut connection in &connections {
        connection.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("sent");
    }
    pair.move_addresses();
    servers.iter().for_each(|server| server.resume());
    connections.map(|mut connection| {
        connection.set_read_timeout(Some(ANSWER_LIMIT))?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).map(|_| answer)
    })
}

/// The real servers send their answers again meanwhile.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

#[test]
fn an_answer_under_way_needs_the_tracking_that_is_restored() {
    let pair = under_our_rules();
    let connections = told_connections(&pair);
    assert_eq!(restore(&pair), Restored { added: 2, present: 0, refused: 0 });
    for answer in answers_under_way(&pair, connections) {
        assert!(answer.expect("it arrives").contains("hello"));
    }
}

/// How long the other director listens. An emulated machine is slow.
const HEARD_FOR: Duration = Duration::from_secs(4);

/// The table is never read here: each side learns of a connection as it begins.
#[test]
fn a_connection_that_begins_before_the_addresses_go_is_tracked_there_at_once() {
    let pair = under_our_rules();
    pair.synchronise();
    let [a, b] = &pair.world.directors[..] else { panic!("a pair") };
    let (of_a, of_b, is_over) = (our_tables(a), our_tables(b), AtomicBool::new(false));
    let mut restorer = b.inside(|| Restorer::open(&sync())).expect("ears");
    let enter_a = a.entrance();
    let (connections, told, restored) = thread::scope(|scope| {
        let following = scope.spawn(|| {
            enter_a();
            follow(&sync(), &of_a, || !is_over.load(Ordering::Relaxed))
        });
        until("an ear for what begins", LIMIT, || match a.run("cat /proc/net/netlink") {
            sockets if sockets.lines().any(listens_to_tracking) => Ok(()),
            sockets => Err(sockets),
        });
        let hearing = scope.spawn(|| restorer.hear(&of_b, HEARD_FOR));
        let connections = FAMILIES.map(|family| open(&pair.world.near_client, near(103).of(family)));
        let restored = hearing.join().expect("no panic").expect("ears");
        is_over.store(true, Ordering::Relaxed);
        (connections, following.join().expect("no panic").expect("ctnetlink"), restored)
    });
    assert_eq!((told, restored), (2, Restored { added: 2, present: 0, refused: 0 }));
    for answer in answers_under_way(&pair, connections) {
        assert!(answer.expect("it arrives").contains("hello"));
    }
}

/// A line of netlink(7)'s list: a socket of `NETLINK_NETFILTER` in the first group.
fn listens_to_tracking(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.get(1) == Some(&"12") && words.get(3) == Some(&"00000001")
}

/// If these arrived, the cases above would prove nothing.
#[test]
fn an_answer_under_way_without_tracking_is_lost() {
    let pair = under_our_rules();
    let connections = told_connections(&pair);
    for answer in answers_under_way(&pair, connections) {
        answer.expect_err("nobody knows where to");
    }
}

/// What is left of a connection that ended at the other director stands in the way of a new one of the same client and port,
/// in the client's direction or in the real server's.
#[test]
fn tracking_that_is_left_from_an_earlier_connection_gives_way() {
    let pair = under_our_rules();
    let [a, b] = &pair.world.directors[..] else { panic!("a pair") };
    let connections = told_connections(&pair);
    let vip = near(103).of(Family::Ipv4);
    let [original, answer] = tracked(a, vip);
    let mut of_another_server = answer.clone();
    of_another_server.insert("src".to_owned(), "192.168.101.77".to_owned());
    inject(b, &[original.clone(), of_another_server]);
    let mut of_another_client = original;
    of_another_client.insert("src".to_owned(), "192.168.101.78".to_owned());
    inject(b, &[of_another_client, answer]);
    assert_eq!(restore(&pair), Restored { added: 2, present: 0, refused: 0 });
    println!("{}", b.run("conntrack -L"));
    for answer in answers_under_way(&pair, connections) {
        assert!(answer.expect("it arrives").contains("hello"));
    }
}

/// With NAT an answer finds the client without; but it makes an entry the wrong way round, which stands in the way when the
/// client takes its port again.
#[test]
fn tracking_that_an_answer_began_is_put_right() {
    let mut pair = Pair::new();
    let vip = near(103).of(Family::Ipv4);
    pair.add("-t", vip, 80, "", "-m");
    for director in &pair.world.directors {
        director.sysctl(&[("net.ipv4.vs.conntrack", "1")]);
        // Nothing is tracked where no rule asks.
        director.nft("table ip by_hand { chain asks { type filter hook prerouting priority 0; ct state new accept; }\n}");
    }
    let connection = open(&pair.world.far_client, vip);
    pair.synchronise();
    pair.pass();
    assert_told(&pair);
    let [a, b] = &pair.world.directors[..] else { panic!("a pair") };
    let [original, answer] = tracked(a, vip);
    b.run(&format!(
        "conntrack -I -p tcp --state ESTABLISHED -t 600 -s {} -d {} --sport {} --dport {} -r {} -q {vip} \
         --reply-port-src {} --reply-port-dst 80",
        answer["src"], answer["dst"], answer["sport"], answer["dport"], original["src"], original["sport"],
    ));
    let tables = Tables { services: observe(b).services, ..Tables::default() };
    let restored = b.inside(|| Restorer::open(&sync()).expect("ctnetlink").restore(&tables).expect("IPVS"));
    assert_eq!(restored, Restored { added: 1, present: 0, refused: 0 });
    assert_eq!(tracked(b, vip), [original, answer], "as it is at the director where it began");
    let [answer] = answers_under_way(&pair, [connection]);
    assert!(answer.expect("it arrives").contains("hello"));
}

/// A client that takes its port again would be sent after the old connection.
#[test]
fn a_sweep_takes_out_what_is_over_and_nothing_else() {
    let pair = under_our_rules();
    let [a, b] = &pair.world.directors[..] else { panic!("a pair") };
    let connections = told_connections(&pair);
    assert_eq!(restore(&pair).added, 2);
    let [mut original, answer] = tracked(a, near(103).of(Family::Ipv4));
    original.insert("sport".to_owned(), "1234".to_owned());
    let mut elsewhere = answer.clone();
    elsewhere.insert("dport".to_owned(), "1234".to_owned());
    inject(b, &[original.clone(), elsewhere.clone()]);
    // To somebody else.
    original.insert("sport".to_owned(), "1235".to_owned());
    original.insert("dst".to_owned(), near(77).of(Family::Ipv4).to_string());
    elsewhere.insert("dport".to_owned(), "1235".to_owned());
    inject(b, &[original, elsewhere]);
    let ours = FAMILIES.map(|family| near(103).of(family)).into();
    assert_eq!(b.inside(|| sweep(&ours)).expect("swept"), 1);
    let left = b.run("conntrack -L");
    assert!(left.contains("sport=1235") && !left.contains("sport=1234"), "{left}");
    for answer in answers_under_way(&pair, connections) {
        assert!(answer.expect("the living ones are still there").contains("hello"));
    }
}

/// The first packet of a client that takes its port again would get another source port for the sake of such an entry, and the
/// rest of that connection none.
#[test]
fn a_sweep_takes_out_what_an_answer_began_once_its_connection_is_over_whoever_still_knows_it() {
    let pair = Pair::new();
    let [_, b] = &pair.world.directors[..] else { panic!("a pair") };
    let (vip, server, client) = (near(103).ipv4, near(110).ipv4, near(10).ipv4);
    let entry = |from: &str, to: &str| {
        b.run(&format!("conntrack -I -p tcp --state ESTABLISHED -t 600 {from} {to} -u SEEN_REPLY,ASSURED"));
    };
    let by_answer = |port: u16| {
        let first = format!("-s {server} -d {client} --sport 8080 --dport {port}");
        entry(&first, &format!("-r {client} -q {vip} --reply-port-src {port} --reply-port-dst 80"));
    };
    let by_client = |port: u16| {
        let first = format!("-s {client} -d {vip} --sport {port} --dport 80");
        entry(&first, &format!("-r {server} -q {client} --reply-port-src 8080 --reply-port-dst {port}"));
    };
    [4001, 4002, 4003].into_iter().for_each(by_answer);
    [4004, 4005, 4006].into_iter().for_each(by_client);
    let known = |(port, under_way)| {
        let connection = Connection {
            protocol: Protocol::Tcp,
            client: SocketAddr::new(client.into(), port),
            virtual_service: SocketAddr::new(vip.into(), 80),
            destination: SocketAddr::new(server.into(), 8080),
        };
        (connection, UnderWay(under_way))
    };
    // 4003 and 4006 are known to nobody.
    let known: KnownConnections =
        [(4001, true), (4002, false), (4004, true), (4005, false)].map(known).into();
    let swept = b.inside(|| Conntrack::open()?.sweep(&[vip.into()].into(), || Ok::<_, KernelError>(known)));
    assert_eq!(swept.expect("swept"), 3);
    let left = b.run("conntrack -L");
    let stays = |port: &u16| left.contains(&format!("port={port} "));
    assert_eq!((4001..=4006).filter(stays).collect::<Vec<u16>>(), [4001, 4004, 4005], "{left}");
}

/// Our idea of nft's choice is nft's own.
#[test]
fn the_local_address_is_the_one_that_nft_chooses() {
    let pair = under_our_rules();
    let (client, director) = (&pair.world.near_client, pair.world.director());
    let mut chosen = BTreeSet::new();
    for family in FAMILIES {
        let vip = near(103).of(family);
        let key = ServiceKey::Address { protocol: Protocol::Tcp, address: vip, port: 80 };
        for host in 31..43 {
            let source = near(host).of(family);
            client.add_address(source, "eth0");
            // An address of IPv6 is tentative at first.
            let _open =
                until("connection", LIMIT, || client.inside(|| from(source, SocketAddr::new(vip, 80))));
            let listing = director.run(&format!("conntrack -L -f {} -s {source}", name_of(family)));
            let ours = our_rules().source(&key, source).expect("a local address");
            assert!(listing.contains(&format!("dst={ours} ")), "{ours} is not in {listing}");
            chosen.insert(ours);
        }
    }
    assert_eq!(chosen.len(), 4, "both addresses of both families: {chosen:?}");
}

fn name_of(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    }
}

/// A connection from this address.
fn from(source: IpAddr, to: SocketAddr) -> std::io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect_timeout(&to.into(), LIMIT)?;
    Ok(socket)
}
