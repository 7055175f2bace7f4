//! What somebody else has made is never touched: not at the start, not while running, not at the end.

use crate::lone::Lone;
use crate::world::wait::{stays, until};
use std::time::Duration;

/// Longer than the director takes to look at the table once more.
const A_WHILE: Duration = Duration::from_secs(3);
const FOREIGN_SERVICE: [&str; 3] = [
    "-A -t 192.168.101.100:9999 -s wrr -p 77",
    "-a -t 192.168.101.100:9999 -r 192.168.101.9:9999 -g -w 5",
    "-a -t 192.168.101.100:9999 -r 192.168.101.10:9999 -m -w 0",
];
const FOREIGN_MARK: &str = "-A -f 77 -6 -s lc";
const FOREIGN_TABLES: &str = "
table inet tandem_operator { chain input { type filter hook input priority 0; policy accept; counter; }; }
table ip tandem { set hosts { type ipv4_addr; elements = { 192.0.2.1 }; }; }
";

/// Ours beside it: a service on the same VIP, rules, settings, an address.
fn policy(on_stop: &str) -> String {
    format!(
        "
policy_version: 1
virtual_addresses: [{{address: 192.168.101.100/24, interface: eth0}}]
pools:
  api:
    virtual_services: [tcp://192.168.101.100:443]
    forwarding: full-nat
    check: none
    real_servers: [192.168.101.110:8443]
on_stop: {on_stop}
"
    )
}

fn put_there_by_hand(host: &Lone) {
    host.machine.ipvsadm(&format!("{}\n{FOREIGN_MARK}", FOREIGN_SERVICE.join("\n")));
    host.machine.nft(FOREIGN_TABLES);
}

/// The foreign entries as they were; ours among them or not.
fn check(host: &Lone, ours: bool) -> Result<(), String> {
    let saved: Vec<String> = host.machine.ipvs_saved().iter().map(|line| line.trim().to_owned()).collect();
    let has = |line: &str| saved.iter().any(|it| it == line);
    let foreign = FOREIGN_SERVICE.iter().chain([&FOREIGN_MARK]).all(|line| has(line));
    let tables = host.machine.run("nft list ruleset");
    let foreign_tables = tables.contains("table inet tandem_operator") && tables.contains("192.0.2.1");
    let ours_found = (has("-A -t 192.168.101.100:443 -s wlc"), tables.contains("table inet tandem {"));
    if foreign && foreign_tables && ours_found == (ours, ours) {
        return Ok(());
    }
    Err(format!("{saved:#?}\n{tables}"))
}

#[test]
fn a_foreign_service_and_table_survive_start_run_and_stop() {
    let host = Lone::new();
    put_there_by_hand(&host);
    let mut director = host.start(&policy("keep"));
    stays("the foreign table", A_WHILE, || check(&host, true));
    assert_eq!(director.metric("tandem_drift_total{table=\"services\"}").unwrap_or(0.0), 0.0);
    director.stop();
    check(&host, true).expect("all of it");
}

#[test]
fn on_stop_remove_takes_back_only_what_is_ours() {
    let host = Lone::new();
    put_there_by_hand(&host);
    let before = host.picture();
    let mut director = host.start(&policy("remove"));
    until("all of it", A_WHILE, || check(&host, true));
    assert!(director.stop().success());
    check(&host, false).expect("only ours is gone");
    assert_eq!(host.picture(), before, "settings and addresses are as they were found");
}

/// Put there while the director runs, on its own VIP.
#[test]
fn a_foreign_service_that_comes_later_is_left_alone() {
    let host = Lone::new();
    let mut director = host.start(&policy("remove"));
    put_there_by_hand(&host);
    stays("the foreign table", A_WHILE, || check(&host, true));
    director.kill();
    director.start_again();
    stays("the foreign table", A_WHILE, || check(&host, true));
    assert!(director.stop().success());
    check(&host, false).expect("only ours is gone");
}
