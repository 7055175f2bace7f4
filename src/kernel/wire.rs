//! The kernel's messages without a kernel: what its bytes say, read by the functions that read them from its sockets, and the
//! bytes that ask for the same. For those that have bytes and no socket: fuzz targets, and whoever compares two writings.
//!
//! "Payload" is what stands behind the header of a netlink message, with the header of its family. Nothing here fails: bytes
//! that say nothing, or what the model does not know, are `None`.

use super::addresses::own_address;
use super::conntrack::{self, Found};
use super::floating::{frame, link, message};
use super::host::reach_of;
use super::ipvs::{self, IpvsInfo};
use super::netlink::{Datagram, GenericFamily, NetlinkError};
use super::{network, nftables, tracking};
use crate::floating::keeper::{HeldAddress, Link, Operation};
use crate::floating::macvlan::{FoundLink, Macvlan};
use crate::model::{
    Connection, ConntrackEntry, DefaultRoute, Destination, DestinationKey, Family, InterfaceFacts, Reach,
    ServiceConfig, ServiceKey, SyncDaemon, Timeouts,
};
use crate::reconcile::Change;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::panic::catch_unwind;

/// The messages of a datagram, each its type and payload; ends at the first that does not fit.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    Datagram(datagram).map(|received| (received.message_type, received.payload))
}

/// The refusals in a datagram of `NLMSG_ERROR` messages, in words.
#[must_use]
pub fn refusals(datagram: &[u8]) -> Vec<String> {
    let words = |received| NetlinkError::from_error_message(&received).map(|error| error.to_string());
    Datagram(datagram).filter_map(words).collect()
}

/// An entry of the dump of virtual services.
#[must_use]
pub fn service(payload: &[u8]) -> Option<(ServiceKey, ServiceConfig)> {
    ipvs::service::read_service(ipvs::attributes_of(payload)).map(|entry| (entry.key, entry.config))
}

/// An entry of the dump of a service's destinations; `family` is the service's.
#[must_use]
pub fn destination(payload: &[u8], family: Family) -> Option<(DestinationKey, Destination)> {
    let entry = ipvs::destination::read_destination(ipvs::attributes_of(payload), family)?;
    Some((entry.key, entry.destination))
}

/// An entry of the dump of synchronisation daemons.
#[must_use]
pub fn sync_daemon(payload: &[u8]) -> Option<SyncDaemon> {
    ipvs::daemon::read_daemon(ipvs::attributes_of(payload))
}

/// The answer to the question for the timeouts.
#[must_use]
pub fn timeouts(payload: &[u8]) -> Timeouts {
    ipvs::config::read_timeouts(ipvs::attributes_of(payload))
}

/// The answer to the question what IPVS is.
#[must_use]
pub fn ipvs_info(payload: &[u8]) -> Option<IpvsInfo> {
    ipvs::config::read_info(ipvs::attributes_of(payload))
}

/// The payload that asks IPVS for a change; `None` for a change of another table.
#[must_use]
pub fn change(change: &Change) -> Option<Vec<u8>> {
    let family = GenericFamily { id: 0, version: 1 };
    ipvs::message_of(family, change).map(|message| message.payload().to_vec())
}

/// An address that the kernel tells of: the index of its interface, and what it is.
#[must_use]
pub fn held_address(payload: &[u8]) -> Option<(u32, HeldAddress)> {
    message::held_address(payload)
}

/// The payload of an operation on a floating address.
#[must_use]
pub fn operation(operation: &Operation) -> Vec<u8> {
    message::operation(operation).payload().to_vec()
}

/// An interface that the kernel tells of.
#[must_use]
pub fn found_link(payload: &[u8]) -> Option<(FoundLink, Link)> {
    link::found(payload)
}

/// The payload that asks for a macvlan on the parent with this index.
#[must_use]
pub fn macvlan(macvlan: &Macvlan, parent: u32) -> Vec<u8> {
    link::create(macvlan, parent).payload().to_vec()
}

/// Which address an Ethernet frame claims, and for which hardware address.
#[must_use]
pub fn claim(frame: &[u8]) -> Option<(IpAddr, [u8; 6])> {
    frame::claim(frame)
}

/// The Ethernet frame that claims an address.
#[must_use]
pub fn announcement(address: IpAddr, hardware: [u8; 6]) -> Vec<u8> {
    frame::announcement(address, hardware)
}

/// An entry of the dump of tracked connections: what it stands for, and whom answers go to.
#[must_use]
pub fn tracked(payload: &[u8]) -> Option<(Connection, SocketAddr)> {
    Found::read(payload).map(|found| (found.connection, found.answers_to))
}

/// The payload that puts an entry in.
#[must_use]
pub fn tracking(entry: &ConntrackEntry) -> Vec<u8> {
    conntrack::new_message(entry).payload().to_vec()
}

/// A port that the kernel unwraps (gue).
#[must_use]
pub fn gue_port(payload: &[u8]) -> Option<(Family, u16)> {
    network::gue_port(payload)
}

/// The sum of a column of `/proc/net/stat/nf_conntrack`.
#[must_use]
pub fn tracking_sum(text: &str, column: &str) -> Option<u64> {
    tracking::sum_of(text, column)
}

/// The digest of what `nft -j list table` prints; `None` where that is no JSON.
#[must_use]
pub fn ruleset_digest(listing: &[u8]) -> Option<String> {
    serde_json::from_slice(listing).ok().map(|listing| nftables::digest_of(&listing))
}

/// What one whole message of rtnetlink says of the host.
#[derive(Debug)]
pub enum HostFact {
    Interface(InterfaceFacts),
    Address(Option<IpAddr>),
    Route { reach: Reach, default: [Option<DefaultRoute>; 2] },
}

/// The same, read from a message with its header. What the library stumbles over says nothing, as in a conversation, which ends.
#[must_use]
pub fn host_fact(bytes: &[u8]) -> Option<HostFact> {
    let read = catch_unwind(|| NetlinkMessage::deserialize(bytes)).ok()?;
    let NetlinkPayload::InnerMessage(inner) = read.ok()?.payload else { return None };
    match inner {
        RouteNetlinkMessage::NewLink(link) => Some(HostFact::Interface(network::interface(&link))),
        RouteNetlinkMessage::NewAddress(address) => Some(HostFact::Address(own_address(&address))),
        RouteNetlinkMessage::NewRoute(route) => {
            let names = BTreeMap::from([(2, "eth0".to_owned())]);
            let default =
                [Family::Ipv4, Family::Ipv6].map(|family| network::default_route(&route, family, &names));
            let names = names.into_iter().map(|(index, name)| (index, name.into())).collect();
            Some(HostFact::Route { reach: reach_of(Some(&route), &names), default })
        }
        _ => None,
    }
}
