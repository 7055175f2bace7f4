//! Programs that are run, of checks and of hooks: without a shell, in `/`, in a process group of their own, which is killed
//! whole before its leader is reaped, however the run ends; until then the group's number cannot become another's.
//!
//! What they write is read to the end, so that they never wait for us, and its last [`KEPT_BYTES`] are kept.

use super::cell::Cell;
use super::{failure, secure_path};
use crate::kernel::sys::enters;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Gid, Pid, Uid, User, geteuid};
use std::io::{self, PipeWriter, pipe};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::task::{coop::consume_budget, spawn_blocking};
use tokio::time::timeout;

/// Bytes of a program's output that are kept: the last ones.
pub(super) const KEPT_BYTES: usize = 4096;
/// Characters of its last line that are told.
const LONGEST_LINE: usize = 200;
/// Reads that find what an ended program left in its pipe: a pipe holds 64 KiB.
const LAST_READS: usize = 17;
/// Where a program that is named without a folder is found by another program.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A user and a group that a program runs as.
pub(crate) type Identity = (Uid, Gid);

/// A program to be started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Whom to become; `None`: nobody else.
    pub(crate) user: Option<Identity>,
    /// Beside PATH and LANG.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Running {
    group: Group,
    output: Receiver,
    ended: Signals,
}

impl Launch {
    /// Starts it; `input` is its standard input. Starting waits until the program is in place: on a thread that may wait.
    ///
    /// # Errors
    /// Why it cannot be started, in words.
    pub(crate) async fn start(self, input: Stdio) -> Result<Running, String> {
        // Before the program is started, so that its end cannot be missed.
        let ended = signal(SignalKind::child()).map_err(|error| words("cannot wait for programs", &error))?;
        let (reader, writer) = pipe().map_err(|error| words("no pipe", &error))?;
        let output =
            Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(|error| words("no pipe", &error))?;
        // When nobody waits any more, the group is dropped, and by that killed.
        let started = spawn_blocking(move || self.spawn(input, writer)).await;
        let group = started.map_err(|error| error.to_string())??;
        Ok(Running { group, output, ended })
    }

    /// Runs it without input to its end. Where that is dropped before, the program is killed with all that it started.
    ///
    /// # Errors
    /// Why it cannot be started or did not end well, in words.
    pub(crate) async fn run(self) -> Result<(), String> {
        self.start(Stdio::null()).await?.succeeded().await
    }

    fn spawn(&self, input: Stdio, output: PipeWriter) -> Result<Group, String> {
        let path = secure_path::program(&self.path, geteuid().is_root())?;
        let cannot = |error: &io::Error| {
            let words = failure::without_number(&error.to_string());
            let user = self.user.map_or_else(String::new, |(uid, _)| format!(" as user {uid}"));
            format!("{} cannot be started{user}: {words}", self.path.display())
        };
        let errors = output.try_clone().map_err(|error| cannot(&error))?;
        let mut command = Command::new(path);
        command.arg0(&self.path).args(&self.arguments).current_dir("/").process_group(0);
        command.stdin(input).stdout(output).stderr(errors);
        command.env_clear().env("PATH", SEARCH_PATH).env("LANG", "C");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some((user, group)) = self.user {
            // The supplementary groups go with the user: the standard library clears them.
            command.gid(group.as_raw()).uid(user.as_raw());
        }
        let cell = Cell::new().map_err(|error| cannot(&error))?.map(|(cell, door)| {
            enters(command.as_std_mut(), door.into());
            cell
        });
        let child = command.spawn().map_err(|error| cannot(&error))?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Group { id: Pid::from_raw(id.ok_or("a program without a process")?), _cell: cell, _leader: child })
    }
}

impl Running {
    /// Waits until it has ended well.
    ///
    /// # Errors
    /// How it ended otherwise, and the last line that it wrote.
    pub(crate) async fn succeeded(self) -> Result<(), String> {
        let (status, tail) = self.end().await?;
        match (fault(status), tail.last_line()) {
            (None, _) => Ok(()),
            (Some(how), Some(line)) => {
                Err(format!("{how}: {}", line.chars().take(LONGEST_LINE).collect::<String>()))
            }
            (Some(how), None) => Err(how),
        }
    }

