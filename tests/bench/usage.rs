//! What a program costs: the processor time and the memory of all its processes, as the kernel counts them (proc(5)).

use std::fs;
use std::ops::Sub;
use std::time::Duration;

/// The unit of times in `/proc/PID/stat`: `USER_HZ`, 100 a second on every machine that the lab runs on.
const TICK: Duration = Duration::from_millis(10);
/// Words of `/proc/PID/stat` behind the name of the program: `utime`, `stime`, and those of children that have ended.
const TIMES: std::ops::Range<usize> = 11..15;

/// Processor time since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

/// Memory now, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    /// Pages that several processes share are counted in parts.
    pub(crate) proportional: u64,
}

impl Time {
    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

impl Sub for Time {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// Of a process and all below it.
pub(crate) fn time(pid: u32) -> Time {
    let times = family(pid).into_iter().filter_map(time_of);
    times
        .fold(Time::default(), |sum, one| Time { user: sum.user + one.user, system: sum.system + one.system })
}

/// Of a process and all below it.
pub(crate) fn memory(pid: u32) -> Memory {
    let mut sum = Memory::default();
    for pid in family(pid) {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default()
        };
        sum.resident += value("Rss:");
        sum.proportional += value("Pss:");
    }
    sum
}

fn family(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = list.split_whitespace().filter_map(|word| word.parse().ok());
    std::iter::once(pid).chain(children.flat_map(family)).collect()
}

fn time_of(pid: u32) -> Option<Time> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let words: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: Vec<u32> = words.get(TIMES)?.iter().filter_map(|word| word.parse().ok()).collect();
    let [user, system, children_user, children_system] = ticks[..] else { return None };
    Some(Time { user: TICK * (user + children_user), system: TICK * (system + children_system) })
}
