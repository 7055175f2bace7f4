//! The exec probe: a program, run without a shell, whose exit code 0 is success.
//!
//! It runs in `/`, in a process group of its own, as an unprivileged user where the director is root, with nothing on its
//! standard input and an environment of [`SEARCH_PATH`], `LANG` and the target: TANDEM_CHECK, TANDEM_ADDRESS, TANDEM_PORT
//! (the last two where there are such). What it writes is read to the end, so that it never waits for us, and its last
//! [`KEPT_BYTES`] are kept. Whenever the probe ends, by itself or by its time-out, the whole group is killed before its
//! leader is reaped: until then the group's number cannot become another's.
//!
//! Where the policy says so, the exit code or the last line tells the weight too.
//!
//! What it deliberately does not do: a shell, a hunt for a process that leaves its group (`setsid`): that one is the program's
//! own affair.

use super::advice::{self, AS_CONFIGURED, WORDS};
use super::progress::Progress;
use super::secure_path;
use super::socket::local;
use super::{PrepareError, failure};
use crate::model::{Advice, CheckName, ExecSpec, ExecWeight, Failure, Findings, Phase};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Gid, Pid, Uid, User, geteuid};
use std::io::{self, PipeWriter, pipe};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::{coop::consume_budget, spawn_blocking};

/// Bytes of a program's output that are kept: the last ones.
pub(super) const KEPT_BYTES: usize = 4096;
/// Programs that run at the same time, at most: a process costs more than a socket.
const MOST_PROGRAMS: usize = 256;
/// Reads that find what an ended program left in its pipe: a pipe holds 64 KiB.
const LAST_READS: usize = 17;
/// Where a program that is named without a folder is found by another program.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The user that programs of a director that is root run as.
const UNPRIVILEGED: &str = "nobody";

static PROGRAMS: Semaphore = Semaphore::const_new(MOST_PROGRAMS);

/// A program made ready.
#[derive(Clone, Debug)]
pub(super) struct Program {
    check: CheckName,
    path: PathBuf,
    arguments: Vec<String>,
    /// Whom to become; `None`: nobody else.
    user: Option<(Uid, Gid)>,
    /// How long a free place among [`MOST_PROGRAMS`] is waited for.
    patience: Duration,
    weight: Option<ExecWeight>,
}

impl Program {
    pub(super) fn new(check: &CheckName, spec: &ExecSpec, timeout: Duration) -> Result<Self, PrepareError> {
        let mut words = spec.command.iter();
        Ok(Self {
            check: check.clone(),
            path: words.next().map(PathBuf::from).unwrap_or_default(),
            arguments: words.cloned().collect(),
            user: user(check, spec.user.as_deref())?,
            patience: timeout / 2,
            weight: spec.weight,
        })
    }

    /// Runs the program for `target` until it ends.
    pub(super) async fn run(&self, target: SocketAddr, progress: &Progress) -> Result<Findings, Failure> {
        let free = tokio::time::timeout(self.patience, PROGRAMS.acquire()).await;
        let Ok(Ok(_place)) = free else {
            return Err(Failure::Local(format!("{MOST_PROGRAMS} programs of checks run already")));
        };
        // Before the program is started, so that its end cannot be missed.
        let mut ended =
            signal(SignalKind::child()).map_err(|error| local("cannot wait for programs", &error))?;
        progress.enter(Phase::Program);
        let (group, mut output) = self.start(target).await?;
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
                    return judge(status, &tail, self.weight);
                },
            }
        }
    }

    /// Starting waits until the program is in place: on a thread that may wait.
    async fn start(&self, target: SocketAddr) -> Result<(Group, Receiver), Failure> {
        let program = self.clone();
        let (reader, writer) = pipe().map_err(|error| local("no pipe", &error))?;
        let output =
            Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(|error| local("no pipe", &error))?;
        // When nobody waits any more, the group is dropped, and by that killed.
        let started = spawn_blocking(move || program.spawn(target, writer)).await;
        let group = started.map_err(|_| Failure::Panicked)?.map_err(Failure::Local)?;
        Ok((group, output))
    }

    fn spawn(&self, target: SocketAddr, output: PipeWriter) -> Result<Group, String> {
        let path = secure_path::program(&self.path, geteuid().is_root())?;
        let cannot = |error: &io::Error| {
            let words = failure::without_number(&error.to_string());
            let user = self.user.map_or_else(String::new, |(uid, _)| format!(" as user {uid}"));
            format!("{} cannot be started{user}: {words}", self.path.display())
        };
        let errors = output.try_clone().map_err(|error| cannot(&error))?;
        let mut command = Command::new(path);
        command.arg0(&self.path).args(&self.arguments).current_dir("/").process_group(0);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        command.env_clear().env("PATH", SEARCH_PATH).env("LANG", "C").envs(self.told(target));
        if let Some((user, group)) = self.user {
            // The supplementary groups go with the user: the standard library clears them.
            command.gid(group.as_raw()).uid(user.as_raw());
        }
        let child = command.spawn().map_err(|error| cannot(&error))?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Group { id: Pid::from_raw(id.ok_or("a program without a process")?), _leader: child })
    }

    /// What the environment says of the target.
    fn told(&self, target: SocketAddr) -> Vec<(&'static str, String)> {
        let mut told = vec![("TANDEM_CHECK", self.check.to_string())];
        if !target.ip().is_unspecified() {
            told.push(("TANDEM_ADDRESS", target.ip().to_string()));
        }
        if target.port() != 0 {
            told.push(("TANDEM_PORT", target.port().to_string()));
        }
        told
    }
}

