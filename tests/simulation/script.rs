//! Worlds as text, one line a setting or an act. What a seed draws can be written so, and is then a world of its own that no
//! change of the drawing touches.
//!
//! Times are seconds. Directors are a, b and c; links are outside and inside; what is tracked is check, pool and interface.
//! Without `jitter` the world is even: each delay is the shortest, and what happens depends on no order of draws.

use crate::draw::{Drawn, Shape, Sketch, micros};
use crate::faults::{Act, Still};
use std::time::Duration;
use tandem::model::{BothUnfit, ChecksumReading, Preempt, VrrpVersion};

const SHAPES: [(&str, Shape); 5] = [
    ("one", Shape::One),
    ("both_families", Shape::BothFamilies),
    ("group", Shape::Group),
    ("group_both_families", Shape::GroupBothFamilies),
    ("apart", Shape::Apart),
];
const STILLS: [(&str, Still); 4] = [
    ("thread", Still::Thread),
    ("process", Still::Process),
    ("machine", Still::Machine { queued: true }),
    ("machine_deaf", Still::Machine { queued: false }),
];
const DIRECTORS: [&str; 3] = ["a", "b", "c"];
const LINKS: [&str; 2] = ["outside", "inside"];
const TRACKED: [&str; 3] = ["check", "pool", "interface"];

/// A world, and the seed of its delays.
#[derive(Debug)]
pub struct Script {
    pub drawn: Drawn,
    pub jitter: Option<u64>,
}

/// Reads a script, or says which line makes no sense.
pub fn read(text: &str) -> Result<Script, String> {
    let (mut sketch, mut acts, mut jitter, mut pools_only_from) = (usual(), Vec::new(), None, None);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let understood = match &words[..] {
            ["at", at, what @ ..] => time(at).zip(read_act(what)).map(|(at, act)| acts.push((at, act))),
            ["jitter", seed] => seed.parse().ok().map(|seed| jitter = Some(seed)),
            ["pools_only_from", at] => time(at).map(|at| pools_only_from = Some(at)),
            [key, values @ ..] => set(&mut sketch, key, values),
            [] => None,
        };
        understood.ok_or_else(|| format!("not understood: {line}"))?;
    }
    let mut drawn = Drawn::new(sketch, acts, Vec::new());
    drawn.pools_only_from = pools_only_from;
    Ok(Script { drawn, jitter })
}

fn usual() -> Sketch {
    Sketch {
        hosts: 2,
        version: VrrpVersion::V3,
        interval: Duration::from_millis(100),
        shape: Shape::One,
        unicast: false,
        hmac: false,
        heartbeat: false,
        priorities: vec![200, 150],
        preempt: Preempt::After(Duration::ZERO),
        start_delay: Duration::ZERO,
        track: Vec::new(),
        checksum: ChecksumReading::Rfc9568,
        both_unfit: BothUnfit::KeepBest,
        synchronised: false,
        reversed_ipv6: false,
        ready_after: vec![20_000; 2],
        state_takes: vec![Some(2_000); 2],
    }
}

fn set(sketch: &mut Sketch, key: &str, values: &[&str]) -> Option<()> {
    match (key, values) {
        ("priorities", values) => {
            sketch.priorities = values.iter().map(|value| value.parse().ok()).collect::<Option<_>>()?;
            sketch.hosts = values.len();
            sketch.ready_after = vec![20_000; values.len()];
            sketch.state_takes = vec![Some(2_000); values.len()];
        }
        ("version", ["2"]) => sketch.version = VrrpVersion::V2,
        ("version", ["3"]) => sketch.version = VrrpVersion::V3,
        ("interval", [value]) => sketch.interval = Duration::from_micros(time(value)?),
        ("shape", [value]) => sketch.shape = by_name(&SHAPES, value)?,
        ("preempt", ["never"]) => sketch.preempt = Preempt::Never,
        ("preempt", ["after", value]) => {
            sketch.preempt = Preempt::After(Duration::from_micros(time(value)?));
        }
        ("start_delay", [value]) => sketch.start_delay = Duration::from_micros(time(value)?),
        ("track", [what, "fault"]) => sketch.track.push((place(&TRACKED, what)?, None)),
        ("track", [what, change]) => {
            sketch.track.push((place(&TRACKED, what)?, Some(change.parse().ok()?)));
        }
        ("ready", values) => {
            sketch.ready_after = values.iter().map(|value| time(value)).collect::<Option<_>>()?;
        }
        ("state", values) => {
            let state = |value: &&str| if *value == "never" { Some(None) } else { time(value).map(Some) };
            sketch.state_takes = values.iter().map(state).collect::<Option<_>>()?;
        }
        ("with", values) => values.iter().try_for_each(|value| with(sketch, value))?,
        _ => return None,
    }
    Some(())
}

