//! Finds a running process by its name, and holds what tells its end.
//!
//! Source: proc(5), `/proc/PID/stat`; pidfd_open(2).

use crate::kernel::sys;
use std::fs;
use std::os::fd::OwnedFd;

/// The kernel cuts names to this (`TASK_COMM_LEN` less its closing zero).
const NAME_BYTES_MAX: usize = 15;

/// A process that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: u32,
    /// Readable when it has ended.
    pub(super) end: OwnedFd,
}

/// Some process of this name. It is read again after its descriptor is open: another may have got its number.
pub(super) fn find(name: &str) -> Option<Running> {
    let entries = fs::read_dir("/proc").ok()?;
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| is_named(*id, name)).find_map(|id| {
        let end = sys::pidfd_open(id).ok()?;
        is_named(id, name).then_some(Running { id, end })
    })
}

/// Whether this process runs under this name.
pub(super) fn is_named(id: u32, name: &str) -> bool {
    let stat = fs::read(format!("/proc/{id}/stat")).unwrap_or_default();
    read_stat(&stat).is_some_and(|(found, state)| found == cut(name) && is_alive(state))
}

/// The name and the state letter: `7 (a (b) c) S 1 …`. The name can hold anything, so the last parenthesis closes it.
fn read_stat(stat: &[u8]) -> Option<(&[u8], u8)> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    Some((stat.get(open + 1..close)?, *stat.get(close + 2)?))
}

/// A zombie or a dead one does no more work, though it has a name still.
const fn is_alive(state: u8) -> bool {
    !matches!(state, b'Z' | b'X' | b'x')
}

fn cut(name: &str) -> &[u8] {
    let bytes = name.as_bytes();
    &bytes[..bytes.len().min(NAME_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_read_whole() {
        assert_eq!(read_stat(b"7 (a (b) c) S 1 7"), Some((&b"a (b) c"[..], b'S')));
        assert_eq!(read_stat(b"7 (a"), None);
        assert_eq!(read_stat(b")("), None);
        assert_eq!(read_stat(b"7 (a)"), None);
    }

    #[test]
    fn a_zombie_does_not_run() {
        assert!(is_alive(b'S') && is_alive(b'D') && is_alive(b'T'));
        assert!(!is_alive(b'Z') && !is_alive(b'X'));
    }

    #[test]
    fn a_long_name_is_compared_as_the_kernel_cuts_it() {
        assert_eq!(cut("a-very-long-process-name"), b"a-very-long-pro");
    }
}
