//! What only all pools together can tell, asked of a policy that was put together of pools that each are good.
//!
//! It has nothing to say to people: where a rule does not certainly hold, everything is validated.

use super::{MAX_DESTINATIONS, MAX_SERVICES, finish, kernel_settings, probe_settings, real_path};
use crate::model::{CheckName, Policy, Pool, PoolName, RealServer, ServiceKey, VirtualService};
use std::collections::BTreeSet;

/// The policy that followed on `before`, with the pools that were `read` in their places already and without those that are
/// `gone`; `None` where it is not certain that it is what validating everything gives.
pub(in crate::policy) fn holds_together(
    before: &Policy,
    policy: Policy,
    read: &Policy,
    gone: &BTreeSet<PoolName>,
) -> Option<Policy> {
    let mut policy = policy;
    let is_read = |pool: &&Pool| read.pools.contains_key(&pool.name);
    let keys: BTreeSet<ServiceKey> = read.pools.values().flat_map(said).copied().collect();
    let twice =
        policy.pools.values().filter(|pool| !is_read(pool)).flat_map(said).any(|key| keys.contains(key));
    let (mut services, mut destinations) = (0_usize, 0_usize);
    for pool in policy.pools.values() {
        let said = said(pool).count();
        services = services.saturating_add(said);
        destinations = destinations.saturating_add(said.saturating_mul(pool.servers.len()));
    }
    let few = services <= MAX_SERVICES && destinations <= MAX_DESTINATIONS;
    if twice || !few || !are_alike(before, read) || !marks_hold(before, &policy, read, gone) {
        return None;
    }
    take_checks(before, &mut policy, read, gone);
    // Where the policy does not say it, the pools do.
    let quiesces = |of: &Policy| kernel_settings::quiesces_the_dead(&of.pools);
    let alike = [read, before].into_iter().find(|other| quiesces(other) == quiesces(&policy))?;
    policy.kernel = alike.kernel;
    (!probe_settings::may_ask_for_more(&policy)).then_some(policy)
}

/// Whether two policies are the same in what is no affair of pools.
fn are_alike(one: &Policy, other: &Policy) -> bool {
    one.pair == other.pair
        && one.virtual_addresses == other.virtual_addresses
        && one.probes == other.probes
        && one.metrics == other.metrics
        && one.on_event == other.on_event
        && one.api == other.api
        && one.on_stop == other.on_stop
}

/// The services of a pool as they were said, before joining.
fn said(pool: &Pool) -> impl Iterator<Item = &ServiceKey> {
    pool.services.iter().flat_map(VirtualService::said)
}

/// A mark may be another where another pool has one of the same hash.
fn marks_hold(before: &Policy, policy: &Policy, read: &Policy, gone: &BTreeSet<PoolName>) -> bool {
    let changed = || read.pools.values().chain(gone.iter().filter_map(|name| before.pools.get(name)));
    let joins = |pool: &Pool| pool.services.iter().any(|service| !service.joined.is_empty());
    let is_led = |pool: &Pool| pool.every_server().any(|server| server.real_paths().next().is_some());
    (!changed().any(joins) || finish::marks_hold(&policy.pools))
        && (!changed().any(is_led) || real_path::marks_hold(&policy.pools))
}

/// Checks that something uses: those of the part, and those that a pool still asks for which was not read.
fn take_checks(before: &Policy, policy: &mut Policy, read: &Policy, gone: &BTreeSet<PoolName>) {
    let asked_by = |pool: &Pool| -> BTreeSet<CheckName> {
        pool.every_server().flat_map(RealServer::asked).map(|target| target.check.clone()).collect()
    };
    let was = gone.iter().chain(read.pools.keys()).filter_map(|name| before.pools.get(name));
    let mut left: BTreeSet<CheckName> = was.flat_map(asked_by).collect();
    // Those in place have the pool's name before theirs.
    let own = |check: &&CheckName| {
        check.split_once('/').is_some_and(|(pool, _)| gone.contains(pool) || read.pools.contains_key(pool))
    };
    left.extend(before.checks.keys().filter(own).cloned());
    left.retain(|check| !read.checks.contains_key(check));
    if !left.is_empty() {
        let others = policy.pools.values().filter(|pool| !read.pools.contains_key(&pool.name));
        for target in others.flat_map(Pool::every_server).flat_map(RealServer::asked) {
            left.remove(&target.check);
        }
    }
    policy.checks.retain(|check, _| !left.contains(check));
    policy.checks.extend(read.checks.iter().map(|(name, check)| (name.clone(), check.clone())));
}
