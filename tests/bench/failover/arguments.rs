//! What the bench is asked to measure.

use crate::cycle::{CYCLES, Cycle};
use crate::stage::program::Program;
use crate::stage::setting::{Checksum, Setting};
use std::fmt;
use std::time::Duration;

const REPETITIONS: usize = 20;
const SECONDS: u64 = 60;

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) repetitions: usize,
    pub(crate) programs: Vec<Program>,
    pub(crate) settings: Vec<NamedSetting>,
    pub(crate) cycles: Vec<Cycle>,
    /// Whether the run with busy cores is made, and for how long.
    pub(crate) steady: bool,
    pub(crate) time: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedSetting {
    V3At100Ms,
    V3At10Ms,
    V2,
    /// keepalived: version 2, 1 s. Tandem: version 3, 100 ms.
    Default,
}

const SETTINGS: [NamedSetting; 4] =
    [NamedSetting::V3At100Ms, NamedSetting::V3At10Ms, NamedSetting::V2, NamedSetting::Default];

impl NamedSetting {
    fn name(self) -> &'static str {
        match self {
            Self::V3At100Ms => "v3-100ms",
            Self::V3At10Ms => "v3-10ms",
            Self::V2 => "v2-1s",
            Self::Default => "default",
        }
    }

    /// What it means for a program. A pair of the bench has no stranger on its stage: Tandem's checksum is its default.
    pub(crate) fn of(self, program: Program) -> Setting {
        let v3 = Setting { checksum: Checksum::Rfc9568, ..Setting::V3 };
        match (self, program) {
            (Self::V3At100Ms, _) => v3,
            (Self::V3At10Ms, _) => Setting { interval: Duration::from_millis(10), ..v3 },
            (Self::V2, _) => Setting::V2,
            (Self::Default, Program::Tandem) => Setting { is_default: true, ..v3 },
            (Self::Default, Program::Keepalived | Program::Frr) => {
                Setting { is_default: true, ..Setting::V2 }
            }
        }
    }
}

impl fmt::Display for NamedSetting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Arguments {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            repetitions: REPETITIONS,
            programs: vec![Program::Keepalived, Program::Tandem],
            settings: Vec::new(),
            cycles: Vec::new(),
            steady: false,
            time: Duration::from_secs(SECONDS),
        };
        while let Some(word) = words.next() {
            // What `cargo bench` says to every bench.
            if word == "--bench" {
                continue;
            }
            let value = words.next().ok_or(format!("{word} needs a value"))?;
            arguments.take(&word, &value)?;
        }
        // All, unless some are named.
        if arguments.cycles.is_empty() && !arguments.steady {
            arguments.cycles = CYCLES.into();
            arguments.steady = arguments.settings.is_empty();
        }
        if arguments.settings.is_empty() {
            arguments.settings = SETTINGS.into();
        }
        Ok(arguments)
    }

    fn take(&mut self, word: &str, value: &str) -> Result<(), String> {
        let number = |value: &str| value.parse::<u64>().map_err(|error| format!("{word} {value}: {error}"));
        match (word, value) {
            ("--repetitions", _) => {
                self.repetitions = usize::try_from(number(value)?.max(1)).unwrap_or(usize::MAX);
            }
            ("--seconds", _) => self.time = Duration::from_secs(number(value)?),
            ("--only", "tandem") => self.programs = vec![Program::Tandem],
            ("--only", "keepalived") => self.programs = vec![Program::Keepalived],
            ("--cycle", "steady") => self.steady = true,
            ("--cycle", _) => {
                self.cycles.push(named(word, value, CYCLES.into_iter().map(|cycle| (cycle.name(), cycle)))?);
            }
            ("--setting", _) => {
                let settings = SETTINGS.into_iter().map(|setting| (setting.name(), setting));
                self.settings.push(named(word, value, settings)?);
            }
            _ => {
                return Err(format!(
                    "`{word} {value}` is not known: see the head of tests/bench/failover.rs"
                ));
            }
        }
        Ok(())
    }
}

fn named<T>(word: &str, value: &str, mut all: impl Iterator<Item = (&'static str, T)>) -> Result<T, String> {
    all.find(|(name, _)| *name == value)
        .map(|(_, found)| found)
        .ok_or_else(|| format!("{word}: `{value}` is not known"))
}
