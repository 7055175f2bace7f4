//! A small generator (splitmix64): the same seed draws the same world on every machine.

/// Where a world's randomness comes from.
#[derive(Clone, Debug)]
pub struct Random(Option<u64>);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Some(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d))
    }

    /// None at all: everything is as quick as it can be, and nothing happens that does not always. Such a world depends on
    /// nobody's order of draws.
    pub fn even() -> Self {
        Self(None)
    }

    fn next(&mut self) -> u64 {
        let Some(state) = &mut self.0 else { return 0 };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = *state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// 0..limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// least..=most.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// Whether a thing happens that does so many times in a thousand.
    pub fn chance(&mut self, permille: u64) -> bool {
        let drawn = self.below(1_000);
        if self.0.is_some() { drawn < permille } else { permille >= 1_000 }
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).expect("an index")]
    }

    pub fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).expect("an index")
    }
}
