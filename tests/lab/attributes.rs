//! Whatever a policy can say of a service, a destination or IPVS itself is set by the running director, and `ipvsadm` reads
//! it back.

mod maglev;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::lone::Lone;
use crate::world::World;
use crate::world::addresses::near;
use crate::world::director::Director;
use crate::world::wait::until;

const LIMIT: Duration = Duration::from_secs(10);
/// Before each pool; what a pool says itself goes before it.
const DEFAULTS: &str = "
policy_version: 1
defaults: {pool: {scheduler: rr, forwarding: dr, check: none}}
virtual_addresses: [{address: 192.168.101.100/24, interface: eth0}, {address: 'fd00:192:168:101::100/64', interface: eth0}]
pools:
";

/// Runs a director with pools (the inside of a YAML flow mapping each), and compares the table with `ipvsadm -Sn`'s lines
/// for each. When the director has stopped, its plan finds nothing to change: it reads what it wrote.
#[track_caller]
fn assert_read_back(pools: &[(&str, &[&str])]) {
    let host = Lone::new();
    let text = pools.iter().enumerate().map(|(number, (pool, _))| format!("  p{number}: {{{pool}}}\n"));
    let policy = format!("{DEFAULTS}{}", text.collect::<String>());
    let mut wanted: Vec<&str> = pools.iter().flat_map(|(_, lines)| *lines).copied().collect();
    wanted.sort_unstable();
    let mut director = host.start(&policy);
    until("table", LIMIT, || {
        let mut found: Vec<String> =
            host.machine.ipvs_saved().iter().map(|line| line.trim().to_owned()).collect();
        found.sort();
        let missing: Vec<_> = wanted.iter().filter(|line| !found.iter().any(|it| it == *line)).collect();
        if found == wanted { Ok(()) } else { Err(format!("missing {missing:#?}\nof {found:#?}")) }
    });
    assert_counted(&host, &wanted);
    director.stop();
    let plan = director.plan();
    assert_eq!(plan.status.code(), Some(0), "{}", String::from_utf8_lossy(&plan.stdout));
}

/// `ipvsadm -Ln --stats` has a line for each service and each destination.
#[track_caller]
fn assert_counted(host: &Lone, lines: &[&str]) {
    let word_behind = |line: &str, names: &[&str]| {
        let words: Vec<&str> = line.split(' ').collect();
        let place = words.iter().position(|word| names.contains(word)).expect("an address");
        words[place + 1].to_owned()
    };
    let mut wanted: Vec<String> = lines
        .iter()
        .map(|line| match line.starts_with("-A") {
            true => word_behind(line, &["-t", "-u", "--sctp-service", "-f"]),
            false => word_behind(line, &["-r"]),
        })
        .collect();
    let mut found: Vec<String> = host.machine.ipvs_counters().into_iter().map(|(name, _)| name).collect();
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted);
}

#[test]
fn services_of_every_protocol_family_and_mark() {
    assert_read_back(&[
        (
            "virtual_services: [tcp://192.168.101.100:80], real_servers: [192.168.101.110]",
            &["-A -t 192.168.101.100:80 -s rr", "-a -t 192.168.101.100:80 -r 192.168.101.110:80 -g -w 1"],
        ),
        (
            "virtual_services: [udp://192.168.101.100:80], real_servers: []",
            &["-A -u 192.168.101.100:80 -s rr"],
        ),
        (
            "virtual_services: [sctp://192.168.101.100:80], real_servers: [192.168.101.110]",
            &[
                "-A --sctp-service 192.168.101.100:80 -s rr",
                "-a --sctp-service 192.168.101.100:80 -r 192.168.101.110:80 -g -w 1",
            ],
        ),
        (
            "virtual_services: ['tcp://[fd00:192:168:101::100]:80'], real_servers: ['fd00:192:168:101::110']",
            &[
                "-A -t [fd00:192:168:101::100]:80 -s rr",
                "-a -t [fd00:192:168:101::100]:80 -r [fd00:192:168:101::110]:80 -g -w 1",
            ],
        ),
        (
            "virtual_services: ['udp://[fd00:192:168:101::100]:80'], real_servers: []",
            &["-A -u [fd00:192:168:101::100]:80 -s rr"],
        ),
        (
            "virtual_services: ['sctp://[fd00:192:168:101::100]:80'], real_servers: []",
            &["-A --sctp-service [fd00:192:168:101::100]:80 -s rr"],
        ),
        (
            "virtual_services: [fwmark://7, fwmark6://0x7], real_servers: [{addresses: [192.168.101.110, 'fd00:192:168:101::110']}]",
            &[
                "-A -f 7 -s rr",
                "-a -f 7 -r 192.168.101.110:0 -g -w 1",
                "-A -f 7 -6 -s rr",
                "-a -f 7 -6 -r [fd00:192:168:101::110]:0 -g -w 1",
            ],
        ),
    ]);
}

