//! A [`Policy`] written out as YAML, every default and merge in it. Loading that text gives the same policy again.

use super::resolved_api;
use super::resolved_checks::{self, check_of};
use super::resolved_condition::Said;
use super::resolved_hooks;
use super::resolved_pair;
use super::resolved_rotation;
use super::validate::{ServicePorts, automatic_name};
use super::yaml_text::{Yaml, mapping, text, time};
use crate::model::{
    Encapsulation, Forwarding, Initial, OnFailure, OnStop, Pair, Policy, Pool, RealServer, ServiceConfig,
    ServiceKey, SourceTranslation, TunnelChecksum,
};
use std::collections::BTreeSet;
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
    sections.push(("probes", mapping([("per_second", text(policy.probes.per_second))])));
    sections.push(("kernel", kernel(policy)));
    sections.push((
        "metrics",
        mapping([("listen", text(policy.metrics.listen)), ("per_server", text(policy.metrics.per_server))]),
    ));
    sections.extend(policy.api.as_ref().map(|api| ("api", resolved_api::section(api))));
    let held = policy
        .virtual_addresses
        .iter()
        .map(|held| mapping([("address", text(held.address)), ("interface", text(&held.interface))]));
    sections.push(("virtual_addresses", Yaml::List(held.collect())));
    if !policy.on_event.is_empty() {
        sections.push(("on_event", resolved_hooks::on_event(&policy.on_event)));
    }
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
    policy.api.iter_mut().for_each(|api| resolved_api::below(api, base));
    policy.checks.values_mut().for_each(|check| resolved_checks::below(check, base));
    resolved_hooks::below(&mut policy.on_event, base);
    policy
}

fn kernel(policy: &Policy) -> Yaml {
    let timeouts = policy.kernel.timeouts;
    let said = [("tcp", timeouts.tcp_s), ("tcp_fin", timeouts.tcp_fin_s), ("udp", timeouts.udp_s)];
    let timeouts = said.into_iter().filter_map(|(name, seconds)| Some((name, time(seconds_of(seconds?)))));
    let mut kernel = vec![("timeouts", mapping(timeouts))];
    kernel.push(("expire_nodest_conn", text(policy.kernel.expire_nodest_conn)));
    kernel.push(("expire_quiescent_template", text(policy.kernel.expire_quiescent_template)));
    // What is left to the kernel's version and the pools stays so.
    kernel.extend(policy.kernel.conn_reuse_mode.map(|mode| ("conn_reuse_mode", text(mode))));
    mapping(kernel)
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
    keys.extend(resolved_rotation::rules(pool, policy));
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
