//! What this host's network looks like: interfaces with their tunnels, addresses, default routes, ports that unwrap UDP.
//!
//! It reads and changes nothing, and needs no privilege. A moment's picture of the calling thread's network namespace.
//!
//! Source: `linux/rtnetlink.h`, `linux/if_tunnel.h`, `linux/fou.h`.

use super::netlink::{Attributes, GENERIC_HEADER_BYTES, Netlink, resolve_family};
use super::routing::Routing;
use super::sysctl::Sysctls;
use super::{KernelError, addresses};
use crate::model::{DefaultRoute, Family, InterfaceFacts, NetworkFacts, Sysctl};
use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{
    InfoData, InfoGre, InfoGre6, InfoIpTunnel, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteType,
};
use netlink_sys::protocols::NETLINK_GENERIC;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// `linux/fou.h`.
const FOU_NAME: &str = "fou";
const FOU_VERSION: u8 = 1;
const FOU_CMD_GET: u8 = 3;
const FOU_ATTR_PORT: u16 = 1;
const FOU_ATTR_AF: u16 = 2;
const FOU_ATTR_TYPE: u16 = 4;
const FOU_ENCAP_GUE: u8 = 2;

/// Reads all of it.
///
/// # Errors
/// When the kernel cannot be asked.
pub(crate) fn network_facts() -> Result<NetworkFacts, KernelError> {
    let routing = Routing::open()?;
    let links = routing.call("list the interfaces", |handle| async move {
        handle.link().get().execute().try_collect::<Vec<_>>().await
    })?;
    let names: BTreeMap<u32, String> =
        links.iter().map(|link| (link.header.index, interface(link).name)).collect();
    let mut facts = NetworkFacts {
        interfaces: links.iter().map(interface).collect(),
        addresses: addresses::every(&routing, &names)?,
        default_routes: Vec::new(),
    };
    for (family, number) in [(Family::Ipv4, AddressFamily::Inet), (Family::Ipv6, AddressFamily::Inet6)] {
        let mut question = RouteMessage::default();
        question.header.address_family = number;
        let routes = routing.call("list the routes", |handle| async move {
            handle.route().get(question).execute().try_collect::<Vec<_>>().await
        })?;
        facts.default_routes.extend(routes.iter().filter_map(|route| default_route(route, family, &names)));
    }
    Ok(facts)
}

/// The settings asked for that this kernel has.
///
/// # Errors
/// When one exists and cannot be read.
pub(crate) fn read_sysctls(asked: &BTreeSet<Sysctl>) -> Result<BTreeMap<Sysctl, String>, KernelError> {
    let mut found = BTreeMap::new();
    Sysctls::default().observe(asked, &mut found)?;
    Ok(found)
}

/// The UDP ports whose packets the kernel unwraps (gue); none where the module is not there.
///
/// # Errors
/// When the kernel cannot be asked.
pub(crate) fn gue_ports() -> Result<BTreeSet<(Family, u16)>, KernelError> {
    let explain = |error: super::netlink::NetlinkError| KernelError {
        errno: Some(error.errno),
        message: format!("cannot list the ports of fou: {error}"),
    };
    let mut netlink = Netlink::open(NETLINK_GENERIC).map_err(explain)?;
    let family = match resolve_family(&mut netlink, FOU_NAME, FOU_VERSION) {
        Ok(family) => family,
        Err(error) if error.errno == libc::ENOENT => return Ok(BTreeSet::new()),
        Err(error) => return Err(explain(error)),
    };
    let ports = netlink.dump(&family.message(FOU_CMD_GET, 0), gue_port).map_err(explain)?;
    Ok(ports.into_iter().collect())
}

pub(super) fn gue_port(payload: &[u8]) -> Option<(Family, u16)> {
    let attributes = Attributes(payload.get(GENERIC_HEADER_BYTES..)?).by_kind::<8>();
    let byte = |kind| attributes.find(kind).and_then(|attribute| attribute.value.first().copied());
    if byte(FOU_ATTR_TYPE)? != FOU_ENCAP_GUE {
        return None;
    }
    let port = u16::from_be_bytes(*attributes.find(FOU_ATTR_PORT)?.value.first_chunk()?);
    let family = if i32::from(byte(FOU_ATTR_AF)?) == libc::AF_INET6 { Family::Ipv6 } else { Family::Ipv4 };
    Some((family, port))
}

pub(super) fn interface(link: &LinkMessage) -> InterfaceFacts {
    let mut facts = InterfaceFacts {
        up: link.header.flags.contains(LinkFlags::Up),
        carrier: link.header.flags.contains(LinkFlags::LowerUp),
        ..InterfaceFacts::default()
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => facts.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => facts.mtu = *mtu,
            LinkAttribute::LinkInfo(infos) => infos.iter().for_each(|info| add_info(&mut facts, info)),
            _ => {}
        }
    }
    facts
}

