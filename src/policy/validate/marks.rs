//! Firewall marks of joined ports.
//!
//! A mark is a function of the pool's name, so that it stays when other pools come and go: connections of a joined service
//! live on over a reload. Two names with the same hash are told apart by the order of their names; only those two can
//! ever change marks, when one of them comes or goes.

use crate::model::PoolName;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Marks that `join_ports` takes: the first byte is an ASCII "t". A policy may not use these itself.
pub(super) const RANGE: RangeInclusive<u32> = 0x7400_0000..=0x74ff_ffff;

/// The mark of each pool that joins its ports.
pub(super) fn assign<'a>(pools: impl Iterator<Item = &'a PoolName>) -> BTreeMap<PoolName, u32> {
    let marks = assign_in(&RANGE, pools.map(|name| &**name).collect());
    marks.into_iter().map(|(name, mark)| (name.into(), mark)).collect()
}

/// A mark for each name, of a range of 2^24 that begins with 24 zeroes.
pub(super) fn assign_in<'a>(range: &RangeInclusive<u32>, names: BTreeSet<&'a str>) -> BTreeMap<&'a str, u32> {
    let mut taken = BTreeSet::new();
    let mut marks = BTreeMap::new();
    for name in names {
        let mut mark = range.start() | (fnv1a(name) & 0x00ff_ffff);
        while !taken.insert(mark) {
            mark = if mark == *range.end() { *range.start() } else { mark + 1 };
        }
        marks.insert(name, mark);
    }
    marks
}

/// FNV-1a, 32 bits, folded to 24 as its authors recommend. Not the standard library's hasher: that may change with a release.
fn fnv1a(name: &str) -> u32 {
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash >> 24) ^ hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stays_when_other_pools_come() {
        let names = ["web", "mail", "dns"].map(PoolName::from);
        let alone = assign(names[..1].iter());
        let together = assign(names.iter());
        assert_eq!(alone["web"], together["web"]);
        assert!(together.values().all(|mark| RANGE.contains(mark)));
    }

    #[test]
    fn marks_are_part_of_the_interface() {
        let web = PoolName::from("web");
        assert_eq!(
            assign(std::iter::once(&web))["web"],
            0x74d9_bc9e,
            "a changed hash would cut every joined connection"
        );
    }
}
