//! A program that plays a director: started, ended politely or not, and started again with the same configuration. What is
//! particular to a program stands in the file of its name.

use super::setting::Setting;
use super::{NAMES, Stage, frr, keepalived, tandem};
use crate::world::installed::{self, Edition};
use crate::world::process::Process;
use crate::world::wait::until_true;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// keepalived waits for its children for 5 s at most.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Lines of a log that are shown after a failure.
const LOG_LINES: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Tandem,
    Keepalived,
    Frr,
}

impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Tandem => "Tandem",
            Self::Keepalived => "keepalived",
            Self::Frr => "FRR",
        })
    }
}

/// A director of the pair, with the program that plays it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) program: Program,
    pub(crate) director: usize,
    folder: PathBuf,
    /// The one that speaks VRRP is the last; empty while it is down.
    processes: Vec<Process>,
    /// The process that goes on in the place of the one that was started; Tandem only.
    successor: Option<Pid>,
}

impl Member {
    /// Writes the configuration and starts the program. `more` is added to it as it is.
    pub(crate) fn start(
        stage: &Stage,
        program: Program,
        director: usize,
        setting: &Setting,
        more: &str,
    ) -> Self {
        let folder = folder_of(stage, program, director);
        fs::create_dir_all(&folder).expect("a folder for the program");
        match program {
            Program::Tandem => tandem::prepare(&folder, setting, more),
            Program::Keepalived => keepalived::prepare(&folder, director, setting, more),
            Program::Frr => frr::prepare(stage, &folder, director, setting),
        }
        let mut member = Self { program, director, folder, processes: Vec::new(), successor: None };
        member.start_again(stage);
        member
    }

    /// Starts it with the configuration that it had.
    pub(crate) fn start_again(&mut self, stage: &Stage) {
        self.wait_until_ended();
        self.processes = match self.program {
            Program::Tandem => vec![tandem::spawn(stage, &self.folder, self.director)],
            Program::Keepalived => vec![keepalived::spawn(stage, &self.folder, self.director)],
            Program::Frr => frr::spawn(stage, &self.folder, self.director),
        };
    }

    /// Puts another program in the place of its own, before its first start or while it runs; Tandem only.
    #[track_caller]
    pub(crate) fn install(stage: &Stage, director: usize, edition: Edition) {
        installed::install(&folder_of(stage, Program::Tandem, director), edition);
    }

