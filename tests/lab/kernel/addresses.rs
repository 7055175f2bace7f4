//! Addresses, host facts and sysctls.

use super::*;
use std::collections::BTreeSet;
use tandem::kernel::host_facts;
use tandem::model::{Reach, Sysctl, VirtualAddress};

fn held(address: &str, interface: &str) -> VirtualAddress {
    VirtualAddress { address: address.parse().expect("an address"), interface: interface.to_owned() }
}

#[test]
fn addresses_come_and_go() {
    in_namespace(|kernel| {
        let wanted = BTreeSet::from([
            held("192.168.101.100/32", "lan"),
            held("fd00:192:168:101::100/128", "lan"),
            held("10.9.0.1/24", "lan"),
        ]);
        let missing = held("10.9.0.2/24", "lan");
        let mut asked = wanted.clone();
        asked.insert(missing);
        asked.insert(held("10.9.0.3/24", "nosuch"));
        let scope = Scope { addresses: asked, ..Scope::default() };
        let there = |kernel: &mut LinuxKernel| kernel.observe(&scope).expect("readable").addresses;
        assert_eq!(there(kernel), BTreeSet::new());
        let add: Vec<Change> =
            wanted.iter().map(|address| Change::AddAddress { address: address.clone() }).collect();
        apply(kernel, &add);
        assert_eq!(there(kernel), wanted);
        let shown = run("ip -oneline address show dev lan");
        assert!(shown.contains("inet6 fd00:192:168:101::100/128"), "{shown}");
        assert!(!shown.contains("tentative"), "{shown}");
        // No source of ours: a real server that holds the VIP too would drop what comes from it.
        assert!(shown.contains("deprecated"), "{shown}");
        let route = run("ip -6 route get fd00:192:168:101::110");
        assert!(route.contains("src fd00:192:168:101::200"), "{route}");
        let remove: Vec<Change> =
            wanted.iter().map(|address| Change::RemoveAddress { address: address.clone() }).collect();
        apply(kernel, &remove);
        assert_eq!(there(kernel), BTreeSet::new());
    });
}

#[test]
fn addresses_that_cannot_be_say_why() {
    in_namespace(|kernel| {
        let add = |text| Change::AddAddress { address: held(text, "lan") };
        apply(kernel, &[add("10.9.0.1/24"), add("fd00:9::1/64")]);
        for (change, errno, words) in [
            (add("10.9.0.1/32"), libc::EEXIST, "holds it as 10.9.0.1/24 already"),
            (add("fd00:9::1/128"), libc::EEXIST, "holds it as fd00:9::1/64 already"),
            (add("10.9.0.1/24"), libc::EEXIST, "File exists"),
            (
                Change::AddAddress { address: held("10.9.0.1/24", "nosuch") },
                libc::ENODEV,
                "there are lo, lan",
            ),
            (
                Change::RemoveAddress { address: held("10.9.0.1/32", "lan") },
                libc::EADDRNOTAVAIL,
                "does not hold it",
            ),
        ] {
            let error = refusal(kernel, change);
            assert_eq!(error.errno, Some(errno), "{error}");
            assert!(error.message.contains(words), "{error}");
        }
    });
}

#[test]
fn the_host_says_how_it_reaches_addresses() {
    in_namespace(|_| {
        run("ip route add 10.1.0.0/16 via 192.168.101.1");
        run("ip route add fd00:1::/64 via fd00:192:168:101::1");
        run("ip route add blackhole 10.2.0.0/16");
        run("ip route add unreachable 10.3.0.0/16");
        run("ip route add prohibit 10.4.0.0/16");
        run("ip route add 10.5.0.0/16 via inet6 fd00:192:168:101::1");
        let on_link = || Reach::OnLink { interface: "lan".into() };
        let gateway = || Reach::Gateway { interface: "lan".into() };
        let expected: BTreeMap<IpAddr, Reach> = [
            (DIP, Reach::Local),
            ("192.168.101.110", on_link()),
            ("192.168.101.255", Reach::Unreachable),
            ("fd00:192:168:101::110", on_link()),
            ("fd00:192:168:101::200", Reach::Local),
            ("10.1.2.3", gateway()),
            ("fd00:1::3", gateway()),
            ("10.5.2.3", gateway()),
            ("10.2.0.1", Reach::Unreachable),
            ("10.3.0.1", Reach::Unreachable),
            ("10.4.0.1", Reach::Unreachable),
            ("172.16.0.1", Reach::Unreachable),
            ("fd00:2::1", Reach::Unreachable),
        ]
        .into_iter()
        .map(|(text, reach)| (address(text), reach))
        .collect();
        let facts = host_facts(&expected.keys().copied().collect()).expect("the kernel answers");
        assert_eq!(facts.reach, expected);
    });
}

#[test]
fn settings_are_read_and_written() {
    in_namespace(|kernel| {
        let conntrack = Sysctl::from_path("net/ipv4/vs/conntrack");
        let range = Sysctl::from_path("net/ipv4/ip_local_port_range");
        let missing = Sysctl::from_path("net/ipv4/vs/nosuch");
        let asked = BTreeSet::from([conntrack.clone(), range.clone(), missing.clone()]);
        let scope = Scope { sysctls: asked, ..Scope::default() };
        let found = |kernel: &mut LinuxKernel| kernel.observe(&scope).expect("readable").sysctls;
        let before = found(kernel);
        assert_eq!((before[&conntrack].as_str(), before.len()), ("0", 2));
        let set = |sysctl: &Sysctl, to: &str| Change::SetSysctl {
            sysctl: sysctl.clone(),
            from: String::new(),
            to: to.to_owned(),
        };
        apply(kernel, &[set(&conntrack, "1"), set(&range, "10000 20000")]);
        let after = found(kernel);
        assert_eq!((after[&conntrack].as_str(), after[&range].as_str()), ("1", "10000 20000"));
        assert_eq!(run("sysctl -n net.ipv4.vs.conntrack").trim(), "1");
        let error = refusal(kernel, set(&missing, "1"));
        assert!(error.message.contains("this kernel does not have it"), "{error}");
        let error = refusal(kernel, set(&conntrack, "many"));
        assert!(error.message.contains("does not take this value"), "{error}");
    });
}
