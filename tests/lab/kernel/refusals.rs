//! What the kernel refuses, with which errno, and what we say about it.

use super::*;
use std::os::unix::process::CommandExt;

/// Applies `change`, which must fail with this errno and these words.
fn expect(kernel: &mut LinuxKernel, change: Change, errno: i32, words: &str) {
    let error = refusal(kernel, change);
    assert_eq!(error.errno, Some(errno), "{error}");
    assert!(error.message.contains(words), "{error}");
}

#[test]
fn errors_in_the_middle_of_a_batch_are_those_of_their_own_changes() {
    in_namespace(|kernel| {
        let entry = destination(ForwardingMethod::DirectRoute, 1);
        let mut changes = vec![add_service(tcp(80), &scheduler("rr"))];
        for number in 0..400_u16 {
            // Every seventh is a broadcast address; every eleventh comes a second time.
            let [high, low] = number.to_be_bytes();
            let rip = if number % 7 == 3 { "192.168.101.255".into() } else { format!("10.0.{high}.{low}") };
            changes.push(add_destination(tcp(80), real_server(&rip, 80), entry));
            if number % 11 == 5 {
                changes.push(changes[changes.len() - 1].clone());
            }
        }
        let results = kernel.apply(&changes);
        let mut seen = std::collections::BTreeSet::new();
        for (change, result) in changes.iter().zip(&results) {
            let expected = match change {
                Change::AddDestination { key, .. } if key.address == address("192.168.101.255") => {
                    Err(libc::EINVAL)
                }
                Change::AddDestination { key, .. } if !seen.insert(*key) => Err(libc::EEXIST),
                _ => Ok(()),
            };
            let errno = result.clone().map_err(|error| error.errno.expect("an errno"));
            assert_eq!(errno, expected, "{change:?}");
        }
        let succeeded = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(table(kernel)[&tcp(80)].destinations.len() + 1, succeeded);
    });
}

#[test]
fn a_batch_that_fails_altogether_has_an_error_for_each_change() {
    in_namespace(|kernel| {
        let entry = destination(ForwardingMethod::DirectRoute, 1);
        let changes: Vec<Change> = (1..=1000)
            .map(|port| add_destination(tcp(80), real_server("192.168.101.110", port), entry))
            .collect();
        let results = kernel.apply(&changes);
        assert_eq!(results.len(), 1000);
        for result in results {
            assert_eq!(result.expect_err("no such service").errno, Some(libc::ESRCH));
        }
    });
}

#[test]
fn services() {
    in_namespace(|kernel| {
        let rr = scheduler("rr");
        apply(kernel, &[add_service(tcp(80), &rr)]);
        expect(kernel, add_service(tcp(80), &rr), libc::EEXIST, "another program added it");
        expect(kernel, add_service(tcp(81), &scheduler("nosuch")), libc::ENOENT, "modprobe ip_vs_nosuch");
        let engine = ServiceConfig { persistence_engine: Some("nosuch".to_owned()), ..rr.clone() };
        expect(kernel, add_service(tcp(81), &engine), libc::ENOENT, "modprobe ip_vs_pe_nosuch");
        let edit =
            |service, to: &ServiceConfig| Change::EditService { service, from: rr.clone(), to: to.clone() };
        expect(kernel, edit(tcp(80), &scheduler("nosuch")), libc::ENOENT, "modprobe ip_vs_nosuch");
        expect(kernel, edit(tcp(82), &rr), libc::ESRCH, "it is gone");
        expect(kernel, Change::RemoveService { service: tcp(82) }, libc::ESRCH, "gone already");
        assert_eq!(saved(), ["-A -t 192.168.101.100:80 -s rr"]);
    });
}

