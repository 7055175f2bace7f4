//! The IPVS table over generic netlink: our own message layer, complete against `linux/ip_vs.h` in what a policy can say.
//!
//! One observation is one dump of the services and one of each service's destinations, counters included. A list of changes
//! goes in batches, and each change gets its own result. It decides nothing and repeats nothing; another program may change
//! the table at any time, and the next observation tells.
//!
//! It leaves out what nothing here uses: zeroing counters, flushing.

mod address;
#[cfg(test)]
mod captured;
pub(super) mod config;
mod constants;
pub(super) mod daemon;
pub(super) mod destination;
mod explain;
pub(super) mod service;
mod stats;

pub use config::IpvsInfo;

use crate::kernel::KernelError;
use crate::kernel::netlink::{
    Attributes, GENERIC_HEADER_BYTES, GenericFamily, Message, Netlink, NetlinkError, resolve_family,
};
use crate::model::{DestinationKey, Observed, Service, ServiceKey, SyncDaemon, Timeouts};
use crate::reconcile::{Change, Table};
use constants::*;
use destination::DestinationEntry;
pub(crate) use explain::is_missing;
use explain::{explain, explain_reading, ipvs_is_missing};
use netlink_sys::protocols::NETLINK_GENERIC;
use service::ServiceEntry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The IPVS table of one network namespace: that of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Ipvs {
    netlink: Netlink,
    /// `None` when the module was unloaded under us; asked for again by the next call.
    family: Option<GenericFamily>,
}

impl Ipvs {
    /// Finds IPVS in the kernel.
    ///
    /// # Errors
    /// When the kernel has none, or no netlink socket can be had.
    pub(crate) fn open() -> Result<Self, KernelError> {
        let netlink = Netlink::open(NETLINK_GENERIC)
            .map_err(|error| explain_reading("the kernel's tables over netlink", &error))?;
        let mut ipvs = Self { netlink, family: None };
        ipvs.family()?;
        Ok(ipvs)
    }

    /// Whether a change is one of this table.
    pub(crate) fn concerns(change: &Change) -> bool {
        matches!(change.table(), Table::Services | Table::Destinations | Table::SyncDaemons | Table::Timeouts)
    }

    /// Reads services, destinations, counters, synchronisation daemons and timeouts into `observed`.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub(crate) fn observe(&mut self, observed: &mut Observed) -> Result<(), KernelError> {
        let (mut services, mut counters, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        let mut mh_orders = BTreeMap::new();
        for service in self.services()? {
            let key = service.key;
            let destinations = self.destinations(&key)?;
            counts.push((key, destinations.iter().map(|entry| (entry.key, entry.counts)).collect()));
            if service.config.scheduler.0 == "mh" {
                mh_orders.insert(key, destinations.iter().map(|entry| entry.key).collect());
            }
            let destinations = destinations.into_iter().map(|entry| (entry.key, entry.destination));
            let destinations = Arc::new(destinations.collect());
            services.push((key, Service { config: service.config, destinations }));
            counters.push((key, service.counters));
        }
        // Collected at once: sorting what is almost sorted is cheaper than ten thousand insertions.
        observed.services = services.into_iter().collect();
        observed.mh_orders = mh_orders;
        observed.service_counters = counters.into_iter().collect();
        observed.destination_counts = counts.into_iter().collect();
        observed.sync_daemons = self.sync_daemons()?;
        observed.timeouts = self.timeouts()?;
        Ok(())
    }

