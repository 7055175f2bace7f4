//! The overrides in force, and what they come to under the policy in force. Pure.

use super::server_id::{ServerId, id};
use crate::model::{Order, Override, OverrideKind, OverrideTarget, Policy, Pool, PoolName, RealServer};
use crate::time::{Instant, milliseconds};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// All overrides: at most one a target.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    all: BTreeMap<OverrideTarget, Override>,
    /// Unix time of [`Instant::ZERO`]: they end by the wall clock, a restart between or not.
    epoch: Duration,
    /// What is ordered of each server.
    orders: BTreeMap<ServerId, Order>,
    frozen: BTreeSet<PoolName>,
}

impl Overrides {
    pub(super) fn new(all: Vec<Override>, policy: &Policy, epoch: Duration) -> Self {
        let all = all.into_iter().map(|given| (given.target.clone(), given)).collect();
        let mut overrides = Self { all, epoch, ..Self::default() };
        overrides.apply_to(policy);
        overrides
    }

    /// What they come to under this policy.
    pub(super) fn apply_to(&mut self, policy: &Policy) {
        let frozen = self.all.keys().filter_map(|target| match target {
            OverrideTarget::Pool(pool) => Some(pool.clone()),
            OverrideTarget::Server { .. } | OverrideTarget::EveryServer(_) => None,
        });
        self.frozen = frozen.collect();
        let index = Index::of(self.all.values());
        let servers = policy.pools.values().flat_map(|pool| pool.servers.iter().map(move |one| (pool, one)));
        let ordered = servers.filter_map(|(pool, server)| {
            let words = Word::of_server(&server.name, server.address, server.port);
            Some((id(pool, server), index.order(&pool.name, &words)?))
        });
        self.orders = if self.all.is_empty() { BTreeMap::new() } else { ordered.collect() };
    }

    /// Takes these for all there are; those that are new or another, and those that are gone.
    pub(super) fn replace(&mut self, all: Vec<Override>) -> (Vec<Override>, Vec<Override>) {
        let all: BTreeMap<_, _> = all.into_iter().map(|given| (given.target.clone(), given)).collect();
        let before = std::mem::replace(&mut self.all, all);
        let set = self.all.values().filter(|given| before.get(&given.target) != Some(given));
        let set: Vec<Override> = set.cloned().collect();
        let gone = before.into_values().filter(|given| !self.all.contains_key(&given.target));
        (set, gone.collect())
    }

    /// Takes those out whose time is over.
    pub(super) fn expire(&mut self, at: Instant) -> Vec<Override> {
        let now = milliseconds(self.epoch.saturating_add(at.saturating_since(Instant::ZERO)));
        let over = |given: &&Override| given.until_unix_ms.is_some_and(|until| until <= now);
        let over: Vec<Override> = self.all.values().filter(over).cloned().collect();
        for given in &over {
            self.all.remove(&given.target);
        }
        over
    }

    /// What the wall clock says; it may have been set.
    pub(super) const fn set_epoch(&mut self, epoch: Duration) {
        self.epoch = epoch;
    }

    /// When the next one ends by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let until = self.all.values().filter_map(|given| given.until_unix_ms).min()?;
        Some(Instant::ZERO + Duration::from_millis(until).saturating_sub(self.epoch))
    }

    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = &Override> {
        self.all.values()
    }

    /// What is ordered of a server. It is asked of each at every look and for every picture, and costs nothing where nothing
    /// is ordered.
    pub(super) fn order_of(&self, pool: &Pool, server: &RealServer) -> Option<Order> {
        if self.orders.is_empty() { None } else { self.order(&id(pool, server)) }
    }

    fn order(&self, server: &ServerId) -> Option<Order> {
        self.orders.get(server).copied()
    }

    pub(super) fn is_frozen(&self, pool: &PoolName) -> bool {
        self.frozen.contains(pool)
    }
}

/// How an operator can name a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word<'a> {
    Name(&'a str),
    Address(IpAddr),
    Socket(SocketAddr),
}

impl<'a> Word<'a> {
    /// What a word may mean: [`crate::model::is_named`] the other way round.
    fn meanings(word: &'a str) -> impl Iterator<Item = Self> {
        let address = word.parse().map(Self::Address).ok();
        let socket = word.parse().map(Self::Socket).ok();
        [Some(Self::Name(word)), address, socket].into_iter().flatten()
    }

    fn of_server(name: &'a str, address: IpAddr, port: Option<u16>) -> Vec<Self> {
        let socket = port.map(|port| Self::Socket(SocketAddr::new(address, port)));
        [Self::Name(name), Self::Address(address)].into_iter().chain(socket).collect()
    }
}

/// Orders by what they are for: of tens of thousands of servers each asks only for its own.
struct Index<'a> {
    /// Within a pool, and (`None`) everywhere.
    named: BTreeMap<(Option<&'a PoolName>, Word<'a>), &'a Override>,
    whole: BTreeMap<&'a PoolName, &'a Override>,
}

