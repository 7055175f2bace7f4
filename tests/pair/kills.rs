//! Directors are killed (SIGKILL) at random moments, again and again, while a client pings the VIP: calm ones, such that have
//! just started, such that take over or hand over, both at once. After each such blow the pair is right again.
//!
//! `tests/lab/run pair kills --nocapture` kills twenty times; `KILLS=500 tests/lab/run pair kills --nocapture` as often as it says. The seed is printed;
//! `SEED=7` draws the same moments again.

use crate::random::Random;
use crate::stage::holders::Holders;
use crate::stage::pinger::{Pinger, Pings};
use crate::stage::program::{Member, Program};
use crate::stage::setting::{Checksum, Setting};
use crate::stage::{NAMES, OTHER, PREFERRED, Stage, vip};
use crate::world::wait::{stays, until, until_true};
use serde_json::Value;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Kills of an ordinary run.
const USUAL: u64 = 20;
const START: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(3);
const PING_EVERY: Duration = Duration::from_millis(5);
/// From the last start until both are what they should be.
const RIGHT_MAX: Duration = Duration::from_secs(5);
/// The lifetime of an address, and a second for the kernel to take it.
const GONE_MAX: Duration = Duration::from_secs(4);
/// Three intervals and the skew are 0.34 s; the rest is this machine's, whose cores are shared.
const GAP_MAX: Duration = Duration::from_millis(700);
/// Where both are dead at once, one has to start, too.
const BOTH_GAP_MAX: Duration = Duration::from_secs(5);
const SETTING: Setting = Setting { is_default: true, checksum: Checksum::Rfc9568, ..Setting::V3 };

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}: no number: {value}")))
}

/// The pair under fire, and what is looked at.
struct Range {
    random: Random,
    holders: Holders,
    pair: [Member; 2],
    /// How many have been made so far.
    kills: u64,
    stage: Stage,
    more: &'static str,
}

/// One or several kills in a row, until the pair is right again.
struct Blow {
    words: String,
    begun: Instant,
    ended: Instant,
    /// Whether both were dead or starting at the same time.
    both: bool,
    /// From the last start until the pair was right.
    right_after: Duration,
}

impl Range {
    fn new(seed: u64, more: &'static str) -> Self {
        let stage = Stage::new();
        let holders = Holders::watch(&stage, vip().of(SETTING.family), LOOK_EVERY);
        let start = |director| Member::start(&stage, Program::Tandem, director, &SETTING, more);
        let pair = [PREFERRED, OTHER].map(start);
        let range = Self { random: Random::new(seed), holders, pair, kills: 0, stage, more };
        until("a pair", START, || range.is_right());
        range
    }

    fn pause(&mut self, most_ms: u64) {
        sleep(Duration::from_micros(self.random.below(most_ms * 1_000)));
    }

    fn kill(&mut self, director: usize) {
        self.pair[director].kill();
        self.pair[director].wait_until_ended();
        self.kills += 1;
    }

    /// Kills in one of four ways, starts everybody again, and waits until all is right.
    fn strike(&mut self) -> Blow {
        self.pause(800);
        let director = self.random.index(2);
        let begun = Instant::now();
        let (words, both) = match self.random.below(100) {
            0..40 => (self.once(director), false),
            40..60 => (self.for_long(director), false),
            60..85 => (self.while_it_starts(director), false),
            85..96 => (self.both_of_them(director), true),
            _ => (self.both_for_long(director), true),
        };
        let started = Instant::now();
        until(&format!("a pair that is right after {words}"), RIGHT_MAX, || self.is_right());
        let ended = Instant::now();
        Blow { words, begun, ended, both, right_after: ended - started }
    }

    fn once(&mut self, director: usize) -> String {
        self.kill(director);
        self.pause(400);
        self.pair[director].start_again(&self.stage);
        format!("a kill of {}", NAMES[director])
    }

    /// Longer than its addresses live.
    fn for_long(&mut self, director: usize) -> String {
        self.kill(director);
        until_true("a dead director without addresses", GONE_MAX, || !self.holders.holds(director));
        assert_eq!(self.holders.only_holder(), Some(1 - director), "the other serves");
        self.pair[director].start_again(&self.stage);
        format!("a long death of {}", NAMES[director])
    }

    fn while_it_starts(&mut self, director: usize) -> String {
        self.kill(director);
        let times = self.random.between(1, 3);
        for _ in 0..times {
            self.pair[director].start_again(&self.stage);
            self.pause(600);
            self.kill(director);
        }
        self.pair[director].start_again(&self.stage);
        format!("a kill of {} and {times} while it started", NAMES[director])
    }

    fn both_of_them(&mut self, director: usize) -> String {
        self.kill(director);
        self.pause(600);
        self.kill(1 - director);
        self.pause(300);
        self.pair[director].start_again(&self.stage);
        self.pause(300);
        self.pair[1 - director].start_again(&self.stage);
        format!("a kill of both, {} first", NAMES[director])
    }