#[test]
fn every_scheduler_of_this_kernel() {
    let schedulers = tandem::model::SCHEDULERS.into_iter().filter(|name| {
        // Debian's kernel leaves `twos` out: a scheduler may only be missing where its module is.
        let module = Command::new("modinfo").arg(format!("ip_vs_{name}")).output();
        module.is_ok_and(|output| output.status.success())
    });
    let pools: Vec<(String, String)> = schedulers
        .zip(1000..)
        .map(|(name, port)| {
            let pool = format!(
                "virtual_services: [tcp://192.168.101.100:{port}], scheduler: {name}, real_servers: []"
            );
            // The fallback of mh is on unless the policy says otherwise.
            let flags = if name == "mh" { " -b mh-fallback" } else { "" };
            (pool, format!("-A -t 192.168.101.100:{port} -s {name}{flags}"))
        })
        .collect();
    assert!(pools.len() >= 13, "{pools:?}");
    let lines: Vec<[&str; 1]> = pools.iter().map(|(_, line)| [line.as_str()]).collect();
    let pools: Vec<(&str, &[&str])> =
        pools.iter().zip(&lines).map(|((pool, _), line)| (pool.as_str(), line.as_slice())).collect();
    assert_read_back(&pools);
}

#[test]
fn flags_of_schedulers_and_services() {
    let service = |port: u16, rest: &str| {
        format!("virtual_services: [udp://192.168.101.100:{port}], real_servers: [], {rest}")
    };
    let said = [
        service(1, "scheduler: {sh: {fallback: true}}"),
        service(2, "scheduler: {sh: {fallback: true, port: true}}"),
        service(3, "scheduler: {mh: {fallback: false}}"),
        service(4, "scheduler: {mh: {port: true}}"),
        service(5, "one_packet: true"),
        service(6, "persistence: {}"),
        service(7, "persistence: {timeout: 90s, prefix: {ipv4: 24}}"),
        service(8, "persistence: {timeout: 31d, prefix: {ipv4: 0}}"),
        service(9, "persistence: {timeout: 1m, engine: sip}"),
        service(0, "persistence: {timeout: 6m}"),
        "virtual_services: ['tcp://[fd00:192:168:101::100]:1'], real_servers: [], persistence: {prefix: {ipv6: 64}}"
            .to_owned(),
        "virtual_services: [fwmark6://9], real_servers: [], persistence: {timeout: 5s, prefix: {ipv6: 1}}".to_owned(),
    ];
    let lines: [&[&str]; 12] = [
        &["-A -u 192.168.101.100:1 -s sh -b sh-fallback"],
        &["-A -u 192.168.101.100:2 -s sh -b sh-fallback,sh-port"],
        &["-A -u 192.168.101.100:3 -s mh"],
        &["-A -u 192.168.101.100:4 -s mh -b mh-fallback,mh-port"],
        &["-A -u 192.168.101.100:5 -s rr -o"],
        &["-A -u 192.168.101.100:6 -s rr -p 300"],
        &["-A -u 192.168.101.100:7 -s rr -p 90 -M 255.255.255.0"],
        &["-A -u 192.168.101.100:8 -s rr -p 2678400 -M 0.0.0.0"],
        &["-A -u 192.168.101.100:9 -s rr -p 60 --pe sip"],
        &["-A -u 192.168.101.100:0 -s rr -p 360"],
        &["-A -t [fd00:192:168:101::100]:1 -s rr -p 300 -M 64"],
        &["-A -f 9 -6 -s rr -p 5 -M 1"],
    ];
    assert_read_back(&said.iter().map(String::as_str).zip(lines).collect::<Vec<_>>());
}

