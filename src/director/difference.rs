//! What another policy would do, said before it is done: to the tables, to connections, to checks, to the pair. Pure.
//!
//! The guards are here too: what a reload does only when it is told to.

use super::adoption::{Adoption, Past};
use super::core::Core;
use super::renewal::{Unchanged, servers};
use super::server_id::{id, identity};
use crate::desired::{Standing, destination_key};
use crate::model::{Observed, PairChange, Policy, Pool, PoolName, RealServer, ServiceKey};
use std::collections::BTreeSet;
use std::fmt;

/// A reload that takes away more than this part of the virtual services has to be told so.
pub const REMOVED_PERCENT_MOST: usize = 50;
/// Of so few services each one is a large part: they are counted from here on.
const FEWEST_COUNTED: usize = 4;

/// From the policy in force to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub services_added: Vec<ServiceKey>,
    pub services_removed: Vec<ServiceKey>,
    /// `pool/server`, sorted.
    pub servers_added: Vec<String>,
    pub servers_removed: Vec<String>,
    /// With other weights, thresholds or forwarding.
    pub servers_changed: Vec<String>,
    /// Checks that begin anew, those that are new among them.
    pub checks_restarted: Vec<String>,
    pub pair: PairChange,
    /// What the directors must have in common and would not, until the other one has this policy as well.
    pub splits: Vec<String>,
    /// What both policies have in common: the rest is all that has to be looked at.
    unchanged: Unchanged,
}

/// Why a reload is not done unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// These pools serve now, and nobody would serve them.
    Empties(Vec<PoolName>),
    Removes {
        services: usize,
        of: usize,
    },
}

impl fmt::Display for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empties(pools) => write!(
                formatter,
                "{} would have no server to begin with: a new server joins after its first success",
                pools.join(", ")
            ),
            Self::Removes { services, of } => write!(
                formatter,
                "{services} of {of} virtual services would be removed, more than {REMOVED_PERCENT_MOST} %"
            ),
        }
    }
}

impl Difference {
    /// From `before` to `next`.
    #[must_use]
    pub fn between(before: &Policy, next: &Policy) -> Self {
        let unchanged = Unchanged::between(before, next);
        let (old, new) = (services(unchanged.touched(before)), services(unchanged.touched(next)));
        let (had, has) = (servers(unchanged.touched(before)), servers(unchanged.touched(next)));
        let name = |(pool, server): &(PoolName, std::sync::Arc<str>)| format!("{pool}/{server}");
        let same = |id| match (had.get(id), has.get(id)) {
            (Some((_, before)), Some((_, next))) => identity(before) == identity(next),
            _ => false,
        };
        let restarted = next.checks.keys().filter(|check| !unchanged.checks.contains(*check));
        Self {
            services_added: new.difference(&old).copied().collect(),
            services_removed: old.difference(&new).copied().collect(),
            servers_added: has.keys().filter(|id| !same(*id)).map(name).collect(),
            servers_removed: had.keys().filter(|id| !same(*id)).map(name).collect(),
            servers_changed: has
                .iter()
                .filter(|(id, (_, server))| same(*id) && had.get(*id).is_some_and(|(_, old)| old != server))
                .map(|(id, _)| name(id))
                .collect(),
            checks_restarted: restarted.map(ToString::to_string).collect(),
            pair: before.pair.change_to(&next.pair),
            splits: super::splits::splits(&before.pair, &next.pair),
            unchanged,
        }
    }

    /// The pools of the policy that follows which were not there before, or not so.
    pub(super) fn touched<'a>(&'a self, next: &'a Policy) -> impl Iterator<Item = &'a Pool> {
        self.unchanged.touched(next)
    }

