//! The exec probe: a program, run without a shell, whose exit code 0 is success.
//!
//! It runs in `/`, in a process group of its own, as an unprivileged user where the director is root, with nothing on its
//! standard input and an environment of `PATH`, `LANG` and the target: TANDEM_CHECK, TANDEM_ADDRESS, TANDEM_PORT
//! (the last two where there are such). How it is run, and that its whole group is killed whenever the probe ends, is
//! [`super::program`]'s.
//!
//! Where the policy says so, the exit code or the last line tells the weight too.
//!
//! What it deliberately does not do: a shell, a hunt for a process that leaves its group (`setsid`): that one is the program's
//! own affair.

use super::advice::{self, AS_CONFIGURED, WORDS};
use super::program::{self, Identity, Launch, Tail};
use super::progress::Progress;
use super::{PrepareError, failure};
use crate::model::{Advice, CheckName, ExecSpec, ExecWeight, Failure, Findings, Phase};
use nix::sys::wait::WaitStatus;
use nix::unistd::geteuid;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Programs that run at the same time, at most: a process costs more than a socket.
const MOST_PROGRAMS: usize = 256;
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
    user: Option<Identity>,
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
        progress.enter(Phase::Program);
        let launch = Launch {
            path: self.path.clone(),
            arguments: self.arguments.clone(),
            user: self.user,
            environment: self.told(target),
        };
        let running = launch.start(Stdio::null()).await.map_err(Failure::Local)?;
        let (status, tail) = running.end().await.map_err(Failure::Local)?;
        judge(status, &tail, self.weight)
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
fn user(check: &CheckName, said: Option<&str>) -> Result<Option<Identity>, PrepareError> {
    let Some(name) = said.or(geteuid().is_root().then_some(UNPRIVILEGED)) else { return Ok(None) };
    program::identity(name).map_err(|detail| PrepareError::User {
        check: check.to_string(),
        user: name.to_owned(),
        detail,
    })
}

fn judge(status: WaitStatus, tail: &Tail, weight: Option<ExecWeight>) -> Result<Findings, Failure> {
    match (status, weight) {
        (WaitStatus::Exited(_, 0), Some(ExecWeight::Printed)) => return printed(tail),
        (WaitStatus::Exited(_, 0), Some(ExecWeight::ExitCode)) => return Ok(advice::findings(AS_CONFIGURED)),
        (WaitStatus::Exited(_, code @ 2..), Some(ExecWeight::ExitCode)) => return Ok(by_code(code)),
        _ => {}
    }
    let Some(how) = program::fault(status) else { return Ok(Findings::default()) };
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
