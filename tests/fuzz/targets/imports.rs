//! Files of other directors: what is imported is a policy that is accepted, and every line has its verdict.

use super::files::Parts;
use std::path::{Path, PathBuf};
use tandem::import::{Format, Imported, Source, import};
use tandem::policy::{self, Colour, Files, Severity, View};

const FIRST: &str = "first.conf";

pub fn run(data: &[u8]) {
    let files = Parts::of(FIRST, data);
    let source = |name: &str, id: &str| Source { path: PathBuf::from(name), config_id: id.to_owned() };
    let (own, peer) = (source(FIRST, "lb-a"), source("part1", "lb-b"));
    let peer = (files.len() > 1).then_some(&peer);
    match import(&own, None, peer, &files) {
        Ok(imported) => is_acceptable(&imported),
        Err(why) => {
            assert!(!why.is_empty(), "refused without a word");
            for format in [Format::Keepalived, Format::Ldirectord, Format::Ipvsadm] {
                import(&own, Some(format), peer, &files).iter().for_each(is_acceptable);
            }
        }
    }
}

fn is_acceptable(imported: &Imported) {
    let name = Path::new("tandem.yaml");
    let loaded = policy::load_for_all(name, &Written(&imported.policy), View::First);
    let errors = loaded.diagnostics.iter().filter(|found| found.severity() == Severity::Error);
    let shown: String = errors.map(|found| policy::render(found, &loaded.sources, Colour::Plain)).collect();
    assert!(shown.is_empty(), "{shown}\n{}", imported.policy);
    for line in &imported.lines {
        assert!(line.origin.file < imported.paths.len(), "a line of no file: {line:?}");
    }
}

/// The policy that was written, and nothing to include.
struct Written<'a>(&'a str);

impl Files for Written<'_> {
    fn read(&self, _: &Path, _: usize) -> Result<Vec<u8>, String> {
        Ok(self.0.as_bytes().to_vec())
    }

    fn glob(&self, _: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
}
