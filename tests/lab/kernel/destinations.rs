//! Destinations: every attribute that a policy can say, foreign methods, order, counters.

use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use tandem::model::{Encapsulation, Family, TunnelChecksum};

const GUE: fn(u16, TunnelChecksum) -> ForwardingMethod =
    |port, checksum| ForwardingMethod::Tunnel(Encapsulation::Gue { port, checksum });
const GRE: fn(TunnelChecksum) -> ForwardingMethod =
    |checksum| ForwardingMethod::Tunnel(Encapsulation::Gre { checksum });

/// Every method that a policy can say, with what `ipvsadm -Sn` calls it.
fn methods() -> Vec<(ForwardingMethod, &'static str)> {
    use ForwardingMethod::{DirectRoute, Masquerade, Tunnel};
    vec![
        (Masquerade, "-m"),
        (DirectRoute, "-g"),
        (Tunnel(Encapsulation::IpIp), "-i|--tun-type ipip"),
        (GUE(6080, TunnelChecksum::None), "-i|--tun-type gue --tun-port 6080 --tun-nocsum"),
        (GUE(6080, TunnelChecksum::Full), "-i|--tun-type gue --tun-port 6080 --tun-csum"),
        (GUE(65_535, TunnelChecksum::Remote), "-i|--tun-type gue --tun-port 65535 --tun-remcsum"),
        (GRE(TunnelChecksum::None), "-i|--tun-type gre --tun-nocsum"),
        (GRE(TunnelChecksum::Full), "-i|--tun-type gre --tun-csum"),
    ]
}

#[test]
fn every_method_weight_and_threshold() {
    in_namespace(|kernel| {
        let mut changes = vec![add_service(tcp(80), &scheduler("wrr"))];
        let mut wanted = BTreeMap::new();
        let mut lines = vec!["-A -t 192.168.101.100:80 -s wrr".to_owned()];
        for (index, (method, words)) in methods().into_iter().enumerate() {
            let rip = format!("192.168.101.{}", index + 1);
            let weight = [0, 1, 65_535][index % 3];
            let thresholds =
                Thresholds { upper: u32::try_from(index * 10).expect("small"), lower: u32::from(index > 0) };
            let entry = Destination { thresholds, ..destination(method, weight) };
            wanted.insert(real_server(&rip, 80), entry);
            changes.push(add_destination(tcp(80), real_server(&rip, 80), entry));
            let (flag, tunnel) = words.split_once('|').unwrap_or((words, ""));
            lines.push(format!("-a -t {VIP}:80 -r {rip}:80 {flag} -w {weight} {tunnel}").trim().to_owned());
        }
        apply(kernel, &changes);
        assert_eq!(*table(kernel)[&tcp(80)].destinations, wanted);
        lines.sort();
        assert_eq!(saved(), lines);
        let limits = run("ipvsadm -Ln --thresholds");
        let line = limits.lines().find(|line| line.contains("-> 192.168.101.5:80")).expect("our line");
        let numbers: Vec<&str> = line.split_whitespace().skip(2).collect();
        assert_eq!(numbers, ["40", "1", "0", "0"]);
    });
}

