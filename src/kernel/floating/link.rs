//! Links and the one route of a macvlan ⇄ rtnetlink messages. Pure.
//!
//! Source: `linux/rtnetlink.h`, `linux/if_link.h`.

use super::message::{
    IFF_UP, IFLA_ADDRESS, IFLA_IFNAME, LINK_HEADER_BYTES, NLM_F_CREATE, NLM_F_REPLACE, RTM_DELLINK,
    RTM_NEWLINK, link,
};
use crate::floating::keeper::Link;
use crate::floating::macvlan::{FoundLink, KIND, MODE_BRIDGE, Macvlan};
use crate::kernel::netlink::{Attribute, Attributes, Message};

const RTM_NEWROUTE: u16 = 24;
const NLM_F_EXCL: u16 = 0x200;

const IFLA_LINK: u16 = 5;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_MACVLAN_MODE: u16 = 1;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
/// `struct rtmsg`: AF_INET6, a destination of 64 bits, no source, no traffic class, table main, protocol VRRP, scope
/// universe, unicast, no flags.
const LINK_LOCAL_ROUTE: [u8; 12] = [10, 64, 0, 0, 254, 112, 0, 1, 0, 0, 0, 0];
const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn link_message(message_type: u16, flags: u16, index: u32, up: Option<bool>) -> Message {
    let mut header = [0; LINK_HEADER_BYTES];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    if let Some(up) = up {
        header[8..12].copy_from_slice(&(if up { IFF_UP } else { 0 }).to_ne_bytes());
        header[12..].copy_from_slice(&IFF_UP.to_ne_bytes());
    }
    Message::new(message_type, flags).header(&header)
}

/// Makes a macvlan, down, on the parent with this index.
pub(in crate::kernel) fn create(macvlan: &Macvlan, parent: u32) -> Message {
    let mut message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, None);
    message.put_string(IFLA_IFNAME, &macvlan.name);
    message.put_u32(IFLA_LINK, parent);
    message.put(IFLA_ADDRESS, &macvlan.hardware_address);
    message.nest(IFLA_LINKINFO, |info| {
        info.put_string(IFLA_INFO_KIND, KIND);
        info.nest(IFLA_INFO_DATA, |data| data.put_u32(IFLA_MACVLAN_MODE, MODE_BRIDGE));
    });
    message
}

pub(super) fn set_alias(index: u32, alias: &str) -> Message {
    let mut message = link_message(RTM_NEWLINK, 0, index, None);
    // The kernel keeps a closing zero byte as a part of it.
    message.put(IFLA_IFALIAS, alias.as_bytes());
    message
}

pub(super) fn set_up(index: u32, up: bool) -> Message {
    link_message(RTM_NEWLINK, 0, index, Some(up))
}

pub(super) fn remove(index: u32) -> Message {
    link_message(RTM_DELLINK, 0, index, None)
}

/// Neighbours' link-local addresses are on this link too; without, the virtual router's own could not answer them. The kernel
/// makes this route only together with an address of its own.
pub(super) fn link_local_route(index: u32) -> Message {
    let mut message = Message::new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE).header(&LINK_LOCAL_ROUTE);
    message.put(RTA_DST, &LINK_LOCAL);
    message.put_u32(RTA_OIF, index);
    message
}

/// An interface in a message of the kernel, with what stands below it.
pub(in crate::kernel) fn found(payload: &[u8]) -> Option<(FoundLink, Link)> {
    let (name, link) = link(payload)?;
    let attributes = Attributes(payload.get(LINK_HEADER_BYTES..)?).by_kind::<21>();
    let info = attributes.find(IFLA_LINKINFO).map(|info| info.nested().by_kind::<3>());
    let kind = info.and_then(|info| info.find(IFLA_INFO_KIND)).map(Attribute::string);
    let data = info.and_then(|info| info.find(IFLA_INFO_DATA)).filter(|_| kind.as_deref() == Some(KIND));
    let found = FoundLink {
        name,
        index: link.index,
        up: link.up,
        mode: data.and_then(|data| data.nested().find(IFLA_MACVLAN_MODE)).and_then(Attribute::u32),
        kind,
        parent: attributes.find(IFLA_LINK).and_then(Attribute::u32).unwrap_or_default(),
        hardware_address: link.hardware_address,
        alias: attributes.find(IFLA_IFALIAS).map(Attribute::string),
    };
    Some((found, link))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attributes_of;
    use crate::model::Family;
    use proptest::prelude::*;

    #[test]
    fn a_macvlan_reads_back_as_it_was_asked() {
        let hardware_address = [0, 0, 0x5e, 0, 2, 51];
        let (name, parent, family) = ("vrrp6-51".into(), "eth0".into(), Family::Ipv6);
        let asked = Macvlan { name, parent, family, hardware_address };
        let (found, _) = found(&attributes_of(&create(&asked, 2), 0)).expect("a link");
        let expected = FoundLink {
            name: "vrrp6-51".into(),
            index: 0,
            up: false,
            kind: Some(KIND.into()),
            parent: 2,
            mode: Some(MODE_BRIDGE),
            hardware_address,
            alias: None,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn up_and_down_change_that_flag_alone() {
        for (up, flags) in [(true, 1_u32), (false, 0)] {
            let bytes = attributes_of(&set_up(7, up), 0);
            let words: Vec<u32> = bytes
                .chunks(4)
                .map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
                .collect();
            assert_eq!(words, [0, 7, flags, 1]);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = found(&bytes);
        }
    }
}
