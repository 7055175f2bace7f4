//! What the bench is asked to measure.

use crate::site::{KINDS, Kind};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) servers: Vec<usize>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) repetitions: usize,
    /// Probes a second.
    pub(crate) rate: usize,
    /// How long is measured, at least.
    pub(crate) time: Duration,
}

impl Arguments {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            servers: vec![1_000, 10_000],
            kinds: KINDS.into(),
            repetitions: 3,
            rate: 200,
            time: Duration::from_secs(30),
        };
        while let Some(word) = words.next() {
            // What `cargo bench` says to every bench.
            if word == "--bench" {
                continue;
            }
            let value = words.next().ok_or(format!("{word} needs a value"))?;
            let number =
                |value: &str| value.parse::<usize>().map_err(|error| format!("{word} {value}: {error}"));
            match word.as_str() {
                "--servers" => arguments.servers = value.split(',').map(number).collect::<Result<_, _>>()?,
                "--kind" => arguments.kinds = value.split(',').map(kind).collect::<Result<_, _>>()?,
                "--repetitions" => arguments.repetitions = number(&value)?,
                "--rate" => arguments.rate = number(&value)?.max(1),
                "--seconds" => arguments.time = Duration::from_secs(number(&value)? as u64),
                _ => return Err(format!("`{word}` is not known: see the head of tests/bench/checks.rs")),
            }
        }
        Ok(arguments)
    }

    /// From one probe of a server to its next.
    pub(crate) fn interval(&self, servers: usize) -> Duration {
        Duration::from_secs(servers.div_ceil(self.rate) as u64)
    }

    /// Whole intervals, so that each server is probed equally often.
    pub(crate) fn window(&self, servers: usize) -> Duration {
        let interval = self.interval(servers);
        let intervals = self.time.as_secs_f64() / interval.as_secs_f64();
        interval.mul_f64(intervals.ceil().max(1.0))
    }
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::of_name(name).ok_or(format!("--kind: `{name}` is not known"))
}
