//! A small hash that stays the same over versions, machines and restarts, which the standard library's does not promise.

use std::hash::{BuildHasherDefault, Hasher};

/// FNV-1a, 64 bits (draft-eastlake-fnv). It tells texts apart; it keeps no secret and withstands no attacker.
pub(crate) fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, fold)
}

const fn fold(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
}

/// The same for maps: the policy's own words need no hasher that withstands an attacker, and one that is drawn at random
/// would make two runs differ.
pub(crate) type Fixed = BuildHasherDefault<Fnv>;

/// Takes a key in, byte by byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(fnv1a([]))
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| fold(hash, *byte));
    }

    /// Mixed, since a map takes some of the bits alone.
    fn finish(&self) -> u64 {
        mix(self.0)
    }
}

/// The finalizer of splitmix64: neighbours (10.0.0.1, 10.0.0.2) end far apart.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_values() {
        assert_eq!(super::fnv1a([]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(super::fnv1a(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(super::fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
    }
}
