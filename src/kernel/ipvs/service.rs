//! Virtual services ⇄ the attributes of `IPVS_CMD_ATTR_SERVICE`. Pure.
//!
//! A service that the model cannot say (another protocol than TCP, UDP or SCTP) is declined, not an error. Source:
//! `ip_vs_genl_parse_service` and `ip_vs_genl_fill_service` in `net/netfilter/ipvs/ip_vs_ctl.c`.

use super::address::{family_number, family_of_number, put_address, read_address};
use super::constants::*;
use super::stats::read_counters;
use crate::kernel::netlink::{Attribute, Attributes, ByKind, Message};
use crate::model::{
    Counters, Family, Persistence, Protocol, SchedulerName, ServiceConfig, ServiceFlags, ServiceKey,
};
use std::net::Ipv4Addr;

/// The prefix length of a netmask that is none (255.0.255.0): equal to nothing that a policy can say.
const NOT_A_PREFIX: u8 = u8::MAX;

/// The bit of each flag that the owner of a service sets; all of them together are the mask of what we set.
const FLAG_BITS: [u32; 5] = [
    IP_VS_SVC_F_PERSISTENT,
    IP_VS_SVC_F_ONEPACKET,
    IP_VS_SVC_F_SCHED1,
    IP_VS_SVC_F_SCHED2,
    IP_VS_SVC_F_SCHED3,
];

/// A service as one entry of the dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kernel) struct ServiceEntry {
    pub(in crate::kernel) key: ServiceKey,
    pub(in crate::kernel) config: ServiceConfig,
    pub(in crate::kernel) counters: Counters,
}

/// The attributes inside `IPVS_CMD_ATTR_SERVICE`.
type ServiceAttributes<'bytes> = ByKind<'bytes, SERVICE_KINDS>;

/// Appends the service's identity, which is all that removing it, and naming it beside a destination, needs.
pub(super) fn put_service_key(message: &mut Message, key: &ServiceKey) {
    message.nest(IPVS_CMD_ATTR_SERVICE, |service| put_key(service, key));
}

/// Appends the whole service, as adding and editing need it.
pub(super) fn put_service(message: &mut Message, key: &ServiceKey, config: &ServiceConfig) {
    message.nest(IPVS_CMD_ATTR_SERVICE, |service| {
        put_key(service, key);
        put_config(service, key.family(), config);
    });
}

fn put_key(service: &mut Message, key: &ServiceKey) {
    service.put_u16(IPVS_SVC_ATTR_AF, family_number(key.family()));
    match key {
        ServiceKey::Address { protocol, address, port } => {
            service.put_u16(IPVS_SVC_ATTR_PROTOCOL, u16::from(protocol.number()));
            put_address(service, IPVS_SVC_ATTR_ADDR, *address);
            service.put_u16_be(IPVS_SVC_ATTR_PORT, *port);
        }
        ServiceKey::FirewallMark { mark, .. } => service.put_u32(IPVS_SVC_ATTR_FWMARK, *mark),
    }
}

fn put_config(service: &mut Message, family: Family, config: &ServiceConfig) {
    let prefix = config.persistence.map_or(family.bits(), |persistence| persistence.prefix);
    service.put_string(IPVS_SVC_ATTR_SCHED_NAME, &config.scheduler.0);
    if let Some(engine) = &config.persistence_engine {
        service.put_string(IPVS_SVC_ATTR_PE_NAME, engine);
    }
    service.put(IPVS_SVC_ATTR_FLAGS, &flags_with_mask(config));
    service.put_u32(IPVS_SVC_ATTR_TIMEOUT, config.persistence.map_or(0, |persistence| persistence.timeout_s));
    service.put(IPVS_SVC_ATTR_NETMASK, &netmask(family, prefix));
}

/// `struct ip_vs_flags`: the flags, and which of them the kernel shall take from here.
fn flags_with_mask(config: &ServiceConfig) -> [u8; 8] {
    let ServiceFlags { one_packet, scheduler_1, scheduler_2, scheduler_3 } = config.flags;
    let set = [config.persistence.is_some(), one_packet, scheduler_1, scheduler_2, scheduler_3];
    let flags = FLAG_BITS.iter().zip(set).filter(|(_, set)| *set).fold(0, |flags, (bit, _)| flags | bit);
    let mask = FLAG_BITS.iter().fold(0, |mask, bit| mask | bit);
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&flags.to_ne_bytes());
    bytes[4..].copy_from_slice(&mask.to_ne_bytes());
    bytes
}

/// IPv4: the mask in network order. IPv6: the length of the prefix as a number.
fn netmask(family: Family, prefix: u8) -> [u8; 4] {
    match family {
        Family::Ipv4 => {
            u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or_default().to_be_bytes()
        }
        Family::Ipv6 => u32::from(prefix).to_ne_bytes(),
    }
}

fn read_prefix(attribute: Attribute<'_>, family: Family) -> Option<u8> {
    let length = match family {
        Family::Ipv4 => {
            let mask = u32::from(attribute.value.first_chunk().copied().map(Ipv4Addr::from)?);
            (mask.leading_ones() == mask.count_ones()).then(|| mask.count_ones())
        }
        Family::Ipv6 => attribute.u32(),
    };
    Some(length.and_then(|length| u8::try_from(length).ok()).unwrap_or(NOT_A_PREFIX))
}

