//! Files that were cut off, have lost a line or say nonsense in one: what an importer meets in practice.

use super::fixtures;
use std::fs;
use std::path::{Path, PathBuf};
use tandem::import::{Source, Verdict};
use tandem::policy::{self, Colour, Files, Severity, View};

/// One text under one name.
struct Memory<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Files for Memory<'_> {
    fn read(&self, path: &Path, _: usize) -> Result<Vec<u8>, String> {
        if path == self.path { Ok(self.text.as_bytes().to_vec()) } else { Err("no such file".to_owned()) }
    }

    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(if pattern == self.path { vec![self.path.to_owned()] } else { Vec::new() })
    }
}

/// What is wrong with the policy that comes of a text; a text that cannot be imported has none.
fn trouble(path: &Path, text: &str) -> Option<String> {
    let source = Source { path: path.to_owned(), config_id: "lb-a".to_owned() };
    let imported = tandem::import::import(&source, None, None, &Memory { path, text }).ok()?;
    let files = Memory { path: Path::new("tandem.yaml"), text: &imported.policy };
    let loaded = policy::load_for_all(files.path, &files, View::First);
    let errors = loaded.diagnostics.iter().filter(|found| found.severity() == Severity::Error);
    let shown: String = errors.map(|found| policy::render(found, &loaded.sources, Colour::Plain)).collect();
    (!shown.is_empty()).then(|| format!("{}\n{text}\n{shown}", path.display()))
}

/// Values that mean nothing where they stand.
const WRONG: [&str; 9] = ["x", "0", "-1", "99999999999999999999", "\"", "{", "}", "::", "1.2.3.4"];
/// Every so many lines one is damaged, in each of the ways; TANDEM_IMPORT_STEP=1 damages each.
const STEP: usize = 7;

#[test]
fn whatever_is_imported_of_a_damaged_file_is_an_acceptable_policy() {
    let step = std::env::var("TANDEM_IMPORT_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(STEP);
    let mut troubles = Vec::new();
    for file in fixtures() {
        let text = fs::read_to_string(&file).expect("a fixture");
        let lines: Vec<&str> = text.lines().collect();
        for number in (1..lines.len()).step_by(step) {
            let (before, behind) = (&lines[..number], &lines[number + 1..]);
            let wrong = WRONG[number % WRONG.len()];
            let last = lines[number].trim_end().rsplit_once(' ').map_or("", |(before, _)| before);
            let said = format!("{last} {wrong}");
            let damaged = [
                before.join("\n"),
                [before, behind].concat().join("\n"),
                [before, &[&said], behind].concat().join("\n"),
            ];
            let found = damaged.iter().find_map(|text| trouble(&file, text));
            troubles.extend(found.map(|trouble| format!("{}: {trouble}", number + 1)));
        }
    }
    assert!(troubles.is_empty(), "{} of them:\n{}", troubles.len(), troubles.join("\n"));
}

/// A keyword whose number cannot be read must not seem taken.
#[test]
fn a_number_that_is_none_is_never_the_same() {
    let mut silent = Vec::new();
    for file in fixtures().into_iter().filter(|file| file.extension().is_some_and(|end| end == "conf")) {
        let text = fs::read_to_string(&file).expect("a fixture");
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [keyword, number] = words.as_slice() else { continue };
            if number.parse::<f64>().is_err()
                || keyword.starts_with(['#', '!', '@', '$', '~'])
                || keyword.contains('.')
            {
                continue;
            }
            let said = format!("{keyword} y");
            let damaged = [&lines[..index], &[&said], &lines[index + 1..]].concat().join("\n");
            let source = Source { path: file.clone(), config_id: "lb-a".to_owned() };
            let Ok(imported) =
                tandem::import::import(&source, None, None, &Memory { path: &file, text: &damaged })
            else {
                continue;
            };
            let of_line = imported.lines.iter().find(|of| of.origin.file == 0 && of.origin.line == index + 1);
            if of_line.is_some_and(|of| of.verdict == Verdict::Same && of.how.is_empty()) {
                silent.push(format!("{}:{}: {said}", file.display(), index + 1));
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}
