//! Connections that stay open between the probes of a target.
//!
//! Nobody polls one meanwhile: it costs a socket and its buffers, and no time. A server that closes it does so unseen, which
//! the next probe notices. A kept connection does not show whether the server still takes new ones, so each is given up
//! after [`MOST_EXCHANGES`].

use super::opening::{Connection, Session};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Exchanges on one connection, at most: with an interval of 2 s a server must take a new one every two minutes.
const MOST_EXCHANGES: u32 = 60;

/// One connection a target at most: the targets of a check bound them.
#[derive(Debug)]
pub(in crate::probe) struct Kept<S>(Mutex<HashMap<SocketAddr, Connection<S>>>);

impl<S> Default for Kept<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Session> Kept<S> {
    /// The connection to `target`, for one exchange.
    pub(in crate::probe) fn take(&self, target: SocketAddr) -> Option<Connection<S>> {
        self.connections().remove(&target)
    }

    /// Keeps a connection whose exchange is over.
    pub(in crate::probe) fn put(&self, target: SocketAddr, mut connection: Connection<S>) {
        if connection.exchanges() < MOST_EXCHANGES && connection.session.rest() {
            self.connections().insert(target, connection);
        }
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<SocketAddr, Connection<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
