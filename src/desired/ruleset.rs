//! Our nftables table: what full-NAT, joined ports and untracked pools need.

use crate::model::{
    Family, Forwarding, Policy, Pool, Ruleset, ServiceKey, SourceTranslation, VirtualService,
};
use std::net::IpAddr;

/// The ruleset that the policy needs; empty when no pool needs any.
pub(super) fn ruleset(policy: &Policy) -> Ruleset {
    // Only where another director may have to carry connections on: random ports are safer against two connections that
    // want the same one at the same moment.
    let repeatable_sources = policy.pair.connection_sync.is_some();
    let mut ruleset = Ruleset { repeatable_sources, ..Ruleset::default() };
    for pool in policy.pools.values() {
        for service in &pool.services {
            add_joined_ports(&mut ruleset, service);
            add_source_translations(&mut ruleset, pool, service.key);
            add_untracked(&mut ruleset, pool, service);
        }
    }
    ruleset
}

/// Joined ports share one firewall mark, and so one service.
fn add_joined_ports(ruleset: &mut Ruleset, service: &VirtualService) {
    if let ServiceKey::FirewallMark { mark, .. } = service.key {
        ruleset.marks.extend(service.joined.iter().map(|joined| (*joined, mark)));
    }
}

/// Connections of a full-NAT pool bear one of our addresses towards their real server.
fn add_source_translations(ruleset: &mut Ruleset, pool: &Pool, service: ServiceKey) {
    for server in pool.servers_of(&service) {
        let Forwarding::FullNat(translation) = &server.forwarding else { continue };
        let family = Family::of(server.address);
        let key = (family, of_family(translation, family));
        ruleset.source_translations.entry(key).or_default().insert(service);
    }
}

/// The part of a translation that serves one family.
fn of_family(translation: &SourceTranslation, family: Family) -> SourceTranslation {
    match translation {
        SourceTranslation::Masquerade => SourceTranslation::Masquerade,
        SourceTranslation::LocalAddresses(addresses) => {
            let fitting = |address: &IpAddr| Family::of(*address) == family;
            SourceTranslation::LocalAddresses(addresses.iter().copied().filter(fitting).collect())
        }
    }
}

/// An untracked pool's packets bypass connection tracking: the clients' by VIP, and under NAT the servers' answers too.
fn add_untracked(ruleset: &mut Ruleset, pool: &Pool, service: &VirtualService) {
    if !pool.untracked {
        return;
    }
    let by_address = std::iter::once(service.key).chain(service.joined.iter().copied());
    for key in by_address {
        let ServiceKey::Address { protocol, port, .. } = key else { continue };
        ruleset.untracked.insert(key);
        let answers = pool.servers_of(&key).filter(|server| server.forwarding.maps_ports());
        ruleset
            .untracked_replies
            .extend(answers.map(|server| (protocol, server.address, server.port.unwrap_or(port))));
    }
}
