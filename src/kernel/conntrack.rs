//! Entries of connection tracking, put into the kernel's table by ctnetlink.
//!
//! An entry is made as IPVS and our rules leave it (`ip_vs_update_conntrack`, then source translation): the client's own
//! direction, answers from the real server to the client, and the translation of the source, which the kernel then works into
//! the answers' direction itself (`ctnetlink_setup_nat`).
//!
//! Sources: `linux/netfilter/nfnetlink.h`, `nfnetlink_conntrack.h`, `nf_conntrack_common.h`, `nf_conntrack_tcp.h`.

use super::KernelError;
use super::netlink::{Attribute, Attributes, Listener, Message, Netlink, NetlinkError};
use crate::model::{Connection, ConntrackEntry, Protocol};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_sys::protocols::NETLINK_NETFILTER;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

/// `NFNL_SUBSYS_CTNETLINK` and `enum cntl_msg_types`.
const CT_NEW: u16 = 1 << 8;
const CT_GET: u16 = (1 << 8) | 1;
const CT_DELETE: u16 = (1 << 8) | 2;
/// The mask of `NFNLGRP_CONNTRACK_NEW`.
const NF_NETLINK_CONNTRACK_NEW: u32 = 1;
const NFGENMSG_BYTES: usize = 4;
/// `enum ctattr_type`.
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_PROTOINFO: u16 = 4;
const CTA_NAT_SRC: u16 = 6;
const CTA_TIMEOUT: u16 = 7;
const CTA_ID: u16 = 12;
/// Those that we read are below this.
const KINDS: usize = 13;
/// `enum ctattr_tuple`, `ctattr_ip`, `ctattr_l4proto`.
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
/// `enum ctattr_nat`, `ctattr_protonat`.
const CTA_NAT_V4_MINIP: u16 = 1;
const CTA_NAT_V4_MAXIP: u16 = 2;
const CTA_NAT_PROTO: u16 = 3;
const CTA_NAT_V6_MINIP: u16 = 4;
const CTA_NAT_V6_MAXIP: u16 = 5;
const CTA_PROTONAT_PORT_MIN: u16 = 1;
const CTA_PROTONAT_PORT_MAX: u16 = 2;
/// `enum ctattr_protoinfo`, `ctattr_protoinfo_tcp`.
const CTA_PROTOINFO_TCP: u16 = 1;
const CTA_PROTOINFO_TCP_STATE: u16 = 1;
const CTA_PROTOINFO_TCP_FLAGS_ORIGINAL: u16 = 4;
const CTA_PROTOINFO_TCP_FLAGS_REPLY: u16 = 5;
/// `IPS_SEEN_REPLY`, `IPS_ASSURED`, `IPS_CONFIRMED`.
const STATUS: u32 = (1 << 1) | (1 << 2) | (1 << 3);
/// Windows are not judged (`IP_CT_TCP_FLAG_BE_LIBERAL`), since nobody told them.
const LIBERAL: u8 = 0x08;
/// One side has said its last word (`IP_CT_TCP_FLAG_CLOSE_INIT`): once the other has too, the port may be taken again.
const CLOSE_INIT: u8 = 0x04;
/// `TCP_CONNTRACK_FIN_WAIT`, the first of the states that close a connection.
const TCP_CONNTRACK_FIN_WAIT: u8 = 4;

/// Beginnings that are read in one go.
const MOST_AT_ONCE: usize = 4_096;

/// What became of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Put in.
    pub added: usize,
    /// There already, or kept out by a connection that lives.
    pub present: usize,
    /// Refused by the kernel.
    pub refused: usize,
}

impl Restored {
    /// The sum of two.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            added: self.added + other.added,
            present: self.present + other.present,
            refused: self.refused + other.refused,
        }
    }
}

/// The connections that IPVS knows, and whether each is still under way: it is not while it only waits out its time.
pub type KnownConnections = HashMap<Connection, UnderWay>;

/// Whether a connection is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay(pub bool);

/// Whose packet made an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    ByClient,
    ByAnswer,
}

