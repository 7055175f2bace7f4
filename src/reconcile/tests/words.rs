//! What an operator reads: the line of each kind of change, and the closed lists of the metrics' labels.

use super::*;
use crate::model::{Persistence, Ruleset, ServiceConfig, Timeouts};
use crate::reconcile::{Object, Table, Verb};
use std::collections::BTreeSet;

const PERSISTENT: Persistence = Persistence { timeout_s: 300, prefix: 24 };

fn plain() -> ServiceConfig {
    service(tcp(VIP, 80), "rr").config
}

/// Everything that a service can say beside its scheduler.
fn laden() -> ServiceConfig {
    let mut config = plain();
    config.flags.one_packet = true;
    config.flags.scheduler_1 = true;
    config.flags.scheduler_2 = true;
    config.flags.scheduler_3 = true;
    config.persistence = Some(PERSISTENT);
    config.persistence_engine = Some("sip".to_owned());
    config
}

fn destination(weight: u32, upper: u32) -> Destination {
    let thresholds = Thresholds { upper, lower: upper / 2 };
    Destination { method: ForwardingMethod::DirectRoute, weight, thresholds }
}

fn address() -> VirtualAddress {
    VirtualAddress { address: "192.168.101.100/24".parse().expect("net"), interface: "eth0".into() }
}

/// A change, its line, its `kind`, its table and its verb.
type Told = (Change, &'static str, &'static str, &'static str, Verb);

/// One of each kind.
fn each() -> Vec<Told> {
    [of_services(), of_destinations(), of_the_rest()].concat()
}

fn of_services() -> Vec<Told> {
    let service = tcp(VIP, 80);
    let persistent = ServiceConfig { persistence: Some(PERSISTENT), ..plain() };
    vec![
        (
            Change::AddService { service, config: laden() },
            "+ service tcp://192.168.101.100:80: scheduler rr, one packet, flag-1, flag-2, flag-3, persistent 300s /24, \
             engine sip",
            "add_service",
            "services",
            Verb::Add,
        ),
        (
            Change::EditService { service, from: plain(), to: persistent },
            "~ service tcp://192.168.101.100:80: scheduler rr -> scheduler rr, persistent 300s /24",
            "edit_service",
            "services",
            Verb::Edit,
        ),
        (
            Change::RemoveService { service },
            "- service tcp://192.168.101.100:80",
            "remove_service",
            "services",
            Verb::Remove,
        ),
    ]
}

fn of_destinations() -> Vec<Told> {
    let (service, key) = (tcp(VIP, 80), key("192.168.101.110"));
    vec![
        (
            Change::AddDestination { service, key, destination: destination(2, 100) },
            "+ destination 192.168.101.110:80 of tcp://192.168.101.100:80: direct route, weight 2, thresholds 50..100",
            "add_destination",
            "destinations",
            Verb::Add,
        ),
        (
            Change::EditDestination { service, key, from: destination(1, 0), to: destination(2, 100) },
            "~ destination 192.168.101.110:80 of tcp://192.168.101.100:80: weight 1 -> 2, thresholds 0..0 -> thresholds \
             50..100",
            "edit_destination",
            "destinations",
            Verb::Edit,
        ),
        (
            Change::RemoveDestination { service, key },
            "- destination 192.168.101.110:80 of tcp://192.168.101.100:80",
            "remove_destination",
            "destinations",
            Verb::Remove,
        ),
    ]
}

fn of_the_rest() -> Vec<Told> {
    use SyncDaemonRole::{Backup, Master};
    use Verb::{Add, Edit, Remove};
    let to = Timeouts { tcp_s: Some(900), tcp_fin_s: None, udp_s: Some(30) };
    let (sysctl, from) = (Sysctl::from_path("net/ipv4/ip_forward"), "0".to_owned());
    let forward = Change::SetSysctl { sysctl, from, to: "1".to_owned() };
    let replace = Change::ReplaceRuleset { to: Ruleset::default() };
    let start = Change::StartSyncDaemon { daemon: daemon(Master) };
    let stop = Change::StopSyncDaemon { daemon: daemon(Backup) };
    let (add, remove) =
        (Change::AddAddress { address: address() }, Change::RemoveAddress { address: address() });
    let replaced = "~ nftables table inet tandem: replace in one transaction";
    vec![
        (start, "+ sync daemon master on eth1 (sync id 61)", "start_sync_daemon", "sync_daemons", Add),
        (stop, "- sync daemon backup on eth1 (sync id 61)", "stop_sync_daemon", "sync_daemons", Remove),
        (Change::SetTimeouts { to }, "~ IPVS timeouts: tcp 900s, udp 30s", "set_timeouts", "timeouts", Edit),
        (replace, replaced, "replace_ruleset", "nftables", Edit),
        (Change::RemoveRuleset, "- nftables table inet tandem", "remove_ruleset", "nftables", Remove),
        (forward, "~ sysctl net.ipv4.ip_forward: 0 -> 1", "set_sysctl", "sysctls", Edit),
        (add, "+ address 192.168.101.100/24 on eth0", "add_address", "addresses", Add),
        (remove, "- address 192.168.101.100/24 on eth0", "remove_address", "addresses", Remove),
    ]
}

#[test]
fn each_change_reads_as_one_line_and_is_counted_by_kind_table_and_verb() {
    for (change, line, kind, table, verb) in each() {
        assert_eq!(change.to_string(), line);
        assert_eq!((change.kind(), change.table().name(), change.verb()), (kind, table, verb), "{line}");
    }
}

#[test]
fn an_edit_says_only_what_differs() {
    let (service, key) = (tcp(VIP, 80), key("192.168.101.110"));
    let line = |from, to| Change::EditDestination { service, key, from, to }.to_string();
    let from = destination(1, 0);
    let to = Destination { method: ForwardingMethod::Masquerade, ..from };
    let head = "~ destination 192.168.101.110:80 of tcp://192.168.101.100:80";
    assert_eq!(line(from, to), format!("{head}: direct route -> masquerade"));
    assert_eq!(line(from, destination(0, 0)), format!("{head}: weight 1 -> 0"));
}

#[test]
fn a_setting_that_is_not_there_reads_as_missing() {
    let sysctl = Sysctl::from_path("net/ipv4/vs/conntrack");
    let change = Change::SetSysctl { sysctl, from: String::new(), to: "1".into() };
    assert_eq!(change.to_string(), "~ sysctl net.ipv4.vs.conntrack: (missing) -> 1");
}

#[test]
fn every_table_has_a_name_of_its_own_and_every_change_is_of_one() {
    let names: BTreeSet<_> = Table::ALL.iter().map(|table| table.name()).collect();
    assert_eq!(names.len(), Table::ALL.len());
    let found: BTreeSet<_> = each().iter().map(|(change, ..)| change.table()).collect();
    assert_eq!(found, Table::ALL.into(), "no table without a change");
    let objects: BTreeSet<Object> = each().iter().map(|(change, ..)| change.object()).collect();
    // Master's and Backup's daemon are two objects.
    assert_eq!(objects.len(), Table::ALL.len() + 1);
}
