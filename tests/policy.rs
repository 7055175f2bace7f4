//! Policies from files: those of `conf/` and `tests/policy/good` are taken, and each of `tests/policy/bad` gets exactly the
//! text beside it. `TANDEM_REWRITE_EXPECTED=1 cargo test --test policy` writes those texts anew: read the difference.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tandem::cli::files::Disk;
use tandem::policy::{self, Code, Colour, Loaded};

/// Files of a folder that end in `.yaml`, sorted.
fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} holds no policies");
    files
}

fn shown(loaded: &Loaded) -> String {
    loaded.diagnostics.iter().map(|found| policy::render(found, &loaded.sources, Colour::Plain)).collect()
}

#[test]
fn good_policies_are_taken_without_a_word() {
    for file in [yaml_files("conf"), yaml_files("tests/policy/good")].concat() {
        let loaded = policy::load(&file, &Disk);
        assert!(
            loaded.policy.is_some() && loaded.diagnostics.is_empty(),
            "{}:\n{}",
            file.display(),
            shown(&loaded)
        );
    }
}

#[test]
fn bad_policies_get_the_text_beside_them() {
    let rewrite = std::env::var_os("TANDEM_REWRITE_EXPECTED").is_some();
    let mut differing = Vec::new();
    for file in yaml_files("tests/policy/bad") {
        let text = shown(&policy::load(&file, &Disk));
        let expected = file.with_extension("stderr");
        if rewrite {
            fs::write(&expected, &text).expect("the expected text can be written");
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        if text != wanted {
            differing.push(format!("{}: expected\n{wanted}but got\n{text}", file.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn a_resolved_policy_is_the_same_policy() {
    for file in [yaml_files("conf"), yaml_files("tests/policy/good")].concat() {
        let first = policy::load(&file, &Disk).policy.expect("a good policy");
        let written = policy::resolved(&first);
        let again = policy::load(Path::new("resolved.yaml"), &OneFile(&written));
        assert!(
            again.policy.as_ref() == Some(&first),
            "{}:\n{written}\n{}\n{first:#?}\n{:#?}",
            file.display(),
            shown(&again),
            again.policy
        );
        assert_eq!(policy::resolved(&first), written);
    }
}

/// A file system of one file.
struct OneFile<'a>(&'a str);

impl policy::Files for OneFile<'_> {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, String> {
        if path == Path::new("resolved.yaml") {
            Ok(self.0.bytes().take(limit).collect())
        } else {
            Err("no such file".to_owned())
        }
    }

    fn glob(&self, _pattern: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
}

#[test]
fn every_code_has_a_fixture() {
    let found = yaml_files("tests/policy/bad")
        .into_iter()
        .flat_map(|file| policy::load(&file, &Disk).diagnostics)
        .map(|found| found.code);
    let found: BTreeSet<Code> = found.collect();
    let missing: Vec<&str> =
        Code::ALL.iter().filter(|code| !found.contains(code)).map(|code| code.name()).collect();
    assert!(missing.is_empty(), "no fixture shows {}", missing.join(", "));
}
