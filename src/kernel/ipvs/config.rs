//! Settings and facts of IPVS as a whole: timeouts (`IPVS_CMD_*_CONFIG`) and the table's size (`IPVS_CMD_GET_INFO`). Pure.

use super::constants::*;
use crate::kernel::netlink::{Attribute, Attributes, Message};
use crate::model::Timeouts;

/// What IPVS says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpvsInfo {
    /// Major, minor and patch: 1.2.1 since 2004.
    pub version: (u8, u8, u8),
    /// Rows of the connection hash table (`ip_vs.conn_tab_bits`); a hint of how many connections it serves well.
    pub connection_table_size: u32,
}

/// Appends the timeouts that are given. The kernel begins with those it has (`ip_vs_genl_set_config`), so the others stay.
pub(super) fn put_timeouts(message: &mut Message, timeouts: &Timeouts) {
    let parts = [
        (IPVS_CMD_ATTR_TIMEOUT_TCP, timeouts.tcp_s),
        (IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, timeouts.tcp_fin_s),
        (IPVS_CMD_ATTR_TIMEOUT_UDP, timeouts.udp_s),
    ];
    for (kind, seconds) in parts {
        if let Some(seconds) = seconds {
            message.put_u32(kind, seconds);
        }
    }
}

/// Reads the answer to `IPVS_CMD_GET_CONFIG`; a kernel without TCP or UDP support leaves those parts out.
pub(in crate::kernel) fn read_timeouts(message: Attributes<'_>) -> Timeouts {
    let seconds = |kind| message.find(kind).and_then(Attribute::u32);
    Timeouts {
        tcp_s: seconds(IPVS_CMD_ATTR_TIMEOUT_TCP),
        tcp_fin_s: seconds(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN),
        udp_s: seconds(IPVS_CMD_ATTR_TIMEOUT_UDP),
    }
}

/// Reads the answer to `IPVS_CMD_GET_INFO`.
pub(in crate::kernel) fn read_info(message: Attributes<'_>) -> Option<IpvsInfo> {
    let [_, major, minor, patch] = message.find(IPVS_INFO_ATTR_VERSION)?.u32()?.to_be_bytes();
    Some(IpvsInfo {
        version: (major, minor, patch),
        connection_table_size: message.find(IPVS_INFO_ATTR_CONN_TAB_SIZE)?.u32()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attributes_of;

    #[test]
    fn only_the_timeouts_that_are_given_are_sent() {
        let timeouts = Timeouts { tcp_s: Some(900), tcp_fin_s: None, udp_s: Some(300) };
        let mut message = Message::new(0, 0);
        put_timeouts(&mut message, &timeouts);
        let bytes = attributes_of(&message, 0);
        assert_eq!(bytes.len(), 16);
        assert_eq!(read_timeouts(Attributes(&bytes)), timeouts);
    }

    #[test]
    fn the_version_is_three_bytes() {
        let mut message = Message::new(0, 0);
        message.put_u32(IPVS_INFO_ATTR_VERSION, 0x01_02_01);
        message.put_u32(IPVS_INFO_ATTR_CONN_TAB_SIZE, 4096);
        let info = read_info(Attributes(&attributes_of(&message, 0)));
        assert_eq!(info, Some(IpvsInfo { version: (1, 2, 1), connection_table_size: 4096 }));
    }
}
