//! What `tandem doctor` judges: this host at one moment, as values. Pure.

use crate::model::{HostFacts, KernelRelease, NetworkFacts, Sysctl};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that was read of this host.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Facts {
    /// Version of the kernel.
    pub(super) release: Option<KernelRelease>,
    /// The settings that were asked for and that this kernel has.
    pub(super) sysctls: BTreeMap<Sysctl, String>,
    pub(super) modules: Modules,
    /// How the policy's addresses are reached.
    pub(super) reach: HostFacts,
    pub(super) network: NetworkFacts,
    /// Whether the program `nft` is there.
    pub(super) has_nft: bool,
    pub(super) firewall: Firewall,
    pub(super) clock: Clock,
    pub(super) stolen: Option<Stolen>,
    /// Other programs of this network namespace that hold VRRP or IPVS, with their process ids.
    pub(super) rivals: Vec<(String, u32)>,
    /// What the advertisements' thread would not get, in words; `None`: it was not asked for.
    pub(super) refused_priority: Option<Vec<String>>,
}

/// Which modules this kernel has.
#[derive(Clone, Debug, Default)]
pub(super) struct Modules {
    /// Loaded, or part of the kernel itself.
    pub(super) there: BTreeSet<String>,
    /// Can be loaded; `None`: the list of modules could not be read.
    pub(super) available: Option<BTreeSet<String>>,
}

/// What of a module is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    There,
    /// The kernel or modprobe loads it when it is asked for.
    Available,
    Missing,
    Unknown,
}

impl Modules {
    pub(super) fn presence(&self, name: &str) -> Presence {
        match &self.available {
            _ if self.there.contains(name) => Presence::There,
            Some(available) if available.contains(name) => Presence::Available,
            Some(_) => Presence::Missing,
            None => Presence::Unknown,
        }
    }
}

/// The rules of packet filters.
#[derive(Clone, Debug, Default)]
pub(super) struct Firewall {
    /// As `nft -j list ruleset` says them, or why they could not be read.
    pub(super) rules: Option<Result<Value, String>>,
    /// Whether the older iptables has tables, which nft does not list.
    pub(super) has_legacy: bool,
}

/// The clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// Whether somebody keeps it right, and by how many microseconds it may be wrong.
    pub(super) state: Option<(bool, i64)>,
    /// How far it moved against the time that passed while the doctor looked, in milliseconds.
    pub(super) jump_ms: i64,
}

/// Share of the processors' time that the machine below kept for others, in thousandths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stolen {
    pub(super) while_looking: u64,
    pub(super) since_boot: u64,
}
