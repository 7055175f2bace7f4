//! Floating addresses in the kernel (shell): adds, renews, removes, dumps and watches them by rtnetlink, announces them and
//! hears other claims by packet sockets. It decides nothing and knows no router: [`crate::floating::keeper`] does.

pub(crate) mod frame;
pub(super) mod link;
pub(super) mod message;
mod packet;

pub(crate) use packet::PacketSocket;

use super::netlink::{Listener, Netlink, NetlinkError};
use crate::floating::keeper::{HeldAddress, Link, Operation};
use crate::floating::macvlan::{FoundLink, Macvlan};
use message::{RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK};
use netlink_sys::protocols::NETLINK_ROUTE;
use std::os::fd::{AsFd, BorrowedFd};

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// A conversation about addresses, and ears for what happens to them. In the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct AddressTable {
    requests: Netlink,
    events: Listener,
}

/// What the kernel tells of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KernelEvent {
    Link { name: String, link: Link },
    LinkGone { name: String, index: u32 },
    Address { index: u32, held: HeldAddress },
    AddressGone { index: u32, held: HeldAddress },
}

impl AddressTable {
    /// Listens from here on: what happens during a later dump is heard.
    pub(crate) fn open() -> Result<Self, NetlinkError> {
        let events = Listener::open(NETLINK_ROUTE, GROUPS)?;
        Ok(Self { requests: Netlink::open(NETLINK_ROUTE)?, events })
    }

    /// Does the operations in their order, in few system calls; an errno for each that failed.
    pub(crate) fn operate(&mut self, operations: &[Operation]) -> Vec<Result<(), i32>> {
        let results = self.requests.change(operations.iter().map(message::operation));
        results.into_iter().map(|result| result.map_err(|error| error.errno)).collect()
    }

    /// Every interface.
    pub(crate) fn links(&mut self) -> Result<Vec<(FoundLink, Link)>, NetlinkError> {
        self.requests.dump(&message::all_links(), link::found)
    }

    /// Makes a macvlan, down, on the parent with this index.
    ///
    /// # Errors
    /// `EEXIST`: another link has its name. `EOPNOTSUPP`: this kernel has no macvlan. `EBUSY`: the parent is taken (a macvlan
    /// of its own, a port of a bridge). `EADDRINUSE`: another macvlan on the parent has this MAC and is up.
    pub(crate) fn create_macvlan(&mut self, macvlan: &Macvlan, parent: u32) -> Result<(), NetlinkError> {
        self.requests.request(&link::create(macvlan, parent)).map(drop)
    }

    pub(crate) fn remove_link(&mut self, index: u32) -> Result<(), NetlinkError> {
        self.requests.request(&link::remove(index)).map(drop)
    }

    pub(crate) fn set_alias(&mut self, index: u32, alias: &str) -> Result<(), NetlinkError> {
        self.requests.request(&link::set_alias(index, alias)).map(drop)
    }

    /// Sets an interface up or down.
    pub(crate) fn set_up(&mut self, index: u32, up: bool) -> Result<(), NetlinkError> {
        self.requests.request(&link::set_up(index, up)).map(drop)
    }

    /// The route to the neighbours' link-local addresses, on an interface that is up.
    pub(crate) fn add_link_local_route(&mut self, index: u32) -> Result<(), NetlinkError> {
        self.requests.request(&link::link_local_route(index)).map(drop)
    }

    /// Every address, with the index of its interface.
    pub(crate) fn addresses(&mut self) -> Result<Vec<(u32, HeldAddress)>, NetlinkError> {
        self.requests.dump(&message::all_addresses(), message::held_address)
    }

    /// What happened since the last call, one datagram of it; `false` when there is nothing.
    ///
    /// # Errors
    /// `ENOBUFS`: something was lost, all must be dumped anew.
    pub(crate) fn events(&mut self, events: &mut Vec<KernelEvent>) -> Result<bool, NetlinkError> {
        self.events.read(|message_type, payload| {
            let link = || message::link(payload);
            let address = || message::held_address(payload);
            events.extend(match message_type {
                RTM_NEWLINK => link().map(|(name, link)| KernelEvent::Link { name, link }),
                RTM_DELLINK => link().map(|(name, link)| KernelEvent::LinkGone { name, index: link.index }),
                RTM_NEWADDR => address().map(|(index, held)| KernelEvent::Address { index, held }),
                RTM_DELADDR => address().map(|(index, held)| KernelEvent::AddressGone { index, held }),
                _ => None,
            });
        })
    }
}

impl AsFd for AddressTable {
    /// Readable when there are events.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}
