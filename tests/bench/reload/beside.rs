//! Tandem and keepalived by turns, each with the same large site in the kernel: from the request (the command `tandem reload`, SIGHUP)
//! until `ipvsadm` shows the one weight that changed.

use super::{large, report};
use crate::world::director::binary;
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use crate::world::wait::until;
use nix::sys::signal::Signal;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Tandem's time over keepalived's, at most.
const RATIO: f64 = 1.0 / 3.0;
const START: Duration = Duration::from_secs(900);
const RELOAD: Duration = Duration::from_secs(300);
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9752);

/// Whether the promises were kept.
pub(crate) fn measure(rounds: usize) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let machines = ["tandem", "keepalived"].map(Namespace::new);
    machines.iter().for_each(|machine| machine.ip("link set lo up"));
    // As on any site a route leads to the servers. Nothing is ever sent to them.
    machines.iter().for_each(|machine| machine.ip(&format!("route add {} dev lo", large::SERVERS_NETWORK)));
    let files = ["tandem.yaml", "keepalived.conf"].map(|name| folder.path().join(name));
    write(&files[0], &large::policy(large::UNCHECKED, 1));
    write(&files[1], &large::keepalived(1));
    let socket = folder.path().join("tandem.sock");
    let programs = [
        start_tandem(&machines[0], folder.path(), &socket),
        start_keepalived(&machines[1], folder.path(), &files[1]),
    ];
    machines.iter().for_each(|machine| wait(machine, 1, START));
    // The server in the middle is there before the last one is.
    until("a filled table", START, || machines[0].fetch(METRICS, "/readyz"));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let changes = changes(&machines[0]);
    for round in 0..rounds {
        let weight = round + 2;
        write(&files[0], &large::policy(large::UNCHECKED, weight));
        let begun = Instant::now();
        let mut reload = Command::new(binary());
        reload.args(["reload", "--socket"]).arg(&socket);
        let output = machines[0].output(&mut reload);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        wait(&machines[0], weight, RELOAD);
        ours.push(begun.elapsed());
        write(&files[1], &large::keepalived(weight));
        let begun = Instant::now();
        programs[1].signal(Signal::SIGHUP);
        wait(&machines[1], weight, RELOAD);
        theirs.push(begun.elapsed());
    }
    let made = self::changes(&machines[0]) - changes;
    println!(
        "{} real servers in {} services, one weight changed, {rounds} rounds",
        large::SERVERS,
        large::SERVICES
    );
    let theirs = report("keepalived, from SIGHUP until ipvsadm shows it", &mut theirs);
    let ours = report("Tandem, from `tandem reload` until ipvsadm shows it", &mut ours);
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("  ratio {ratio:.3}, promised: at most {RATIO:.3}");
    println!("  changes of the kernel's table: {made} in {rounds} reloads, promised: one each");
    ratio <= RATIO && made == rounds
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
}

fn start_tandem(machine: &Namespace, folder: &Path, socket: &Path) -> Process {
    let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let (config, state) = (path("tandem.yaml"), path("state"));
    let socket = socket.to_str().expect("a plain path");
    let arguments = ["run", "--config", &config, "--state-directory", &state, "--socket", socket];
    Process::start(machine, &binary(), &arguments, &folder.join("tandem.log"))
}

fn start_keepalived(machine: &Namespace, folder: &Path, file: &Path) -> Process {
    let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let (parent, checkers) = (path("parent.pid"), path("checkers.pid"));
    let file = file.to_str().expect("a plain path");
    let arguments = ["--dont-fork", "--log-console", "--no-syslog", "--check", "--use-file", file];
    let places = ["--pid", &parent, "--checkers_pid", &checkers];
    Process::start(machine, "keepalived", &[&arguments[..], &places].concat(), &folder.join("keepalived.log"))
}

/// Until the one server has this weight.
fn wait(machine: &Namespace, weight: usize, limit: Duration) {
    let (service, server) = large::changed();
    let (begun, server) = (Instant::now(), server.to_string());
    let shown = || {
        let service = service.to_string();
        let mut list = Command::new("ipvsadm");
        let output = machine.output(list.args(["-Ln", "-t", &service]));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.contains(&server)).map(str::to_owned);
        line.and_then(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok())
    };
    while shown() != Some(weight) {
        assert!(begun.elapsed() < limit, "the weight is {:?} and not {weight}", shown());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How many changes of the kernel Tandem has made.
fn changes(machine: &Namespace) -> usize {
    // A busy machine may take longer than the reader waits.
    let text = until("metrics", RELOAD, || machine.fetch(METRICS, "/metrics"));
    let lines = text.lines().filter(|line| line.starts_with("tandem_reconcile_changes_total{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}
