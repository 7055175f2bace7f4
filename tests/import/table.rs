//! The kernel's table that comes of an import while every server is up, line by line as `ipvsadm -Sn` prints it.
//!
//! A saved table must come back as it was. Beside some keepalived.conf stands the table that keepalived builds of it.

use super::{compare, fixtures, loaded};
use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use tandem::desired::{self, Situation};
use tandem::import::{Source, Verdict};
use tandem::model::{
    DestinationKey, Encapsulation, Family, ForwardingMethod, HostFacts, Policy, Protocol, Roles,
    ServiceConfig, ServiceKey, TunnelChecksum,
};
use tandem::rotation::Placement;

/// The lines of the table, as sets of words: their order does not matter.
fn lines(policy: &Policy) -> Vec<String> {
    let (host, roles) = (HostFacts::default(), Roles::default());
    let situation = Situation { host: &host, roles: &roles };
    let tables = desired::tables(policy, situation, |pool| Placement::by_verdict(pool, |_| true));
    let mut lines = Vec::new();
    for (key, service) in &tables.services {
        lines.push(format!("-A {} {}", name(key), config(key, &service.config)));
        for (destination, state) in &*service.destinations {
            let thresholds = match (state.thresholds.upper, state.thresholds.lower) {
                (0, _) => String::new(),
                (upper, 0) => format!(" -x {upper}"),
                (upper, lower) => format!(" -x {upper} -y {lower}"),
            };
            let six =
                if matches!(key, ServiceKey::FirewallMark { family: Family::Ipv6, .. }) { " -6" } else { "" };
            let (method, real) = (method(&state.method), endpoint(destination));
            lines.push(format!(
                "-a {} -r {real} {method} -w {}{thresholds}{six}",
                mark_or_name(key),
                state.weight
            ));
        }
    }
    lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn at(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    }
}

fn endpoint(key: &DestinationKey) -> String {
    at(key.address, key.port)
}

fn mark_or_name(key: &ServiceKey) -> String {
    match key {
        ServiceKey::FirewallMark { mark, .. } => format!("-f {mark}"),
        ServiceKey::Address { protocol, address, port } => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
            };
            format!("{option} {}", at(*address, *port))
        }
    }
}

fn name(key: &ServiceKey) -> String {
    let six = matches!(key, ServiceKey::FirewallMark { family: Family::Ipv6, .. });
    format!("{}{}", mark_or_name(key), if six { " -6" } else { "" })
}

fn config(key: &ServiceKey, config: &ServiceConfig) -> String {
    let scheduler = &config.scheduler.0;
    let mut text = format!("-s {scheduler}");
    if let Some(persistence) = config.persistence {
        text.push_str(&format!(" -p {}", persistence.timeout_s));
        text.push_str(&match (key.family(), persistence.prefix) {
            (Family::Ipv4, 32) | (Family::Ipv6, 128) => String::new(),
            (Family::Ipv4, prefix) => format!(
                " -M {}",
                ipnet::Ipv4Net::new([0, 0, 0, 0].into(), prefix).expect("a prefix").netmask()
            ),
            (Family::Ipv6, prefix) => format!(" -M {prefix}"),
        });
    }
    text.push_str(
        &config.persistence_engine.iter().map(|engine| format!(" --pe {engine}")).collect::<String>(),
    );
    let flags = [(config.flags.scheduler_1, "fallback"), (config.flags.scheduler_2, "port")];
    let flags: Vec<String> =
        flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| format!("{scheduler}-{flag}")).collect();
    if !flags.is_empty() {
        text.push_str(&format!(" -b {}", flags.join(",")));
    }
    if config.flags.one_packet {
        text.push_str(" -o");
    }
    text
}

fn method(method: &ForwardingMethod) -> String {
    let checksum = |checksum: TunnelChecksum| match checksum {
        TunnelChecksum::None => "",
        TunnelChecksum::Full => " --tun-csum",
        TunnelChecksum::Remote => " --tun-remcsum",
    };
    match method {
        ForwardingMethod::Masquerade => "-m".to_owned(),
        ForwardingMethod::DirectRoute => "-g".to_owned(),
        ForwardingMethod::Tunnel(Encapsulation::IpIp) => "-i --tun-type ipip".to_owned(),
        ForwardingMethod::Tunnel(Encapsulation::Gue { port, checksum: of }) => {
            format!("-i --tun-type gue --tun-port {port}{}", checksum(*of))
        }
        ForwardingMethod::Tunnel(Encapsulation::Gre { checksum: of }) => {
            format!("-i --tun-type gre{}", checksum(*of))
        }
        other => format!("{other:?}"),
    }
}

/// A line as the set of its options, each with its value.
fn options(line: &str) -> BTreeSet<String> {
    let mut options: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        match options.last_mut() {
            Some(last) if !word.starts_with('-') => last.push_str(&format!(" {word}")),
            _ => options.push(word.to_owned()),
        }
    }
    options.into_iter().collect()
}

#[test]
fn a_saved_table_comes_back_as_it_was() {
    for name in ["50-ipvsadm-basic", "51-ipvsadm-dr-tun", "52-ipvsadm-marks-v6", "54-ipvsadm-cluster"] {
        let file = Path::new("tests/import").join(format!("{name}.save"));
        let source = Source { path: file.clone(), config_id: String::new() };
        let imported =
            tandem::import::import(&source, None, None, &tandem::cli::files::Disk).expect("an import");
        let same = imported.lines.iter().filter(|line| line.verdict == Verdict::Same);
        let saved: BTreeSet<BTreeSet<String>> = same.map(|line| options(&line.text)).collect();
        let table: BTreeSet<BTreeSet<String>> =
            lines(&loaded(&file)).iter().map(|line| options(line)).collect();
        assert_eq!(table, saved, "{name}");
        assert!(!saved.is_empty());
    }
}

#[test]
fn the_tables_of_keepalived_files_are_those_beside_them() {
    let with_table: Vec<_> =
        fixtures().into_iter().filter(|file| file.with_extension("table").exists()).collect();
    assert!(with_table.len() >= 8, "{} tables", with_table.len());
    let differing: Vec<String> = with_table
        .iter()
        .filter_map(|file| {
            let text = lines(&loaded(file)).join("\n");
            compare(&format!("{text}\n"), &file.with_extension("table"))
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(
        with_table.iter().all(|file| fs::metadata(file.with_extension("table")).is_ok_and(|of| of.len() > 1))
    );
}
