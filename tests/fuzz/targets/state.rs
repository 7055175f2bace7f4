//! Files of the state directory as a crash, a full disk or a person may leave them: each is read, or set aside with a
//! sentence, and what was read can be written again.

use std::fs;
use std::path::{Path, PathBuf};
use tandem::control::OverrideRecord;
use tandem::director::chronicle::Book;
use tandem::director::history::History;
use tandem::director::override_file;
use tandem::director::state_directory::StateDirectory;
use tandem::model::Override;
use tandem::reconcile::Epoch;

thread_local! {
    static FOLDER: Folder = Folder::new();
}

/// A state directory of this thread; it goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("tandem-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("policies")).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The first byte says which file the others are.
pub fn run(data: &[u8]) {
    let Some((choice, content)) = data.split_first() else { return };
    FOLDER.with(|Folder(folder)| {
        let with = |name: &str, read: fn(&Path, &[u8])| {
            fs::write(folder.join(name), content).expect("a file");
            read(folder, content);
            fs::remove_file(folder.join(name)).expect("it stays where it is");
        };
        match choice % 4 {
            0 => with("ownership.json", ownership),
            1 => with("overrides.json", overrides),
            2 => with("policies/1.json", history),
            _ => with("events.jsonl", events),
        }
    });
}

fn ownership(folder: &Path, _: &[u8]) {
    let state = StateDirectory::peek(folder);
    let epoch = Epoch { boot_id: "boot".into(), namespace: "net:[1]".into() };
    let mut warnings = Vec::new();
    let found = state.load(&epoch, &mut |warning| warnings.push(warning));
    assert_eq!(found.epoch, epoch, "what is of another epoch does not count");
    let mut record = serde_json::to_value(&found).expect("JSON");
    record["version"] = 1.into();
    fs::write(folder.join("ownership.json"), record.to_string()).expect("a file");
    let again = state.load(&epoch, &mut |warning| panic!("{warning}"));
    assert_eq!(again, found, "{record}");
}

fn overrides(folder: &Path, content: &[u8]) {
    let mut warnings = Vec::new();
    let orders = override_file::read(folder, &mut |warning| warnings.push(warning));
    for given in &orders.overrides {
        assert_eq!(Override::try_from(OverrideRecord::from(given)).as_ref(), Ok(given));
    }
    let nothing = orders == override_file::Orders::default();
    let said = serde_json::from_slice::<serde_json::Value>(content).is_ok();
    assert!(!nothing || said || !warnings.is_empty(), "left out without a word");
}

fn history(folder: &Path, _: &[u8]) {
    let mut warnings = 0;
    let history = History::open(folder, &mut |_| warnings += 1);
    assert_eq!(history.newest().is_some(), warnings == 0, "read, or told");
    let next = history.next_generation();
    assert!(history.newest().is_none_or(|entry| entry.generation < next));
    let _ = (history.last_good(), history.before(next), history.told(next));
}

fn events(folder: &Path, _: &[u8]) {
    let mut warnings = Vec::new();
    let _ = Book::open(folder, &mut |warning| warnings.push(warning));
}
