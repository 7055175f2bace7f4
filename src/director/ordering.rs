//! Whether an override can be given, what it comes to, and the sentences that say so. Pure: the loop asks, and hands the
//! overrides over.

use super::core::Core;
use crate::control::{Answer, MOST_OVERRIDES, RefusalCode, Refused, Selection, Wanted, unknown};
use crate::model::{
    Order, Override, OverrideKind, OverrideTarget, Pool, PoolName, QuorumUnit, RealServer, is_named,
};
use crate::policy::duration_words;
use crate::time::milliseconds;
use std::collections::BTreeSet;
use std::time::Duration;

/// Pools that are named in an answer; of more their number is said.
const NAMED_POOLS: usize = 4;

/// Who gives an override, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    /// As the system knows them.
    pub(super) by: &'a str,
    pub(super) unix_ms: u64,
}

/// The servers that an override is for, pool by pool.
type Meant<'a> = Vec<(&'a Pool, Vec<&'a RealServer>)>;

impl Core {
    /// All overrides once `wanted` is in force, and the answer.
    ///
    /// # Errors
    /// When what it names is not in the policy, there are too many, or a pool would be left without a server.
    pub(super) fn with_override(
        &self,
        wanted: &Wanted,
        given: Given<'_>,
    ) -> Result<(Vec<Override>, Answer), Refused> {
        let meant = self.meant(&wanted.target)?;
        let mut notes = Vec::new();
        if takes_away(wanted.kind) {
            self.guard(&meant, wanted.force, &mut notes)?;
        }
        let new = self.given(wanted, given);
        notes.extend(self.others(&new, &meant));
        let others = self.overrides.all().filter(|other| other.target != new.target);
        let mut all: Vec<Override> = others.cloned().collect();
        if all.len() >= MOST_OVERRIDES {
            let message = format!("{MOST_OVERRIDES} overrides are in force; clear some first");
            return Err(Refused::new(RefusalCode::Guard, message));
        }
        let message = format!("{}, {}", self.effect(wanted, &meant), until(wanted));
        all.push(new);
        Ok((all, Answer { routers: Vec::new(), message, notes, generation: None }))
    }

    /// All overrides once those of `selection` have ended, and the answer.
    ///
    /// # Errors
    /// When one is named by its identity and is not in force.
    pub(super) fn without_overrides(
        &self,
        selection: &Selection,
    ) -> Result<(Vec<Override>, Answer), Refused> {
        let is_chosen = |given: &&Override| match selection {
            Selection::All => true,
            Selection::One(id) => given.target.to_string() == *id,
            Selection::Pool(pool) => given.target.pool() == Some(pool),
            Selection::Server { server, pool } => {
                given.target.pool() == pool.as_ref() && self.names_the_same(given, server)
            }
        };
        let (ended, all): (Vec<&Override>, Vec<&Override>) = self.overrides.all().partition(is_chosen);
        if let (Selection::One(id), []) = (selection, &*ended) {
            let known: Vec<String> = all.iter().map(|given| given.target.to_string()).collect();
            return Err(unknown(RefusalCode::NotFound, "override in force is", id, &known));
        }
        let message = match &*ended {
            [] => "no such override is in force: nothing was changed".to_owned(),
            ended => {
                let words: Vec<_> =
                    ended.iter().map(|one| format!("{} of {}", one.kind, one.target)).collect();
                format!("no longer in force: {}", words.join(", "))
            }
        };
        let notes = match selection {
            Selection::Server { server, .. } => self.left_for(server, &all),
            Selection::All | Selection::One(_) | Selection::Pool(_) => Vec::new(),
        };
        let all = all.into_iter().cloned().collect();
        Ok((all, Answer { routers: Vec::new(), message, notes, generation: None }))
    }

