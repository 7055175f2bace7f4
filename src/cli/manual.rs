//! `tandem man`: the manual pages, made from the declaration of the arguments and from the one of the policy.
//!
//! One page for each command in section 8, and tandem.yaml(5), which is [`super::manual_policy`]'s.

use super::arguments::Arguments;
use super::{ExitStatus, manual_policy};
use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// The section of programs for the system's administrator.
const SECTION: &str = "8";

/// Of this version: pages say one, and the same version always makes the same pages.
const DATE: &str = "2026-11-30";

/// A manual page under the name of its file.
struct Page {
    name: String,
    text: Vec<u8>,
}

/// Prints one page on `out`.
///
/// # Errors
/// There is no such page, or the writer fails.
pub(super) fn print(name: &str, out: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    let pages = pages()?;
    let names = || pages.iter().map(|page| page.name.as_str()).collect::<Vec<_>>().join(", ");
    let page = pages.iter().find(|page| page.name == name);
    let page = page.with_context(|| format!("there is no page {name}; there are {}", names()))?;
    out.write_all(&page.text)?;
    Ok(ExitStatus::Done)
}

/// Writes every page into `directory`.
///
/// # Errors
/// The folder or a file cannot be made.
pub(super) fn write(directory: &Path, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let pages = pages()?;
    for page in &pages {
        let file = directory.join(&page.name);
        fs::write(&file, &page.text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    writeln!(err, "{} pages written to {}", pages.len(), directory.display())?;
    Ok(ExitStatus::Done)
}

fn pages() -> io::Result<Vec<Page>> {
    let mut command = Arguments::command();
    // Gives the commands their full names: `tandem run`.
    command.build();
    let mut pages = vec![page(&command, &see_also(&command))?];
    for subcommand in command.get_subcommands() {
        pages.push(page(subcommand, &["tandem(8)".to_owned(), "tandem.yaml(5)".to_owned()])?);
    }
    let policy = manual_policy::page(&crate::policy::json_schema());
    pages.push(Page { name: "tandem.yaml.5".to_owned(), text: in_ascii(&policy) });
    Ok(pages)
}

/// The page of one command.
fn page(command: &Command, see_also: &[String]) -> io::Result<Page> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = Man::new(command.clone());
    let mut text = heading(&name, SECTION).into_bytes();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    text.extend_from_slice(closing(see_also).as_bytes());
    let text = without_empty_lines(&String::from_utf8_lossy(&text));
    Ok(Page { name: format!("{name}.{SECTION}"), text: in_ascii(&text) })
}

/// The first line of a page.
pub(super) fn heading(name: &str, section: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(".TH \"{name}\" \"{section}\" \"{DATE}\" \"tandem {version}\" \"Tandem\"\n")
}

/// Empty lines between line breaks, which mandoc complains of, as what they mean.
fn without_empty_lines(text: &str) -> String {
    text.replace("\n.br\n\n.br\n", "\n.sp\n")
}

/// What each page ends with.
fn closing(see_also: &[String]) -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in STATUSES {
        roff.control("TP", ["4"]).text([bold(status)]).text([roman(meaning)]);
    }
    roff.control("SH", ["FILES"]);
    for (file, meaning) in FILES {
        roff.control("TP", None).text([bold(file)]).text([roman(meaning)]);
    }
    roff.control("SH", ["SEE ALSO"]).text([roman(see_also.join(", "))]);
    roff.to_roff()
}

/// The contract of [`ExitStatus`].
const STATUSES: [(&str, &str); 7] = [
    ("0", "Done. Of check: the policy would start; of plan: nothing would change."),
    ("1", "Failed, the policy is invalid, or a finding is to be looked at."),
    ("2", "Wrong usage."),
    ("3", "plan found changes."),
    ("4", "drain --wait: the deadline came with connections left."),
    ("5", "No director answers."),
    (
        "6",
        "Refused by a guard: nobody would take over, a reload or an order would take too much away, no policy waits to be confirmed or is there to go back to; a drain that was waited for was taken back. status --check has the statuses of a monitoring plug-in instead: 0 OK, 1 warning, 2 critical (also: no director answers), 3 unknown.",
    ),
];

const FILES: [(&str, &str); 2] = [
    ("/etc/tandem/tandem.yaml", "The policy."),
    ("/var/lib/tandem", "What a director must know after a restart."),
];

fn see_also(command: &Command) -> Vec<String> {
    let pages =
        command.get_subcommands().map(|subcommand| format!("tandem-{}({SECTION})", subcommand.get_name()));
    pages.chain(["tandem.yaml(5)", "ipvsadm(8)", "nft(8)"].map(str::to_owned)).collect()
}

/// Every other letter than ASCII by its number, which groff and mandoc read whatever the encoding of the reader's terminal.
fn in_ascii(text: &str) -> Vec<u8> {
    let letter = |letter: char| match letter {
        letter if letter.is_ascii() => letter.to_string(),
        other => format!("\\[u{:04X}]", u32::from(other)),
    };
    text.chars().map(letter).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command as Program, Stdio};

    fn rendered(page: &Page) -> String {
        let mut groff = Program::new("groff");
        groff.args(["-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=200n"]);
        groff.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = groff.spawn().expect("groff: tests/lab/run prepare installs it");
        child.stdin.take().expect("a pipe").write_all(&page.text).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && complaints.is_empty(), "{}: {complaints}", page.name);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    #[test]
    fn groff_reads_every_page_without_a_warning() {
        let pages = pages().expect("pages");
        assert_eq!(pages.len(), Arguments::command().get_subcommands().count() + 2);
        for page in &pages {
            let text = rendered(page);
            assert!(text.contains("NAME"), "{}: {text}", page.name);
        }
    }

    #[test]
    fn a_page_says_the_options_of_its_command() {
        let pages = pages().expect("pages");
        let run = pages.iter().find(|page| page.name == "tandem-run.8").expect("the page");
        let text = rendered(run);
        for word in ["tandem run", "--config <FILE>", "[default: /etc/tandem/tandem.yaml]", "tandem.yaml(5)"]
        {
            assert!(text.contains(word), "{word} in {text}");
        }
        assert!(text.contains('…'), "a letter beyond ASCII arrives: {text}");
    }

    #[test]
    fn every_page_is_written_into_a_folder() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("man");
        write(&folder, &mut Vec::new()).expect("written");
        for name in ["tandem.8", "tandem-run.8", "tandem-real-server.8", "tandem.yaml.5"] {
            assert!(folder.join(name).is_file(), "{name}");
        }
        let error = print("tandem.1", &mut Vec::new()).expect_err("no such page").to_string();
        assert!(error.starts_with("there is no page tandem.1; there are tandem.8, tandem-run.8,"), "{error}");
    }
}
