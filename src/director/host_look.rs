//! Looks at the host's routes (shell), beside the kernel thread: ten thousand look-ups must hold up no verdict.

use super::error::RunError;
use crate::kernel::KernelError;
use crate::model::{HostFacts, Policy, Pool};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How often the routes to the policy's addresses are looked up anew: at boot they may not exist yet.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The same while the last look kept a server out of the table.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A look that is not back by then is given up.
const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// Asks the kernel how this host reaches addresses; [`crate::kernel::host_facts`], or a test's.
pub type AskHost = fn(&BTreeSet<IpAddr>) -> Result<HostFacts, KernelError>;

/// When to look, and where what was seen comes out.
#[derive(Debug)]
pub(super) struct HostLook {
    ask: AskHost,
    policy: Arc<Policy>,
    /// When the next look is due; put off while one is under way.
    pub(super) due: Instant,
    sender: mpsc::Sender<Result<HostFacts, KernelError>>,
    pub(super) results: mpsc::Receiver<Result<HostFacts, KernelError>>,
}

impl HostLook {
    pub(super) fn new(ask: AskHost, policy: Arc<Policy>) -> Self {
        let (sender, results) = mpsc::channel(1);
        Self { ask, policy, due: Instant::now() + LOOK_EVERY, sender, results }
    }

    /// The same with the first look, which a start waits for.
    pub(super) async fn begun(ask: AskHost, policy: Arc<Policy>) -> Result<(Self, HostFacts), RunError> {
        let mut host = Self::new(ask, policy);
        host.begin();
        let facts = host.results.recv().await.ok_or(RunError::KernelThreadEnded)??;
        host.looked(false);
        Ok((host, facts))
    }

    /// Whom it asks.
    pub(super) const fn ask(&self) -> AskHost {
        self.ask
    }

    /// Looks at another policy's addresses from now on; those that are new were just looked at.
    pub(super) fn renew(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
    }

    /// Begins a look; its result comes out of `results`.
    pub(super) fn begin(&mut self) {
        let (ask, policy, sender) = (self.ask, Arc::clone(&self.policy), self.sender.clone());
        self.due = Instant::now() + LONGEST_LOOK;
        // Nobody listens any more when the director stops.
        tokio::task::spawn_blocking(move || sender.blocking_send(ask(&addresses(&policy))).ok());
    }

    /// Sets the next look, by whether the last one kept a server out.
    pub(super) fn looked(&mut self, kept_out: bool) {
        self.due = Instant::now() + if kept_out { LOOK_AGAIN } else { LOOK_EVERY };
    }
}

/// Every address whose reach matters: RIPs, and the addresses that shall be held.
#[must_use]
pub fn addresses(policy: &Policy) -> BTreeSet<IpAddr> {
    asked(policy, policy.pools.values())
}

/// Those of them that the policy before did not ask about, or not for the same pool.
pub(super) fn new_addresses(policy: &Policy, before: &Policy) -> BTreeSet<IpAddr> {
    let new = before.pools.differing(&policy.pools);
    asked(policy, new.iter().filter_map(|name| policy.pools.get(name)))
}

fn asked<'a>(policy: &'a Policy, pools: impl Iterator<Item = &'a Pool>) -> BTreeSet<IpAddr> {
    let held = policy.virtual_addresses.iter().map(|held| held.address.addr());
    pools.flat_map(Pool::every_server).map(|server| server.address).chain(held).collect()
}
