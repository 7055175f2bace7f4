//! What was hit, over all worlds: transitions (role and cause) and faults.

use std::collections::BTreeMap;

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub transitions: BTreeMap<(&'static str, &'static str), u64>,
    pub faults: BTreeMap<&'static str, u64>,
    pub events: u64,
    pub simulated_s: u64,
}

impl Tally {
    pub fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub fn transition(&mut self, role: &'static str, cause: &'static str) {
        *self.transitions.entry((role, cause)).or_default() += 1;
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
        let mut lines = String::from("transitions (role, cause):\n");
        for ((role, cause), count) in &self.transitions {
            lines += &format!("  {role:<11} {cause:<22} {count:>9}\n");
        }
        lines += "faults:\n";
        for (kind, count) in &self.faults {
            lines += &format!("  {kind:<34} {count:>9}\n");
        }
        lines
    }
}
