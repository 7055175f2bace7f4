//! Our nftables table: what full-NAT, joined ports, untracked pools and planned takeovers need.

use crate::model::{
    Family, Forwarding, Policy, Pool, Protocol, RealServer, Roles, Ruleset, ServiceKey, SourceTranslation,
    VirtualService,
};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The ruleset that the policy needs in these roles; empty when no pool needs any.
pub(super) fn ruleset(policy: &Policy, roles: &Roles) -> Ruleset {
    // Only where another director may have to carry connections on: random ports are safer against two connections that
    // want the same one at the same moment.
    let repeatable_sources = policy.pair.connection_sync.is_some();
    let withheld_resets = withheld_resets(policy, roles);
    let mut ruleset = Ruleset { repeatable_sources, withheld_resets, ..Ruleset::default() };
    for pool in policy.pools.values() {
        for service in &pool.services {
            add_joined_ports(&mut ruleset, service);
            add_source_translations(&mut ruleset, pool, service.key);
            add_untracked(&mut ruleset, pool, service);
        }
        if policy.pair.connection_sync.is_some() {
            add_replies(&mut ruleset, pool, policy, roles);
        }
    }
    ruleset
}

/// The floating addresses that another director may be handing over. Clients begin connections there until the last moment,
/// and their next packets may come here before the old Master has passed them on. The kernel would reset what it does not
/// know; a client that hears nothing sends the packet again. A Backup, which has no such address, has the rule already: it
/// must be there before the address is.
fn withheld_resets(policy: &Policy, roles: &Roles) -> BTreeSet<IpAddr> {
    if policy.pair.connection_sync.is_none() {
        return BTreeSet::new();
    }
    let taken_in = policy.pair.routers.iter().filter(|(name, _)| roles.takes_in(name));
    taken_in.flat_map(|(_, router)| router.floating_addresses()).collect()
}

/// Answers of real servers to connections that began at another director and are not known here yet. NAT's would reach the
/// client under the real server's own address, and be reset by it. A settled Master forwards them all: such a packet is then
/// of somebody who speaks with the real server itself.
fn add_replies(ruleset: &mut Ruleset, pool: &Pool, policy: &Policy, roles: &Roles) {
    let takes_in = policy.routers_of(pool).iter().any(|router| roles.takes_in(router));
    for key in pool.services.iter().flat_map(VirtualService::keys) {
        for (server, reply) in replies(pool, key) {
            match &server.forwarding {
                Forwarding::Nat if takes_in => drop(ruleset.withheld_replies.insert(reply)),
                Forwarding::FullNat(SourceTranslation::LocalAddresses(addresses)) => {
                    ruleset.awaited_replies.insert(reply);
                    ruleset.awaited_at.extend(addresses);
                }
                Forwarding::Nat
                | Forwarding::FullNat(SourceTranslation::Masquerade)
                | Forwarding::DirectRouting
                | Forwarding::Tunnelling(_) => {}
            }
        }
    }
}

/// Where the answers of a service by address come from: each real server, and protocol, address and port.
fn replies<'a>(
    pool: &'a Pool,
    key: &'a ServiceKey,
) -> impl Iterator<Item = (&'a RealServer, (Protocol, IpAddr, u16))> {
    let place = |server: &'a RealServer| match key {
        ServiceKey::Address { protocol, port, .. } => {
            Some((server, (*protocol, server.address, server.port.unwrap_or(*port))))
        }
        ServiceKey::FirewallMark { .. } => None,
    };
    pool.answering(key).filter_map(place)
}

/// Joined ports share one firewall mark, and so one service.
fn add_joined_ports(ruleset: &mut Ruleset, service: &VirtualService) {
    if let ServiceKey::FirewallMark { mark, .. } = service.key {
        ruleset.marks.extend(service.joined.iter().map(|joined| (*joined, mark)));
    }
}

/// Connections of a full-NAT pool bear one of our addresses towards their real server.
fn add_source_translations(ruleset: &mut Ruleset, pool: &Pool, service: ServiceKey) {
    for server in pool.answering(&service) {
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
    for key in service.keys().filter(|key| key.address().is_some()) {
        ruleset.untracked.insert(*key);
        let answers = replies(pool, key).filter(|(server, _)| server.forwarding.maps_ports());
        ruleset.untracked_replies.extend(answers.map(|(_, reply)| reply));
    }
}
