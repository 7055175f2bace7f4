//! The virtual MAC address of a virtual router (RFC 9568, section 7.3) and the link-local address made from it.
//!
//! Whether a director uses them is the policy's choice (`virtual_mac`); this only computes them.

use crate::model::Family;
use std::net::Ipv6Addr;
use std::num::NonZeroU8;

/// `00-00-5E-00-01-{VRID}` for IPv4, `00-00-5E-00-02-{VRID}` for IPv6.
#[must_use]
pub const fn virtual_mac(vrid: NonZeroU8, family: Family) -> [u8; 6] {
    let block = match family {
        Family::Ipv4 => 1,
        Family::Ipv6 => 2,
    };
    [0x00, 0x00, 0x5e, 0x00, block, vrid.get()]
}

/// The link-local address of IPv6's virtual MAC by modified EUI-64 (RFC 4291, appendix A; RFC 9568, section 7.4):
/// `fe80::200:5eff:fe00:2XX`.
#[must_use]
pub fn virtual_link_local(vrid: NonZeroU8) -> Ipv6Addr {
    let [a, b, c, d, e, f] = virtual_mac(vrid, Family::Ipv6);
    // The universal/local bit is inverted, and ff-fe stands in the middle.
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 0x02, b, c, 0xff, 0xfe, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_virtual_mac_names_family_and_vrid() {
        let vrid = NonZeroU8::new(0x33).expect("a VRID");
        assert_eq!(virtual_mac(vrid, Family::Ipv4), [0x00, 0x00, 0x5e, 0x00, 0x01, 0x33]);
        assert_eq!(virtual_mac(vrid, Family::Ipv6), [0x00, 0x00, 0x5e, 0x00, 0x02, 0x33]);
    }

    #[test]
    fn the_link_local_address_is_the_modified_eui_64_of_the_virtual_mac() {
        // FRR's vrrpd with VRID 5 sends from the first; the kernel makes it of the macvlan's address.
        assert_eq!(
            virtual_link_local(NonZeroU8::new(5).expect("a VRID")).to_string(),
            "fe80::200:5eff:fe00:205"
        );
        assert_eq!(virtual_link_local(NonZeroU8::MAX).to_string(), "fe80::200:5eff:fe00:2ff");
    }
}
