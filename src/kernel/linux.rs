//! The running kernel: hands each part of an observation, and each change, to the table that it belongs to.

use super::ipvs::{Ipvs, IpvsInfo};
use super::sysctl::Sysctls;
use super::{Kernel, KernelError};
use crate::model::{HostFacts, Observed, Scope};
use crate::reconcile::Change;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The kernel's tables in the network namespace of the thread that opened it; that thread must go on using it.
#[derive(Debug)]
pub struct LinuxKernel {
    ipvs: Ipvs,
    sysctls: Sysctls,
}

impl LinuxKernel {
    /// Finds IPVS in the running kernel; the other tables are opened when they are first asked for.
    ///
    /// # Errors
    /// When the kernel has no IPVS, or no netlink socket can be had.
    pub fn open() -> Result<Self, KernelError> {
        Ok(Self { ipvs: Ipvs::open()?, sysctls: Sysctls::of_the_kernel() })
    }

    /// What IPVS says of itself.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn ipvs_info(&mut self) -> Result<IpvsInfo, KernelError> {
        self.ipvs.info()
    }

    /// Makes a change that is none of IPVS.
    fn apply_one(&mut self, change: &Change) -> Result<(), KernelError> {
        match change {
            Change::SetSysctl { sysctl, to, .. } => self.sysctls.set(sysctl, to),
            _ => Err(KernelError::new("not yet")),
        }
    }
}

impl Kernel for LinuxKernel {
    fn observe(&mut self, scope: &Scope) -> Result<Observed, KernelError> {
        let mut observed = Observed::default();
        self.ipvs.observe(&mut observed)?;
        self.sysctls.observe(&scope.sysctls, &mut observed)?;
        Ok(observed)
    }

    fn apply(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>> {
        let mut results = Vec::with_capacity(changes.len());
        for run in changes.chunk_by(|one, next| Ipvs::concerns(one) && Ipvs::concerns(next)) {
            match run {
                [change] if !Ipvs::concerns(change) => results.push(self.apply_one(change)),
                _ => results.extend(self.ipvs.apply(run)),
            }
        }
        results
    }

    fn host(&mut self, _addresses: &BTreeSet<IpAddr>) -> Result<HostFacts, KernelError> {
        Ok(HostFacts::default())
    }
}