/// A conversation about connection tracking, in the network namespace of the calling thread.
#[derive(Debug)]
pub struct Conntrack(Netlink);

impl Conntrack {
    /// Opens the conversation.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn open() -> Result<Self, KernelError> {
        Netlink::open(NETLINK_NETFILTER).map(Self).map_err(|error| explain(&error))
    }

    /// Puts entries in. What is in the place of one stays if it stands for a connection that `lives`; else it is left from one
    /// that was carried on, and ended, at another director, and goes: answers would never find the new one. An entry of the
    /// same connection goes in any case if an answer began it, the wrong way round.
    ///
    /// # Errors
    /// When the kernel has no ctnetlink, or refuses all of them.
    pub fn restore(
        &mut self,
        entries: &[ConntrackEntry],
        lives: impl Fn(&Connection) -> bool,
    ) -> Result<Restored, KernelError> {
        let mut restored = Restored::default();
        let mut refusal = None;
        let results = self.0.change(entries.iter().map(new_message));
        for (entry, result) in entries.iter().zip(results) {
            let result = match result {
                Err(error) if error.errno == libc::EEXIST => self.take_the_place(entry, &lives),
                result => result.map(|()| true),
            };
            match result {
                Ok(true) => restored.added += 1,
                Ok(false) => restored.present += 1,
                Err(error) => {
                    restored.refused += 1;
                    refusal = Some(error);
                }
            }
        }
        match refusal {
            Some(error) if restored.refused == entries.len() => Err(explain(&error)),
            _ => Ok(restored),
        }
    }

    /// Takes out what is left of connections that are over: the entries of services at `virtual_addresses` that stand for none
    /// of the `known` connections. A client that takes such a port again would be sent after the old connection. How many
    /// went.
    ///
    /// An entry that an answer began, the wrong way round, goes as soon as its connection is no longer under way, known or not:
    /// the first packet of a client that takes the port again does not find it and makes an entry of its own, whose answers
    /// are those of the old one; so the kernel gives that packet another source port, and the rest of the connection none.
    ///
    /// `known` is asked once the entries have been read: IPVS knows a connection before it is tracked, so none that began
    /// meanwhile is taken for one that is over.
    ///
    /// # Errors
    /// When the kernel cannot be asked, or the known ones cannot be had.
    pub fn sweep<E: From<KernelError>>(
        &mut self,
        virtual_addresses: &BTreeSet<IpAddr>,
        known: impl FnOnce() -> Result<KnownConnections, E>,
    ) -> Result<usize, E> {
        let every = Message::new(CT_GET, 0).header(&[0; NFGENMSG_BYTES]);
        let of_ours = |payload: &[u8]| {
            let found = Found::read(payload)?;
            // An entry that an answer began stands for the client's connection the other way round.
            let both = [(Begun::ByClient, found.connection), (Begun::ByAnswer, found.reversed())];
            let is_ours = |(_, connection): &(Begun, Connection)| {
                virtual_addresses.contains(&connection.virtual_service.ip())
            };
            both.into_iter().find(is_ours).map(|(begun, connection)| (begun, connection, found))
        };
        let entries = self.0.dump(&every, of_ours).map_err(|error| explain(&error))?;
        if entries.is_empty() {
            return Ok(0);
        }
        let known = known()?;
        let stays = |begun: Begun, connection: &Connection| match (begun, known.get(connection)) {
            (Begun::ByClient, known) => known.is_some(),
            (Begun::ByAnswer, known) => known == Some(&UnderWay(true)),
        };
        let over = entries.iter().filter(|(begun, connection, _)| !stays(*begun, connection));
        let results = self.0.change(over.map(|(_, _, found)| delete_message(found)));
        // One that has ended by itself meanwhile is no matter.
        Ok(results.iter().filter(|result| result.is_ok()).count())
    }

    /// For each of `local_addresses`: how many connections bear it towards the real server that has most of them. Each takes a
    /// source port of it.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn ports_used(
        &mut self,
        local_addresses: &BTreeSet<IpAddr>,
    ) -> Result<BTreeMap<IpAddr, u64>, KernelError> {
        let every = Message::new(CT_GET, 0).header(&[0; NFGENMSG_BYTES]);
        // The table may have millions of entries: each is kept as the number of its kind.
        let kinds = RefCell::new(BTreeMap::new());
        let borne = |payload: &[u8]| {
            let Found { connection: Connection { protocol, destination, .. }, answers_to, .. } =
                Found::read(payload)?;
            let local = answers_to.ip();
            let mut kinds = kinds.borrow_mut();
            let next = u32::try_from(kinds.len()).unwrap_or(u32::MAX);
            let kind = (local, protocol.number(), destination);
            local_addresses.contains(&local).then(|| *kinds.entry(kind).or_insert(next))
        };
        let entries = self.0.dump(&every, borne).map_err(|error| explain(&error))?;
        let mut counts = BTreeMap::<u32, u64>::new();
        entries.iter().for_each(|kind| *counts.entry(*kind).or_default() += 1);
        let mut most: BTreeMap<_, _> = local_addresses.iter().map(|address| (*address, 0)).collect();
        for ((local, ..), number) in kinds.into_inner() {
            let most = most.entry(local).or_default();
            *most = counts.get(&number).copied().unwrap_or_default().max(*most);
        }
        Ok(most)
    }

    /// Puts `entry` in where something is in its place; `false` where that stays.
    fn take_the_place(
        &mut self,
        entry: &ConntrackEntry,
        lives: impl Fn(&Connection) -> bool,
    ) -> Result<bool, NetlinkError> {
        let goes = |found: &Found| found.reversed() == entry.connection || !lives(&found.connection);
        for way in [Way::Original, Way::Reply] {
            match self.0.request(&question(way, entry)) {
                Ok(answer) => match Found::read(&answer) {
                    Some(found) if goes(&found) => {
                        self.0.request(&delete_message(&found))?;
                    }
                    _ => return Ok(false),
                },
                Err(error) if error.errno == libc::ENOENT => {}
                Err(error) => return Err(error),
            }
        }
        let again = self.0.change([new_message(entry)]).into_iter().collect::<Result<(), _>>();
        match again {
            // A packet of the client's was faster.
            Err(error) if error.errno == libc::EEXIST => Ok(false),
            again => again.map(|()| true),
        }
    }
}