    /// Whether an override that was given for a server by one of its names is for the server that `word` names.
    fn names_the_same(&self, given: &Override, word: &str) -> bool {
        let Some(named) = given.target.server() else { return false };
        let both = |server: &RealServer| {
            let is = |word: &str| is_named(word, &server.name, server.address, server.port);
            is(word) && is(named)
        };
        **named == *word || self.policy.pools.values().flat_map(|pool| &pool.servers).any(both)
    }

    /// What else is in force for a server: that of another pool, or of all.
    fn left_for(&self, word: &str, all: &[&Override]) -> Vec<String> {
        let left = all.iter().filter(|given| self.names_the_same(given, word));
        left.map(|given| {
            format!("still in force: {} of {} (clear it by that name)", given.kind, given.target)
        })
        .collect()
    }

    fn meant(&self, target: &OverrideTarget) -> Result<Meant<'_>, Refused> {
        if let Some(name) = target.pool()
            && !self.policy.pools.contains_key(name)
        {
            let known: Vec<String> = self.policy.pools.keys().map(ToString::to_string).collect();
            return Err(unknown(RefusalCode::UnknownPool, "pool of the policy is", name, &known));
        }
        let is_for = |pool: &&Pool| target.pool().is_none_or(|name| pool.name == *name);
        let pools = || self.policy.pools.values().filter(is_for);
        let servers = |pool: &'_ Pool, server: &&RealServer| target.is_for(pool, server);
        let meant: Meant<'_> = pools()
            .map(|pool| {
                (pool, pool.servers.iter().filter(|server| servers(pool, server)).collect::<Vec<_>>())
            })
            .filter(|(_, servers)| !servers.is_empty() || target.server().is_none())
            .collect();
        match target.server() {
            Some(server) if meant.is_empty() => {
                let names =
                    pools().flat_map(|pool| pool.servers.iter().map(|server| server.name.to_string()));
                let names: Vec<String> = names.collect::<BTreeSet<_>>().into_iter().collect();
                let place = target.pool().map_or("in any pool".to_owned(), |pool| format!("of pool {pool}"));
                let what = format!("server {place} is");
                Err(unknown(RefusalCode::UnknownServer, &what, server, &names))
            }
            _ => Ok(meant),
        }
    }

    /// Speaks against what would leave a pool that serves without a server, and says where a quorum would be lost.
    fn guard(&self, meant: &Meant<'_>, force: bool, notes: &mut Vec<String>) -> Result<(), Refused> {
        for (pool, taken) in meant {
            let placement = self.rotations.placement(&pool.name);
            let serving = pool.servers.iter().enumerate().filter(|(index, _)| placement.of(*index).serves());
            let serving: Vec<&RealServer> = serving.map(|(_, server)| server).collect();
            let is_taken = |server: &RealServer| taken.iter().any(|taken| std::ptr::eq(*taken, server));
            let left: Vec<&&RealServer> = serving.iter().filter(|server| !is_taken(server)).collect();
            if serving.is_empty() || left.len() == serving.len() {
                continue;
            }
            if left.is_empty() && !force {
                return Err(Refused::new(RefusalCode::Guard, emptied(pool)));
            }
            let quorum = pool.rules.quorum;
            let worth = match quorum.unit {
                QuorumUnit::Servers => left.len() as u64,
                QuorumUnit::Weight => left.iter().map(|server| u64::from(server.weight)).sum(),
            };
            if worth < u64::from(quorum.least) {
                notes.push(format!(
                    "pool {} loses its quorum: {worth} is left of the {} that it needs",
                    pool.name, quorum.least
                ));
            }
        }
        Ok(())
    }

    fn given(&self, wanted: &Wanted, given: Given<'_>) -> Override {
        let by = match &wanted.by {
            Some(by) if by != given.by => format!("{by} ({})", given.by),
            Some(_) | None => given.by.to_owned(),
        };
        let ends = |time: Duration| given.unix_ms.saturating_add(milliseconds(time));
        Override {
            kind: wanted.kind,
            target: wanted.target.clone(),
            by,
            reason: wanted.reason.clone(),
            director: self.director().map(ToString::to_string),
            set_unix_ms: given.unix_ms,
            until_unix_ms: wanted.for_time.map(ends),
        }
    }

    /// What is to be said of overrides that touch the new one.
    fn others(&self, new: &Override, meant: &Meant<'_>) -> Vec<String> {
        let mut notes = Vec::new();
        for other in self.overrides.all() {
            if other.target == new.target {
                notes.push(format!("it takes the place of: {} by {}", other.kind, other.by));
                continue;
            }
            let shared = |(pool, servers): &(&Pool, Vec<&RealServer>)| {
                servers.iter().any(|server| other.target.is_for(pool, server))
            };
            if !matches!(new.kind, OverrideKind::Freeze) && meant.iter().any(shared) {
                let wins = other.target.exactness() > new.target.exactness();
                let words = if wins { "stays above it where both are" } else { "is below it where both are" };
                notes.push(format!("{} of {} by {} {words}", other.kind, other.target, other.by));
            }
        }
        notes
    }

    fn effect(&self, wanted: &Wanted, meant: &Meant<'_>) -> String {
        let who = who(&wanted.target, meant);
        let connections: u64 = meant.iter().map(|(pool, servers)| self.connections(pool, servers)).sum();
        match wanted.kind {
            OverrideKind::Server(Order::Drain) => {
                let deadline =
                    meant.iter().map(|(pool, _)| pool.rules.drain.deadline).max().unwrap_or_default();
                format!(
                    "{who} gets no new connection, and leaves when its {connections} connections have ended, after {} at the latest",
                    duration_words(deadline)
                )
            }
            OverrideKind::Server(Order::Disable) => {
                format!("{who} leaves the table at once, with {connections} connections")
            }
            OverrideKind::Server(Order::Weight(weight)) => format!("{who} has the weight {weight}"),
            OverrideKind::Server(Order::ForceUp) => format!("{who} serves, whatever its checks say"),
            OverrideKind::Freeze => format!("{who} stays as it is, whatever its checks say"),
        }
    }

    fn connections(&self, pool: &Pool, servers: &[&RealServer]) -> u64 {
        let (observed, counted_at) = (self.reconciler.observed(), self.reconciler.counted_at());
        let held =
            servers.iter().filter_map(|server| super::rotations::held(pool, server, observed, counted_at));
        held.map(|held| held.connections).sum()
    }
}

