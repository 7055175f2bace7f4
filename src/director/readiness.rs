//! How far the pools are: ready to be asked, and warm enough to take over. Pure.

use super::core::Core;
use super::targets::Target;
use crate::model::{Judgement, Pool, RealServer};
use crate::time::Instant;

impl Core {
    /// Whether the tables are applied and each pool has a first verdict: what `/readyz` tells. The error names what is
    /// missing.
    ///
    /// # Errors
    /// A sentence that says what is still awaited.
    pub fn readiness(&self, now: Instant) -> Result<(), String> {
        if let Some(took) = self.reconciler.hangs_for(now) {
            return Err(format!("the kernel has not answered for {} s", took.as_secs()));
        }
        if !self.reconciler.is_applied() {
            return Err("the tables have not been applied yet".to_owned());
        }
        for pool in self.policy.pools.values() {
            let decided = |server: &RealServer| self.is_settled(server);
            if !pool.servers.is_empty() && !pool.servers.iter().any(decided) {
                return Err(format!("pool {}: no server has a verdict yet", pool.name));
            }
        }
        Ok(())
    }

    /// Whether this director's tables are as good as another's: it is ready, each server has a verdict that is of what there
    /// is since `since`, and the kernel was told. A takeover that can wait waits for this: a director that was cut off has
    /// lost its servers meanwhile, and one that has just started does not know them yet. A connection that the other director
    /// passes on is bound to its destination as it comes, and one whose destination joins later stays unbound (through a
    /// tunnel it is lost).
    #[must_use]
    pub fn is_warm(&self, since: Instant, now: Instant) -> bool {
        let mut servers = self.policy.pools.values().flat_map(Pool::every_server);
        let settled = |server: &RealServer| {
            let fresh = |target: &Target| target.machine.is_settled_since(since);
            self.judge(server, |target| Judgement { up: target.machine.is_up(), settled: fresh(target) })
                .settled
        };
        let told = self.gathered.is_nobody() && self.reconciler.has_told_all();
        told && self.readiness(now).is_ok() && servers.all(settled)
    }
}