/// What the kernel tells of connections as their tracking begins, in the network namespace of the calling thread.
#[derive(Debug)]
pub struct Beginnings(Listener);

impl Beginnings {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the kernel has no ctnetlink.
    pub fn open() -> Result<Self, KernelError> {
        let opened = Listener::open(NETLINK_NETFILTER, NF_NETLINK_CONNTRACK_NEW);
        opened.map(Self).map_err(|error| explain(&error))
    }

    /// Waits at most so long for one, and reads what there is: each is a connection whose first packet has left. Where more
    /// came than the socket holds some are missing.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn next(&mut self, within: Duration) -> Result<Vec<Connection>, KernelError> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(within).unwrap_or(PollTimeout::MAX);
        // Interrupted: nothing came yet.
        let _ = poll(&mut fds, timeout);
        let mut begun = Vec::new();
        while begun.len() < MOST_AT_ONCE {
            let take = |message_type, payload: &[u8]| {
                let found = (message_type == CT_NEW).then(|| Found::read(payload)).flatten();
                begun.extend(found.map(|found| found.connection));
            };
            match self.0.read(take) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if error.errno == libc::ENOBUFS => {}
                Err(error) => return Err(explain(&error)),
            }
        }
        Ok(begun)
    }
}

fn explain(error: &NetlinkError) -> KernelError {
    let missing =
        ": is nf_conntrack_netlink loaded? `modprobe nf_conntrack_netlink` (in a container: on the host)";
    KernelError::from_netfilter("cannot change what is tracked of connections", error, missing)
}

/// What an answer to `CT_GET` says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) connection: Connection,
    pub(super) answers_to: SocketAddr,
    /// Differs from one entry to the next in the same place.
    id: [u8; 4],
}

