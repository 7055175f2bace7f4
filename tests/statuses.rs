//! The exit statuses of the README, of the real binary, for each command that can give one where no director runs. (Those that
//! take a director: tests/monitoring/statuses.rs.)

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const GOOD: &str = "conf/dr.yaml";
const OTHER: &str = "conf/nat.yaml";
const BAD: &str = "tests/policy/bad/dr-port.yaml";
const ABSENT: &str = "/nonexistent/tandem.sock";

/// Done, with what makes it so.
const DONE: [&[&str]; 16] = [
    &["--version"],
    &["--help"],
    &["check", GOOD, "--offline"],
    &["check", "tests/policy/bad/vip-not-held.yaml", "--offline"],
    &["plan", GOOD, "--against", GOOD],
    &["import", "tests/import/01-nat-web.conf"],
    // Lines without an equal are no failure.
    &["import", "tests/import/14-virtual-routes.conf"],
    &["real-server", "web", "--config", GOOD],
    &["schema"],
    &["schema", "--api"],
    &["completions", "bash"],
    &["man"],
    &["man", "tandem.yaml.5"],
    &["run", "--help"],
    // A bug report is wanted most where no director answers.
    &["report", "--config", GOOD, "--output", "-", "--socket", ABSENT],
    // Nothing was made here.
    &["retire", "--state-directory", "/nonexistent/tandem"],
];
/// Failed, or an invalid policy.
const FAILED: [&[&str]; 15] = [
    &["check", BAD, "--offline"],
    &["check", "/nonexistent/tandem.yaml"],
    &["check", "tests/policy/bad/vip-not-held.yaml", "--offline", "--strict"],
    &["plan", BAD],
    &["plan", GOOD, "--against", BAD],
    &["plan", BAD, "--against", GOOD],
    &["doctor", BAD],
    // A machine where tests are run is no real server of it, and no director.
    &["real-server", "web", "--config", GOOD, "--check"],
    &["doctor", "conf/pair.yaml", "--director", "lb-a"],
    &["real-server", "web", "--config", BAD],
    &["real-server", "unknown", "--config", GOOD],
    &["run", "--config", BAD, "--state-directory", "/nonexistent/tandem"],
    &["import", "README.md"],
    &["import", "/nonexistent/keepalived.conf"],
    &["man", "unknown.8"],
];
/// There is no terminal here. (In one: tests/pair/top.rs.)
const TOP: [&str; 3] = ["top", "--socket", ABSENT];
/// Wrong usage.
const USAGE: [&[&str]; 12] = [
    &[],
    &["unknown"],
    &["check", GOOD, GOOD],
    &["plan", "--against"],
    &["status", "--json", "--check"],
    &["weight", "65536", "--server", "web1"],
    &["disable"],
    &["release", "--for", "ten"],
    &["reload", "--confirm", "0s"],
    &["clear", "outside", "--overrides"],
    &["explain"],
    &["man", "tandem.8", "--directory", "/nonexistent"],
];
/// Commands that ask a director, with what they need to be understood.
const ASKING: [&[&str]; 16] = [
    &["status"],
    &["status", "--json"],
    &["release"],
    &["drain", "--server", "web1"],
    &["disable", "--server", "web1"],
    &["weight", "5", "--server", "web1"],
    &["force-up", "--server", "web1"],
    &["freeze", "web"],
    &["overrides"],
    &["clear"],
    &["reload"],
    &["confirm"],
    &["rollback"],
    &["takeover"],
    &["history"],
    &["events"],
];

fn tandem(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command.output().expect("the binary")
}

#[track_caller]
fn assert_ends(arguments: &[&str], status: i32) -> String {
    let output = tandem(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "tandem {}: {said}", arguments.join(" "));
    said
}

