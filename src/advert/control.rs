//! The control message that pins the source of a packet, as bytes: built on the stack, for each packet. Pure.
//!
//! Source: `struct cmsghdr` (`linux/socket.h`), `struct in_pktinfo` (`linux/in.h`), `struct in6_pktinfo` (`linux/ipv6.h`).

use std::net::IpAddr;

/// `struct cmsghdr`: length (a machine word), level, type.
const HEADER_BYTES: usize = size_of::<usize>() + 8;
/// Index, source, and an address that only the receiver reads.
const IPV4_INFO_BYTES: usize = 12;
/// Source, index.
const IPV6_INFO_BYTES: usize = 20;
/// The longer of the two, to the machine word above.
const CONTROL_BYTES: usize = HEADER_BYTES + IPV6_INFO_BYTES.next_multiple_of(size_of::<usize>());

/// One control message.
#[derive(Clone, Copy, Debug)]
pub(super) struct PinnedSource {
    bytes: [u8; CONTROL_BYTES],
    length: usize,
}

impl PinnedSource {
    /// This source; the interface (index 0) is the socket's or the route's affair.
    pub(super) fn new(source: IpAddr) -> Self {
        let mut control = Self { bytes: [0; CONTROL_BYTES], length: 0 };
        match source {
            IpAddr::V4(address) => {
                control.header(libc::IPPROTO_IP, libc::IP_PKTINFO, IPV4_INFO_BYTES);
                control.put(HEADER_BYTES + 4, &address.octets());
            }
            IpAddr::V6(address) => {
                control.header(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, IPV6_INFO_BYTES);
                control.put(HEADER_BYTES, &address.octets());
            }
        }
        control
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn header(&mut self, level: i32, kind: i32, info_bytes: usize) {
        self.put(0, &(HEADER_BYTES + info_bytes).to_ne_bytes());
        self.put(size_of::<usize>(), &level.to_ne_bytes());
        self.put(size_of::<usize>() + 4, &kind.to_ne_bytes());
        self.length = HEADER_BYTES + info_bytes.next_multiple_of(size_of::<usize>());
    }

    fn put(&mut self, at: usize, value: &[u8]) {
        self.bytes[at..at + value.len()].copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn the_message_is_as_long_as_it_says_and_holds_the_source() {
        let ipv4 = PinnedSource::new(IpAddr::from([192, 0, 2, 1]));
        assert_eq!(
            (ipv4.bytes().len(), usize::from_ne_bytes(ipv4.bytes()[..8].try_into().expect("8"))),
            (32, 28)
        );
        assert_eq!(ipv4.bytes()[20..24], [192, 0, 2, 1]);
        let ipv6 = PinnedSource::new("fe80::7".parse().expect("an address"));
        assert_eq!(
            (ipv6.bytes().len(), usize::from_ne_bytes(ipv6.bytes()[..8].try_into().expect("8"))),
            (40, 36)
        );
        assert_eq!((ipv6.bytes()[16], ipv6.bytes()[31], ipv6.bytes()[32]), (0xfe, 7, 0));
    }
}
