//! Lines of text protocols, as bytes.

/// The first line of `heard` without its end, and how many bytes it takes with it. A line ends with a line feed, before which
/// a carriage return may stand.
pub(super) fn first(heard: &[u8]) -> Option<(&[u8], usize)> {
    let end = heard.iter().position(|byte| *byte == b'\n')?;
    let line = heard.get(..end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_a_line_feed() {
        assert_eq!(first(b"+PONG\r\nmore"), Some((&b"+PONG"[..], 7)));
        assert_eq!(first(b"bare\n"), Some((&b"bare"[..], 5)));
        assert_eq!(first(b"\r\n"), Some((&b""[..], 2)));
        assert_eq!(first(b"half\r"), None);
    }
}
