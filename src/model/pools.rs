//! The pools of a policy, which share what they have in common with those of another one.

use super::{Pool, PoolName};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::ops::Index;
use std::sync::Arc;

/// Pools by their names. A copy costs a reference count for each, and two that are one and the same are equal without being
/// looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pools(BTreeMap<PoolName, Arc<Pool>>);

impl Pools {
    /// The pool of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Pool> {
        self.0.get(name).map(Arc::as_ref)
    }

    /// The same, to be shared.
    #[must_use]
    pub fn shared(&self, name: &str) -> Option<&Arc<Pool>> {
        self.0.get(name)
    }

    /// The pool of this name, to be changed here and nowhere else.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Pool> {
        self.0.get_mut(name).map(Arc::make_mut)
    }

    /// Whether there is a pool of this name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Puts a pool there, in the place of one of the same name.
    pub fn insert(&mut self, name: PoolName, pool: impl Into<Arc<Pool>>) {
        self.0.insert(name, pool.into());
    }

    /// Takes a pool away.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Their names, sorted.
    pub fn keys(&self) -> btree_map::Keys<'_, PoolName, Arc<Pool>> {
        self.0.keys()
    }

    /// The pools, by their names.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Pool> + ExactSizeIterator + Clone {
        self.0.values().map(Arc::as_ref)
    }

    /// The same, to be changed here and nowhere else.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Pool> {
        self.0.values_mut().map(Arc::make_mut)
    }

    /// The pools with their names, sorted by these.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&PoolName, &Pool)> + ExactSizeIterator + Clone {
        self.0.iter().map(|(name, pool)| (name, pool.as_ref()))
    }

    /// Puts those of another policy there, shared with it, in the places of those of the same names.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().map(|(name, pool)| (name.clone(), Arc::clone(pool))));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names whose pools are not the same in both, or are in one of them only.
    #[must_use]
    pub fn differing(&self, others: &Self) -> BTreeSet<PoolName> {
        let mut names = BTreeSet::new();
        let (mut here, mut there) = (self.0.iter().peekable(), others.0.iter().peekable());
        loop {
            let order = match (here.peek(), there.peek()) {
                (None, None) => return names,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((name, _)), Some((other, _))) => name.cmp(other),
            };
            let own = if order.is_le() { here.next() } else { None };
            let other = if order.is_ge() { there.next() } else { None };
            if own != other {
                names.extend(own.or(other).map(|(name, _)| name.clone()));
            }
        }
    }

    /// Takes the pools of another policy for those that are equal to them, so that what follows sees at once that they are.
    pub fn share_with(&mut self, others: &Self) {
        for (name, pool) in &mut self.0 {
            if let Some(other) = others.0.get(name).filter(|other| *other == pool) {
                *pool = Arc::clone(other);
            }
        }
    }
}

impl FromIterator<(PoolName, Pool)> for Pools {
    fn from_iter<T: IntoIterator<Item = (PoolName, Pool)>>(pools: T) -> Self {
        Self(pools.into_iter().map(|(name, pool)| (name, Arc::new(pool))).collect())
    }
}

impl<const N: usize> From<[(PoolName, Pool); N]> for Pools {
    fn from(pools: [(PoolName, Pool); N]) -> Self {
        pools.into_iter().collect()
    }
}

impl Index<&str> for Pools {
    type Output = Pool;

    fn index(&self, name: &str) -> &Pool {
        &self.0[name]
    }
}
