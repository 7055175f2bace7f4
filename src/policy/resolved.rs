//! A [`Policy`] written out as YAML, every default and merge in it. Loading that text gives the same policy again.

use super::resolved_condition::Said;
use super::validate::{ServicePorts, automatic_name};
use super::yaml_text::{Yaml, mapping, text, time};
use super::{resolved_exchange, resolved_pair, resolved_rotation};
use crate::model::{
    Check, Encapsulation, ExecSpec, FailAtOnce, Forwarding, HttpSpec, Initial, OnFailure, OnStop, Pair,
    Policy, Pool, ProbeSpec, RealServer, ServiceConfig, ServiceKey, SourceTranslation, TlsSpec,
    TunnelChecksum, Verify,
};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

/// The policy as YAML. Relative paths in it are written below `base`: the folder that the policy's own path is relative to.
#[must_use]
pub fn resolved(policy: &Policy, base: &Path) -> String {
    let policy = &below(policy, base);
    let mut sections = vec![("policy_version", text("1"))];
    sections.extend(resolved_pair::sections(&policy.pair));
    let named = policy.checks.values().filter(|check| !check.name.contains('/'));
    let checks: Vec<_> = named.map(|check| (check.name.to_string(), check_of(check))).collect();
    if !checks.is_empty() {
        sections.push(("checks", Yaml::Mapping(checks)));
    }
    let pools = policy.pools.values().map(|pool| (pool.name.to_string(), pool_of(pool, policy))).collect();
    sections.push(("pools", Yaml::Mapping(pools)));
    sections.push(("kernel", kernel(policy)));
    sections.push((
        "metrics",
        mapping([("listen", text(policy.metrics.listen)), ("per_server", text(policy.metrics.per_server))]),
    ));
    let held = policy
        .virtual_addresses
        .iter()
        .map(|held| mapping([("address", text(held.address)), ("interface", text(&held.interface))]));
    sections.push(("virtual_addresses", Yaml::List(held.collect())));
    sections.push((
        "on_stop",
        text(match policy.on_stop {
            OnStop::Keep => "keep",
            OnStop::Remove => "remove",
        }),
    ));
    let mut written = String::new();
    mapping(sections).write(&mut written, 0);
    written
}

/// The policy with its relative paths below a folder, so that its text means the same wherever it is put.
fn below(policy: &Policy, base: &Path) -> Policy {
    let mut policy = policy.clone();
    resolved_pair::below(&mut policy.pair, base);
    for check in policy.checks.values_mut() {
        resolved_exchange::below(&mut check.probe, base);
        if let ProbeSpec::Http(HttpSpec { tls: Some(TlsSpec { ca: Some(path), .. }), .. }) = &mut check.probe
        {
            *path = base.join(&path);
        }
    }
    policy
}

fn kernel(policy: &Policy) -> Yaml {
    let timeouts = policy.kernel.timeouts;
    let said = [("tcp", timeouts.tcp_s), ("tcp_fin", timeouts.tcp_fin_s), ("udp", timeouts.udp_s)];
    let timeouts = said.into_iter().filter_map(|(name, seconds)| Some((name, time(seconds_of(seconds?)))));
    let mut kernel = vec![("timeouts", mapping(timeouts))];
    kernel.push(("expire_nodest_conn", text(policy.kernel.expire_nodest_conn)));
    kernel.push(("expire_quiescent_template", text(policy.kernel.expire_quiescent_template)));
    kernel.push(("conn_reuse_mode", text(policy.kernel.conn_reuse_mode)));
    mapping(kernel)
}

fn check_of(check: &Check) -> Yaml {
    let mut keys = vec![match &check.probe {
        ProbeSpec::Tcp => ("tcp", mapping([])),
        ProbeSpec::Http(spec) => (check.probe.kind(), http(spec)),
        ProbeSpec::Dialogue(spec) => ("tcp", resolved_exchange::dialogue(spec)),
        ProbeSpec::Preset(preset) => ("tcp", resolved_exchange::preset(preset)),
        ProbeSpec::Smtp(spec) => ("smtp", resolved_exchange::smtp(spec)),
        ProbeSpec::Udp(spec) => ("udp", resolved_exchange::udp(spec)),
        ProbeSpec::Dns(spec) => ("dns", resolved_exchange::dns(spec)),
        ProbeSpec::Ping(spec) => ("ping", mapping([("size", text(spec.size))])),
        ProbeSpec::Exec(spec) => ("exec", exec(spec)),
    }];
    keys.push(("interval", time(check.interval)));
    keys.push(("interval_down", time(check.interval_down)));
    keys.push(("interval_changing", time(check.interval_changing)));
    keys.push(("jitter", text(format!("{}%", check.jitter_percent))));
    keys.push(("timeout", time(check.timeout)));
    keys.push(("rise", text(check.rise)));
    keys.push(("fall", text(check.fall)));
    keys.extend(fail_at_once(&check.fail_at_once).map(|list| ("fail_at_once", list)));
    keys.extend(check.port.map(|port| ("port", text(port))));
    keys.extend(check.address.map(|address| ("address", text(address))));
    keys.extend(check.source.map(|source| ("source", text(source))));
    keys.extend(check.interface.as_ref().map(|interface| ("interface", text(interface))));
    keys.extend(check.mark.map(|mark| ("mark", text(mark))));
    mapping(keys)
}