    /// Waits for its end: how it ended, and the end of what it wrote. To be dropped where that takes too long.
    ///
    /// # Errors
    /// When it cannot be waited for, in words.
    pub(crate) async fn end(self) -> Result<(WaitStatus, Tail), String> {
        let Self { group, mut output, mut ended } = self;
        let (mut tail, mut buffer, mut open) = (Tail::default(), [0; KEPT_BYTES], true);
        loop {
            // A program that writes without end must not keep the time-out from being noticed.
            consume_budget().await;
            tokio::select! {
                read = output.read(&mut buffer), if open => match read {
                    Ok(length @ 1..) => tail.push(&buffer[..length]),
                    Ok(0) | Err(_) => open = false,
                },
                _ = ended.recv() => if let Some(status) = group.ended()? {
                    drop(group);
                    tail.push_rest(&output);
                    return Ok((status, tail));
                },
            }
        }
    }
}

fn words(what: &str, error: &io::Error) -> String {
    format!("{what}: {}", failure::without_number(&error.to_string()))
}

/// Whom a program runs as that shall be this user; `None`: whom we are.
///
/// # Errors
/// Why it cannot be, in words.
pub(crate) fn identity(name: &str) -> Result<Option<Identity>, String> {
    match User::from_name(name) {
        Ok(Some(user)) if geteuid().is_root() => Ok(Some((user.uid, user.gid))),
        Ok(Some(user)) if user.uid == geteuid() => Ok(None),
        Ok(Some(_)) => Err("only root can become another user; leave `user` out".to_owned()),
        Ok(None) => Err("no such user; name another in `user`".to_owned()),
        Err(errno) => Err(errno.desc().to_owned()),
    }
}

/// A running program and everything that it started: as long as they stay in its process group, or, where it has a control
/// group, whatever they do.
#[derive(Debug)]
struct Group {
    id: Pid,
    _cell: Option<Cell>,
    /// Reaped when it is dropped, or by the runtime soon after: not before [`Group::drop`] has run.
    _leader: Child,
}

impl Group {
    /// How the leader ended, without reaping it; `None` while it runs.
    fn ended(&self) -> Result<Option<WaitStatus>, String> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        match waitid(Id::Pid(self.id), flags) {
            Ok(WaitStatus::StillAlive) => Ok(None),
            Ok(status) => Ok(Some(status)),
            Err(errno) => Err(words("cannot wait for a program", &errno.into())),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        match killpg(self.id, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => tracing::warn!(
                group = self.id.as_raw(),
                "cannot kill the processes of a program: {}; the director needs CAP_KILL",
                errno.desc()
            ),
        }
    }
}

/// What comes of a run within its time. One that takes longer is dropped, and the program killed by that.
///
/// # Errors
/// Those of the run, or that it was not done, in words.
pub(crate) async fn within(
    time: Duration,
    run: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    timeout(time, run).await.unwrap_or_else(|_| Err(format!("not done after {time:?}; it was killed")))
}

/// How a program ended that did not end well, in words; `None`: it did.
pub(crate) fn fault(status: WaitStatus) -> Option<String> {
    match status {
        WaitStatus::Exited(_, 0) => None,
        WaitStatus::Exited(_, code) => Some(format!("ended with {code}")),
        WaitStatus::Signaled(_, signal, _) => Some(format!("was killed by {signal}")),
        other => Some(format!("ended strangely ({other:?})")),
    }
}

/// The end of a program's output.
#[derive(Debug, Default)]
pub(crate) struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, piece: &[u8]) {
        self.0.extend(piece);
        let surplus = self.0.len().saturating_sub(KEPT_BYTES);
        self.0.drain(..surplus);
    }

    /// What an ended program left in its pipe. One that left its group may hold the pipe open: the end is not awaited.
    fn push_rest(&mut self, output: &Receiver) {
        let mut buffer = [0; KEPT_BYTES];
        for _ in 0..LAST_READS {
            // Past the runtime, which would not try before it has heard of the output.
            match nix::unistd::read(output, &mut buffer) {
                Ok(length @ 1..) => self.push(&buffer[..length]),
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// The last line that is not blank.
    pub(crate) fn last_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.0);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }
}
