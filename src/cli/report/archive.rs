//! The parts of a report as one compressed archive (shell: writes).

use super::redact::redact;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use tar::{Builder, Header};

/// Bytes of one part; a longer one is cut, and says so.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Readable by its owner alone: what is in it is nobody else's concern.
pub(super) const MODE: u32 = 0o600;

/// One file of the report.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Or why there is none.
    pub(super) text: Result<String, String>,
}

/// Writes all that is there below `folder`, with `listing` as its first file.
///
/// # Errors
/// The writer fails.
pub(super) fn write(
    out: &mut dyn Write,
    folder: &str,
    unix_s: u64,
    listing: &str,
    parts: &[Part],
) -> io::Result<()> {
    let mut archive = Builder::new(GzEncoder::new(out, Compression::default()));
    add(&mut archive, folder, unix_s, "README.txt", listing)?;
    for part in parts {
        if let Ok(text) = &part.text {
            add(&mut archive, folder, unix_s, part.name, &bounded(&redact(text)))?;
        }
    }
    archive.into_inner()?.finish()?.flush()
}

fn add<W: Write>(
    archive: &mut Builder<W>,
    folder: &str,
    unix_s: u64,
    name: &str,
    text: &str,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(MODE);
    header.set_mtime(unix_s);
    archive.append_data(&mut header, format!("{folder}/{name}"), text.as_bytes())
}

fn bounded(text: &str) -> String {
    let mut end = text.len().min(MOST_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    match text.len() - end {
        0 => text.to_owned(),
        cut => format!("{}\n(cut here: {cut} more bytes)\n", &text[..end]),
    }
}

/// What is in the report and what is not, for people.
pub(super) fn listing(folder: &str, parts: &[Part]) -> String {
    let mut text = format!(
        "{folder}: a report on a Tandem director, for whoever helps with it.\n\n\
         Secrets are left out: a policy names them, and what looks like one elsewhere was taken out. Names of hosts and \
         their addresses are in it: read it before you give it away.\n\n"
    );
    for Part { name, about, text: found } in parts {
        let line = match found {
            Ok(found) => format!("{name}: {about} ({} bytes)\n", found.len()),
            Err(why) => format!("{name}: MISSING, {about}: {}\n", redact(why.trim_end())),
        };
        text.push_str(&line);
    }
    text + "\nThe log is not in it. Where systemd keeps it: journalctl -u tandem --since -2h\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::collections::BTreeMap;
    use std::io::Read as _;
    use tar::Archive;

    #[test]
    fn what_is_there_comes_back_and_what_failed_is_named() {
        let parts = [
            Part { name: "a.txt", about: "one", text: Ok("password: hunter2\n".to_owned()) },
            Part { name: "b/c.json", about: "two", text: Err("nobody answers".to_owned()) },
            Part { name: "long.txt", about: "three", text: Ok("é".repeat(MOST_BYTES)) },
        ];
        let mut bytes = Vec::new();
        let listing = listing("report", &parts);
        write(&mut bytes, "report", 7, &listing, &parts).expect("written");
        let mut files = BTreeMap::new();
        for entry in Archive::new(GzDecoder::new(&bytes[..])).entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a name").display().to_string();
            assert_eq!(entry.header().mode().expect("a mode"), MODE);
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            files.insert(name, text);
        }
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["report/README.txt", "report/a.txt", "report/long.txt"]);
        assert_eq!(files["report/a.txt"], "password: (left out)\n");
        assert!(files["report/long.txt"].len() < MOST_BYTES + 100);
        assert!(files["report/README.txt"].contains("b/c.json: MISSING, two: nobody answers"));
    }
}