fn fail_at_once(at_once: &FailAtOnce) -> Option<Yaml> {
    let statuses = at_once.statuses.iter().map(status);
    let words = statuses.chain(at_once.reasons.iter().map(text)).collect();
    (!at_once.is_empty()).then_some(Yaml::List(words))
}

/// A status, or a range of them.
fn status(range: &RangeInclusive<u16>) -> Yaml {
    match (range.start(), range.end()) {
        (first, last) if first == last => text(first),
        (first, last) => text(format!("{first}-{last}")),
    }
}

fn exec(spec: &ExecSpec) -> Yaml {
    let mut keys = vec![("command", Yaml::List(spec.command.iter().map(text).collect()))];
    keys.extend(spec.user.as_ref().map(|user| ("user", text(user))));
    mapping(keys)
}

fn http(spec: &HttpSpec) -> Yaml {
    let mut keys = vec![("method", text(&spec.method)), ("path", text(&spec.path))];
    keys.extend(spec.host.as_ref().map(|host| ("host", text(host))));
    if !spec.headers.is_empty() {
        let headers = spec.headers.iter().map(|(name, value)| (name.clone(), text(value)));
        keys.push(("headers", Yaml::Mapping(headers.collect())));
    }
    keys.push(("status", Yaml::List(spec.status.iter().map(status).collect())));
    keys.extend(spec.body.as_ref().map(|body| ("body", text(body))));
    keys.extend(spec.tls.as_ref().map(|spec| ("tls", tls(spec))));
    mapping(keys)
}

fn tls(spec: &TlsSpec) -> Yaml {
    let mut keys = Vec::new();
    keys.extend(spec.ca.as_ref().map(|path| ("ca", mapping([("file", text(path.display()))]))));
    keys.extend(spec.server_name.as_ref().map(|name| ("server_name", text(name))));
    keys.push(("verify", text(spec.verify == Verify::Full)));
    mapping(keys)
}

/// The services of a pool as they are said: joined ones by their addresses.
fn said_services(pool: &Pool) -> Vec<ServiceKey> {
    let said = |service: &crate::model::VirtualService| {
        if service.joined.is_empty() { vec![service.key] } else { service.joined.clone() }
    };
    pool.services.iter().flat_map(said).collect()
}

fn joins(pool: &Pool) -> bool {
    pool.services.iter().any(|service| !service.joined.is_empty())
}

fn ports_of(pool: &Pool) -> ServicePorts {
    ServicePorts::of(said_services(pool).iter(), joins(pool))
}

fn pool_of(pool: &Pool, policy: &Policy) -> Yaml {
    let services = said_services(pool);
    let check = Said::at_pool(pool);
    let forwarding = pool.servers.first().map_or(Forwarding::Nat, |server| server.forwarding.clone());
    let mut keys = vec![
        ("virtual_services", Yaml::List(services.iter().map(text).collect())),
        ("forwarding", forwarding_of(&forwarding, &policy.pair)),
    ];
    if let Some(service) = pool.services.first() {
        keys.push(("scheduler", scheduler(&service.config)));
        keys.extend(persistence(pool, &service.config).map(|persistence| ("persistence", persistence)));
        keys.push(("one_packet", text(service.config.flags.one_packet)));
    }
    keys.push(("join_ports", text(joins(pool))));
    keys.push(("untracked", text(pool.untracked)));
    keys.push(("check", check.yaml(policy, &check_of)));
    keys.push((
        "on_failure",
        text(match pool.on_failure {
            OnFailure::Remove => "remove",
            OnFailure::Quiesce => "quiesce",
        }),
    ));
    keys.push((
        "initial",
        text(match pool.initial {
            Initial::Up => "up",
            Initial::Down => "down",
        }),
    ));
    keys.extend(resolved_rotation::rules(pool));
    let sorry = pool.sorry_servers.iter().map(|server| server_of(server, pool, &check, &forwarding, policy));
    keys.extend(resolved_rotation::one_entry(sorry.collect()).map(|sorry| ("sorry_server", sorry)));
    if !pool.labels.is_empty() {
        keys.push((
            "labels",
            Yaml::Mapping(pool.labels.iter().map(|(name, value)| (name.clone(), text(value))).collect()),
        ));
    }
    let servers = pool.servers.iter().map(|server| server_of(server, pool, &check, &forwarding, policy));
    keys.push(("real_servers", Yaml::List(servers.collect())));
    mapping(keys)
}

