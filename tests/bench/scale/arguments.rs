//! What the bench is asked to measure.

use crate::site::{Kind, Site};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) site: Site,
    /// How long is measured.
    pub(crate) time: Duration,
}

impl Arguments {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let site = Site { servers: 50_000, pools: 100, interval: Duration::from_secs(5), kind: Kind::Tcp };
        let mut arguments = Self { site, time: Duration::from_secs(30) };
        while let Some(word) = words.next() {
            // What `cargo bench` says to every bench.
            if word == "--bench" {
                continue;
            }
            let value = words.next().ok_or(format!("{word} needs a value"))?;
            let number = || value.parse::<u32>().map_err(|error| format!("{word} {value}: {error}"));
            let site = &mut arguments.site;
            match word.as_str() {
                "--servers" => site.servers = number()? as usize,
                "--pools" => site.pools = number()?.max(1) as usize,
                "--interval" => site.interval = Duration::from_secs(number()?.into()),
                "--seconds" => arguments.time = Duration::from_secs(number()?.into()),
                "--kind" => {
                    site.kind = Kind::of_name(&value).ok_or(format!("{word}: `{value}` is not known"))?;
                }
                _ => return Err(format!("`{word}` is not known: see the head of tests/bench/scale.rs")),
            }
        }
        Ok(arguments)
    }
}
