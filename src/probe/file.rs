//! The file probe: a file on this host whose words say how a server is.
//!
//! The path is read as the director, links are followed, and nobody is asked who owns it: whoever can write the file is meant
//! to decide for the server. What the file holds beside the known words is never shown, so that a link to another file gives
//! nothing away. Only a regular file is read, [`MOST_BYTES`] at most, and on a thread that may wait.

use super::advice::{self, AS_CONFIGURED, WORDS};
use super::failure;
use super::progress::Progress;
use crate::model::{Failure, FileSpec, Findings, Missing, Phase};
use nix::fcntl::OFlag;
use std::fs::{File as SystemFile, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Bytes of a file, at most: some words are enough.
const MOST_BYTES: u64 = 4096;
/// Files that are read at the same time, at most: a file system that hangs must not take every thread.
const MOST_READS: usize = 32;

static READS: Semaphore = Semaphore::const_new(MOST_READS);

/// Reads the file that `spec` names.
pub(super) async fn run(spec: &FileSpec, progress: &Progress) -> Result<Findings, Failure> {
    progress.enter(Phase::File);
    let place = READS.acquire().await;
    let path = spec.path.clone();
    let read = spawn_blocking(move || {
        let _place = place;
        read(&path)
    });
    match read.await.map_err(|_| Failure::Panicked)? {
        Ok(Some(text)) => {
            let who = || format!("the file {}", spec.path.display());
            advice::found(who, &text)
                .unwrap_or_else(|| Err(cannot(spec, &format!("it says none of {WORDS}"))))
        }
        Ok(None) => match spec.missing {
            Missing::Up => Ok(advice::findings(AS_CONFIGURED)),
            Missing::Down => Err(Failure::SaidDown(format!("the missing file {}", spec.path.display()))),
        },
        Err(error) => Err(cannot(spec, &failure::without_number(&error.to_string()))),
    }
}

fn cannot(spec: &FileSpec, why: &str) -> Failure {
    Failure::Local(format!("{}: {why}", spec.path.display()))
}

/// The text of a file; `None` where there is none.
fn read(path: &Path) -> io::Result<Option<String>> {
    // Not blocking: a named pipe would wait for a writer.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        opened => opened?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    text_of(file).map(Some)
}

fn text_of(file: SystemFile) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("it is larger than {MOST_BYTES} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not text"))?;
    Ok(text.replace(['\n', '\r'], " "))
}
