//! Which boot and which network namespace this is (shell): the kernel's tables live and die with both.

use super::KernelError;
use crate::reconcile::Epoch;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const NAMESPACE: &str = "/proc/thread-self/ns/net";

/// This boot and this thread's network namespace.
///
/// # Errors
/// When `/proc` is not mounted or may not be read.
pub fn epoch() -> Result<Epoch, KernelError> {
    let unreadable = |path: &str, error: std::io::Error| KernelError {
        errno: error.raw_os_error(),
        message: format!("cannot read {path}: {error}; is /proc mounted and readable for this process?"),
    };
    let boot_id = std::fs::read_to_string(BOOT_ID).map_err(|error| unreadable(BOOT_ID, error))?;
    let namespace = std::fs::read_link(NAMESPACE).map_err(|error| unreadable(NAMESPACE, error))?;
    Ok(Epoch { boot_id: boot_id.trim().to_owned(), namespace: namespace.to_string_lossy().into_owned() })
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_boot_and_namespace_have_names_that_stay() {
        let one = super::epoch().expect("/proc is mounted");
        assert!(!one.boot_id.is_empty() && one.namespace.starts_with("net:["));
        assert_eq!(super::epoch().expect("again"), one);
    }
}
