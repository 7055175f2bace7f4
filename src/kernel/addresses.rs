//! The addresses that a policy makes this host hold alone: which are there, add, remove.
//!
//! Addresses of a virtual router are not made here but by its own thread. An IPv6 address comes without duplicate address
//! detection: its owner says that it is alone, and detection would leave it unusable for a second. And it comes deprecated,
//! which takes connections as ever but is nobody's choice as a source (RFC 6724, rule 3): a probe or a tunnelled packet that
//! came from the VIP would be dropped by a DR or TUN real server, which holds the VIP itself.

use super::KernelError;
use super::routing::Routing;
use crate::model::{AddressFacts, Scope, VirtualAddress};
use futures_util::TryStreamExt;
use ipnet::IpNet;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, CacheInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// `INFINITY_LIFE_TIME` (`net/addrconf.h`).
const FOR_EVER: u32 = u32::MAX;

/// An address as the kernel lists it.
#[derive(Debug)]
struct Listed {
    address: VirtualAddress,
    message: AddressMessage,
}

/// Those of the addresses asked for that are there, and where those are that somebody else moves.
///
/// # Errors
/// When the kernel cannot be asked.
pub(crate) fn observe(
    routing: &Routing,
    scope: &Scope,
) -> Result<(BTreeSet<VirtualAddress>, BTreeSet<VirtualAddress>), KernelError> {
    let listed = list(routing, &routing.interfaces()?)?;
    let found = || listed.iter().map(|listed| &listed.address);
    let asked = found().filter(|found| scope.addresses.contains(found));
    let held = found().filter(|found| scope.held.contains(&found.address.addr()));
    Ok((asked.cloned().collect(), held.cloned().collect()))
}

/// Every address of this host.
///
/// # Errors
/// When the kernel cannot be asked.
pub(crate) fn every(
    routing: &Routing,
    interfaces: &BTreeMap<u32, String>,
) -> Result<Vec<AddressFacts>, KernelError> {
    let unusable = AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed;
    let facts = |Listed { address, message }: Listed| AddressFacts {
        interface: address.interface,
        address: address.address,
        tentative: message.header.flags.intersects(unusable),
    };
    Ok(list(routing, interfaces)?.into_iter().map(facts).collect())
}

/// Adds an address to its interface.
///
/// # Errors
/// When the interface is missing, or holds the address already, with this or another prefix.
pub(crate) fn add(routing: &Routing, wanted: &VirtualAddress) -> Result<(), KernelError> {
    let interfaces = routing.interfaces()?;
    let index = index_of(&interfaces, wanted)?;
    let same_address = |listed: &Listed| {
        listed.address.interface == wanted.interface
            && listed.address.address.addr() == wanted.address.addr()
            && listed.address != *wanted
    };
    if let Some(other) = list(routing, &interfaces)?.into_iter().find(same_address) {
        return Err(KernelError {
            errno: Some(libc::EEXIST),
            message: format!(
                "cannot add address {} to {}: the interface holds it as {} already: remove that one, or write its prefix \
                 length in the policy",
                wanted.address, wanted.interface, other.address.address
            ),
        });
    }
    let what = format!("add address {} to {}", wanted.address, wanted.interface);
    routing.call(&what, |handle| {
        let network = wanted.address;
        let mut request = handle.address().add(index, network.addr(), network.prefix_len());
        if matches!(network, IpNet::V6(_)) {
            let message = request.message_mut();
            message.header.flags |= AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::CacheInfo(deprecated()));
        }
        request.execute()
    })
}

/// Valid for ever, preferred never.
fn deprecated() -> CacheInfo {
    let mut lifetime = CacheInfo::default();
    (lifetime.ifa_preferred, lifetime.ifa_valid) = (0, FOR_EVER);
    lifetime
}

/// Takes an address from its interface.
///
/// # Errors
/// When the interface is missing or does not hold it.
pub(crate) fn remove(routing: &Routing, unwanted: &VirtualAddress) -> Result<(), KernelError> {
    let interfaces = routing.interfaces()?;
    index_of(&interfaces, unwanted)?;
    let found = list(routing, &interfaces)?.into_iter().find(|listed| listed.address == *unwanted);
    let Some(listed) = found else {
        let message =
            format!("cannot remove address {}: {} does not hold it", unwanted.address, unwanted.interface);
        return Err(KernelError { errno: Some(libc::EADDRNOTAVAIL), message });
    };
    let what = format!("remove address {} from {}", unwanted.address, unwanted.interface);
    routing.call(&what, |handle| handle.address().del(listed.message).execute())
}

fn index_of(interfaces: &BTreeMap<u32, String>, wanted: &VirtualAddress) -> Result<u32, KernelError> {
    let found = interfaces.iter().find(|(_, name)| **name == wanted.interface);
    found.map(|(index, _)| *index).ok_or_else(|| KernelError {
        errno: Some(libc::ENODEV),
        message: format!(
            "address {}: there is no interface {} in this network namespace; there are {}",
            wanted.address,
            wanted.interface,
            interfaces.values().map(String::as_str).collect::<Vec<_>>().join(", ")
        ),
    })
}

fn list(routing: &Routing, interfaces: &BTreeMap<u32, String>) -> Result<Vec<Listed>, KernelError> {
    let messages = routing.call("list the addresses", |handle| async move {
        handle.address().get().execute().try_collect::<Vec<_>>().await
    })?;
    let listed = |message: AddressMessage| {
        let interface = interfaces.get(&message.header.index)?.clone();
        let address = IpNet::new(own_address(&message)?, message.header.prefix_len).ok()?;
        Some(Listed { address: VirtualAddress { address, interface }, message })
    };
    Ok(messages.into_iter().filter_map(listed).collect())
}

/// `IFA_LOCAL`, which IPv6 leaves out where it equals `IFA_ADDRESS` (that is the peer's, on a point-to-point link).
pub(super) fn own_address(message: &AddressMessage) -> Option<IpAddr> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    local.or_else(|| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })
}
