//! What a policy means: the values that come out, where text and defaults leave room for doubt.

use crate::Memory;
use std::path::Path;
use std::time::Duration;
use tandem::model::{
    Condition, Family, Forwarding, Initial, OnFailure, OnStop, PROBE_MARKS, Persistence, PingSpec, Policy,
    Pool, ProbeSpec, RealServer, Secret, ServiceKey, Verify,
};
use tandem::policy::{self, Colour, View};

/// The policy of a text; warnings are allowed.
#[track_caller]
fn policy(text: &str) -> Policy {
    let loaded = policy::load(
        Path::new("policy.yaml"),
        &Memory::of(format!("policy_version: 1\n{text}").as_bytes()),
        View::First,
    );
    let shown: String = loaded
        .diagnostics
        .iter()
        .map(|found| policy::render(found, &loaded.sources, Colour::Plain))
        .collect();
    loaded.policy.unwrap_or_else(|| panic!("{shown}"))
}

/// The pool `web` with these keys.
#[track_caller]
fn web(keys: &str) -> Pool {
    policy(&format!("pools: {{web: {{{keys}}}}}")).pools["web"].clone()
}

#[test]
fn what_is_not_said_has_the_documented_default() {
    let policy = policy(
        "pools: {web: {virtual_services: [tcp://192.0.2.1:80], forwarding: dr, check: {http: }, real_servers: [192.0.2.11]}}",
    );
    let (pool, check) = (&policy.pools["web"], &policy.checks["web/check"]);
    assert_eq!((pool.on_failure, pool.initial, pool.untracked), (OnFailure::Remove, Initial::Down, false));
    assert_eq!(pool.services[0].config.scheduler.0, "wlc");
    assert_eq!((pool.servers[0].weight, pool.servers[0].port), (1, None));
    assert_eq!(&*pool.servers[0].name, "192.0.2.11:80");
    assert_eq!((check.interval, check.timeout), (Duration::from_secs(2), Duration::from_secs(1)));
    assert_eq!((check.rise, check.fall), (2, 3));
    let ProbeSpec::Http(spec) = &check.probe else { panic!("not http") };
    assert_eq!(
        (spec.method.as_str(), spec.path.as_str(), spec.status.as_slice()),
        ("GET", "/", &[200..=299][..])
    );
    assert_eq!(policy.metrics.listen.to_string(), "127.0.0.1:9752");
    assert_eq!((policy.metrics.per_server, policy.on_stop), (true, OnStop::Keep));
}

#[test]
fn mh_quiesces_with_fallback_unless_told_otherwise() {
    let pool = |scheduler: &str| {
        web(&format!(
            "virtual_services: [tcp://192.0.2.1:80], forwarding: dr, check: none, real_servers: [], {scheduler}"
        ))
    };
    let flags =
        |pool: &Pool| (pool.services[0].config.flags.scheduler_1, pool.services[0].config.flags.scheduler_2);
    let plain = pool("scheduler: mh");
    assert_eq!((plain.on_failure, flags(&plain)), (OnFailure::Quiesce, (true, false)));
    let without = pool("scheduler: {mh: {fallback: false, port: true}}");
    assert_eq!((without.on_failure, flags(&without)), (OnFailure::Remove, (false, true)));
    let told = pool("scheduler: mh, on_failure: remove");
    assert_eq!(told.on_failure, OnFailure::Remove);
    let source = pool("scheduler: sh");
    assert_eq!((source.on_failure, flags(&source)), (OnFailure::Remove, (false, false)));
}

#[test]
fn joined_ports_are_one_service_a_family() {
    let pool = web(
        "virtual_services: [{protocol: tcp, address: 192.0.2.1, ports: [443, 80]}, \"tcp://[2001:db8::1]:80\"], \
         join_ports: true, forwarding: tun, check: none, real_servers: [192.0.2.11], \
         persistence: {timeout: 1m, prefix: {ipv4: 24}}",
    );
    let services: Vec<String> = pool.services.iter().map(|service| service.key.to_string()).collect();
    assert_eq!(services, ["fwmark://1960426654", "fwmark6://1960426654"]);
    let joined: Vec<String> = pool.services[0].joined.iter().map(ToString::to_string).collect();
    assert_eq!(joined, ["tcp://192.0.2.1:80", "tcp://192.0.2.1:443"]);
    assert_eq!(pool.services[0].config.persistence, Some(Persistence { timeout_s: 60, prefix: 24 }));
    assert_eq!(pool.services[1].config.persistence, Some(Persistence { timeout_s: 60, prefix: 128 }));
}