fn server_of(
    server: &RealServer,
    pool: &Pool,
    pool_check: &Said,
    forwarding: &Forwarding,
    policy: &Policy,
) -> Yaml {
    let mut keys = Vec::new();
    if *server.name != automatic_name(server.address, server.port.or(ports_of(pool).single())) {
        keys.push(("name", text(&server.name)));
    }
    keys.push(("address", text(server.address)));
    keys.extend(server.port.map(|port| ("port", text(port))));
    keys.push(("weight", text(server.weight)));
    if server.thresholds.upper > 0 {
        let bounds = [("upper", text(server.thresholds.upper)), ("lower", text(server.thresholds.lower))];
        keys.push(("thresholds", mapping(bounds)));
    }
    let check = Said::of(server);
    if check != *pool_check {
        keys.push(("check", check.yaml(policy, &check_of)));
    }
    if server.forwarding != *forwarding {
        keys.push(("forwarding", forwarding_of(&server.forwarding, &policy.pair)));
    }
    if server.backup {
        keys.push(("backup", text(true)));
    }
    mapping(keys)
}

fn scheduler(config: &ServiceConfig) -> Yaml {
    let name = config.scheduler.0.as_str();
    let flags =
        || mapping([("fallback", text(config.flags.scheduler_1)), ("port", text(config.flags.scheduler_2))]);
    match name {
        "sh" => mapping([("sh", flags())]),
        "mh" => mapping([("mh", flags())]),
        _ => text(name),
    }
}

fn persistence(pool: &Pool, config: &ServiceConfig) -> Option<Yaml> {
    let persistence = config.persistence?;
    let prefixes: BTreeSet<_> = pool
        .services
        .iter()
        .filter_map(|service| {
            let family = if service.key.family().bits() == 32 { "ipv4" } else { "ipv6" };
            Some((family, service.config.persistence?.prefix))
        })
        .collect();
    let mut keys = vec![
        ("timeout", time(seconds_of(persistence.timeout_s))),
        ("prefix", mapping(prefixes.into_iter().map(|(family, length)| (family, text(length))))),
    ];
    keys.extend(config.persistence_engine.as_ref().map(|engine| ("engine", text(engine))));
    Some(mapping(keys))
}

fn forwarding_of(forwarding: &Forwarding, pair: &Pair) -> Yaml {
    match forwarding {
        Forwarding::Nat => text("nat"),
        Forwarding::DirectRouting => text("dr"),
        Forwarding::Tunnelling(encapsulation) => mapping([("tun", tun(*encapsulation))]),
        Forwarding::FullNat(SourceTranslation::Masquerade) => text("full-nat"),
        Forwarding::FullNat(SourceTranslation::LocalAddresses(addresses)) => {
            let addresses = resolved_pair::local_addresses(addresses, pair);
            mapping([("full-nat", mapping([("local_addresses", addresses)]))])
        }
    }
}

fn tun(encapsulation: Encapsulation) -> Yaml {
    let word = |checksum| {
        text(match checksum {
            TunnelChecksum::None => "none",
            TunnelChecksum::Full => "full",
            TunnelChecksum::Remote => "remote",
        })
    };
    match encapsulation {
        Encapsulation::IpIp => mapping([("encapsulation", text("ipip"))]),
        Encapsulation::Gre { checksum } => {
            mapping([("encapsulation", text("gre")), ("checksum", word(checksum))])
        }
        Encapsulation::Gue { port, checksum } => {
            mapping([("encapsulation", text("gue")), ("port", text(port)), ("checksum", word(checksum))])
        }
    }
}

fn seconds_of(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
