//! What a snapshot takes from the policy beside pools and election: the virtual routers, and full-NAT's local addresses. Pure.

use crate::model::{Forwarding, Policy, Pool, RouterName, SourceTranslation, VirtualRouter};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// A virtual router as the policy says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterSnapshot {
    pub name: RouterName,
    pub interface: String,
    /// 1..=255.
    pub vrid: u8,
    /// With the prefix length of their network.
    pub addresses: Vec<IpNet>,
    /// From a new Master's first burst of announcements to the second; zero: there is none.
    pub announcement_delay: Duration,
}

impl From<&VirtualRouter> for RouterSnapshot {
    fn from(router: &VirtualRouter) -> Self {
        Self {
            name: router.name.clone(),
            interface: router.interface.clone(),
            vrid: router.vrid.get(),
            addresses: router.addresses.clone(),
            announcement_delay: router.announcements.delay,
        }
    }
}

/// The local addresses that full-NAT's connections bear.
#[must_use]
pub fn local_addresses(policy: &Policy) -> BTreeSet<IpAddr> {
    let servers = policy.pools.values().flat_map(Pool::every_server);
    let translations = servers.filter_map(|server| match &server.forwarding {
        Forwarding::FullNat(SourceTranslation::LocalAddresses(addresses)) => Some(addresses),
        _ => None,
    });
    translations.flatten().copied().collect()
}
