//! Why a pool, or one of its real servers, is as it is: the chain of reasons, from the policy to the kernel's table. Pure: made
//! of the published snapshot and the chronicle, so that nobody who asks why holds up the event loop.

use super::action::{RefusalCode, Refused};
use super::event::EventRecord;
use super::explain_server::{self, of_override, sentence_of};
use super::judgement::unknown;
use crate::director::snapshot::{PoolSnapshot, ServerSnapshot, Snapshot};
use crate::model::{EventKind, OverrideTarget, QuorumUnit, is_named};
use crate::time::{Instant, milliseconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Version of the form.
pub const EXPLAIN_VERSION: u32 = 1;
/// Events that are shown of a pool or server: the newest.
pub const EVENTS_SHOWN: usize = 20;

/// Answer of `GET /v1/explain/{pool}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// 1.
    pub explain_version: u32,
    pub pool: String,
    /// The real server that was asked for; null: the pool as a whole.
    pub server: Option<String>,
    /// When the view was taken that this says, Unix time in milliseconds.
    pub taken_unix_ms: u64,
    /// Whether the pool has its quorum.
    pub up: bool,
    /// From the policy to the kernel; each link rests on those before it.
    pub because: Vec<Link>,
    /// Every real server of the pool in one sentence, or the one that was asked for.
    pub servers: Vec<ServerSummary>,
    /// The newest events of it, the oldest first.
    pub events: Vec<EventRecord>,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    pub step: Step,
    /// Since when it is so, Unix time in milliseconds; null: since the start, or it is not known.
    pub since_unix_ms: Option<u64>,
    /// One sentence.
    pub says: String,
}

/// What a link is about: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// What the policy says.
    Policy,
    /// What the check found.
    Check,
    /// How many of the pool's servers are up, and how many it needs.
    Quorum,
    /// What an operator ordered.
    Override,
    /// The rule that decided.
    Rule,
    /// What the kernel's table has.
    Kernel,
    /// The kernel refused it, or somebody else changed it.
    Disturbance,
}

impl Step {
    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Check => "check",
            Self::Quorum => "quorum",
            Self::Override => "override",
            Self::Rule => "rule",
            Self::Kernel => "kernel",
            Self::Disturbance => "disturbance",
        }
    }
}

/// One real server in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerSummary {
    pub name: String,
    /// Its verdict.
    pub up: bool,
    /// Whether it gets new connections.
    pub in_rotation: bool,
    pub configured_weight: u32,
    /// The weight that the kernel shall have; 0 where it shall not be in the table.
    pub effective_weight: u32,
    /// The rule that decided: verdict, disputed, advised, slow_start, drain, backup, sorry, panic, override.
    pub rule: String,
    pub says: String,
}

/// The view of one director that an explanation is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// The events of the pool, the oldest first.
    pub(super) events: &'a [Arc<EventRecord>],
}

impl View<'_> {
    pub(super) fn unix_ms(&self, at: Instant) -> u64 {
        milliseconds(self.snapshot.unix_time(at))
    }

    /// The newest event that fits.
    pub(super) fn newest(&self, fits: impl Fn(&EventRecord) -> bool) -> Option<&EventRecord> {
        self.events.iter().rev().map(|event| &**event).find(|event| fits(event))
    }
}

/// Explains a pool of the snapshot, or one of its servers; `events` are those of the pool, the oldest first.
///
/// # Errors
/// When there is no such pool or server.
pub fn explain(
    snapshot: &Snapshot,
    events: &[Arc<EventRecord>],
    pool: &str,
    server: Option<&str>,
) -> Result<Explanation, Refused> {
    let view = View { snapshot, events };
    let found = snapshot.pools.iter().find(|found| &*found.name == pool);
    let found = found.ok_or_else(|| {
        let names: Vec<String> = snapshot.pools.iter().map(|pool| pool.name.to_string()).collect();
        unknown(RefusalCode::UnknownPool, "pool of the policy is", pool, &names)
    })?;
    let chosen = server.map(|server| chosen(found, server)).transpose()?;
    let because = match chosen {
        None => of_pool(view, found),
        Some((index, server)) => explain_server::chain(view, found, index, server),
    };
    let shown = |server: &&ServerSnapshot| chosen.is_none_or(|(_, chosen)| chosen.name == server.name);
    let of_it = |event: &&Arc<EventRecord>| {
        chosen.is_none_or(|(_, chosen)| event.subject.server.as_deref() == Some(&*chosen.name))
    };
    let mut newest: Vec<EventRecord> =
        events.iter().rev().filter(of_it).take(EVENTS_SHOWN).map(|event| EventRecord::clone(event)).collect();
    newest.reverse();
    Ok(Explanation {
        explain_version: EXPLAIN_VERSION,
        pool: found.name.to_string(),
        server: chosen.map(|(_, server)| server.name.to_string()),
        taken_unix_ms: view.unix_ms(snapshot.taken_at),
        up: found.up,
        because,
        servers: found.servers.iter().map(|server| &**server).filter(shown).map(summary).collect(),
        events: newest,
    })
}

