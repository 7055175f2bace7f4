//! Another process goes on in a director's place, as at an upgrade: its advertisements are seen on the wire, its address on its
//! interface, and the other director notices nothing. Where the other process cannot go on, the first one does.

use crate::stage::adverts::Adverts;
use crate::stage::holders::Holders;
use crate::stage::pinger::Pinger;
use crate::stage::program::{Member, Program};
use crate::stage::setting::{Checksum, Setting};
use crate::stage::{NAMES, OTHER, PREFERRED, Stage, vip};
use crate::world::wait::until_true;
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tandem::director::succession::successor::Predecessor;
use tokio::runtime::Runtime;

pub(crate) const START: Duration = Duration::from_secs(20);
/// What an earlier run may have left is looked for until then, and nothing is handed on.
const AT_REST: Duration = Duration::from_secs(7);
const LOOK_EVERY: Duration = Duration::from_millis(3);
pub(crate) const FAST: Setting = Setting { is_default: true, checksum: Checksum::Rfc9568, ..Setting::V3 };
const SLOW: Setting = Setting { interval: Duration::from_secs(1), is_default: false, ..FAST };
const KEY: &str = "peer: {key: {file: peer.key}}\n";
/// In the policy, and the same with proofs in each advertisement.
const VRID: &str = "    vrid:";
const PROVEN: &str = "    authentication: {mode: enforce, keys: [{id: 1, file: peer.key}]}\n    vrid:";

/// Two directors that are at rest; the preferred one is Master.
pub(crate) struct Watched {
    pub(crate) pair: [Member; 2],
    pub(crate) holders: Holders,
    pub(crate) adverts: Adverts,
    pub(crate) stage: Stage,
    setting: Setting,
}

impl Watched {
    fn new(setting: Setting) -> Self {
        Self::on(Stage::new(), setting)
    }

    /// On a stage where another program may have been installed.
    pub(crate) fn on(stage: Stage, setting: Setting) -> Self {
        let holders = Holders::watch(&stage, vip().of(setting.family), LOOK_EVERY);
        let adverts = Adverts::listen(&stage);
        let start = |director: usize| {
            let folder = stage.folder().join(format!("Tandem-{}", NAMES[director]));
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("peer.key"), "k".repeat(32)).expect("a key");
            let member = Member::start(&stage, Program::Tandem, director, &setting, KEY);
            until_true("its socket", START, || member.tries_to_say(&stage, &["status"]).is_some());
            member.reload(&stage, VRID, PROVEN);
            member
        };
        let pair = [PREFERRED, OTHER].map(start);
        until_true("Master", START, || holders.only_holder() == Some(PREFERRED));
        sleep(AT_REST);
        assert_eq!(holders.only_holder(), Some(PREFERRED));
        Self { pair, holders, adverts, stage, setting }
    }

    pub(crate) fn log(&self, director: usize) -> String {
        let path = self.stage.folder().join(format!("Tandem-{}", NAMES[director])).join("tandem.log");
        fs::read_to_string(path).expect("a log")
    }

    /// How much later than the interval the latest advertisement since then came.
    pub(crate) fn latest_since(&self, since: Instant) -> Duration {
        latest(&self.adverts.times_of(PREFERRED, since, Instant::now()), self.setting.interval)
    }

    /// Nobody but the preferred director was Master since then, nor held the address, nor lost it.
    #[track_caller]
    pub(crate) fn nobody_noticed(&self, since: Instant, other_before: &str) {
        assert_eq!(self.adverts.count_since(OTHER, since), 0, "the other director advertised");
        assert_eq!(self.holders.takings_since(PREFERRED, since), 0, "the address was let go of");
        assert_eq!(self.holders.takings_since(OTHER, since), 0, "the other director took the address");
        let log = self.log(OTHER);
        let news = &log[other_before.len()..];
        for word in ["Master:", "not believed", "not heard"] {
            assert!(!news.contains(word), "the other director says: {news}");
        }
    }
}

pub(crate) fn latest(times: &[Instant], interval: Duration) -> Duration {
    let gaps = times.windows(2).map(|two| two[1] - two[0]);
    gaps.max().expect("advertisements").saturating_sub(interval)
}

