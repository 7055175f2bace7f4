//! The running kernel: hands each part of an observation, and each change, to the table that it belongs to.

use super::addresses;
use super::ipvs::{Ipvs, IpvsInfo};
use super::nftables::{self, Nftables};
use super::routing::Routing;
use super::sysctl::Sysctls;
use super::{Kernel, KernelError};
use crate::model::{Observed, Scope, SideTable, VirtualAddress};
use crate::reconcile::Change;
use std::collections::BTreeSet;

/// The kernel's tables in the network namespace of the thread that opened it; that thread must go on using it.
#[derive(Debug)]
pub struct LinuxKernel {
    ipvs: Ipvs,
    nftables: Nftables,
    sysctls: Sysctls,
    /// Opened when an address is first asked for.
    routing: Option<Routing>,
}

impl LinuxKernel {
    /// Finds IPVS in the running kernel; the other tables are opened when they are first asked for.
    ///
    /// # Errors
    /// When the kernel has no IPVS, or no netlink socket can be had.
    pub fn open() -> Result<Self, KernelError> {
        Ok(Self {
            ipvs: Ipvs::open()?,
            nftables: Nftables::default(),
            sysctls: Sysctls::of_the_kernel(),
            routing: None,
        })
    }

    /// What IPVS says of itself.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn ipvs_info(&mut self) -> Result<IpvsInfo, KernelError> {
        self.ipvs.info()
    }

    /// Makes a change that is none of IPVS; `None` for one that is.
    fn apply_beside_ipvs(&mut self, change: &Change) -> Option<Result<(), KernelError>> {
        match change {
            Change::ReplaceRuleset { to } => Some(nftables::replace(to)),
            Change::RemoveRuleset => Some(nftables::remove()),
            Change::SetSysctl { sysctl, to, .. } => Some(self.sysctls.set(sysctl, to)),
            Change::AddAddress { address } => {
                Some(self.routing().and_then(|routing| addresses::add(routing, address)))
            }
            Change::RemoveAddress { address } => {
                Some(self.routing().and_then(|routing| addresses::remove(routing, address)))
            }
            Change::AddService { .. }
            | Change::EditService { .. }
            | Change::RemoveService { .. }
            | Change::AddDestination { .. }
            | Change::EditDestination { .. }
            | Change::RemoveDestination { .. }
            | Change::SetTimeouts { .. } => None,
        }
    }

    /// After trouble the conversation is begun anew: its connection may have ended for good.
    fn observe_addresses(
        &mut self,
        asked: &BTreeSet<VirtualAddress>,
    ) -> Result<BTreeSet<VirtualAddress>, KernelError> {
        let found = self.routing().and_then(|routing| addresses::observe(routing, asked));
        if found.is_err() {
            self.routing = None;
        }
        found
    }

    fn routing(&mut self) -> Result<&Routing, KernelError> {
        let routing = match self.routing.take() {
            Some(routing) => routing,
            None => Routing::open()?,
        };
        Ok(self.routing.insert(routing))
    }
}

impl Kernel for LinuxKernel {
    fn observe(&mut self, scope: &Scope) -> Result<Observed, KernelError> {
        let mut observed = Observed::default();
        self.ipvs.observe(&mut observed)?;
        let (mut sysctls, mut ruleset, mut addresses) = Default::default();
        let mut note = |table, result: Result<(), KernelError>| {
            if let Err(error) = result {
                observed.unreadable.push((table, error.message));
            }
        };
        note(SideTable::Sysctls, self.sysctls.observe(&scope.sysctls, &mut sysctls));
        if scope.ruleset {
            note(SideTable::Nftables, self.nftables.observe().map(|found| ruleset = found));
        }
        if !scope.addresses.is_empty() {
            note(
                SideTable::Addresses,
                self.observe_addresses(&scope.addresses).map(|found| addresses = found),
            );
        }
        Ok(Observed { sysctls, ruleset, addresses, ..observed })
    }

    fn apply(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>> {
        let mut results = Vec::with_capacity(changes.len());
        // A run is one change of another table, or all changes of IPVS up to the next such one.
        for run in changes.chunk_by(|one, next| Ipvs::concerns(one) && Ipvs::concerns(next)) {
            match run.first().and_then(|change| self.apply_beside_ipvs(change)) {
                Some(result) => results.push(result),
                None => results.extend(self.ipvs.apply(run)),
            }
        }
        results
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_ipvs_says_what_to_load() {
        match LinuxKernel::open() {
            Ok(_) => {}
            Err(error) => assert!(error.message.contains("`modprobe ip_vs`"), "{error}"),
        }
    }
}
