//! The kernel's tables as values: what they should be ([`Tables`]) and what they are ([`Observed`]).

use super::{
    Destination, DestinationKey, Ruleset, ServiceConfig, ServiceKey, SyncDaemon, Sysctl, Timeouts,
    VirtualAddress,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// A virtual service with its destinations, in canonical order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub config: ServiceConfig,
    /// Shared: those that shall be there are nearly always those that are, and are held once.
    pub destinations: Arc<BTreeMap<DestinationKey, Destination>>,
}

impl Service {
    /// The destinations, to change them here alone.
    pub fn destinations_mut(&mut self) -> &mut BTreeMap<DestinationKey, Destination> {
        Arc::make_mut(&mut self.destinations)
    }
}

/// What the kernel should hold.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tables {
    pub services: BTreeMap<ServiceKey, Service>,
    /// The weight with which a destination first enters the kernel where it differs from its desired one: under `mh` a
    /// server that starts at weight 0 must enter with its configured weight, or it owns no slots.
    pub entry_weights: BTreeMap<(ServiceKey, DestinationKey), u32>,
    /// Empty: those that others started are left alone. Else these and no others run: the kernel has one place a role.
    pub sync_daemons: BTreeSet<SyncDaemon>,
    /// `None` parts are left alone.
    pub timeouts: Timeouts,
    /// Empty: our table shall not exist.
    pub ruleset: Ruleset,
    pub sysctls: BTreeMap<Sysctl, String>,
    pub addresses: BTreeSet<VirtualAddress>,
}

impl Tables {
    /// Whether anything here is a part of IPVS: a director that only moves addresses works on a kernel without it.
    #[must_use]
    pub fn needs_ipvs(&self) -> bool {
        !self.services.is_empty() || !self.sync_daemons.is_empty() || self.timeouts != Timeouts::default()
    }
}

/// Counters since the entry was made (`IPVS_STATS_ATTR_*`, 64 bits wide where the kernel gives them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    pub connections: u64,
    pub incoming_packets: u64,
    /// Stays 0 in DR and TUN: the answers don't pass the director.
    pub outgoing_packets: u64,
    pub incoming_bytes: u64,
    pub outgoing_bytes: u64,
}

impl Counters {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            connections: self.connections.saturating_add(other.connections),
            incoming_packets: self.incoming_packets.saturating_add(other.incoming_packets),
            outgoing_packets: self.outgoing_packets.saturating_add(other.outgoing_packets),
            incoming_bytes: self.incoming_bytes.saturating_add(other.incoming_bytes),
            outgoing_bytes: self.outgoing_bytes.saturating_add(other.outgoing_bytes),
        }
    }
}

/// Connections that a destination holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Connections {
    pub active: u32,
    pub inactive: u32,
    pub persistent: u32,
}

impl Connections {
    /// Active and inactive ones: those that end when the destination does.
    #[must_use]
    pub fn held(self) -> u64 {
        u64::from(self.active) + u64::from(self.inactive)
    }
}

/// What the kernel counts for a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DestinationCounts {
    pub counters: Counters,
    pub connections: Connections,
}

/// What the kernel counts for the destinations of one service. A copy is shared: whoever tells of it holds no second one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ServiceCounts(Arc<[(DestinationKey, DestinationCounts)]>);

impl ServiceCounts {
    /// Those of one destination; `None` where it was not there when they were read.
    #[must_use]
    pub fn get(&self, key: &DestinationKey) -> Option<&DestinationCounts> {
        let place = self.0.binary_search_by_key(key, |(key, _)| *key).ok()?;
        self.0.get(place).map(|(_, counts)| counts)
    }
}

/// In any order; no key twice.
impl FromIterator<(DestinationKey, DestinationCounts)> for ServiceCounts {
    fn from_iter<T: IntoIterator<Item = (DestinationKey, DestinationCounts)>>(counts: T) -> Self {
        let mut counts = Vec::from_iter(counts);
        counts.sort_unstable_by_key(|(key, _)| *key);
        Self(counts.into())
    }
}

