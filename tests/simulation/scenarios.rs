//! Scenarios: scripted worlds, each with the story that it tells. `tests/scenarios/*.txt` has the script above a line of
//! dashes, and below it what an operator would see: what is done to the directors, roles with their reasons, addresses. The
//! same invariants hold as in every drawn world. `UPDATE=1` writes the stories anew.
//!
//! A seed that found something is kept by its script: `SEED=7` prints it, and a comment above says what it is about.

use crate::random::Random;
use crate::script;
use crate::world::World;
use std::fs;
use std::path::{Path, PathBuf};

const DASHES: &str = "\n----\n";

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// The story of a script.
fn story(text: &str) -> Result<String, String> {
    let script = script::read(text)?;
    let random = script.jitter.map_or_else(Random::even, Random::new);
    let mut world = World::new(&script.drawn, random, true);
    world.run().map_err(|broken| format!("{broken}\n{}", world.transcript.join("\n")))?;
    Ok(world.story.join("\n") + "\n")
}

#[test]
fn every_scenario_tells_its_story() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for file in files() {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let (script, expected) = text.split_once(DASHES).unwrap_or((text.trim_end(), ""));
        let told = story(script).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if update {
            let text = format!("{script}{DASHES}{told}");
            fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        } else if told != expected {
            wrong.push(format!("{} tells another story:\n{told}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
