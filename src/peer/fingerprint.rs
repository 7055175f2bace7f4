//! A pool's IPVS services, as the kernel holds them, as one number: equal numbers mean that a connection which moves to the
//! other director meets the same. Pure.
//!
//! What counts: the scheduler, its flags, persistence, and each destination with its forwarding method. Weights count
//! under `mh` only: there they, and the order in which destinations were added, decide which client gets which server; under
//! other schedulers they are each director's own measure of load, and an open connection does not ask for them. Counters, limits
//! and whatever is not ours never count.

use crate::hash::{Fnv, fnv1a, mix};
use crate::model::{Observed, Policy, Pool, PoolName, Service, ServiceKey};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::hash::Hasher as _;

/// The tables of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolTable {
    pub fingerprint: u64,
    /// Whether a service of it is under `mh`: its connections depend on tables that are the same on both directors.
    pub mh: bool,
}

/// Each pool's tables.
#[must_use]
pub fn of_pools(policy: &Policy, observed: &Observed) -> BTreeMap<PoolName, PoolTable> {
    policy.pools.values().map(|pool| (pool.name.clone(), of_pool(pool, observed))).collect()
}

/// All of them together.
#[must_use]
pub fn of_all(pools: &BTreeMap<PoolName, PoolTable>) -> u64 {
    let one = |(name, table): (&PoolName, &PoolTable)| mix(fnv1a(name.bytes()) ^ table.fingerprint);
    pools.iter().map(one).fold(0, |all, one| mix(all ^ one))
}

fn of_pool(pool: &Pool, observed: &Observed) -> PoolTable {
    let fingerprint = pool.services.iter().fold(0, |all, service| {
        let held = observed.services.get(&service.key);
        mix(all ^ held.map_or(0, |held| of_service(service.key, held, observed)))
    });
    PoolTable { fingerprint, mh: pool.services.iter().any(|service| service.config.scheduler.0 == "mh") }
}

/// As text into a hash of our own: the two directors may be different builds, on different machines.
fn of_service(key: ServiceKey, service: &Service, observed: &Observed) -> u64 {
    let mut hash = TextHash::default();
    let is_mh = service.config.scheduler.0 == "mh";
    hash.take(format_args!("{key} {:?}", service.config));
    for (destination, held) in &*service.destinations {
        hash.take(format_args!("{destination} {}", held.method));
        if is_mh {
            hash.take(format_args!("{}", held.weight));
        }
    }
    for destination in observed.mh_orders.get(&key).into_iter().flatten() {
        hash.take(format_args!("{destination}"));
    }
    hash.0.finish()
}

#[derive(Default)]
struct TextHash(Fnv);

impl TextHash {
    fn take(&mut self, text: fmt::Arguments<'_>) {
        // Writing into a hash does not fail.
        let _ = self.write_fmt(text);
        self.0.write(&[0]);
    }
}

impl fmt::Write for TextHash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::{ip, policy, pool, service, tcp};
    use crate::model::{Destination, DestinationKey, Forwarding, ForwardingMethod, Thresholds};
    use std::sync::Arc;

    const VIP: &str = "192.0.2.1";

    /// A policy with one pool of this scheduler, and the table that it makes.
    fn held(scheduler: &str) -> (Policy, Observed) {
        let mut web = pool("web", VIP, &Forwarding::Nat);
        web.services = vec![service(tcp(VIP, 80), scheduler)];
        let config = web.services[0].config.clone();
        let destination = |weight| Destination {
            method: ForwardingMethod::Masquerade,
            weight,
            thresholds: Thresholds::default(),
        };
        let destinations = Arc::new([(place(10), destination(1)), (place(11), destination(1))].into());
        let mut observed = Observed::default();
        observed.services.insert(tcp(VIP, 80), Service { config, destinations });
        (policy([web]), observed)
    }

    fn place(host: u8) -> DestinationKey {
        DestinationKey { address: ip(&format!("10.0.0.{host}")), port: 80 }
    }

    fn changes(scheduler: &str, change: impl FnOnce(&mut Service)) -> bool {
        let (policy, mut observed) = held(scheduler);
        let before = of_all(&of_pools(&policy, &observed));
        change(observed.services.get_mut(&tcp(VIP, 80)).expect("the service"));
        before != of_all(&of_pools(&policy, &observed))
    }

    fn reweigh(service: &mut Service) {
        service.destinations_mut().values_mut().for_each(|held| held.weight = 7);
    }

    #[test]
    fn scheduler_servers_and_forwarding_count_and_weights_only_under_mh() {
        assert!(!changes("wrr", |_| ()));
        assert!(changes("wrr", |service| service.config.flags.scheduler_1 = true));
        assert!(changes("wrr", |service| {
            service.destinations_mut().remove(&place(10));
        }));
        assert!(changes("wrr", |service| {
            service
                .destinations_mut()
                .values_mut()
                .for_each(|held| held.method = ForwardingMethod::DirectRoute);
        }));
        assert!(!changes("wrr", reweigh) && changes("mh", reweigh));
    }

    #[test]
    fn under_mh_the_order_in_which_servers_were_added_counts() {
        let (policy, mut observed) = held("mh");
        let number = |observed: &Observed| of_all(&of_pools(&policy, observed));
        observed.mh_orders.insert(tcp(VIP, 80), vec![place(10), place(11)]);
        let before = number(&observed);
        observed.mh_orders.insert(tcp(VIP, 80), vec![place(11), place(10)]);
        assert_ne!(before, number(&observed));
        let mh = |scheduler| held(scheduler);
        let is_mh = |(policy, observed): (Policy, Observed)| of_pools(&policy, &observed)["web"].mh;
        assert!(is_mh(mh("mh")) && !is_mh(mh("wrr")));
    }

    #[test]
    fn what_is_not_ours_does_not_count() {
        let (policy, mut observed) = held("wrr");
        let before = of_pools(&policy, &observed);
        let other = observed.services[&tcp(VIP, 80)].clone();
        observed.services.insert(tcp("192.0.2.9", 80), other);
        assert_eq!(before, of_pools(&policy, &observed));
    }
}