/// Whether it takes servers out of rotation.
const fn takes_away(kind: OverrideKind) -> bool {
    match kind {
        OverrideKind::Server(Order::Drain | Order::Disable | Order::Weight(0)) => true,
        OverrideKind::Server(Order::Weight(_) | Order::ForceUp) | OverrideKind::Freeze => false,
    }
}

fn emptied(pool: &Pool) -> String {
    let instead = match pool.sorry_servers.is_empty() {
        true => "nobody would answer",
        false => "only its sorry server would answer",
    };
    format!(
        "pool {} would be left without a server, and {instead}; nothing was changed; --force does it all the same",
        pool.name
    )
}

fn who(target: &OverrideTarget, meant: &Meant<'_>) -> String {
    let names: Vec<&PoolName> = meant.iter().map(|(pool, _)| &pool.name).collect();
    let servers: usize = meant.iter().map(|(_, servers)| servers.len()).sum();
    match target {
        OverrideTarget::Pool(pool) => format!("pool {pool}"),
        OverrideTarget::EveryServer(pool) => format!("each of the {servers} servers of {pool}"),
        OverrideTarget::Server { server, .. } if names.len() <= NAMED_POOLS => {
            let names: Vec<&str> = names.iter().map(|name| &***name).collect();
            format!("{server} in {}", names.join(", "))
        }
        OverrideTarget::Server { server, .. } => format!("{server} in {} pools", names.len()),
    }
}

fn until(wanted: &Wanted) -> String {
    match wanted.for_time {
        Some(time) => format!("for {}", duration_words(time)),
        None => "until it is cleared".to_owned(),
    }
}
