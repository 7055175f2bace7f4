//! A kernel that is only looked at: behind `tandem run --observe`.

use super::{Kernel, KernelError};
use crate::model::{Observed, Scope};
use crate::reconcile::Change;

/// Observes what the kernel inside it observes, and refuses every change. Nobody should ask for one: whatever decides
/// wrongly, nothing is changed.
#[derive(Debug)]
pub struct ReadOnly<K>(pub K);

impl<K: Kernel> Kernel for ReadOnly<K> {
    fn observe(&mut self, scope: &Scope) -> Result<Observed, KernelError> {
        self.0.observe(scope)
    }

    fn apply(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>> {
        let refused = |change: &Change| {
            let message = format!("{}: this director only observes, and changes nothing", change.object());
            Err(KernelError { errno: Some(libc::EPERM), message })
        };
        changes.iter().map(refused).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Counting(usize);

    impl Kernel for Counting {
        fn observe(&mut self, _: &Scope) -> Result<Observed, KernelError> {
            Ok(Observed::default())
        }

        fn apply(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>> {
            self.0 += changes.len();
            vec![Ok(()); changes.len()]
        }
    }

    #[test]
    fn a_kernel_that_is_only_looked_at_is_never_changed() {
        let mut kernel = ReadOnly(Counting::default());
        let results = kernel.apply(&[Change::RemoveRuleset, Change::RemoveRuleset]);
        assert!(results.len() == 2 && results.iter().all(Result::is_err));
        assert_eq!(kernel.0.0, 0);
    }
}
