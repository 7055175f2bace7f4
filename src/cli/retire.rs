//! `tandem retire`: takes back what a director made in this kernel, when none runs: the way out before the program itself
//! is removed. With `on_stop: keep` a director that stops leaves its table serving, which is right for a restart and wrong
//! for a farewell.
//!
//! The record of the state directory says what is ours; nothing else is touched. It keeps what could not be taken back, so
//! that the command may be run again.

use super::ExitStatus;
use crate::director::state_directory::StateDirectory;
use crate::kernel::{Kernel, KernelError, LinuxKernel, complete, epoch};
use crate::model::Tables;
use crate::reconcile::{Epoch, Ownership, plan, scope};
use std::io::Write;
use std::path::Path;

/// Takes everything back that the record below `state` calls ours; each change is told on `err`.
///
/// # Errors
/// When a director runs, or the kernel's tables or the record cannot be read or written.
pub(super) fn retire(state: &Path, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    if !state.exists() {
        writeln!(err, "Nothing to take back: there is no state directory {}.", state.display())?;
        return Ok(ExitStatus::Done);
    }
    take_back(&mut StateDirectory::lock(state)?, &epoch()?, &mut LinuxKernel::new(), err)
}

fn take_back(
    state: &mut StateDirectory,
    epoch: &Epoch,
    kernel: &mut dyn Kernel,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let mut complain = |warning: String| {
        writeln!(err, "warning: {warning}").ok();
    };
    let owned = state.load(epoch, &mut complain);
    let nothing = Tables::default();
    let observed = complete(kernel.observe(&scope(&nothing, &owned))?)?;
    let changes = plan(&nothing, &observed, &owned);
    let results = kernel.apply(&changes);
    for (change, result) in changes.iter().zip(&results) {
        match result {
            Ok(()) => writeln!(err, "{change}")?,
            Err(error) => writeln!(err, "{error}")?,
        }
    }
    let left = owned_still(&owned, kernel)?;
    state.save(&left)?;
    match results.iter().filter(|result| result.is_err()).count() {
        0 if changes.is_empty() => writeln!(err, "Nothing to take back: the kernel holds nothing of ours.")?,
        0 => writeln!(err, "Taken back: {} changes.", changes.len())?,
        refused => writeln!(err, "{refused} of {} changes were refused; run it again.", changes.len())?,
    }
    Ok(if results.iter().all(Result::is_ok) { ExitStatus::Done } else { ExitStatus::Failed })
}

/// What is still there of it.
fn owned_still(owned: &Ownership, kernel: &mut dyn Kernel) -> Result<Ownership, KernelError> {
    let nothing = Tables::default();
    Ok(owned.after(&nothing, &complete(kernel.observe(&scope(&nothing, owned))?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Standing;
    use crate::desired::fixtures::{host, policy, pool, tables_on, tcp};
    use crate::model::Forwarding;
    use crate::model::{Observed, Scope, ServiceKey};
    use crate::reconcile::{Change, assume};
    use std::collections::BTreeSet;

    /// Holds these services, and refuses to let one go.
    struct Holding {
        observed: Observed,
        refuses: Option<ServiceKey>,
    }

    impl Kernel for Holding {
        fn observe(&mut self, _: &Scope) -> Result<Observed, KernelError> {
            Ok(self.observed.clone())
        }

        fn apply(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>> {
            changes.iter().map(|change| self.make(change)).collect()
        }
    }

    impl Holding {
        fn make(&mut self, change: &Change) -> Result<(), KernelError> {
            match change {
                Change::RemoveService { service, .. } if Some(*service) == self.refuses => {
                    Err(KernelError { errno: Some(16), message: format!("{service}: the kernel is busy") })
                }
                _ => {
                    assume(&mut self.observed, change);
                    Ok(())
                }
            }
        }
    }

    const OURS: &str = "192.0.2.1";
    const THEIRS: &str = "192.0.2.9";

    fn kernel() -> Holding {
        let policy = policy([OURS, THEIRS].map(|vip| pool(vip, vip, &Forwarding::DirectRouting)));
        let services = tables_on(&policy, &host(&policy), |_, _| Standing::Up).services;
        Holding { observed: Observed { services, ..Observed::default() }, refuses: None }
    }

    fn recorded(folder: &Path) -> (StateDirectory, Epoch) {
        let epoch = Epoch { boot_id: "boot".into(), namespace: "net:[1]".into() };
        let mut state = StateDirectory::lock(folder).expect("a new directory");
        let services = BTreeSet::from([tcp(OURS, 80)]);
        state.save(&Ownership { epoch: epoch.clone(), services, ..Ownership::default() }).expect("saved");
        (state, epoch)
    }

    fn told(kernel: &mut Holding, folder: &Path) -> (ExitStatus, String) {
        let (mut state, epoch) = recorded(folder);
        let mut err = Vec::new();
        let status = take_back(&mut state, &epoch, kernel, &mut err).expect("it can be read and written");
        (status, String::from_utf8(err).expect("text"))
    }

    #[test]
    fn what_is_ours_goes_and_what_is_not_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut kernel = kernel();
        let (status, text) = told(&mut kernel, folder.path());
        assert_eq!(status, ExitStatus::Done, "{text}");
        assert!(text.ends_with("Taken back: 1 changes.\n"), "{text}");
        assert_eq!(kernel.observed.services.keys().copied().collect::<Vec<_>>(), [tcp(THEIRS, 80)]);
        let epoch = Epoch { boot_id: "boot".into(), namespace: "net:[1]".into() };
        let left = StateDirectory::peek(folder.path()).load(&epoch, &mut |warning| panic!("{warning}"));
        assert_eq!(left, Ownership { epoch, ..Ownership::default() });
    }

    #[test]
    fn what_is_refused_stays_on_record() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut kernel = Holding { refuses: Some(tcp(OURS, 80)), ..kernel() };
        let (status, text) = told(&mut kernel, folder.path());
        assert_eq!(status, ExitStatus::Failed);
        assert!(text.contains("the kernel is busy") && text.ends_with("run it again.\n"), "{text}");
        let epoch = Epoch { boot_id: "boot".into(), namespace: "net:[1]".into() };
        let left = StateDirectory::peek(folder.path()).load(&epoch, &mut |warning| panic!("{warning}"));
        assert_eq!(left.services, BTreeSet::from([tcp(OURS, 80)]));
    }

    #[test]
    fn without_a_state_directory_nothing_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("tandem");
        let mut err = Vec::new();
        assert_eq!(retire(&state, &mut err).expect("nothing to do"), ExitStatus::Done);
        assert!(!state.exists());
    }
}
