//! Real packets through the rules: whom the real server sees, by port, by every port, by mark, and untracked.
//!
//! One link joins a client, the director (this thread's namespace) and a real server that answers with its peer's address.
//! Client and real server are neighbours: without translation the answer would bypass the director and nothing would work.

use super::*;
use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use tandem::model::{Family, Persistence, Ruleset, SourceTranslation};

const RIP: &str = "192.168.101.110";
const RIP6: &str = "fd00:192:168:101::110";

/// Real servers' programs, ended with the case; and named namespaces, deleted with it.
struct Neighbours {
    servers: Vec<Child>,
    names: [String; 2],
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
        for name in &self.names {
            run(&format!("ip netns delete {name}"));
        }
    }
}

impl Neighbours {
    /// Builds the link around the addresses that `in_namespace` made.
    fn new(case: &str) -> Self {
        let names = [format!("{case}-client"), format!("{case}-server")];
        run("ip link delete lan");
        run("ip link add lan type bridge");
        run(&format!("ip address add {DIP}/24 dev lan"));
        run("ip address add fd00:192:168:101::200/64 dev lan nodad");
        for (name, last) in names.iter().zip(["10", "110"]) {
            run(&format!("ip netns add {name}"));
            run(&format!("ip link add port{last} master lan type veth peer name eth0 netns {name}"));
            run(&format!("ip link set port{last} up"));
            for words in [
                "link set lo up".to_owned(),
                format!("address add 192.168.101.{last}/24 dev eth0"),
                format!("address add fd00:192:168:101::{last}/64 dev eth0 nodad"),
                "link set eth0 up".to_owned(),
            ] {
                run(&format!("ip -netns {name} {words}"));
            }
        }
        run("ip link set lan up");
        for setting in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.vs.conntrack=1"]
        {
            run(&format!("sysctl -qw {setting}"));
        }
        let serve = |listen: &str| {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", &names[1], "socat", listen, "SYSTEM:echo $SOCAT_PEERADDR"]);
            command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("a server")
        };
        let servers = vec![
            serve("TCP6-LISTEN:8080,fork,reuseaddr,ipv6only=0"),
            serve("TCP6-LISTEN:443,fork,reuseaddr,ipv6only=0"),
            serve("UDP4-RECVFROM:5353,fork"),
        ];
        Self { servers, names }
    }

    /// The address that the real server behind `target` (socat's words) saw; `None` when no answer came.
    fn ask(&self, target: &str) -> Option<IpAddr> {
        let client = format!("echo hello | socat -t2 -T2 - {target}");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[0], "timeout", "5", "sh", "-c", &client]);
        let output = command.stdin(Stdio::null()).output().expect("a client");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let peer: Option<IpAddr> = said.trim_matches(['[', ']']).parse().ok();
        peer.map(|peer| peer.to_canonical())
    }

    /// Asks until an answer comes, since the servers need a moment to start.
    #[allow(clippy::disallowed_methods, reason = "waits for real servers, a bounded number of times")]
    fn ask_patiently(&self, target: &str) -> IpAddr {
        for _ in 0..10 {
            if let Some(peer) = self.ask(target) {
                return peer;
            }
            std::thread::sleep(std::time::Duration::from_millis(250));
        }
        panic!("no answer from {target}; {}", run("ipvsadm -Ln"))
    }
}

fn masquerading(service: ServiceKey, rip: &str, port: u16) -> [Change; 2] {
    let persistence = Persistence { timeout_s: 60, prefix: service.family().bits() };
    let every_port = matches!(service, ServiceKey::Address { port: 0, .. });
    let config = ServiceConfig { persistence: every_port.then_some(persistence), ..scheduler("rr") };
    let entry = destination(ForwardingMethod::Masquerade, 1);
    [add_service(service, &config), add_destination(service, real_server(rip, port), entry)]
}

