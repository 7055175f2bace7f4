//! The channel between two real directors: each tells of the other, an alarm comes before a failover would make it an outage, a
//! partition heals, and another key is said once.

use crate::stage::program::{Member, Program};
use crate::stage::setting::{Checksum, Setting};
use crate::stage::{NAMES, OTHER, PREFERRED, Stage};
use crate::world::wait::{stays, until_true};
use serde_json::Value;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const START: Duration = Duration::from_secs(40);
/// The time of grace is ten seconds.
const ALARM: Duration = Duration::from_secs(20);
const SETTING: Setting = Setting { is_default: true, checksum: Checksum::Rfc9568, ..Setting::V3 };
const KEY: &str = "peer: {key: {file: peer.key}}\n";
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9752);
const ONE: &str = "/24]";
const TWO: &str = "/24, 192.168.101.177/24]";

fn folder(stage: &Stage, director: usize) -> PathBuf {
    stage.folder().join(format!("Tandem-{}", NAMES[director]))
}

fn write_key(stage: &Stage, director: usize, letter: &str) {
    fs::create_dir_all(folder(stage, director)).expect("a folder");
    fs::write(folder(stage, director).join("peer.key"), letter.repeat(32)).expect("a key");
}

fn start(stage: &Stage, director: usize, letter: &str) -> Member {
    write_key(stage, director, letter);
    Member::start(stage, Program::Tandem, director, &SETTING, KEY)
}

/// What `tandem status` says of the channel.
fn channel(stage: &Stage, member: &Member) -> Value {
    let Some(text) = member.tries_to_say(stage, &["status", "--json"]) else { return Value::Null };
    let status: Value = serde_json::from_str(&text).expect("JSON");
    status["peers"][0]["channel"].clone()
}

fn is_up(stage: &Stage, member: &Member) -> bool {
    channel(stage, member)["up"] == true
}

fn safe(stage: &Stage, member: &Member) -> String {
    let text = member.said(stage, &["status"]);
    text.lines().find(|line| line.starts_with("Safe to fail over")).expect("the line").to_owned()
}

/// Lines of a director's log that say something.
fn told(stage: &Stage, director: usize, words: &str) -> usize {
    let log = fs::read_to_string(folder(stage, director).join("tandem.log")).expect("a log");
    log.lines().filter(|line| line.contains(words)).count()
}

fn metric(stage: &Stage, director: usize, name: &str) -> Option<String> {
    let text = stage.directors[director].fetch(METRICS, "/metrics").expect("metrics");
    let sample = text.lines().find(|line| line.starts_with(name))?;
    sample.rsplit(' ').next().map(str::to_owned)
}

fn both_up(stage: &Stage, pair: &[Member; 2]) {
    for member in pair {
        until_true("the channel", START, || is_up(stage, member));
        until_true("the same policy", START, || channel(stage, member)["policy_match"] == true);
    }
}

#[test]
fn each_director_shows_the_other_and_another_policy_is_an_alarm_until_both_have_it() {
    let stage = Stage::new();
    let pair = [PREFERRED, OTHER].map(|director| start(&stage, director, "k"));
    both_up(&stage, &pair);
    for member in &pair {
        until_true("safe", START, || safe(&stage, member).ends_with("with the same policy and tables"));
    }
    // One that has just begun tells its first roles a moment later.
    let status = || pair[PREFERRED].said(&stage, &["status"]);
    until_true("the other's role", START, || status().contains("outside backup"));
    assert!(status().contains("up for"), "{}", status());

    pair[PREFERRED].reload(&stage, ONE, TWO);
    // Within the time of grace a reload reaches both, and nobody is alarmed.
    assert!(!safe(&stage, &pair[OTHER]).contains("runs another policy"));
    for member in &pair {
        until_true("the alarm", ALARM, || safe(&stage, member).contains("runs another policy"));
        let name = "tandem_peer_policy_match{";
        until_true("the metric", START, || metric(&stage, member.director, name).as_deref() == Some("0"));
        assert_eq!(metric(&stage, member.director, "tandem_failover_ready").as_deref(), Some("0"));
        assert_eq!(told(&stage, member.director, "runs another policy"), 1);
    }
    pair[OTHER].reload(&stage, ONE, TWO);
    for member in &pair {
        until_true("its end", ALARM, || safe(&stage, member).contains("yes"));
        assert_eq!(told(&stage, member.director, "runs the same policy"), 1);
    }
}

#[test]
fn a_partition_is_said_and_heals() {
    let stage = Stage::new();
    let pair = [PREFERRED, OTHER].map(|director| start(&stage, director, "k"));
    both_up(&stage, &pair);
    stage.set_cable(OTHER, false);
    for member in &pair {
        until_true("the end of the channel", START, || !is_up(&stage, member));
        assert!(safe(&stage, member).contains("no, because"), "{}", safe(&stage, member));
    }
    stage.set_cable(OTHER, true);
    both_up(&stage, &pair);
}

#[test]
fn a_director_that_ends_and_starts_again_is_heard_again() {
    let stage = Stage::new();
    let mut pair = [PREFERRED, OTHER].map(|director| start(&stage, director, "k"));
    both_up(&stage, &pair);
    pair[PREFERRED].kill();
    until_true("the end of the channel", START, || !is_up(&stage, &pair[OTHER]));
    pair[PREFERRED].start_again(&stage);
    both_up(&stage, &pair);
}

#[test]
fn another_key_is_said_once_and_a_reload_takes_the_right_one() {
    let stage = Stage::new();
    let pair = [start(&stage, PREFERRED, "k"), start(&stage, OTHER, "x")];
    let words = "it has another key";
    for member in &pair {
        until_true("the reason", START, || {
            channel(&stage, member)["fault"].as_str().is_some_and(|fault| fault.contains(words))
        });
    }
    // Many tries, one line.
    let errors = "tandem_peer_channel_errors_total{kind=\"wrong_key\"}";
    let many = || metric(&stage, OTHER, errors).and_then(|count| count.parse::<f64>().ok());
    until_true("more tries", START, || many().is_some_and(|count| count >= 3.0));
    for member in &pair {
        assert_eq!(told(&stage, member.director, words), 1);
        stays("no channel", Duration::from_millis(200), || {
            if is_up(&stage, member) { Err("it is up") } else { Ok(()) }
        });
    }
    write_key(&stage, OTHER, "k");
    pair[OTHER].said(&stage, &["reload"]);
    both_up(&stage, &pair);
}
