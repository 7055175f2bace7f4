//! What other directors are configured with, to a Tandem policy: keepalived.conf, ldirectord.cf, `ipvsadm -Sn`.
//!
//! ```text
//! text ─▶ reader of its format ─▶ Site (the common form) ─▶ settled, paired ─▶ YAML with comments
//!               └── a verdict for every line: same, near (how it differs), none (why) ──┘
//! ```
//!
//! Pure: included files come through [`Files`]. An import is written once and then read by people: nothing here is part of a
//! running director, and the policy's own reader judges what comes out. Nothing is left out silently. Facts of the formats are
//! from keepalived.conf(5) of version 2.4, ldirectord(8) and ipvsadm(8).

mod checks;
mod ipvsadm;
mod keepalived;
mod ldirectord;
mod names;
mod notices;
mod pair;
mod settle;
mod site;
mod verdict;
mod write;
mod yaml;

pub use verdict::{Counts, Line, Origin, Verdict};

use crate::policy::Files;
use site::Site;
use std::path::PathBuf;
use verdict::Ledger;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// keepalived.conf.
    Keepalived,
    /// ldirectord.cf.
    Ldirectord,
    /// What `ipvsadm --save --numeric` prints.
    Ipvsadm,
}

/// A file to import, and the machine that it is for.
#[derive(Clone, Debug)]
pub struct Source {
    pub path: PathBuf,
    /// What keepalived's conditions (`@id`) compare with.
    pub config_id: String,
}

/// What came of an import.
#[derive(Debug)]
pub struct Imported {
    /// The policy, as YAML with comments.
    pub policy: String,
    /// Every line that says something.
    pub lines: Vec<Line>,
    /// The files, by the numbers in [`Line::origin`].
    pub paths: Vec<PathBuf>,
    /// What two directors' files say differently.
    pub warnings: Vec<String>,
}

impl Imported {
    /// How many lines have which verdict.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lines.iter().fold(Counts::default(), |mut counts, line| {
            match line.verdict {
                Verdict::Same => counts.same += 1,
                Verdict::Near => counts.near += 1,
                Verdict::None => counts.none += 1,
            }
            counts
        })
    }
}

/// Imports a file; `peer` is the other director's of the same format.
///
/// # Errors
/// A file cannot be read, is none of the formats, says nothing, or expands beyond all bounds: one sentence says which.
pub fn import(
    source: &Source,
    format: Option<Format>,
    peer: Option<&Source>,
    files: &dyn Files,
) -> Result<Imported, String> {
    let text = text_of(source, files)?;
    let unknown = || {
        format!(
            "{}: neither a keepalived.conf, nor an ldirectord.cf, nor what `ipvsadm -Sn` prints: say --format",
            source.path.display()
        )
    };
    let format = format.or_else(|| recognised(&text)).ok_or_else(unknown)?;
    let mut ledger = Ledger::default();
    let mut site = read(source, &text, format, files, &mut ledger)?;
    let other = peer.map(|peer| other(peer, format, files)).transpose()?;
    settle::settle(&mut site, &mut ledger);
    let pair = pair::pair(&mut site, other.as_ref(), &mut ledger);
    let notices = notices::notices(&site, &pair, &mut ledger);
    let lines = ledger.report(counting(format));
    if lines.is_empty() {
        return Err(format!("{}: the file says nothing", source.path.display()));
    }
    let name = source.path.file_name().unwrap_or_default().to_string_lossy();
    let mut policy = write::policy(&site, other.as_ref(), &pair, &notices, &ledger, &name);
    policy.push_str(&write::left_out(&lines, &ledger));
    Ok(Imported { policy, lines, paths: ledger.paths(), warnings: pair.warnings })
}

/// The other director's file. Its lines are not reported: those of the first are.
fn other(peer: &Source, format: Format, files: &dyn Files) -> Result<Site, String> {
    let mut ledger = Ledger::default();
    let mut site = read(peer, &text_of(peer, files)?, format, files, &mut ledger)?;
    settle::settle(&mut site, &mut ledger);
    Ok(site)
}

fn text_of(source: &Source, files: &dyn Files) -> Result<String, String> {
    keepalived::read_file(files, &source.path).map_err(|why| format!("{}: {why}", source.path.display()))
}

fn read(
    source: &Source,
    text: &str,
    format: Format,
    files: &dyn Files,
    ledger: &mut Ledger,
) -> Result<Site, String> {
    match format {
        Format::Keepalived => keepalived::read(&source.path, text, files, &source.config_id, ledger),
        Format::Ldirectord => Ok(ldirectord::read(&source.path, text, ledger)),
        Format::Ipvsadm => Ok(ipvsadm::read(&source.path, text, ledger)),
    }
}

fn counting(format: Format) -> fn(&str) -> bool {
    match format {
        Format::Keepalived => keepalived::counts,
        Format::Ldirectord => ldirectord::counts,
        Format::Ipvsadm => ipvsadm::counts,
    }
}

/// The format of a text, by what only one of them has.
#[must_use]
pub fn recognised(text: &str) -> Option<Format> {
    let lines =
        || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
    if lines().any(|line| line.starts_with("-A ") || line.starts_with("--add-service")) {
        return Some(Format::Ipvsadm);
    }
    let is_ldirectord =
        |line: &str| line.split_once('=').is_some_and(|(name, _)| ldirectord::is_keyword(name.trim()));
    if !text.contains('{') && lines().any(is_ldirectord) {
        return Some(Format::Ldirectord);
    }
    let known =
        |line: &str| line.split_whitespace().next().is_some_and(|word| keepalived::anywhere(word).is_some());
    (text.contains('{') && lines().any(known) || lines().any(|line| line.starts_with("include")))
        .then_some(Format::Keepalived)
}

/// The best verdict that a keyword of keepalived.conf has in any block; `None`: keepalived has no such keyword.
#[must_use]
pub fn keepalived_keyword(name: &str) -> Option<Verdict> {
    keepalived::anywhere(name)
}
