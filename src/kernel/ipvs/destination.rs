//! Destinations ⇄ the attributes of `IPVS_CMD_ATTR_DEST`. Pure.
//!
//! Source: `ip_vs_genl_parse_dest` and `ip_vs_genl_fill_dest` in `net/netfilter/ipvs/ip_vs_ctl.c`.

use super::address::{family_number, family_of_number, put_address, read_address};
use super::constants::*;
use super::stats::read_counters;
use crate::kernel::netlink::{Attribute, Attributes, ByKind, Message};
use crate::model::{
    Connections, Destination, DestinationCounts, DestinationKey, Encapsulation, Family, ForwardingMethod,
    Thresholds, TunnelChecksum,
};

/// A destination as one entry of a service's dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kernel) struct DestinationEntry {
    pub(in crate::kernel) key: DestinationKey,
    pub(in crate::kernel) destination: Destination,
    pub(in crate::kernel) counts: DestinationCounts,
}

/// The attributes inside `IPVS_CMD_ATTR_DEST`.
type DestinationAttributes<'bytes> = ByKind<'bytes, DESTINATION_KINDS>;

/// Appends the destination's identity, which is all that removing it needs.
pub(super) fn put_destination_key(message: &mut Message, key: &DestinationKey) {
    message.nest(IPVS_CMD_ATTR_DEST, |destination| put_key(destination, key));
}

/// Appends the whole destination, as adding and editing need it.
pub(super) fn put_destination(message: &mut Message, key: &DestinationKey, destination: &Destination) {
    message.nest(IPVS_CMD_ATTR_DEST, |nest| {
        put_key(nest, key);
        nest.put_u32(IPVS_DEST_ATTR_FWD_METHOD, method_number(destination.method));
        nest.put_u32(IPVS_DEST_ATTR_WEIGHT, destination.weight);
        nest.put_u32(IPVS_DEST_ATTR_U_THRESH, destination.thresholds.upper);
        nest.put_u32(IPVS_DEST_ATTR_L_THRESH, destination.thresholds.lower);
        if let ForwardingMethod::Tunnel(encapsulation) = destination.method {
            put_encapsulation(nest, encapsulation);
        }
    });
}

fn put_key(nest: &mut Message, key: &DestinationKey) {
    put_address(nest, IPVS_DEST_ATTR_ADDR, key.address);
    nest.put_u16_be(IPVS_DEST_ATTR_PORT, key.port);
    nest.put_u16(IPVS_DEST_ATTR_ADDR_FAMILY, family_number(Family::of(key.address)));
}

fn put_encapsulation(nest: &mut Message, encapsulation: Encapsulation) {
    let (tunnel_type, port, checksum) = match encapsulation {
        // What the kernel assumes where nothing is said; kernels before 5.2 know no more.
        Encapsulation::IpIp => return,
        Encapsulation::Gue { port, checksum } => (IP_VS_CONN_F_TUNNEL_TYPE_GUE, port, checksum),
        Encapsulation::Gre { checksum } => (IP_VS_CONN_F_TUNNEL_TYPE_GRE, 0, checksum),
    };
    nest.put_u8(IPVS_DEST_ATTR_TUN_TYPE, tunnel_type);
    nest.put_u16_be(IPVS_DEST_ATTR_TUN_PORT, port);
    nest.put_u16(IPVS_DEST_ATTR_TUN_FLAGS, checksum_flags(checksum));
}

const fn checksum_flags(checksum: TunnelChecksum) -> u16 {
    match checksum {
        TunnelChecksum::None => IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM,
        TunnelChecksum::Full => IP_VS_TUNNEL_ENCAP_FLAG_CSUM,
        TunnelChecksum::Remote => IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM,
    }
}

const fn method_number(method: ForwardingMethod) -> u32 {
    match method {
        ForwardingMethod::Masquerade => IP_VS_CONN_F_MASQ,
        ForwardingMethod::Local => IP_VS_CONN_F_LOCALNODE,
        ForwardingMethod::Tunnel(_) => IP_VS_CONN_F_TUNNEL,
        ForwardingMethod::DirectRoute => IP_VS_CONN_F_DROUTE,
        ForwardingMethod::Bypass => IP_VS_CONN_F_BYPASS,
    }
}

/// Reads one message of a service's destination dump; `family` is the service's, for kernels before 3.18 that don't tell
/// the destination's own.
pub(in crate::kernel) fn read_destination(
    message: Attributes<'_>,
    family: Family,
) -> Option<DestinationEntry> {
    let nest: DestinationAttributes<'_> = message.find(IPVS_CMD_ATTR_DEST)?.nested().by_kind();
    let number = |kind| nest.find(kind).and_then(Attribute::u32);
    let family = match nest.find(IPVS_DEST_ATTR_ADDR_FAMILY) {
        Some(attribute) => family_of_number(attribute.u16()?)?,
        None => family,
    };
    let stats = nest.find(IPVS_DEST_ATTR_STATS64).or_else(|| nest.find(IPVS_DEST_ATTR_STATS));
    Some(DestinationEntry {
        key: DestinationKey {
            address: read_address(nest.find(IPVS_DEST_ATTR_ADDR)?, family)?,
            port: nest.find(IPVS_DEST_ATTR_PORT)?.u16_be()?,
        },
        destination: Destination {
            method: read_method(&nest)?,
            weight: number(IPVS_DEST_ATTR_WEIGHT)?,
            thresholds: Thresholds {
                upper: number(IPVS_DEST_ATTR_U_THRESH).unwrap_or_default(),
                lower: number(IPVS_DEST_ATTR_L_THRESH).unwrap_or_default(),
            },
        },
        counts: DestinationCounts {
            counters: stats.map(|stats| read_counters(stats.nested())).unwrap_or_default(),
            connections: Connections {
                active: number(IPVS_DEST_ATTR_ACTIVE_CONNS).unwrap_or_default(),
                inactive: number(IPVS_DEST_ATTR_INACT_CONNS).unwrap_or_default(),
                persistent: number(IPVS_DEST_ATTR_PERSIST_CONNS).unwrap_or_default(),
            },
        },
    })
}

