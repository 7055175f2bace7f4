//! A policy in an editor: the YAML language server, with the schema that `tandem schema` prints, completes keys, explains them and
//! marks what is wrong. Start it with `tests/lab/run editor`: it needs nodejs, and yaml-language-server of the npm registry.
//! Plain `cargo test` leaves it out.

mod editor;

use editor::Editor;
use std::fs;
use std::path::{Path, PathBuf};

/// A policy where somebody types.
const CHECK: &str = "policy_version: 1\nchecks:\n  alive:\n    http: {path: /}\n    ";

#[track_caller]
fn assert_offers(editor: &mut Editor, text: &str, wanted: &[&str]) {
    let offered = editor.completions(text);
    let missing: Vec<_> = wanted.iter().filter(|key| !offered.iter().any(|offer| offer == **key)).collect();
    assert!(missing.is_empty(), "{missing:?} are not among {offered:?}");
}

#[test]
fn keys_and_words_are_completed_where_they_belong() {
    let mut editor = Editor::start();
    let sections = ["checks", "directors", "pools", "virtual_routers"];
    assert_offers(&mut editor, "policy_version: 1\n│", &sections);
    assert_offers(&mut editor, "policy_version: 1\npo│", &["pools"]);
    assert_offers(&mut editor, &format!("{CHECK}│"), &["interval", "timeout", "rise", "fall"]);
    let pool = "policy_version: 1\npools:\n  web:\n    ";
    assert_offers(
        &mut editor,
        &format!("{pool}│"),
        &["virtual_services", "forwarding", "real_servers", "quorum"],
    );
    assert_offers(&mut editor, &format!("{pool}forwarding: │"), &["nat", "dr", "tun", "full-nat"]);
    let elsewhere = editor.completions(&format!("{pool}│"));
    assert!(!elsewhere.iter().any(|key| key == "vrid" || key == "pools"), "{elsewhere:?}");
}

#[test]
fn keys_are_explained() {
    let mut editor = Editor::start();
    let told = editor.hover(&format!("{CHECK}inter│val: 2s\n"));
    assert!(told.contains("From the start of one probe to the start of the next"), "{told}");
    let told = editor.hover("policy_version: 1\npo│ols: {}\n");
    assert!(told.to_lowercase().contains("pool"), "{told}");
}

#[test]
fn what_is_wrong_is_marked_where_it_stands() {
    let mut editor = Editor::start();
    let marked = editor.diagnostics(&format!("{CHECK}intervall: 2s\n"));
    assert!(marked.iter().any(|(line, words)| *line == 4 && words.contains("intervall")), "{marked:?}");
    let marked = editor.diagnostics(&format!("{CHECK}rise: often\n"));
    assert!(marked.iter().any(|(line, _)| *line == 4), "{marked:?}");
    assert_eq!(editor.diagnostics(&format!("{CHECK}interval: 2s\n")), []);
}

#[test]
fn good_policies_are_not_marked() {
    let mut editor = Editor::start();
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["conf", "tests/policy/good"].map(|folder| fs::read_dir(project.join(folder)).expect("policies"));
    let files = folders.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let policies: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    assert!(policies.len() > 10);
    for policy in policies {
        let text = fs::read_to_string(&policy).expect("a policy");
        assert_eq!(editor.diagnostics(&text), [], "{}", policy.display());
    }
}
