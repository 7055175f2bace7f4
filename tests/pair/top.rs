//! `tandem top` as a person uses it: in a terminal, with keys, beside a pair that comes and goes.

use crate::stage::holders::Holders;
use crate::stage::program::{Member, Program};
use crate::stage::setting::{Checksum, Setting};
use crate::stage::terminal::Terminal;
use crate::stage::{OTHER, PREFERRED, Stage, vip};
use crate::world::wait::until_true;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::Duration;

const START: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(3);
const NARROW: (u16, u16) = (80, 24);
const WIDE: (u16, u16) = (160, 40);

/// A pair whose preferred director is Master.
fn pair(stage: &Stage) -> [Member; 2] {
    let setting = Setting { is_default: true, checksum: Checksum::Rfc9568, ..Setting::V3 };
    let holders = Holders::watch(stage, vip().of(setting.family), LOOK_EVERY);
    let members =
        [PREFERRED, OTHER].map(|director| Member::start(stage, Program::Tandem, director, &setting, ""));
    until_true("Master", START, || holders.only_holder() == Some(PREFERRED));
    members
}

/// `tandem top` on the preferred director's machine; then how it ended, and what the terminal is like.
fn top<'stage>(stage: &'stage Stage, member: &Member, before: &str) -> Terminal<'stage> {
    let command = member.command_line(&["top"]);
    let line = format!("echo what was there before; {before} {command}; echo ended $?; stty -a; exec cat");
    let folder = tempfile_below(stage);
    Terminal::run(&stage.directors[PREFERRED], &folder, NARROW, &line)
}

fn tempfile_below(stage: &Stage) -> std::path::PathBuf {
    let folder = stage.folder().join("terminal");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The terminal is as it was: its screen, its echo, its lines, its cursor.
#[track_caller]
fn is_put_back(terminal: &Terminal<'_>, ended: &str) {
    terminal.shows(ended);
    terminal.shows("what was there before");
    let screen = terminal.screen();
    for setting in ["icanon", "echo", "isig"] {
        assert!(screen.split_whitespace().any(|word| word == setting), "{setting} in\n{screen}");
    }
    assert!(!screen.contains("Safe to fail over"), "{screen}");
}

#[test]
fn top_is_driven_by_keys_and_leaves_the_terminal_as_it_was() {
    let stage = Stage::new();
    let [mut preferred, _other] = pair(&stage);
    let terminal = top(&stage, &preferred, "");
    terminal.shows("Safe to fail over: yes, because lb-b was heard");
    terminal.becomes("router", |screen| {
        screen.lines().any(|line| line.starts_with("outside") && line.contains("master"))
    });
    terminal.becomes("keys in the last line", |screen| {
        screen.lines().nth(usize::from(NARROW.1) - 1).is_some_and(|line| line.starts_with("q leave"))
    });

    terminal.keys(&["?"]);
    terminal.shows("Keys of tandem top");
    terminal.keys(&["x"]);
    terminal.hides("Keys of tandem top");
    terminal.keys(&["/", "w", "e", "q"]);
    terminal.shows("/weq_");
    terminal.keys(&["BSpace", "Enter"]);
    terminal.shows("filter: we");
    terminal.keys(&["Escape"]);
    terminal.hides("filter: we");
    terminal.keys(&["s"]);
    terminal.shows("sort: name");
    terminal.keys(&["p"]);
    terminal.shows("PAUSED");
    terminal.keys(&["p"]);
    terminal.hides("PAUSED");

    terminal.resize(WIDE);
    terminal.becomes("a wide screen", |screen| {
        screen.lines().nth(usize::from(WIDE.1) - 1).is_some_and(|line| line.starts_with("q leave"))
    });
    terminal.resize((20, 4));
    terminal.resize(NARROW);
    terminal.shows("Safe to fail over");

    // What is shown says how old it is while the director does not answer, and goes on when it does.
    preferred.freeze(true);
    terminal.shows("What follows is");
    preferred.freeze(false);
    terminal.hides("What follows is");
    preferred.kill();
    terminal.shows("What follows is");
    preferred.start_again(&stage);
    drop(terminal);
    let terminal = top(&stage, &preferred, "");
    terminal.shows("Safe to fail over");
    terminal.keys(&["q"]);
    is_put_back(&terminal, "ended 0");
}

#[test]
fn a_signal_ends_top_and_the_terminal_is_put_back_and_no_colour_is_none() {
    let stage = Stage::new();
    let [preferred, _other] = pair(&stage);
    let terminal = top(&stage, &preferred, "");
    terminal.shows("Safe to fail over: yes");
    assert!(has_colour(&terminal.coloured()), "{}", terminal.coloured());
    signal_top(&terminal, Signal::SIGTERM);
    is_put_back(&terminal, "ended 0");
    drop(terminal);

    let terminal = top(&stage, &preferred, "NO_COLOR=1");
    terminal.shows("Safe to fail over: yes");
    assert!(!has_colour(&terminal.coloured()), "{}", terminal.coloured());
    terminal.keys(&["C-c"]);
    is_put_back(&terminal, "ended 0");
}

/// Red, green or yellow as a foreground (ECMA-48, SGR 31 to 33), or one by its number (38;5); 39 is the terminal's own.
fn has_colour(screen: &str) -> bool {
    ["[31", "[32", "[33", ";31", ";32", ";33", "38;5"].iter().any(|code| screen.contains(code))
}

/// To the program below the shell, whatever started it.
fn signal_top(terminal: &Terminal<'_>, signal: Signal) {
    let children = |parent: u32| {
        let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>()
    };
    let found = children(terminal.shell());
    let [top] = found[..] else { panic!("one program below the shell: {found:?}") };
    kill(Pid::from_raw(i32::try_from(top).expect("a process id")), signal).expect("it runs");
}
