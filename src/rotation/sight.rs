//! Verdicts of both directors: a server fails when every director that is heard sees it fail; who alone has lost sight of most
//! of a pool says so, and yields the pool's addresses instead of emptying it.
//!
//! At most one of two directors can have lost most of what the two see together: each of the servers that one has lost is seen by
//! the other. So they never yield to each other in turn.

use super::server::Server;

/// The servers that another director sees and this one does not, of all that either sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) lost: usize,
    pub(super) of: usize,
}

impl Lost {
    /// Counts those that are meant to serve. One without a first verdict here is not lost yet.
    pub(super) fn count<'a>(servers: impl Iterator<Item = &'a Server>) -> Self {
        servers.filter(|server| server.configured() > 0 && server.seen.passes()).fold(
            Self::default(),
            |count, server| Self { lost: count.lost + usize::from(server.is_disputed()), of: count.of + 1 },
        )
    }

    /// More than half.
    pub(super) const fn is_most(self) -> bool {
        self.lost * 2 > self.of
    }
}
