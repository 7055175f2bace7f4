//! Running checks that ask the same of the same address are one, whatever their names: it is probed once. Pure.

use crate::model::{Check, CheckName, Policy, TargetKey};
use std::collections::{BTreeMap, BTreeSet};

/// The keys of one running check: the first gives it its name, and all are told what it finds. Sorted, never empty.
pub(super) type Shared = Vec<TargetKey>;

/// Groups keys whose checks are equal but for their names, in the order of their first ones. A key whose check is not in the
/// policy is left out.
pub(super) fn shared(policy: &Policy, keys: BTreeSet<TargetKey>) -> Vec<Shared> {
    let alike = alike(policy);
    let mut places: BTreeMap<(&CheckName, std::net::SocketAddr, Option<u32>), usize> = BTreeMap::new();
    let mut groups: Vec<Shared> = Vec::new();
    for key in keys {
        let Some(first) = alike.get(&key.check) else { continue };
        let place = *places.entry((first, key.address, key.real_path)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(key),
            None => groups.push(vec![key]),
        }
    }
    groups
}

/// For each check the first that is equal to it but for the name. The text of a check narrows the search: of ten thousand
/// pools with a check each, no two are compared that differ in anything that can be printed.
fn alike(policy: &Policy) -> BTreeMap<CheckName, &CheckName> {
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
        alike.insert(name.clone(), first);
    }
    alike
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::{check, policy};
    use std::time::Duration;

    fn key(check: &str, host: u8) -> TargetKey {
        TargetKey { check: check.into(), address: ([10, 0, 0, host], 80).into(), real_path: None }
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
        assert_eq!(
            shared(&policy, keys.into()),
            [
                vec![key("alive", 3)],
                vec![key("app/check", 1), key("web/check", 1)],
                vec![key("slow", 1)],
                vec![key("web/check", 2)],
            ]
        );
    }
}
