//! What a policy needs this process to be allowed, beyond what every director needs (shell: it reads `/proc`). The unit opens
//! these where the policy on disk asks for them when systemd loads it, so a policy that asks later must be told.
//!
//! Source: capabilities(7); proc(5), `hidepid`.

use crate::model::{HookAct, Policy, ProbeSpec, Tracked};
use nix::unistd::geteuid;
use std::fs;
use std::io::ErrorKind;

/// `CAP_KILL`, `CAP_SETGID` and `CAP_SETUID`: their bits in `CapEff`.
const FOR_PROGRAMS: u64 = 1 << 5 | 1 << 6 | 1 << 7;
/// The first process is there on every system, and never ours.
const ANOTHER_PROCESS: &str = "/proc/1/stat";
const REMEDY: &str = "where systemd runs it, the unit gives that to a policy that needs it: `systemctl daemon-reload`, then \
     `systemctl restart tandem`";

/// What is lacking for `policy`, in a sentence that says what to do.
pub(super) fn lacking(policy: &Policy) -> Option<String> {
    if runs_programs(policy) && !runs_programs_here() {
        return Some(format!(
            "the policy runs programs (`exec`), and this director lacks CAP_SETUID, CAP_SETGID or CAP_KILL to run them \
             as another user and to end them; {REMEDY}"
        ));
    }
    if follows_processes(policy) && !sees_processes() {
        return Some(format!(
            "a router follows a process (`track`), and this director cannot see other users' processes; {REMEDY}"
        ));
    }
    None
}

/// Whether this process may run the programs of a policy: as other users, or, where it is not root, as itself.
#[must_use]
pub fn runs_programs_here() -> bool {
    let status = || fs::read_to_string("/proc/self/status").unwrap_or_default();
    !geteuid().is_root() || may_run_programs(&status())
}

fn runs_programs(policy: &Policy) -> bool {
    let mut acts = policy.on_event.iter().map(|hook| &hook.act);
    policy.checks.values().any(|check| matches!(check.probe, ProbeSpec::Exec(_)))
        || acts.any(|act| matches!(act, HookAct::Exec { .. }))
}

fn follows_processes(policy: &Policy) -> bool {
    let mut trackers = policy.pair.routers.values().flat_map(|router| &router.track);
    trackers.any(|tracker| matches!(tracker.what, Tracked::Process(_)))
}

fn may_run_programs(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = line.and_then(|hexadecimal| u64::from_str_radix(hexadecimal.trim(), 16).ok());
    effective.is_some_and(|effective| effective & FOR_PROGRAMS == FOR_PROGRAMS)
}

fn sees_processes() -> bool {
    !fs::metadata(ANOTHER_PROCESS).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::files::Disk;
    use crate::policy::{self, View};
    use std::path::Path;

    fn shipped(name: &str) -> Policy {
        let path = Path::new("conf").join(name);
        policy::load(&path, &Disk, View::Anywhere("lb-a")).policy.expect("it is shipped")
    }

    #[test]
    fn only_a_policy_that_runs_programs_or_follows_processes_needs_more() {
        let reference = shipped("tandem.yaml");
        assert!(runs_programs(&reference) && follows_processes(&reference));
        let small = shipped("nat.yaml");
        assert!(!runs_programs(&small) && !follows_processes(&small));
        assert_eq!(lacking(&small), None);
    }

    #[test]
    fn all_three_capabilities_are_needed_for_programs() {
        assert!(may_run_programs("Name:\ttandem\nCapEff:\t00000000000030e0\n"));
        for fewer in ["0000000000003000", "00000000000030c0", "0000000000003060", "nonsense"] {
            assert!(!may_run_programs(&format!("CapEff:\t{fewer}\n")), "{fewer}");
        }
        assert!(!may_run_programs(""));
    }
}