fn taken_over_often(setting: Setting, times: u32) {
    let mut watched = Watched::new(setting);
    let other_before = watched.log(OTHER);
    let pinger = Pinger::start(&watched.stage.client, vip().of(setting.family), Duration::from_millis(2));
    sleep(setting.interval * 5);
    let ordinary = Instant::now();
    sleep(setting.interval * 10);
    let usual = watched.latest_since(ordinary);
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    for _ in 0..times {
        longest = longest.max(watched.pair[PREFERRED].take_over(&watched.stage));
        let status = watched.pair[PREFERRED].said(&watched.stage, &["status"]);
        assert!(status.contains("Master"), "right after a takeover: {status}");
    }
    sleep(setting.interval * 4);
    let late = watched.latest_since(begun);
    let pings = pinger.finish();
    println!(
        "{times} takeovers at {:?}: the longest took {longest:?}; the latest advertisement came {late:?} late (without a \
         takeover {usual:?}); {} of {} pings lost",
        setting.interval,
        pings.lost(),
        pings.count()
    );
    assert!(late < setting.interval / 2, "an advertisement came {late:?} late");
    assert_eq!(pings.lost(), 0, "of {} pings", pings.count());
    watched.nobody_noticed(begun, &other_before);
}

#[test]
fn a_master_is_taken_over_twenty_times_at_a_tenth_of_a_second() {
    taken_over_often(FAST, 20);
}

#[test]
fn a_master_is_taken_over_twenty_times_at_a_second() {
    taken_over_often(SLOW, 20);
}

/// As Backup it goes on to wait for the Master that it knows: when that one dies, it takes over in time.
#[test]
fn a_backup_is_taken_over_and_takes_over_itself_in_time() {
    let mut watched = Watched::new(FAST);
    let begun = Instant::now();
    for _ in 0..20 {
        watched.pair[OTHER].take_over(&watched.stage);
    }
    assert_eq!(watched.adverts.count_since(OTHER, begun), 0, "it stayed Backup");
    assert_eq!(watched.holders.only_holder(), Some(PREFERRED));
    let last = watched.adverts.next_of(PREFERRED, FAST.interval * 3).expect("an advertisement");
    watched.pair[PREFERRED].kill();
    let first = watched.adverts.next_of(OTHER, FAST.interval * 8).expect("it takes over");
    let after = first - last;
    assert!(after < FAST.master_down_interval() + FAST.interval, "it took over after {after:?}");
    until_true("the address", START, || watched.holders.holds(OTHER));
}

/// It is Master and stays it, then stops as any director: the other one takes over.
#[test]
fn who_goes_on_is_a_whole_director() {
    let mut watched = Watched::new(FAST);
    watched.pair[PREFERRED].take_over(&watched.stage);
    let status = watched.pair[PREFERRED].said(&watched.stage, &["status"]);
    assert!(status.contains("master") || status.contains("Master"), "{status}");
    let pinger = Pinger::start(&watched.stage.client, vip().of(FAST.family), Duration::from_millis(2));
    watched.pair[PREFERRED].release(&watched.stage);
    until_true("the other as Master", START, || watched.holders.only_holder() == Some(OTHER));
    watched.pair[PREFERRED].take_over(&watched.stage);
    sleep(FAST.interval * 20);
    assert_eq!(watched.holders.only_holder(), Some(OTHER), "the release goes on");
    watched.pair[PREFERRED].clear_release(&watched.stage);
    until_true("the preferred one again", START, || watched.holders.only_holder() == Some(PREFERRED));
    let pings = pinger.finish();
    assert_eq!(pings.lost(), 0, "of {} pings", pings.count());
    watched.pair[PREFERRED].terminate();
    until_true("the other as Master", START, || watched.holders.only_holder() == Some(OTHER));
    watched.pair[PREFERRED].wait_until_ended();
}

/// The process that is to go on is killed again and again, later and later on its way: the first one advertises on in time. The
/// last time it served already: then it died as any director dies.
#[test]
fn one_that_is_killed_on_its_way_leaves_the_first_one_serving() {
    let watched = Watched::new(FAST);
    let other_before = watched.log(OTHER);
    let begun = Instant::now();
    sleep(FAST.interval * 3);
    // On a quick machine it is through after some milliseconds.
    for (kills, after_us) in (0..800).map(|step| step * 500).enumerate() {
        let ended = Instant::now();
        let process = watched.pair[PREFERRED].start_beside(&watched.stage, &["--takeover"]);
        sleep(Duration::from_micros(after_us));
        process.signal(Signal::SIGKILL);
        drop(process);
        if watched.log(PREFERRED).contains("handed on to") {
            let late = latest(&watched.adverts.times_of(PREFERRED, begun, ended), FAST.interval);
            println!("{kills} were killed on their way: the latest advertisement came {late:?} late");
            assert!(late < FAST.interval, "an advertisement came {late:?} late");
            assert!(kills > 3, "{kills}");
            until_true("the other one", START, || watched.holders.only_holder() == Some(OTHER));
            return;
        }
        until_true("its socket again", START, || {
            watched.pair[PREFERRED].tries_to_say(&watched.stage, &["status"]).is_some()
        });
        watched.nobody_noticed(begun, &other_before);
    }
    panic!("none of them came through");
}

