//! Packet filters that drop what the policy needs, by the real nft and the older iptables.

use super::Visit;
use crate::world::namespace::Namespace;

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
    let vrrp = "a rule seems to drop VRRP of IPv4 (protocol 112)";
    let known = "ct state established,related accept";
    let dropping = [
        (chain("inet", "input", "accept", &["ip protocol 112 drop"]), vrrp),
        (chain("inet", "output", "accept", &["meta l4proto vrrp counter reject"]), vrrp),
        (
            chain("ip", "input", "drop", &[known, "tcp dport 22 accept"]),
            "none seems to accept VRRP of IPv4 (protocol 112), connection synchronisation (UDP 8848), requests to",
        ),
        (
            chain("inet", "input", "accept", &[known, "meta l4proto { icmp, vrrp } accept", "drop"]),
            "none seems to accept connection synchronisation (UDP 8848), requests to tcp://192.168.101.100:80",
        ),
        (
            chain("inet", "output", "drop", &["meta l4proto { udp, vrrp } accept"]),
            "what pool web sends to its real servers (nat)",
        ),
        (
            chain(
                "inet",
                "forward",
                "accept",
                &["ct state vmap { established : accept, related : accept, invalid : drop }"],
            ),
            "a rule seems to drop answers of pool web, which tracking calls invalid",
        ),
    ];
    for (rules, evidence) in dropping {
        load(visit.host(), &rules);
        visit.assert_complaints(&[("firewall", evidence, "accept it")]);
        load(visit.host(), "flush ruleset\n");
        visit.assert_complaints(&[]);
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
    visit.assert_complaints(&[]);
}

#[test]
fn rules_that_the_doctor_cannot_read_are_named() {
    let visit = Visit::new();
    let legacy = |host: &Namespace| drop(host.run("iptables-legacy -A INPUT -p 112 -j DROP"));
    let told = ("firewall-legacy", "the older iptables has rules too", "look with iptables-legacy-save");
    legacy(visit.host());
    visit.assert_complaints(&[told]);
    // A table of the older iptables stays until its network namespace ends.
    let visit = Visit::new();
    let unread = ("firewall-unread", "ermitted", "run the doctor as root");
    visit.broken_for_the_doctor(unread, "setpriv --bounding-set -net_admin --inh-caps -net_admin", "");
}
