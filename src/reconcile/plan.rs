//! The comparison, and the one order of changes.
//!
//! Order is policy, written once: what packets need before they are balanced (settings, rules), then timeouts, then
//! services with their destinations (in each: add, edit, remove), then the synchronisation daemons (a connection that
//! comes in is bound to its destination only if that is there), then the addresses that bring clients here; what goes
//! away goes in the opposite sense: addresses first, so that no client meets a half-taken table.

use super::ownership::fingerprint;
use super::{Change, Ownership, RulesetRecord};
use crate::model::{
    Destination, DestinationKey, IpvsScope, Observed, ObservedRuleset, Scope, Service, ServiceKey,
    SyncDaemon, Tables, Timeouts,
};
use std::collections::BTreeSet;

/// The changes that turn `observed` into `desired`, in the order in which they must be applied. Empty when nothing
/// differs. What is neither desired nor `owned` is left alone.
#[must_use]
pub fn plan(desired: &Tables, observed: &Observed, owned: &Ownership) -> Vec<Change> {
    let mut changes = Vec::new();
    remove_addresses(&mut changes, desired, observed, owned);
    set_sysctls(&mut changes, desired, observed);
    replace_ruleset(&mut changes, desired, observed, owned);
    set_timeouts(&mut changes, desired, observed);
    for (key, service) in &desired.services {
        plan_service(&mut changes, desired, *key, service, observed.services.get(key));
    }
    change_sync_daemons(&mut changes, desired, observed, owned);
    add_addresses(&mut changes, desired, observed);
    remove_services(&mut changes, desired, observed, owned);
    remove_ruleset(&mut changes, desired, observed, owned);
    restore_sysctls(&mut changes, desired, observed, owned);
    changes
}

/// What an observation must look at for [`plan`] to be complete.
#[must_use]
pub fn scope(desired: &Tables, owned: &Ownership) -> Scope {
    let ipvs = match (desired.needs_ipvs(), owned.services.is_empty() && owned.sync_daemons.is_empty()) {
        (true, _) => IpvsScope::Needed,
        (false, false) => IpvsScope::IfThere,
        (false, true) => IpvsScope::Ignored,
    };
    Scope {
        ipvs,
        sysctls: desired.sysctls.keys().chain(owned.sysctls.keys()).cloned().collect(),
        addresses: desired.addresses.union(&owned.addresses).cloned().collect(),
        held: BTreeSet::new(),
        ruleset: !desired.ruleset.is_empty() || owned.ruleset.is_some(),
    }
}

fn plan_service(
    changes: &mut Vec<Change>,
    desired: &Tables,
    service: ServiceKey,
    wanted: &Service,
    found: Option<&Service>,
) {
    // So it nearly always is, and to compare two tables side by side is much cheaper than to look up each entry of one in
    // the other.
    if found == Some(wanted) {
        return;
    }
    match found {
        None => changes.push(Change::AddService { service, config: wanted.config.clone() }),
        Some(found) if found.config != wanted.config => changes.push(Change::EditService {
            service,
            from: found.config.clone(),
            to: wanted.config.clone(),
        }),
        Some(_) => {}
    }
    let found_one = |key: &DestinationKey| found.and_then(|found| found.destinations.get(key)).copied();
    add_destinations(changes, desired, service, wanted, found_one);
    edit_destinations(changes, service, wanted, found_one);
    for key in found.into_iter().flat_map(|found| found.destinations.keys()) {
        if !wanted.destinations.contains_key(key) {
            changes.push(Change::RemoveDestination { service, key: *key });
        }
    }
}

/// New destinations, in canonical order. Under `mh` the order of entry and the weight at entry decide who owns which slot,
/// so one that starts quiesced enters with its weight and gets weight 0 right behind.
fn add_destinations(
    changes: &mut Vec<Change>,
    desired: &Tables,
    service: ServiceKey,
    wanted: &Service,
    found: impl Fn(&DestinationKey) -> Option<Destination>,
) {
    for (key, to) in wanted.destinations.iter().filter(|(key, _)| found(key).is_none()) {
        let (key, to) = (*key, *to);
        let weight = desired.entry_weights.get(&(service, key)).copied().unwrap_or(to.weight);
        let entry = Destination { weight, ..to };
        changes.push(Change::AddDestination { service, key, destination: entry });
        if entry != to {
            changes.push(Change::EditDestination { service, key, from: entry, to });
        }
    }
}

fn edit_destinations(
    changes: &mut Vec<Change>,
    service: ServiceKey,
    wanted: &Service,
    found: impl Fn(&DestinationKey) -> Option<Destination>,
) {
    for (key, to) in &*wanted.destinations {
        if let Some(from) = found(key).filter(|from| from != to) {
            changes.push(Change::EditDestination { service, key: *key, from, to: *to });
        }
    }
}

