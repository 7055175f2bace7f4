//! The tables of a policy that differs from the one before it in some pools only, without a look at the others.

use super::{Situation, tables};
use crate::model::{HostFacts, KernelSettings, Policy, Pool, PoolName, Pools, ServiceKey, Sysctl, Tables};
use crate::rotation::Placement;
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What takes the place of what in the tables.
#[derive(Debug)]
pub struct Exchange {
    /// Services that leave, with all that belongs to them, unless they are in `part`.
    pub gone: BTreeSet<ServiceKey>,
    /// What comes: services and weights of entry; the rest stays as it is.
    pub part: Tables,
}

/// How `earlier`, the tables of `before`, become those of `after` where only the pools of these names differ, and host, roles
/// and where the servers of the others stand are what they were; `None` where more than services may change.
///
/// Settings and rules are sums over the pools: where the pools before had the rules that they have now, the sum of all stays,
/// and where they had settings that they have still, and bring none that is not there, that does. Of one and the same policy
/// only servers stand elsewhere.
pub fn exchange<P: Borrow<Placement>>(
    earlier: &Tables,
    (before, after): (&Policy, &Policy),
    names: &BTreeSet<PoolName>,
    situation: Situation<'_>,
    placement: impl Fn(&Pool) -> P,
) -> Option<Exchange> {
    let is_one = std::ptr::eq(before, after);
    let same = is_one
        || (before.kernel == after.kernel
            && before.pair == after.pair
            && before.virtual_addresses == after.virtual_addresses);
    if !same {
        return None;
    }
    let part = tables(&only(after, names, situation.host), situation, placement);
    // Which services, settings and rules a pool has does not depend on where its servers stand.
    if is_one {
        return Some(Exchange { gone: part.services.keys().copied().collect(), part });
    }
    let was = tables(&only(before, names, situation.host), situation, |_| Placement::default());
    let settings_stay = is_part(&was.sysctls, &part.sysctls) && is_part(&part.sysctls, &earlier.sysctls);
    (was.ruleset == part.ruleset && settings_stay)
        .then(|| Exchange { gone: was.services.into_keys().collect(), part })
}

fn is_part(part: &BTreeMap<Sysctl, String>, whole: &BTreeMap<Sysctl, String>) -> bool {
    part.iter().all(|(name, value)| whole.get(name) == Some(value))
}

/// A policy with these pools, as far as tables depend on it; what follows from all pools together is as with all of them.
fn only(policy: &Policy, names: &BTreeSet<PoolName>, host: &HostFacts) -> Policy {
    let mut pools = Pools::default();
    for name in names {
        if let Some(pool) = policy.pools.shared(name) {
            pools.insert(name.clone(), Arc::clone(pool));
        }
    }
    Policy {
        checks: BTreeMap::new(),
        pools,
        virtual_addresses: policy.virtual_addresses.clone(),
        pair: policy.pair.clone(),
        probes: policy.probes,
        kernel: KernelSettings {
            conn_reuse_mode: Some(policy.conn_reuse_mode(host.kernel)),
            ..policy.kernel
        },
        metrics: policy.metrics,
        on_event: Vec::new(),
        api: None,
        on_stop: policy.on_stop,
    }
}

impl Exchange {
    /// Makes the exchange; whether anything is another.
    pub fn make(self, tables: &mut Tables) -> bool {
        let mut changed = false;
        for key in self.gone.iter().filter(|key| !self.part.services.contains_key(key)) {
            changed |= tables.services.remove(key).is_some();
        }
        let concerned = |key: &ServiceKey| self.gone.contains(key) || self.part.services.contains_key(key);
        let weights: BTreeMap<_, _> = tables
            .entry_weights
            .iter()
            .filter(|((key, _), _)| concerned(key))
            .map(|(of, weight)| (*of, *weight))
            .collect();
        if weights != self.part.entry_weights {
            tables.entry_weights.retain(|(key, _), _| !concerned(key));
            tables.entry_weights.extend(self.part.entry_weights);
            changed = true;
        }
        for (key, service) in self.part.services {
            if tables.services.get(&key) != Some(&service) {
                tables.services.insert(key, service);
                changed = true;
            }
        }
        changed
    }
}