#[test]
fn destinations_of_every_method_and_weight() {
    let server = |forwarding: &str, port: u16, rest: &str| {
        format!(
            "virtual_services: [tcp://192.168.101.100:{port}], forwarding: {forwarding}, \
             real_servers: [{{address: 192.168.101.110{rest}}}]"
        )
    };
    let tun = |words: &str| format!("{{tun: {{encapsulation: {words}}}}}");
    let cases = [
        (server("dr", 1, ", weight: 0"), "1 -g -w 0"),
        (server("dr", 2, ", weight: 65535"), "2 -g -w 65535"),
        (server("nat", 3, ", port: 8080"), "8080 -m -w 1"),
        (server("full-nat", 4, ", port: 8081"), "8081 -m -w 1"),
        (server("tun", 5, ""), "5 -i -w 1 --tun-type ipip"),
        (server(&tun("gue, port: 6080"), 6, ""), "6 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum"),
        (
            server(&tun("gue, port: 6080, checksum: full"), 7, ""),
            "7 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum",
        ),
        (
            server(&tun("gue, port: 65535, checksum: remote"), 8, ""),
            "8 -i -w 1 --tun-type gue --tun-port 65535 --tun-remcsum",
        ),
        (server(&tun("gre"), 9, ""), "9 -i -w 1 --tun-type gre --tun-nocsum"),
        (server(&tun("gre, checksum: full"), 10, ""), "10 -i -w 1 --tun-type gre --tun-csum"),
    ];
    let lines: Vec<[String; 2]> = (1..)
        .zip(&cases)
        .map(|(port, (_, rest))| {
            let service = format!("-t 192.168.101.100:{port}");
            [format!("-A {service} -s rr"), format!("-a {service} -r 192.168.101.110:{rest}")]
        })
        .collect();
    let lines: Vec<[&str; 2]> = lines.iter().map(|lines| lines.each_ref().map(String::as_str)).collect();
    assert_read_back(
        &cases
            .iter()
            .zip(&lines)
            .map(|((pool, _), lines)| (pool.as_str(), lines.as_slice()))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn thresholds_and_timeouts() {
    let host = Lone::new();
    let policy = format!(
        "{DEFAULTS}  web:
    virtual_services: [tcp://192.168.101.100:80]
    real_servers:
      - {{address: 192.168.101.110, thresholds: {{upper: 1000, lower: 800}}}}
      - {{address: 192.168.101.210, thresholds: {{upper: 2147483647}}}}
kernel: {{timeouts: {{tcp: 20m, tcp_fin: 45s, udp: 10s}}, expire_nodest_conn: true}}
"
    );
    let director = host.start(&policy);
    let wanted = ["192.168.101.110:80 1000 800 0 0", "192.168.101.210:80 2147483647 0 0 0"];
    let listing = host.machine.run("ipvsadm -Ln --thresholds");
    let found: Vec<String> = listing
        .lines()
        .filter_map(|line| {
            Some(line.trim().strip_prefix("-> ")?.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .filter(|line| line.starts_with("192"))
        .collect();
    assert_eq!(found, wanted);
    assert_eq!(host.machine.run("ipvsadm -Ln --timeout").trim(), "Timeout (tcp tcpfin udp): 1200 45 10");
    assert_eq!(host.machine.read_sysctl("net.ipv4.vs.expire_nodest_conn"), "1");
    drop(director);
}

/// Real requests: what `ipvsadm --stats` counts is what the metrics say.
#[test]
fn counters_are_those_of_the_kernel() {
    let world = World::new();
    for server in &world.real_servers {
        server.set_up_nat(near(200));
    }
    let policy = format!(
        "{DEFAULTS}  web: {{virtual_services: [tcp://192.168.101.100:80], forwarding: nat, \
         real_servers: [192.168.101.110, 192.168.101.210]}}\n"
    );
    let director = Director::start(world.director(), world.folder(), &policy);
    let vip = SocketAddr::new(near(100).ipv4.into(), 80);
    for _ in 0..10 {
        world.far_client.fetch(vip, "/").expect("an answer");
    }
    until("same counters", LIMIT, || same_counters(&world, &director));
}

fn same_counters(world: &World, director: &Director<'_>) -> Result<(), String> {
    let counters = world.director().ipvs_counters();
    let (_, service) = counters.first().ok_or("no service")?;
    let pool = "pool=\"web\",service=\"tcp://192.168.101.100:80\"";
    let metric = |name: &str| director.metric(&format!("tandem_ipvs_service_{name}_total{{{pool}}}"));
    let names = ["connections", "incoming_packets", "outgoing_packets", "incoming_bytes", "outgoing_bytes"];
    let found = names.map(metric);
    let counted =
        [service.connections, service.packets_in, service.packets_out, service.bytes_in, service.bytes_out];
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let wanted = counted.map(|number| Some(number as f64));
    if service.connections == 10 && found == wanted {
        Ok(())
    } else {
        Err(format!("{found:?}, not {wanted:?}"))
    }
}
