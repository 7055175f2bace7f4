//! The policy: one value that says everything a director shall do.

use super::{
    ApiSettings, Check, CheckName, EventHook, Forwarding, KernelRelease, Pair, Pool, Pools, RouterName,
    ServiceKey, TargetKey, Tracked, Tracker, VerdictBy, VirtualRouter, VirtualService,
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// A validated policy: every reference resolves, every default is written out. Made by [`crate::policy`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Checks that a pool uses or a virtual router tracks.
    pub checks: BTreeMap<CheckName, Check>,
    pub pools: Pools,
    /// Addresses that this host holds alone, sorted.
    pub virtual_addresses: Vec<VirtualAddress>,
    /// The directors, and the addresses that float between them.
    pub pair: Pair,
    pub probes: ProbeSettings,
    pub kernel: KernelSettings,
    pub metrics: MetricsSettings,
    /// What is run or called at events, in the order of the policy.
    pub on_event: Vec<EventHook>,
    /// `None`: over its socket alone.
    pub api: Option<ApiSettings>,
    pub on_stop: OnStop,
}

impl Policy {
    /// Whom a check probes that a virtual router tracks; `None` where it is not among the checks, or has no target of its
    /// own.
    #[must_use]
    pub fn own_target(&self, check: &CheckName) -> Option<TargetKey> {
        let address = self.checks.get(check)?.own_target()?;
        Some(TargetKey { check: check.clone(), address, real_path: None })
    }

    /// Whether a pool is full-NAT's: then IPVS has the connections of all pools tracked.
    #[must_use]
    pub fn has_full_nat(&self) -> bool {
        let mut servers = self.pools.values().flat_map(Pool::every_server);
        servers.any(|server| matches!(server.forwarding, Forwarding::FullNat(_)))
    }

    /// `net.ipv4.vs.conn_reuse_mode` under a kernel. Where IPVS has its connections tracked, a SYN that is to be scheduled anew
    /// is dropped first if what was tracked before stands there still (`ip_vs_conn_uses_old_conntrack`): the client waits a
    /// second, and three if a takeover comes between. So it goes to the old real server there, if that does not switch
    /// `expire_nodest_conn` off, which sends it elsewhere where that server is gone or has no weight.
    #[must_use]
    pub fn conn_reuse_mode(&self, kernel: Option<KernelRelease>) -> u8 {
        let may_stay = kernel.is_none_or(|release| release >= KernelSettings::EXPIRY_WITHOUT_REUSE);
        let usual = u8::from(!(self.has_full_nat() && may_stay));
        self.kernel.conn_reuse_mode.unwrap_or(usual)
    }

    /// The checks that only say weights.
    #[must_use]
    pub fn weight_sources(&self) -> BTreeSet<CheckName> {
        let sources = self.pools.values().filter_map(|pool| pool.servers.first()?.weight_source.as_ref());
        sources.map(|source| source.check.clone()).collect()
    }

    /// The routers that hold a pool's addresses.
    #[must_use]
    pub fn routers_of(&self, pool: &Pool) -> BTreeSet<&RouterName> {
        let keys = pool.services.iter().flat_map(VirtualService::keys);
        let routers = keys.filter_map(ServiceKey::address).filter_map(|address| self.pair.router_of(address));
        routers.map(|router| &router.name).collect()
    }

    /// What a router's fitness follows: what it says itself, and whether the pools whose addresses it holds are in sight, where
    /// both directors judge them.
    #[must_use]
    pub fn trackers_of(&self, router: &VirtualRouter) -> Vec<Tracker> {
        let judged_by_both = self.pools.values().filter(|pool| pool.rules.verdict == VerdictBy::Both);
        let holds = |key: &ServiceKey| key.address().is_some_and(|address| router.holds(address));
        let held =
            judged_by_both.filter(|pool| pool.services.iter().flat_map(VirtualService::keys).any(holds));
        let sight = held.map(|pool| {
            let what = Tracked::Sight(pool.name.clone());
            Tracker { name: what.to_string().into(), what, priority_change: None }
        });
        router.track.iter().cloned().chain(sight).collect()
    }

    /// The targets of the checks that virtual routers track.
    #[must_use]
    pub fn tracked_targets(&self) -> BTreeSet<TargetKey> {
        let trackers = self.pair.routers.values().flat_map(|router| &router.track);
        let target = |tracked: &Tracked| match tracked {
            Tracked::Check(check) => self.own_target(check),
            Tracked::Interface(_)
            | Tracked::Pool(_)
            | Tracked::Sight(_)
            | Tracked::Process(_)
            | Tracked::File(_) => None,
        };
        trackers.filter_map(|tracker| target(&tracker.what)).collect()
    }
}

/// An address that this host holds while the director runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// Address and length of its network's prefix.
    pub address: IpNet,
    pub interface: String,
}

/// What holds for the probes of all checks together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// Starts in a second at most, 1..=1,000,000; what is due beyond them waits, and is late.
    pub per_second: u32,
}

/// About what one processor can do.
impl Default for ProbeSettings {
    fn default() -> Self {
        Self { per_second: 20_000 }
    }
}

/// Settings of IPVS as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelSettings {
    pub timeouts: Timeouts,
    /// `net.ipv4.vs.expire_nodest_conn`: whether a connection ends at once when its real server has left the table. Without
    /// it a client that uses a port again meets the server that is gone until the old entry times out.
    pub expire_nodest_conn: bool,
    /// `net.ipv4.vs.expire_quiescent_template`: whether a persistent client leaves a server of weight 0. Without it a client
    /// comes back to a quiesced server, dead or not, until its persistence has timed out.
    pub expire_quiescent_template: bool,
    /// `net.ipv4.vs.conn_reuse_mode`, a bitmap of 0..=3: whether a SYN from a port that was used before is scheduled anew once
    /// the old connection is over (1: in TIME_WAIT, 2: also in FIN_WAIT). With 0 it goes to the old real server. `None`: as the
    /// kernel and the pools are ([`Policy::conn_reuse_mode`]).
    pub conn_reuse_mode: Option<u8>,
}

impl KernelSettings {
    /// What [`KernelSettings::conn_reuse_mode`] can be.
    pub const CONN_REUSE_MODES: std::ops::RangeInclusive<u8> = 0..=3;

    /// From here on `expire_nodest_conn` works whatever `conn_reuse_mode` is.
    pub const EXPIRY_WITHOUT_REUSE: KernelRelease = KernelRelease(5, 16);
}

/// What a policy means that says nothing of the kernel.
impl Default for KernelSettings {
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            expire_nodest_conn: true,
            expire_quiescent_template: false,
            conn_reuse_mode: None,
        }
    }
}

/// Idle time of connections (`IPVS_CMD_SET_CONFIG`), whole seconds, 1..; `None` leaves what the kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Timeouts {
    pub tcp_s: Option<u32>,
    /// After a FIN was seen.
    pub tcp_fin_s: Option<u32>,
    pub udp_s: Option<u32>,
}

/// The exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    pub listen: SocketAddr,
    /// Whether the families with a `server` label are shown.
    pub per_server: bool,
}

/// What a stopped director leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnStop {
    /// The table goes on serving.
    #[default]
    Keep,
    /// Everything that is ours goes, and the sysctls get the values that were found.
    Remove,
}
