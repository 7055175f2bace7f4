//! `tandem import`: a policy of what another director is configured with, and what became of each line.

use super::ExitStatus;
use super::files::Disk;
use super::table::{Cell, Tint, cell, table};
use crate::import::{self, Counts, Format, Imported, Line, Source, Verdict};
use crate::policy::Colour;
use std::io::Write;
use std::path::PathBuf;

/// What `import` was asked for.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The file of the other director.
    pub file: PathBuf,
    /// What it is; `None`: recognised by its content.
    pub format: Option<Format>,
    /// The file of the machine beside it, and what its conditions compare with.
    pub peer: Option<(PathBuf, String)>,
    /// What the file's conditions compare with.
    pub config_id: String,
    /// Report the lines too that are the same.
    pub every_line: bool,
    /// Of the report.
    pub colour: Colour,
}

/// Imports a file: the policy on `out`, the report on `err`.
///
/// # Errors
/// A writer fails.
pub fn import(
    options: &ImportOptions,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let source = Source { path: options.file.clone(), config_id: options.config_id.clone() };
    let peer = options.peer.clone().map(|(path, config_id)| Source { path, config_id });
    let imported = match import::import(&source, options.format, peer.as_ref(), &Disk) {
        Ok(imported) => imported,
        Err(why) => {
            writeln!(err, "tandem: {why}")?;
            return Ok(ExitStatus::Failed);
        }
    };
    write!(out, "{}", imported.policy)?;
    write!(err, "{}", report(&imported, options))?;
    for warning in &imported.warnings {
        writeln!(err, "{warning}")?;
    }
    writeln!(err, "{}: {}", options.file.display(), summary(imported.counts()))?;
    Ok(ExitStatus::Done)
}

/// A table of lines; lines of included files say their file.
fn report(imported: &Imported, options: &ImportOptions) -> String {
    let shown = |line: &&Line| options.every_line || line.verdict != Verdict::Same;
    let rows: Vec<Vec<Cell>> = imported.lines.iter().filter(shown).map(|line| row(line, imported)).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(&["LINE", "VERDICT", "TEXT", "HOW IT DIFFERS"], &rows, options.colour)
}

/// Characters of a line's text in the report at most.
const WIDEST: usize = 60;

fn row(line: &Line, imported: &Imported) -> Vec<Cell> {
    let place = match (line.origin.file, imported.paths.get(line.origin.file)) {
        (file, Some(path)) if file > 0 => format!("{}:{}", path.display(), line.origin.line),
        _ => line.origin.line.to_string(),
    };
    let tint = match line.verdict {
        Verdict::Same => Tint::Good,
        Verdict::Near => Tint::Doubtful,
        Verdict::None => Tint::Bad,
    };
    let mut text: String = line.text.chars().take(WIDEST).collect();
    if line.text.chars().count() > WIDEST {
        text.push('…');
    }
    vec![
        cell(place, Tint::Plain),
        cell(line.verdict.word(), tint),
        cell(text, Tint::Plain),
        cell(&line.how, Tint::Plain),
    ]
}

/// `12 lines: 9 same, 2 near, 1 none: 91.6 % same or near`.
fn summary(counts: Counts) -> String {
    let Counts { same, near, none } = counts;
    let kept = counts.kept_per_mille();
    let lines = if counts.all() == 1 { "line" } else { "lines" };
    format!(
        "{} {lines}: {same} same, {near} near, {none} none: {}.{} % same or near",
        counts.all(),
        kept / 10,
        kept % 10
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, policy and report of a text in a file.
    fn imported(text: &[u8], every_line: bool) -> (ExitStatus, String, String) {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("keepalived.conf");
        std::fs::write(&file, text).expect("a file");
        let options = ImportOptions {
            file,
            format: None,
            peer: None,
            config_id: "lb-a".to_owned(),
            every_line,
            colour: Colour::Plain,
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = import(&options, &mut out, &mut err).expect("writing to memory works");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status, text(out), text(err).replace(&place.path().display().to_string(), ""))
    }

    const ROUTER: &[u8] = b"vrrp_instance A {\n  interface eth0\n  virtual_router_id 1\n  virtual_ipaddress { 10.0.0.1/24 }\n  notify /bin/x\n}\n";

    #[test]
    fn the_report_shows_what_differs_and_on_request_every_line() {
        let (status, policy, report) = imported(ROUTER, false);
        assert_eq!(status, ExitStatus::Done);
        assert!(policy.contains("vrid: 1") && !report.contains("virtual_router_id"), "{policy}{report}");
        assert!(
            report.ends_with("/keepalived.conf: 5 lines: 4 same, 1 near, 0 none: 100.0 % same or near\n"),
            "{report}"
        );
        assert!(imported(ROUTER, true).2.contains("3     same     virtual_router_id 1"));
    }

    #[test]
    fn a_file_that_cannot_be_understood_fails_and_says_why() {
        let failed = |text: &[u8]| {
            let (status, policy, report) = imported(text, false);
            assert_eq!((status, policy.as_str()), (ExitStatus::Failed, ""));
            report
        };
        assert!(failed(b"listen 80;\n").contains("neither a keepalived.conf, nor an ldirectord.cf"));
        assert!(
            failed(b"include /etc/nowhere\n$A=${A}x\nvrrp_instance ${A} {\n}\n")
                .contains("keepalived.conf:3: the macros expand")
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_read_as_far_as_they_can_be() {
        let (status, policy, _) = imported(&[b"# \xe4\n", ROUTER].concat(), false);
        assert!(status == ExitStatus::Done && policy.contains("vrid: 1"));
    }
}