    /// Connections of the destinations that leave the table on the way from `before` to `next`, as `observed` has them.
    #[must_use]
    pub fn connections_at_risk(&self, before: &Policy, next: &Policy, observed: &Observed) -> u64 {
        let keys = |policy: &Policy| -> BTreeSet<_> {
            let pairs = self
                .unchanged
                .touched(policy)
                .flat_map(|pool| pool.services.iter().map(move |service| (pool, &service.key)));
            pairs
                .flat_map(|(pool, key)| {
                    pool.answering(key).map(move |server| (*key, destination_key(*key, server)))
                })
                .collect()
        };
        let stays = keys(next);
        let leaves = keys(before).into_iter().filter(|key| !stays.contains(key));
        leaves.map(|(service, key)| observed.counts_of(&service, &key).connections.held()).sum()
    }

    /// In lines for people; none where nothing is different.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let list = |words: &str, names: Vec<String>| (!names.is_empty()).then(|| listed(words, &names));
        let keys = |keys: &[ServiceKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
        let lists = [
            list("virtual services added", keys(&self.services_added)),
            list("virtual services removed", keys(&self.services_removed)),
            list("real servers added", self.servers_added.clone()),
            list("real servers removed", self.servers_removed.clone()),
            list("real servers changed", self.servers_changed.clone()),
            list("checks that begin anew", self.checks_restarted.clone()),
        ];
        let pair = match self.pair {
            PairChange::None | PairChange::GoesOn => None,
            PairChange::BeginsAnew => Some(
                "virtual routers are others: the addresses are handed over, and the election begins anew"
                    .to_owned(),
            ),
        };
        lists.into_iter().flatten().chain(pair).chain(self.splits.iter().cloned()).collect()
    }

    /// What speaks against it whatever the table holds.
    #[must_use]
    pub fn removes_too_much(&self, before: &Policy) -> Option<Guard> {
        let (services, of) = (self.services_removed.len(), services(before.pools.values()).len());
        let part = of >= FEWEST_COUNTED && services * 100 > of * REMOVED_PERCENT_MOST;
        let all = of > 0 && services == of;
        (part || all).then_some(Guard::Removes { services, of })
    }
}

/// Names in a line, the first of many.
fn listed(words: &str, names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => format!("{words}: {shown}"),
        more => format!("{words}: {shown} and {more} more"),
    }
}

fn services<'a>(pools: impl Iterator<Item = &'a Pool>) -> BTreeSet<ServiceKey> {
    pools.flat_map(|pool| &pool.services).map(|service| service.key).collect()
}

impl Core {
    /// What `next` would do.
    #[must_use]
    pub fn difference(&self, next: &Policy) -> Difference {
        Difference::between(&self.policy, next)
    }

    /// What speaks against taking over `next` unasked, which makes this `difference`.
    #[must_use]
    pub fn guards(&self, next: &Policy, difference: &Difference) -> Vec<Guard> {
        let unchanged = &difference.unchanged;
        let past = self.past(next, unchanged);
        let observed = self.reconciler.observed();
        let adoption = Adoption::new(unchanged.touched(next), observed, Past::Policy(&past));
        let stands = |pool: &Pool, server: &RealServer| self.standing(pool, server) == Standing::Up;
        let serves =
            |pool: &Pool| pool.servers.iter().any(|server| server.weight > 0 && stands(pool, server));
        let begins = |pool: &Pool, server: &RealServer| {
            server.check.is_none() || adoption.servers.contains(&id(pool, server))
        };
        let joins = |pool: &Pool| pool.servers.iter().any(|server| server.weight > 0 && begins(pool, server));
        let pools = unchanged.touched(&self.policy).filter(|pool| serves(pool));
        let pools = pools.filter_map(|pool| next.pools.get(&pool.name));
        let emptied: Vec<PoolName> =
            pools.filter(|pool| !joins(pool)).map(|pool| pool.name.clone()).collect();
        let empties = (!emptied.is_empty()).then_some(Guard::Empties(emptied));
        empties.into_iter().chain(difference.removes_too_much(&self.policy)).collect()
    }
}
