//! The ping probe against this kernel, in network namespaces of its own: both families, both kinds of socket.

use super::fixture::{check, probe};
use crate::model::{Check, Failure, Outcome, Phase, PingSpec, ProbeSpec};
use crate::probe::{Probe, Prober, TlsProfiles, ping};
use nix::sched::{CloneFlags, unshare};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;
use tokio::runtime::Builder;

const LOOPBACKS: [&str; 2] = ["127.0.0.1", "::1"];

fn pinging(size: u16) -> Check {
    // Longer than the kernel needs to give a neighbour up, on a loaded machine.
    Check { timeout: Duration::from_secs(5), ..check(ProbeSpec::Ping(PingSpec { size })) }
}

fn target(address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), 0)
}

#[track_caller]
fn configure(commands: &str) {
    let done = Command::new("/bin/sh").args(["-ec", commands]).output().expect("a shell");
    assert!(done.status.success(), "{commands}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Runs `test` with its own loopback, once with raw sockets and once with datagram ones. Where no namespace may be made,
/// nothing is tested.
#[track_caller]
fn in_namespaces(commands: &'static str, test: impl AsyncFn() + Send + Copy + 'static) {
    for (range, raw) in [("1 0", true), ("0 2147483647", false)] {
        let thread = std::thread::spawn(move || {
            if unshare(CloneFlags::CLONE_NEWNET).is_err() {
                return;
            }
            configure(&format!(
                "echo {range} > /proc/sys/net/ipv4/ping_group_range; ip link set lo up; {commands}"
            ));
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            let (_, is_raw) = ping::socket(target("127.0.0.1")).expect("a socket");
            assert_eq!(is_raw, raw, "net.ipv4.ping_group_range is {range}");
            runtime.block_on(test());
        });
        thread.join().expect("the test passes in its namespace");
    }
}

async fn ask(check: &Check, address: &str) -> Result<(), Failure> {
    probe(check, target(address)).await.result
}

#[test]
fn the_kernel_answers_on_the_loopback_whatever_the_size() {
    in_namespaces("", async || {
        for address in LOOPBACKS {
            for size in [PingSpec::LEAST, 9, 56, 1472, 20_000, PingSpec::MOST] {
                assert_eq!(ask(&pinging(size), address).await, Ok(()), "{size} bytes to {address}");
            }
        }
    });
}

#[test]
fn many_at_once_do_not_take_each_others_replies() {
    in_namespaces("", async || {
        let prober = Prober::new(&pinging(56), &mut TlsProfiles::default()).expect("a good check");
        for address in LOOPBACKS {
            let probes = (0..200).map(|_| prober.probe(target(address)));
            let outcomes: Vec<Outcome> = futures_util::future::join_all(probes).await;
            assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()), "{outcomes:?}");
        }
    });
}

#[test]
fn a_host_that_does_not_answer_times_out_waiting_for_the_reply() {
    let silence =
        "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all; echo 1 > /proc/sys/net/ipv6/icmp/echo_ignore_all";
    in_namespaces(silence, async || {
        let quick = Check { timeout: Duration::from_millis(100), ..pinging(56) };
        for address in LOOPBACKS {
            assert_eq!(ask(&quick, address).await, Err(Failure::Timeout(Phase::EchoReply)), "{address}");
        }
    });
}

#[test]
fn an_icmp_error_is_a_failure_that_says_what_and_who() {
    // A link on which nobody answers for an address: after a few questions the kernel reports the host unreachable.
    let link = "ip link add tdm0 type veth peer name tdm1; ip link set tdm0 up; ip link set tdm1 up; \
                ip addr add 192.0.2.1/24 dev tdm0; ip addr add 2001:db8::1/64 dev tdm0 nodad; \
                for family in 4 6; do echo 1 > /proc/sys/net/ipv$family/neigh/tdm0/mcast_solicit; \
                echo 50 > /proc/sys/net/ipv$family/neigh/tdm0/retrans_time_ms; done";
    in_namespaces(link, async || {
        for (address, from) in [("192.0.2.2", "192.0.2.1"), ("2001:db8::2", "2001:db8::1")] {
            let expected = Failure::Unreachable(format!("host unreachable, says {from}"));
            assert_eq!(ask(&pinging(56), address).await, Err(expected));
        }
    });
}

#[test]
fn no_route_is_unreachable_at_once() {
    in_namespaces("", async || {
        for address in ["192.0.2.1", "2001:db8::1"] {
            let outcome = probe(&pinging(56), target(address)).await;
            assert_eq!(outcome.result.map_err(|failure| failure.reason()), Err("unreachable"), "{address}");
            assert!(outcome.duration < Duration::from_secs(1));
        }
    });
}

#[test]
fn source_interface_and_mark_are_those_of_the_check() {
    let second = "ip addr add 192.0.2.1/32 dev lo; ip route add unreachable 198.51.100.0/24; \
                  ip rule add fwmark 7 pref 1 prohibit";
    in_namespaces(second, async || {
        let from = |source: &str| Check { source: source.parse().ok(), ..pinging(56) };
        assert_eq!(ask(&from("192.0.2.1"), "127.0.0.1").await, Ok(()));
        let missing = ask(&from("192.0.2.77"), "127.0.0.1").await.expect_err("not an address of this host");
        assert!(missing.to_string().contains("source address 192.0.2.77"), "{missing}");
        let family = ask(&from("::1"), "127.0.0.1").await.expect_err("two families");
        assert_eq!(family.reason(), "local");
        let on = |name: &str| Check { interface: Some(name.to_owned()), ..pinging(56) };
        assert_eq!(ask(&on("lo"), "127.0.0.1").await, Ok(()));
        let missing = ask(&on("tandem-none"), "127.0.0.1").await.expect_err("no such interface");
        assert!(missing.to_string().contains("interface tandem-none"), "{missing}");
        let unmarked = ask(&pinging(56), "198.51.100.1").await.expect_err("an unreachable route");
        assert!(unmarked.to_string().contains("no route to the host"), "{unmarked}");
        let marked = Check { mark: Some(7), ..pinging(56) };
        let marked = ask(&marked, "198.51.100.1").await.expect_err("the mark's rule");
        assert!(marked.to_string().contains("prohibits it"), "{marked}");
    });
}
