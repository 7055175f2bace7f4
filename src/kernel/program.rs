//! Runs another program to its end: no shell, a cleared environment, bounded time and output.

use super::KernelError;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// Where programs are looked for, in this order: never along a `PATH` that somebody else has set.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/usr/local/sbin"];
/// How long a program may take: 10,000 elements took nft 1.5 s where user code runs 15 times slower than on metal.
const RUN_TIMEOUT: Duration = Duration::from_secs(30);
/// What it may print; the listing of 10,000 elements has 2 MB.
const STDOUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
const STDERR_BYTES_MAX: u64 = 16 * 1024;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Finds a program; `package` is what to install where it is missing.
///
/// # Errors
/// When it is in none of the folders.
pub(crate) fn find(name: &str, package: &str) -> Result<PathBuf, KernelError> {
    let candidates = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let folders = FOLDERS.join(", ");
        KernelError::new(format!(
            "the program {name} is missing (looked in {folders}): install the package {package}"
        ))
    })
}

/// Whether a program is in one of the folders.
pub(crate) fn has_program(name: &str) -> bool {
    find(name, name).is_ok()
}

/// Runs it with `input`; killed when its time is up or it prints too much.
///
/// # Errors
/// When it could not be started or did not come to its end. That it failed is no error here.
pub(crate) fn run(program: &Path, arguments: &[&str], input: &[u8]) -> Result<Ended, KernelError> {
    let what = format!("run {} {}", program.display(), arguments.join(" "));
    let failed = |error: io::Error| KernelError::from_io(&format!("cannot {what}"), &error);
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("LC_ALL", "C").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(failed)?;
        match timeout(RUN_TIMEOUT, converse(child, input)).await {
            Ok(ended) => ended.map_err(failed),
            Err(_elapsed) => Err(KernelError {
                errno: Some(libc::ETIMEDOUT),
                message: format!(
                    "cannot {what}: it did not end within {} s and was killed",
                    RUN_TIMEOUT.as_secs()
                ),
            }),
        }
    })
}

async fn converse(mut child: Child, input: &[u8]) -> io::Result<Ended> {
    let stdin = child.stdin.take();
    let writing = async {
        if let Some(mut stdin) = stdin {
            // A program that fails early closes its input: what it says on stderr is the better error.
            let _ = stdin.write_all(input).await;
        }
    };
    let stdout = read_bounded(child.stdout.take(), STDOUT_BYTES_MAX);
    let stderr = read_bounded(child.stderr.take(), STDERR_BYTES_MAX);
    let ((), stdout, stderr) = tokio::join!(writing, stdout, stderr);
    let (stdout, stderr) = (stdout?, String::from_utf8_lossy(&stderr?).into_owned());
    Ok(Ended { success: child.wait().await?.success(), stdout, stderr })
}

async fn read_bounded(pipe: Option<impl AsyncRead + Unpin>, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let mut bounded = pipe.take(bytes_max + 1);
        bounded.read_to_end(&mut bytes).await?;
        if bounded.limit() == 0 {
            return Err(io::Error::other(format!("it printed more than {bytes_max} bytes")));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gets_its_input_and_nothing_of_our_environment() {
        let shell = find("sh", "dash").expect("a shell");
        let ended = run(&shell, &["-c", "cat; env | grep -c CARGO; exit 3"], b"text ").expect("it runs");
        assert_eq!((ended.success, ended.stdout.as_slice()), (false, b"text 0\n".as_slice()));
    }

    #[test]
    fn a_missing_program_names_its_package() {
        let error = find("no-such-program", "some-package").expect_err("missing");
        assert!(error.message.ends_with("install the package some-package"), "{error}");
    }
}
