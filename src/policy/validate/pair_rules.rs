//! Rules between the pools and the pair: whether what serves a client moves when its address moves.

use super::Places;
use super::pair::Pairing;
use crate::model::{
    Family, Forwarding, Pair, Pool, Pools, RealServer, ServiceKey, SourceTranslation, SyncRole,
    VirtualAddress, VirtualRouter, VirtualService,
};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::Spanned;
use crate::policy::source::Span;
use std::net::IpAddr;

/// Every rule of this file.
pub(super) fn rules(
    pools: &Pools,
    pairing: &Pairing,
    places: &Places,
    alone: &[Spanned<VirtualAddress>],
    problems: &mut Problems,
) {
    for held in alone.iter().filter(|_| pairing.directors.are_several()) {
        let address = held.value.address;
        let message = format!("every director would hold {} at once", address.addr());
        problems.push(
            Diagnostic::new(Code::HeldByEveryDirector, held.span, message)
                .help("move it to the `virtual_addresses` of a router, so that one of them holds it"),
        );
    }
    for pool in pools.values() {
        if pairing.directors.are_several() {
            nat_gateway_floats(pool, &pairing.pair, places, problems);
            local_addresses_follow(pool, &pairing.pair, places, problems);
        }
        servers_are_no_directors(pool, &pairing.pair, places, problems);
        synced_families(pool, &pairing.pair, places, problems);
    }
}

/// The VIPs of a pool, joined ones too, and the routers that hold them.
fn held_vips<'a>(pool: &'a Pool, pair: &'a Pair) -> impl Iterator<Item = (ServiceKey, &'a VirtualRouter)> {
    let keys = pool.services.iter().flat_map(VirtualService::said);
    keys.filter_map(|key| Some((*key, pair.router_of(key.address()?)?)))
}

fn span_of(pool: &Pool, server: &RealServer, places: &Places) -> Option<Span> {
    places.servers.get(&(pool.name.clone(), server.name.clone())).copied()
}

/// The answers of NAT's real servers come back through their gateway: in a pair it must be with the VIP's Master.
fn nat_gateway_floats(pool: &Pool, pair: &Pair, places: &Places, problems: &mut Problems) {
    let reaches =
        |router: &VirtualRouter, server: IpAddr| router.addresses.iter().any(|held| held.contains(&server));
    for server in pool.servers.iter().filter(|server| server.forwarding == Forwarding::Nat) {
        let family = Family::of(server.address);
        let Some((key, holder)) = held_vips(pool, pair).find(|(key, _)| key.family() == family) else {
            continue;
        };
        let near: Vec<&VirtualRouter> =
            pair.routers.values().filter(|router| reaches(router, server.address)).collect();
        if near.iter().any(|router| pair.move_together(&holder.name, &router.name)) {
            continue;
        }
        let message = format!(
            "the real server {} of {} has no gateway that moves with {key}: after a failover its answers go to the wrong director",
            server.address,
            quoted(&pool.name)
        );
        let help = match near.first() {
            Some(router) => format!(
                "put {} and {} into one sync group: `sync_groups: {{site: {{routers: [{}, {}]}}}}`",
                quoted(&holder.name),
                quoted(&router.name),
                holder.name,
                router.name
            ),
            None => format!(
                "add a router with an address on the real servers' network, in one sync group with {}, and make it their gateway; full-nat needs none",
                quoted(&holder.name)
            ),
        };
        if let Some(span) = span_of(pool, server, places) {
            problems.push(Diagnostic::new(Code::NatGatewayFixed, span, message).help(help));
        }
        return;
    }
}

/// Full-NAT's answers come to the local address: it must be with the VIP's Master.
fn local_addresses_follow(pool: &Pool, pair: &Pair, places: &Places, problems: &mut Problems) {
    let locals = pool.servers.iter().find_map(|server| match &server.forwarding {
        Forwarding::FullNat(SourceTranslation::LocalAddresses(addresses)) => addresses.first(),
        _ => None,
    });
    let Some(router) = locals.and_then(|address| pair.router_of(*address)) else { return };
    for (key, holder) in held_vips(pool, pair) {
        if pair.move_together(&holder.name, &router.name) {
            continue;
        }
        let Some(span) = places.services.get(&key) else { continue };
        let message = format!(
            "{key} is with the Master of {}, and the local addresses of {} with that of {}, which may be another director",
            quoted(&holder.name),
            quoted(&pool.name),
            quoted(&router.name)
        );
        let help = format!("put both routers into one sync group, or write `router: {}`", holder.name);
        problems.push(Diagnostic::new(Code::LocalAddressesApart, *span, message).help(help));
        return;
    }
}

/// A Backup whose table is warm balances what the Master sends it, unless its table receives only.
fn servers_are_no_directors(pool: &Pool, pair: &Pair, places: &Places, problems: &mut Problems) {
    let follows = pair.connection_sync.as_ref().is_some_and(|sync| match sync.role {
        SyncRole::FollowGroup(_) | SyncRole::FollowRouter(_) => true,
        SyncRole::Both => false,
    });
    if follows {
        return;
    }
    for server in &pool.servers {
        let same = |(_, director): &(_, &crate::model::Director)| {
            director.address(Family::of(server.address)) == Some(server.address)
        };
        let Some((name, _)) = pair.directors.iter().find(same) else { continue };
        let message = format!(
            "the real server {} of {} is the director {name}: as Backup it would balance what it shall answer",
            server.address,
            quoted(&pool.name)
        );
        if let Some(span) = span_of(pool, server, places) {
            problems.push(Diagnostic::new(Code::ServerIsDirector, span, message).help(
                "add `connection_sync: {interface: eth1, sync_id: 61, role: {follow: NAME}}`: a Backup then only receives",
            ));
        }
    }
}

/// The kernel refuses a destination of the other family while connections are synchronised.
fn synced_families(pool: &Pool, pair: &Pair, places: &Places, problems: &mut Problems) {
    if pair.connection_sync.is_none() {
        return;
    }
    for service in &pool.services {
        let family = service.key.family();
        let Some(server) = pool.answering(&service.key).find(|server| Family::of(server.address) != family)
        else {
            continue;
        };
        let message = format!(
            "{} is {family} and the real server {} is not: the kernel refuses that while it synchronises connections",
            service.key, server.address
        );
        if let Some(span) = span_of(pool, server, places) {
            problems.push(
                Diagnostic::new(Code::SyncFamilyMix, span, message)
                    .help(format!("add {family} real servers, or leave `connection_sync` out")),
            );
        }
    }
}
