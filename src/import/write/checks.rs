//! Checks by name: equal ones have one.

use crate::import::names;
use crate::import::site::Check;
use crate::import::yaml::{Entry, Yaml, document, entry, mapping, word, words};
use std::collections::{BTreeMap, BTreeSet};

/// The checks that are used, in the order in which they were first.
#[derive(Default)]
pub(super) struct Book {
    checks: Vec<(String, Check)>,
    taken: BTreeSet<String>,
    /// Names by what the checks say.
    known: BTreeMap<String, String>,
}

impl Book {
    /// The name of a check; a new one gets a new name.
    pub(super) fn name(&mut self, check: &Check) -> String {
        let text = document(&check.keys);
        if let Some(name) = self.known.get(&text) {
            return name.clone();
        }
        // A name that says something else.
        let hint = if check.hint == "none" { "check" } else { &check.hint };
        let name = names::unique(hint, &mut self.taken);
        self.checks.push((name.clone(), check.clone()));
        self.known.insert(text, name.clone());
        name
    }

    /// What a server's `check` says: all of these.
    pub(super) fn all(&mut self, checks: &[&Check]) -> Yaml {
        let mut names: Vec<String> = checks.iter().map(|check| self.name(check)).collect();
        names.dedup();
        match names.as_slice() {
            [] => word("none"),
            [name] => word(name),
            several => mapping([entry("all", words(several))]),
        }
    }

    /// The section `checks`.
    pub(super) fn section(self) -> Option<Entry> {
        if self.checks.is_empty() {
            return None;
        }
        let one = |(name, check): (String, Check)| entry(name, mapping(check.keys)).comments(check.todo);
        Some(entry("checks", mapping(self.checks.into_iter().map(one))))
    }
}