fn chosen<'a>(pool: &'a PoolSnapshot, name: &str) -> Result<(usize, &'a ServerSnapshot), Refused> {
    let mut servers = pool.servers.iter().map(|server| &**server).enumerate();
    let is_meant = |server: &ServerSnapshot| is_named(name, &server.name, server.address, server.port);
    servers.find(|(_, server)| is_meant(server)).ok_or_else(|| {
        let names: Vec<String> = pool.servers.iter().map(|server| server.name.to_string()).collect();
        unknown(RefusalCode::UnknownServer, &format!("server of pool {} is", pool.name), name, &names)
    })
}

fn summary(server: &ServerSnapshot) -> ServerSummary {
    ServerSummary {
        name: server.name.to_string(),
        up: server.up,
        in_rotation: server.in_rotation,
        configured_weight: server.configured_weight,
        effective_weight: server.effective_weight,
        rule: server.basis.place.why.name().to_owned(),
        says: sentence_of(server),
    }
}

fn of_pool(view: View<'_>, pool: &PoolSnapshot) -> Vec<Link> {
    let since = |kinds: &'static [EventKind]| {
        view.newest(|event| kinds.contains(&event.kind)).map(|event| event.unix_ms)
    };
    let mut links = vec![Link {
        step: Step::Policy,
        since_unix_ms: None,
        says: format!(
            "policy {} gives it {} real servers and {} virtual services",
            view.snapshot.policy_generation,
            pool.servers.len(),
            pool.services.len()
        ),
    }];
    let (found, all, unit) = match pool.rule.unit {
        QuorumUnit::Servers => (pool.servers_up() as u64, pool.servers.len() as u64, "real servers"),
        QuorumUnit::Weight => (pool.weight_up(), pool.weight(), "of the weight"),
    };
    let state = if pool.up { "it has its quorum" } else { "its quorum is lost" };
    links.push(Link {
        step: Step::Quorum,
        since_unix_ms: since(&[EventKind::PoolUp, EventKind::PoolDown]),
        says: format!(
            "{found} of {all} {unit} are up; it needs {}, and {} once it is lost: {state}",
            pool.rule.least, pool.rule.recover
        ),
    });
    let of_it = |target: &OverrideTarget| match target {
        OverrideTarget::Pool(name) | OverrideTarget::EveryServer(name) => *name == pool.name,
        OverrideTarget::Server { .. } => false,
    };
    links.extend(view.snapshot.overrides.iter().filter(|given| of_it(&given.target)).map(of_override));
    let rule_since = |rule: &'static str| {
        let began = |event: &EventRecord| event.kind == EventKind::RuleBegan && event.reason == rule;
        view.newest(began).map(|event| event.unix_ms)
    };
    let backups = pool.servers.iter().any(|server| server.basis.backup && server.in_rotation);
    let acting = [
        (pool.panic, "panic", "panic: so few servers are up that it is not believed"),
        (pool.sorry, "sorry", "the sorry server answers, since too few servers are up"),
        (backups, "backup", "backup servers have joined, since too few others are up"),
    ];
    let acting = acting.into_iter().filter(|(acts, ..)| *acts);
    links.extend(acting.map(|(_, rule, says)| Link {
        step: Step::Rule,
        since_unix_ms: rule_since(rule),
        says: says.to_owned(),
    }));
    links.push(kernel(view, pool));
    links.extend(explain_server::disturbances(view, |event| event.subject.server.is_none()));
    links
}

fn kernel(view: View<'_>, pool: &PoolSnapshot) -> Link {
    let held = pool.services.iter().filter(|service| service.counters.is_some()).count();
    let serving = pool.servers.iter().filter(|server| server.in_rotation).count();
    let pending = match view.snapshot.reconcile.pending_changes {
        0 => String::new(),
        1 => "; 1 change of the whole table is due and not made".to_owned(),
        many => format!("; {many} changes of the whole table are due and not made"),
    };
    Link {
        step: Step::Kernel,
        since_unix_ms: None,
        says: format!(
            "the kernel holds {held} of its {} virtual services; {serving} of its real servers get new connections{pending}",
            pool.services.len()
        ),
    }
}