/// What no policy can say (a method or tunnel type of a later kernel, both checksums at once) reads as `Bypass`: different
/// from everything that we could want, so an entry of ours that was turned into it is put right.
fn read_method(nest: &DestinationAttributes<'_>) -> Option<ForwardingMethod> {
    let method = match nest.find(IPVS_DEST_ATTR_FWD_METHOD)?.u32()? & IP_VS_CONN_F_FWD_MASK {
        IP_VS_CONN_F_MASQ => ForwardingMethod::Masquerade,
        IP_VS_CONN_F_LOCALNODE => ForwardingMethod::Local,
        IP_VS_CONN_F_TUNNEL => {
            read_encapsulation(nest).map_or(ForwardingMethod::Bypass, ForwardingMethod::Tunnel)
        }
        IP_VS_CONN_F_DROUTE => ForwardingMethod::DirectRoute,
        _ => ForwardingMethod::Bypass,
    };
    Some(method)
}

fn read_encapsulation(nest: &DestinationAttributes<'_>) -> Option<Encapsulation> {
    let tunnel_type = nest.find(IPVS_DEST_ATTR_TUN_TYPE).and_then(Attribute::u8).unwrap_or_default();
    let port = nest.find(IPVS_DEST_ATTR_TUN_PORT).and_then(Attribute::u16_be).unwrap_or_default();
    let checksum = match nest.find(IPVS_DEST_ATTR_TUN_FLAGS).and_then(Attribute::u16).unwrap_or_default() {
        IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM => TunnelChecksum::None,
        IP_VS_TUNNEL_ENCAP_FLAG_CSUM => TunnelChecksum::Full,
        IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM => TunnelChecksum::Remote,
        _ => return None,
    };
    match tunnel_type {
        IP_VS_CONN_F_TUNNEL_TYPE_IPIP => Some(Encapsulation::IpIp),
        IP_VS_CONN_F_TUNNEL_TYPE_GUE => Some(Encapsulation::Gue { port, checksum }),
        IP_VS_CONN_F_TUNNEL_TYPE_GRE => Some(Encapsulation::Gre { checksum }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attributes_of;
    use proptest::prelude::*;

    fn methods() -> impl Strategy<Value = ForwardingMethod> {
        let checksum =
            || prop::sample::select(vec![TunnelChecksum::None, TunnelChecksum::Full, TunnelChecksum::Remote]);
        prop_oneof![
            Just(ForwardingMethod::Masquerade),
            Just(ForwardingMethod::Local),
            Just(ForwardingMethod::DirectRoute),
            Just(ForwardingMethod::Bypass),
            Just(ForwardingMethod::Tunnel(Encapsulation::IpIp)),
            (1_u16.., checksum()).prop_map(|(port, checksum)| {
                ForwardingMethod::Tunnel(Encapsulation::Gue { port, checksum })
            }),
            checksum().prop_map(|checksum| ForwardingMethod::Tunnel(Encapsulation::Gre { checksum })),
        ]
    }

    proptest! {
        #[test]
        fn every_destination_comes_back_as_it_was_written(
            address in any::<std::net::IpAddr>(),
            port in any::<u16>(),
            method in methods(),
            weight in 0_u32..65_536,
            (upper, lower) in any::<(u32, u32)>(),
        ) {
            let key = DestinationKey { address, port };
            let destination = Destination { method, weight, thresholds: Thresholds { upper, lower } };
            let mut message = Message::new(0, 0);
            put_destination(&mut message, &key, &destination);
            let bytes = attributes_of(&message, 0);
            let entry = read_destination(Attributes(&bytes), Family::Ipv4);
            let counts = DestinationCounts::default();
            prop_assert_eq!(entry, Some(DestinationEntry { key, destination, counts }));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_destination(Attributes(&bytes), Family::Ipv6);
            let _ = read_method(&Attributes(&bytes).by_kind());
        }
    }

    #[test]
    fn methods_that_no_policy_can_say_read_as_bypass() {
        for (method, tunnel_type, flags) in [(7, 0, 0), (2, 9, 0), (2, 1, 3)] {
            let mut message = Message::new(0, 0);
            message.put_u32(IPVS_DEST_ATTR_FWD_METHOD, method);
            message.put_u8(IPVS_DEST_ATTR_TUN_TYPE, tunnel_type);
            message.put_u16(IPVS_DEST_ATTR_TUN_FLAGS, flags);
            let bytes = attributes_of(&message, 0);
            assert_eq!(read_method(&Attributes(&bytes).by_kind()), Some(ForwardingMethod::Bypass));
        }
    }
}
