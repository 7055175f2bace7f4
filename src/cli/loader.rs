//! Reads the policy of a director (shell): its files, or a text that was kept.

use super::files::Disk;
use super::host_name;
use crate::director::loading::{Candidate, PolicyLoader, PolicyText, TextFile};
use crate::kernel;
use crate::policy::{self, Colour, Files, Fingerprint, Known, Loaded, MAX_FILE_BYTES, Severity, View};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The policy of one director.
#[derive(Debug)]
pub struct Loader {
    file: PathBuf,
    /// `None`: the director with this host's name.
    director: Option<String>,
    /// Of the problems that it shows.
    colour: Colour,
    /// What was read last: a reload reads what is new.
    known: Mutex<Known>,
}

impl Loader {
    /// Of a file, as the director of this name has it; `None`: the one with this host's name.
    #[must_use]
    pub fn new(file: PathBuf, director: Option<String>, colour: Colour) -> Self {
        Self { file, director, colour, known: Mutex::default() }
    }

    fn load(&self, file: &Path, files: &dyn Files) -> Result<Candidate, String> {
        let host = host_name();
        let view = self.director.as_deref().map_or(View::Host(&host), View::Director);
        // One that panicked has left what was known before.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut again) = known.again(file, files, view) {
            add_advice(&mut again.part);
            // Of pools that are as they were it was given when they were read.
            if again.part.diagnostics.is_empty() {
                return candidate(file, known.take(again), self.colour);
            }
        }
        let mut loaded = known.load(file, files, view);
        add_advice(&mut loaded);
        if !loaded.diagnostics.is_empty() {
            // All of it is given again the next time, as long as it stands.
            known.forget();
        }
        drop(known);
        candidate(file, loaded, self.colour)
    }
}

/// Advice is never in the way: a host that does not answer gives none.
fn add_advice(loaded: &mut Loaded) {
    let Some(policy) = &loaded.policy else { return };
    let asked = policy::addresses_of_interest(policy, &loaded.places);
    if let Ok(facts) = kernel::host_facts(&asked) {
        loaded.add_advice(&facts);
    }
}

impl PolicyLoader for Loader {
    fn read_files(&self) -> Result<Candidate, String> {
        self.load(&self.file, &Disk)
    }

    fn read_text(&self, text: &PolicyText) -> Result<Candidate, String> {
        let Some(first) = text.files.first() else { return Err("nothing was kept of it".to_owned()) };
        self.load(&first.path, &Kept::of(text))
    }

    fn differs(&self, text: &PolicyText) -> bool {
        let same = |file: &TextFile| {
            Disk.read(&file.path, MAX_FILE_BYTES + 1).is_ok_and(|bytes| bytes == file.text.as_bytes())
        };
        !text.files.iter().all(same)
    }

    fn fingerprint(&self, text: &PolicyText) -> Option<Fingerprint> {
        let of = |text: &PolicyText| policy::fingerprint(&text.files.first()?.path, &Kept::of(text));
        // The two directors may keep their files in different places. An include by its whole path holds on to it.
        of(&rooted(text)).or_else(|| of(text))
    }
}

fn candidate(file: &Path, loaded: Loaded, colour: Colour) -> Result<Candidate, String> {
    let shown = |diagnostic| policy::render(diagnostic, &loaded.sources, colour);
    match loaded.policy {
        Some(policy) => {
            let warnings = loaded.diagnostics.iter().filter(|found| found.severity() == Severity::Warning);
            let warnings = warnings.map(shown).collect();
            let kept =
                |file: &policy::SourceFile| TextFile { path: file.path.clone(), text: file.text.clone() };
            let text = PolicyText { files: loaded.sources.files().iter().map(kept).collect() };
            Ok(Candidate { policy, text, warnings })
        }
        None => {
            let problems: String = loaded.diagnostics.iter().map(shown).collect();
            Err(format!("{problems}{}: refused; nothing was changed\n", file.display()))
        }
    }
}

/// The files as they lie below the folder of the first.
fn rooted(text: &PolicyText) -> PolicyText {
    let folder = text.files.first().and_then(|file| file.path.parent()).unwrap_or(Path::new(""));
    let rooted = |file: &TextFile| {
        let path = file.path.strip_prefix(folder).unwrap_or(&file.path).to_owned();
        TextFile { path, text: file.text.clone() }
    };
    PolicyText { files: text.files.iter().map(rooted).collect() }
}

/// Files that were kept.
struct Kept<'a>(BTreeMap<&'a Path, &'a str>);