/// Reads one message of the service dump, behind its generic header; `None` for what the model cannot say.
pub(in crate::kernel) fn read_service(message: Attributes<'_>) -> Option<ServiceEntry> {
    let service: ServiceAttributes<'_> = message.find(IPVS_CMD_ATTR_SERVICE)?.nested().by_kind();
    let key = read_key(&service)?;
    let stats = service.find(IPVS_SVC_ATTR_STATS64).or_else(|| service.find(IPVS_SVC_ATTR_STATS));
    Some(ServiceEntry {
        key,
        config: read_config(&service, key.family())?,
        counters: stats.map(|stats| read_counters(stats.nested())).unwrap_or_default(),
    })
}

fn read_key(service: &ServiceAttributes<'_>) -> Option<ServiceKey> {
    let family = family_of_number(service.find(IPVS_SVC_ATTR_AF)?.u16()?)?;
    if let Some(mark) = service.find(IPVS_SVC_ATTR_FWMARK) {
        return Some(ServiceKey::FirewallMark { family, mark: mark.u32()? });
    }
    let protocol = u8::try_from(service.find(IPVS_SVC_ATTR_PROTOCOL)?.u16()?).ok()?;
    Some(ServiceKey::Address {
        protocol: Protocol::from_number(protocol)?,
        address: read_address(service.find(IPVS_SVC_ATTR_ADDR)?, family)?,
        port: service.find(IPVS_SVC_ATTR_PORT)?.u16_be()?,
    })
}

fn read_config(service: &ServiceAttributes<'_>, family: Family) -> Option<ServiceConfig> {
    let flags = service.find(IPVS_SVC_ATTR_FLAGS)?.u32()?;
    let has = |bit: u32| flags & bit != 0;
    let persistence = Persistence {
        timeout_s: service.find(IPVS_SVC_ATTR_TIMEOUT)?.u32()?,
        prefix: read_prefix(service.find(IPVS_SVC_ATTR_NETMASK)?, family)?,
    };
    Some(ServiceConfig {
        scheduler: SchedulerName(service.find(IPVS_SVC_ATTR_SCHED_NAME)?.string()),
        flags: ServiceFlags {
            one_packet: has(IP_VS_SVC_F_ONEPACKET),
            scheduler_1: has(IP_VS_SVC_F_SCHED1),
            scheduler_2: has(IP_VS_SVC_F_SCHED2),
            scheduler_3: has(IP_VS_SVC_F_SCHED3),
        },
        persistence: has(IP_VS_SVC_F_PERSISTENT).then_some(persistence),
        persistence_engine: service.find(IPVS_SVC_ATTR_PE_NAME).map(Attribute::string),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attributes_of;
    use proptest::prelude::*;

    fn round_trip(key: ServiceKey, config: &ServiceConfig) -> Option<ServiceEntry> {
        let mut message = Message::new(0, 0);
        put_service(&mut message, &key, config);
        read_service(Attributes(&attributes_of(&message, 0)))
    }

    fn keys() -> impl Strategy<Value = ServiceKey> {
        let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
        let by_address = (protocol, any::<std::net::IpAddr>(), any::<u16>())
            .prop_map(|(protocol, address, port)| ServiceKey::Address { protocol, address, port });
        let family = prop::sample::select(vec![Family::Ipv4, Family::Ipv6]);
        let by_mark =
            (family, any::<u32>()).prop_map(|(family, mark)| ServiceKey::FirewallMark { family, mark });
        prop_oneof![by_address, by_mark]
    }

    proptest! {
        #[test]
        fn every_service_of_a_policy_comes_back_as_it_was_written(
            key in keys(),
            scheduler in prop::sample::select(crate::model::SCHEDULERS.to_vec()),
            (one_packet, scheduler_1, scheduler_2, scheduler_3) in any::<(bool, bool, bool, bool)>(),
            persistence in prop::option::of((1_u32..2_678_401, 0_u8..=128)),
            engine in prop::option::of(Just("sip".to_owned())),
        ) {
            let config = ServiceConfig {
                scheduler: SchedulerName(scheduler.to_owned()),
                flags: ServiceFlags { one_packet, scheduler_1, scheduler_2, scheduler_3 },
                persistence: persistence.map(|(timeout_s, prefix)| {
                    Persistence { timeout_s, prefix: prefix.min(key.family().bits()) }
                }),
                persistence_engine: engine,
            };
            let entry = ServiceEntry { key, config: config.clone(), counters: Counters::default() };
            prop_assert_eq!(round_trip(key, &config), Some(entry));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_service(Attributes(&bytes));
            let inside = Attributes(&bytes).by_kind();
            let _ = (read_key(&inside), read_config(&inside, Family::Ipv4));
        }
    }

    #[test]
    fn a_service_of_a_protocol_that_we_do_not_know_is_declined() {
        let mut message = Message::new(0, 0);
        message.nest(IPVS_CMD_ATTR_SERVICE, |service| {
            service.put_u16(IPVS_SVC_ATTR_AF, family_number(Family::Ipv4));
            service.put_u16(IPVS_SVC_ATTR_PROTOCOL, 50);
            put_address(service, IPVS_SVC_ATTR_ADDR, Ipv4Addr::LOCALHOST.into());
            service.put_u16_be(IPVS_SVC_ATTR_PORT, 0);
        });
        assert_eq!(read_service(Attributes(&attributes_of(&message, 0))), None);
    }

    #[test]
    fn a_mask_with_holes_is_no_prefix() {
        let mut message = Message::new(0, 0);
        message.put(1, &[255, 0, 255, 0]);
        message.put(2, &[0, 0, 0, 0]);
        message.put(3, &[255, 255, 255, 0]);
        let bytes = attributes_of(&message, 0);
        let prefix = |kind| Attributes(&bytes).find(kind).and_then(|mask| read_prefix(mask, Family::Ipv4));
        assert_eq!((prefix(1), prefix(2), prefix(3)), (Some(NOT_A_PREFIX), Some(0), Some(24)));
    }
}
