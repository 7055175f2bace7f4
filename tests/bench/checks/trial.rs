//! One measurement: a program is started in a fresh director, comes to its steady state, and is watched for whole intervals.

use crate::arguments::Arguments;
use crate::contender::Program;
use crate::servers::{NETWORK, Servers};
use crate::site::{Kind, Site};
use crate::stage::canary::Canary;
use crate::usage::{self, Memory, Time};
use crate::world::namespace::Namespace;
use std::fmt;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Real servers behind one virtual service.
const POOL_SIZE: usize = 100;
/// The table is complete by then.
const START_LIMIT: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_secs(2);
const CANARY_PERIOD: Duration = Duration::from_millis(5);
/// Hardly ever.
const IDLE_INTERVAL: Duration = Duration::from_secs(3600);
/// What a program that hardly probes is given to come to rest after its start.
const REST: Duration = Duration::from_secs(10);

/// What a program is kept busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Load {
    Idle,
    Probes(Kind),
}

impl Load {
    /// Whether a program knows such probes.
    pub(crate) fn is_of(self, program: Program) -> bool {
        program == Program::Tandem || self != Self::Probes(Kind::HttpKept)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => formatter.pad("idle"),
            Self::Probes(kind) => kind.fmt(formatter),
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) used: Time,
    pub(crate) probes: u64,
    pub(crate) window: Duration,
    pub(crate) memory: Memory,
    /// The share of the machine's time that was used, 0 to 1.
    pub(crate) busy: f64,
    pub(crate) canary: Duration,
}

impl Figures {
    /// Processor time for each second.
    pub(crate) fn share(&self) -> f64 {
        self.used.total().as_secs_f64() / self.window.as_secs_f64()
    }

    /// Processor time for each probe, in seconds.
    pub(crate) fn each(&self) -> f64 {
        self.used.total().as_secs_f64() / self.probes.max(1) as f64
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:.2} s ({:.2} user) for {} probes in {:.0} s, {:.3} ms each; {} KiB; machine {:.0} % busy, late by {:.0} ms",
            self.used.total().as_secs_f64(),
            self.used.user.as_secs_f64(),
            self.probes,
            self.window.as_secs_f64(),
            self.each() * 1000.0,
            self.memory.resident,
            self.busy * 100.0,
            self.canary.as_secs_f64() * 1000.0
        )
    }
}

/// The servers, and where they are plugged in.
pub(crate) struct Bench {
    // In this order, so that nginx ends before its namespace.
    servers: Servers,
    machine: Namespace,
    folder: tempfile::TempDir,
    trials: u8,
}

impl Bench {
    pub(crate) fn start() -> Self {
        let machine = Namespace::new("servers");
        machine.ip("link set lo up");
        let folder = tempfile::tempdir().expect("a folder");
        let servers = Servers::start(&machine, folder.path());
        Self { servers, machine, folder, trials: 0 }
    }

    pub(crate) fn run(
        &mut self,
        arguments: &Arguments,
        servers: usize,
        load: Load,
        program: Program,
    ) -> Figures {
        let (kind, interval) = match load {
            Load::Idle => (Kind::Tcp, IDLE_INTERVAL),
            Load::Probes(kind) => (kind, arguments.interval(servers)),
        };
        let site = Site { servers, pools: servers.div_ceil(POOL_SIZE), interval, kind };
        let director = self.director();
        let folder = self.folder.path().join(format!("trial-{}", self.trials));
        fs::create_dir(&folder).expect("a folder");
        let process = program.start(&site, &director, &folder);
        wait_for_table(&director, servers);
        sleep(if load == Load::Idle { REST } else { interval });
        let figures = self.watch(arguments.window(servers), process.pid(), kind);
        assert_eq!(destinations(&director), servers, "some failed: {}", process.log());
        figures
    }

    /// A machine of its own, at the other end of a cable: the kernel keeps what was removed from an IPVS table for a while.
    fn director(&mut self) -> Namespace {
        self.trials += 1;
        let (number, servers) = (self.trials, self.machine.name());
        let director = Namespace::new("director");
        director.ip(&format!(
            "link set lo up\nlink add eth0 type veth peer name to-{number} netns {servers}\n\
             addr add 10.255.{number}.2/30 dev eth0\nlink set eth0 up"
        ));
        self.machine.ip(&format!("addr add 10.255.{number}.1/30 dev to-{number}\nlink set to-{number} up"));
        director.ip(&format!("route add {NETWORK} via 10.255.{number}.1"));
        director
    }

    fn watch(&self, window: Duration, pid: u32, kind: Kind) -> Figures {
        let canary = Canary::start(CANARY_PERIOD);
        let begun = Instant::now();
        let before = (usage::time(pid), Machine::now(), self.servers.asked(&self.machine));
        sleep(window.saturating_sub(begun.elapsed()));
        let after = (usage::time(pid), Machine::now(), self.servers.asked(&self.machine));
        let window = begun.elapsed();
        let late = canary.worst_since(begun);
        canary.finish();
        let asked = after.2.since(before.2);
        Figures {
            used: after.0 - before.0,
            probes: if kind.is_kept() { asked.requests } else { asked.connections },
            window,
            memory: usage::memory(pid),
            busy: after.1.busy_since(before.1),
            canary: late,
        }
    }
}

fn wait_for_table(director: &Namespace, servers: usize) {
    let begun = Instant::now();
    while destinations(director) < servers {
        assert!(begun.elapsed() < START_LIMIT, "{} of {servers} in the table", destinations(director));
        sleep(LOOK_EVERY);
    }
}

fn destinations(director: &Namespace) -> usize {
    let destination = |line: &&str| line.trim_start().starts_with("-> 10.");
    director.run("ipvsadm -Ln").lines().filter(destination).count()
}

/// Ticks of all processors: those that did nothing, and all.
#[derive(Clone, Copy)]
struct Machine {
    idle: u64,
    all: u64,
}

impl Machine {
    fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").expect("the machine's times");
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        Self { idle: ticks.get(3..5).map_or(0, |idle| idle.iter().sum()), all: ticks.iter().sum() }
    }

    fn busy_since(self, earlier: Self) -> f64 {
        let (idle, all) = (self.idle - earlier.idle, self.all - earlier.all);
        1.0 - idle as f64 / all.max(1) as f64
    }
}
