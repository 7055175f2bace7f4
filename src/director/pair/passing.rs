//! Tells the other director connections (shell, off the loop): the whole table before a planned takeover, then what has come
//! since, and, where the kernel tracks them, each connection as it begins.

use super::restoring::tracked_sync;
use super::until::Until;
use crate::advert::thread::{Command, Commander};
use crate::connections::{self, PassError, Passed, Told};
use crate::model::{ConnectionSync, Policy, Tables};
use crate::vrrp::transfer::{GOING_ON, RESIGN_BOUND, REST_BOUND};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::spawn_blocking;

/// One task of each kind at most.
#[derive(Debug)]
pub(super) struct Passing {
    sync: Option<ConnectionSync>,
    /// Whether the kernel says which connections begin.
    is_tracked: bool,
    /// What the other director was told of the connection table.
    told: Arc<Mutex<Told>>,
    /// By which tables.
    tables: Option<Arc<Tables>>,
    /// Until when connections are told as they begin.
    following: Until,
}

impl Passing {
    pub(super) fn new(policy: &Policy) -> Self {
        Self {
            sync: policy.pair.connection_sync.clone(),
            is_tracked: tracked_sync(policy).is_some(),
            told: Arc::default(),
            tables: None,
            following: Until::default(),
        }
    }

    /// Goes on under another policy.
    pub(super) fn renew(&mut self, policy: &Policy) {
        self.sync.clone_from(&policy.pair.connection_sync);
        self.is_tracked = tracked_sync(policy).is_some();
        self.tables = None;
    }

    /// Sends the connection table, and says so to the election; not `whole`: what has come since the last time. `tables` are
    /// what the kernel should hold: the rests follow each other quickly, and those of ten thousand servers are not computed
    /// for each.
    pub(super) fn pass(&mut self, whole: bool, tables: impl FnOnce() -> Tables, commander: Commander) {
        let Some(sync) = self.sync.clone() else { return };
        if whole || self.tables.is_none() {
            self.tables = Some(Arc::new(tables()));
        }
        let Some(tables) = self.tables.clone() else { return };
        if whole && self.is_tracked {
            self.follow(&sync, &tables);
        }
        let told = Arc::clone(&self.told);
        spawn_blocking(move || {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            let within = if whole { RESIGN_BOUND } else { REST_BOUND };
            if whole {
                *told = Told::default();
            }
            log(whole, connections::pass(&sync, &tables, within, &mut told));
            commander.give(Command::StatePassed);
        });
    }

    /// The addresses are about to go: until then, and as long as the rest of the table follows after it.
    fn follow(&self, sync: &ConnectionSync, tables: &Arc<Tables>) {
        if !self.following.begins(RESIGN_BOUND + GOING_ON) {
            return;
        }
        let (until, sync, tables) = (self.following.clone(), sync.clone(), Arc::clone(tables));
        spawn_blocking(move || match connections::follow(&sync, &tables, || until.time_left().is_some()) {
            Ok(connections) => tracing::debug!(connections, "connections were told as they began"),
            Err(error) => {
                until.end();
                tracing::warn!("connections that begin during the hand-over are told later: {error}");
            }
        });
    }
}

fn log(whole: bool, passed: Result<Passed, PassError>) {
    match passed {
        Ok(passed) if !whole => tracing::debug!(
            connections = passed.connections,
            "connections that have come since were passed to the other director in {:?}",
            passed.took
        ),
        Ok(passed) => tracing::info!(
            connections = passed.connections,
            omitted = passed.omitted,
            "connections were passed to the other director in {:?}",
            passed.took
        ),
        Err(error) if !whole => {
            tracing::debug!("connections that have come since could not be passed: {error}");
        }
        Err(error) => tracing::warn!("connections could not be passed to the other director: {error}"),
    }
}
