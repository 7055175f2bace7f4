//! The running kernel: hands each part of an observation, and each change, to the table that it belongs to.

use super::addresses;
use super::ipvs::{Ipvs, IpvsInfo, is_missing};
use super::nftables::{self, Nftables};
use super::routing::Routing;
use super::sysctl::Sysctls;
use super::{Kernel, KernelError};
use crate::model::{IpvsScope, Observed, Scope, SideTable, VirtualAddress};
use crate::reconcile::Change;
use std::collections::BTreeSet;

/// The kernel's tables in the network namespace of the thread that opened it; that thread must go on using it.
#[derive(Debug, Default)]
pub struct LinuxKernel {
    /// Found when it is first needed: a director without pools runs on a kernel that has none.
    ipvs: Option<Ipvs>,
    nftables: Nftables,
    sysctls: Sysctls,
    /// Opened when an address is first asked for.
    routing: Option<Routing>,
}

impl LinuxKernel {
    /// The running kernel. Each table is opened when it is first asked for, in the namespace of the thread that asks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What IPVS says of itself.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn ipvs_info(&mut self) -> Result<IpvsInfo, KernelError> {
        self.ipvs()?.info()
    }

    /// After trouble it is looked for anew: its module may have been loaded meanwhile.
    fn ipvs(&mut self) -> Result<&mut Ipvs, KernelError> {
        let ipvs = match self.ipvs.take() {
            Some(ipvs) => ipvs,
            None => Ipvs::open()?,
        };
        Ok(self.ipvs.insert(ipvs))
    }

    fn observe_ipvs(&mut self, scope: IpvsScope, observed: &mut Observed) -> Result<(), KernelError> {
        if scope == IpvsScope::Ignored {
            return Ok(());
        }
        match self.ipvs().and_then(|ipvs| ipvs.observe(observed)) {
            Err(error) if scope == IpvsScope::IfThere && is_missing(&error) => Ok(()),
            result => result,
        }
    }

    fn apply_to_ipvs(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>> {
        match self.ipvs() {
            Ok(ipvs) => ipvs.apply(changes),
            Err(error) => vec![Err(error); changes.len()],
        }
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
            | Change::StartSyncDaemon { .. }
            | Change::StopSyncDaemon { .. }
            | Change::SetTimeouts { .. } => None,
        }
    }

    /// After trouble the conversation is begun anew: its connection may have ended for good.
    fn observe_addresses(
        &mut self,
        scope: &Scope,
    ) -> Result<(BTreeSet<VirtualAddress>, BTreeSet<VirtualAddress>), KernelError> {
        let found = self.routing().and_then(|routing| addresses::observe(routing, scope));
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
        self.observe_ipvs(scope.ipvs, &mut observed)?;
        let (mut sysctls, mut ruleset, mut addresses, mut held) = Default::default();
        let mut note = |table, result: Result<(), KernelError>| {
            if let Err(error) = result {
                observed.unreadable.push((table, error.message));
            }
        };
        note(SideTable::Sysctls, self.sysctls.observe(&scope.sysctls, &mut sysctls));
        if scope.ruleset {
            note(SideTable::Nftables, self.nftables.observe().map(|found| ruleset = found));
        }
        if !scope.addresses.is_empty() || !scope.held.is_empty() {
            note(SideTable::Addresses, self.observe_addresses(scope).map(|found| (addresses, held) = found));
        }
        Ok(Observed { sysctls, ruleset, addresses, held, ..observed })
    }

    fn apply(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>> {
        let mut results = Vec::with_capacity(changes.len());
        // A run is one change of another table, or all changes of IPVS up to the next such one.
        for run in changes.chunk_by(|one, next| Ipvs::concerns(one) && Ipvs::concerns(next)) {
            match run.first().and_then(|change| self.apply_beside_ipvs(change)) {
                Some(result) => results.push(result),
                None => results.extend(self.apply_to_ipvs(run)),
            }
        }
        results
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_ipvs_says_what_to_load_where_a_policy_needs_it() {
        match LinuxKernel::new().observe(&Scope::default()) {
            Ok(_) => {}
            Err(error) if is_missing(&error) => {
                assert!(error.message.contains("`modprobe ip_vs`"), "{error}");
            }
            Err(error) => assert_eq!(error.errno, Some(libc::EPERM), "{error}"),
        }
    }

    #[test]
    fn a_kernel_without_ipvs_serves_a_director_without_pools() {
        let scope = Scope { ipvs: IpvsScope::Ignored, ..Scope::default() };
        let mut kernel = LinuxKernel::new();
        assert_eq!(kernel.observe(&scope), Ok(Observed::default()));
        assert!(kernel.ipvs.is_none(), "it was not even asked for");
    }
}
