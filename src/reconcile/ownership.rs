//! What is ours: kept in the state directory, so that a director that starts again knows what it may remove.
//!
//! A service that the policy names is ours at any time. Anything else is ours only if this record says that we made it.
//! The record is written before the first change that it speaks of, and belongs to one boot and one network namespace:
//! in another [`Epoch`] the kernel's tables are others, and the record is void.

use crate::hash::fnv1a;
use crate::model::{
    Observed, ObservedRuleset, Ruleset, ServiceKey, SyncDaemon, Sysctl, Tables, VirtualAddress,
};
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

/// Our nftables table, as far as we know it. nft prints rules in its own words, and in other words with each version: so
/// what it said of our rules right after they were applied is the measure, and not what we said to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RulesetRecord {
    /// We are about to make it, or were refused, or died over it: what is there, if anything, is not known.
    Pending,
    /// The kernel has accepted the ruleset of this fingerprint, and has not listed it yet. Holds in one process only.
    Applied { fingerprint: String },
    /// The ruleset of this fingerprint was listed with this digest.
    Listed { fingerprint: String, listing: String },
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
    /// Records of earlier versions have none.
    #[serde(default)]
    pub sync_daemons: BTreeSet<SyncDaemon>,
}

impl Ownership {
    /// The record of `epoch`: `self` if it was written in it, else an empty one.
    #[must_use]
    pub fn valid_in(self, epoch: Epoch) -> Self {
        if self.epoch != epoch {
            return Self { epoch, ..Self::default() };
        }
        let ruleset = self.ruleset.map(|record| match record {
            RulesetRecord::Applied { .. } | RulesetRecord::Pending => RulesetRecord::Pending,
            listed @ RulesetRecord::Listed { .. } => listed,
        });
        Self { ruleset, ..self }
    }

    /// The record as it must stand before `changes` are applied: everything that they will make is in it.
    #[must_use]
    pub fn before(&self, desired: &Tables, changes: &[super::Change]) -> Self {
        let mut next = self.clone();
        next.services.extend(desired.services.keys());
        next.sync_daemons.extend(desired.sync_daemons.iter().cloned());
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
            Change::ReplaceRuleset { .. } => self.ruleset = Some(RulesetRecord::Pending),
            Change::AddService { .. }
            | Change::EditService { .. }
            | Change::RemoveService { .. }
            | Change::AddDestination { .. }
            | Change::EditDestination { .. }
            | Change::RemoveDestination { .. }
            | Change::StartSyncDaemon { .. }
            | Change::StopSyncDaemon { .. }
            | Change::SetTimeouts { .. }
            | Change::RemoveRuleset
            | Change::RemoveAddress { .. } => {}
        }
    }

    /// The first value found is the one to restore, however often somebody flips the setting afterwards. Restoring it changes
    /// nothing in the record: only the next observation says whether that came true.
    fn note_sysctl(&mut self, sysctl: &Sysctl, from: &str, to: &str) {
        match self.sysctls.get_mut(sysctl) {
            Some(record) if record.found == to => {}
            Some(record) => to.clone_into(&mut record.set),
            // It did not exist: there is nothing to give back.
            None if from.is_empty() => {}
            None => {
                let record = FoundValue { found: from.to_owned(), set: to.to_owned() };
                self.sysctls.insert(sysctl.clone(), record);
            }
        }
    }

    /// Takes the kernel's answer to a change into the record.
    pub fn answered(&mut self, change: &super::Change, accepted: bool) {
        use super::Change;
        match (change, accepted) {
            (Change::ReplaceRuleset { to }, true) => {
                self.ruleset = Some(RulesetRecord::Applied { fingerprint: fingerprint(to) });
            }
            // What was there before us, or comes later by another hand, is not ours to remove.
            (Change::AddAddress { address }, false) => {
                self.addresses.remove(address);
            }
            _ => {}
        }
    }

    /// Takes in what the policy names: its services are ours from now on, and its settings have the values that were found
    /// before anybody changes them.
    fn claim(&mut self, desired: &Tables, observed: &Observed) {
        self.services.extend(desired.services.keys());
        self.sync_daemons.extend(desired.sync_daemons.iter().cloned());
        for (sysctl, set) in &desired.sysctls {
            if let Some(found) = observed.sysctls.get(sysctl).filter(|_| !self.sysctls.contains_key(sysctl)) {
                let record = FoundValue { found: found.clone(), set: set.clone() };
                self.sysctls.insert(sysctl.clone(), record);
            }
        }
    }

    /// The record after an observation: what the policy names is claimed, what is neither wanted nor there any more is
    /// forgotten, and a listing of the table that we applied is learned.
    #[must_use]
    pub fn after(&self, desired: &Tables, observed: &Observed) -> Self {
        let mut next = self.clone();
        next.claim(desired, observed);
        next.services.retain(|key| desired.services.contains_key(key) || observed.services.contains_key(key));
        next.sync_daemons
            .retain(|daemon| desired.sync_daemons.contains(daemon) || observed.sync_daemons.contains(daemon));
        next.addresses.retain(|held| desired.addresses.contains(held) || observed.addresses.contains(held));
        next.sysctls.retain(|sysctl, record| {
            let to_restore = record.found != record.set && observed.sysctls.get(sysctl) == Some(&record.set);
            desired.sysctls.contains_key(sysctl) || to_restore
        });
        next.ruleset = match (next.ruleset, &observed.ruleset) {
            (Some(RulesetRecord::Applied { fingerprint }), ObservedRuleset::Present(digest)) => {
                Some(RulesetRecord::Listed { fingerprint, listing: digest.clone() })
            }
            (Some(_), ObservedRuleset::Absent) if desired.ruleset.is_empty() => None,
            (record, _) => record,
        };
        next
    }
}

/// A short text that differs when the rulesets do, or the version that renders them (FNV-1a, 64 bits, over the debug form: it
/// only has to notice an edit of the policy, and a difference after an upgrade costs one transaction).
#[must_use]
pub(super) fn fingerprint(ruleset: &Ruleset) -> String {
    let text = format!("{} {ruleset:?}", env!("CARGO_PKG_VERSION"));
    format!("{:016x}", fnv1a(text.bytes()))
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
