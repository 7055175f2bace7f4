//! What decides on real servers, written out: a name, a check in place, several, or another pool's.

use super::yaml_text::{Yaml, mapping, text};
use crate::model::{Check, CheckName, Condition, Policy, Pool, PoolName, RealServer};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a policy says of a check: a condition without whom it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Check(CheckName),
    All(Vec<Self>),
    Any(Vec<Self>),
    Track { pool: PoolName, server: Option<Arc<str>> },
}

impl Said {
    /// What is said of a server.
    pub(super) fn of(server: &RealServer) -> Self {
        server.check.as_ref().map_or(Self::Nothing, Self::condition)
    }

    fn condition(condition: &Condition) -> Self {
        let each = |members: &[Condition]| members.iter().map(Self::condition).collect();
        match condition {
            Condition::Check(target) => Self::Check(target.check.clone()),
            Condition::All(members) => match one_for_each_vip(members) {
                Some(name) => Self::Check(name.clone()),
                None => Self::All(each(members)),
            },
            Condition::Any(members) => Self::Any(each(members)),
            Condition::Track(tracking) => Self::Track {
                pool: tracking.pool.clone(),
                server: tracking.named.then(|| tracking.server.clone()),
            },
        }
    }

    /// The checks that it names.
    fn names(&self) -> Vec<&CheckName> {
        match self {
            Self::Nothing | Self::Track { .. } => Vec::new(),
            Self::Check(name) => vec![name],
            Self::All(members) | Self::Any(members) => members.iter().flat_map(Self::names).collect(),
        }
    }

    /// What is said at the pool: what has its own checks in place, else the first that has none in place.
    pub(super) fn at_pool(pool: &Pool) -> Self {
        let in_place = format!("{}/check", pool.name);
        let of_pool = |name: &&CheckName| {
            name.strip_prefix(&*in_place)
                .is_some_and(|rest| rest.chars().all(|letter| letter == '/' || letter.is_ascii_digit()))
        };
        let said: Vec<Self> =
            pool.servers.iter().map(Self::of).filter(|said| *said != Self::Nothing).collect();
        let places = |said: &&Self| {
            let names = said.names();
            let placed = names.into_iter().filter(|name| name.contains('/'));
            placed.fold((0_usize, 0_usize), |(own, others), name| match of_pool(&name) {
                true => (own + 1, others),
                false => (own, others + 1),
            })
        };
        let own = said.iter().find(|said| matches!(places(said), (1.., 0)));
        own.or_else(|| said.iter().find(|said| places(said) == (0, 0))).cloned().unwrap_or(Self::Nothing)
    }

    /// As YAML, where `check_of` writes a check in place.
    pub(super) fn yaml(&self, policy: &Policy, check_of: &impl Fn(&Check) -> Yaml) -> Yaml {
        let list = |members: &[Self]| {
            Yaml::List(members.iter().map(|member| member.yaml(policy, check_of)).collect())
        };
        match self {
            Self::Nothing => text("none"),
            Self::Check(name) => match policy.checks.get(name) {
                Some(check) if name.contains('/') => check_of(check),
                _ => text(name),
            },
            Self::All(members) => mapping([("all", list(members))]),
            Self::Any(members) => mapping([("any", list(members))]),
            Self::Track { pool, server } => {
                let server = server.iter().map(|server| ("server", text(server)));
                mapping([("track", mapping([("pool", text(pool))].into_iter().chain(server)))])
            }
        }
    }
}

/// The check whose probes ask every VIP of a pool through the real path: it is said once.
fn one_for_each_vip(members: &[Condition]) -> Option<&CheckName> {
    let paths = members.iter().map(|member| match member {
        Condition::Check(target) if target.real_path.is_some() => Some(target),
        Condition::Check(_) | Condition::All(_) | Condition::Any(_) | Condition::Track(_) => None,
    });
    let paths: Vec<_> = paths.collect::<Option<_>>()?;
    let vips: BTreeSet<_> = paths.iter().map(|target| target.address).collect();
    let (first, others) = paths.split_first()?;
    let same = !others.is_empty() && others.iter().all(|target| target.check == first.check);
    (same && vips.len() == paths.len()).then_some(&first.check)
}
