//! Bytes as hexadecimal digits.

/// The bytes of pairs of digits; `None` where something else is there, or half a byte.
pub(super) fn decode(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    match digits?.as_chunks::<2>() {
        (pairs, []) => pairs.iter().map(|[high, low]| u8::try_from(high << 4 | low).ok()).collect(),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn pairs_of_digits_are_bytes_and_nothing_else_is() {
        assert_eq!(decode("0D0aff"), Some(vec![0x0d, 0x0a, 0xff]));
        assert_eq!(decode(""), Some(Vec::new()));
        for text in ["0", "0d0", "0g", "0d 0a", "\u{ff10}0"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