    /// Has another process of the same program go on in its place; Tandem only. How long that took.
    #[track_caller]
    pub(crate) fn take_over(&mut self, stage: &Stage) -> Duration {
        let begun = std::time::Instant::now();
        let program = installed::program(&self.folder);
        let output = tandem::asked_by(&program, stage, self.director, self.pid(), &["takeover"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}: {said}", output.status);
        let took = begun.elapsed();
        let number = said.split_once("process ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
        let before = self.successor.replace(Pid::from_raw(number.expect("the number of the process")));
        match before {
            None => drop(self.processes.pop().expect("it runs").wait_until_ended(STOP_LIMIT)),
            Some(before) => until_true("the end of the process before", STOP_LIMIT, || !is_there(before)),
        }
        took
    }

    /// What a subcommand that is refused says, and its exit status; Tandem only.
    #[track_caller]
    pub(crate) fn refused(&self, stage: &Stage, arguments: &[&str]) -> (Option<i32>, String) {
        let output = tandem::asked(stage, self.director, self.pid(), arguments);
        assert!(!output.status.success(), "{arguments:?}");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Starts a process of the same program beside it, with these further arguments; Tandem only.
    pub(crate) fn start_beside(&self, stage: &Stage, more: &[&str]) -> Process {
        tandem::spawn_beside(stage, &self.folder, (self.director, self.pid()), more)
    }

    /// SIGTERM to the program that speaks VRRP. Does not wait.
    pub(crate) fn terminate(&self) {
        if let Some(successor) = self.successor {
            kill(successor, Signal::SIGTERM).expect("it runs");
            return;
        }
        self.processes.last().expect("it runs").signal(Signal::SIGTERM);
    }

    /// Whether the program that speaks VRRP has ended, after [`Self::terminate`].
    pub(crate) fn has_ended(&self) -> bool {
        !is_there(Pid::from_raw(self.pid().cast_signed()))
    }

    /// SIGKILL to all of it at once: neither a parent nor a child gets the time to do anything.
    pub(crate) fn kill(&self) {
        for process in &self.processes {
            process.signal(Signal::SIGSTOP);
        }
        for process in &self.processes {
            for child in children(process.pid()) {
                // It fails only if the child has just ended.
                let _ = kill(child, Signal::SIGKILL);
            }
            process.signal(Signal::SIGKILL);
        }
    }

    /// Stops it where it stands, or lets it go on (SIGSTOP, SIGCONT).
    pub(crate) fn freeze(&self, frozen: bool) {
        for process in &self.processes {
            let signal = if frozen { Signal::SIGSTOP } else { Signal::SIGCONT };
            children(process.pid()).into_iter().for_each(|child| {
                let _ = kill(child, signal);
            });
            process.signal(signal);
        }
    }

    /// After `terminate` or `kill`; what goes with the program (zebra) is ended too.
    pub(crate) fn wait_until_ended(&mut self) {
        if let Some(successor) = self.successor.take() {
            until_true("its end", STOP_LIMIT, || !is_there(successor));
        }
        if let Some(mut main) = self.processes.pop() {
            main.wait_until_ended(STOP_LIMIT);
        }
        self.processes.clear();
    }

    /// Whether it runs, as far as is known.
    pub(crate) fn is_running(&mut self) -> bool {
        !self.processes.is_empty() && self.processes.iter_mut().all(|process| process.ended().is_none())
    }

    /// Hands mastership over and stays Backup; Tandem only.
    pub(crate) fn release(&self, stage: &Stage) {
        tandem::command(stage, self.director, self.pid(), &["release", tandem::ROUTER, "--for", "10m"]);
    }

    /// Ends a release; Tandem only.
    pub(crate) fn clear_release(&self, stage: &Stage) {
        tandem::command(stage, self.director, self.pid(), &["clear"]);
    }

    /// `tandem status`, which must succeed; Tandem only.
    #[track_caller]
    pub(crate) fn status(&self, stage: &Stage) {
        tandem::command(stage, self.director, self.pid(), &["status"]);
    }

    /// What a subcommand of Tandem says; Tandem only.
    #[track_caller]
    pub(crate) fn said(&self, stage: &Stage, arguments: &[&str]) -> String {
        tandem::command(stage, self.director, self.pid(), arguments)
    }

    /// The same; `None` while it does not answer, which it does a moment after its start.
    pub(crate) fn tries_to_say(&self, stage: &Stage, arguments: &[&str]) -> Option<String> {
        let output = tandem::asked(stage, self.director, self.pid(), arguments);
        output.status.success().then(|| String::from_utf8(output.stdout).expect("text"))
    }

    /// Writes `to` instead of `from` into the policy, and has it taken over; Tandem only.
    #[track_caller]
    pub(crate) fn reload(&self, stage: &Stage, from: &str, to: &str) {
        tandem::edit(&self.folder, from, to);
        tandem::command(stage, self.director, self.pid(), &["reload"]);
    }

    /// A subcommand as a shell on the director's own machine runs it; Tandem only.
    pub(crate) fn command_line(&self, arguments: &[&str]) -> String {
        tandem::command_line(self.pid(), arguments)
    }

    /// What `tandem events` prints with these arguments; Tandem only.
    #[track_caller]
    pub(crate) fn events(&self, stage: &Stage, arguments: &[&str]) -> String {
        let arguments: Vec<&str> = ["events"].iter().chain(arguments).copied().collect();
        tandem::command(stage, self.director, self.pid(), &arguments)
    }

    pub(crate) fn pid(&self) -> u32 {
        if let Some(successor) = self.successor {
            return successor.as_raw().unsigned_abs();
        }
        self.processes.last().expect("it runs").pid()
    }
}

/// After a failure the end of each log is printed, and all of it kept with the lab's results.
impl Drop for Member {
    fn drop(&mut self) {
        if let Some(successor) = self.successor {
            // It fails only if it has ended.
            let _ = kill(successor, Signal::SIGKILL);
        }
        if !std::thread::panicking() {
            return;
        }
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "log") {
                continue;
            }
            let log = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
            let name = format!("{}-{}", self.program, NAMES[self.director]);
            println!("--- the end of {} of {name}:\n{end}\n---", path.display());
            if let Ok(results) = std::env::var("TANDEM_LAB_OUT") {
                let case = std::thread::current().name().unwrap_or("case").replace("::", "-");
                let file = format!("{case}-{name}-{}", entry.file_name().display());
                let _ = fs::write(PathBuf::from(results).join(file), log);
            }
        }
    }
}

fn folder_of(stage: &Stage, program: Program, director: usize) -> PathBuf {
    stage.folder().join(format!("{program}-{}", NAMES[director]))
}

/// Whether a process runs: one that has ended and was not waited for does not.
fn is_there(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The children of a process: proc(5).
fn children(parent: u32) -> Vec<Pid> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|word| word.parse().ok()).map(Pid::from_raw).collect()
}
