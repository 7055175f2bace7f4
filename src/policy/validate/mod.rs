//! Validation: the mirror of the file to [`Policy`], with defaults written out and every rule of the modes.
//!
//! One small function a rule; a rule says nothing about a value that was already reported. The rules are those of
//! interface.md ("What validation knows of the modes"), which come from how IPVS works.

mod addresses;
mod api;
mod authentication;
mod body;
mod check_target;
mod checks;
mod condition;
mod config;
mod directors;
mod dns;
mod endpoints;
mod event_hooks;
mod event_mail;
mod exchanges;
mod finish;
mod forwarding;
mod grpc;
mod http;
mod kernel_settings;
mod labels;
mod local_addresses;
mod marks;
mod names;
mod pace;
mod pair;
mod pair_rules;
mod pool;
mod pool_rules;
mod ports;
mod priorities;
mod probe_settings;
mod programs;
mod real_path;
mod rotation;
mod router_addresses;
mod router_rules;
mod routers;
mod server_check;
mod servers;
mod services;
mod tls;
mod together;
mod track;
mod trackers;
mod weight_from;
mod whole;

pub(super) use names::automatic_name;
pub(super) use services::ServicePorts;
pub(super) use together::holds_together;

use super::codes::Code;
use super::diagnostic::{Diagnostic, Problems};
use super::node::Node;
use super::read::Field;
use super::scalar::{Flag, Number};
use super::schema::{MetricsText, OnStopWord, PolicyText};
use super::source::{Sources, Span};
use super::{defaults, schema};
use crate::model::{MetricsSettings, OnStop, Policy, PoolName, ServiceKey};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// Virtual services of one policy at most, ranges expanded.
pub const MAX_SERVICES: usize = 65_536;
/// Destinations of one policy at most: each real server in each virtual service of its pool.
pub const MAX_DESTINATIONS: usize = 1_000_000;

/// The version of the format.
const POLICY_VERSION: u32 = 1;

/// Where the parts of a policy were said, for advice that comes later.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Virtual services; those that were joined too.
    pub services: BTreeMap<ServiceKey, Span>,
    /// Real servers, by pool and name.
    pub servers: BTreeMap<(PoolName, Arc<str>), Span>,
    /// The checks of real servers that track others, by pool and name.
    pub trackers: BTreeMap<(PoolName, Arc<str>), Span>,
    /// Full-NAT's local addresses.
    pub local_addresses: BTreeMap<IpAddr, Span>,
    /// Files of certificates.
    pub authorities: BTreeMap<PathBuf, Span>,
    /// Programs of exec checks.
    pub programs: BTreeMap<PathBuf, Span>,
    /// Programs of `on_event`.
    pub hooks: BTreeMap<PathBuf, Span>,
}

/// Checks the version of the format that a file says.
pub(super) fn version_of(node: &Node, problems: &mut Problems) {
    version(&Field::<Number<0, 999_999>>::read(node, problems), problems);
}

fn version(field: &Field<Number<0, 999_999>>, problems: &mut Problems) {
    let Some(version) = field.given().filter(|version| version.value.0 != POLICY_VERSION) else { return };
    let message = format!("this version of Tandem does not know policy version {}", version.value.0);
    problems.push(
        Diagnostic::new(Code::PolicyVersion, version.span, message)
            .help(format!("write `policy_version: {POLICY_VERSION}`")),
    );
}

/// The policy as the director `own` has it, and where its parts were said. What is wrong is left out of it and reported.
pub(super) fn policy(
    text: &PolicyText,
    own: Option<&str>,
    root: &Node,
    sources: &Sources,
    problems: &mut Problems,
) -> (Option<Policy>, Places) {
    version(&text.policy_version, problems);
    let checks = checks::Named::new(text, root, sources, problems);
    let addresses = addresses::virtual_addresses(&text.virtual_addresses, problems);
    let mut pairing = pair::pairing(text, own, &checks, sources, &addresses, problems);
    let mut context = pool::Context::new(checks, text.server_sets.value(), &pairing, problems);
    let drafts = pool::pools(text, &mut context);
    let pool::Context { mut used, mut places, local, problems, .. } = context;
    local_addresses::float(local, &addresses, &mut pairing, problems);
    for built in std::mem::take(&mut pairing.tracked).into_values() {
        checks::remember(built, &mut used, &mut places);
    }
    whole::rules(&drafts, text, &addresses, &pairing, problems);
    let mut pools = finish::finish(drafts, &mut places);
    real_path::mark(&mut pools);
    track::resolve(&mut pools, &pool::names(text), &places, problems);
    pair_rules::rules(&pools, &pairing, &places, &addresses, problems);
    let kernel = kernel_settings::settings(&text.kernel, &pools);
    let probes = probe_settings::settings(&text.probes);
    let policy = Policy {
        checks: used,
        pools,
        probes,
        virtual_addresses: addresses.into_iter().map(|address| address.value).collect(),
        pair: pairing.pair,
        kernel,
        metrics: metrics(&text.metrics, problems),
        on_event: event_hooks::hooks(text, sources, &mut places.hooks, problems),
        api: api::settings(&text.api, sources, problems),
        on_stop: match text.on_stop.value() {
            None | Some(OnStopWord::Keep) => OnStop::Keep,
            Some(OnStopWord::Remove) => OnStop::Remove,
        },
    };
    probe_settings::weigh(&policy, &text.probes, root.span, problems);
    (Some(policy), places)
}

fn metrics(field: &Field<MetricsText>, problems: &mut Problems) -> MetricsSettings {
    let default = MetricsSettings { listen: defaults::METRICS_LISTEN, per_server: true };
    let Some(text) = field.value() else { return default };
    let listen = listen(&text.listen, defaults::METRICS_LISTEN, problems);
    MetricsSettings {
        listen: listen.unwrap_or(default.listen),
        per_server: text.per_server.value().is_none_or(|flag| flag.0),
    }
}

/// Where something listens; the port of `default` is what the repair says.
fn listen(
    field: &Field<schema::EndpointText>,
    default: SocketAddr,
    problems: &mut Problems,
) -> Option<SocketAddr> {
    let said = field.given()?;
    let schema::EndpointText(endpoint) = said.value;
    if endpoint.port.is_none() {
        let message = format!("`{}` does not say the port to listen on", endpoint.address);
        let help = format!("write {}", SocketAddr::new(endpoint.address, default.port()));
        problems.push(Diagnostic::new(Code::BadAddress, said.span, message).help(help));
    }
    Some(SocketAddr::new(endpoint.address, endpoint.port?))
}