#[test]
fn other_ports_families_and_methods_that_we_never_make() {
    let six = ServiceKey::Address { protocol: Protocol::Udp, address: address(VIP6), port: 53 };
    let mark = ServiceKey::FirewallMark { family: Family::Ipv4, mark: 9 };
    let ipip = ForwardingMethod::Tunnel(Encapsulation::IpIp);
    let entries = [
        (six, real_server("fd00:192:168:101::110", 5353), destination(ForwardingMethod::Masquerade, 3)),
        (six, real_server("192.168.101.110", 53), destination(ipip, 1)),
        (tcp(80), real_server("fd00:192:168:101::110", 80), destination(ipip, 1)),
        (tcp(80), real_server("192.168.101.110", 80), destination(ForwardingMethod::Local, 1)),
        (tcp(80), real_server("192.168.101.111", 80), destination(ForwardingMethod::Bypass, 1)),
        (mark, real_server("192.168.101.110", 0), destination(ForwardingMethod::DirectRoute, 1)),
    ];
    in_namespace(|kernel| {
        let mut changes: Vec<Change> =
            [six, tcp(80), mark].iter().map(|key| add_service(*key, &scheduler("rr"))).collect();
        changes.extend(entries.iter().map(|(service, key, entry)| add_destination(*service, *key, *entry)));
        apply(kernel, &changes);
        let services = table(kernel);
        let found: Vec<(ServiceKey, DestinationKey, Destination)> = services
            .iter()
            .flat_map(|(key, service)| service.destinations.iter().map(|(rip, entry)| (*key, *rip, *entry)))
            .collect();
        assert_eq!(found.len(), entries.len());
        for entry in &entries {
            assert!(found.contains(entry), "{entry:?}");
        }
    });
}

#[test]
fn an_edit_changes_every_attribute() {
    in_namespace(|kernel| {
        let key = real_server("192.168.101.110", 80);
        let mut from = destination(ForwardingMethod::Masquerade, 1);
        apply(kernel, &[add_service(tcp(80), &scheduler("rr")), add_destination(tcp(80), key, from)]);
        let mut round: Vec<ForwardingMethod> = methods().into_iter().map(|(method, _)| method).collect();
        round.push(ForwardingMethod::Tunnel(Encapsulation::IpIp));
        round.push(ForwardingMethod::Masquerade);
        for (weight, method) in (2..).zip(round) {
            let to = Destination {
                thresholds: Thresholds { upper: weight * 2, lower: weight },
                ..destination(method, weight)
            };
            apply(kernel, &[Change::EditDestination { service: tcp(80), key, from, to }]);
            assert_eq!(table(kernel)[&tcp(80)].destinations[&key], to);
            from = to;
        }
        apply(kernel, &[Change::RemoveDestination { service: tcp(80), key }]);
        assert_eq!(*table(kernel)[&tcp(80)].destinations, BTreeMap::new());
    });
}

#[allow(clippy::disallowed_methods, reason = "waits for the kernel, with a deadline")]
/// Twenty connections through a masquerading destination of this same host.
#[test]
fn counters_are_those_that_ipvsadm_shows() {
    in_namespace(|kernel| {
        run(&format!("ip address add {VIP}/32 dev lan"));
        let key = real_server(DIP, 8080);
        let entry = destination(ForwardingMethod::Masquerade, 1);
        apply(kernel, &[add_service(tcp(80), &scheduler("rr")), add_destination(tcp(80), key, entry)]);
        let listener = TcpListener::bind((DIP, 8080)).expect("a listener");
        for _ in 0..20 {
            let mut client = TcpStream::connect((VIP, 80)).expect("the service answers");
            client.write_all(&[7; 1000]).expect("written");
            let (mut server, _) = listener.accept().expect("a connection");
            server.read_exact(&mut [0; 1000]).expect("read");
        }
        // The kernel sums its counters every two seconds.
        let deadline = Instant::now() + Duration::from_secs(6);
        let mut observed = observe(kernel);
        while observed.service_counters[&tcp(80)].connections < 20 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(100));
            observed = observe(kernel);
        }
        let service = observed.service_counters[&tcp(80)];
        let counts = observed.counts_of(&tcp(80), &key);
        assert_eq!((service.connections, counts.counters), (20, service));
        assert!(service.incoming_bytes > 20_000 && service.outgoing_bytes > 0, "{service:?}");
        let connections = counts.connections;
        assert_eq!(connections.active + connections.inactive, 20, "{connections:?}");
        let stats = run("ipvsadm -Ln --stats --exact");
        let line = stats.lines().find(|line| line.contains("-> 192.168.101.200:8080")).expect("our line");
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert_eq!(
            numbers,
            [
                service.connections,
                service.incoming_packets,
                service.outgoing_packets,
                service.incoming_bytes,
                service.outgoing_bytes
            ]
        );
    });
}