fn with(sketch: &mut Sketch, what: &str) -> Option<()> {
    match what {
        "unicast" => sketch.unicast = true,
        "hmac" => sketch.hmac = true,
        "heartbeat" => sketch.heartbeat = true,
        "synchronised" => sketch.synchronised = true,
        "reversed_ipv6" => sketch.reversed_ipv6 = true,
        "rfc5798" => sketch.checksum = ChecksumReading::Rfc5798,
        "release_if_unfit" => sketch.both_unfit = BothUnfit::Release,
        _ => return None,
    }
    Some(())
}

/// The script of a world.
pub fn write(drawn: &Drawn, jitter: Option<u64>) -> String {
    let times = |times: &[u64]| times.iter().map(|time| seconds(*time)).collect::<Vec<_>>().join(" ");
    let priorities: Vec<String> = drawn.priorities.iter().map(u8::to_string).collect();
    let state = |takes: &Option<u64>| takes.map_or("never".to_owned(), seconds);
    let states: Vec<String> = drawn.state_takes.iter().map(state).collect();
    let preempt = match drawn.preempt {
        Preempt::Never => "never".to_owned(),
        Preempt::After(delay) => format!("after {}", seconds(micros(delay))),
    };
    let mut lines = vec![
        format!("priorities {}", priorities.join(" ")),
        format!("version {}", if drawn.version == VrrpVersion::V2 { 2 } else { 3 }),
        format!("interval {}", seconds(micros(drawn.interval))),
        format!("shape {}", name(&SHAPES, drawn.shape)),
        format!("preempt {preempt}"),
        format!("start_delay {}", seconds(micros(drawn.start_delay))),
        format!("ready {}", times(&drawn.ready_after)),
        format!("state {}", states.join(" ")),
    ];
    let change = |change: Option<i16>| change.map_or("fault".to_owned(), |change| change.to_string());
    lines.extend(drawn.track.iter().map(|(what, by)| format!("track {} {}", TRACKED[*what], change(*by))));
    lines.extend(withs(drawn).iter().map(|what| format!("with {what}")));
    lines.extend(drawn.pools_only_from.map(|at| format!("pools_only_from {}", seconds(at))));
    lines.extend(jitter.map(|seed| format!("jitter {seed}")));
    lines.extend(drawn.acts.iter().map(|(at, what)| format!("at {} {}", seconds(*at), act(what))));
    lines.join("\n")
}

fn withs(sketch: &Sketch) -> Vec<&'static str> {
    let all = [
        ("unicast", sketch.unicast),
        ("hmac", sketch.hmac),
        ("heartbeat", sketch.heartbeat),
        ("synchronised", sketch.synchronised),
        ("reversed_ipv6", sketch.reversed_ipv6),
        ("rfc5798", sketch.checksum == ChecksumReading::Rfc5798),
        ("release_if_unfit", sketch.both_unfit == BothUnfit::Release),
    ];
    all.into_iter().filter_map(|(what, is_so)| is_so.then_some(what)).collect()
}

