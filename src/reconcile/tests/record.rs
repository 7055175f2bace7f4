//! Timeouts and addresses, and what the record of what is ours says of them.

use super::*;
use crate::model::Timeouts;
use crate::reconcile::RulesetRecord;

const NONE: Timeouts = Timeouts { tcp_s: None, tcp_fin_s: None, udp_s: None };

fn held() -> VirtualAddress {
    VirtualAddress { address: "192.168.101.100/24".parse().expect("net"), interface: "eth0".into() }
}

fn timed(timeouts: Timeouts) -> Tables {
    Tables { timeouts, ..Tables::default() }
}

#[test]
fn timeouts_that_differ_are_set_and_the_others_left_alone() {
    let found = Timeouts { tcp_s: Some(900), tcp_fin_s: Some(120), udp_s: Some(300) };
    for (wanted, to) in [
        (NONE, NONE),
        (found, NONE),
        (Timeouts { tcp_s: Some(60), ..found }, Timeouts { tcp_s: Some(60), ..NONE }),
        (Timeouts { tcp_fin_s: Some(9), ..NONE }, Timeouts { tcp_fin_s: Some(9), ..NONE }),
        (Timeouts { udp_s: Some(9), ..found }, Timeouts { udp_s: Some(9), ..NONE }),
    ] {
        let mut observed = Observed { timeouts: found, ..Observed::default() };
        let changes = plan(&timed(wanted), &observed, &Ownership::default());
        let expected: Vec<Change> = (to != NONE).then_some(Change::SetTimeouts { to }).into_iter().collect();
        assert_eq!(changes, expected, "{wanted:?}");
        apply(&mut observed, &changes);
        assert_eq!(plan(&timed(wanted), &observed, &Ownership::default()), [], "{wanted:?}");
        let kept = (to.tcp_s.or(found.tcp_s), to.tcp_fin_s.or(found.tcp_fin_s), to.udp_s.or(found.udp_s));
        let seen = observed.timeouts;
        assert_eq!((seen.tcp_s, seen.tcp_fin_s, seen.udp_s), kept, "{wanted:?}");
    }
}

#[test]
fn an_address_of_ours_that_is_no_longer_wanted_goes_first_and_a_foreign_one_stays() {
    let mut policy = dr();
    policy.virtual_addresses = vec![held()];
    let (mut observed, owned) = settled(&desired(&policy));
    assert!(observed.addresses.contains(&held()));
    let changes = plan(&Tables::default(), &observed, &owned);
    assert_eq!(changes.first(), Some(&Change::RemoveAddress { address: held() }));
    assert_eq!(changes.iter().filter(|change| change.kind() == "remove_address").count(), 1);
    apply(&mut observed, &changes);
    assert!(observed.addresses.is_empty());
    assert!(
        !plan(&Tables::default(), &observed, &owned).iter().any(|change| change.kind() == "remove_address"),
        "what is gone is not removed again"
    );
    observed.addresses.insert(held());
    let foreign = plan(&Tables::default(), &observed, &Ownership::default());
    assert_eq!(foreign, []);
}

#[test]
fn the_record_keeps_what_is_wanted_or_there_and_forgets_what_is_neither() {
    let mut policy = full_nat();
    policy.virtual_addresses = vec![held()];
    let desired = Tables { sync_daemons: [daemon(SyncDaemonRole::Backup)].into(), ..desired(&policy) };
    let (observed, owned) = settled(&desired);
    let nothing = Tables::default();
    let there = owned.after(&nothing, &observed);
    assert_eq!(there.services, owned.services, "still there: still to be removed");
    assert_eq!((&there.addresses, &there.sync_daemons), (&owned.addresses, &owned.sync_daemons));
    assert_eq!(there.ruleset, owned.ruleset);
    let wanted = owned.after(&desired, &Observed::default());
    assert_eq!(wanted.services, owned.services, "somebody removed it, and it is wanted");
    assert_eq!((&wanted.addresses, &wanted.sync_daemons), (&owned.addresses, &owned.sync_daemons));
    assert_eq!(wanted.ruleset, owned.ruleset);
    let gone = owned.after(&nothing, &Observed::default());
    assert!(gone.services.is_empty() && gone.addresses.is_empty() && gone.sync_daemons.is_empty());
    assert_eq!(gone.ruleset, None);
}

