//! What honest people see meanwhile: the control socket, the scrapes of another address, and the director's own figures.

use crate::judged;
use crate::metric::Lateness;
use crate::site::{Pair, metrics};
use crate::stage::{OTHER, PREFERRED};
use crate::usage::{self, Time};
use crate::world::wait::until;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(100);
/// After a flood the metrics are asked for until they come.
const LIMIT: Duration = Duration::from_secs(60);
const TRANSITIONS: &str = "tandem_server_transitions_total{";

/// How long each question took, and what was not answered.
#[derive(Debug, Default)]
struct Answers {
    took: Vec<Duration>,
    failed: Vec<String>,
}

impl Answers {
    /// Asks once a second until it is over.
    fn collect(over: &AtomicBool, ask: impl Fn() -> Result<(), String>) -> Self {
        let mut answers = Self::default();
        while !over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            match ask() {
                Ok(()) => answers.took.push(begun.elapsed()),
                Err(error) => answers.failed.push(format!("{error} after {:.1?}", begun.elapsed())),
            }
            std::thread::sleep(EVERY.saturating_sub(begun.elapsed()));
        }
        answers.took.sort();
        answers
    }

    /// Prints what came of it; whether a promise held, where one was given.
    fn are_whole(&self, name: &str, promised: bool) -> bool {
        let median = self.took.get(self.took.len() / 2).copied().unwrap_or_default();
        let worst = self.took.last().copied().unwrap_or_default();
        let first = self.failed.first().map(|error| format!(", first: {error}")).unwrap_or_default();
        let words = format!(
            "{name}: {} answered, in {median:.1?} (median) to {worst:.1?}; {} failed{first}",
            self.took.len(),
            self.failed.len()
        );
        if !promised {
            println!("  {words}");
            return true;
        }
        judged(self.failed.is_empty() && !self.took.is_empty(), &words)
    }
}

/// What was asked during a phase.
#[derive(Debug)]
pub(crate) struct Watched {
    status: Answers,
    scrapes: Answers,
}

impl Watched {
    pub(crate) fn until_ended(pair: &Pair<'_>, mut ended: impl FnMut() -> bool) -> Self {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let status = scope.spawn(|| Answers::collect(&over, || status(pair)));
            let scrapes = scope.spawn(|| Answers::collect(&over, || scrape(pair)));
            while !ended() {
                std::thread::sleep(POLL);
            }
            over.store(true, Ordering::Relaxed);
            let [status, scrapes] = [status, scrapes].map(|asking| asking.join().expect("no panic"));
            Self { status, scrapes }
        })
    }

    /// Whether the control socket was, and the scrapes, where they were `promised`.
    pub(crate) fn is_answered(&self, promised: bool) -> bool {
        [self.status.are_whole("tandem status", true), self.scrapes.are_whole("scrapes", promised)]
            == [true; 2]
    }
}

fn status(pair: &Pair<'_>) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command.args(["status", "--json", "--socket"]).arg(pair.folder().join("tandem.sock"));
    let output = pair.stage.directors[PREFERRED].output(&mut command);
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// From the other director's host.
fn scrape(pair: &Pair<'_>) -> Result<(), String> {
    let text = pair.stage.directors[OTHER].fetch(metrics(), "/metrics")?;
    text.contains("tandem_vrrp_state").then_some(()).ok_or_else(|| "no whole answer".to_owned())
}

/// The called director by its own figures.
pub(crate) struct Picture {
    lateness: Lateness,
    transitions: u64,
    time: Time,
}

impl Picture {
    pub(crate) fn take(pair: &Pair<'_>) -> Self {
        let director = &pair.stage.directors[PREFERRED];
        let near = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), metrics().port());
        let text = until("metrics", LIMIT, || director.fetch(near, "/metrics"));
        let of_servers = text.lines().filter(|line| line.starts_with(TRANSITIONS));
        let counts = of_servers.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        let (transitions, time) = (counts.sum(), usage::time(pair.pid()));
        Self { lateness: Lateness::read(director), transitions, time }
    }

    /// Whether no server changed sides since `earlier`.
    pub(crate) fn is_like(&self, earlier: &Self) -> bool {
        println!("  probes: {}", self.lateness.words(&earlier.lateness));
        println!("  the director took {:.1?} of a processor", (self.time - earlier.time).total());
        let changes = self.transitions - earlier.transitions;
        judged(changes == 0, &format!("{changes} changes of a server's verdict"))
    }
}
