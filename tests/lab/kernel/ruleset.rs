//! The nftables table: what nft makes of it, digests, drift, and that nothing else is touched.

use super::*;
use std::collections::BTreeSet;
use tandem::model::{Family, ObservedRuleset, Ruleset, SourceTranslation};

fn scope() -> Scope {
    Scope { ruleset: true, ..Scope::default() }
}

fn ruleset(kernel: &mut LinuxKernel) -> ObservedRuleset {
    kernel.observe(&scope()).expect("the table can be read").ruleset
}

fn local(addresses: &[&str]) -> SourceTranslation {
    SourceTranslation::LocalAddresses(addresses.iter().map(|text| address(text)).collect())
}

/// One of everything that a ruleset can hold.
fn everything() -> Ruleset {
    let of = |protocol, vip: &str, port| ServiceKey::Address { protocol, address: address(vip), port };
    let mark = |family, mark| ServiceKey::FirewallMark { family, mark };
    let masquerade = || SourceTranslation::Masquerade;
    let both = || local(&["192.168.101.200", "192.168.101.201", "fd00:192:168:101::200"]);
    let source_translations = BTreeMap::from([
        (
            (Family::Ipv4, masquerade()),
            BTreeSet::from([of(Protocol::Tcp, VIP, 80), of(Protocol::Udp, VIP, 53)]),
        ),
        ((Family::Ipv6, masquerade()), BTreeSet::from([of(Protocol::Sctp, VIP6, 80), mark(Family::Ipv6, 8)])),
        ((Family::Ipv4, both()), BTreeSet::from([of(Protocol::Tcp, VIP, 0), mark(Family::Ipv4, 7)])),
        ((Family::Ipv6, both()), BTreeSet::from([of(Protocol::Tcp, VIP6, 80)])),
        ((Family::Ipv4, local(&[DIP])), BTreeSet::from([of(Protocol::Tcp, "192.168.101.99", 80)])),
    ]);
    Ruleset {
        repeatable_sources: false,
        source_translations,
        marks: BTreeMap::from([
            (of(Protocol::Tcp, VIP, 443), 7),
            (of(Protocol::Tcp, VIP, 8443), 7),
            (of(Protocol::Udp, VIP6, 443), 8),
        ]),
        untracked: BTreeSet::from([
            of(Protocol::Udp, VIP, 5060),
            of(Protocol::Tcp, VIP6, 0),
            mark(Family::Ipv4, 99),
        ]),
        untracked_replies: BTreeSet::from([
            (Protocol::Udp, address("192.168.101.110"), 5060),
            (Protocol::Tcp, address("fd00:192:168:101::110"), 0),
        ]),
        withheld_resets: [VIP, "192.168.101.99", VIP6].map(address).into(),
        withheld_replies: BTreeSet::from([(Protocol::Tcp, address("192.168.101.111"), 8080)]),
        awaited_replies: BTreeSet::from([
            (Protocol::Tcp, address("192.168.101.112"), 8080),
            (Protocol::Udp, address("fd00:192:168:101::112"), 53),
        ]),
        awaited_at: [DIP, "fd00:192:168:101::200"].map(address).into(),
    }
}

#[test]
fn every_rule_is_taken_and_its_digest_is_stable() {
    in_namespace(|kernel| {
        assert_eq!(ruleset(kernel), ObservedRuleset::Absent);
        run("nft add table inet foreign");
        apply(kernel, &[Change::ReplaceRuleset { to: everything() }]);
        let first = ruleset(kernel);
        assert!(matches!(first, ObservedRuleset::Present(_)));
        assert_eq!(ruleset(kernel), first, "nothing moved");
        apply(kernel, &[Change::ReplaceRuleset { to: everything() }]);
        assert_eq!(ruleset(kernel), first, "the same rules, made again");
        assert_eq!(ruleset(&mut LinuxKernel::new()), first, "as another process sees them");
        let repeatable = Ruleset { repeatable_sources: true, ..everything() };
        apply(kernel, &[Change::ReplaceRuleset { to: repeatable }]);
        assert_ne!(ruleset(kernel), first, "sources that follow from the client");
        assert_eq!(ruleset(kernel), ruleset(&mut LinuxKernel::new()));
        apply(kernel, &[Change::RemoveRuleset, Change::RemoveRuleset]);
        assert_eq!(ruleset(kernel), ObservedRuleset::Absent);
        assert_eq!(run("nft list tables").trim(), "table inet foreign");
    });
}

#[test]
fn each_drift_is_seen() {
    in_namespace(|kernel| {
        apply(kernel, &[Change::ReplaceRuleset { to: everything() }]);
        let right = ruleset(kernel);
        for drift in [
            "nft delete element inet tandem source_tcp_4 { 192.168.101.100 . 80 }",
            "nft add element inet tandem untracked_4 { 192.168.101.77 . tcp . 80 }",
            "nft add rule inet tandem prerouting drop",
            "nft flush chain inet tandem postrouting",
            "nft add set inet tandem more { type mark; }",
            "nft delete table inet tandem",
        ] {
            run(drift);
            let found = ruleset(kernel);
            assert_ne!(found, right, "{drift}");
            assert_eq!(found == ObservedRuleset::Absent, drift.contains("delete table"));
            apply(kernel, &[Change::ReplaceRuleset { to: everything() }]);
            assert_eq!(ruleset(kernel), right, "after {drift}");
        }
        run("nft add table inet foreign");
        assert_eq!(ruleset(kernel), right, "another table is none of ours");
    });
}
