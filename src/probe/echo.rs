//! An ICMP echo request and what may come back for it, as bytes. It decides and does nothing: `ping` sends and receives.
//!
//! Source: RFC 792 (echo, destination unreachable, time exceeded); RFC 4443 for ICMPv6; `include/uapi/linux/icmp.h` and
//! `icmpv6.h`. The data is a function of a seed, so that no other program's reply, and no late one of ours, is taken for it.

use crate::hash::mix;
use crate::internet_checksum::checksum;
use std::net::IpAddr;

/// Bytes of an echo message before its data.
pub(super) const HEADER_BYTES: usize = 8;
/// Longest IPv4 header, which a raw socket delivers too.
pub(super) const LONGEST_IP_HEADER_BYTES: usize = 60;

const ECHO_REPLY_V4: u8 = 0;
const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;

/// One echo request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Echo {
    is_ipv4: bool,
    identifier: u16,
    sequence: u16,
    data: Vec<u8>,
}

/// What a message is to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its reply, byte for byte.
    Reply,
    /// Its reply by identifier and sequence number, with other data.
    Altered,
    /// Somebody else's, or a late one.
    Foreign,
}

impl Echo {
    /// A request with `size` bytes of data that come from `seed`.
    pub(super) fn new(is_ipv4: bool, identifier: u16, sequence: u16, seed: u64, size: usize) -> Self {
        let words = (0_u64..).flat_map(|place| mix(seed ^ mix(place)).to_be_bytes());
        Self { is_ipv4, identifier, sequence, data: words.take(size).collect() }
    }