/// Our nftables table as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum ObservedRuleset {
    #[default]
    Absent,
    /// A digest of its listing without handles and counters: equal digests mean equal rules.
    Present(String),
}

/// What the kernel holds, counters aside comparable with [`Tables`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Observed {
    /// Every service of the network namespace, foreign ones included.
    pub services: BTreeMap<ServiceKey, Service>,
    /// Of each service under `mh`, its destinations as the kernel lists them: by this order it gives out the slots.
    pub mh_orders: BTreeMap<ServiceKey, Vec<DestinationKey>>,
    pub service_counters: BTreeMap<ServiceKey, Counters>,
    pub destination_counts: BTreeMap<ServiceKey, ServiceCounts>,
    pub sync_daemons: BTreeSet<SyncDaemon>,
    pub timeouts: Timeouts,
    pub ruleset: ObservedRuleset,
    /// The settings asked for; a missing one does not exist in this kernel.
    pub sysctls: BTreeMap<Sysctl, String>,
    /// Those of the addresses asked for that are there.
    pub addresses: BTreeSet<VirtualAddress>,
    /// Where the addresses of [`Scope::held`] are, with whatever prefix.
    pub held: BTreeSet<VirtualAddress>,
    /// Tables beside IPVS that could not be read, and why: nothing is known of them.
    pub unreadable: Vec<(SideTable, String)>,
}

/// A table that an observation reads beside IPVS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SideTable {
    Nftables,
    Sysctls,
    Addresses,
}

impl Observed {
    /// What the kernel counts for a destination; nothing where it was not there when that was read.
    #[must_use]
    pub fn counts_of(&self, service: &ServiceKey, key: &DestinationKey) -> DestinationCounts {
        self.destination_counts.get(service).and_then(|counts| counts.get(key)).copied().unwrap_or_default()
    }

    /// Shares with what shall be, and with what was found `earlier`, what is the same there.
    pub fn share(&mut self, desired: &Tables, earlier: &Self) {
        for (key, service) in &mut self.services {
            let known = [desired.services.get(key), earlier.services.get(key)].into_iter().flatten();
            let same = known.map(|known| &known.destinations).find(|known| **known == service.destinations);
            if let Some(same) = same {
                service.destinations = Arc::clone(same);
            }
        }
        for (key, counts) in &mut self.destination_counts {
            if let Some(same) = earlier.destination_counts.get(key).filter(|known| *known == counts) {
                *counts = same.clone();
            }
        }
    }

    /// Takes over from `earlier` what could not be read this time: one bad table holds up no other.
    pub fn fill_in(&mut self, earlier: &Self) {
        for (table, _) in &self.unreadable {
            match table {
                SideTable::Nftables => self.ruleset = earlier.ruleset.clone(),
                SideTable::Sysctls => self.sysctls = earlier.sysctls.clone(),
                SideTable::Addresses => {
                    self.addresses = earlier.addresses.clone();
                    self.held = earlier.held.clone();
                }
            }
        }
    }
}

/// How an observation treats IPVS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum IpvsScope {
    /// Nothing of it is wanted or ours: it is not even asked for, since asking makes the kernel look for the module.
    Ignored,
    /// Something of ours may be left in it: read where the kernel has it, empty where not.
    IfThere,
    /// The policy needs it: its absence is an error.
    #[default]
    Needed,
}

/// What an observation shall look at.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Scope {
    pub ipvs: IpvsScope,
    pub sysctls: BTreeSet<Sysctl>,
    pub addresses: BTreeSet<VirtualAddress>,
    /// Addresses that somebody else moves: on which interface each is, if on any.
    pub held: BTreeSet<IpAddr>,
    /// Whether our nftables table matters (it is wanted, or we once made it).
    pub ruleset: bool,
}
