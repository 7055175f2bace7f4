//! Everything at once and for long: a pair of directors with 2,000 real servers that go up and down all the time, scraped every second,
//! reloaded, asked for their state and made to hand over. Whether memory, descriptors and threads stay where they are, and
//! advertisements come on time.
//!
//! Everything of the directors is the real thing but IPVS, whose table is kept in memory: the figures are those of this machine and
//! not of an emulated one. The servers are an nginx beside each director; a set of nftables says which of them refuse. A canary,
//! a bare real-time sleeper, tells how late the machine itself was.
//!
//! Needs root and network namespaces, no IPVS: `tests/lab/run bench soak [MINUTES]` (10; the promise is made for 60). Each minute
//! prints a line; every reading is in `soak.txt` of the lab's results, for a plot. The exit status is 1 when the promise is broken.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(
    dead_code,
    reason = "world and stage are libraries for the lab's cases, and the bench uses a part of them"
)]

#[path = "scale/director.rs"]
mod director;
#[path = "probed.rs"]
mod probed;
#[path = "punctual.rs"]
mod punctual;
#[path = "soak/readings.rs"]
mod readings;
#[path = "servers.rs"]
mod servers;
#[path = "soak/site.rs"]
mod site;
#[path = "../pair/stage/mod.rs"]
mod stage;
#[path = "usage.rs"]
mod usage;
#[path = "../lab/world/mod.rs"]
mod world;

use probed::{INTERVAL, Probing};
use readings::Readings;
use site::Flapping;
use stage::adverts::Adverts;
use stage::canary::Canary;
use stage::{NAMES, OTHER, PREFERRED, Stage};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output};
use std::time::{Duration, Instant};
use world::wait::until_true;

const MINUTES: u64 = 10;
const TICK: Duration = Duration::from_millis(200);
const START: Duration = Duration::from_secs(60);
/// What is taken while the director starts is given back by then.
const SETTLES: Duration = Duration::from_secs(60);
const RELEASED: &str = "5s";
const CANARY_PERIOD: Duration = Duration::from_millis(1);
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9752);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((folder, name)) = director::asked_for(&words) {
        director::run(&folder, name);
        return ExitCode::SUCCESS;
    }
    let minutes = words.iter().find_map(|word| word.parse().ok()).unwrap_or(MINUTES).max(1);
    if measure(Duration::from_secs(60 * minutes)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the promise was kept.
fn measure(time: Duration) -> bool {
    let stage = Stage::new();
    let adverts = Adverts::listen(&stage);
    let pair = Pair::start(&stage);
    until_true("an advertisement", START, || adverts.next_of(PREFERRED, INTERVAL * 5).is_some());
    let mut flapping = Flapping::begin(&stage);
    println!("{} real servers in {} pools, a pair, for {time:?}", site::SITE.servers, site::SITE.pools);
    let mut readings = Readings::new(pair.pids());
    run_for(&pair, &mut flapping, None, SETTLES);
    let canary = Canary::start(CANARY_PERIOD);
    let (begun, unanswered) = run_for(&pair, &mut flapping, Some(&mut readings), time);
    let lateness = punctual::lateness(&adverts, INTERVAL, begun, Instant::now());
    let machine = canary.worst_since(begun);
    let real_time = canary.finish();
    println!("  servers changed sides {} times", flapping.count);
    let on_time = punctual::on_time(&lateness, machine, real_time);
    let verdict = if unanswered == 0 { "kept:  " } else { "BROKEN:" };
    println!("  {verdict} scrapes that were not answered: {unanswered}");
    if let Ok(results) = std::env::var("TANDEM_LAB_OUT") {
        std::fs::write(PathBuf::from(results).join("soak.txt"), readings.table()).expect("the readings");
    }
    readings.are_flat() && on_time && unanswered == 0
}

/// Has everything happen for a while; when it began, and how many scrapes were not answered.
fn run_for(
    pair: &Pair<'_>,
    flapping: &mut Flapping<'_>,
    mut readings: Option<&mut Readings>,
    time: Duration,
) -> (Instant, usize) {
    let begun = Instant::now();
    let (mut ticks, mut unanswered) = (0_u64, 0);
    while begun.elapsed() < time {
        ticks += 1;
        flapping.flap();
        let every = |seconds: u64| ticks.is_multiple_of(seconds * 5);
        if every(1) {
            unanswered += pair.scrape();
        }
        if every(7) {
            pair.ask(&["status", "--json"]);
        }
        if every(20) {
            pair.reload(ticks);
        }
        if every(60) {
            pair.hand_over();
        }
        if let Some(readings) = readings.as_deref_mut().filter(|_| every(10)) {
            readings.take(begun.elapsed());
        }
        std::thread::sleep(
            (begun + TICK * u32::try_from(ticks).expect("a number"))
                .saturating_duration_since(Instant::now()),
        );
    }
    (begun, unanswered)
}

/// Two directors with their servers.
struct Pair<'a> {
    stage: &'a Stage,
    probing: Probing<'a>,
}

impl<'a> Pair<'a> {
    fn start(stage: &'a Stage) -> Self {
        Self { stage, probing: Probing::start(stage, |folder, _| site::write(folder, 1)) }
    }

    fn pids(&self) -> [u32; 2] {
        [PREFERRED, OTHER].map(|director| self.probing.pid(director))
    }

    /// How many of the two did not answer whole; it prints why.
    fn scrape(&self) -> usize {
        [PREFERRED, OTHER].into_iter().filter(|director| !self.answers(*director)).count()
    }

    fn answers(&self, director: usize) -> bool {
        let begun = Instant::now();
        let failure = match self.stage.directors[director].fetch(METRICS, "/metrics") {
            Ok(text) if text.contains("tandem_vrrp_state") => return true,
            Ok(text) => format!("{} bytes without a state", text.len()),
            Err(error) => error,
        };
        println!("  a scrape of {} failed after {:?}: {failure}", NAMES[director], begun.elapsed());
        false
    }

    /// A command of the command line, at both; it must succeed.
    fn ask(&self, words: &[&str]) {
        for director in [PREFERRED, OTHER] {
            let output = self.command(director, words);
            assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    fn command(&self, director: usize, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command.args(words).arg("--socket").arg(self.probing.folder(director).join("tandem.sock"));
        self.stage.directors[director].output(&mut command)
    }

    /// Another weight, which is another policy.
    fn reload(&self, ticks: u64) {
        for director in [PREFERRED, OTHER] {
            site::write(&self.probing.folder(director), 1 + ticks % 100);
        }
        self.ask(&["reload"]);
    }

    /// The preferred one gives its addresses away for a while.
    fn hand_over(&self) {
        let output = self.command(PREFERRED, &["release", "--for", RELEASED]);
        assert!(output.status.success(), "release: {}", String::from_utf8_lossy(&output.stderr));
    }
}
