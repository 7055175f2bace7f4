//! The kernel layer on a real kernel: what a policy can say is set by us and read back by us and by `ipvsadm`, `nft`, `ip`.
//!
//! Each case has a network namespace of its own, made for the thread that it runs on.

mod addresses;
mod destinations;
mod refusals;
mod ruleset;
mod services;
mod traffic;

use nix::sched::{CloneFlags, unshare};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::Command;
use tandem::kernel::{Kernel, KernelError, LinuxKernel};
use tandem::model::{
    Destination, DestinationKey, ForwardingMethod, Observed, Protocol, SchedulerName, Scope, Service,
    ServiceConfig, ServiceFlags, ServiceKey, Thresholds,
};
use tandem::reconcile::Change;

/// Addresses of the namespace, on a link that leads nowhere.
const VIP: &str = "192.168.101.100";
const VIP6: &str = "fd00:192:168:101::100";
const DIP: &str = "192.168.101.200";

/// Runs a case in a fresh network namespace with addresses up, and hands it the kernel.
fn in_namespace(case: impl FnOnce(&mut LinuxKernel) + Send) {
    in_bare_namespace(|| {
        run("ip link set lo up");
        run("ip link add lan type dummy");
        run("ip link set lan up");
        run(&format!("ip address add {DIP}/24 dev lan"));
        run("ip address add fd00:192:168:101::200/64 dev lan nodad");
        case(&mut LinuxKernel::new());
    });
}

/// Runs a case in a fresh network namespace, on a thread of its own: a namespace cannot be left again.
fn in_bare_namespace(case: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            case();
        });
        if let Err(panic) = inside.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Runs a program and returns what it printed; it must succeed.
fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let program = words.next().expect("a program");
    let output = Command::new(program).args(words).output().expect("it starts");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn tcp(port: u16) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: address(VIP), port }
}

fn scheduler(name: &str) -> ServiceConfig {
    ServiceConfig {
        scheduler: SchedulerName(name.to_owned()),
        flags: ServiceFlags::default(),
        persistence: None,
        persistence_engine: None,
    }
}

fn real_server(text: &str, port: u16) -> DestinationKey {
    DestinationKey { address: address(text), port }
}

fn destination(method: ForwardingMethod, weight: u32) -> Destination {
    Destination { method, weight, thresholds: Thresholds::default() }
}

fn add_service(service: ServiceKey, config: &ServiceConfig) -> Change {
    Change::AddService { service, config: config.clone() }
}

fn add_destination(service: ServiceKey, key: DestinationKey, destination: Destination) -> Change {
    Change::AddDestination { service, key, destination }
}

/// Applies changes that must all succeed.
fn apply(kernel: &mut LinuxKernel, changes: &[Change]) {
    for (change, result) in changes.iter().zip(kernel.apply(changes)) {
        assert_eq!(result, Ok(()), "{change:?}");
    }
}

/// Applies one change that must fail.
fn refusal(kernel: &mut LinuxKernel, change: Change) -> KernelError {
    let results = kernel.apply(std::slice::from_ref(&change));
    results.into_iter().next().expect("one result").expect_err("this must be refused")
}

fn observe(kernel: &mut LinuxKernel) -> Observed {
    kernel.observe(&Scope::default()).expect("the table can be read")
}

/// The services without their counters.
fn table(kernel: &mut LinuxKernel) -> BTreeMap<ServiceKey, Service> {
    observe(kernel).services
}

/// `ipvsadm -Sn` as lines, sorted.
fn saved() -> Vec<String> {
    let mut lines: Vec<String> = run("ipvsadm -Sn").lines().map(|line| line.trim().to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn ipvs_says_its_version_and_size() {
    in_namespace(|kernel| {
        let info = kernel.ipvs_info().expect("IPVS answers");
        assert_eq!(info.version, (1, 2, 1));
        assert!(info.connection_table_size >= 256, "{info:?}");
    });
}
