use super::*;
use crate::kernel::netlink::attributes_of;

fn payload(family: u8, flags: u32) -> Vec<u8> {
    let mut attributes = Message::new(0, 0);
    attributes.put_string(IFLA_IFNAME, "eth1");
    let mut payload = vec![family, 0, 1, 0];
    payload.extend_from_slice(&7_u32.to_ne_bytes());
    payload.extend_from_slice(&flags.to_ne_bytes());
    payload.extend_from_slice(&[0; 4]);
    payload.extend_from_slice(&attributes_of(&attributes, 0));
    payload
}

#[test]
fn a_link_is_good_while_it_is_up_operational_and_has_carrier() {
    let good = |flags| link(&payload(0, flags)).map(|link| link.good);
    assert_eq!(good(0x1_1043), Some(true));
    assert_eq!(good(0x1_1043 & !0x1), Some(false));
    assert_eq!(good(0x1_1043 & !0x40), Some(false));
    assert_eq!(good(0x1043), Some(false));
}

#[test]
fn a_port_that_leaves_its_bridge_is_not_gone() {
    assert_eq!(event(RTM_DELLINK, &payload(7, 0x1_1043)), None);
    let gone = Some(LinkEvent::Gone { name: "eth1".to_owned(), index: 7 });
    assert_eq!(event(RTM_DELLINK, &payload(0, 0x1_1043)), gone);
}

#[test]
fn what_is_cut_short_is_no_link() {
    let whole = payload(0, 0x1_1043);
    assert!((0..24).all(|length| link(&whole[..length]).is_none()));
}

#[test]
fn the_loopback_interface_is_listed() {
    let links = list().expect("the kernel answers");
    assert!(links.iter().any(|link| link.name == "lo" && link.index == 1), "{links:?}");
}
