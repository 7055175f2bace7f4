//! How long the kernel's IPVS table takes to fill: 10,000 real servers in 500 services, by Tandem and by `ipvsadm -R`, from
//! empty, by turns in one run. Then how many changes a second reconciliation finds: none.
//!
//! "From empty" is a fresh network namespace each time. A cleared table would not do: the kernel keeps removed destinations
//! for two minutes and looks through all of them for each new one.
//!
//! Needs root and a kernel with IPVS: `tests/lab/run bench program`. Arguments: the number of rounds (5).
//!
//! The promise: Tandem's median is at most a tenth of that of `ipvsadm -R`. The exit status is 1 when it is broken.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::print_stdout, reason = "a bench prints")]

use nix::sched::{CloneFlags, unshare};
use std::fmt::Write as _;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem::kernel::{Kernel, LinuxKernel};
use tandem::model::{
    Destination, DestinationKey, ForwardingMethod, Protocol, SchedulerName, Scope, Service, ServiceConfig,
    ServiceFlags, ServiceKey, Tables, Thresholds,
};
use tandem::reconcile::{self, Change, Ownership};

const SERVICES: u16 = 500;
const SERVERS_PER_SERVICE: u16 = 20;
const ROUNDS: usize = 5;
/// What we may take of the time of `ipvsadm -R`.
const RATIO_MAX: f64 = 0.1;
/// The end of a namespace's interface that stays outside of it, and goes when the namespace is gone.
const WITNESS: &str = "witness";
const NAMESPACE_END_MAX: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let rounds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS).max(1);
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace of our own needs root");
    let tables = desired();
    let rules = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(rules.path(), as_ipvsadm(&tables)).expect("a file");

    let (mut theirs, mut ours, mut observations) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (of_ipvsadm, _) = measure(&tables, |_| restore(rules.path()));
        let (of_tandem, observation) = measure(&tables, |kernel| fill(kernel, &tables));
        // The first round only loads modules and warms caches.
        if round > 0 {
            theirs.push(of_ipvsadm);
            ours.push(of_tandem);
            observations.push(observation);
        }
    }
    let servers = u32::from(SERVICES) * u32::from(SERVERS_PER_SERVICE);
    println!(
        "{servers} real servers in {SERVICES} services from empty, {rounds} rounds, median (least to most):"
    );
    let theirs = report("ipvsadm -R", &mut theirs);
    let ours = report("Tandem", &mut ours);
    report("Tandem, a second reconciliation", &mut observations);
    println!("  messages of the second reconciliation that are no GET: 0");
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("  ratio {ratio:.3}; promised: at most {RATIO_MAX}");
    if ratio <= RATIO_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// In a fresh namespace: times how `fill` fills the table, and how long it takes to see that nothing is left to do.
fn measure(tables: &Tables, fill: impl FnOnce(&mut LinuxKernel) + Send) -> (Duration, Duration) {
    let times = std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            let parent = std::process::id();
            run(&format!("ip link add lan type veth peer name {WITNESS} netns {parent}"));
            run("ip address add 10.0.0.1/8 dev lan");
            run("ip link set lan up");
            let mut kernel = LinuxKernel::new();
            let start = Instant::now();
            fill(&mut kernel);
            let filled = start.elapsed();
            let (observed, changes) = second_reconciliation(&mut kernel, tables);
            assert_eq!(changes, 0, "a second reconciliation found something to change");
            (filled, observed)
        });
        inside.join().expect("a round")
    });
    wait_for_the_end_of_the_namespace();
    times
}

/// The kernel takes a namespace apart in the background, its interfaces last: the next measurement waits for that.
fn wait_for_the_end_of_the_namespace() {
    let deadline = Instant::now() + NAMESPACE_END_MAX;
    let there = || {
        let mut show = Command::new("ip");
        let status =
            show.args(["link", "show", WITNESS]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.expect("ip starts").success()
    };
    while there() {
        assert!(Instant::now() < deadline, "a namespace did not end");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Our way, as a director that starts does it: observe, plan, apply.
fn fill(kernel: &mut LinuxKernel, tables: &Tables) {
    let changes = due(kernel, tables);
    let failed = kernel.apply(&changes).into_iter().filter(Result::is_err).count();
    assert_eq!(failed, 0, "changes failed");
}

/// What the planner finds to do, from one observation.
fn due(kernel: &mut LinuxKernel, tables: &Tables) -> Vec<Change> {
    let observed = kernel.observe(&Scope::default()).expect("the table can be read");
    reconcile::plan(tables, &observed, &Ownership::default())
}

fn restore(rules: &std::path::Path) {
    let status = Command::new("ipvsadm").arg("-R").stdin(File::open(rules).expect("a file")).status();
    assert!(status.expect("ipvsadm runs").success());
}

/// Observes and plans again, and counts the changes that are still needed. Each change of IPVS is exactly one message that
/// is no GET, so no change is no such message; the lab's case of a restart sees the same on the wire.
fn second_reconciliation(kernel: &mut LinuxKernel, tables: &Tables) -> (Duration, usize) {
    let start = Instant::now();
    let changes = due(kernel, tables).len();
    (start.elapsed(), changes)
}

fn desired() -> Tables {
    let config = ServiceConfig {
        scheduler: SchedulerName("wlc".to_owned()),
        flags: ServiceFlags::default(),
        persistence: None,
        persistence_engine: None,
    };
    let destination =
        Destination { method: ForwardingMethod::DirectRoute, weight: 10, thresholds: Thresholds::default() };
    let services = (1..=SERVICES)
        .map(|number| {
            let rip = |server: u16| {
                IpAddr::V4(Ipv4Addr::from(0x0a01_0000 + u32::from(number) * 64 + u32::from(server)))
            };
            let destinations = (0..SERVERS_PER_SERVICE)
                .map(|server| (DestinationKey { address: rip(server), port: 80 }, destination));
            let destinations = Arc::new(destinations.collect());
            let address = IpAddr::V4(Ipv4Addr::from(0x0aff_0000 + u32::from(number)));
            let key = ServiceKey::Address { protocol: Protocol::Tcp, address, port: 80 };
            (key, Service { config: config.clone(), destinations })
        })
        .collect();
    Tables { services, ..Tables::default() }
}

/// The same table as `ipvsadm -R` reads it.
fn as_ipvsadm(tables: &Tables) -> String {
    let mut lines = String::new();
    for (key, service) in &tables.services {
        let ServiceKey::Address { address, port, .. } = key else { continue };
        let scheduler = &service.config.scheduler;
        let _ = writeln!(lines, "-A -t {address}:{port} -s {scheduler}");
        for (rip, destination) in &*service.destinations {
            let _ = writeln!(lines, "-a -t {address}:{port} -r {rip} -g -w {}", destination.weight);
        }
    }
    lines
}

fn run(command: &str) {
    let mut words = command.split_whitespace();
    let program = words.next().expect("a program");
    let status = Command::new(program).args(words).stdout(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "{command} failed");
}

/// Prints median and spread; returns the median.
fn report(what: &str, times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let median = times[times.len() / 2];
    let [least, most] = [times[0], times[times.len() - 1]].map(|time| time.as_secs_f64() * 1000.0);
    println!("  {what}: {:.1} ms ({least:.1} to {most:.1})", median.as_secs_f64() * 1000.0);
    median
}
