//! What routers track: scripts, files, processes, and the lists that name them.

use super::context::{Context, Tracking};
use super::keywords::Place;
use super::tree::Statement;
use super::value::{bad, number, or_bad, time};
use super::words::command;
use crate::import::checks::{Pace, exec};
use crate::import::names;
use crate::import::site::{Tracked, Tracker};
use crate::import::verdict::{Judged, near, none, same};
use std::collections::BTreeMap;

/// Bytes of a process's name that the kernel keeps.
const MAX_PROCESS_BYTES: usize = 15;

/// `vrrp_script NAME { … }`.
pub(super) fn script(statement: &Statement, context: &mut Context<'_>) {
    let name = statement.word(1).unwrap_or("script").to_owned();
    let mut line = String::new();
    let mut script_at = statement.at;
    let mut user = context.globals.script_user.clone();
    let (mut interval, mut timeout, mut rise, mut fall) = (1000, None, 1, 1);
    let mut weight = (0, false);
    context.block(Place::Script, statement.inside(), |_, inner| {
        match inner.name() {
            "script" => {
                line = inner.arguments().join(" ");
                script_at = inner.at;
            }
            "interval" => interval = or_bad!(time(inner, 1), inner),
            "timeout" => timeout = Some(or_bad!(time(inner, 1), inner)),
            "rise" => rise = or_bad!(number(inner, 1), inner),
            "fall" => fall = or_bad!(number(inner, 1), inner),
            "user" => {
                user = inner.word(1).map(str::to_owned);
                return inner.word(2).map(|_| near("the user alone: its group is the user's own"));
            }
            "weight" => weight = (or_bad!(number(inner, 1), inner), inner.word(2) == Some("reverse")),
            _ => {}
        }
        None
    });
    let what = match followed_process(&line) {
        Some(process) => {
            context
                .ledger
                .note(script_at, near(format!("the process {process} is followed itself, without a script")));
            Tracked::Process(process)
        }
        None => {
            let pace = Pace { interval, changing: None, timeout: timeout.unwrap_or(interval), rise, fall };
            let (check, judged) = exec(&name, &line, user, pace, false);
            context.ledger.note(script_at, judged);
            context.site.scripts.push(check);
            Tracked::Script(name.clone())
        }
    };
    context.scripts.insert(name, Tracking { what, weight: weight.0, reverse: weight.1 });
}

