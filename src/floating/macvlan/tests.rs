//! Which links are adopted, replaced, made and removed, and which settings go with them.

use super::*;

fn wanted() -> Macvlan {
    Macvlan {
        name: "vrrp4-51".into(),
        parent: "eth0".into(),
        family: Family::Ipv4,
        hardware_address: [0, 0, 0x5e, 0, 1, 51],
    }
}

fn eth0() -> FoundLink {
    FoundLink {
        name: "eth0".into(),
        index: 2,
        up: true,
        kind: None,
        parent: 0,
        mode: None,
        hardware_address: [2, 0, 0, 0, 0, 1],
        alias: None,
    }
}

fn right() -> FoundLink {
    FoundLink {
        name: "vrrp4-51".into(),
        index: 7,
        kind: Some(KIND.into()),
        parent: 2,
        mode: Some(MODE_BRIDGE),
        hardware_address: [0, 0, 0x5e, 0, 1, 51],
        alias: Some("tandem".into()),
        ..eth0()
    }
}

fn create() -> Change {
    Change::Create { macvlan: wanted(), parent: 2 }
}

fn remove() -> Change {
    Change::Remove { index: 7, name: "vrrp4-51".into() }
}

#[test]
fn a_link_is_made_where_its_parent_is_and_a_right_one_is_adopted() {
    assert_eq!(changes(&[wanted()], &[]), []);
    assert_eq!(changes(&[wanted()], &[eth0()]), [create()]);
    assert_eq!(changes(&[wanted()], &[eth0(), right()]), []);
    let of_another = FoundLink { alias: None, ..right() };
    assert_eq!(changes(&[wanted()], &[eth0(), of_another]), []);
}

#[test]
fn a_macvlan_that_is_wrong_in_anything_is_replaced_and_nothing_else_ever_removed() {
    let wrong = [
        FoundLink { parent: 3, ..right() },
        FoundLink { mode: Some(1), ..right() },
        FoundLink { hardware_address: [0, 0, 0x5e, 0, 1, 52], ..right() },
    ];
    for link in wrong {
        assert_eq!(changes(&[wanted()], &[eth0(), link.clone()]), [remove(), create()], "{link:?}");
    }
    for kind in [None, Some("dummy".to_owned())] {
        let other = FoundLink { kind, ..right() };
        assert_eq!(changes(&[wanted()], &[eth0(), other]), [create()], "the kernel will refuse it");
    }
}

#[test]
fn what_an_earlier_run_left_is_removed_and_what_others_made_is_not() {
    assert_eq!(changes(&[], &[eth0(), right()]), [remove()]);
    for alias in [None, Some("tandemic".to_owned()), Some("mine".to_owned())] {
        assert_eq!(changes(&[], &[eth0(), FoundLink { alias, ..right() }]), []);
    }
}

#[test]
fn a_strict_filter_of_all_interfaces_is_made_loose_on_the_macvlan() {
    let value_of = |all: &str| {
        let settings = own_settings(&wanted(), all);
        let rp_filter = Sysctl::from_path("net/ipv4/conf/vrrp4-51/rp_filter");
        settings.into_iter().find(|(sysctl, _)| *sysctl == rp_filter).map(|(_, value)| value)
    };
    assert_eq!(["0", "1", "2"].map(value_of), [Some("0"), Some("2"), Some("0")]);
}

#[test]
fn only_ipv6_speaks_ipv6() {
    let ipv6_off = (Sysctl::from_path("net/ipv6/conf/vrrp4-51/disable_ipv6"), "1");
    assert!(own_settings(&wanted(), "0").contains(&ipv6_off));
    let other = Macvlan { family: Family::Ipv6, name: "vrrp6-51".into(), ..wanted() };
    let no_address = (Sysctl::from_path("net/ipv6/conf/vrrp6-51/addr_gen_mode"), "1");
    assert!(own_settings(&other, "0").contains(&no_address));
    assert_eq!(parent_settings(&other), []);
}

#[test]
fn the_parents_settings_are_raised_never_lowered_and_restored_where_they_are_ours() {
    let needed: Vec<_> =
        ["0", "1", "2", "3", "8"].iter().map(|value| needed_of_parent("arp_ignore", value)).collect();
    assert_eq!(needed, [Some("1"), None, None, Some("1"), None]);
    assert_eq!(needed_of_parent("arp_announce", "1"), Some("2"));
    let before: Originals = [("arp_ignore".into(), "0".into()), ("arp_announce".into(), "2".into())].into();
    assert_eq!(restored("arp_ignore", "1", &before), Some("0"));
    assert_eq!(restored("arp_ignore", "8", &before), None, "somebody else changed it since");
    assert_eq!(restored("arp_announce", "2", &before), None, "it was so before");
}

#[test]
fn the_alias_remembers_what_was_there() {
    let before: Originals = [("arp_ignore".into(), "0".into()), ("arp_announce".into(), "1".into())].into();
    assert_eq!(alias(&before), "tandem arp_announce=1 arp_ignore=0");
    assert_eq!(originals(&alias(&before)), Some(before));
    assert_eq!(originals("tandem"), Some(Originals::new()));
    assert_eq!(originals("another"), None);
}
