//! Servers that track those of other pools: each is found, and what decides on it is taken over.

use super::Places;
use crate::model::{Condition, PoolName, Pools, RealServer, Tracking};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, nearest, quoted};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Running checks of one server, at most, with all that it tracks.
const MOST_TARGETS: usize = 64;

/// Every server, by the ways in which it is tracked.
struct Index<'a> {
    pools: BTreeSet<&'a str>,
    by_name: BTreeMap<(&'a str, &'a str), &'a RealServer>,
    /// `None` where several of a pool have the address.
    by_address: BTreeMap<(&'a str, IpAddr), Option<&'a RealServer>>,
}

/// Why a tracker cannot be followed.
enum Lost {
    /// What is wrong with it is reported elsewhere.
    Unread,
    Pool(PoolName),
    Server {
        pool: PoolName,
        /// `None`: it was not said, and none fits.
        name: Option<Arc<str>>,
    },
    Circle(Vec<String>),
    TooMany,
}

/// Lets each server that tracks another know what decides on that. `said` are the names of all pools, bad ones included.
pub(super) fn resolve(pools: &mut Pools, said: &BTreeSet<&str>, places: &Places, problems: &mut Problems) {
    if places.trackers.is_empty() {
        return;
    }
    // Then a server may be missing that could not be read.
    let some_unread = problems.has_errors();
    let unresolved = pools.clone();
    let index = Index::of(&unresolved);
    for pool in pools.values_mut() {
        for server in pool.servers.iter_mut().chain(&mut pool.sorry_servers) {
            let Some(span) = places.trackers.get(&(pool.name.clone(), server.name.clone())) else { continue };
            let Some(condition) = &server.check else { continue };
            let mut trail = vec![(pool.name.to_string(), server.name.to_string())];
            match index.follow(condition, server, &mut trail, said) {
                Ok(condition) if condition.targets().len() <= MOST_TARGETS => server.check = Some(condition),
                Ok(_) => problems.push(Lost::TooMany.tell(*span, &index)),
                Err(Lost::Unread | Lost::Server { .. }) if some_unread => {}
                Err(lost) => problems.push(lost.tell(*span, &index)),
            }
        }
    }
}

impl<'a> Index<'a> {
    fn of(pools: &'a Pools) -> Self {
        let mut index = Self {
            pools: pools.keys().map(|name| &**name).collect(),
            by_name: BTreeMap::new(),
            by_address: BTreeMap::new(),
        };
        for pool in pools.values() {
            for server in &pool.servers {
                index.by_name.insert((&pool.name, &server.name), server);
                let alone = index.by_address.entry((&pool.name, server.address)).or_insert(Some(server));
                *alone = alone.filter(|first| std::ptr::eq(*first, server));
            }
        }
        index
    }

    /// The condition with everything in it that is tracked; `trail` are the servers that led here.
    fn follow(
        &self,
        condition: &Condition,
        of: &RealServer,
        trail: &mut Vec<(String, String)>,
        said: &BTreeSet<&str>,
    ) -> Result<Condition, Lost> {
        let mut each = |members: &[Condition]| -> Result<Vec<Condition>, Lost> {
            members.iter().map(|member| self.follow(member, of, trail, said)).collect()
        };
        match condition {
            Condition::Check(_) => Ok(condition.clone()),
            Condition::All(members) => each(members).map(Condition::All),
            Condition::Any(members) => each(members).map(Condition::Any),
            Condition::Track(tracking) => {
                let found = self.find(tracking, of, said)?;
                let step = (tracking.pool.to_string(), found.name.to_string());
                if trail.contains(&step) {
                    let names = trail.iter().chain([&step]).map(|(pool, server)| format!("{pool}/{server}"));
                    return Err(Lost::Circle(names.collect()));
                }
                if trail.len() > MOST_TARGETS {
                    return Err(Lost::TooMany);
                }
                trail.push(step);
                let decided_by =
                    found.check.as_ref().map(|check| self.follow(check, found, trail, said)).transpose()?;
                trail.pop();
                if decided_by.as_ref().is_some_and(|condition| condition.targets().len() > MOST_TARGETS) {
                    return Err(Lost::TooMany);
                }
                let server = found.name.clone();
                Ok(Condition::Track(Tracking {
                    server,
                    decided_by: decided_by.map(Arc::new),
                    ..tracking.clone()
                }))
            }
        }
    }

    fn find(
        &self,
        tracking: &Tracking,
        of: &RealServer,
        said: &BTreeSet<&str>,
    ) -> Result<&'a RealServer, Lost> {
        let pool = &tracking.pool;
        if !self.pools.contains(&**pool) {
            return Err(if said.contains(&**pool) { Lost::Unread } else { Lost::Pool(pool.clone()) });
        }
        let by_name = || self.by_name.get(&(&**pool, &*tracking.server)).copied();
        let by_address = || self.by_address.get(&(&**pool, of.address)).copied().flatten();
        let found = if tracking.named { by_name() } else { by_name().or_else(by_address) };
        let name = tracking.named.then(|| tracking.server.clone());
        found.ok_or_else(|| Lost::Server { pool: pool.clone(), name })
    }
}

impl Lost {
    fn tell(&self, span: crate::policy::source::Span, index: &Index<'_>) -> Diagnostic {
        match self {
            Self::Unread | Self::TooMany => {
                let message =
                    format!("more than {MOST_TARGETS} checks decide on one server, with all that it tracks");
                Diagnostic::new(Code::TrackCircle, span, message).help("track the last of them directly")
            }
            Self::Pool(name) => {
                let message = format!("no pool is called {}", quoted(name));
                let diagnostic = Diagnostic::new(Code::UnknownPool, span, message);
                match nearest(name, index.pools.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help("name a pool under `pools`"),
                }
            }
            Self::Server { pool, name: Some(name) } => {
                let message =
                    format!("the pool {} has no server that is called {}", quoted(pool), quoted(name));
                let diagnostic = Diagnostic::new(Code::UnknownServer, span, message);
                let names = index.by_name.keys().filter(|(of, _)| *of == &**pool).map(|(_, name)| *name);
                match nearest(name, names) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help("a server without a name is called by its address and port"),
                }
            }
            Self::Server { pool, name: None } => {
                let message = format!(
                    "the pool {} has no server of this one's name, and not one of its address",
                    quoted(pool)
                );
                Diagnostic::new(Code::UnknownServer, span, message).help(format!(
                    "give the two the same name, or write `track: {{pool: {pool}, server: NAME}}`"
                ))
            }
            Self::Circle(names) => {
                let message = format!("these servers track one another in a circle: {}", names.join(", "));
                Diagnostic::new(Code::TrackCircle, span, message).help("give one of them a check of its own")
            }
        }
    }
}