#[test]
fn full_nat_gives_the_real_server_an_address_of_ours() {
    in_namespace(|kernel| {
        let neighbours = Neighbours::new("fullnat");
        for own in ["192.168.101.201", "192.168.101.202", VIP, "192.168.101.99"] {
            run(&format!("ip address add {own}/32 dev lan"));
        }
        for own in ["fd00:192:168:101::201", VIP6] {
            run(&format!("ip address add {own}/128 dev lan nodad"));
        }
        let of = |protocol, vip: &str, port| ServiceKey::Address { protocol, address: address(vip), port };
        let mark = ServiceKey::FirewallMark { family: Family::Ipv4, mark: 7 };
        let (web, web6) = (tcp(80), of(Protocol::Tcp, VIP6, 80));
        let (dns, every) = (of(Protocol::Udp, VIP, 53), of(Protocol::Tcp, "192.168.101.99", 0));
        let mut changes = Vec::new();
        changes.extend(masquerading(web, RIP, 8080));
        changes.extend(masquerading(web6, RIP6, 8080));
        changes.extend(masquerading(dns, RIP, 5353));
        changes.extend(masquerading(every, RIP, 0));
        changes.extend(masquerading(mark, RIP, 443));
        let pool = SourceTranslation::LocalAddresses(
            ["192.168.101.201", "192.168.101.202", "fd00:192:168:101::201"].map(address).to_vec(),
        );
        let ruleset = Ruleset {
            source_translations: BTreeMap::from([
                ((Family::Ipv4, SourceTranslation::Masquerade), BTreeSet::from([dns, every])),
                ((Family::Ipv4, pool.clone()), BTreeSet::from([web, mark])),
                ((Family::Ipv6, pool), BTreeSet::from([web6])),
            ]),
            marks: BTreeMap::from([(tcp(443), 7), (tcp(8443), 7)]),
            ..Ruleset::default()
        };
        changes.push(Change::ReplaceRuleset { to: ruleset });
        apply(kernel, &changes);

        assert_eq!(neighbours.ask_patiently(&format!("UDP4:{VIP}:53")), address(DIP));
        assert_eq!(neighbours.ask_patiently("TCP4:192.168.101.99:8080"), address(DIP));
        assert_eq!(neighbours.ask_patiently(&format!("TCP6:[{VIP6}]:80")), address("fd00:192:168:101::201"));
        let pool = |target: &str| -> BTreeSet<IpAddr> {
            (0..12).map(|_| neighbours.ask_patiently(target)).collect()
        };
        let both = BTreeSet::from(["192.168.101.201", "192.168.101.202"].map(address));
        assert_eq!(pool(&format!("TCP4:{VIP}:80")), both);
        assert_eq!(pool(&format!("TCP4:{VIP}:443")), both, "a joined port, by its mark");
        assert_eq!(pool(&format!("TCP4:{VIP}:8443")), both, "the other joined port");
    });
}

#[test]
fn untracked_packets_leave_no_connection_behind() {
    in_namespace(|kernel| {
        let neighbours = Neighbours::new("untracked");
        run(&format!("ip address add {VIP}/32 dev lan"));
        // Plain NAT to a client that is routed: the real server answers through the director.
        run(&format!("ip -netns {} route add 192.168.101.10/32 via {DIP}", neighbours.names[1]));
        run("sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.lan.send_redirects=0");
        // With net.ipv4.vs.conntrack=0 IPVS untracks its packets by itself; another pool of full-NAT wants it on.
        let mut changes = Vec::new();
        changes.extend(masquerading(tcp(80), RIP, 8080));
        changes.extend(masquerading(ServiceKey::FirewallMark { family: Family::Ipv4, mark: 7 }, RIP, 443));
        let untracked_replies =
            BTreeSet::from([(Protocol::Tcp, address(RIP), 8080), (Protocol::Tcp, address(RIP), 443)]);
        let ruleset = Ruleset {
            marks: BTreeMap::from([(tcp(443), 7)]),
            untracked: BTreeSet::from([tcp(80), ServiceKey::FirewallMark { family: Family::Ipv4, mark: 7 }]),
            untracked_replies,
            ..Ruleset::default()
        };
        // A rule of somebody's firewall, so that connections are tracked at all.
        run("nft add table inet foreign");
        run("nft add chain inet foreign forward { type filter hook forward priority 0 ; }");
        run("nft add rule inet foreign forward ct state new counter");
        apply(kernel, &changes);
        let client = address("192.168.101.10");
        let tracked = || run("conntrack -L").lines().filter(|line| line.contains(VIP)).count();
        assert_eq!(neighbours.ask_patiently(&format!("TCP4:{VIP}:80")), client);
        assert!(tracked() > 0, "without our rule there is a connection");
        run("conntrack -F");
        apply(kernel, &[Change::ReplaceRuleset { to: ruleset }]);
        assert_eq!(neighbours.ask_patiently(&format!("TCP4:{VIP}:80")), client);
        assert_eq!(neighbours.ask_patiently(&format!("TCP4:{VIP}:443")), client);
        assert_eq!(tracked(), 0);
    });
}
