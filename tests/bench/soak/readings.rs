//! What the directors hold, read now and then: memory, descriptors, threads. And whether it stays.

use crate::stage::{NAMES, OTHER, PREFERRED};
use crate::usage;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

/// Memory may differ by so much from the middle third of the time to the last (its median), and by so many KiB whatever the part.
/// In the first third of an hour histories fill, which reach back a quarter of one.
const MEMORY_PERCENT: u64 = 5;
const MEMORY_KIB: u64 = 1_024;
/// Descriptors come and go with probes: those of a burst are no leak.
const DESCRIPTORS: u64 = 32;

/// What a process held at one moment.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident_kib: u64,
    descriptors: u64,
    threads: u64,
}

impl Held {
    fn read(pid: u32) -> Self {
        let count =
            |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, |list| list.count() as u64);
        Self { resident_kib: usage::memory(pid).resident, descriptors: count("fd"), threads: count("task") }
    }
}

/// All of both directors.
pub(crate) struct Readings {
    pids: [u32; 2],
    at: Vec<Duration>,
    taken: [Vec<Held>; 2],
}

impl Readings {
    pub(crate) const fn new(pids: [u32; 2]) -> Self {
        Self { pids, at: Vec::new(), taken: [Vec::new(), Vec::new()] }
    }

    pub(crate) fn take(&mut self, elapsed: Duration) {
        self.at.push(elapsed);
        for director in [PREFERRED, OTHER] {
            self.taken[director].push(Held::read(self.pids[director]));
        }
        if elapsed.as_secs() % 60 < 10 {
            let words = |director: usize| {
                let held = self.taken[director].last().expect("it was just taken");
                let mebibytes = held.resident_kib as f64 / 1024.0;
                format!(
                    "{} {mebibytes:.1} MiB, {} descriptors, {} threads",
                    NAMES[director], held.descriptors, held.threads
                )
            };
            println!("  {:>5} s: {}; {}", elapsed.as_secs(), words(PREFERRED), words(OTHER));
        }
    }

    /// Everything that was read, for a plot: a line a moment.
    pub(crate) fn table(&self) -> String {
        let mut text = "seconds director resident_kib descriptors threads\n".to_owned();
        for (at, moment) in self.at.iter().enumerate() {
            for director in [PREFERRED, OTHER] {
                let Held { resident_kib, descriptors, threads } = self.taken[director][at];
                let _ = writeln!(
                    text,
                    "{} {} {resident_kib} {descriptors} {threads}",
                    moment.as_secs(),
                    NAMES[director]
                );
            }
        }
        text
    }

    /// Whether the last third is as the one before.
    pub(crate) fn are_flat(&self) -> bool {
        [PREFERRED, OTHER].map(|director| self.is_flat(director)) == [true; 2]
    }

    fn is_flat(&self, director: usize) -> bool {
        let taken = &self.taken[director];
        let third = (taken.len() / 3).max(1);
        let last = &taken[taken.len() - third..];
        let middle = taken[..taken.len() - third].rchunks(third).next().unwrap_or(last);
        let [memory, descriptors, threads] =
            [|held: &Held| held.resident_kib, |held: &Held| held.descriptors, |held: &Held| held.threads]
                .map(|of| (median(middle, of), median(last, of)));
        let kept = memory.1 <= memory.0 + (memory.0 * MEMORY_PERCENT / 100).max(MEMORY_KIB)
            && descriptors.1 <= descriptors.0 + DESCRIPTORS
            && threads.1 <= threads.0;
        println!(
            "  {} {}: from the middle third to the last {} to {} KiB, {} to {} descriptors, {} to {} threads",
            if kept { "kept:  " } else { "BROKEN:" },
            NAMES[director],
            memory.0,
            memory.1,
            descriptors.0,
            descriptors.1,
            threads.0,
            threads.1
        );
        kept
    }
}

fn median(held: &[Held], of: fn(&Held) -> u64) -> u64 {
    let mut values: Vec<u64> = held.iter().map(of).collect();
    values.sort_unstable();
    values[values.len() / 2]
}