/// The process whose being there is all that a script asks: `killall -0 haproxy`, `pidof nginx`, `pgrep -x named`.
fn followed_process(line: &str) -> Option<String> {
    let words = command(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let name = match words.as_slice() {
        [program, "-0", name] if program.ends_with("killall") => name,
        [program, name] if program.ends_with("pidof") => name,
        [program, "-x", name] if program.ends_with("pgrep") => name,
        _ => return None,
    };
    (is_process(name) && name.len() <= MAX_PROCESS_BYTES).then(|| (*name).to_owned())
}

/// What a policy takes as a process's name, however long.
fn is_process(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && !name.contains(char::is_control)
}

/// `track_file NAME { … }`.
pub(super) fn file(statement: &Statement, context: &mut Context<'_>) {
    let name = statement.word(1).unwrap_or("file").to_owned();
    let mut path = None;
    let mut weight = (1, false);
    context.block(Place::TrackFile, statement.inside(), |_, inner| {
        match inner.name() {
            "file" => path = Some(or_bad!(inner.word(1), inner).to_owned()),
            "weight" => weight = (or_bad!(number(inner, 1), inner), inner.word(2) == Some("reverse")),
            _ => {}
        }
        None
    });
    if let Some(path) = path {
        let tracking = Tracking { what: Tracked::File(path), weight: weight.0, reverse: weight.1 };
        context.files.insert(name, tracking);
    }
}

/// `vrrp_track_process NAME { … }`.
pub(super) fn process(statement: &Statement, context: &mut Context<'_>) {
    let name = statement.word(1).unwrap_or("process").to_owned();
    let mut process = None;
    let mut weight = (0, false);
    context.block(Place::TrackProcess, statement.inside(), |_, inner| {
        match inner.name() {
            "process" => {
                let path = or_bad!(inner.word(1), inner);
                let short = path.rsplit('/').next().unwrap_or(path);
                let fits = |(at, letter): &(usize, char)| at + letter.len_utf8() <= MAX_PROCESS_BYTES;
                let kept: String = short.char_indices().take_while(fits).map(|(_, letter)| letter).collect();
                if !is_process(&kept) {
                    return bad(inner);
                }
                let whole = kept == path && inner.words.len() == 2;
                process = Some(kept);
                return (!whole).then(|| near("a process is known by its name alone, of at most 15 bytes"));
            }
            "weight" => weight = (or_bad!(number(inner, 1), inner), inner.word(2) == Some("reverse")),
            "quorum" if inner.word(1) == Some("1") => return Some(same()),
            _ => {}
        }
        None
    });
    if let Some(process) = process {
        let tracking = Tracking { what: Tracked::Process(process), weight: weight.0, reverse: weight.1 };
        context.processes.insert(name, tracking);
    }
}

/// The lines of a `track_…` block of a router or a sync group.
pub(super) fn list(statement: &Statement, context: &mut Context<'_>) -> Vec<Tracker> {
    let mut trackers: Vec<Tracker> = Vec::new();
    for line in statement.inside() {
        let (tracker, judged) = match tracking(statement.name(), line, context) {
            Ok(tracking) => tracker(tracking, line),
            Err(judged) => (None, judged),
        };
        context.note(line, judged);
        if let Some(tracker) = tracker.filter(|new| trackers.iter().all(|old| old.what != new.what)) {
            if let Tracked::Script(name) = &tracker.what {
                context.tracked_scripts.insert(name.clone());
            }
            trackers.push(tracker);
        }
    }
    trackers
}

fn tracking(list: &str, line: &Statement, context: &Context<'_>) -> Result<Tracking, Judged> {
    let name = line.name();
    let of = |known: &BTreeMap<String, Tracking>, what| {
        known.get(name).cloned().ok_or_else(|| none(format!("no {what} is called {name}")))
    };
    match list {
        "track_script" => of(&context.scripts, "vrrp_script"),
        "track_file" => of(&context.files, "track_file"),
        "track_process" => of(&context.processes, "vrrp_track_process"),
        _ => match names::interface(name) {
            Some(name) => Ok(Tracking { what: Tracked::Interface(name), weight: 0, reverse: false }),
            None => Err(none("no interface has such a name")),
        },
    }
}

/// The tracker, with the weight of its line over its own.
fn tracker(tracking: Tracking, line: &Statement) -> (Option<Tracker>, Judged) {
    let mut tracking = tracking;
    let mut words = line.arguments().iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "weight" => match words.next().and_then(|weight| weight.parse().ok()) {
                Some(weight) => tracking.weight = weight,
                None => return (None, bad(line).unwrap_or_else(same)),
            },
            "reverse" => tracking.reverse = true,
            "noreverse" => tracking.reverse = false,
            _ => {}
        }
    }
    let weight = tracking.weight.clamp(-253, 253);
    let (change, judged) = match (weight, tracking.reverse) {
        (0, true) => return (None, none("a router cannot be unfit because something is good")),
        (0, false) => (None, same()),
        (weight, false) if weight < 0 => (Some(weight), same()),
        (weight, true) if weight < 0 => (Some(-weight), same()),
        (weight, reverse) => {
            let change = if reverse { weight } else { -weight };
            (Some(change), near(format!("{change} while it is bad, not {} while it is good", -change)))
        }
    };
    let is_file = matches!(tracking.what, Tracked::File(_));
    let judged = if is_file { near("a fixed change while the file is bad, or not there") } else { judged };
    (Some(Tracker { at: line.at, what: tracking.what, change }), judged)
}

#[cfg(test)]
mod tests {
    use super::followed_process;

    #[test]
    fn a_script_that_only_looks_for_a_process_is_followed_as_one() {
        assert_eq!(followed_process("/usr/bin/killall -0 haproxy").as_deref(), Some("haproxy"));
        assert_eq!(followed_process("pidof nginx").as_deref(), Some("nginx"));
        assert_eq!(followed_process("/usr/bin/curl -f http://localhost"), None);
    }
}
