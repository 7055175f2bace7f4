//! Files that are read again: whatever was edited, the policy is that of a whole reading, or a whole reading is what is done.

use crate::Memory;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tandem::policy::{self, Known, Loaded, View};

const FILE: &str = "policy.yaml";

/// A site of several pools, each with something that reaches beyond it: marks, checks in place and by name, a shared set.
const SITE: &str = "\
policy_version: 1
virtual_addresses: [{address: 192.0.2.1/32, interface: lo}, {address: 192.0.2.2/32, interface: lo}]
checks:
  alive: {tcp: {}, interval: 2s}
  page: {http: {path: /health}}
server_sets: {farm: [10.0.0.31, 10.0.0.32]}
defaults: {pool: {forwarding: nat, check: alive, scheduler: wrr}}
pools:
  # The first one.
  web:
    virtual_services: [tcp://192.0.2.1:80]
    real_servers:
      - {address: 10.0.0.1:8080, weight: 1}
      - 10.0.0.2:8080
      - {address: 10.0.0.3:8080, weight: 3, check: page}

  joined: {virtual_services: [tcp://192.0.2.1:81, tcp://192.0.2.1:82], join_ports: true, check: {from: alive, port: 81}, real_servers: [10.0.0.4]}
  quoted:
    virtual_services: [\"tcp://192.0.2.1:83\"]
    labels: {note: 'it''s: {one}', text: \"a # b\"}
    check:
      http:
        path: /x
    real_servers: [10.0.0.5, 10.0.0.6]
  long:
    virtual_services: [udp://192.0.2.2:53]
    labels:
      text: |-
        web: {}

      more: >-
        folded
        lines
    scheduler: rr
    check: {from: page, port: 8053}
    real_servers:
    - 10.0.0.7
    - address: 10.0.0.8
      weight: 0
  sets:
    virtual_services: [tcp://192.0.2.2:84]
    real_servers: {set: farm, port: 84}
    persistence: {timeout: 5m}
    on_failure: quiesce
  last:
    virtual_services: [tcp://192.0.2.2:85]
    real_servers: [10.0.0.9]
on_stop: keep
";

/// The same pools in two files, one of which has nothing behind them.
fn parted() -> [(&'static str, String); 2] {
    let (before, pools) = SITE.split_once("pools:\n").expect("pools");
    let (here, there) = pools.split_once("  quoted:\n").expect("a pool");
    let there = there.strip_suffix("on_stop: keep\n").expect("the end");
    [
        (FILE, format!("include: [more.yaml]\n{before}pools:\n{here}on_stop: keep\n")),
        ("more.yaml", format!("pools:\n  quoted:\n{there}")),
    ]
}

fn files(texts: &[(&str, String)]) -> Memory {
    let file = |(path, text): &(&str, String)| (PathBuf::from(path), text.as_bytes().to_vec());
    Memory(texts.iter().map(file).collect::<BTreeMap<_, _>>())
}

fn whole(files: &Memory) -> Loaded {
    policy::load(Path::new(FILE), files, View::First)
}

/// Reads files again; whether less than all of them had to be read.
#[track_caller]
fn reads_as_whole(known: &mut Known, files: &Memory) -> bool {
    let again = known.again(Path::new(FILE), files, View::First);
    let part = again.is_some();
    let found = match again {
        Some(again) => known.take(again),
        None => known.load(Path::new(FILE), files, View::First),
    };
    let whole = whole(files);
    let same = (&found.policy, &found.diagnostics) == (&whole.policy, &whole.diagnostics);
    assert!(
        same,
        "in part: {part}, {:?}, of {:?}",
        whole.diagnostics,
        files.0.values().map(|text| String::from_utf8_lossy(text)).collect::<Vec<_>>()
    );
    let texts = |loaded: &Loaded| -> Vec<(PathBuf, String)> {
        let files = loaded.sources.files().iter();
        files.map(|file| (file.path.clone(), file.text.to_string())).collect()
    };
    assert_eq!(texts(&found), texts(&whole));
    part
}

#[track_caller]
fn known(texts: &[(&str, String)]) -> Known {
    let mut known = Known::default();
    let files = files(texts);
    let loaded = known.load(Path::new(FILE), &files, View::First);
    assert!(loaded.policy.is_some() && loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    assert!(reads_as_whole(&mut known, &files), "nothing was changed");
    known
}

/// Whether the site is read in part after each of these edits.
#[track_caller]
fn edited(edits: &[(&str, &str)]) -> bool {
    let mut text = SITE.to_owned();
    for (from, to) in edits {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    let mut known = known(&[(FILE, SITE.to_owned())]);
    let part = reads_as_whole(&mut known, &Memory::of(text.as_bytes()));
    // And back.
    reads_as_whole(&mut known, &Memory::of(SITE.as_bytes()));
    part
}

#[test]
fn what_changes_a_few_pools_is_read_alone() {
    let edits: [&[(&str, &str)]; 16] = [
        &[("weight: 1}", "weight: 10}")],
        &[("weight: 1}", "weight: 2}"), ("- address: 10.0.0.8", "- address: 10.0.0.18")],
        &[("      - 10.0.0.2:8080\n", "")],
        &[("      - 10.0.0.2:8080\n", "      - 10.0.0.2:8080\n      - 10.0.0.20:8080\n")],
        &[(
            "  quoted:\n",
            "  new:\n    virtual_services: [tcp://192.0.2.2:90]\n    real_servers: [10.0.0.9]\n  quoted:\n",
        )],
        &[(
            "on_stop:",
            "  new: {virtual_services: [tcp://192.0.2.2:90], real_servers: [10.0.0.9]}\non_stop:",
        )],
        &[("  last:\n    virtual_services: [tcp://192.0.2.2:85]\n    real_servers: [10.0.0.9]\n", "")],
        &[("  web:\n    v", "  renamed:\n    v")],
        &[("  joined:", "  another:")],
        &[("tcp://192.0.2.1:81, ", "")],
        &[("check: page}", "check: {tcp: {}, port: 9}}")],
        &[("    check:\n      http:\n        path: /x\n", "")],
        &[("    check: {from: page, port: 8053}\n", ""), ("check: page}", "check: none}")],
        &[("    persistence: {timeout: 5m}\n", "")],
        &[("        web: {}\n", "        \"web: [\n")],
        &[("  # The first one.\n  web:\n", "  # The first one.\n  web: # of them\n")],
    ];
    for edit in edits {
        assert!(edited(edit), "{edit:?}");
    }
}

#[test]
fn what_could_mean_more_is_read_whole() {
    let edits: [&[(&str, &str)]; 27] = [
        // Problems, which are told in their places.
        &[("weight: 1}", "weight: one}")],
        &[("weight: 1}", "weight: 1")],
        &[("'it''s: {one}'", "'it's: {one}'")],
        &[("\"a # b\"}", "\"a # b}")],
        &[("tcp://192.0.2.2:84", "tcp://192.0.2.1:80")],
        &[("tcp://192.0.2.2:84", "tcp://192.0.2.1:82")],
        &[("  last:\n", "  web:\n")],
        &[("check: page}", "check: nobody}")],
        &[("set: farm", "set: nobody")],
        &[("    scheduler: rr\n", "    scheduler: rr\n    scheduler: wrr\n")],
        &[("    scheduler: rr\n", "\tscheduler: rr\n")],
        &[("    scheduler: rr\n", "    \tscheduler: rr\n")],
        &[("    scheduler: rr\n", "    scheduler: rr\r\n")],
        &[("    scheduler: rr\n", "    scheduler: rr\u{2028}\n")],
        // Other sections.
        &[("interval: 2s", "interval: 3s")],
        &[("on_stop: keep", "on_stop: remove")],
        &[("on_stop: keep", "  on_stop: keep")],
        &[("pools:\n", "pools: \n")],
        &[("policy_version", "# A comment.\npolicy_version")],
        &[("farm: [", "farm: [10.0.0.30, ")],
        // What reaches beyond a pool.
        &[("    scheduler: rr\n", "    scheduler: &s rr\n")],
        &[("    scheduler: rr\n", "    scheduler: *s\n")],
        &[("    scheduler: rr\n", "    scheduler: !s rr\n")],
        &[("    scheduler: rr\n", "---\n    scheduler: rr\n")],
        &[("    scheduler: rr\n", "...\n    scheduler: rr\n")],
        &[("  last:\n", " last:\n")],
        &[("  last:\n", "  \"last\":\n")],
    ];
    for edit in edits {
        assert!(!edited(edit), "{edit:?}");
    }
}

#[test]
fn a_file_that_is_written_otherwise_is_read_whole() {
    let pool = "{virtual_services: [tcp://192.0.2.1:80], real_servers: [10.0.0.1]}";
    let before = "policy_version: 1\nvirtual_addresses: [{address: 192.0.2.1/32, interface: lo}]\n\
                  defaults: {pool: {forwarding: nat, check: none}}\n";
    for text in [
        format!("{before}pools: {{web: {pool}}}\n"),
        format!("{before}pools:\n  {{\n  web:\n    {pool}\n  }}\n"),
        format!("{before}pools:\n  \"web\": {pool}\n"),
        format!("{before}pools:\n  ? web\n  : {pool}\n"),
        format!("{before}pools:\n  web: &pool {pool}\n"),
        format!("{before}pools:\n  web:\n    <<: {pool}\n"),
        format!("{before}pools:\r\n  web:\r\n    {pool}\r\n"),
        format!("{before}pools:\n  web: {pool}\n...\n"),
    ] {
        let mut known = known(&[(FILE, text.clone())]);
        assert!(
            !reads_as_whole(&mut known, &Memory::of(text.replace("10.0.0.1", "10.0.0.2").as_bytes())),
            "{text}"
        );
    }
}

#[test]
fn pools_may_stand_in_several_files() {
    let [main, more] = parted();
    let mut known = known(&[main.clone(), more.clone()]);
    let edit = |from: &str, to: &str| {
        assert!(more.1.contains(from), "{from}");
        [main.clone(), ("more.yaml", more.1.replace(from, to))]
    };
    assert!(reads_as_whole(&mut known, &files(&edit("[10.0.0.9]", "[10.0.0.10]"))));
    assert!(reads_as_whole(&mut known, &files(&edit("[10.0.0.9]\n", "[10.0.0.10]"))));
    assert!(!reads_as_whole(&mut known, &files(&edit("  last:", "  web:"))), "it is in the other file");
    assert!(!reads_as_whole(&mut known, &files(&edit("192.0.2.2:85", "192.0.2.1:80"))), "as is this");
    assert!(!reads_as_whole(&mut known, &files(std::slice::from_ref(&main))), "a file is missing");
    assert!(reads_as_whole(&mut known, &files(&[main.clone(), more.clone()])));
    let other = [(FILE, main.1.replace("more.yaml", "other.yaml")), ("other.yaml", more.1.clone())];
    assert!(!reads_as_whole(&mut known, &files(&other)));
}

#[test]
fn pools_that_look_at_each_other_are_read_together() {
    let tracks = "    check: {track: {pool: web, server: \"10.0.0.1:8080\"}}\n";
    let text = SITE.replace("  last:\n", &format!("  last:\n{tracks}"));
    let mut known = known(&[(FILE, text.clone())]);
    let text = text.replace("weight: 1}", "weight: 1, check: page}");
    assert!(reads_as_whole(&mut known, &Memory::of(text.as_bytes())));
    let text = text.replace("address: 10.0.0.1:8080", "address: 10.0.0.11:8080");
    assert!(!reads_as_whole(&mut known, &Memory::of(text.as_bytes())), "the tracked server is gone");
}

#[test]
fn shipped_and_good_policies_are_known_after_the_first_reading() {
    for text in SEEDS {
        let mut known = Known::default();
        let files = Memory::of(text.as_bytes());
        let loaded = known.load(Path::new(FILE), &files, View::First);
        assert!(reads_as_whole(&mut known, &files) || !loaded.diagnostics.is_empty());
    }
}

const SEEDS: [&str; 9] = [
    SITE,
    include_str!("../../conf/pair.yaml"),
    include_str!("../../conf/tandem.yaml"),
    include_str!("../../conf/full-nat.yaml"),
    include_str!("good/everything.yaml"),
    include_str!("good/anchors.yaml"),
    include_str!("good/exchanges.yaml"),
    include_str!("good/real-path.yaml"),
    include_str!("good/pair.yaml"),
];

/// What edits put in.
const PIECES: [&str; 40] = [
    "0",
    "1",
    "9",
    "\n",
    "\n  ",
    "\n    ",
    " ",
    "  ",
    ":",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "\"",
    "'",
    "#",
    " # ",
    "|",
    "|+\n",
    ">-",
    "&a ",
    "*a",
    "<<: ",
    "!x ",
    "? ",
    "---\n",
    "...\n",
    "\t",
    "\r\n",
    "~",
    "web",
    "last:",
    "\n  web:\n",
    "weight: 2",
    "check: page",
    "10.0.0.77",
    "  new: {virtual_services: [tcp://192.0.2.1:99], real_servers: [10.0.0.1]}\n",
];

/// An edit: of which kind, where, how much, what.
type Change = (usize, prop::sample::Index, usize, &'static str);

fn change() -> impl Strategy<Value = Change> {
    (0_usize..7, any::<prop::sample::Index>(), 0_usize..12, prop::sample::select(&PIECES[..]))
}

fn changed(text: &str, (kind, at, length, piece): Change) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let line = at.index(lines.len().max(1));
    let until = (line + length + 1).min(lines.len());
    let place =
        text.char_indices().map(|(place, _)| place).nth(at.index(text.chars().count().max(1))).unwrap_or(0);
    match kind {
        // Letters: put in, or taken out.
        0 => return format!("{}{piece}{}", &text[..place], &text[place..]),
        1 => {
            let rest: String = text[place..].chars().skip(length).collect();
            return format!("{}{rest}", &text[..place]);
        }
        // A digit becomes another one.
        2 => {
            let digit = |(place, letter): (usize, char)| letter.is_ascii_digit().then_some(place);
            let digits: Vec<usize> = text.char_indices().filter_map(digit).collect();
            let Some(place) = (!digits.is_empty()).then(|| digits[at.index(digits.len())]) else {
                return text.to_owned();
            };
            return format!("{}{}{}", &text[..place], length % 10, &text[place + 1..]);
        }
        // Lines: taken out, said twice, indented, moved.
        3 => drop(lines.splice(line..until, [])),
        4 => {
            let again: Vec<&str> = lines[line..until].to_vec();
            lines.splice(until..until, again);
        }
        5 => {
            lines.insert(line, "  ");
        }
        _ => {
            let moved: Vec<&str> = lines.splice(line..until, []).collect();
            let to = length.min(lines.len());
            lines.splice(to..to, moved);
        }
    }
    lines.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_of_a_site_read_as_its_whole(edits in prop::collection::vec(prop::collection::vec(change(), 1..4), 1..5)) {
        let mut known = known(&[(FILE, SITE.to_owned())]);
        let mut text = SITE.to_owned();
        for edit in edits {
            let before = text.clone();
            for change in edit {
                text = changed(&text, change);
            }
            reads_as_whole(&mut known, &Memory::of(text.as_bytes()));
            // A bad one is mended.
            if whole(&Memory::of(text.as_bytes())).policy.is_none() {
                text = before;
            }
        }
    }

    #[test]
    fn edits_of_any_policy_read_as_its_whole(
        seed in prop::sample::select(&SEEDS[..]),
        edits in prop::collection::vec(change(), 1..4),
    ) {
        let mut known = Known::default();
        known.load(Path::new(FILE), &Memory::of(seed.as_bytes()), View::First);
        let mut text = seed.to_owned();
        for change in edits {
            text = changed(&text, change);
            reads_as_whole(&mut known, &Memory::of(text.as_bytes()));
        }
    }

    #[test]
    fn what_stands_between_two_pools_never_reaches_into_them(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12)) {
        let mut known = known(&[(FILE, SITE.to_owned())]);
        let text = SITE.replace("  long:\n", &format!("{}\n  long:\n", pieces.concat()));
        reads_as_whole(&mut known, &Memory::of(text.as_bytes()));
        let text = SITE.replace("      more: >-\n", &format!("      more: {}\n", pieces.concat()));
        reads_as_whole(&mut known, &Memory::of(text.as_bytes()));
    }
}
