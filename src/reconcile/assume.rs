//! What a change leaves behind, foreseen: between two observations the last one, brought forward by what was applied
//! since, is the picture that the next verdict is planned against. The next observation corrects it.

use super::Change;
use crate::model::{Observed, ObservedRuleset, Service, Timeouts};

/// Brings `observed` forward by a change that the kernel has accepted.
pub fn assume(observed: &mut Observed, change: &Change) {
    match change {
        Change::AddService { service, config } => {
            let entry = Service { config: config.clone(), destinations: Default::default() };
            observed.services.insert(*service, entry);
        }
        Change::EditService { service, to, .. } => {
            if let Some(entry) = observed.services.get_mut(service) {
                entry.config = to.clone();
            }
        }
        Change::RemoveService { service } => {
            observed.services.remove(service);
        }
        Change::AddDestination { service, key, destination: to }
        | Change::EditDestination { service, key, to, .. } => {
            if let Some(entry) = observed.services.get_mut(service) {
                entry.destinations_mut().insert(*key, *to);
            }
        }
        Change::RemoveDestination { service, key } => {
            if let Some(entry) = observed.services.get_mut(service) {
                entry.destinations_mut().remove(key);
            }
        }
        Change::StartSyncDaemon { daemon } => {
            observed.sync_daemons.insert(daemon.clone());
        }
        Change::StopSyncDaemon { daemon } => {
            observed.sync_daemons.remove(daemon);
        }
        Change::SetTimeouts { to } => assume_timeouts(&mut observed.timeouts, *to),
        // How nft lists it is known only after the next observation; until then any listing will do.
        Change::ReplaceRuleset { .. } => observed.ruleset = ObservedRuleset::Present(String::new()),
        Change::RemoveRuleset => observed.ruleset = ObservedRuleset::Absent,
        Change::SetSysctl { sysctl, to, .. } => {
            observed.sysctls.insert(sysctl.clone(), to.clone());
        }
        Change::AddAddress { address } => {
            observed.addresses.insert(address.clone());
        }
        Change::RemoveAddress { address } => {
            observed.addresses.remove(address);
        }
    }
}

fn assume_timeouts(timeouts: &mut Timeouts, to: Timeouts) {
    timeouts.tcp_s = to.tcp_s.or(timeouts.tcp_s);
    timeouts.tcp_fin_s = to.tcp_fin_s.or(timeouts.tcp_fin_s);
    timeouts.udp_s = to.udp_s.or(timeouts.udp_s);
}