#[test]
fn destinations() {
    in_namespace(|kernel| {
        let entry = destination(ForwardingMethod::Masquerade, 1);
        let key = real_server("192.168.101.110", 80);
        let add = |key, entry| add_destination(tcp(80), key, entry);
        let edit = |key, to| Change::EditDestination { service: tcp(80), key, from: entry, to };
        let remove = |key| Change::RemoveDestination { service: tcp(80), key };
        expect(kernel, add(key, entry), libc::ESRCH, "its virtual service is not in the kernel");
        expect(kernel, remove(key), libc::ESRCH, "gone already");
        apply(kernel, &[add_service(tcp(80), &scheduler("rr")), add(key, entry)]);
        expect(kernel, add(key, entry), libc::EEXIST, "another program added it");
        let other = real_server("192.168.101.111", 80);
        expect(kernel, edit(other, entry), libc::ENOENT, "it is gone");
        expect(kernel, remove(other), libc::ENOENT, "gone already");
        for rip in ["192.168.101.255", "224.0.0.1", "0.0.0.0", "255.255.255.255"] {
            expect(kernel, add(real_server(rip, 80), entry), libc::EINVAL, "broadcast, multicast");
        }
        let six = real_server("fd00:192:168:101::110", 80);
        expect(kernel, add(six, entry), libc::EINVAL, "needs forwarding by tunnel");
        let upside_down = Destination { thresholds: Thresholds { upper: 1, lower: 2 }, ..entry };
        expect(kernel, add(other, upside_down), libc::ERANGE, "lower threshold is above");
        expect(kernel, edit(key, upside_down), libc::ERANGE, "lower threshold is above");
        let heavy = destination(ForwardingMethod::Masquerade, u32::MAX);
        expect(kernel, add(other, heavy), libc::ERANGE, "weight");
    });
}

#[test]
fn ipv6_prefixes_and_destinations_and_timeouts() {
    let six = ServiceKey::Address { protocol: Protocol::Tcp, address: address(VIP6), port: 80 };
    in_namespace(|kernel| {
        apply(kernel, &[add_service(six, &scheduler("rr"))]);
        let persistence = Some(tandem::model::Persistence { timeout_s: 60, prefix: 0 });
        let everyone = ServiceConfig { persistence, ..scheduler("rr") };
        let change = Change::EditService { service: six, from: scheduler("rr"), to: everyone };
        expect(kernel, change, libc::EINVAL, "1 to 128 bits");
        let to = tandem::model::Timeouts { tcp_s: Some(u32::MAX), ..Default::default() };
        expect(kernel, Change::SetTimeouts { to }, libc::EINVAL, "longer than the kernel can count");
        for rip in ["ff02::1", "fe80::1", "::"] {
            let change =
                add_destination(six, real_server(rip, 80), destination(ForwardingMethod::DirectRoute, 1));
            expect(kernel, change, libc::EINVAL, "link-local");
        }
    });
}

#[test]
fn a_namespace_without_an_address_takes_no_destination() {
    in_bare_namespace(|| {
        let mut kernel = LinuxKernel::new();
        apply(&mut kernel, &[add_service(tcp(80), &scheduler("rr"))]);
        let entry = destination(ForwardingMethod::DirectRoute, 1);
        let change = add_destination(tcp(80), real_server("192.168.101.110", 80), entry);
        expect(&mut kernel, change, libc::EINVAL, "no address is up in this network namespace");
    });
}

/// Runs [`child_without_privilege`] in the case's namespace as nobody.
#[test]
fn without_privilege() {
    in_namespace(|_| {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args(["--exact", "kernel::refusals::child_without_privilege", "--ignored", "--nocapture"]);
        let output = child.uid(65_534).gid(65_534).output().expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    });
}

#[test]
#[ignore = "the case above runs it as nobody"]
fn child_without_privilege() {
    let mut kernel = LinuxKernel::new();
    let error = kernel.observe(&Scope::default()).expect_err("refused");
    assert_eq!(error.errno, Some(libc::EPERM), "{error}");
    assert!(error.message.contains("CAP_NET_ADMIN"), "{error}");
    expect(&mut kernel, add_service(tcp(80), &scheduler("rr")), libc::EPERM, "CAP_NET_ADMIN");
    let sysctl = tandem::model::Sysctl::from_path("net/ipv4/vs/conntrack");
    let set = Change::SetSysctl { sysctl, from: "0".to_owned(), to: "1".to_owned() };
    expect(&mut kernel, set, libc::EACCES, "it needs root");
    let address = "10.9.0.1/32".parse().expect("an address");
    let held = tandem::model::VirtualAddress { address, interface: "lan".to_owned() };
    expect(&mut kernel, Change::AddAddress { address: held }, libc::EPERM, "CAP_NET_ADMIN");
    let error = refusal(&mut kernel, Change::RemoveRuleset);
    assert!(error.message.contains("Operation not permitted"), "{error}");
}
