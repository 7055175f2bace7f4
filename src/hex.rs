//! Bytes as hexadecimal digits.

use std::fmt::Write as _;

/// Two small digits for each byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut digits, byte| {
        // A string takes everything.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// The bytes of pairs of digits; `None` where something else is there, or half a byte.
pub(crate) fn decode(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    match digits?.as_chunks::<2>() {
        (pairs, []) => pairs.iter().map(|[high, low]| u8::try_from(high << 4 | low).ok()).collect(),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn pairs_of_digits_are_bytes_and_nothing_else_is() {
        assert_eq!(decode("0D0aff"), Some(vec![0x0d, 0x0a, 0xff]));
        assert_eq!(decode(""), Some(Vec::new()));
        assert_eq!(encode(&[0x0d, 0x0a, 0xff]), "0d0aff");
        for text in ["0", "0d0", "0g", "0d 0a", "\u{ff10}0"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
