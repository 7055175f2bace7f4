//! Policies: any text is refused with places, or accepted; what is accepted can be written out, and means the same again.

use super::files::Parts;
use std::path::Path;
use tandem::model::Policy;
use tandem::policy::{self, Colour, Loaded, Severity, View};

const NAME: &str = "policy.yaml";

pub fn run(data: &[u8]) {
    let files = Parts::of(NAME, data);
    let loaded = policy::load_for_all(Path::new(NAME), &files, View::First);
    each_problem_has_a_place(&loaded);
    let Some(policy) = loaded.policy else {
        let errors = loaded.diagnostics.iter().filter(|found| found.severity() == Severity::Error);
        assert!(errors.count() > 0, "refused without an error");
        return;
    };
    comes_back(&policy);
    // Accepted for all means accepted for each.
    for director in policy.pair.directors.keys() {
        let theirs = policy::load(Path::new(NAME), &files, View::Director(director));
        let theirs =
            theirs.policy.unwrap_or_else(|| panic!("refused for {director}: {:?}", theirs.diagnostics));
        comes_back(&theirs);
    }
}

fn each_problem_has_a_place(loaded: &Loaded) {
    for diagnostic in &loaded.diagnostics {
        let shown = policy::render(diagnostic, &loaded.sources, Colour::Plain);
        assert!(shown.contains(".yaml:") || shown.contains("part"), "no place: {shown}");
        let controls = shown.chars().any(|character| character.is_control() && character != '\n');
        assert!(!controls, "control characters: {shown:?}");
    }
}

/// What `check --resolved` prints is a policy, and the same one.
fn comes_back(policy: &Policy) {
    let written = policy::resolved(policy, Path::new(""));
    let own = policy.pair.own.as_deref();
    let files = Parts::of(NAME, written.as_bytes());
    let again = policy::load(Path::new(NAME), &files, own.map_or(View::First, View::Director));
    assert_eq!(again.policy.as_ref(), Some(policy), "{written}\n{:?}", again.diagnostics);
}
