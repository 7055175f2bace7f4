//! The exec probe with real programs: good ones, bad ones, and those that do not want to end.

use super::fixture::{SLACK, TIMEOUT, check};
use crate::model::{Advice, AdvisedState, Check, ExecSpec, ExecWeight, Failure, Outcome, Phase, ProbeSpec};
use crate::probe::{Probe, Prober, TlsProfiles};
use nix::unistd::geteuid;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than any program of these tests runs, on a loaded machine.
const LONG: Duration = Duration::from_secs(20);

fn nowhere() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 0))
}

fn command(words: &[&str]) -> Check {
    let command = words.iter().map(|word| (*word).to_owned()).collect();
    Check { timeout: LONG, ..check(ProbeSpec::Exec(ExecSpec { command, user: None, weight: None })) }
}

fn shell(script: &str) -> Check {
    command(&["/bin/sh", "-c", script])
}

async fn outcome(check: &Check, target: SocketAddr) -> Outcome {
    let prober = Prober::new(check, &mut TlsProfiles::default()).expect("a check that can be made ready");
    prober.probe(target).await
}

async fn run(check: &Check) -> Result<(), Failure> {
    outcome(check, nowhere()).await.result
}

/// Asserts that the probe could not be made here, and that the reason holds `words`.
#[track_caller]
fn assert_local(result: &Result<(), Failure>, words: &str) {
    match result {
        Err(Failure::Local(detail)) => assert!(detail.contains(words), "{detail:?} without {words:?}"),
        other => panic!("{other:?} instead of {words:?}"),
    }
}

/// Whether a process has `marker` in its command line.
fn runs(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(marker))
}

