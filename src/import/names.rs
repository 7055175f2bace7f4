//! Names of the policy, made of what other formats call things.

use std::collections::BTreeSet;

/// Characters of a name at most.
const LONGEST: usize = 60;

/// A name that the policy takes: letters, digits, `.`, `_` and `-`, beginning with a letter or digit.
pub(super) fn clean(text: &str) -> String {
    let good = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let name: String =
        text.chars().map(|letter| if good(letter) { letter } else { '-' }).take(LONGEST).collect();
    let name = name.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    if name.is_empty() { "unnamed".to_owned() } else { name.to_owned() }
}

/// The cleaned name, with a number behind it where it is taken.
pub(super) fn unique(text: &str, taken: &mut BTreeSet<String>) -> String {
    let name = clean(text);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.unwrap_or(name);
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_a_policy_takes_and_each_is_there_once() {
        let mut taken = BTreeSet::new();
        let names = ["tcp-2001:db8::1-80", "a b", "a/b", "_", "a b"].map(|text| unique(text, &mut taken));
        assert_eq!(names, ["tcp-2001-db8--1-80", "a-b", "a-b-2", "unnamed", "a-b-3"]);
    }
}