fn add_info(facts: &mut InterfaceFacts, info: &LinkInfo) {
    match info {
        LinkInfo::Kind(kind) => facts.kind = Some(kind.to_string()),
        LinkInfo::Data(data) => {
            for (is_local, address) in tunnel_ends(data) {
                // The kernel says "any" by an address of zeros.
                let known = (!address.is_unspecified()).then_some(address);
                *(if is_local { &mut facts.local } else { &mut facts.remote }) = known;
            }
        }
        _ => {}
    }
}

/// The ends of a tunnel: whether it is the local one, and its address.
fn tunnel_ends(data: &InfoData) -> Vec<(bool, IpAddr)> {
    match data {
        InfoData::IpTunnel(parts) => parts
            .iter()
            .filter_map(|part| match part {
                InfoIpTunnel::Local(address) => Some((true, *address)),
                InfoIpTunnel::Remote(address) => Some((false, *address)),
                _ => None,
            })
            .collect(),
        InfoData::GreTun(parts) => parts
            .iter()
            .filter_map(|part| match part {
                InfoGre::Local(address) => Some((true, IpAddr::V4(*address))),
                InfoGre::Remote(address) => Some((false, IpAddr::V4(*address))),
                _ => None,
            })
            .collect(),
        InfoData::GreTun6(parts) => parts
            .iter()
            .filter_map(|part| match part {
                InfoGre6::Local(address) => Some((true, IpAddr::V6(*address))),
                InfoGre6::Remote(address) => Some((false, IpAddr::V6(*address))),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

pub(super) fn default_route(
    route: &RouteMessage,
    family: Family,
    names: &BTreeMap<u32, String>,
) -> Option<DefaultRoute> {
    let main = route.header.table == RouteHeader::RT_TABLE_MAIN && route.header.kind == RouteType::Unicast;
    if !main || route.header.destination_prefix_length != 0 {
        return None;
    }
    let mut found = DefaultRoute { family, gateway: None, interface: String::new(), segment: None };
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => found.gateway = Some((*address).into()),
            RouteAttribute::Gateway(RouteAddress::Inet6(address)) => found.gateway = Some((*address).into()),
            RouteAttribute::Oif(index) => found.interface = names.get(index).cloned().unwrap_or_default(),
            RouteAttribute::Metrics(metrics) => {
                found.segment = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Advmss(segment) => Some(*segment),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::{Message, attributes_of};

    #[test]
    fn the_running_kernel_says_its_interfaces_and_addresses() {
        let facts = network_facts().expect("the kernel answers");
        let loopback = facts.interface("lo").expect("every namespace has one");
        assert!(loopback.mtu > 0 && loopback.kind.is_none(), "{loopback:?}");
        assert!(gue_ports().is_ok());
    }

    #[test]
    fn a_tunnel_is_read_with_its_ends() {
        let mut link = LinkMessage::default();
        link.header.flags = LinkFlags::Up;
        let ends = vec![
            InfoIpTunnel::Local(IpAddr::from([192, 0, 2, 1])),
            InfoIpTunnel::Remote(IpAddr::from([0, 0, 0, 0])),
        ];
        let infos = vec![LinkInfo::Kind("ipip".into()), LinkInfo::Data(InfoData::IpTunnel(ends))];
        link.attributes = vec![LinkAttribute::IfName("t".to_owned()), LinkAttribute::LinkInfo(infos)];
        let facts = interface(&link);
        assert_eq!((facts.kind.as_deref(), facts.up), (Some("ipip"), true));
        assert_eq!((facts.local, facts.remote), (Some(IpAddr::from([192, 0, 2, 1])), None));
    }

    #[test]
    fn a_port_of_gue_is_read_and_one_of_plain_fou_is_not() {
        let payload = |kind: u8| {
            let mut message = Message::new(0, 0);
            message.put_u16_be(FOU_ATTR_PORT, 6080);
            message.put_u8(FOU_ATTR_AF, 2);
            message.put_u8(FOU_ATTR_TYPE, kind);
            [vec![0; GENERIC_HEADER_BYTES], attributes_of(&message, 0)].concat()
        };
        assert_eq!(gue_port(&payload(FOU_ENCAP_GUE)), Some((Family::Ipv4, 6080)));
        assert_eq!(gue_port(&payload(1)), None);
        assert_eq!(gue_port(&[0; 3]), None);
    }

    #[test]
    fn a_default_route_is_read_with_its_gateway_and_segment() {
        let names = BTreeMap::from([(2, "eth0".to_owned())]);
        let mut route = RouteMessage::default();
        route.header.table = RouteHeader::RT_TABLE_MAIN;
        route.header.kind = RouteType::Unicast;
        route.attributes = vec![
            RouteAttribute::Oif(2),
            RouteAttribute::Gateway(IpAddr::from([192, 0, 2, 1]).into()),
            RouteAttribute::Metrics(vec![RouteMetric::Advmss(1440)]),
        ];
        let found = default_route(&route, Family::Ipv4, &names).expect("it is one");
        assert_eq!((found.gateway, found.segment), (Some(IpAddr::from([192, 0, 2, 1])), Some(1440)));
        route.header.destination_prefix_length = 24;
        assert_eq!(default_route(&route, Family::Ipv4, &names), None);
    }
}
