//! A seeded world of two or three directors that run the production station, with everything that can go wrong between them.
//!
//! `cargo test --test simulation` runs some hundred seeds. `SEEDS=100000 cargo test --release --test simulation -- --nocapture`
//! runs many, on all cores, and prints what was hit. `SEED=7 cargo test --test simulation -- --nocapture` tells the story of
//! one; a seed that breaks an invariant tells it by itself. `FIRST=n` begins at another seed.
//!
//! `SEED=7` prints the world as a script, too: in `tests/scenarios` it is kept whatever becomes of the drawing
//! ([`scenarios`]).

#![allow(unreachable_pub, reason = "the modules of a test have no other reader")]
#![expect(clippy::print_stdout, reason = "the counts and transcripts are what it is for")]

mod acts;
mod draw;
mod faults;
mod host;
mod judge;
mod keeper;
mod network;
mod policy;
mod random;
mod scenarios;
mod script;
mod tally;
mod world;

use random::Random;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tally::Tally;
use world::World;

/// Seeds of an ordinary test run.
const USUAL: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|value| value.parse().unwrap_or_else(|_| panic!("{name}: no number: {value}")))
}

fn run(seed: u64, verbose: bool) -> (Tally, Result<(), String>, Vec<String>) {
    let drawn = draw::draw(seed);
    let jitter = seed ^ 0xabcd_ef01;
    let mut world = World::new(&drawn, Random::new(jitter), verbose);
    if verbose {
        println!("{}", script::write(&drawn, Some(jitter)));
    }
    let result = world.run();
    (world.tally, result, world.transcript)
}

#[test]
fn every_invariant_holds_in_every_world() {
    if let Some(seed) = number("SEED") {
        let (tally, result, transcript) = run(seed, true);
        println!("{}\n{}", transcript.join("\n"), tally.lines());
        result.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        return;
    }
    let (first, count) = (number("FIRST").unwrap_or(0), number("SEEDS").unwrap_or(USUAL));
    let next = AtomicU64::new(first);
    let total = Mutex::new((Tally::default(), Vec::new()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let (mut tally, mut broken) = (Tally::default(), Vec::new());
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let (one, result, _) = run(seed, false);
                    tally.add(&one);
                    if let Err(sentence) = result {
                        println!("SEED={seed}: {sentence}");
                        broken.push((seed, sentence));
                    }
                }
                let mut total = total.lock().expect("no panic");
                total.0.add(&tally);
                total.1.extend(broken);
            });
        }
    });
    let (tally, mut broken) = total.into_inner().expect("no panic");
    println!("{count} worlds, {} simulated seconds, {} events", tally.simulated_s, tally.events);
    println!("{}", tally.lines());
    broken.sort();
    if let Some((seed, _)) = broken.first() {
        println!("{}", run(*seed, true).2.join("\n"));
    }
    assert!(broken.is_empty(), "{} of {count} worlds broke an invariant", broken.len());
    let seldom = tally.too_seldom(count);
    assert!(seldom.is_empty(), "too seldom in {count} worlds:\n{}", seldom.join("\n"));
}
