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

/// The kernel's `jhash` (`linux/jhash.h`): lookup3 of Bob Jenkins, over whole blocks in the machine's byte order. What
/// nftables chooses by it can be known here.
pub(crate) fn jhash(bytes: &[u8], seed: u32) -> u32 {
    const BLOCK: usize = 12;
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut state = [0xdead_beef_u32.wrapping_add(length).wrapping_add(seed); 3];
    // What is left is mixed otherwise, and a whole block may be left.
    let whole = bytes.len().saturating_sub(1) / BLOCK * BLOCK;
    let (blocks, left) = bytes.split_at(whole);
    for block in blocks.chunks_exact(BLOCK) {
        for (word, bytes) in state.iter_mut().zip(block.as_chunks().0) {
            *word = word.wrapping_add(u32::from_ne_bytes(*bytes));
        }
        jhash_rounds(&mut state, [(2, 4), (0, 6), (1, 8), (2, 16), (0, 19), (1, 4)]);
    }
    if left.is_empty() {
        return state[2];
    }
    for (word, bytes) in state.iter_mut().zip(left.chunks(4)) {
        let mut padded = [0; 4];
        padded[..bytes.len()].copy_from_slice(bytes);
        *word = word.wrapping_add(u32::from_le_bytes(padded));
    }
    jhash_final(&mut state);
    state[2]
}

/// `__jhash_mix`: each step by the word that it rotates, and how far.
fn jhash_rounds(state: &mut [u32; 3], steps: [(usize, u32); 6]) {
    for (by, distance) in steps {
        let (mixed, added) = ((by + 1) % 3, (by + 2) % 3);
        state[mixed] = state[mixed].wrapping_sub(state[by]) ^ state[by].rotate_left(distance);
        state[by] = state[by].wrapping_add(state[added]);
    }
}

/// `__jhash_final`.
fn jhash_final(state: &mut [u32; 3]) {
    for (by, distance) in [(1, 14), (2, 11), (0, 25), (1, 16), (2, 4), (0, 14), (1, 24)] {
        let mixed = (by + 1) % 3;
        state[mixed] = (state[mixed] ^ state[by]).wrapping_sub(state[by].rotate_left(distance));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_values() {
        assert_eq!(super::fnv1a([]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(super::fnv1a(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(super::fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
    }

    /// Those of lookup3.c (`driver5`), for a machine that begins with the lowest byte.
    #[cfg(target_endian = "little")]
    #[test]
    fn the_published_values_of_lookup3() {
        assert_eq!(super::jhash(b"", 0), 0xdead_beef);
        assert_eq!(super::jhash(b"Four score and seven years ago", 0), 0x1777_0551);
        assert_eq!(super::jhash(b"Four score and seven years ago", 1), 0xcd62_8161);
    }
}
