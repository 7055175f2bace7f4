//! Programs that run before this director becomes Master (shell): as those of checks and `on_event` do, without a shell, with a
//! cleared environment, their whole process group killed at the end; as root only files that nobody else can change.

use crate::model::Hook;
use crate::probe::program::{Launch, within};

/// Runs one until it ends, within its own time. Whatever comes of it, the takeover goes on.
pub(super) async fn run(hook: &Hook) {
    let Some((program, arguments)) = hook.argv.split_first() else { return };
    let launch =
        Launch { path: program.into(), arguments: arguments.to_vec(), user: None, environment: Vec::new() };
    if let Err(fault) = within(hook.timeout, launch.run()).await {
        tracing::warn!(program, "before_master: {fault}; the takeover goes on");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::time::Duration;
    use tokio::time::Instant;

    fn hook(folder: &Path, script: &str, timeout: Duration) -> Hook {
        let program = folder.join("before-master");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("its mode");
        let argv = vec![program.to_str().expect("a plain path").to_owned(), "outside".to_owned()];
        Hook { argv, timeout }
    }

    #[tokio::test]
    async fn a_program_gets_its_arguments_and_nothing_of_the_director_s_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let seen = folder.path().join("seen");
        let script = format!("{{ echo \"$1\"; pwd; env; }} >{}", seen.display());
        run(&hook(folder.path(), &script, Duration::from_secs(20))).await;
        let seen = fs::read_to_string(seen).expect("it has run");
        assert!(seen.starts_with("outside\n/\n"), "{seen}");
        assert!(seen.contains("LANG=C") && !seen.contains("CARGO") && !seen.contains("HOME="), "{seen}");
    }

    #[tokio::test]
    async fn one_that_takes_too_long_is_killed_with_all_that_it_started_and_the_takeover_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let child = folder.path().join("child");
        let script = format!("sleep 60 & echo $! >{}; wait", child.display());
        let begun = Instant::now();
        run(&hook(folder.path(), &script, Duration::from_secs(2))).await;
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let child = fs::read_to_string(child).expect("it has begun").trim().to_owned();
        // Killed, it may not have been reaped yet by who takes orphans in.
        let lives = || fs::read(format!("/proc/{child}/cmdline")).is_ok_and(|line| !line.is_empty());
        while lives() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{child} still runs");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn one_that_others_can_change_is_not_run_by_root() {
        let folder = tempfile::tempdir().expect("a folder");
        let seen = folder.path().join("seen");
        let hook = hook(folder.path(), &format!("touch {}", seen.display()), Duration::from_secs(20));
        fs::set_permissions(&hook.argv[0], fs::Permissions::from_mode(0o777)).expect("its mode");
        run(&hook).await;
        assert_eq!(seen.exists(), !nix::unistd::geteuid().is_root());
    }
}
