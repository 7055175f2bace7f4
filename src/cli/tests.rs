//! The commands that ask a running director, against a socket behind which a test plays the event loop.

use super::exit::Level;
use super::status::StatusForm;
use super::{clear, monitoring, release, status, status_text};
use crate::cli::ExitStatus;
use crate::control::tests::{status as director_status, windows};
use crate::control::{
    Action, ClearBody, Control, ElectionAction, OtherMaster, Request, Socket, Status, judge,
};
use crate::policy::Colour;
use crate::vrrp::picture::Picture;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// What the played director publishes after each request, one after the other.
type Then = Vec<Status>;

/// A director on a thread of its own: answers requests, then publishes what `then` says. Ends with the first action.
fn director(
    first: Status,
    then: Then,
    picture: Picture,
) -> (PathBuf, TempDir, JoinHandle<Option<ElectionAction>>) {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("tandem.sock");
    let (ready, is_ready) = std::sync::mpsc::channel();
    let at = path.clone();
    let play = async move {
        let socket = Socket::bind(&at).expect("a socket");
        let mut control = Control::serve(Some(socket), first, tokio::time::Instant::now(), windows());
        ready.send(()).expect("the test waits");
        let request = tokio::time::timeout(Duration::from_secs(3), control.requests.recv()).await.ok()?;
        let Request { action: Action::Election(action), answer, .. } = request? else { return None };
        answer.send(judge(&action, &picture)).expect("the server waits");
        for status in then {
            tokio::time::sleep(Duration::from_millis(150)).await;
            control.publish(status);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        Some(action)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let played = std::thread::spawn(move || runtime.block_on(play));
    is_ready.recv().expect("it listens");
    (path, place, played)
}

fn picture() -> Picture {
    crate::control::tests::picture()
}

fn changed(change: impl FnOnce(&mut Status)) -> Status {
    let mut status = director_status();
    change(&mut status);
    status
}

/// `outside` is Backup since just now and still holds its addresses.
fn offered() -> Status {
    changed(|status| {
        let router = &mut status.routers[0];
        (router.role, router.since_ms, router.released) = ("backup".to_owned(), 59_000, true);
    })
}

fn handed_over() -> Status {
    let mut status = offered();
    let router = &mut status.routers[0];
    (router.addresses_held, router.addresses_wanted) = (0, 0);
    router.other_master = Some(OtherMaster { address: [192, 168, 101, 201].into(), heard_ms_ago: 30 });
    status
}

fn run_release(path: &Path, router: Option<&str>) -> (u8, String) {
    let mut err = Vec::new();
    let status = release::release(path, router.map(str::to_owned), Some(Duration::from_secs(600)), &mut err);
    (status.expect("written").code(), String::from_utf8(err).expect("text"))
}

#[test]
fn a_release_waits_for_the_addresses_and_says_who_has_them() {
    let (path, _place, played) = director(director_status(), vec![offered(), handed_over()], picture());
    let (code, words) = run_release(&path, Some("outside"));
    assert_eq!(
        words,
        "outside is handed over to another director, and stays out of mastership here for 10m\n\
         outside: handed over; 192.168.101.201 is Master\n"
    );
    assert_eq!(code, 0);
    let for_time = Some(Duration::from_secs(600));
    let asked = played.join().expect("it ended");
    assert_eq!(asked, Some(ElectionAction::Release { router: Some("outside".into()), for_time }));
}

#[test]
fn a_release_that_nobody_takes_over_is_six_and_says_so() {
    let back = changed(|status| {
        let router = &mut status.routers[0];
        router.since_ms = 59_500;
        router.because = Some("it was released, but nobody took over".to_owned());
    });
    let (path, _place, _played) = director(director_status(), vec![offered(), back], picture());
    let (code, words) = run_release(&path, Some("outside"));
    assert!(words.ends_with("outside: Master again: it was released, but nobody took over\n"), "{words}");
    assert_eq!(code, 6);
}

#[test]
fn a_release_of_every_router_waits_for_each() {
    let mut all = handed_over();
    all.routers[1].released = true;
    let (path, _place, _played) = director(director_status(), vec![handed_over(), all], picture());
    let (code, words) = run_release(&path, None);
    assert!(words.contains("inside: backup here as before, and stays out of mastership\n"), "{words}");
    assert_eq!(code, 0);
}

#[test]
fn a_master_that_was_heard_before_the_release_is_no_successor() {
    let mut old = handed_over();
    old.routers[0].other_master.as_mut().expect("set").heard_ms_ago = 5_000;
    let (path, _place, _played) = director(director_status(), vec![old], picture());
    let (_, words) = run_release(&path, Some("outside"));
    assert!(words.ends_with("outside: given up; no other Master was heard yet\n"), "{words}");
}

#[test]
fn refusals_and_silence_have_their_exit_statuses() {
    let (path, _place, _played) = director(director_status(), Vec::new(), picture());
    let (code, words) = run_release(&path, Some("outsid"));
    assert_eq!((code, words.contains("did you mean outside?")), (1, true), "{words}");
    let (path, _place, _played) = director(director_status(), Vec::new(), Picture::default());
    let (code, words) = run_release(&path, None);
    assert_eq!((code, words.contains("no virtual routers")), (6, true), "{words}");
    let nowhere = Path::new("/nonexistent/tandem.sock");
    assert_eq!(run_release(nowhere, None).0, 5);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    assert_eq!(
        clear::clear(nowhere, &ClearBody::default(), &mut err).expect("written"),
        ExitStatus::NoDirector
    );
    let form = StatusForm::Text(Colour::Plain);
    assert_eq!(status::status(nowhere, form, &mut out, &mut err).expect("written").code(), 5);
    assert!(out.is_empty() && String::from_utf8_lossy(&err).contains("no director answers at /nonexistent"));
}

#[test]
fn clear_says_what_the_director_says() {
    let (path, _place, _played) = director(director_status(), Vec::new(), picture());
    let mut err = Vec::new();
    assert_eq!(clear::clear(&path, &ClearBody::default(), &mut err).expect("written"), ExitStatus::Done);
    assert_eq!(String::from_utf8_lossy(&err), "nothing was released\n");
}

#[test]
fn the_json_of_status_is_the_directors() {
    let (path, _place, _played) = director(director_status(), Vec::new(), picture());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = status::status(&path, StatusForm::Json, &mut out, &mut err).expect("written");
    assert_eq!((exit, err.len()), (ExitStatus::Done, 0));
    let read: Status = serde_json::from_slice(&out).expect("a status");
    assert_eq!(Status { age_ms: 0, ..read }, director_status());
}

#[test]
fn the_text_has_routers_first_then_directors_then_pools_worst_first() {
    let status = changed(|status| {
        status.routers[1].trackers[0].good = false;
        for (name, up, servers_up) in [("api", true, 2), ("down", false, 0), ("half", true, 1)] {
            let pool = status.pools[0].clone();
            status.pools.push(crate::control::PoolStatus { name: name.to_owned(), up, servers_up, ..pool });
        }
    });
    let version = env!("CARGO_PKG_VERSION");
    let wanted = format!(
        "\
lb-a  tandem {version}, up 1m0s, ready
Safe to fail over: yes, because lb-b was heard 40 ms ago

ROUTER   ROLE    FOR  PRIORITY  ADDRESSES  BECAUSE
outside  master  56s  150       2 of 2     no Master was heard for a down interval
inside   backup  56s  150       0 of 0     10.20.0.2 is Master with priority 200
                                           bad: interface eth1
                                           heard from 10.20.0.2: checksum

DIRECTOR  STATE  LAST HEARD
lb-b      heard  40 ms ago

POOL  STATE  SERVERS UP  WEIGHT UP
down  down   0 of 2      3 of 6
half  up     1 of 2      3 of 6
web   up     1 of 2      3 of 6
api   up     2 of 2      3 of 6
"
    );
    assert_eq!(status_text::text(&status, Colour::Plain), wanted);
    assert!(status_text::text(&status, Colour::Ansi).contains("\u{1b}[1;31mdown\u{1b}[0m"));
}

#[test]
fn what_a_director_holds_alone_is_there_or_missing_with_the_reason() {
    let address = |address: &str, because: Option<&str>| crate::control::AddressStatus {
        address: address.to_owned(),
        interface: "eth0".to_owned(),
        held: because.is_none(),
        since_ms: 40_000,
        because: because.map(str::to_owned),
    };
    let status = changed(|status| {
        status.addresses = vec![address("192.0.2.1/24", None), address("192.0.2.2/24", Some("no"))];
    });
    let text = status_text::text(&status, Colour::Plain);
    let table = "\nADDRESS       INTERFACE  STATE    FOR  BECAUSE\n192.0.2.1/24  eth0       held     20s\n192.0.2.2/24  eth0       missing  20s  no\n";
    assert!(text.contains(table), "{text}");
}

#[test]
fn an_observing_director_says_so_and_lists_what_differs() {
    let status = changed(|status| {
        (status.observing, status.differences_total) = (true, 1);
        let what = "~ destination 192.0.2.2:80 of tcp://192.0.2.1:80: weight 9 -> 3".to_owned();
        let table = "destinations".to_owned();
        status.differences = vec![crate::control::DifferenceStatus { table, what, since_ms: 40_000 }];
    });
    let text = status_text::text(&status, Colour::Plain);
    assert!(text.contains("\nObserving, and changing nothing: 1 difference to the live tables\n"), "{text}");
    let table = "\nTABLE         FOR  THIS DIRECTOR WOULD\ndestinations  20s  ~ destination 192.0.2.2:80";
    assert!(text.contains(table), "{text}");
}

#[test]
fn an_old_view_is_said_before_anything_else() {
    let old = changed(|status| status.age_ms = 12_000);
    let text = status_text::text(&old, Colour::Plain);
    assert!(text.lines().nth(1).is_some_and(|line| line.contains("12s old")), "{text}");
}

#[test]
fn the_check_is_one_line_with_performance_data_and_the_worst_first() {
    let healthy = changed(|status| status.pools[0].servers_up = 2);
    assert_eq!(
        monitoring::check(&healthy),
        (
            Level::Ok,
            "TANDEM OK - outside master, inside backup, 1 pool up | pools=1 pools_up=1 servers=2 servers_up=2 \
             routers=2 routers_master=1"
                .to_owned()
        )
    );
    let (level, line) = monitoring::check(&changed(|status| {
        status.safe_to_fail_over.yes = false;
        status.safe_to_fail_over.because = "lb-b | is silent\n".to_owned();
        status.routers[0].addresses_held = 1;
    }));
    assert_eq!((level, line.lines().count(), line.matches('|').count()), (Level::Critical, 1, 1));
    assert!(
        line.starts_with(
            "TANDEM CRITICAL - outside is master and holds 1 of 2 addresses; 1 pool with servers down: web; not safe"
        ),
        "{line}"
    );
}

#[test]
fn each_trouble_has_its_level() {
    let level = |change: fn(&mut Status)| {
        let mut status = changed(|status| status.pools[0].servers_up = 2);
        change(&mut status);
        monitoring::check(&status).0
    };
    assert_eq!(level(|_| {}), Level::Ok);
    assert_eq!(level(|status| status.pools[0].up = false), Level::Critical);
    assert_eq!(level(|status| status.age_ms = 10_001), Level::Critical);
    assert_eq!(level(|status| status.pools[0].servers_up = 1), Level::Warning);
    assert_eq!(level(|status| status.ready = false), Level::Warning);
    assert_eq!(level(|status| status.routers[1].role = "fault".to_owned()), Level::Warning);
    assert_eq!(level(|status| status.routers[1].released = true), Level::Warning);
    assert_eq!(level(|status| status.routers[1].trackers[0].good = false), Level::Warning);
    assert_eq!(level(|status| status.safe_to_fail_over.yes = false), Level::Warning);
    let alone = |status: &mut Status| {
        status.routers.clear();
        status.safe_to_fail_over.yes = false;
    };
    assert_eq!(level(alone), Level::Ok, "a lone director has nobody to fail over to, as its policy says");
}

#[test]
fn a_director_that_does_not_answer_is_critical_to_a_monitor_and_the_line_goes_to_stdout() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let nowhere = Path::new("/nonexistent/tandem.sock");
    let exit = status::status(nowhere, StatusForm::Check, &mut out, &mut err).expect("written");
    assert_eq!((exit.code(), err.len()), (2, 0));
    assert!(String::from_utf8_lossy(&out).starts_with("TANDEM CRITICAL - no director answers at"));
}

#[test]
fn wrong_usage_is_two() {
    let usage = |arguments: &[&str]| {
        let arguments = std::iter::once("tandem").chain(arguments.iter().copied());
        super::main(arguments.map(Into::into))
    };
    assert_eq!(usage(&["release", "--for", "10"]), 2);
    assert_eq!(usage(&["release", "--for", "31d"]), 2);
    assert_eq!(usage(&["status", "--json", "--check"]), 2);
}
