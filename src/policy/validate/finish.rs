//! Drafts to pools: marks of joined ports, and where everything was said.

use super::pool::Draft;
use super::{Places, marks};
use crate::model::{Pool, PoolName, Pools, RealServer, ServiceKey, VirtualService};
use crate::policy::read::Spanned;
use std::collections::BTreeSet;

/// The pools with their marks, and where everything was said.
pub(super) fn finish(drafts: Vec<Draft>, places: &mut Places) -> Pools {
    let marks = marks::assign(drafts.iter().filter(|draft| draft.joined).map(|draft| &draft.name.value));
    drafts
        .into_iter()
        .map(|draft| {
            let name = PoolName::clone(&draft.name.value);
            remember(&draft, places);
            (name.clone(), finished(draft, marks.get(&name).copied()))
        })
        .collect()
}

fn remember(draft: &Draft, places: &mut Places) {
    places.services.extend(draft.services.iter().map(|service| (service.value, service.span)));
    let servers = draft.servers.iter().chain(&draft.sorry_servers);
    places
        .servers
        .extend(servers.map(|server| ((draft.name.value.clone(), server.value.name.clone()), server.span)));
}

fn finished(draft: Draft, mark: Option<u32>) -> Pool {
    let mut services: Vec<VirtualService> = match mark {
        None => {
            let config = |key: &ServiceKey| draft.configs.get(&key.family()).cloned();
            let keys = draft.services.iter().map(|service| service.value);
            keys.filter_map(|key| Some(VirtualService { key, config: config(&key)?, joined: Vec::new() }))
                .collect()
        }
        Some(mark) => draft
            .configs
            .into_iter()
            .map(|(family, config)| {
                let keys = draft.services.iter().map(|service| service.value);
                let joined: BTreeSet<ServiceKey> = keys.filter(|key| key.family() == family).collect();
                VirtualService {
                    key: ServiceKey::FirewallMark { family, mark },
                    config,
                    joined: joined.into_iter().collect(),
                }
            })
            .collect(),
    };
    services.sort_by_key(|service| service.key);
    Pool {
        name: draft.name.value,
        services,
        servers: without_places(draft.servers),
        on_failure: draft.on_failure,
        initial: draft.initial,
        sorry_servers: without_places(draft.sorry_servers),
        rules: draft.rules,
        untracked: draft.untracked,
        labels: draft.labels,
    }
}

/// Collected where they were, they would hold on to the room of their places.
fn without_places(servers: Vec<Spanned<RealServer>>) -> Vec<RealServer> {
    let mut servers: Vec<RealServer> = servers.into_iter().map(|server| server.value).collect();
    servers.shrink_to_fit();
    servers
}

/// Whether the marks of joined ports are those that the names of all pools give.
pub(super) fn marks_hold(pools: &Pools) -> bool {
    let joined =
        || pools.values().filter(|pool| pool.services.iter().any(|service| !service.joined.is_empty()));
    let marks = marks::assign(joined().map(|pool| &pool.name));
    let marked = |key: &ServiceKey, mark: u32| matches!(key, ServiceKey::FirewallMark { mark: own, .. } if *own == mark);
    joined().all(|pool| {
        let mark = marks.get(&pool.name);
        mark.is_some_and(|mark| pool.services.iter().all(|service| marked(&service.key, *mark)))
    })
}