fn remove_services(changes: &mut Vec<Change>, desired: &Tables, observed: &Observed, owned: &Ownership) {
    let gone = owned.services.iter().filter(|key| !desired.services.contains_key(key));
    let gone = gone.filter(|key| observed.services.contains_key(key));
    changes.extend(gone.map(|service| Change::RemoveService { service: *service }));
}

/// The new role starts before the old one stops: both may run at once, and so a director that becomes Backup hears the new
/// Master's connections while its own last ones still go out. Only a daemon of the same role has to make room first.
///
/// Where daemons are desired, one of somebody else's is in the way and goes; else only our own are taken back.
fn change_sync_daemons(changes: &mut Vec<Change>, desired: &Tables, observed: &Observed, owned: &Ownership) {
    let ours = |daemon: &&SyncDaemon| !desired.sync_daemons.is_empty() || owned.sync_daemons.contains(daemon);
    let unwanted = observed.sync_daemons.difference(&desired.sync_daemons).filter(ours).cloned();
    let missing: Vec<SyncDaemon> = desired.sync_daemons.difference(&observed.sync_daemons).cloned().collect();
    let (in_the_way, left_over): (Vec<_>, Vec<_>) =
        unwanted.partition(|daemon| missing.iter().any(|missing| missing.role == daemon.role));
    let stop = |daemon| Change::StopSyncDaemon { daemon };
    changes.extend(in_the_way.into_iter().map(stop));
    changes.extend(missing.into_iter().map(|daemon| Change::StartSyncDaemon { daemon }));
    changes.extend(left_over.into_iter().map(stop));
}

fn set_timeouts(changes: &mut Vec<Change>, desired: &Tables, observed: &Observed) {
    let differs = |wanted: Option<u32>, found: Option<u32>| wanted.filter(|_| wanted != found);
    let (wanted, found) = (desired.timeouts, observed.timeouts);
    let to = Timeouts {
        tcp_s: differs(wanted.tcp_s, found.tcp_s),
        tcp_fin_s: differs(wanted.tcp_fin_s, found.tcp_fin_s),
        udp_s: differs(wanted.udp_s, found.udp_s),
    };
    if to != Timeouts::default() {
        changes.push(Change::SetTimeouts { to });
    }
}

/// Replaces our table unless it is the one that we made of this ruleset, listed as it was listed then.
fn replace_ruleset(changes: &mut Vec<Change>, desired: &Tables, observed: &Observed, owned: &Ownership) {
    if desired.ruleset.is_empty() {
        return;
    }
    let wanted = fingerprint(&desired.ruleset);
    let current = match (&owned.ruleset, &observed.ruleset) {
        (None | Some(RulesetRecord::Pending), _) | (_, ObservedRuleset::Absent) => false,
        (Some(RulesetRecord::Applied { fingerprint }), ObservedRuleset::Present(_)) => *fingerprint == wanted,
        (Some(RulesetRecord::Listed { fingerprint, listing }), ObservedRuleset::Present(digest)) => {
            *fingerprint == wanted && listing == digest
        }
    };
    if !current {
        changes.push(Change::ReplaceRuleset { to: desired.ruleset.clone() });
    }
}

fn remove_ruleset(changes: &mut Vec<Change>, desired: &Tables, observed: &Observed, owned: &Ownership) {
    let there = matches!(observed.ruleset, ObservedRuleset::Present(_));
    if desired.ruleset.is_empty() && owned.ruleset.is_some() && there {
        changes.push(Change::RemoveRuleset);
    }
}

fn set_sysctls(changes: &mut Vec<Change>, desired: &Tables, observed: &Observed) {
    for (sysctl, to) in &desired.sysctls {
        let from = observed.sysctls.get(sysctl);
        if from != Some(to) {
            let from = from.cloned().unwrap_or_default();
            changes.push(Change::SetSysctl { sysctl: sysctl.clone(), from, to: to.clone() });
        }
    }
}

/// A setting that is no longer needed gets the value that was found, unless somebody has set another one meanwhile.
fn restore_sysctls(changes: &mut Vec<Change>, desired: &Tables, observed: &Observed, owned: &Ownership) {
    for (sysctl, record) in &owned.sysctls {
        let ours = observed.sysctls.get(sysctl) == Some(&record.set);
        if !desired.sysctls.contains_key(sysctl) && ours && record.found != record.set {
            let (from, to) = (record.set.clone(), record.found.clone());
            changes.push(Change::SetSysctl { sysctl: sysctl.clone(), from, to });
        }
    }
}

fn add_addresses(changes: &mut Vec<Change>, desired: &Tables, observed: &Observed) {
    let missing = desired.addresses.difference(&observed.addresses);
    changes.extend(missing.map(|address| Change::AddAddress { address: address.clone() }));
}

fn remove_addresses(changes: &mut Vec<Change>, desired: &Tables, observed: &Observed, owned: &Ownership) {
    let gone = owned.addresses.difference(&desired.addresses);
    let gone = gone.filter(|held| observed.addresses.contains(held));
    changes.extend(gone.map(|address| Change::RemoveAddress { address: address.clone() }));
}
