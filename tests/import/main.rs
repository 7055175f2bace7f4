//! Imports of whole files. Beside each file of `tests/import` stand the policy and the report that come of it; `TANDEM_REWRITE_EXPECTED=1
//! cargo test --test import` writes them anew: read the difference. A file beside it with `.peer` in its name is the other
//! director's.

mod damage;
#[path = "../policy/golden.rs"]
mod golden;
mod model;
mod table;

use golden::compare;
use std::fs;
use std::path::{Path, PathBuf};
use tandem::cli::ExitStatus;
use tandem::cli::files::Disk;
use tandem::cli::import::{ImportOptions, import};
use tandem::import::{Counts, Source, keepalived_keyword};
use tandem::model::Policy;
use tandem::policy::{self, Colour, Severity, View};

const FOLDER: &str = "tests/import";

/// Every file that is imported, sorted.
fn fixtures() -> Vec<PathBuf> {
    let entries = fs::read_dir(FOLDER).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let is_source = |path: &PathBuf| {
        let name = path.to_string_lossy();
        let end = path.extension().is_some_and(|end| end == "conf" || end == "cf" || end == "save");
        end && !name.contains(".peer.")
    };
    files.retain(is_source);
    files.sort();
    files
}

fn peer_of(file: &Path) -> Option<PathBuf> {
    let peer = file.with_extension("peer.conf");
    peer.exists().then_some(peer)
}

/// The policy and the report of a file.
fn imported(file: &Path) -> (String, String) {
    let options = ImportOptions {
        file: file.to_owned(),
        format: None,
        peer: peer_of(file).map(|path| (path, "lb-b".to_owned())),
        config_id: "lb-a".to_owned(),
        every_line: true,
        colour: Colour::Plain,
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = import(&options, &mut out, &mut err).expect("writing to memory works");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (policy, report) = (text(out), text(err));
    assert_eq!(status, ExitStatus::Done, "{}: {report}", file.display());
    (policy, report)
}

#[test]
fn each_file_becomes_the_policy_and_the_report_beside_it() {
    let differing: Vec<String> = fixtures()
        .iter()
        .flat_map(|file| {
            let (policy, report) = imported(file);
            let policy = compare(&policy, &file.with_extension("yaml"));
            [policy, compare(&report, &file.with_extension("report"))]
        })
        .flatten()
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// The written policy as the first director reads it.
fn loaded(file: &Path) -> Policy {
    let policy = file.with_extension("yaml");
    let loaded = policy::load_for_all(&policy, &Disk, View::First);
    let errors: String = loaded
        .diagnostics
        .iter()
        .filter(|found| found.severity() == Severity::Error)
        .map(|found| policy::render(found, &loaded.sources, Colour::Plain))
        .collect();
    assert!(errors.is_empty(), "{errors}");
    loaded.policy.unwrap_or_else(|| panic!("{}: no policy", policy.display()))
}

#[test]
fn each_written_policy_is_accepted() {
    fixtures().iter().for_each(|file| drop(loaded(file)));
}

#[test]
fn at_least_95_per_cent_of_all_lines_are_the_same_or_near() {
    let files = fixtures();
    let mut all = Counts::default();
    for file in &files {
        let source = Source { path: file.clone(), config_id: "lb-a".to_owned() };
        let counts = tandem::import::import(&source, None, None, &Disk).expect("an import").counts();
        all = Counts {
            same: all.same + counts.same,
            near: all.near + counts.near,
            none: all.none + counts.none,
        };
    }
    assert!(files.len() >= 30, "{} files", files.len());
    assert!(all.kept_per_mille() >= 950, "{} files, {} lines: {all:?}", files.len(), all.all());
}

#[test]
fn every_keyword_of_the_manual_has_a_verdict() {
    let list = fs::read_to_string("tests/import/keywords.txt").expect("the list of keywords");
    let names: Vec<&str> = list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(names.len() > 300, "{} names", names.len());
    let missing: Vec<&&str> = names.iter().filter(|name| keepalived_keyword(name).is_none()).collect();
    assert!(missing.is_empty(), "without a verdict: {missing:?}");
}