impl<'a> Index<'a> {
    fn of(all: impl Iterator<Item = &'a Override>) -> Self {
        let mut index = Self { named: BTreeMap::new(), whole: BTreeMap::new() };
        for given in all {
            match &given.target {
                OverrideTarget::Server { server, pool } => {
                    for word in Word::meanings(server) {
                        index.named.insert((pool.as_ref(), word), given);
                    }
                }
                OverrideTarget::EveryServer(pool) => {
                    index.whole.insert(pool, given);
                }
                OverrideTarget::Pool(_) => {}
            }
        }
        index
    }

    /// The order for a server with these names: the most exact one, and of two that are as exact the newer.
    fn order(&self, pool: &PoolName, words: &[Word<'_>]) -> Option<Order> {
        let named = |pool: Option<&PoolName>| {
            let found = words.iter().filter_map(|word| self.named.get(&(pool, word.clone())));
            found.max_by_key(|given| given.set_unix_ms).copied()
        };
        let given = named(Some(pool)).or_else(|| named(None)).or_else(|| self.whole.get(pool).copied())?;
        match given.kind {
            OverrideKind::Server(order) => Some(order),
            OverrideKind::Freeze => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::{policy, pool, server};
    use crate::model::Forwarding;

    const EPOCH: Duration = Duration::from_secs(1_700_000_000);

    fn given(order: Order, target: OverrideTarget, set_unix_ms: u64) -> Override {
        let kind = OverrideKind::Server(order);
        let (by, reason, director) = ("alice".to_owned(), None, None);
        Override { kind, target, by, reason, director, set_unix_ms, until_unix_ms: None }
    }

    fn at(server: &str, pool: Option<&str>) -> OverrideTarget {
        OverrideTarget::Server { server: server.into(), pool: pool.map(Into::into) }
    }

    fn two_pools() -> Policy {
        let with = |name: &str, vip: &str| {
            let mut pool = pool(name, vip, &Forwarding::Nat);
            pool.servers = ["10.0.0.1", "10.0.0.2"].map(|rip| server(rip, &Forwarding::Nat)).into();
            pool.servers[0].name = "one".into();
            pool
        };
        policy([with("api", "192.0.2.2"), with("web", "192.0.2.1")])
    }

    #[track_caller]
    fn order(all: Vec<Override>, pool: &str, server: &str) -> Option<Order> {
        Overrides::new(all, &two_pools(), EPOCH).order(&(pool.into(), server.into()))
    }

    #[test]
    fn an_order_by_host_is_for_every_pool_and_one_by_pool_for_one() {
        for word in ["one", "10.0.0.1"] {
            let all = vec![given(Order::Drain, at(word, None), 1)];
            assert_eq!(order(all.clone(), "web", "one"), Some(Order::Drain));
            assert_eq!(order(all, "api", "one"), Some(Order::Drain));
        }
        let all = vec![given(Order::Disable, at("one", Some("web")), 1)];
        assert_eq!(order(all.clone(), "web", "one"), Some(Order::Disable));
        assert_eq!(order(all, "api", "one"), None);
    }

    #[test]
    fn the_most_exact_order_counts_and_then_the_newest() {
        let all = vec![
            given(Order::Disable, OverrideTarget::EveryServer("web".into()), 9),
            given(Order::Drain, at("one", None), 2),
            given(Order::ForceUp, at("10.0.0.1", None), 3),
            given(Order::Weight(7), at("one", Some("web")), 1),
        ];
        assert_eq!(order(all.clone(), "web", "one"), Some(Order::Weight(7)));
        assert_eq!(order(all.clone(), "api", "one"), Some(Order::ForceUp));
        assert_eq!(order(all, "web", "10.0.0.2:80"), Some(Order::Disable));
    }

    #[test]
    fn one_ends_by_the_wall_clock_which_may_be_set() {
        let until = milliseconds(EPOCH) + 5_000;
        let ends = Override { until_unix_ms: Some(until), ..given(Order::Drain, at("one", None), 1) };
        let mut all = Overrides::new(vec![ends.clone()], &two_pools(), EPOCH);
        assert_eq!(all.deadline(), Some(Instant::from_millis(5_000)));
        assert_eq!(all.expire(Instant::from_millis(4_999)), []);
        all.set_epoch(EPOCH + Duration::from_secs(2));
        assert_eq!(all.deadline(), Some(Instant::from_millis(3_000)));
        assert_eq!(all.expire(Instant::from_millis(3_000)), [ends]);
        assert_eq!(all.deadline(), None);
    }

    #[test]
    fn what_is_replaced_is_told_as_set_and_gone() {
        let drain = given(Order::Drain, at("one", None), 1);
        let mut all = Overrides::new(vec![drain.clone()], &two_pools(), EPOCH);
        let disable = given(Order::Disable, at("one", None), 2);
        assert_eq!(all.replace(vec![disable.clone()]), (vec![disable.clone()], vec![]));
        assert_eq!(all.replace(vec![disable.clone()]), (vec![], vec![]));
        assert_eq!(all.replace(vec![]), (vec![], vec![disable]));
    }
}
