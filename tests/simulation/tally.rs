//! What was hit, over all worlds: transitions (from, to and cause) and faults; and whether often enough.

use std::collections::BTreeMap;

/// A change of role: from, to, and its cause.
pub type Transition = (&'static str, &'static str, &'static str);

/// In so many worlds each transition and each kind of fault shall be hit so often.
const MANY_WORLDS: u64 = 100_000;
const OFTEN: u64 = 1_000;

/// Every transition that directors of Tandem can make. (A Master that becomes unfit resigns only beside other vendors'
/// directors, which are not of this world. Nobody goes into Fault before it has started.)
const TRANSITIONS: [Transition; 18] = [
    ("initialize", "backup", "started"),
    ("fault", "initialize", "stopped"),
    ("fault", "backup", "started"),
    ("backup", "master", "silence"),
    ("backup", "master", "master_resigned"),
    ("backup", "master", "preempts"),
    ("backup", "master", "master_unfit"),
    ("backup", "master", "owner"),
    ("backup", "master", "nobody_took_over"),
    ("master", "backup", "higher_priority"),
    ("master", "backup", "other_reaches_gateway"),
    ("master", "backup", "released"),
    ("master", "backup", "stopped"),
    ("master", "backup", "stalled"),
    ("backup", "fault", "unfit"),
    ("backup", "fault", "link_down"),
    ("master", "fault", "unfit"),
    ("master", "fault", "link_down"),
];

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub transitions: BTreeMap<Transition, u64>,
    pub faults: BTreeMap<&'static str, u64>,
    pub events: u64,
    pub simulated_s: u64,
}

impl Tally {
    pub fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub fn transition(&mut self, transition: Transition) {
        *self.transitions.entry(transition).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (key, count) in &other.transitions {
            *self.transitions.entry(*key).or_default() += count;
        }
        for (key, count) in &other.faults {
            *self.faults.entry(key).or_default() += count;
        }
        self.events += other.events;
        self.simulated_s += other.simulated_s;
    }

    pub fn lines(&self) -> String {
        let mut lines = String::from("transitions (from, to, cause):\n");
        for ((from, to, cause), count) in &self.transitions {
            lines += &format!("  {from:<11} {to:<11} {cause:<22} {count:>9}\n");
        }
        lines += "faults:\n";
        for (kind, count) in &self.faults {
            lines += &format!("  {kind:<48} {count:>9}\n");
        }
        lines
    }

    /// What was hit too seldom in so many worlds, each with its count: where something never happens, nothing is proved of it.
    /// A few worlds prove little anyway.
    pub fn too_seldom(&self, worlds: u64) -> Vec<String> {
        if worlds < MANY_WORLDS {
            return Vec::new();
        }
        let enough = OFTEN * worlds / MANY_WORLDS;
        let count = |transition| self.transitions.get(transition).copied().unwrap_or_default();
        let transitions = TRANSITIONS.iter().map(|transition| (format!("{transition:?}"), count(transition)));
        let seen = self.transitions.iter().map(|(transition, count)| (format!("{transition:?}"), *count));
        let fault = |kind: &&str| self.faults.get(kind).copied().unwrap_or_default();
        let faults = crate::faults::KINDS.iter().map(|kind| ((*kind).to_owned(), fault(kind)));
        let all: BTreeMap<String, u64> = transitions.chain(seen).chain(faults).collect();
        let seldom = all.into_iter().filter(|(_, count)| *count < enough);
        seldom.map(|(what, count)| format!("{what}: {count} times, should be {enough}")).collect()
    }
}
