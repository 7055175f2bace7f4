//! The kernel's tables: observed whole, changed one [`Change`] at a time. Shell: everything here does IO, nothing decides.

mod addresses;
mod conntrack;
mod epoch;
mod error;
pub(crate) mod floating;
mod host;
mod ipvs;
mod linux;
pub(crate) mod netlink;
mod network;
mod nftables;
mod observing;
mod program;
mod routing;
pub(crate) mod sys;
pub(crate) mod sysctl;
mod tracking;
pub mod wire;

pub use conntrack::{Beginnings, Conntrack, KnownConnections, Restored, UnderWay};
pub use epoch::epoch;
pub use host::{host_facts, kernel_release};
pub use ipvs::IpvsInfo;
pub use linux::LinuxKernel;
pub(crate) use network::{gue_ports, network_facts, read_sysctls};
pub(crate) use nftables::every_table;
pub use observing::ReadOnly;
pub(crate) use program::has_program;
pub use tracking::tracking_counts;

use crate::model::{Observed, Scope};
use crate::reconcile::Change;

/// A kernel, real or simulated. One thread owns it: calls block and never overlap.
pub trait Kernel: Send {
    /// Reads everything: the IPVS table of this network namespace, and what `scope` names. A table beside IPVS that cannot be
    /// read is named in [`Observed::unreadable`].
    ///
    /// # Errors
    /// When the IPVS table cannot be read; nothing was changed.
    fn observe(&mut self, scope: &Scope) -> Result<Observed, KernelError>;

    /// Applies `changes` in their order, one result for each: a change that fails does not stop those behind it.
    fn apply(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>>;
}

/// The first observation of a run or a plan: there, what cannot be read is an error, since nothing is known from before.
///
/// # Errors
/// When any table cannot be read.
pub fn complete(observed: Observed) -> Result<Observed, KernelError> {
    match observed.unreadable.first() {
        Some((_, message)) => Err(KernelError { errno: None, message: message.clone() }),
        None => Ok(observed),
    }
}

/// Why the kernel refused or could not be asked: the sentence names the object, says the errno in words and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct KernelError {
    /// `errno`, where the kernel gave one (positive).
    pub errno: Option<i32>,
    pub message: String,
}
