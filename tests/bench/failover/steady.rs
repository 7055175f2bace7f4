//! No false takeover: every core busy for a minute, an interval of 10 ms, and Tandem with 1,000 probes
//! a second beside it.
//! A change of role is seen on the wire (advertisements of the director that is not preferred) and on the interfaces.
//!
//! Without IPVS in the kernel there are no pools, and the probes are those of checks that the router tracks; with it they
//! are those of a pool. What the machine itself was late (the canary) excuses a change only beyond the protocol's margin.

use crate::arguments::{Arguments, NamedSetting};
use crate::pair::Pair;
use crate::stage::canary::Canary;
use crate::stage::program::Program;
use crate::stage::{OTHER, PREFERRED, Stage};
use crate::table::milliseconds;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

const PROBES: u16 = 1000;
/// The client answers all probes here, at every address of a network that ends at it: each probe has a target of its own.
const PROBE_PORT: u16 = 9000;
const TARGETS: &str = "10.77.";
/// Of the probes that are due, at least so many must have been made for the run to count.
const PROBES_MIN: f64 = 0.8;
/// From an advertisement that is on time to the takeover of a Backup with priority 100, at 10 ms, less one interval: a
/// machine that stands still for longer makes a Backup take over, whatever the program does.
const MARGIN: Duration = Duration::from_millis(26);

/// Whether Tandem had no change of role that the machine does not explain.
pub(crate) fn run(arguments: &Arguments) -> bool {
    let seconds = arguments.time.as_secs();
    println!("\nEvery core busy for {seconds} s, interval 10 ms: changes of role");
    let mut kept = true;
    for program in &arguments.programs {
        let changes = changes_of(*program, arguments.time);
        println!("  {program:<10} {changes}");
        if *program == Program::Tandem {
            let enough =
                changes.probes as f64 >= f64::from(PROBES) * arguments.time.as_secs_f64() * PROBES_MIN;
            let steady = changes.count() == 0 || changes.canary > MARGIN;
            println!("  {} Tandem: no false takeover", if steady { "kept:  " } else { "BROKEN:" });
            println!(
                "  {} 1,000 probes a second of each director ran meanwhile",
                if enough { "kept:  " } else { "BROKEN:" }
            );
            kept &= steady && enough;
        }
    }
    kept
}

#[derive(Debug)]
struct Changes {
    takings: usize,
    senders: usize,
    canary: Duration,
    real_time: bool,
    probes: u64,
}

impl Changes {
    fn count(&self) -> usize {
        self.takings.max(self.senders)
    }
}

impl std::fmt::Display for Changes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "VIP taken {} times, sender of advertisements changed {} times; {} probes; canary late by {:.1} ms at most{}",
            self.takings,
            self.senders,
            self.probes,
            milliseconds(self.canary),
            if self.real_time { "" } else { " (not in real time: not permitted here)" }
        )
    }
}

fn changes_of(program: Program, time: Duration) -> Changes {
    let setting = NamedSetting::V3At10Ms.of(program);
    let more = if program == Program::Tandem { with_probes() } else { String::new() };
    let stage = Stage::new();
    let responder = Responder::start(&stage);
    let pair = Pair::start_on(stage, program, setting, &more);
    let served = responder.served.load(Ordering::Relaxed);
    let spinners = Spinners::start();
    let canary = Canary::start(setting.interval);
    let start = Instant::now();
    sleep(time);
    let takings = [PREFERRED, OTHER].map(|director| pair.holders.takings_since(director, start));
    let changes = Changes {
        takings: takings.iter().sum(),
        senders: pair.adverts.changes_since(start),
        canary: canary.worst_since(start),
        real_time: canary.finish(),
        probes: responder.served.load(Ordering::Relaxed) - served,
    };
    drop(spinners);
    changes
}

/// The part of the policy behind the virtual router's own lines.
fn with_probes() -> String {
    let check = format!("tcp: {{}}, port: {PROBE_PORT}, interval: 1s, timeout: 500ms");
    let targets =
        || (0..PROBES).map(|number| [TARGETS, &format!("{}.{}", number / 250, number % 250 + 1)].concat());
    if Path::new("/proc/net/ip_vs").exists() {
        let servers: Vec<String> = targets().map(|target| format!("{target}:80")).collect();
        let vip = crate::stage::vip().ipv4;
        return format!(
            "checks:\n  alive: {{{check}}}\npools:\n  web:\n    virtual_services: [tcp://{vip}:80]\n    \
             forwarding: nat\n    check: alive\n    real_servers: [{}]\n",
            servers.join(", ")
        );
    }
    let tracked: Vec<String> =
        (0..PROBES).map(|number| format!("{{check: probe{number}, priority_change: -1}}")).collect();
    let mut text = format!("    track: [{}]\nchecks:\n", tracked.join(", "));
    for (number, target) in targets().enumerate() {
        text += &format!("  probe{number}: {{{check}, address: {target}}}\n");
    }
    text
}

/// Takes every connection on the client and closes it.
#[derive(Debug)]
struct Responder {
    served: Arc<AtomicU64>,
}

impl Responder {
    /// It ends with the process.
    fn start(stage: &Stage) -> Self {
        let client = stage.client_address().ipv4;
        stage.client.ip(&format!("route add local {TARGETS}0.0/16 dev lo\n"));
        for director in &stage.directors {
            director.ip(&format!("route add {TARGETS}0.0/16 via {client}\n"));
        }
        let address = (Ipv4Addr::UNSPECIFIED, PROBE_PORT);
        let listener = stage.client.inside(|| TcpListener::bind(address)).expect("a port of the client's");
        let served = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&served);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                counter.fetch_add(u64::from(connection.is_ok()), Ordering::Relaxed);
            }
        });
        Self { served }
    }
}

/// A thread a core that does nothing, as fast as it can.
#[derive(Debug)]
struct Spinners {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Spinners {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let threads = (0..cores).map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || while !stop.load(Ordering::Relaxed) {})
        });
        let threads = threads.collect();
        Self { stop, threads }
    }
}

impl Drop for Spinners {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