    /// What IPVS says of itself.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) fn info(&mut self) -> Result<IpvsInfo, KernelError> {
        let message = self.family()?.message(IPVS_CMD_GET_INFO, 0);
        let reply = self.netlink.request(&message);
        let reply = reply.map_err(|error| explain_reading("the IPVS version", &error))?;
        config::read_info(attributes_of(&reply)).ok_or_else(|| {
            KernelError::new("cannot read the IPVS version: the kernel's answer does not hold it")
        })
    }

    /// Makes these changes, in order, many in one system call; one result for each.
    pub(crate) fn apply(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>> {
        let family = match self.family() {
            Ok(family) => family,
            Err(error) => return vec![Err(error); changes.len()],
        };
        let mut results = self.netlink.change(changes.iter().map_while(|change| message_of(family, change)));
        // Shorter only when a change of another table came in, which `concerns` prevents: never answered with success.
        results.resize(changes.len(), Err(NetlinkError::from_errno(libc::EINVAL)));
        let explained = |(change, result): (&Change, Result<(), NetlinkError>)| {
            result.map_err(|error| explain(change, &error))
        };
        changes.iter().zip(results).map(explained).collect()
    }

    fn services(&mut self) -> Result<Vec<ServiceEntry>, KernelError> {
        let message = self.family()?.message(IPVS_CMD_GET_SERVICE, 0);
        let services = self.netlink.dump(&message, |payload| service::read_service(attributes_of(payload)));
        services.map_err(|error| {
            if error.errno == libc::ENOENT {
                self.family = None;
                return ipvs_is_missing();
            }
            explain_reading("the IPVS services", &error)
        })
    }

    /// Empty when the service was removed since it was listed.
    fn destinations(&mut self, key: &ServiceKey) -> Result<Vec<DestinationEntry>, KernelError> {
        let mut message = self.family()?.message(IPVS_CMD_GET_DEST, 0);
        service::put_service_key(&mut message, key);
        let family = key.family();
        self.netlink
            .dump(&message, |payload| destination::read_destination(attributes_of(payload), family))
            .map_err(|error| explain_reading(&format!("the destinations of {key}"), &error))
    }

    fn sync_daemons(&mut self) -> Result<BTreeSet<SyncDaemon>, KernelError> {
        let message = self.family()?.message(IPVS_CMD_GET_DAEMON, 0);
        let daemons = self.netlink.dump(&message, |payload| daemon::read_daemon(attributes_of(payload)));
        let daemons = daemons.map_err(|error| explain_reading("the synchronisation daemons", &error))?;
        Ok(daemons.into_iter().collect())
    }

    fn timeouts(&mut self) -> Result<Timeouts, KernelError> {
        let message = self.family()?.message(IPVS_CMD_GET_CONFIG, 0);
        let reply = self.netlink.request(&message);
        let reply = reply.map_err(|error| explain_reading("the IPVS timeouts", &error))?;
        Ok(config::read_timeouts(attributes_of(&reply)))
    }

    fn family(&mut self) -> Result<GenericFamily, KernelError> {
        if let Some(family) = self.family {
            return Ok(family);
        }
        let family =
            resolve_family(&mut self.netlink, IPVS_GENL_NAME, IPVS_GENL_VERSION).map_err(|error| {
                if error.errno == libc::ENOENT { ipvs_is_missing() } else { explain_reading("IPVS", &error) }
            })?;
        self.family = Some(family);
        Ok(family)
    }
}

/// The attributes behind the generic header.
pub(super) fn attributes_of(payload: &[u8]) -> Attributes<'_> {
    Attributes(payload.get(GENERIC_HEADER_BYTES..).unwrap_or_default())
}

/// The message that makes a change; `None` for a change of another table.
pub(super) fn message_of(family: GenericFamily, change: &Change) -> Option<Message> {
    let with_service = |command, service: &ServiceKey| {
        let mut message = family.message(command, 0);
        service::put_service_key(&mut message, service);
        message
    };
    let with_key = |command, service: &ServiceKey, key: &DestinationKey| {
        let mut message = with_service(command, service);
        destination::put_destination_key(&mut message, key);
        message
    };
    let with_config = |command, service, config| {
        let mut message = family.message(command, 0);
        service::put_service(&mut message, service, config);
        message
    };
    let with_destination = |command, service, key, destination| {
        let mut message = with_service(command, service);
        destination::put_destination(&mut message, key, destination);
        message
    };
    let with_daemon = |command, daemon: &SyncDaemon| {
        let mut message = family.message(command, 0);
        daemon::put_daemon(&mut message, daemon);
        message
    };
    let message = match change {
        Change::AddService { service, config } => with_config(IPVS_CMD_NEW_SERVICE, service, config),
        Change::EditService { service, to, .. } => with_config(IPVS_CMD_SET_SERVICE, service, to),
        Change::RemoveService { service } => with_service(IPVS_CMD_DEL_SERVICE, service),
        Change::AddDestination { service, key, destination } => {
            with_destination(IPVS_CMD_NEW_DEST, service, key, destination)
        }
        Change::EditDestination { service, key, to, .. } => {
            with_destination(IPVS_CMD_SET_DEST, service, key, to)
        }
        Change::RemoveDestination { service, key } => with_key(IPVS_CMD_DEL_DEST, service, key),
        Change::StartSyncDaemon { daemon } => with_daemon(IPVS_CMD_NEW_DAEMON, daemon),
        Change::StopSyncDaemon { daemon } => with_daemon(IPVS_CMD_DEL_DAEMON, daemon),
        Change::SetTimeouts { to } => {
            let mut message = family.message(IPVS_CMD_SET_CONFIG, 0);
            config::put_timeouts(&mut message, to);
            message
        }
        Change::ReplaceRuleset { .. }
        | Change::RemoveRuleset
        | Change::SetSysctl { .. }
        | Change::AddAddress { .. }
        | Change::RemoveAddress { .. } => return None,
    };
    Some(message)
}