async fn all_gone(marker: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while runs(marker) {
        assert!(tokio::time::Instant::now() < deadline, "{marker} still runs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A folder that every user may enter, and a program in it.
fn program(mode: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("its owner may");
    let path = folder.path().join("probe");
    fs::write(&path, "#!/bin/sh\necho from a file\nexit 9\n").expect("written");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its owner may");
    (folder, path)
}

fn of_file(path: &Path) -> Check {
    command(&[path.to_str().expect("text")])
}

#[tokio::test]
async fn exit_code_0_is_success_and_another_fails_with_code_and_last_line() {
    assert_eq!(run(&shell("echo much to say; exit 0")).await, Ok(()));
    let failed = run(&shell("echo first; echo the disk is full >&2; echo; exit 3")).await;
    assert_eq!(failed, Err(Failure::Program("ended with 3: the disk is full".to_owned())));
    assert_eq!(run(&shell("exit 4")).await, Err(Failure::Program("ended with 4".to_owned())));
    let killed = run(&shell("kill -SEGV $$")).await;
    assert_eq!(killed, Err(Failure::Program("was killed by SIGSEGV".to_owned())));
}

#[tokio::test]
async fn the_program_is_told_its_target_and_hardly_more() {
    let script = r#"
        [ "$TANDEM_CHECK $TANDEM_ADDRESS $TANDEM_PORT" = "alive 2001:db8::7 8080" ] || exit 2
        [ "$(pwd)" = / ] || exit 3
        [ -z "$CARGO_MANIFEST_DIR$HOME$USER" ] || exit 4
        [ "$(cat)" = "" ] || exit 5
    "#;
    let target = "[2001:db8::7]:8080".parse().expect("an address");
    assert_eq!(outcome(&shell(script), target).await.result, Ok(()));
    let untold = r#"[ -z "${TANDEM_ADDRESS+said}${TANDEM_PORT+said}" ]"#;
    assert_eq!(run(&shell(untold)).await, Ok(()), "no target, nothing said");
}

#[tokio::test]
async fn arguments_are_not_looked_at_by_a_shell() {
    let wild = "$(id); * > /dev/null 'a' \"b\"";
    let check = command(&["/bin/sh", "-c", "echo \"$1\"; exit 1", "sh", wild]);
    assert_eq!(run(&check).await, Err(Failure::Program(format!("ended with 1: {wild}"))));
}

#[tokio::test]
async fn a_director_that_is_root_runs_programs_as_nobody_with_no_further_group() {
    if !geteuid().is_root() {
        return;
    }
    let script = "echo $(id -u) $(id -g) $(id -G); exit 1";
    let nobody = nix::unistd::User::from_name("nobody").expect("a look-up").expect("a nobody");
    let (user, group) = (nobody.uid, nobody.gid);
    assert_eq!(
        run(&shell(script)).await,
        Err(Failure::Program(format!("ended with 1: {user} {group} {group}")))
    );
    let ProbeSpec::Exec(spec) = shell(script).probe else { panic!("not exec") };
    let root =
        Check { probe: ProbeSpec::Exec(ExecSpec { user: Some("root".to_owned()), ..spec }), ..shell(script) };
    assert_eq!(run(&root).await, Err(Failure::Program("ended with 1: 0 0 0".to_owned())));
}

#[tokio::test]
async fn a_user_that_is_not_there_is_said_before_anything_is_probed() {
    let user = Some("no-such-user".to_owned());
    let spec = ExecSpec { command: vec!["/bin/true".to_owned()], user, weight: None };
    let error = Prober::new(&check(ProbeSpec::Exec(spec)), &mut TlsProfiles::default()).expect_err("unknown");
    assert!(error.to_string().starts_with("check alive: cannot run a program as no-such-user: "), "{error}");
}

#[tokio::test]
async fn a_time_out_kills_the_program_and_all_its_children_whatever_they_ignore() {
    let marker = "8631001";
    let script = format!(
        "trap '' TERM HUP INT; (trap '' TERM; sleep {marker}; true) & sleep {marker} & sleep {marker}"
    );
    let hanging = Check { timeout: TIMEOUT, ..shell(&script) };
    let outcome = outcome(&hanging, nowhere()).await;
    assert_eq!(outcome.result, Err(Failure::Timeout(Phase::Program)));
    assert!((TIMEOUT..TIMEOUT + SLACK).contains(&outcome.duration), "{outcome:?}");
    all_gone(marker).await;
}

#[tokio::test]
async fn what_a_program_leaves_running_is_killed_when_it_ends() {
    let marker = "8631002";
    let started = tokio::time::Instant::now();
    assert_eq!(run(&shell(&format!("sleep {marker} & exit 0"))).await, Ok(()));
    assert!(started.elapsed() < LONG / 2, "the pipe's end was awaited");
    all_gone(marker).await;
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_any_more_kills_its_program() {
    let marker = "8631003";
    let probe = tokio::spawn(async move { run(&shell(&format!("sleep {marker}; true"))).await });
    while !runs(marker) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    probe.abort();
    all_gone(marker).await;
}

#[tokio::test]
async fn a_process_that_left_the_group_holds_nobody_up() {
    let started = tokio::time::Instant::now();
    assert_eq!(run(&shell("setsid sleep 15 & sleep 0.1; exit 0")).await, Ok(()));
    assert!(started.elapsed() < Duration::from_secs(10), "the pipe's end was awaited");
}

#[tokio::test]
async fn a_flood_of_output_is_read_to_its_end_and_forgotten_but_for_the_last_line() {
    let script = "head -c 8000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 5";
    assert_eq!(run(&shell(script)).await, Err(Failure::Program("ended with 5: the end".to_owned())));
    let endless = Check { timeout: TIMEOUT, ..shell("while :; do echo yes; done") };
    let outcome = outcome(&endless, nowhere()).await;
    assert_eq!(outcome.result, Err(Failure::Timeout(Phase::Program)));
    assert!(outcome.duration < TIMEOUT + SLACK, "{outcome:?}");
}

#[tokio::test]
async fn a_line_of_rubbish_is_cut_and_cleaned() {
    let script = "head -c 100000 /dev/zero | tr '\\0' '\\377'; printf '\\033[31m'; exit 1";
    let Err(Failure::Program(detail)) = run(&shell(script)).await else { panic!("not a failed program") };
    assert!(detail.chars().count() <= 201 && !detail.contains('\u{1b}'), "{detail:?}");
}

#[tokio::test]
async fn a_program_that_cannot_be_started_says_nothing_of_the_server() {
    assert_local(&run(&command(&["/no/such/program"])).await, "/no/such/program: No such file or directory");
    assert_local(&run(&command(&["/usr"])).await, "/usr is not a file");
    let (_folder, path) = program(0o644);
    assert_local(&run(&of_file(&path)).await, "Permission denied");
    let (_folder, path) = program(0o755);
    assert_eq!(run(&of_file(&path)).await, Err(Failure::Program("ended with 9: from a file".to_owned())));
}

#[tokio::test]
async fn root_runs_no_program_that_others_can_change() {
    if !geteuid().is_root() {
        return;
    }
    let (_folder, path) = program(0o757);
    assert_local(&run(&of_file(&path)).await, "can be written by everybody: chmod o-w that file");
    let (folder, path) = program(0o755);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("its owner may");
    assert_local(&run(&of_file(&path)).await, "can be written by everybody: chmod o-w that folder");
    let (folder, path) = program(0o755);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    std::os::unix::fs::chown(&path, Some(1), None).expect("root may");
    assert_local(&run(&of_file(&link)).await, "belongs to the user 1: chown root that file");
    std::os::unix::fs::chown(&path, Some(0), Some(1)).expect("root may");
    fs::set_permissions(&path, Permissions::from_mode(0o775)).expect("root may");
    assert_local(&run(&of_file(&path)).await, "can be written by the group 1: chmod g-w that file");
}

#[tokio::test]
async fn many_programs_run_at_once() {
    let prober = Prober::new(&shell("sleep 0.2"), &mut TlsProfiles::default()).expect("a good check");
    let outcomes = futures_util::future::join_all((0..40).map(|_| prober.probe(nowhere()))).await;
    assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()), "{outcomes:?}");
}

/// A script whose exit code or last line tells the weight.
fn weighing(script: &str, weight: ExecWeight) -> Check {
    let ProbeSpec::Exec(spec) = shell(script).probe else { unreachable!("it is one") };
    Check { probe: ProbeSpec::Exec(ExecSpec { weight: Some(weight), ..spec }), ..shell(script) }
}

#[tokio::test]
async fn an_exit_code_can_tell_the_weight() {
    for (code, percent) in [(0, None), (2, Some(0)), (102, Some(100)), (255, Some(253))] {
        let outcome = outcome(&weighing(&format!("exit {code}"), ExecWeight::ExitCode), nowhere()).await;
        let found = outcome.findings.advice.and_then(|advice| advice.weight_percent);
        assert_eq!((outcome.result, found), (Ok(()), percent), "{code}");
    }
    let bad = run(&weighing("echo no; exit 1", ExecWeight::ExitCode)).await;
    assert_eq!(bad, Err(Failure::Program("ended with 1: no".to_owned())));
    let killed = run(&weighing("kill -9 $$", ExecWeight::ExitCode)).await;
    assert_eq!(killed, Err(Failure::Program("was killed by SIGKILL".to_owned())));
}

#[tokio::test]
async fn the_last_line_can_tell_the_weight() {
    let printed = |line: &str| weighing(&format!("echo thinking; echo {line}"), ExecWeight::Printed);
    let outcome = outcome(&printed("drain 40%"), nowhere()).await;
    let advice = Advice { weight_percent: Some(40), state: Some(AdvisedState::Drain) };
    assert_eq!((outcome.result, outcome.findings.advice), (Ok(()), Some(advice)));
    assert_eq!(run(&printed("down")).await, Err(Failure::SaidDown("the program".to_owned())));
    assert_local(&run(&printed("sideways")).await, "the program printed \"sideways\", none of up, down");
    let failed = run(&weighing("echo 50%; exit 3", ExecWeight::Printed)).await;
    assert_eq!(failed, Err(Failure::Program("ended with 3: 50%".to_owned())), "only a good end counts");
    assert_eq!(run(&weighing("true", ExecWeight::Printed)).await, Ok(()), "nothing is up");
}
