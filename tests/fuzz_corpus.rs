//! The corpora of `tests/fuzz`, run once more without a fuzzer: what did harm once, or reaches far, does none now.

#![allow(unreachable_pub, reason = "the modules of a test have no other reader")]

#[path = "fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use targets::TARGETS;

/// An input is of some kilobytes at most, and this machine may be busy.
const LONGEST: Duration = Duration::from_secs(20);

/// The names and folders of `tests/fuzz/targets.txt`.
fn listed() -> Vec<(String, Vec<PathBuf>)> {
    let list = fs::read_to_string("tests/fuzz/targets.txt").expect("the list of targets");
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let target = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let own = Path::new("tests/fuzz/corpus").join(words[0]);
        (words[0].to_owned(), std::iter::once(own).chain(words[3..].iter().map(PathBuf::from)).collect())
    };
    lines.map(target).collect()
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    // A target whose seeds stand elsewhere may have no folder of its own.
    let entries = fs::read_dir(path).into_iter().flatten();
    let mut files: Vec<PathBuf> =
        entries.flat_map(|entry| files_below(&entry.expect("an entry").path())).collect();
    files.sort();
    files
}

#[expect(clippy::disallowed_methods, reason = "it is measured whether an input holds the program up")]
fn harm(run: targets::Target, file: &Path) -> Option<String> {
    let input = fs::read(file).expect("an input");
    let started = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| run(&input)));
    let late = started.elapsed() > LONGEST;
    (ended.is_err() || late).then(|| format!("{}{}", file.display(), if late { ": too slow" } else { "" }))
}

#[test]
fn every_target_is_listed() {
    let names: Vec<String> = listed().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
}

#[test]
fn no_input_of_a_corpus_does_harm() {
    let mut harmful = Vec::new();
    for ((name, run), (_, folders)) in TARGETS.into_iter().zip(listed()) {
        let files: Vec<PathBuf> = folders.iter().flat_map(|folder| files_below(folder)).collect();
        assert!(files.len() > 4, "{name}: {} inputs", files.len());
        harmful.extend(files.iter().filter_map(|file| harm(run, file)).map(|what| format!("{name}: {what}")));
    }
    assert!(harmful.is_empty(), "{}", harmful.join("\n"));
}