/// Whom a program runs as.
fn user(check: &CheckName, said: Option<&str>) -> Result<Option<(Uid, Gid)>, PrepareError> {
    let is_root = geteuid().is_root();
    let Some(name) = said.or(is_root.then_some(UNPRIVILEGED)) else { return Ok(None) };
    let refused =
        |detail: String| PrepareError::User { check: check.to_string(), user: name.to_owned(), detail };
    match User::from_name(name) {
        Ok(Some(user)) if is_root => Ok(Some((user.uid, user.gid))),
        Ok(Some(user)) if user.uid == geteuid() => Ok(None),
        Ok(Some(_)) => Err(refused("only root can become another user; leave `user` out".to_owned())),
        Ok(None) => Err(refused("no such user; name another in `user`".to_owned())),
        Err(errno) => Err(refused(errno.desc().to_owned())),
    }
}

/// A running program and everything that it started, as long as they stay in its process group.
#[derive(Debug)]
struct Group {
    id: Pid,
    /// Reaped when it is dropped, or by the runtime soon after: not before [`Group::drop`] has run.
    _leader: Child,
}

impl Group {
    /// How the leader ended, without reaping it; `None` while it runs.
    fn ended(&self) -> Result<Option<WaitStatus>, Failure> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        match waitid(Id::Pid(self.id), flags) {
            Ok(WaitStatus::StillAlive) => Ok(None),
            Ok(status) => Ok(Some(status)),
            Err(errno) => Err(local("cannot wait for a program", &errno.into())),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        match killpg(self.id, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => tracing::warn!(
                group = self.id.as_raw(),
                "cannot kill the processes of a check's program: {}; the director needs CAP_KILL",
                errno.desc()
            ),
        }
    }
}

fn judge(status: WaitStatus, tail: &Tail, weight: Option<ExecWeight>) -> Result<Findings, Failure> {
    let how = match (status, weight) {
        (WaitStatus::Exited(_, 0), Some(ExecWeight::Printed)) => return printed(tail),
        (WaitStatus::Exited(_, 0), Some(ExecWeight::ExitCode)) => return Ok(advice::findings(AS_CONFIGURED)),
        (WaitStatus::Exited(_, 0), None) => return Ok(Findings::default()),
        (WaitStatus::Exited(_, code @ 2..), Some(ExecWeight::ExitCode)) => return Ok(by_code(code)),
        (WaitStatus::Exited(_, code), _) => format!("ended with {code}"),
        (WaitStatus::Signaled(_, signal, _), _) => format!("was killed by {signal}"),
        (other, _) => format!("ended strangely ({other:?})"),
    };
    Err(Failure::Program(match tail.last_line() {
        Some(line) => failure::bounded(format!("{how}: {line}")),
        None => how,
    }))
}

/// The share that an exit code from 2 on says.
fn by_code(code: i32) -> Findings {
    advice::findings(Advice { weight_percent: u16::try_from(code - 2).ok(), state: None })
}

/// What a program that ended well has printed. A line that means nothing leaves the verdict as it is.
fn printed(tail: &Tail) -> Result<Findings, Failure> {
    let line = tail.last_line().unwrap_or_default();
    advice::found(|| "the program".to_owned(), &line).unwrap_or_else(|| {
        Err(Failure::Local(failure::bounded(format!("the program printed {line:?}, none of {WORDS}"))))
    })
}

/// The end of a program's output.
#[derive(Debug, Default)]
struct Tail(Vec<u8>);

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
    fn last_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.0);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }
}
