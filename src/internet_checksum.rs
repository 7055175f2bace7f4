//! The Internet checksum (RFC 1071), for the packets that this program writes and reads itself. Pure.

/// Over the parts as if they were one message: every part but the last has an even number of bytes. Over a message that
/// carries its checksum it is 0.
pub(crate) fn checksum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u16 {
    let word =
        |pair: &[u8]| u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]));
    let mut sum: u64 = parts.into_iter().flat_map(|part| part.chunks(2)).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// What stands before a message for its checksum: addresses, length and protocol. Of IPv4 (RFC 793, section 3.1) and of IPv6
/// (RFC 8200, section 8.1) alike: they differ in the width of their fields only, which the sum does not see.
pub(crate) fn pseudo_header(source: &[u8], destination: &[u8], protocol: u8, length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [source, destination, &length, &[0, 0, 0, protocol]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_checksum() {
        // RFC 1071, section 3: the sum of these is 0xddf2.
        let message = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum([&message[..]]), !0xddf2);
        let (head, tail) = message.split_at(2);
        assert_eq!(checksum([head, tail]), !0xddf2, "parts are one message");
    }
}
