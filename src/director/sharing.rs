//! Running checks that ask the same of the same address are one, whatever their names: it is probed once. Pure.

use crate::model::{Check, CheckName, Policy, TargetKey};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// The keys of one running check: the first gives it its name, and all are told what it finds. Sorted, never empty.
pub(super) type Shared = Vec<Arc<TargetKey>>;

/// What makes running checks one: the first of the checks that are alike, whom it asks, and the mark of a real path.
pub(super) type Place<'a> = (&'a CheckName, SocketAddr, Option<u32>);

/// Which checks of a policy are equal but for their names: for each the first of them.
#[derive(Debug)]
pub(super) struct Alike<'a>(BTreeMap<&'a CheckName, &'a CheckName>);

impl<'a> Alike<'a> {
    /// The text of a check narrows the search: of ten thousand pools with a check each, no two are compared that differ in
    /// anything that can be printed.
    pub(super) fn of(policy: &'a Policy) -> Self {
        let mut firsts: BTreeMap<String, Vec<(&CheckName, Check)>> = BTreeMap::new();
        let mut alike = BTreeMap::new();
        for (name, check) in &policy.checks {
            let nameless = Check { name: CheckName::default(), ..check.clone() };
            let candidates = firsts.entry(format!("{nameless:?}")).or_default();
            let first = match candidates.iter().find(|(_, candidate)| *candidate == nameless) {
                Some((first, _)) => first,
                None => {
                    candidates.push((name, nameless));
                    name
                }
            };
            alike.insert(name, first);
        }
        Self(alike)
    }

    /// Where a key belongs; `None` where its check is not in the policy.
    pub(super) fn place(&self, key: &TargetKey) -> Option<Place<'a>> {
        Some((*self.0.get(&key.check)?, key.address, key.real_path))
    }

    /// Groups keys that are one check, in the order of their first ones. A key whose check is not in the policy is left out.
    pub(super) fn grouped(&self, keys: BTreeSet<Arc<TargetKey>>) -> Vec<(Place<'a>, Shared)> {
        let mut numbers: BTreeMap<Place<'_>, usize> = BTreeMap::new();
        let mut groups: Vec<(Place<'_>, Shared)> = Vec::new();
        for key in keys {
            let Some(place) = self.place(&key) else { continue };
            let number = *numbers.entry(place).or_insert(groups.len());
            match groups.get_mut(number) {
                Some((_, group)) => group.push(key),
                None => groups.push((place, vec![key])),
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::{check, policy};
    use std::time::Duration;

    fn key(check: &str, host: u8) -> Arc<TargetKey> {
        TargetKey { check: check.into(), address: ([10, 0, 0, host], 80).into(), real_path: None }.into()
    }

    #[test]
    fn equal_checks_of_one_address_are_one_and_their_names_stay() {
        let mut policy = policy([]);
        for name in ["app/check", "web/check"] {
            policy.checks.insert(name.into(), Check { name: name.into(), ..check() });
        }
        let slow = Check { name: "slow".into(), interval: Duration::from_secs(9), ..check() };
        policy.checks.insert("slow".into(), slow);
        let keys = [
            key("web/check", 1),
            key("app/check", 1),
            key("web/check", 2),
            key("slow", 1),
            key("nobody", 1),
            key("alive", 3),
        ];
        let groups = Alike::of(&policy).grouped(keys.into()).into_iter().map(|(_, group)| group);
        assert_eq!(
            Vec::from_iter(groups),
            [
                vec![key("alive", 3)],
                vec![key("app/check", 1), key("web/check", 1)],
                vec![key("slow", 1)],
                vec![key("web/check", 2)],
            ]
        );
    }
}