    /// The request as it is sent. Over IPv6 the kernel fills in the checksum, which needs the source address.
    pub(super) fn request(&self) -> Vec<u8> {
        let kind = if self.is_ipv4 { ECHO_REQUEST_V4 } else { ECHO_REQUEST_V6 };
        let mut message = vec![kind, 0, 0, 0];
        message.extend(self.identifier.to_be_bytes());
        message.extend(self.sequence.to_be_bytes());
        message.extend(&self.data);
        if self.is_ipv4 {
            let sum = checksum([&*message]);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        message
    }

    /// What `message`, an ICMP message without its IP header, is to this request.
    pub(super) fn judge(&self, message: &[u8]) -> Answer {
        let reply = if self.is_ipv4 { ECHO_REPLY_V4 } else { ECHO_REPLY_V6 };
        match message.split_at_checked(HEADER_BYTES) {
            Some((header, data)) if self.is_header(header, reply) => {
                if data == self.data {
                    Answer::Reply
                } else {
                    Answer::Altered
                }
            }
            Some(_) | None => Answer::Foreign,
        }
    }

    /// Whether `quoted`, the beginning of what an ICMP error complains of, is this request.
    pub(super) fn is_quoted(&self, quoted: &[u8]) -> bool {
        let request = if self.is_ipv4 { ECHO_REQUEST_V4 } else { ECHO_REQUEST_V6 };
        quoted.get(..HEADER_BYTES).is_some_and(|header| self.is_header(header, request))
    }

    fn is_header(&self, header: &[u8], kind: u8) -> bool {
        let [identifier_1, identifier_2] = self.identifier.to_be_bytes();
        let [sequence_1, sequence_2] = self.sequence.to_be_bytes();
        matches!(header, [found, 0, _, _, a, b, c, d]
            if [*found, *a, *b, *c, *d] == [kind, identifier_1, identifier_2, sequence_1, sequence_2])
    }
}

/// What a raw IPv4 socket delivered, without the IP header; nothing of what is none.
pub(super) fn without_ip_header(packet: &[u8]) -> &[u8] {
    let words = packet.first().map_or(0, |first| usize::from(first & 0x0f));
    packet.get(words * 4..).unwrap_or_default()
}

/// An ICMP error in words, and who sent it.
pub(super) fn error_words(
    is_ipv4: bool,
    kind: u8,
    code: u8,
    information: u32,
    from: Option<IpAddr>,
) -> String {
    let what = match (is_ipv4, kind, code) {
        (true, 3, 0) | (false, 1, 0) => "no route to the network".to_owned(),
        (true, 3, 1) | (false, 1, 3) => "host unreachable".to_owned(),
        (true, 3, 2) => "protocol unreachable".to_owned(),
        (true, 3, 3) | (false, 1, 4) => "port unreachable".to_owned(),
        (true, 3, 4) | (false, 2, _) => format!("packet too big, the next link takes {information} bytes"),
        (true, 3, 6) => "network unknown".to_owned(),
        (true, 3, 7) => "host unknown".to_owned(),
        (true, 3, 9 | 10 | 13) | (false, 1, 1) => "administratively prohibited".to_owned(),
        (false, 1, 2) => "beyond the scope of the source address".to_owned(),
        (false, 1, 5) => "the source address failed a policy".to_owned(),
        (false, 1, 6) => "a route rejects it".to_owned(),
        (true, 11, 0) | (false, 3, 0) => "the hop limit was exceeded: a routing loop?".to_owned(),
        (true, 11, 1) | (false, 3, 1) => "a fragment was lost".to_owned(),
        (true, 12, _) | (false, 4, _) => "a router did not understand the packet".to_owned(),
        (_, kind, code) => format!("ICMP type {kind}, code {code}"),
    };
    match from.filter(|from| !from.is_unspecified()) {
        Some(from) => format!("{what}, says {from}"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(is_ipv4: bool) -> Echo {
        Echo::new(is_ipv4, 0x1234, 7, 99, 20)
    }

    fn reply(echo: &Echo) -> Vec<u8> {
        let mut message = echo.request();
        message[0] = if echo.is_ipv4 { ECHO_REPLY_V4 } else { ECHO_REPLY_V6 };
        message
    }

    #[test]
    fn a_request_has_type_identifier_sequence_and_a_checksum_that_makes_the_sum_zero() {
        let message = echo(true).request();
        assert_eq!(message.len(), 28);
        assert_eq!((message[0], message[1], &message[4..8]), (8, 0, &[0x12, 0x34, 0, 7][..]));
        assert_eq!(checksum([&*message]), 0);
        let odd = Echo::new(true, 1, 2, 3, 9).request();
        assert_eq!(checksum([&*odd]), 0, "an odd number of bytes is padded");
        assert_eq!(echo(false).request()[..4], [128, 0, 0, 0]);
    }

    #[test]
    fn only_its_own_reply_is_the_reply() {
        for echo in [echo(true), echo(false)] {
            let good = reply(&echo);
            assert_eq!(echo.judge(&good), Answer::Reply);
            assert_eq!(echo.judge(&echo.request()), Answer::Foreign, "loopback hears its own request");
            for place in [1, 4, 5, 6, 7] {
                let mut other = good.clone();
                other[place] ^= 1;
                assert_eq!(echo.judge(&other), Answer::Foreign, "byte {place}");
            }
            for length in 0..HEADER_BYTES {
                assert_eq!(echo.judge(&good[..length]), Answer::Foreign);
            }
        }
    }

    #[test]
    fn a_reply_with_other_data_is_told_from_a_foreign_one() {
        let echo = echo(true);
        let mut altered = reply(&echo);
        altered[20] ^= 1;
        assert_eq!(echo.judge(&altered), Answer::Altered);
        let good = reply(&echo);
        assert_eq!(echo.judge(&good[..good.len() - 1]), Answer::Altered, "a byte is missing");
    }

    #[test]
    fn another_seed_is_other_data() {
        assert_ne!(Echo::new(true, 1, 1, 1, 8), Echo::new(true, 1, 1, 2, 8));
        assert_eq!(Echo::new(true, 1, 1, 1, 8), Echo::new(true, 1, 1, 1, 8));
    }

    #[test]
    fn an_error_counts_when_it_quotes_the_request() {
        let echo = echo(true);
        assert!(echo.is_quoted(&echo.request()));
        assert!(!echo.is_quoted(&reply(&echo)));
        assert!(!echo.is_quoted(&Echo::new(true, 0x1234, 8, 99, 20).request()));
        assert!(!echo.is_quoted(&[]));
    }

    #[test]
    fn errors_are_named_with_who_sent_them() {
        let router = "192.0.2.1".parse().ok();
        assert_eq!(error_words(true, 3, 1, 0, router), "host unreachable, says 192.0.2.1");
        assert_eq!(error_words(false, 1, 3, 0, None), "host unreachable");
        assert_eq!(error_words(true, 3, 4, 1400, None), "packet too big, the next link takes 1400 bytes");
        assert_eq!(error_words(true, 42, 9, 0, "0.0.0.0".parse().ok()), "ICMP type 42, code 9");
    }

    #[test]
    fn an_ip_header_of_any_length_is_taken_off() {
        let mut packet = vec![0x46];
        packet.resize(24, 0);
        packet.extend([1, 2, 3]);
        assert_eq!(without_ip_header(&packet), [1, 2, 3]);
        assert!(without_ip_header(&[0x4f, 0]).is_empty());
        assert!(without_ip_header(&[]).is_empty());
    }
}
