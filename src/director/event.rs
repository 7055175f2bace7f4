//! What happened, in a form that the log, and later the event stream, print. One event a decision.

use super::observing::Difference;
use crate::health::Reason;
use crate::model::{Override, PoolName, ServiceKey, TargetKey};
use crate::reconcile::{Change, Object};
use crate::rotation::Act;
use std::sync::Arc;
use std::time::Duration;

/// What became of an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideChange {
    Set,
    Cleared,
    /// Its time is over.
    Expired,
}

/// One decision or one observation worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The table that was found at start: services of ours that were there, and those of others.
    Adopted { ours: Vec<ServiceKey>, foreign: Vec<ServiceKey> },
    /// An operator gave an override, or it has ended.
    Override { given: Override, change: OverrideChange },
    /// Another policy is in force.
    PolicyTaken { generation: u64 },
    /// A check's verdict on a target changed, and with it these servers of these pools; or the first probe of a new one
    /// failed, so that it stays out.
    Verdict { target: Arc<TargetKey>, up: bool, reason: Reason, servers: Vec<(PoolName, Arc<str>)> },
    /// A probe could not be made on this host: the verdict on the target stays as it is. Told once for each reason.
    NotProbed { target: Arc<TargetKey>, reason: String },
    /// A server's certificate expires within so long; told once a day.
    CertificateExpires { target: Arc<TargetKey>, left: Duration },
    /// The kernel accepted these changes.
    Applied { cause: Cause, changes: Vec<Change> },
    /// Somebody else changed what is ours; the changes that repair it.
    Drift { changes: Vec<Change> },
    /// The kernel refused a change; told once for each object and message.
    Refused { object: Object, message: String },
    /// A refused object was accepted at last.
    Accepted { object: Object },
    /// A table of the kernel could not be read; told once for each message.
    Unreadable { message: String },
    /// All tables can be read again.
    Readable,
    /// A pool got its first server that serves, or lost the last.
    Pool { pool: PoolName, up: bool },
    /// A pool's rule acted, on one of its servers where it says so.
    Acted { pool: PoolName, server: Option<Arc<str>>, act: Act },
    /// A server that is up cannot be used for a reason of the host's, or can again.
    Obstructed { pool: PoolName, server: Arc<str>, obstructed: bool },
    /// Of a director that only observes: what it would do otherwise than the live tables are, and what it would no longer;
    /// `left`: all that it would do now.
    Differs { appeared: Vec<Difference>, ended: Vec<Difference>, left: usize },
    /// A director that only observed has stopped; what differed in the end.
    ObservedUntilNow { differences: Vec<Difference> },
}

/// Why changes were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The first pass after the start.
    Start,
    /// A verdict, or the host's routes, changed.
    Decision,
    /// Another policy was taken over.
    Reload,
    /// The kernel's table had drifted, or a refused change was tried again.
    Repair,
    /// The director stops and its policy says `on_stop: remove`.
    Stop,
}

impl Cause {
    /// The word in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Decision => "decision",
            Self::Reload => "reload",
            Self::Repair => "repair",
            Self::Stop => "stop",
        }
    }
}
