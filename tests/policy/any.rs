//! Any text at all: loading a policy ends, does not panic, says where every problem is, and what it accepts it can write.

use crate::Memory;
use proptest::prelude::*;
use std::path::Path;
use tandem::policy::{self, Colour, View};

/// Loads, shows every problem, and loads again what was accepted.
fn survives(bytes: &[u8]) {
    let loaded = policy::load_for_all(Path::new("policy.yaml"), &Memory::of(bytes), View::First);
    for diagnostic in &loaded.diagnostics {
        let text = policy::render(diagnostic, &loaded.sources, Colour::Plain);
        assert!(text.contains("policy.yaml:"), "no place: {text}");
        assert!(
            !text.chars().any(|character| character.is_control() && character != '\n'),
            "control characters: {text:?}"
        );
    }
    let Some(policy) = loaded.policy else {
        assert!(!loaded.diagnostics.is_empty(), "refused without a word");
        return;
    };
    let written = policy::resolved(&policy, Path::new(""));
    let own = policy.pair.own.clone();
    let view = own.as_deref().map_or(View::First, View::Director);
    let again = policy::load(Path::new("policy.yaml"), &Memory::of(written.as_bytes()), view);
    assert_eq!(again.policy, Some(policy), "{written}\n{:?}", again.diagnostics);
}

const SEEDS: [&str; 13] = [
    include_str!("../../conf/pair.yaml"),
    include_str!("good/pair.yaml"),
    include_str!("bad/pair-routers.yaml"),
    include_str!("../../conf/tandem.yaml"),
    include_str!("../../conf/dr.yaml"),
    include_str!("../../conf/full-nat.yaml"),
    include_str!("good/everything.yaml"),
    include_str!("good/anchors.yaml"),
    include_str!("good/exchanges.yaml"),
    include_str!("bad/exchanges.yaml"),
    include_str!("good/ipv6.yaml"),
    include_str!("bad/tunnels.yaml"),
    include_str!("bad/unquoted-ipv6-flow.yaml"),
];

/// Pieces that policies and YAML are made of, and some that they should not be.
const PIECES: [&str; 60] = [
    "{hex: 0d}",
    "{regex: a}",
    "{regex: \"(\"}",
    "dialogue",
    ":",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "\n",
    "\n  ",
    "\n    ",
    "\"",
    "'",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!",
    "|",
    ">",
    "~",
    "null",
    "true",
    "none",
    "0",
    "-1",
    "65536",
    "99999999999999999999",
    "2s",
    "500ms",
    "1.5s",
    "tcp",
    "tcp://192.168.101.100:80",
    "[2001:db8::1]:80",
    "2001:db8::1",
    "::",
    "fwmark://7",
    "dr",
    "full-nat",
    "mh",
    "check",
    "real_servers",
    "pools",
    "directors",
    "virtual_routers",
    "lb-a",
    "priority",
    "router",
    "v2_password",
    "255",
    "{file: x}",
    "\t",
    "\u{0}",
    "\u{feff}",
    "é",
    "\u{1b}[31m",
];

/// A seed with pieces put in, ranges cut out and ranges repeated.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (0_usize..3, any::<prop::sample::Index>(), 0_usize..40, prop::sample::select(&PIECES[..]));
    (prop::sample::select(&SEEDS[..]), prop::collection::vec(change, 1..6)).prop_map(|(seed, changes)| {
        let mut bytes = seed.as_bytes().to_vec();
        for (kind, at, length, piece) in changes {
            let start = at.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            match kind {
                0 => drop(bytes.splice(start..end, [])),
                1 => drop(bytes.splice(start..start, piece.bytes())),
                _ => {
                    let part = bytes[start..end].to_vec();
                    drop(bytes.splice(end..end, part));
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_policies_survive(bytes in mutated()) {
        survives(&bytes);
    }

    #[test]
    fn pieces_survive(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        survives(format!("policy_version: 1\n{}", pieces.concat()).as_bytes());
    }

    #[test]
    fn bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&bytes);
    }
}