impl Found {
    /// The connection of a client whose real server's answer began the entry.
    fn reversed(&self) -> Connection {
        let Connection { protocol, client, destination, .. } = self.connection;
        Connection { protocol, client: destination, virtual_service: self.answers_to, destination: client }
    }

    /// `None` for one of a protocol that IPVS does not balance.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let attributes = Attributes(payload.get(NFGENMSG_BYTES..)?).by_kind::<KINDS>();
        let (protocol, client, virtual_service) = tuple(attributes.find(CTA_TUPLE_ORIG)?.nested())?;
        let (_, destination, answers_to) = tuple(attributes.find(CTA_TUPLE_REPLY)?.nested())?;
        let connection = Connection { protocol, client, virtual_service, destination };
        Some(Self { connection, answers_to, id: *attributes.find(CTA_ID)?.value.first_chunk()? })
    }
}

/// Protocol, source and destination.
fn tuple(attributes: Attributes<'_>) -> Option<(Protocol, SocketAddr, SocketAddr)> {
    let (addresses, ports) =
        (attributes.find(CTA_TUPLE_IP)?.nested(), attributes.find(CTA_TUPLE_PROTO)?.nested());
    let octets4 = |value: Attribute<'_>| value.value.first_chunk::<4>().copied().map(IpAddr::from);
    let octets6 = |value: Attribute<'_>| value.value.first_chunk::<16>().copied().map(IpAddr::from);
    let address = |kind4, kind6| {
        addresses.find(kind4).and_then(octets4).or_else(|| addresses.find(kind6).and_then(octets6))
    };
    let port = |kind| ports.find(kind)?.value.first_chunk().copied().map(u16::from_be_bytes);
    Some((
        Protocol::from_number(*ports.find(CTA_PROTO_NUM)?.value.first()?)?,
        SocketAddr::new(address(CTA_IP_V4_SRC, CTA_IP_V6_SRC)?, port(CTA_PROTO_SRC_PORT)?),
        SocketAddr::new(address(CTA_IP_V4_DST, CTA_IP_V6_DST)?, port(CTA_PROTO_DST_PORT)?),
    ))
}

/// Which of its two directions an entry is named by.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// The client's.
    Original,
    /// The real server's, as it will be once the source is translated.
    Reply,
}

/// A question for what is in the place of `entry`. The kernel looks a tuple up in both directions.
fn question(way: Way, entry: &ConntrackEntry) -> Message {
    let mut message = begin(CT_GET, 0, entry.source);
    let connection = &entry.connection;
    let (kind, from, to) = match way {
        Way::Original => (CTA_TUPLE_ORIG, connection.client, connection.virtual_service),
        Way::Reply => (CTA_TUPLE_REPLY, connection.destination, entry.local()),
    };
    put_tuple(&mut message, kind, connection.protocol, from, to);
    message
}

/// Deletes this very entry, and not one that has come into its place.
fn delete_message(found: &Found) -> Message {
    let Connection { protocol, client, virtual_service, .. } = found.connection;
    let mut message = begin(CT_DELETE, 0, client.ip());
    put_tuple(&mut message, CTA_TUPLE_ORIG, protocol, client, virtual_service);
    message.put(CTA_ID, &found.id);
    message
}

/// `struct nfgenmsg`: family of `address`, version 0, no resource.
fn begin(message_type: u16, flags: u16, address: IpAddr) -> Message {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    Message::new(message_type, flags).header(&[u8::try_from(family).unwrap_or_default(), 0, 0, 0])
}