/// An act as a script has it.
pub fn act(act: &Act) -> String {
    match act {
        Act::Loss { link, permille } => format!("loss {} {permille}", LINKS[*link]),
        Act::Duplicates { link, permille } => format!("duplicates {} {permille}", LINKS[*link]),
        Act::Late { link, permille, by } => format!("late {} {permille} {}", LINKS[*link], seconds(*by)),
        Act::Cut { link, from, to, cut } => {
            let word = if *cut { "cut" } else { "mend" };
            format!("{word} {} {} {}", LINKS[*link], DIRECTORS[*from], DIRECTORS[*to])
        }
        Act::Link { host, link, up } => format!("link {} {} {}", DIRECTORS[*host], LINKS[*link], updown(*up)),
        Act::Path { host, up } => format!("path {} {}", DIRECTORS[*host], updown(*up)),
        Act::Still { host, how, lasts } => {
            format!("still {} {} {}", DIRECTORS[*host], name(&STILLS, *how), seconds(*lasts))
        }
        Act::Kill { host } => format!("kill {}", DIRECTORS[*host]),
        Act::Start { host } => format!("start {}", DIRECTORS[*host]),
        Act::Stop { host } => format!("stop {}", DIRECTORS[*host]),
        Act::Reload { host } => format!("reload {}", DIRECTORS[*host]),
        Act::ClockStep { host } => format!("clock {}", DIRECTORS[*host]),
        Act::Tracked { host, what, good } => {
            format!("tracked {} {} {}", DIRECTORS[*host], TRACKED[*what], if *good { "good" } else { "bad" })
        }
        Act::Release { host, lasts: None } => format!("release {}", DIRECTORS[*host]),
        Act::Release { host, lasts: Some(lasts) } => {
            format!("release {} {}", DIRECTORS[*host], seconds(*lasts))
        }
        Act::Clear { host } => format!("clear {}", DIRECTORS[*host]),
        Act::Healed => "healed".to_owned(),
    }
}

fn read_act(words: &[&str]) -> Option<Act> {
    let (host, link) = (|name| place(&DIRECTORS, name), |name| place(&LINKS, name));
    Some(match words {
        ["loss", on, many] => Act::Loss { link: link(on)?, permille: many.parse().ok()? },
        ["duplicates", on, many] => Act::Duplicates { link: link(on)?, permille: many.parse().ok()? },
        ["late", on, many, by] => Act::Late { link: link(on)?, permille: many.parse().ok()?, by: time(by)? },
        [word @ ("cut" | "mend"), on, from, to] => {
            Act::Cut { link: link(on)?, from: host(from)?, to: host(to)?, cut: *word == "cut" }
        }
        ["link", of, on, state @ ("up" | "down")] => {
            Act::Link { host: host(of)?, link: link(on)?, up: *state == "up" }
        }
        ["path", of, state @ ("up" | "down")] => Act::Path { host: host(of)?, up: *state == "up" },
        ["still", of, how, lasts] => {
            Act::Still { host: host(of)?, how: by_name(&STILLS, how)?, lasts: time(lasts)? }
        }
        ["kill", of] => Act::Kill { host: host(of)? },
        ["start", of] => Act::Start { host: host(of)? },
        ["stop", of] => Act::Stop { host: host(of)? },
        ["reload", of] => Act::Reload { host: host(of)? },
        ["clock", of] => Act::ClockStep { host: host(of)? },
        ["tracked", of, what, state @ ("good" | "bad")] => {
            Act::Tracked { host: host(of)?, what: place(&TRACKED, what)?, good: *state == "good" }
        }
        ["release", of] => Act::Release { host: host(of)?, lasts: None },
        ["release", of, lasts] => Act::Release { host: host(of)?, lasts: Some(time(lasts)?) },
        ["clear", of] => Act::Clear { host: host(of)? },
        ["healed"] => Act::Healed,
        _ => return None,
    })
}

fn updown(up: bool) -> &'static str {
    if up { "up" } else { "down" }
}

fn place(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|known| *known == name)
}

fn by_name<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn name<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("?", |(name, _)| name)
}

/// Seconds to µs.
fn time(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let micros: u64 = format!("{part:0<6}").parse().ok().filter(|_| part.len() <= 6)?;
    Some(whole.parse::<u64>().ok()? * 1_000_000 + micros)
}

/// µs to seconds.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[test]
fn what_a_seed_draws_is_the_same_when_it_was_written_and_read() {
    for seed in 0..500 {
        let drawn = crate::draw::draw(seed);
        let text = write(&drawn, Some(seed));
        let mut script = read(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(script.jitter, Some(seed));
        // These two are not of the world: how long it is looked at, and what the faults are called.
        (script.drawn.length, script.drawn.kinds) = (drawn.length, drawn.kinds.clone());
        assert_eq!(format!("{:?}", script.drawn), format!("{drawn:?}"), "seed {seed}:\n{text}");
    }
}
