//! One change of a kernel table: printable before it is applied, and the unit of success and failure.

use crate::model::{
    Destination, DestinationKey, Ruleset, ServiceConfig, ServiceKey, SyncDaemon, Sysctl, Timeouts,
    VirtualAddress,
};
use std::fmt;

/// One change. The variants are in no order; [`super::plan`] orders them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    AddService {
        service: ServiceKey,
        config: ServiceConfig,
    },
    EditService {
        service: ServiceKey,
        from: ServiceConfig,
        to: ServiceConfig,
    },
    RemoveService {
        service: ServiceKey,
    },
    AddDestination {
        service: ServiceKey,
        key: DestinationKey,
        destination: Destination,
    },
    EditDestination {
        service: ServiceKey,
        key: DestinationKey,
        from: Destination,
        to: Destination,
    },
    RemoveDestination {
        service: ServiceKey,
        key: DestinationKey,
    },
    /// Takes the kernel about 170 ms, as does stopping one: it waits for threads of its own.
    StartSyncDaemon {
        daemon: SyncDaemon,
    },
    StopSyncDaemon {
        daemon: SyncDaemon,
    },
    /// Only the parts that differ are set.
    SetTimeouts {
        to: Timeouts,
    },
    /// The whole table in one transaction: there is no moment without it.
    ReplaceRuleset {
        to: Ruleset,
    },
    RemoveRuleset,
    SetSysctl {
        sysctl: Sysctl,
        from: String,
        to: String,
    },
    AddAddress {
        address: VirtualAddress,
    },
    RemoveAddress {
        address: VirtualAddress,
    },
}

/// The object of a change: what a back-off and an error message are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    Service(ServiceKey),
    Destination(ServiceKey, DestinationKey),
    SyncDaemon(SyncDaemon),
    Timeouts,
    Ruleset,
    Sysctl(Sysctl),
    Address(VirtualAddress),
}

/// The kernel table that an object lives in: the `table` label of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Services,
    Destinations,
    SyncDaemons,
    Timeouts,
    Nftables,
    Sysctls,
    Addresses,
}

impl Table {
    /// Every table, in the order of the metrics.
    pub const ALL: [Self; 7] = [
        Self::Services,
        Self::Destinations,
        Self::SyncDaemons,
        Self::Timeouts,
        Self::Nftables,
        Self::Sysctls,
        Self::Addresses,
    ];

    /// The closed list of the `table` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Destinations => "destinations",
            Self::SyncDaemons => "sync_daemons",
            Self::Timeouts => "timeouts",
            Self::Nftables => "nftables",
            Self::Sysctls => "sysctls",
            Self::Addresses => "addresses",
        }
    }
}

/// What a change does to its object: the second half of the `kind` label of `tandem_reconcile_changes_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Add,
    Edit,
    Remove,
}

impl Change {
    /// What it is about.
    #[must_use]
    pub fn object(&self) -> Object {
        match self {
            Self::AddService { service, .. }
            | Self::EditService { service, .. }
            | Self::RemoveService { service } => Object::Service(*service),
            Self::AddDestination { service, key, .. }
            | Self::EditDestination { service, key, .. }
            | Self::RemoveDestination { service, key } => Object::Destination(*service, *key),
            Self::StartSyncDaemon { daemon } | Self::StopSyncDaemon { daemon } => {
                Object::SyncDaemon(daemon.clone())
            }
            Self::SetTimeouts { .. } => Object::Timeouts,
            Self::ReplaceRuleset { .. } | Self::RemoveRuleset => Object::Ruleset,
            Self::SetSysctl { sysctl, .. } => Object::Sysctl(sysctl.clone()),
            Self::AddAddress { address } | Self::RemoveAddress { address } => {
                Object::Address(address.clone())
            }
        }
    }

    /// What it does.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::AddService { .. }
            | Self::AddDestination { .. }
            | Self::StartSyncDaemon { .. }
            | Self::AddAddress { .. } => Verb::Add,
            Self::EditService { .. }
            | Self::EditDestination { .. }
            | Self::SetTimeouts { .. }
            | Self::ReplaceRuleset { .. }
            | Self::SetSysctl { .. } => Verb::Edit,
            Self::RemoveService { .. }
            | Self::RemoveDestination { .. }
            | Self::StopSyncDaemon { .. }
            | Self::RemoveRuleset
            | Self::RemoveAddress { .. } => Verb::Remove,
        }
    }

    /// The closed list of the `kind` label: `add_service`, `edit_destination`, `set_sysctl`, …
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::AddService { .. } => "add_service",
            Self::EditService { .. } => "edit_service",
            Self::RemoveService { .. } => "remove_service",
            Self::AddDestination { .. } => "add_destination",
            Self::EditDestination { .. } => "edit_destination",
            Self::RemoveDestination { .. } => "remove_destination",
            Self::StartSyncDaemon { .. } => "start_sync_daemon",
            Self::StopSyncDaemon { .. } => "stop_sync_daemon",
            Self::SetTimeouts { .. } => "set_timeouts",
            Self::ReplaceRuleset { .. } => "replace_ruleset",
            Self::RemoveRuleset => "remove_ruleset",
            Self::SetSysctl { .. } => "set_sysctl",
            Self::AddAddress { .. } => "add_address",
            Self::RemoveAddress { .. } => "remove_address",
        }
    }

    /// The kernel table that it changes.
    #[must_use]
    pub fn table(&self) -> Table {
        match self.object() {
            Object::Service(_) => Table::Services,
            Object::Destination(..) => Table::Destinations,
            Object::SyncDaemon(_) => Table::SyncDaemons,
            Object::Timeouts => Table::Timeouts,
            Object::Ruleset => Table::Nftables,
            Object::Sysctl(_) => Table::Sysctls,
            Object::Address(_) => Table::Addresses,
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => write!(formatter, "service {service}"),
            Self::Destination(service, key) => write!(formatter, "destination {key} of {service}"),
            Self::SyncDaemon(SyncDaemon { role, interface, sync_id }) => {
                write!(formatter, "sync daemon {} on {interface} (sync id {sync_id})", role.name())
            }
            Self::Timeouts => formatter.write_str("IPVS timeouts"),
            Self::Ruleset => formatter.write_str("nftables table inet tandem"),
            Self::Sysctl(sysctl) => write!(formatter, "sysctl {sysctl}"),
            Self::Address(held) => write!(formatter, "address {} on {}", held.address, held.interface),
        }
    }
}