    /// Until nobody holds the VIP any more: clients must miss it, or their pings prove nothing.
    fn both_for_long(&mut self, director: usize) -> String {
        self.kill(director);
        self.kill(1 - director);
        let holds = |range: &Self| [0, 1].iter().any(|director| range.holders.holds(*director));
        until_true("dead directors without addresses", GONE_MAX, || !holds(self));
        let pinger = Pinger::start(&self.stage.client, vip().of(SETTING.family), PING_EVERY);
        sleep(Duration::from_millis(200));
        let pings = pinger.finish();
        assert_eq!(pings.lost(), pings.count(), "nobody is there to answer");
        self.pair[director].start_again(&self.stage);
        self.pair[1 - director].start_again(&self.stage);
        format!("a long death of both, {} first", NAMES[director])
    }

    /// The preferred one is Master and holds the VIP, the other is Backup and holds nothing, and each hears the other.
    fn is_right(&self) -> Result<(), String> {
        if self.holders.only_holder() != Some(PREFERRED) {
            return Err(format!("the holder is {:?}", self.holders.only_holder()));
        }
        for (member, role) in self.pair.iter().zip(["master", "backup"]) {
            let Some(text) = member.tries_to_say(&self.stage, &["status", "--json"]) else {
                return Err(format!("{} does not answer", NAMES[member.director]));
            };
            let status: Value = serde_json::from_str(&text).expect("JSON");
            let (found, peer) = (&status["routers"][0]["role"], &status["peers"][0]["up"]);
            if found != role || peer != true {
                return Err(format!("{} is {found}, its peer up: {peer}", NAMES[member.director]));
            }
        }
        self.no_orphans()
    }

    /// Nothing is left of those who were killed: no second macvlan, and no state file that is half written.
    fn no_orphans(&self) -> Result<(), String> {
        for (director, machine) in self.stage.directors.iter().enumerate() {
            let links = machine.run("ip -o link show type macvlan");
            let wanted = usize::from(!self.more.is_empty());
            if links.lines().count() != wanted {
                return Err(format!("{} has macvlans: {links}", NAMES[director]));
            }
            let state = self.stage.folder().join(format!("Tandem-{}", NAMES[director])).join("state");
            for entry in fs::read_dir(state).expect("a state directory").flatten() {
                let path = entry.path();
                // One that is being written lies beside it under another name.
                if path.extension().is_some_and(|extension| extension == "json") {
                    let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
                    let whole: Result<Value, _> = serde_json::from_str(&text);
                    whole.map_err(|error| format!("{}: {error}: {text}", path.display()))?;
                }
            }
        }
        Ok(())
    }

    /// One ends politely and leaves nothing, of the other the kernel takes the addresses.
    fn end(mut self) {
        self.pair[PREFERRED].terminate();
        self.pair[PREFERRED].wait_until_ended();
        assert_eq!(self.holders.only_holder(), Some(OTHER), "handed over");
        let links = self.stage.directors[PREFERRED].run("ip -o link show type macvlan");
        assert_eq!(links, "", "a director that ended has left a macvlan");
        self.kill(OTHER);
        until_true("machines without a VIP", GONE_MAX, || !self.holders.holds(OTHER));
    }
}

/// The longest gap of a blow is within its bound.
#[track_caller]
fn judge(blow: &Blow, pings: &Pings) -> Duration {
    let gap = pings.clone().between(blow.begun, blow.ended).blackout();
    println!("{}: right after {:.2?}, longest gap {gap:.0?}", blow.words, blow.right_after);
    let most = if blow.both { BOTH_GAP_MAX } else { GAP_MAX };
    assert!(gap <= most, "{}: the VIP was silent for {gap:?}", blow.words);
    gap
}

fn killed_many_times(times: u64, more: &'static str) {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let seed = number("SEED").unwrap_or_else(now);
    println!("SEED={seed} KILLS={times}");
    let mut range = Range::new(seed, more);
    let pinger = Pinger::start(&range.stage.client, vip().of(SETTING.family), PING_EVERY);
    let mut blows = Vec::new();
    while range.kills < times {
        blows.push(range.strike());
    }
    stays("the Master", SETTING.interval * 10, || range.is_right());
    let pings = pinger.finish();
    let gaps: Vec<(Duration, bool)> = blows.iter().map(|blow| (judge(blow, &pings), blow.both)).collect();
    let longest = |both| gaps.iter().filter(|(_, it)| *it == both).map(|(gap, _)| *gap).max();
    let right_after = blows.iter().map(|blow| blow.right_after).max();
    println!(
        "{} kills in {} blows: longest gap {:.0?}, where both were dead {:.0?}; right after {:.2?} at the latest; {} of {} pings lost",
        range.kills,
        blows.len(),
        longest(false).unwrap_or_default(),
        longest(true).unwrap_or_default(),
        right_after.unwrap_or_default(),
        pings.lost(),
        pings.count()
    );
    range.end();
}

#[test]
fn kills_at_random_moments_leave_the_vip_and_the_roles_right() {
    killed_many_times(number("KILLS").unwrap_or(USUAL), "");
}

/// A fourth of them, with a link of its own for the addresses.
#[test]
fn kills_at_random_moments_leave_one_macvlan() {
    killed_many_times(number("KILLS").unwrap_or(USUAL).div_ceil(4), "    virtual_mac: true\n");
}