pub(super) fn new_message(entry: &ConntrackEntry) -> Message {
    let mut message = begin(CT_NEW, NLM_F_CREATE | NLM_F_EXCL, entry.source);
    let Connection { protocol, client, virtual_service, destination } = entry.connection;
    put_tuple(&mut message, CTA_TUPLE_ORIG, protocol, client, virtual_service);
    put_tuple(&mut message, CTA_TUPLE_REPLY, protocol, destination, client);
    message.put(CTA_STATUS, &STATUS.to_be_bytes());
    message.put(CTA_TIMEOUT, &entry.timeout_s.to_be_bytes());
    if let Some(state) = entry.tcp_state {
        message.nest(CTA_PROTOINFO, |info| {
            info.nest(CTA_PROTOINFO_TCP, |tcp| {
                let closing = if state >= TCP_CONNTRACK_FIN_WAIT { CLOSE_INIT } else { 0 };
                tcp.put_u8(CTA_PROTOINFO_TCP_STATE, state);
                // `struct nf_ct_tcp_flags`: flags and the mask of those that are meant.
                tcp.put(CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, &[LIBERAL | closing; 2]);
                tcp.put(CTA_PROTOINFO_TCP_FLAGS_REPLY, &[LIBERAL; 2]);
            });
        });
    }
    if entry.source != client.ip() {
        message.nest(CTA_NAT_SRC, |source| put_source(source, entry));
    }
    message
}

fn put_source(message: &mut Message, entry: &ConntrackEntry) {
    let kinds = match entry.source {
        IpAddr::V4(_) => [CTA_NAT_V4_MINIP, CTA_NAT_V4_MAXIP],
        IpAddr::V6(_) => [CTA_NAT_V6_MINIP, CTA_NAT_V6_MAXIP],
    };
    kinds.into_iter().for_each(|kind| put_address(message, kind, entry.source));
    message.nest(CTA_NAT_PROTO, |ports| {
        ports.put_u16_be(CTA_PROTONAT_PORT_MIN, entry.local().port());
        ports.put_u16_be(CTA_PROTONAT_PORT_MAX, entry.local().port());
    });
}

fn put_tuple(message: &mut Message, kind: u16, protocol: Protocol, from: SocketAddr, to: SocketAddr) {
    let kinds = if from.is_ipv4() { [CTA_IP_V4_SRC, CTA_IP_V4_DST] } else { [CTA_IP_V6_SRC, CTA_IP_V6_DST] };
    message.nest(kind, |tuple| {
        tuple.nest(CTA_TUPLE_IP, |addresses| {
            put_address(addresses, kinds[0], from.ip());
            put_address(addresses, kinds[1], to.ip());
        });
        tuple.nest(CTA_TUPLE_PROTO, |ports| {
            ports.put_u8(CTA_PROTO_NUM, protocol.number());
            ports.put_u16_be(CTA_PROTO_SRC_PORT, from.port());
            ports.put_u16_be(CTA_PROTO_DST_PORT, to.port());
        });
    });
}

fn put_address(message: &mut Message, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => message.put(kind, &address.octets()),
        IpAddr::V6(address) => message.put(kind, &address.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attributes_of;

    #[test]
    fn a_connection_reads_back_as_it_is_written() {
        for (client, vip, destination, source) in [
            ("192.0.2.9:5000", "192.0.2.1:80", "10.20.0.11:8080", "10.20.0.8"),
            ("[2001:db8::9]:5000", "[2001:db8::1]:80", "[2001:db8:1::b]:8080", "2001:db8:1::8"),
        ] {
            let connection = Connection {
                protocol: Protocol::Tcp,
                client: client.parse().expect("an address"),
                virtual_service: vip.parse().expect("an address"),
                destination: destination.parse().expect("an address"),
            };
            let source = source.parse().expect("an address");
            let entry = ConntrackEntry { connection, source, tcp_state: Some(3), timeout_s: 900 };
            let mut message = new_message(&entry);
            message.put(CTA_ID, &[1, 2, 3, 4]);
            let mut answer = vec![0; NFGENMSG_BYTES];
            answer.extend(attributes_of(&message, NFGENMSG_BYTES));
            // The kernel works the source into the answers' direction; ours is what it is given.
            let answers_to = connection.client;
            assert_eq!(Found::read(&answer), Some(Found { connection, answers_to, id: [1, 2, 3, 4] }));
            for cut in 0..answer.len() {
                let _ = Found::read(&answer[..cut]);
            }
        }
    }
}