impl<'a> Kept<'a> {
    fn of(text: &'a PolicyText) -> Self {
        Self(text.files.iter().map(|file| (file.path.as_path(), &*file.text)).collect())
    }
}

impl Files for Kept<'_> {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, String> {
        let text = self.0.get(path).ok_or_else(|| "it was not kept".to_owned())?;
        Ok(text.bytes().take(limit).collect())
    }

    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        let pattern = pattern.to_str().ok_or_else(|| "the path is not UTF-8".to_owned())?;
        let pattern = glob::Pattern::new(pattern).map_err(|error| error.msg.to_owned())?;
        let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
        let matching = self.0.keys().filter(|path| pattern.matches_path_with(path, options));
        Ok(matching.map(|path| path.to_path_buf()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const MAIN: &str = "policy_version: 1\ninclude: [pools.d/*.yaml]\n";
    const POOL: &str = "pools: {web: {virtual_services: [tcp://192.0.2.1:80], forwarding: nat, check: none, \
                        real_servers: [192.0.2.10:80]}}\n";

    fn loader() -> (tempfile::TempDir, Loader) {
        let folder = tempfile::tempdir().expect("a folder");
        let main = folder.path().join("tandem.yaml");
        fs::create_dir(folder.path().join("pools.d")).expect("a folder");
        fs::write(&main, MAIN).expect("written");
        fs::write(folder.path().join("pools.d/web.yaml"), POOL).expect("written");
        (folder, Loader::new(main, None, Colour::Plain))
    }

    #[test]
    fn what_was_kept_is_the_policy_it_was_though_its_files_are_gone() {
        let (folder, loader) = loader();
        let read = loader.read_files().expect("a good policy");
        assert!(!loader.differs(&read.text));
        fs::remove_dir_all(folder.path().join("pools.d")).expect("removed");
        assert!(loader.differs(&read.text));
        let again = loader.read_text(&read.text).expect("it is kept whole");
        assert_eq!((again.policy, again.text), (read.policy, read.text));
    }

    #[test]
    fn the_fingerprint_of_a_policy_does_not_depend_on_where_its_files_lie() {
        let ((_one, here), (_other, there)) = (loader(), loader());
        let of = |loader: &Loader| {
            loader.fingerprint(&loader.read_files().expect("a good policy").text).expect("a fingerprint")
        };
        assert_eq!(of(&here), of(&there));
        let folder = there.file.parent().expect("a folder");
        fs::write(folder.join("pools.d/web.yaml"), POOL.replace("10:80", "11:80")).expect("written");
        assert_ne!(of(&here).meaning, of(&there).meaning);
    }

    #[test]
    fn files_that_are_read_again_are_what_a_new_reader_finds() {
        let (folder, loader) = loader();
        let held = "virtual_addresses: [{address: 192.0.2.1/32, interface: lo}]\n";
        fs::write(&loader.file, format!("{MAIN}{held}")).expect("written");
        let pools = folder.path().join("pools.d");
        let pool = |port: u16, weight: u32| {
            format!(
                "pools:\n  web:\n    virtual_services: [tcp://192.0.2.1:{port}]\n    forwarding: tun\n    check: none\n    \
                 real_servers: [{{address: 192.0.2.10, weight: {weight}}}]\n"
            )
        };
        for (file, text) in [
            ("web.yaml", pool(80, 1)),
            ("web.yaml", pool(80, 2)),
            ("other.yaml", pool(81, 1).replace("web", "other")),
            ("other.yaml", pool(81, 3).replace("web", "other")),
            ("other.yaml", pool(80, 3).replace("web", "other")),
            ("other.yaml", pool(82, 3).replace("web", "other")),
        ] {
            fs::write(pools.join(file), text).expect("written");
            let new = Loader::new(folder.path().join("tandem.yaml"), None, Colour::Plain);
            let outcome =
                |read: Result<Candidate, String>| read.map(|read| (read.policy, read.text, read.warnings));
            assert_eq!(outcome(loader.read_files()), outcome(new.read_files()));
        }
    }

    #[test]
    fn a_bad_policy_is_refused_with_every_problem() {
        let (folder, loader) = loader();
        fs::write(
            folder.path().join("pools.d/web.yaml"),
            POOL.replace("nat", "gnat").replace("tcp:", "tpc:"),
        )
        .expect("written");
        let problems = loader.read_files().expect_err("two problems");
        assert!(
            problems.contains("gnat")
                && problems.contains("tpc")
                && problems.ends_with("nothing was changed\n"),
            "{problems}"
        );
    }
}
