//! What the kernel counts of connection tracking, in the network namespace of this process.
//!
//! Sources: `net/netfilter/nf_conntrack_standalone.c` (`nf_conntrack_count`, `nf_conntrack_max`, and `ct_cpu_seq_show`: a line a
//! processor, in hexadecimal, below one of names).

use crate::model::TrackingCounts;
use std::fs;

const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const LIMIT: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
const STATISTICS: &str = "/proc/net/stat/nf_conntrack";

/// The counts; those that this kernel does not have, or does not show, are missing.
#[must_use]
pub fn tracking_counts() -> TrackingCounts {
    let number = |path| fs::read_to_string(path).ok()?.trim().parse().ok();
    let statistics = fs::read_to_string(STATISTICS).ok();
    TrackingCounts {
        entries: number(COUNT),
        limit: number(LIMIT),
        insert_failed: statistics.and_then(|text| sum_of(&text, "insert_failed")),
        ..TrackingCounts::default()
    }
}

/// The sum of a column over the processors.
pub(super) fn sum_of(text: &str, column: &str) -> Option<u64> {
    let mut lines = text.lines();
    let place = lines.next()?.split_whitespace().position(|name| name == column)?;
    let value = |line: &str| u64::from_str_radix(line.split_whitespace().nth(place)?, 16).ok();
    lines.map(value).try_fold(0_u64, |sum, value| Some(sum.saturating_add(value?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_summed_over_the_processors() {
        let text = "entries  found insert insert_failed drop\n0000 01 02 0a 00\n0000 01 02 10 00\n";
        assert_eq!(sum_of(text, "insert_failed"), Some(26));
        assert_eq!(sum_of(text, "found"), Some(2));
        assert_eq!(sum_of(text, "early_drop"), None, "an older kernel");
        assert_eq!(sum_of("insert_failed\nxyz\n", "insert_failed"), None);
        assert_eq!(sum_of("", "insert_failed"), None);
    }
}
