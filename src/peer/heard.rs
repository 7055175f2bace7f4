//! What one peer has said since its connection began. Pure.

use super::message::Pools;
use super::report::{Report, Summaries};
use crate::time::Instant;
use std::sync::Arc;

/// Pools that are remembered at most; more than a policy may have services.
pub const MOST_POOLS: usize = 20_000;
/// Bytes of a pool's name at most: longer ones are no policy's.
const LONGEST_NAME: usize = 512;

/// One peer.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub report: Option<Arc<Report>>,
    /// When that came.
    pub at: Option<Instant>,
    pub pools: Summaries,
}

impl Heard {
    /// Takes in a report.
    pub fn report(&mut self, report: Report, at: Instant) {
        self.report = Some(Arc::new(report));
        self.at = Some(at);
    }

    /// Takes in what it says of pools.
    pub fn pools(&mut self, said: Pools) {
        if said.anew {
            self.pools.clear();
        }
        self.pools.retain(|name, _| !said.gone.contains(name));
        for pool in said.pools {
            let fits = self.pools.len() < MOST_POOLS || self.pools.contains_key(&pool.name);
            if fits && pool.name.len() <= LONGEST_NAME {
                self.pools.insert(pool.name.clone(), Arc::new(pool));
            }
        }
    }

    /// Whether all pools have come: while their first parts arrive, those that are missing are not yet missed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.report.as_ref().is_some_and(|report| self.pools.len() == report.pools.min(MOST_POOLS))
    }
}
