//! A fuzzer's bytes as choices: read from the front, and 0 once they are used up, so that every input means something.

/// What is left of an input.
#[derive(Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// The next bytes, padded with zeros at the end.
    pub fn array<const LENGTH: usize>(&mut self) -> [u8; LENGTH] {
        let taken = self.slice(LENGTH);
        let mut array = [0; LENGTH];
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// The next bytes, so many or as many as there are.
    pub fn slice(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Bytes behind a byte that says how many there are.
    pub fn counted(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte());
        self.slice(length)
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    /// One of these, of which there are 1 to 256.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()]
    }

    pub fn bool(&mut self) -> bool {
        self.byte() & 1 == 1
    }
}
