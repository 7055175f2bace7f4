//! No false takeover: every core busy for a minute, an interval of 10 ms, and Tandem with 1,000 probes a second beside it.
//! A change of role is seen on the wire (advertisements of the director that is not preferred) and on the interfaces.
//!
//! Without IPVS in the kernel there are no pools, and the probes are those of checks that the router tracks; with it they
//! are those of a pool.

use crate::arguments::{Arguments, NamedSetting};
use crate::pair::Pair;
use crate::stage::canary::Canary;
use crate::stage::program::Program;
use crate::stage::{OTHER, PREFERRED};
use crate::table::milliseconds;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

const PROBES: u16 = 1000;
/// The client answers all probes here.
const PROBE_PORT: u16 = 9000;
/// What a Backup of priority 100 waits for beyond two intervals, at 10 ms: a machine that is late by more takes the margin.
const MARGIN: Duration = Duration::from_millis(26);

/// Whether Tandem had no change of role that the machine does not explain.
pub(crate) fn run(arguments: &Arguments) -> bool {
    let seconds = arguments.time.as_secs();
    println!("\nEvery core busy for {seconds} s, interval 10 ms: changes of role");
    let mut kept = true;
    for program in &arguments.programs {
        let changes = changes_of(*program, arguments.time);
        println!("  {program:<10} {changes}");
        kept &= *program != Program::Tandem || changes.count() == 0 || changes.canary > MARGIN;
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
    let pair = Pair::start(program, setting, &more);
    let responder = Responder::start(&pair);
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
        probes: responder.served.load(Ordering::Relaxed),
    };
    drop(spinners);
    changes
}

/// The part of the policy behind the virtual router's own lines.
fn with_probes() -> String {
    let client = crate::world::addresses::near(10).ipv4;
    let numbers = || 0..PROBES;
    let check = format!("tcp: {{}}, address: {client}, port: {PROBE_PORT}, interval: 1s, timeout: 500ms");
    if Path::new("/proc/net/ip_vs").exists() {
        let servers: Vec<String> = numbers().map(|number| format!("{client}:{}", 10_000 + number)).collect();
        let vip = crate::stage::vip().ipv4;
        return format!(
            "checks:\n  alive: {{{check}}}\npools:\n  web:\n    virtual_services: [tcp://{vip}:80]\n    \
             forwarding: nat\n    check: alive\n    real_servers: [{}]\n",
            servers.join(", ")
        );
    }
    let tracked: Vec<String> =
        numbers().map(|number| format!("{{check: probe{number}, priority_change: -1}}")).collect();
    let mut text = format!("    track: [{}]\nchecks:\n", tracked.join(", "));
    numbers().for_each(|number| text += &format!("  probe{number}: {{{check}}}\n"));
    text
}

/// Takes every connection on the client and closes it.
#[derive(Debug)]
struct Responder {
    served: Arc<AtomicU64>,
}

impl Responder {
    /// It ends with the process.
    fn start(pair: &Pair) -> Self {
        let address = (pair.stage.client_address().ipv4, PROBE_PORT);
        let listener =
            pair.stage.client.inside(|| TcpListener::bind(address)).expect("a port of the client's");
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
