//! Somebody else changes what is ours: it is noticed within seconds, logged, counted and repaired by the smallest change.
//! What is not ours is left alone.

mod foreign;

use std::process::Output;
use std::time::{Duration, Instant};

use crate::lone::Lone;
use crate::world::director::Director;
use crate::world::wait::until;

/// The promise.
const REPAIR_LIMIT: Duration = Duration::from_secs(5);
/// The metrics show it a moment later: they are taken from time to time.
const COUNT_LIMIT: Duration = Duration::from_secs(3);
/// The first line that ipvsadm would need for the service that most cases edit.
const WEB: &str = "-t 192.168.101.100:80";
const WEB_SERVER: &str = "-t 192.168.101.100:80 -r 192.168.101.110:80";

/// A pool of each kind of table: a DR service with every attribute, a full-NAT one for rules and settings, timeouts, VIPs.
const POLICY: &str = "
policy_version: 1
virtual_addresses: [{address: 192.168.101.100/24, interface: eth0}, {address: 'fd00:192:168:101::100/64', interface: eth0}]
defaults: {pool: {check: none}}
pools:
  web:
    virtual_services: [tcp://192.168.101.100:80]
    forwarding: dr
    scheduler: {sh: {port: true}}
    persistence: {timeout: 90s, prefix: {ipv4: 24}}
    real_servers: [{address: 192.168.101.110, weight: 3}, {address: 192.168.101.210, thresholds: {upper: 9, lower: 5}}]
  api:
    virtual_services: [tcp://192.168.101.100:443, 'tcp://[fd00:192:168:101::100]:443']
    forwarding: full-nat
    real_servers: [{addresses: ['192.168.101.110', 'fd00:192:168:101::110'], port: 8443}]
kernel: {timeouts: {tcp: 20m, tcp_fin: 45s, udp: 10s}}
";

/// A director whose table is as it should be.
struct Watched<'host> {
    host: &'host Lone,
    director: Director<'host>,
    right: Vec<String>,
}

impl<'host> Watched<'host> {
    fn new(host: &'host Lone) -> Self {
        let director = host.start(POLICY);
        let right = host.picture();
        Self { host, director, right }
    }

    fn count(&self, table: &str) -> f64 {
        self.director.metric(&format!("tandem_drift_total{{table=\"{table}\"}}")).unwrap_or(0.0)
    }

    /// Does something by hand that changes one entry of a table, and sees that it is put right, told and counted.
    #[track_caller]
    fn assert_repaired(&self, table: &str, by_hand: impl FnOnce(&Lone)) {
        let (count, log) = (self.count(table), self.director.log().len());
        let start = Instant::now();
        by_hand(self.host);
        until("sign of the drift in the log", REPAIR_LIMIT, || {
            let told = self.director.log()[log..].contains("drift, repaired by");
            if told { Ok(()) } else { Err("the log says nothing") }
        });
        until("repair", REPAIR_LIMIT.saturating_sub(start.elapsed()), || self.is_right());
        until("count", COUNT_LIMIT, || {
            let counted = self.count(table) - count;
            if counted >= 1.0 { Ok(()) } else { Err(format!("{table} went up by {counted}")) }
        });
    }

    fn is_right(&self) -> Result<(), String> {
        let found = self.host.picture();
        let differing = found.iter().zip(&self.right).find(|(found, right)| found != right);
        match differing {
            _ if found == self.right => Ok(()),
            Some((found, right)) => Err(format!("{found}, not {right}")),
            None => Err(format!("{found:#?}, not {:#?}", self.right)),
        }
    }

    #[track_caller]
    fn assert_edit_repaired(&self, table: &str, ipvsadm: &str) {
        self.assert_repaired(table, |host| host.machine.ipvsadm(ipvsadm));
    }
}

#[test]
fn a_service_is_put_back_as_it_was() {
    let host = Lone::new();
    let watched = Watched::new(&host);
    watched.assert_edit_repaired("services", &format!("-D {WEB}"));
    let edit = |rest: &str| watched.assert_edit_repaired("services", &format!("-E {WEB} {rest}"));
    edit("-s rr -p 90 -M 255.255.255.0");
    edit("-s sh -p 90 -M 255.255.255.0");
    edit("-s sh -b sh-fallback,sh-port -p 90 -M 255.255.255.0");
    edit("-s sh -b sh-port -p 91 -M 255.255.255.0");
    edit("-s sh -b sh-port -p 90 -M 255.255.0.0");
    edit("-s sh -b sh-port");
    watched.assert_repaired("services", |host| drop(host.machine.run("ipvsadm -C")));
}

#[test]
fn a_destination_is_put_back_as_it_was() {
    let host = Lone::new();
    let watched = Watched::new(&host);
    let edit = |line: &str| watched.assert_edit_repaired("destinations", line);
    edit(&format!("-d {WEB_SERVER}"));
    edit(&format!("-a {WEB} -r 192.168.101.111:80 -g -w 1"));
    edit(&format!("-a {WEB} -r 192.168.101.110:8080 -m -w 1"));
    edit(&format!("-e {WEB_SERVER} -g -w 1"));
    edit(&format!("-e {WEB_SERVER} -g -w 0"));
    edit(&format!("-e {WEB_SERVER} -m -w 3"));
    edit(&format!("-e {WEB_SERVER} -i -w 3"));
    edit(&format!("-e {WEB_SERVER} -g -w 3 -x 100 -y 50"));
    edit(&format!("-e {WEB} -r 192.168.101.210:80 -g -w 1"));
}

#[test]
fn timeouts_are_set_again() {
    let host = Lone::new();
    let watched = Watched::new(&host);
    for by_hand in ["30 0 0", "0 31 0", "0 0 32", "1 2 3"] {
        watched.assert_repaired("timeouts", |host| {
            host.machine.run(&format!("ipvsadm --set {by_hand}"));
        });
    }
}

#[test]
fn the_nftables_table_is_made_again() {
    let host = Lone::new();
    let watched = Watched::new(&host);
    assert!(watched.right.iter().any(|line| line.contains("masquerade")), "{:#?}", watched.right);
    let nft = |rules: &str| watched.assert_repaired("nftables", |host| host.machine.nft(rules));
    nft("delete table inet tandem");
    nft("flush table inet tandem");
    nft("flush ruleset");
    nft("table inet tandem { chain mine { type filter hook input priority 0; drop; }; }");
}

/// A rule of ours is deleted, and a rule of somebody else's goes into a chain of ours.
#[test]
fn an_edited_nftables_rule_is_made_again() {
    let host = Lone::new();
    let watched = Watched::new(&host);
    watched.assert_repaired("nftables", |host| {
        let (chain, handle) = first_rule(&host.machine.run("nft -a list table inet tandem"));
        host.machine.nft(&format!("delete rule inet tandem {chain} handle {handle}"));
    });
    watched.assert_repaired("nftables", |host| {
        let (chain, _) = first_rule(&host.machine.run("nft -a list table inet tandem"));
        host.machine.nft(&format!("add rule inet tandem {chain} accept"));
    });
}

/// The chain and the handle of the first rule in a listing: the first line that is a rule follows that of its hook.
fn first_rule(listing: &str) -> (String, String) {
    let mut lines = listing.lines().map(str::trim).skip_while(|line| !line.starts_with("chain "));
    let chain = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a chain");
    let rule = lines.find(|line| line.contains("# handle ")).expect("a rule");
    (chain.to_owned(), rule.rsplit(' ').next().expect("a handle").to_owned())
}

#[test]
fn a_flipped_sysctl_is_flipped_back() {
    let host = Lone::new();
    let watched = Watched::new(&host);
    let flips = [
        ("net.ipv4.ip_forward", "0"),
        ("net.ipv6.conf.all.forwarding", "0"),
        ("net.ipv4.vs.conntrack", "0"),
        ("net.ipv4.conf.all.send_redirects", "1"),
        ("net.ipv4.conf.eth0.send_redirects", "1"),
    ];
    for flip in flips {
        watched.assert_repaired("sysctls", |host| host.machine.sysctl(&[flip]));
    }
}

#[test]
fn a_removed_vip_is_added_again() {
    let host = Lone::new();
    let watched = Watched::new(&host);
    for vip in ["192.168.101.100/24", "fd00:192:168:101::100/64"] {
        watched.assert_repaired("addresses", |host| {
            host.machine.ip(&format!("addr del {vip} dev eth0"));
        });
    }
}

/// A stopped director repairs nothing, but its plan says what it would do.
#[test]
fn plan_prints_the_repair() {
    let host = Lone::new();
    let mut watched = Watched::new(&host);
    assert_plan(&watched.director.plan(), 0, &["No changes"]);
    watched.director.stop();
    assert_plan(&watched.director.plan(), 0, &["No changes"]);
    host.machine.ipvsadm(&format!(
        "-e {WEB_SERVER} -g -w 8\n-a {WEB} -r 192.168.101.9:80 -g -w 1\n-D -t 192.168.101.100:443"
    ));
    host.machine.run("ipvsadm --set 0 0 77");
    host.machine.nft("delete table inet tandem");
    host.machine.sysctl(&[("net.ipv4.ip_forward", "0")]);
    host.machine.ip("addr del 192.168.101.100/24 dev eth0");
    let lines = [
        "~ destination 192.168.101.110:80 of tcp://192.168.101.100:80: weight 8 -> 3",
        "- destination 192.168.101.9:80 of tcp://192.168.101.100:80",
        "+ service tcp://192.168.101.100:443: scheduler wlc",
        "+ destination 192.168.101.110:8443 of tcp://192.168.101.100:443: masquerade, weight 1",
        "~ IPVS timeouts: udp 10s",
        "~ nftables table inet tandem: replace in one transaction",
        "~ sysctl net.ipv4.ip_forward: 0 -> 1",
        "+ address 192.168.101.100/24 on eth0",
        "3 to add, 4 to change, 1 to remove.",
    ];
    assert_plan(&watched.director.plan(), 3, &lines);
    watched.director.start_again();
    until("repair", REPAIR_LIMIT, || watched.is_right());
    assert_plan(&watched.director.plan(), 0, &["No changes"]);
}

#[track_caller]
fn assert_plan(output: &Output, status: i32, lines: &[&str]) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(status), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for line in lines {
        assert!(text.contains(line), "{line:?} is missing in\n{text}");
    }
}
