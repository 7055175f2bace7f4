//! What the core is told, and what it asks for. Pure.

use super::event::Event;
use super::reconciler::Work;
use super::targets::TargetId;
use crate::health::ProbeId;
use crate::kernel::KernelError;
use crate::model::{CheckName, HostFacts, Observed, Outcome, Override, Policy, Roles};
use crate::peer::sight::Sights;
use crate::reconcile::Ownership;
use crate::time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// What happened. Instants never go back.
#[derive(Debug)]
pub enum Input {
    /// A probe that [`Output::StartProbe`] asked for has ended.
    ProbeFinished {
        at: Instant,
        target: TargetId,
        probe: ProbeId,
        outcome: Outcome,
        /// How much later than asked it started.
        lateness: Duration,
    },
    /// The answer to [`Work::Observe`].
    Observed { at: Instant, result: Result<Observed, KernelError> },
    /// The answer to [`Work::Apply`]: one result a change.
    Applied { at: Instant, took: Duration, results: Vec<Result<(), KernelError>> },
    /// The host's routes were looked up anew.
    Host { at: Instant, facts: HostFacts },
    /// What checks look at has changed: they are made at once.
    Changed { at: Instant, checks: Vec<CheckName> },
    /// What the wall clock says: the Unix time of [`Instant::ZERO`]. Only warnings of certificates depend on it.
    Calendar { at: Instant, epoch: Duration },
    /// The operator has another policy; how this host reaches its addresses. It was validated, and is taken over whole.
    Policy { at: Instant, policy: Arc<Policy>, facts: HostFacts },
    /// What operators ordered: all overrides that are in force from now on.
    Overrides { at: Instant, all: Vec<Override> },
    /// What each other director that is heard now sees of the pools that both judge.
    Sights { at: Instant, others: Vec<Arc<Sights>> },
    /// This director became Master of a virtual router, or is it no longer.
    Roles { at: Instant, roles: Roles },
    /// Time has passed.
    Timeout { at: Instant },
    /// The director shall stop, leaving behind what its policy says.
    Stop { at: Instant },
}

/// What to do next.
#[derive(Debug)]
pub enum Output {
    StartProbe {
        target: TargetId,
        probe: ProbeId,
        /// When it should have started: now, or a little ago.
        due: Instant,
        give_up_at: Instant,
    },
    /// Work for the kernel thread; its answer comes back as an input.
    Kernel(Work),
    /// The record of what is ours changed: write it.
    Record(Ownership),
    /// The overrides changed: keep all of these.
    Overrides(Vec<Override>),
    /// What this director's own checks say of the pools that both judge: tell the others.
    Sights(Sights),
    Tell(Event),
    /// Everything is as it shall be left behind.
    Stopped,
    /// Nothing until an input comes, at the latest [`Input::Timeout`] at the deadline.
    Wait {
        deadline: Option<Instant>,
    },
}
