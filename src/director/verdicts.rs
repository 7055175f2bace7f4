//! From the verdicts of running checks to the standing of servers: the only place that says so. Pure.

use super::composites::Composites;
use super::core::Core;
use super::server_id::{ServerId, id};
use super::targets::{Target, TargetId};
use crate::desired::Standing;
use crate::model::{Condition, Judgement, Pool, RealServer, TargetKey};

/// What a running check says, whatever is trusted.
fn judgement(target: &Target) -> Judgement {
    Judgement { up: target.machine.is_up(), settled: target.machine.is_settled() }
}

impl Core {
    /// Whether a server takes part in its pool. Two pools may share a target and differ in what they knew at the start: so
    /// before the first verdict each server stands as its own pool says.
    pub(super) fn standing(&self, pool: &Pool, server: &RealServer) -> Standing {
        let Some(condition) = &server.check else { return Standing::Up };
        if self.stands(&id(pool, server), condition) { Standing::Up } else { Standing::Down }
    }

    /// Whether what decides on a server says that it is up.
    pub(super) fn stands(&self, server: &ServerId, condition: &Condition) -> bool {
        let trusted = || self.adopted.contains(server);
        let up = |target: &Target| target.machine.is_up() && (target.machine.is_settled() || trusted());
        let of = |key: &TargetKey| match self.targets.by_key(key) {
            Some(target) => Judgement { up: up(target), settled: target.machine.is_settled() },
            None => Judgement::UNCHECKED,
        };
        condition.judge(&of).up
    }

    /// Whether a server has a first verdict.
    pub(super) fn is_settled(&self, server: &RealServer) -> bool {
        self.own_judgement(server).settled
    }

    /// What the checks of a server say, whatever stands before their first verdict.
    pub(super) fn own_judgement(&self, server: &RealServer) -> Judgement {
        self.judge(server, judgement)
    }

    /// What the checks of a server say, as `of` judges each.
    pub(super) fn judge(&self, server: &RealServer, of: impl Fn(&Target) -> Judgement) -> Judgement {
        let of = |key: &TargetKey| self.targets.by_key(key).map_or(Judgement::UNCHECKED, &of);
        server.check.as_ref().map_or(Judgement::UNCHECKED, |condition| condition.judge(&of))
    }

    /// The running check that makes a server what it is: of several the first that does.
    pub(super) fn target_of(&self, server: &RealServer) -> Option<&Target> {
        let of = |key: &TargetKey| self.targets.by_key(key).map_or(Judgement::UNCHECKED, judgement);
        self.targets.by_key(server.check.as_ref()?.decisive(&of)?)
    }

    /// Gives the composites out to be changed by what the rest says.
    pub(super) fn with_composites<T>(&mut self, change: impl FnOnce(&mut Composites, &Self) -> T) -> T {
        let mut composites = std::mem::take(&mut self.composites);
        let result = change(&mut composites, self);
        self.composites = composites;
        result
    }

    /// The servers that the verdict of a target changes, or could change where only one check decides.
    pub(super) fn changed_by(&mut self, id: TargetId) -> Vec<ServerId> {
        let servers = self.users.of_target(id).to_vec();
        let now = self.now;
        self.with_composites(|composites, core| {
            composites.refresh(&servers, now, |server, condition| core.stands(server, condition))
        })
    }
}