#[test]
fn a_host_with_both_families_is_a_server_of_each_that_the_pool_serves() {
    let sets = "server_sets: {front: [{name: web1, addresses: [192.0.2.11, \"2001:db8::11\"]}]}\n";
    let pools = "pools:\n  both: {virtual_services: [tcp://192.0.2.1:80, \"tcp://[2001:db8::1]:80\"], forwarding: nat, \
                 check: none, real_servers: {set: front, port: 8080}}\n  one: {virtual_services: [tcp://192.0.2.2:80], \
                 forwarding: nat, check: none, real_servers: {set: front}}\n";
    let policy = policy(&format!("{sets}{pools}"));
    let names = |pool: &str| {
        policy.pools[pool].servers.iter().map(|server| server.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("both"), ["web1-ipv4", "web1-ipv6"]);
    assert_eq!(names("one"), ["web1"]);
    assert!(policy.pools["both"].servers.iter().all(|server| server.port == Some(8080)));
    for service in &policy.pools["both"].services {
        assert_eq!(policy.pools["both"].servers_of(&service.key).count(), 1);
    }
}

#[test]
fn a_check_from_another_keeps_what_it_does_not_say() {
    let policy = policy(
        "checks: {alive: {http: {path: /healthz, host: a.example.com}, interval: 5s, fall: 2}}\n\
         pools:\n  web: {virtual_services: [tcp://192.0.2.1:80], forwarding: nat, \
         check: {from: alive, http: {host: b.example.com}}, real_servers: [192.0.2.11:8080]}\n  tcp: {virtual_services: \
         [tcp://192.0.2.1:81], forwarding: nat, check: {from: alive, tcp: {}, port: 9}, real_servers: [192.0.2.11]}\n",
    );
    let check = &policy.checks["web/check"];
    let ProbeSpec::Http(spec) = &check.probe else { panic!("not http") };
    assert_eq!((spec.path.as_str(), spec.host.as_deref()), ("/healthz", Some("b.example.com")));
    assert_eq!((check.interval, check.fall), (Duration::from_secs(5), 2));
    assert_eq!(policy.checks["tcp/check"].probe, ProbeSpec::Tcp);
    assert!(!policy.checks.contains_key("alive"), "nobody uses it");
    let target =
        |pool: &str| policy.pools[pool].servers[0].targets().next().map(|target| target.address.to_string());
    assert_eq!(target("web").as_deref(), Some("192.0.2.11:8080"));
    assert_eq!(target("tcp").as_deref(), Some("192.0.2.11:9"));
}

#[test]
fn https_verifies_with_the_authority_beside_the_policy() {
    let policy = policy(
        "pools: {web: {virtual_services: [tcp://192.0.2.1:443], forwarding: dr, real_servers: [192.0.2.11], \
         check: {https: {host: a.example.com, tls: {ca: {file: ca.pem}}}}}}",
    );
    let ProbeSpec::Http(spec) = &policy.checks["web/check"].probe else { panic!("not http") };
    let tls = spec.tls.as_ref().expect("TLS");
    assert_eq!((tls.verify, tls.ca.clone()), (Verify::Full, Some(Secret::File("ca.pem".into()))));
}

#[test]
fn a_key_of_a_pool_replaces_that_of_the_defaults() {
    let policy = policy(
        "defaults: {pool: {forwarding: dr, check: none, scheduler: {mh: {port: true}}, labels: {team: a, tier: b}}}\n\
         pools:\n  one: {virtual_services: [tcp://192.0.2.1:80], real_servers: []}\n  two: {virtual_services: \
         [tcp://192.0.2.1:81], real_servers: [192.0.2.11:8080], forwarding: nat, scheduler: rr, labels: {team: c}}\n",
    );
    assert_eq!(policy.pools["one"].services[0].config.scheduler.0, "mh");
    assert_eq!(policy.pools["one"].labels.len(), 2);
    assert_eq!(policy.pools["two"].services[0].config.scheduler.0, "rr");
    assert_eq!(policy.pools["two"].labels.len(), 1);
    assert_eq!(policy.pools["two"].servers[0].forwarding, Forwarding::Nat);
}

#[test]
fn services_are_sorted_and_ranges_expanded() {
    let pool = web(
        "virtual_services: [tcp://192.0.2.2-192.0.2.3:81, \"udp://[2001:db8::1]:53\", tcp://192.0.2.2:80, fwmark://7], \
         forwarding: tun, check: none, real_servers: [192.0.2.11]",
    );
    let services: Vec<String> = pool.services.iter().map(|service| service.key.to_string()).collect();
    assert_eq!(
        services,
        [
            "tcp://192.0.2.2:80",
            "tcp://192.0.2.2:81",
            "tcp://192.0.2.3:81",
            "udp://[2001:db8::1]:53",
            "fwmark://7"
        ]
    );
    let v6: Vec<&ServiceKey> =
        pool.services.iter().map(|service| &service.key).filter(|key| key.family() == Family::Ipv6).collect();
    assert_eq!(v6.len(), 1);
}

#[test]
fn pings_and_programs_need_no_port_and_take_the_real_servers_address() {
    let policy = policy(
        "checks:\n  reach: {ping: }\n  look: {exec: {command: [/bin/true, \"a b\"]}}\n  gateway: {ping: {address: 192.0.2.254}}\n\
         pools:\n  marks: {virtual_services: [fwmark://7], forwarding: dr, check: reach, real_servers: [192.0.2.11, \
         {address: 192.0.2.12, check: look}, {address: 192.0.2.13, check: gateway}]}\n  ports: {virtual_services: \
         [tcp://192.0.2.1:80], forwarding: nat, check: look, real_servers: [192.0.2.11:8080]}\n",
    );
    let targets = |pool: &str| -> Vec<String> {
        let servers = policy.pools[pool].servers.iter();
        servers.flat_map(RealServer::targets).map(|target| target.address.to_string()).collect()
    };
    assert_eq!(targets("marks"), ["192.0.2.11:0", "192.0.2.12:0", "192.0.2.254:0"]);
    assert_eq!(targets("ports"), ["192.0.2.11:8080"], "a program is told the port where there is one");
    assert_eq!(policy.checks["reach"].probe, ProbeSpec::Ping(PingSpec { size: 56 }));
    let ProbeSpec::Exec(spec) = &policy.checks["look"].probe else { panic!("not exec") };
    assert_eq!(
        (spec.command.as_slice(), &spec.user),
        (&["/bin/true".to_owned(), "a b".to_owned()][..], &None)
    );
    let own = |check: &str| policy.own_target(&check.into()).map(|target| target.address.to_string());
    assert_eq!(own("reach"), None);
    assert_eq!(own("gateway").as_deref(), Some("192.0.2.254:0"));
    assert_eq!(own("look").as_deref(), Some("0.0.0.0:0"));
}

/// A condition in one line, for comparison.
fn words(condition: &Condition) -> String {
    let list = |members: &[Condition]| members.iter().map(words).collect::<Vec<_>>().join(" ");
    match condition {
        Condition::Check(target) => format!("{}@{}", target.check, target.address),
        Condition::All(members) => format!("all({})", list(members)),
        Condition::Any(members) => format!("any({})", list(members)),
        Condition::Track(tracking) => {
            let decided_by = tracking.decided_by.as_deref().map(words).unwrap_or_default();
            format!("{}/{}({decided_by})", tracking.pool, tracking.server)
        }
    }
}

#[test]
fn several_checks_decide_together_and_a_tracked_server_brings_its_own() {
    let policy = policy(
        "checks: {alive: {http: {}}, deep: {tcp: {}, port: 9}}\n\
         pools:\n  web: {virtual_services: [tcp://192.0.2.1:80], forwarding: nat, check: {all: [alive, {any: [deep, \
         {tcp: {}, port: 7}]}]}, real_servers: [{name: one, address: 192.0.2.11}, {name: two, address: 192.0.2.12, check: none}]}\n  \
         app: {virtual_services: [tcp://192.0.2.1:81], forwarding: nat, check: {track: {pool: web}}, real_servers: \
         [{name: one, address: 192.0.2.11}, {name: other, address: 192.0.2.12}, {name: third, address: 192.0.2.13, \
         check: {any: [{tcp: {}}, {track: {pool: app, server: one}}]}}]}\n",
    );
    let said = |pool: &str| -> Vec<String> {
        let conditions = policy.pools[pool].servers.iter().map(|server| server.check.as_ref());
        conditions.map(|condition| condition.map(words).unwrap_or_default()).collect()
    };
    let one = "all(alive@192.0.2.11:80 any(deep@192.0.2.11:9 web/check/2/2@192.0.2.11:7))";
    assert_eq!(said("web"), [one, ""]);
    assert_eq!(
        said("app"),
        [
            format!("web/one({one})"),
            "web/two()".to_owned(),
            format!("any(app/third/check/1@192.0.2.13:81 app/one(web/one({one})))"),
        ]
    );
}

#[test]
fn persistent_clients_leave_a_quiesced_server_only_where_failure_quiesces() {
    let policy = |keys: &str, kernel: &str| {
        policy(&format!(
            "pools: {{web: {{virtual_services: [tcp://192.0.2.1:80], forwarding: dr, check: none, real_servers: [], {keys}}}}}\n\
             kernel: {{{kernel}}}\n"
        ))
    };
    let leaves = |keys: &str, kernel: &str| policy(keys, kernel).kernel.expire_quiescent_template;
    assert!(!leaves("persistence: {}", ""));
    assert!(leaves("persistence: {}, on_failure: quiesce", ""));
    assert!(!leaves("on_failure: quiesce", ""), "nobody persists");
    assert!(!leaves("persistence: {}, on_failure: quiesce", "expire_quiescent_template: false"));
    assert_eq!(policy("", "").kernel.conn_reuse_mode, None, "as the kernel and the pools are");
    assert_eq!(policy("", "conn_reuse_mode: 0").kernel.conn_reuse_mode, Some(0));
}

#[test]
fn the_starts_of_probes_in_a_second_are_bounded_with_and_without_a_word() {
    let per_second = |text: &str| policy(&format!("{text}pools: {{}}\n")).probes.per_second;
    assert_eq!(per_second(""), 20_000);
    assert_eq!(per_second("probes: {}\n"), 20_000);
    assert_eq!(per_second("probes: {per_second: 500}\n"), 500);
}

#[test]
fn the_real_path_asks_each_vip_by_a_mark_that_stays_when_other_servers_come() {
    let marks = |servers: &str| -> Vec<(String, Vec<(u32, String)>)> {
        let policy = policy(&format!(
            "checks: {{real: {{tcp: {{}}, through: real_path, source: 192.0.2.200}}}}\n\
             pools: {{web: {{virtual_services: [tcp://192.0.2.1:80, tcp://192.0.2.2:443], forwarding: dr, check: real, \
             real_servers: [{servers}]}}}}\n"
        ));
        let server = |server: &RealServer| {
            let paths =
                server.targets().filter_map(|target| Some((target.real_path?, target.address.to_string())));
            (server.name.to_string(), paths.collect())
        };
        policy.pools["web"].servers.iter().map(server).collect()
    };
    let one = "{name: one, address: 192.0.2.11}";
    let both = marks(&format!("{{name: another, address: 192.0.2.12}}, {one}"));
    assert_eq!(both[1], marks(one)[0]);
    let (_, paths) = &both[1];
    assert_eq!(
        paths.iter().map(|(_, address)| address.as_str()).collect::<Vec<_>>(),
        ["192.0.2.1:80", "192.0.2.2:443"]
    );
    assert!(paths[0].0 == paths[1].0 && PROBE_MARKS.contains(&paths[0].0), "{paths:x?}");
    assert_ne!(both[0].1[0].0, paths[0].0);
}