/// Where the control socket of a director is, seen from here.
fn socket_of(member: &Member) -> PathBuf {
    format!("/proc/{}/root/run/tandem/tandem.sock", member.pid()).into()
}

/// Comes as far as it can without going on: the director behind the socket has fallen silent.
fn take_everything(socket: &Path) -> (Runtime, Predecessor) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let predecessor = runtime.block_on(async {
        let mut predecessor = Predecessor::find(socket).await.expect("it hands on").expect("it is there");
        let pools = predecessor.pools().await.expect("its pools rest");
        assert!(pools.generation > 0);
        let pair = predecessor.pair(u64::from(u32::MAX)).await.expect("its election rests");
        assert!(pair.station.expect("a station").units[0].holds);
        predecessor
    });
    (runtime, predecessor)
}

/// It has all that the first one has, and is gone: that one goes on at once, as a run of a higher number.
#[test]
fn one_that_goes_at_the_last_moment_leaves_the_first_one_serving() {
    let watched = Watched::new(FAST);
    let other_before = watched.log(OTHER);
    let begun = Instant::now();
    for _ in 0..5 {
        drop(take_everything(&socket_of(&watched.pair[PREFERRED])));
        until_true("its socket again", START, || {
            watched.pair[PREFERRED].tries_to_say(&watched.stage, &["status"]).is_some()
        });
        sleep(FAST.interval * 3);
    }
    let late = watched.latest_since(begun);
    println!("the latest advertisement came {late:?} late");
    assert!(late < FAST.interval, "an advertisement came {late:?} late");
    watched.nobody_noticed(begun, &other_before);
}

/// It has all that the first one has, and stands still: it is ended, and the first one goes on before the other director takes over.
#[test]
fn one_that_stands_still_at_the_last_moment_is_ended() {
    let watched = Watched::new(FAST);
    let other_before = watched.log(OTHER);
    let begun = Instant::now();
    let mut itself = Command::new(std::env::current_exe().expect("this program"));
    itself.args(["--ignored", "--exact", "takeover::stands_still_at_the_last_moment"]);
    itself.env(SOCKET, socket_of(&watched.pair[PREFERRED])).stdout(Stdio::null());
    let status = itself.status().expect("a process");
    assert_eq!(status.signal(), Some(9), "{status}");
    until_true("its socket again", START, || {
        watched.pair[PREFERRED].tries_to_say(&watched.stage, &["status"]).is_some()
    });
    sleep(FAST.interval * 5);
    let late = watched.latest_since(begun);
    println!("the latest advertisement came {late:?} late");
    assert!(late < FAST.interval * 3 / 2, "an advertisement came {late:?} late");
    watched.nobody_noticed(begun, &other_before);
}

/// The socket that it is told of by who starts it.
const SOCKET: &str = "TANDEM_TEST_SOCKET";

#[test]
#[ignore = "a process of the case above"]
fn stands_still_at_the_last_moment() {
    let socket = std::env::var_os(SOCKET).expect("it is started by the case above");
    let _everything = take_everything(Path::new(&socket));
    sleep(START);
}

/// What the new process needs is not there: it says what, and the first one serves on, with its socket and its ports.
#[test]
fn one_that_cannot_go_on_changes_nothing_and_says_why() {
    let watched = Watched::new(FAST);
    let other_before = watched.log(OTHER);
    let key = watched.stage.folder().join(format!("Tandem-{}", NAMES[PREFERRED])).join("peer.key");
    let away = key.with_extension("away");
    fs::rename(&key, &away).expect("the key goes");
    let begun = Instant::now();
    for _ in 0..5 {
        let (code, said) = watched.pair[PREFERRED].refused(&watched.stage, &["takeover"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("peer.key") && said.contains("serves on"), "{said}");
        until_true("its socket again", START, || {
            watched.pair[PREFERRED].tries_to_say(&watched.stage, &["status"]).is_some()
        });
    }
    sleep(FAST.interval * 5);
    watched.nobody_noticed(begun, &other_before);
    fs::rename(&away, &key).expect("the key comes back");
}

/// Without a running director it is an ordinary start.
#[test]
fn without_a_running_director_it_starts_as_usual() {
    let mut watched = Watched::new(FAST);
    watched.pair[OTHER].terminate();
    watched.pair[OTHER].wait_until_ended();
    let holders = &watched.holders;
    let process = watched.pair[PREFERRED].start_beside(&watched.stage, &["--socket", "none"]);
    until_true("a refusal", START, || process.log().contains("another tandem holds it"));
    assert_eq!(holders.only_holder(), Some(PREFERRED));
    let alone = watched.pair[PREFERRED]
        .start_beside(&watched.stage, &["--takeover", "--socket", "/run/tandem/no.sock"]);
    until_true("its word", START, || alone.log().contains("starting as usual"));
}
