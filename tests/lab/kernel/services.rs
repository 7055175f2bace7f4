//! Services: every attribute that a policy can say, set by us, read back by `ipvsadm` and by our own dump.

use super::*;
use tandem::model::{Family, Persistence, SCHEDULERS, Timeouts};

/// Sets services and compares our dump with them, and `ipvsadm -Sn` with `lines`.
fn set_and_read_back(services: Vec<(ServiceKey, ServiceConfig)>, lines: &[&str]) {
    in_namespace(|kernel| {
        let changes: Vec<Change> = services.iter().map(|(key, config)| add_service(*key, config)).collect();
        apply(kernel, &changes);
        let wanted: BTreeMap<ServiceKey, ServiceConfig> = services.into_iter().collect();
        let found = table(kernel).into_iter().map(|(key, service)| (key, service.config)).collect();
        assert_eq!(wanted, found);
        let mut lines: Vec<&str> = lines.to_vec();
        lines.sort_unstable();
        assert_eq!(saved(), lines);
    });
}

#[test]
fn every_scheduler() {
    // Debian's kernel leaves `twos` out: a scheduler may only be missing where its module is.
    let in_this_kernel = |name: &&str| {
        let module = Command::new("modinfo").arg(format!("ip_vs_{name}")).output();
        module.is_ok_and(|output| output.status.success()) || *name != "twos"
    };
    let schedulers: Vec<(u16, &str)> =
        (1000..).zip(SCHEDULERS).filter(|(_, name)| in_this_kernel(name)).collect();
    let services = schedulers.iter().map(|(port, name)| (tcp(*port), scheduler(name))).collect();
    let lines: Vec<String> =
        schedulers.iter().map(|(port, name)| format!("-A -t {VIP}:{port} -s {name}")).collect();
    set_and_read_back(services, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn scheduler_flags_and_one_packet_scheduling() {
    let flags = |name, scheduler_1, scheduler_2, scheduler_3| ServiceConfig {
        flags: ServiceFlags { scheduler_1, scheduler_2, scheduler_3, one_packet: false },
        ..scheduler(name)
    };
    let udp = ServiceKey::Address { protocol: Protocol::Udp, address: address(VIP), port: 53 };
    let one_packet = ServiceFlags { one_packet: true, ..ServiceFlags::default() };
    set_and_read_back(
        vec![
            (tcp(1), flags("sh", true, false, false)),
            (tcp(2), flags("sh", true, true, false)),
            (tcp(3), flags("mh", false, true, false)),
            (tcp(4), flags("mh", true, true, false)),
            (tcp(5), flags("rr", true, false, true)),
            (udp, ServiceConfig { flags: one_packet, ..scheduler("rr") }),
        ],
        &[
            "-A -t 192.168.101.100:1 -s sh -b sh-fallback",
            "-A -t 192.168.101.100:2 -s sh -b sh-fallback,sh-port",
            "-A -t 192.168.101.100:3 -s mh -b mh-port",
            "-A -t 192.168.101.100:4 -s mh -b mh-fallback,mh-port",
            "-A -t 192.168.101.100:5 -s rr -b flag-1,flag-3",
            "-A -u 192.168.101.100:53 -s rr -o",
        ],
    );
}

#[test]
fn every_protocol_family_and_mark() {
    let of = |protocol, vip, port| ServiceKey::Address { protocol, address: address(vip), port };
    let mark = |family| ServiceKey::FirewallMark { family, mark: 2_147_483_647 };
    let rr = || scheduler("rr");
    set_and_read_back(
        vec![
            (of(Protocol::Tcp, VIP, 80), rr()),
            (of(Protocol::Udp, VIP, 80), rr()),
            (of(Protocol::Sctp, VIP, 80), rr()),
            (of(Protocol::Tcp, VIP6, 80), rr()),
            (of(Protocol::Udp, VIP6, 80), rr()),
            (of(Protocol::Sctp, VIP6, 80), rr()),
            (mark(Family::Ipv4), rr()),
            (mark(Family::Ipv6), rr()),
        ],
        &[
            "-A -t 192.168.101.100:80 -s rr",
            "-A -u 192.168.101.100:80 -s rr",
            "-A --sctp-service 192.168.101.100:80 -s rr",
            "-A -t [fd00:192:168:101::100]:80 -s rr",
            "-A -u [fd00:192:168:101::100]:80 -s rr",
            "-A --sctp-service [fd00:192:168:101::100]:80 -s rr",
            "-A -f 2147483647 -s rr",
            "-A -f 2147483647 -6 -s rr",
        ],
    );
}

#[test]
fn persistence_with_its_prefix_and_engine() {
    let lasting = |timeout_s, prefix| ServiceConfig {
        persistence: Some(Persistence { timeout_s, prefix }),
        ..scheduler("wlc")
    };
    let of = |protocol, vip, port| ServiceKey::Address { protocol, address: address(vip), port };
    let sip = ServiceConfig { persistence_engine: Some("sip".to_owned()), ..lasting(300, 32) };
    set_and_read_back(
        vec![
            (tcp(0), lasting(360, 32)),
            (tcp(1), lasting(1, 24)),
            (tcp(2), lasting(2_678_400, 0)),
            (of(Protocol::Udp, VIP, 5060), sip),
            (of(Protocol::Tcp, VIP6, 0), lasting(600, 128)),
            (of(Protocol::Tcp, VIP6, 1), lasting(600, 64)),
            (ServiceKey::FirewallMark { family: Family::Ipv6, mark: 7 }, lasting(600, 1)),
        ],
        &[
            "-A -t 192.168.101.100:0 -s wlc -p 360",
            "-A -t 192.168.101.100:1 -s wlc -p 1 -M 255.255.255.0",
            "-A -t 192.168.101.100:2 -s wlc -p 2678400 -M 0.0.0.0",
            "-A -u 192.168.101.100:5060 -s wlc -p 300 --pe sip",
            "-A -t [fd00:192:168:101::100]:0 -s wlc -p 600",
            "-A -t [fd00:192:168:101::100]:1 -s wlc -p 600 -M 64",
            "-A -f 7 -6 -s wlc -p 600 -M 1",
        ],
    );
}

#[test]
fn an_edit_sets_and_clears_every_attribute() {
    let plain = scheduler("rr");
    let full = ServiceConfig {
        scheduler: SchedulerName("mh".to_owned()),
        flags: ServiceFlags { one_packet: true, scheduler_1: true, scheduler_2: true, scheduler_3: true },
        persistence: Some(Persistence { timeout_s: 90, prefix: 8 }),
        persistence_engine: Some("sip".to_owned()),
    };
    let udp = ServiceKey::Address { protocol: Protocol::Udp, address: address(VIP), port: 5060 };
    in_namespace(|kernel| {
        apply(kernel, &[add_service(udp, &plain)]);
        for (from, to) in [(&plain, &full), (&full, &plain)] {
            apply(kernel, &[Change::EditService { service: udp, from: from.clone(), to: to.clone() }]);
            assert_eq!(table(kernel)[&udp].config, *to);
        }
        apply(kernel, &[Change::RemoveService { service: udp }]);
        assert_eq!(table(kernel), BTreeMap::new());
    });
}

#[test]
fn what_ipvsadm_sets_is_read() {
    in_namespace(|kernel| {
        run("ipvsadm -A -t 192.168.101.100:80 -s sh -b sh-port -p 99 -M 255.255.0.0");
        run("ipvsadm -a -t 192.168.101.100:80 -r 192.168.101.110:8080 -m -w 7 -x 20 -y 10");
        let services = table(kernel);
        let service = &services[&tcp(80)];
        assert_eq!(service.config.persistence, Some(Persistence { timeout_s: 99, prefix: 16 }));
        assert!(service.config.flags.scheduler_2 && !service.config.flags.scheduler_1);
        let wanted = Destination {
            thresholds: Thresholds { upper: 20, lower: 10 },
            ..destination(ForwardingMethod::Masquerade, 7)
        };
        assert_eq!(*service.destinations, BTreeMap::from([(real_server("192.168.101.110", 8080), wanted)]));
    });
}

#[test]
fn a_timeout_is_set_and_the_others_stay() {
    in_namespace(|kernel| {
        let before = observe(kernel).timeouts;
        assert_eq!(before, Timeouts { tcp_s: Some(900), tcp_fin_s: Some(120), udp_s: Some(300) });
        apply(kernel, &[Change::SetTimeouts { to: Timeouts { tcp_fin_s: Some(45), ..Timeouts::default() } }]);
        assert_eq!(observe(kernel).timeouts, Timeouts { tcp_fin_s: Some(45), ..before });
        assert_eq!(run("ipvsadm -Ln --timeout").trim(), "Timeout (tcp tcpfin udp): 900 45 300");
        let all = Timeouts { tcp_s: Some(7_200), tcp_fin_s: Some(30), udp_s: Some(10) };
        apply(kernel, &[Change::SetTimeouts { to: all }]);
        assert_eq!(observe(kernel).timeouts, all);
    });
}
