//! `tandem doctor` on a director whose host is broken in one way after the other. No IPVS is needed: what it says of modules
//! is left out here. (Settings of IPVS and the clock: tests/lab/doctor.rs.)

use crate::stage::{INTERFACE, NAMES, PREFERRED, Stage};
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// NAT on the directors' own network.
const POLICY: &str = "policy_version: 1
directors:
  lb-a: {address: 192.168.101.200}
  lb-b: {address: 192.168.101.201}
virtual_routers:
  outside: {interface: eth0, vrid: 51, prefer: [lb-a, lb-b], virtual_addresses: [192.168.101.100/24]}
connection_sync: {interface: eth0, sync_id: 61, role: {follow: outside}}
pools:
  web:
    virtual_services: [tcp://192.168.101.100:80]
    forwarding: nat
    check: none
    real_servers: [192.168.101.110:8080]
";

struct Visit {
    stage: Stage,
    policy: PathBuf,
}

impl Visit {
    fn new() -> Self {
        let stage = Stage::new();
        let policy = stage.folder().join("tandem.yaml");
        fs::write(&policy, POLICY).expect("the policy");
        Self { stage, policy }
    }

    fn host(&self) -> &Namespace {
        &self.stage.directors[PREFERRED]
    }

    fn findings(&self, more: &[&str]) -> Vec<serde_json::Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command.arg("doctor").arg(&self.policy).args(["--director", NAMES[PREFERRED], "--json"]).args(more);
        let output = self.host().output(&mut command);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let findings = document["findings"].as_array().expect("findings").clone();
        let is_bad = findings.iter().any(|finding| finding["mark"] == "look");
        assert_eq!(output.status.code(), Some(i32::from(is_bad)), "{findings:?}");
        findings
    }

    /// The codes of what is to be looked at, but for what this machine's kernel cannot have and who keeps its clock.
    fn looks(&self) -> BTreeSet<String> {
        let findings = self.findings(&[]);
        let looks = findings.iter().filter(|finding| finding["mark"] == "look");
        let codes = looks.map(|finding| finding["code"].as_str().expect("a code").to_owned());
        codes
            .filter(|code| !code.starts_with("module") && !["clock", "stolen-time"].contains(&code.as_str()))
            .collect()
    }

    #[track_caller]
    fn assert_looks(&self, codes: &[&str]) {
        let looks = self.looks();
        assert_eq!(looks.iter().map(String::as_str).collect::<Vec<_>>(), codes);
    }

    /// Breaks something, sees that it is found, mends it, and sees that it is well again.
    #[track_caller]
    fn broken(&self, codes: &[&str], break_it: impl FnOnce(&Namespace), mend_it: impl FnOnce(&Namespace)) {
        break_it(self.host());
        self.assert_looks(codes);
        mend_it(self.host());
        self.assert_looks(&[]);
    }
}

#[test]
fn settings_that_tandem_would_set_are_found_and_fixed() {
    let visit = Visit::new();
    visit.assert_looks(&["ip-forward", "send-redirects"]);
    let fixed: Vec<String> = visit
        .findings(&["--fix"])
        .iter()
        .filter(|finding| finding["code"] == "fixed")
        .map(|finding| format!("{}: {}", finding["what"], finding["evidence"]).replace('"', ""))
        .collect();
    assert!(fixed.contains(&"net.ipv4.ip_forward=1: it was 0, and is set now".to_owned()), "{fixed:?}");
    assert_eq!(visit.host().read_sysctl("net.ipv4.ip_forward"), "1");
    visit.assert_looks(&[]);
    visit.broken(
        &["ip-forward"],
        |host| host.sysctl(&[("net.ipv4.ip_forward", "0")]),
        |host| host.sysctl(&[("net.ipv4.ip_forward", "1")]),
    );
}

#[test]
fn interfaces_and_addresses_that_are_missing_are_found() {
    let visit = Visit::new();
    visit.findings(&["--fix"]);
    let down = |host: &Namespace| host.ip(&format!("link set {INTERFACE} down"));
    let up = |host: &Namespace| host.ip(&format!("link set {INTERFACE} up"));
    visit.broken(&["interface-down", "server-unreachable"], down, up);
    let pull = |_: &Namespace| visit.stage.set_cable(PREFERRED, false);
    let plug = |_: &Namespace| visit.stage.set_cable(PREFERRED, true);
    visit.broken(&["interface-no-carrier"], pull, plug);
    visit.host().ip(&format!("address flush dev {INTERFACE}"));
    visit.assert_looks(&["own-address", "server-unreachable"]);
}

/// A chain at a hook, with its policy and its rules.
fn chain(family: &str, hook: &str, policy: &str, rules: &[&str]) -> String {
    let rules = rules.join("\n");
    format!(
        "table {family} filter {{\nchain {hook} {{\ntype filter hook {hook} priority 0\npolicy {policy}\n{rules}\n}}\n}}\n"
    )
}

fn load(host: &Namespace, rules: &str) {
    host.run_with_input("nft", &["-f", "/proc/self/fd/0"], rules);
}

#[test]
fn a_firewall_that_drops_what_the_pair_needs_is_found() {
    let visit = Visit::new();
    visit.findings(&["--fix"]);
    let known = "ct state established,related accept";
    let dropping = [
        chain("inet", "input", "accept", &["ip protocol 112 drop"]),
        chain("inet", "output", "accept", &["meta l4proto vrrp counter reject"]),
        chain("ip", "input", "drop", &[known, "tcp dport 22 accept"]),
        chain("inet", "input", "accept", &[known, "meta l4proto { icmp, vrrp } accept", "drop"]),
        chain(
            "inet",
            "forward",
            "accept",
            &["ct state vmap { established : accept, related : accept, invalid : drop }"],
        ),
    ];
    for rules in dropping {
        load(visit.host(), &rules);
        assert_eq!(visit.looks().into_iter().collect::<Vec<_>>(), ["firewall"], "{rules}");
        load(visit.host(), "flush ruleset\n");
        visit.assert_looks(&[]);
    }
    let accepting = [
        "iif lo accept",
        known,
        "meta l4proto { icmp, 112 } accept",
        "ip saddr 192.168.101.201 udp dport { 8848, 9751 } accept",
        "tcp dport { 22, 80-443 } accept",
    ];
    load(visit.host(), &chain("inet", "input", "drop", &accepting));
    load(visit.host(), &chain("ip6", "input", "drop", &[known]));
    visit.assert_looks(&[]);
}

#[test]
fn another_program_that_holds_vrrp_is_found_where_it_shares_the_network() {
    let visit = Visit::new();
    visit.findings(&["--fix"]);
    // The kernel knows a process by the name of its file.
    let program = visit.stage.folder().join("keepalived");
    fs::copy("/bin/sleep", &program).expect("a copy");
    let start = |host: &Namespace| {
        let log = visit.stage.folder().join("log");
        Process::start(host, program.to_str().expect("a plain path"), &["60"], &log)
    };
    let elsewhere = start(&visit.stage.client);
    visit.assert_looks(&[]);
    drop(elsewhere);
    let here = start(visit.host());
    visit.assert_looks(&["other-program"]);
    drop(here);
    visit.assert_looks(&[]);
}