/// The commands that `tandem --help` lists.
fn commands() -> BTreeSet<String> {
    let help = String::from_utf8(tandem(&["--help"]).stdout).expect("text");
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    // What a command does may take more lines, which are further in.
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn what_is_done_ends_with_0() {
    DONE.iter().for_each(|arguments| drop(assert_ends(arguments, 0)));
}

#[test]
fn what_fails_ends_with_1_and_says_why() {
    for arguments in FAILED {
        let output = tandem(arguments);
        assert_eq!(output.status.code(), Some(1), "tandem {}: {output:?}", arguments.join(" "));
        assert!(!output.stderr.is_empty() || !output.stdout.is_empty(), "{arguments:?} says nothing");
    }
}

#[cfg(feature = "top")]
#[test]
fn a_live_view_without_a_terminal_ends_with_1() {
    let said = assert_ends(&TOP, 1);
    assert!(said.contains("top needs a terminal"), "{said}");
}

#[test]
fn wrong_usage_ends_with_2_of_every_command() {
    USAGE.iter().for_each(|arguments| drop(assert_ends(arguments, 2)));
    for command in commands() {
        let said = assert_ends(&[&command, "--nonsense"], 2);
        assert!(said.contains("--nonsense"), "{command}: {said}");
    }
}

#[test]
fn a_plan_with_changes_ends_with_3() {
    assert_ends(&["plan", GOOD, "--against", OTHER], 3);
    assert_ends(&["plan", GOOD, "--against", OTHER, "--json"], 3);
}

#[test]
fn commands_without_their_director_end_with_5() {
    for arguments in ASKING.into_iter().chain([&["explain", "web"][..]]) {
        let said = assert_ends(&[arguments, &["--socket", ABSENT]].concat(), 5);
        assert!(said.contains(ABSENT), "{arguments:?}: {said}");
    }
}

/// The numbers of monitoring plug-ins. Those of a director that answers: tests/monitoring/statuses.rs.
#[test]
fn a_monitoring_system_is_told_that_no_director_answers() {
    let output = tandem(&["status", "--check", "--socket", ABSENT]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("TANDEM CRITICAL - "), "{said}");
}

/// Whoever adds a command adds it here.
#[test]
fn each_command_is_seen_to_end_well_or_ill() {
    let tables = DONE.iter().chain(&FAILED).chain(&ASKING).copied().chain([&["explain", "web"][..], &TOP]);
    let seen: BTreeSet<String> =
        tables.filter_map(|arguments| arguments.first()).map(|command| (*command).to_owned()).collect();
    let unseen: Vec<_> = commands().difference(&seen).cloned().collect();
    assert!(unseen.is_empty() && commands().len() > 20, "no table has {unseen:?}");
}

/// README and manual pages say of each number what it means.
#[test]
fn the_numbers_are_written_down() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("it");
    let page = String::from_utf8(tandem(&["man"]).stdout).expect("text");
    let page = page.split_once("EXIT STATUS").expect("a section").1.split_once(".SH").expect("another").0;
    for status in 0..=6 {
        assert!(readme.contains(&format!("\n| {status} | ")), "README: {status}");
        assert!(page.contains(&format!("\\fB{status}\\fR\n")), "tandem.8: {status} in {page}");
    }
}

/// A terminal can go without a signal: where the program is not its session's.
#[test]
fn top_ends_when_its_terminal_is_closed() {
    // The clones are closed in the program that is started, and the first ones are not.
    let opened = nix::pty::openpty(None, None).expect("a terminal");
    let [terminal, slave] = [&opened.master, &opened.slave].map(|end| end.try_clone().expect("a handle"));
    drop(opened);
    let end = || Stdio::from(slave.try_clone().expect("a second handle"));
    let mut top = Command::new(env!("CARGO_BIN_EXE_tandem"));
    top.args(["top", "--socket", ABSENT]).stdin(end()).stdout(end()).stderr(Stdio::null());
    let mut running = top.spawn().expect("it starts");
    drop((top, slave));
    let mut screen = [0; 64];
    let drawn = nix::unistd::read(&terminal, &mut screen).expect("a screen");
    assert!(drawn > 0 && running.try_wait().expect("our child").is_none(), "it shows something");
    drop(terminal);
    let program = Pid::from_raw(i32::try_from(running.id()).expect("a process"));
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || ended.send(running.wait().expect("our child")));
    let status = end.recv_timeout(Duration::from_secs(10));
    if status.is_err() {
        kill(program, Signal::SIGKILL).expect("our child");
    }
    assert_eq!(status.expect("it ended").code(), Some(1));
}
