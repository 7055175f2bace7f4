//! What is ours: kept in the state directory, so that a director that starts again knows what it may remove.
//!
//! A service that the policy names is ours at any time. Anything else is ours only if this record says that we made it.
//! The record is written before the first change that it speaks of, and belongs to one boot and one network namespace:
//! in another [`Epoch`] the kernel's tables are others, and the record is void.

use crate::model::{Ruleset, ServiceKey, Sysctl, Tables, VirtualAddress};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One boot of one kernel, and one network namespace in it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Epoch {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// The namespace's identity, as `/proc/self/ns/net` links to it.
    pub namespace: String,
}

/// A setting that we changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundValue {
    /// What it was before us: what it gets back.
    pub found: String,
    /// What we set: only while it still is this is it ours to restore.
    pub set: String,
}

/// Our nftables table, as we made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesetRecord {
    /// Fingerprint of the [`Ruleset`] that was applied.
    pub fingerprint: String,
    /// Digest of what the kernel listed right after; `None` until it was listed. nft prints rules in its own words, and in
    /// other words with each version: so what it said of our rules is the measure, and not what we said to it.
    pub listing: Option<String>,
}

/// Everything that we made and may remove.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ownership {
    pub epoch: Epoch,
    pub services: BTreeSet<ServiceKey>,
    #[serde(with = "pairs")]
    pub sysctls: BTreeMap<Sysctl, FoundValue>,
    pub addresses: BTreeSet<VirtualAddress>,
    pub ruleset: Option<RulesetRecord>,
}

impl Ownership {
    /// The record of `epoch`: `self` if it was written in it, else an empty one.
    #[must_use]
    pub fn valid_in(self, epoch: Epoch) -> Self {
        if self.epoch == epoch { self } else { Self { epoch, ..Self::default() } }
    }

    /// The record as it must stand before `changes` are applied: everything that they will make is in it.
    #[must_use]
    pub fn before(&self, desired: &Tables, changes: &[super::Change]) -> Self {
        let mut next = self.clone();
        next.services.extend(desired.services.keys());
        for change in changes {
            next.note(change);
        }
        next
    }

    /// Takes one change into the record.
    fn note(&mut self, change: &super::Change) {
        use super::Change;
        match change {
            Change::SetSysctl { sysctl, from, to } => self.note_sysctl(sysctl, from, to),
            Change::AddAddress { address } => {
                self.addresses.insert(address.clone());
            }
            Change::ReplaceRuleset { to } => {
                self.ruleset = Some(RulesetRecord { fingerprint: fingerprint(to), listing: None });
            }
            Change::AddService { .. }
            | Change::EditService { .. }
            | Change::RemoveService { .. }
            | Change::AddDestination { .. }
            | Change::EditDestination { .. }
            | Change::RemoveDestination { .. }
            | Change::SetTimeouts { .. }
            | Change::RemoveRuleset
            | Change::RemoveAddress { .. } => {}
        }
    }

    /// The first value found is the one to restore, however often somebody flips the setting afterwards.
    fn note_sysctl(&mut self, sysctl: &Sysctl, from: &str, to: &str) {
        let record = self
            .sysctls
            .entry(sysctl.clone())
            .or_insert_with(|| FoundValue { found: from.to_owned(), set: to.to_owned() });
        record.set = to.to_owned();
    }

    /// Forgets what is neither wanted nor there any more, and learns how nft lists our table.
    #[must_use]
    pub fn after(&self, desired: &Tables, observed: &crate::model::Observed) -> Self {
        use crate::model::ObservedRuleset;
        let mut next = self.clone();
        next.services.retain(|key| desired.services.contains_key(key) || observed.services.contains_key(key));
        next.addresses.retain(|held| desired.addresses.contains(held) || observed.addresses.contains(held));
        next.sysctls.retain(|sysctl, record| {
            desired.sysctls.contains_key(sysctl) || observed.sysctls.get(sysctl) == Some(&record.set)
        });
        match (&mut next.ruleset, &observed.ruleset) {
            (Some(record), ObservedRuleset::Present(digest)) if record.listing.is_none() => {
                record.listing = Some(digest.clone());
            }
            (Some(_), ObservedRuleset::Absent) if desired.ruleset.is_empty() => next.ruleset = None,
            _ => {}
        }
        next
    }
}

/// A short text that differs when the rulesets do (FNV-1a, 64 bits, over the debug form: it only has to notice an edit of
/// the policy, and a false difference after an upgrade costs one transaction).
#[must_use]
pub(super) fn fingerprint(ruleset: &Ruleset) -> String {
    let hash = format!("{ruleset:?}").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// A map whose keys are no JSON strings, as a list of pairs.
mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
