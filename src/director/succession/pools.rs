//! What the pools of a director hand on to another process, as JSON, and how a fresh core goes on with that: each pool begins with
//! its verdicts, and no weight changes. Pure.
//!
//! Two versions one apart understand each other: what is unknown is ignored, and what is missing is as at a start.

use crate::director::core::{Beginning, Core};
use crate::director::rotations::Rotations;
use crate::director::targets::{Target, Targets};
use crate::health::handed::HandedCheck;
use crate::model::{Policy, Roles, RouterName, TargetKey};
use crate::peer::sight::{Sight, Sights};
use crate::rotation::handed::HandedPool;
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// Everything about the pools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandedPools {
    /// The number of the policy in force.
    pub generation: u64,
    /// The routers of which this director is Master, and those of them whose change of hands is not through.
    pub master_of: BTreeSet<String>,
    #[serde(rename = "taking_over")]
    pub changing_hands: BTreeSet<String>,
    pub checks: Vec<HandedTarget>,
    pub pools: Vec<HandedPool>,
    /// What each other director that is heard sees of the pools that both judge.
    pub sights: Vec<BTreeMap<String, Sight>>,
}

/// A running check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedTarget {
    pub check: String,
    pub address: SocketAddr,
    #[serde(default)]
    pub real_path: Option<u32>,
    #[serde(flatten)]
    pub state: HandedCheck,
}

impl HandedPools {
    /// The roles of the pools.
    #[must_use]
    pub fn roles(&self) -> Roles {
        let names = |names: &BTreeSet<String>| names.iter().map(|name| name.as_str().into()).collect();
        Roles { master_of: names(&self.master_of), changing_hands: names(&self.changing_hands) }
    }

    /// What the others see.
    #[must_use]
    pub fn others(&self) -> Vec<Arc<Sights>> {
        let sights = |pools: &BTreeMap<String, Sight>| {
            let each = pools.iter().map(|(pool, sight)| (pool.as_str().into(), Arc::new(sight.clone())));
            Arc::new(each.collect::<Sights>())
        };
        self.sights.iter().map(sights).collect()
    }
}

impl Core {
    /// What another process goes on with.
    #[must_use]
    pub fn hand_on(&self) -> HandedPools {
        let names = |names: &BTreeSet<RouterName>| names.iter().map(ToString::to_string).collect();
        let sights = |sights: &Arc<Sights>| {
            sights.iter().map(|(pool, sight)| (pool.to_string(), Sight::clone(sight))).collect()
        };
        HandedPools {
            generation: self.generation,
            master_of: names(&self.roles.master_of),
            changing_hands: names(&self.roles.changing_hands),
            checks: self.targets.hand_on(),
            pools: self.rotations.hand_on(&self.policy),
            sights: self.sightings.others().iter().map(sights).collect(),
        }
    }

    /// A director that adopts what it finds, and goes on where another process was.
    #[must_use]
    pub fn succeed(beginning: Beginning, handed: &HandedPools) -> Self {
        Self::begun(beginning, Some(handed))
    }

    /// Nothing new is begun from now on: what is under way comes to its end. `false`: it goes on.
    pub fn rest(&mut self, rests: bool) {
        self.rests = rests;
    }

    /// Whether it rests, and nothing is under way in the kernel any more.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.rests && self.reconciler.is_idle()
    }
}

impl Targets {
    fn hand_on(&self) -> Vec<HandedTarget> {
        let handed = |target: &Target| HandedTarget {
            check: target.key.check.to_string(),
            address: target.key.address,
            real_path: target.key.real_path,
            state: target.machine.hand_on(),
        };
        self.running().map(handed).collect()
    }

    /// Each check goes on where another process had it; one that that one did not have begins as at a start.
    pub(in crate::director) fn succeed(&mut self, at: Instant, handed: &[HandedTarget]) {
        for said in handed {
            let key = TargetKey {
                check: said.check.as_str().into(),
                address: said.address,
                real_path: said.real_path,
            };
            self.change(&key, |machine| machine.go_on(at, &said.state));
        }
    }
}

impl Rotations {
    fn hand_on(&self, policy: &Policy) -> Vec<HandedPool> {
        let handed = |(name, pool): (&crate::model::PoolName, &crate::model::Pool)| {
            let mut handed = self.machine(name)?.hand_on();
            handed.name = name.to_string();
            for (said, server) in handed.servers.iter_mut().zip(&pool.servers) {
                said.name = server.name.to_string();
            }
            Some(handed)
        };
        policy.pools.iter().filter_map(handed).collect()
    }

    /// Each pool goes on where another process had it.
    pub(in crate::director) fn succeed(&mut self, policy: &Policy, handed: &[HandedPool]) {
        for said in handed {
            let (Some(pool), Some(machine)) = (policy.pools.get(&said.name), self.machine_mut(&said.name))
            else {
                continue;
            };
            let servers: BTreeMap<&str, _> =
                said.servers.iter().map(|server| (server.name.as_str(), server)).collect();
            let of = |index: usize| servers.get(&*pool.servers.get(index)?.name).copied();
            machine.go_on(said, of);
        }
    }
}