#[test]
fn a_record_of_another_boot_is_an_empty_one_of_this() {
    let (_, owned) = settled(&desired(&dr()));
    let now = Epoch { boot_id: "two".into(), namespace: "net:[1]".into() };
    assert_eq!(owned.valid_in(now.clone()), Ownership { epoch: now, ..Ownership::default() });
}

#[test]
fn a_ruleset_is_listed_once_it_was_seen_and_pending_again_in_another_process() {
    let desired = desired(&full_nat());
    let (_, owned) = settled(&desired);
    assert!(matches!(&owned.ruleset, Some(RulesetRecord::Listed { listing, .. }) if listing == "as listed"));
    let listed = owned.clone().valid_in(Epoch::default());
    assert_eq!(listed.ruleset, owned.ruleset, "what was listed is known in every run");
    let applied = Some(RulesetRecord::Applied { fingerprint: "0".to_owned() });
    let applied = Ownership { ruleset: applied, ..owned };
    assert_eq!(applied.valid_in(Epoch::default()).ruleset, Some(RulesetRecord::Pending));
}

#[test]
fn another_ruleset_replaces_the_one_that_was_made_of_the_policy_before() {
    let (observed, owned) = settled(&desired(&full_nat()));
    let local = SourceTranslation::LocalAddresses(vec![ip("10.20.0.20")]);
    let edited = desired(&policy([pool("web", VIP, &Forwarding::FullNat(local))]));
    let kinds: Vec<_> = plan(&edited, &observed, &owned).iter().map(Change::kind).collect();
    assert_eq!(kinds, ["replace_ruleset"], "though the table is as it was listed");
    // The same where it was accepted, and not listed yet.
    let wanted = desired(&full_nat());
    let made = Change::ReplaceRuleset { to: wanted.ruleset.clone() };
    let mut applied = owned.clone();
    applied.answered(&made, true);
    assert_eq!(plan(&wanted, &observed, &applied), []);
    let kinds: Vec<_> = plan(&edited, &observed, &applied).iter().map(Change::kind).collect();
    assert_eq!(kinds, ["replace_ruleset"]);
}

#[test]
fn the_first_value_found_is_the_one_to_restore() {
    let forward = Sysctl::from_path("net/ipv4/ip_forward");
    let set = |from: &str, to: &str| Change::SetSysctl {
        sysctl: forward.clone(),
        from: from.to_owned(),
        to: to.to_owned(),
    };
    let record = |owned: &Ownership| owned.sysctls.get(&forward).cloned();
    let none = Tables::default();
    let missing = Ownership::default().before(&none, &[set("", "1")]);
    assert_eq!(record(&missing), None, "there was nothing to give back");
    let first = Ownership::default().before(&none, &[set("0", "1")]);
    assert_eq!(record(&first), Some(FoundValue { found: "0".into(), set: "1".into() }));
    let flipped = first.before(&none, &[set("7", "2")]);
    assert_eq!(record(&flipped), Some(FoundValue { found: "0".into(), set: "2".into() }));
    let restored = flipped.before(&none, &[set("2", "0")]);
    assert_eq!(record(&restored), record(&flipped), "to restore it changes nothing in the record");
}

#[test]
fn an_observation_asks_for_the_ruleset_and_the_addresses_that_are_wanted_or_ours() {
    let none = (Tables::default(), Ownership::default());
    assert!(!scope(&none.0, &none.1).ruleset);
    let wanted = desired(&full_nat());
    assert!(scope(&wanted, &none.1).ruleset);
    let ours = Ownership {
        ruleset: Some(RulesetRecord::Pending),
        addresses: [held()].into(),
        services: [tcp(VIP, 80)].into(),
        ..Ownership::default()
    };
    let seen = scope(&none.0, &ours);
    assert!(seen.ruleset && seen.addresses.contains(&held()));
    assert_eq!(seen.ipvs, IpvsScope::IfThere);
}
