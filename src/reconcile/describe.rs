//! A change in words: one line of `tandem plan` and of the log. `+` adds, `~` edits, `-` removes.

use super::Change;
use crate::model::{Destination, ServiceConfig, Timeouts};
use std::fmt;

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = self.object();
        match self {
            Self::AddService { config, .. } => write!(formatter, "+ {object}: {}", service(config)),
            Self::AddDestination { destination, .. } => {
                write!(formatter, "+ {object}: {}", destination_words(destination))
            }
            Self::EditService { from, to, .. } => {
                write!(formatter, "~ {object}: {} -> {}", service(from), service(to))
            }
            Self::EditDestination { from, to, .. } => {
                write!(formatter, "~ {object}: {}", difference(from, to))
            }
            Self::SetTimeouts { to } => write!(formatter, "~ {object}: {}", timeouts(*to)),
            Self::ReplaceRuleset { .. } => write!(formatter, "~ {object}: replace in one transaction"),
            Self::SetSysctl { from, to, .. } if from.is_empty() => {
                write!(formatter, "~ {object}: (missing) -> {to}")
            }
            Self::SetSysctl { from, to, .. } => write!(formatter, "~ {object}: {from} -> {to}"),
            Self::StartSyncDaemon { .. } | Self::AddAddress { .. } => write!(formatter, "+ {object}"),
            Self::RemoveService { .. }
            | Self::RemoveDestination { .. }
            | Self::StopSyncDaemon { .. }
            | Self::RemoveRuleset
            | Self::RemoveAddress { .. } => write!(formatter, "- {object}"),
        }
    }
}

fn service(config: &ServiceConfig) -> String {
    let mut words = vec![format!("scheduler {}", config.scheduler)];
    for (set, name) in [
        (config.flags.one_packet, "one packet"),
        (config.flags.scheduler_1, "flag-1"),
        (config.flags.scheduler_2, "flag-2"),
        (config.flags.scheduler_3, "flag-3"),
    ] {
        words.extend(set.then(|| name.to_owned()));
    }
    words
        .extend(config.persistence.map(|found| format!("persistent {}s /{}", found.timeout_s, found.prefix)));
    words.extend(config.persistence_engine.as_ref().map(|engine| format!("engine {engine}")));
    words.join(", ")
}

fn destination_words(destination: &Destination) -> String {
    let mut words = vec![destination.method.to_string(), format!("weight {}", destination.weight)];
    if destination.thresholds.upper != 0 {
        words.push(limits(destination));
    }
    words.join(", ")
}

fn limits(destination: &Destination) -> String {
    format!("thresholds {}..{}", destination.thresholds.lower, destination.thresholds.upper)
}

/// Only what differs, so that a changed weight reads as a changed weight.
fn difference(from: &Destination, to: &Destination) -> String {
    let mut words = Vec::new();
    if from.method != to.method {
        words.push(format!("{} -> {}", from.method, to.method));
    }
    if from.weight != to.weight {
        words.push(format!("weight {} -> {}", from.weight, to.weight));
    }
    if from.thresholds != to.thresholds {
        words.push(format!("{} -> {}", limits(from), limits(to)));
    }
    words.join(", ")
}

fn timeouts(to: Timeouts) -> String {
    let named = [("tcp", to.tcp_s), ("tcp_fin", to.tcp_fin_s), ("udp", to.udp_s)];
    let set = named.iter().filter_map(|(name, seconds)| seconds.map(|seconds| format!("{name} {seconds}s")));
    set.collect::<Vec<_>>().join(", ")
}
