use super::*;
use crate::kernel::netlink::{Message, attributes_of};

fn listed(address: &str, prefix_length: u8, flags: u32) -> Listed {
    Listed { index: 3, address: address.parse().expect("an address"), prefix_length, flags }
}

fn chosen(list: &[Listed], family: Family, floating: &[&str], own: &[&str]) -> Option<String> {
    let parse = |text: &&str| text.parse::<IpAddr>().expect("an address");
    let floating: BTreeSet<IpAddr> = floating.iter().map(parse).collect();
    let own: Vec<IpAddr> = own.iter().map(parse).collect();
    let wanted = Wanted { index: 3, family, floating: &floating, own: &own };
    choose(list, wanted).map(|source| source.addr().to_string())
}

#[test]
fn a_floating_address_is_never_the_source_even_if_it_came_first() {
    let list = [
        listed("192.0.2.100", 24, IFA_F_PERMANENT),
        listed("192.0.2.5", 24, IFA_F_PERMANENT | IFA_F_SECONDARY),
    ];
    assert_eq!(chosen(&list, Family::Ipv4, &["192.0.2.100"], &[]).as_deref(), Some("192.0.2.5"));
    assert_eq!(chosen(&list[..1], Family::Ipv4, &["192.0.2.100"], &[]), None);
}

#[test]
fn the_own_address_comes_first_then_what_looks_least_like_a_virtual_one() {
    let single = listed("192.0.2.100", 32, IFA_F_PERMANENT);
    let leased = listed("192.0.2.6", 24, 0);
    let secondary = listed("192.0.2.7", 24, IFA_F_PERMANENT | IFA_F_SECONDARY);
    let primary = listed("192.0.2.8", 24, IFA_F_PERMANENT);
    let list = [single, leased, secondary, primary];
    assert_eq!(chosen(&list, Family::Ipv4, &[], &["192.0.2.100"]).as_deref(), Some("192.0.2.100"));
    assert_eq!(chosen(&list, Family::Ipv4, &[], &[]).as_deref(), Some("192.0.2.8"));
    assert_eq!(chosen(&list[..3], Family::Ipv4, &[], &[]).as_deref(), Some("192.0.2.6"));
    assert_eq!(chosen(&[single, secondary], Family::Ipv4, &[], &[]).as_deref(), Some("192.0.2.100"));
}

#[test]
fn ipv6_sends_from_a_link_local_address_that_has_passed_detection() {
    let global = listed("2001:db8::1", 64, IFA_F_PERMANENT);
    let tentative = listed("fe80::1", 64, IFA_F_PERMANENT | IFA_F_TENTATIVE);
    let failed = listed("fe80::2", 64, IFA_F_PERMANENT | IFA_F_TENTATIVE | IFA_F_DADFAILED);
    let virtual_one = listed("fe80::3", 128, IFA_F_PERMANENT | IFA_F_DEPRECATED);
    let good = listed("fe80::4", 64, IFA_F_PERMANENT);
    let list = [global, tentative, failed, virtual_one, good];
    assert_eq!(chosen(&list, Family::Ipv6, &[], &[]).as_deref(), Some("fe80::4"));
    assert_eq!(chosen(&list[..3], Family::Ipv6, &[], &[]), None);
    assert_eq!(chosen(&list, Family::Ipv6, &["fe80::4"], &[]).as_deref(), Some("fe80::3"));
}

#[test]
fn another_interfaces_address_is_not_chosen() {
    let elsewhere = Listed { index: 4, ..listed("192.0.2.5", 24, IFA_F_PERMANENT) };
    assert_eq!(chosen(&[elsewhere], Family::Ipv4, &[], &[]), None);
}

#[test]
fn a_listing_is_read_with_its_own_end_and_all_its_flags() {
    let mut attributes = Message::new(0, 0);
    attributes.put(IFA_ADDRESS, &[198, 51, 100, 2]);
    attributes.put(IFA_LOCAL, &[198, 51, 100, 1]);
    attributes.put_u32(IFA_FLAGS, 0x280);
    let mut payload = vec![2, 32, 0x80, 0];
    payload.extend_from_slice(&3_u32.to_ne_bytes());
    payload.extend_from_slice(&attributes_of(&attributes, 0));
    assert_eq!(Listed::read(&payload), Some(listed("198.51.100.1", 32, 0x280)));
    for length in 0..payload.len() {
        let _ = Listed::read(&payload[..length]);
    }
    payload[0] = 7;
    assert_eq!(Listed::read(&payload), None);
}
