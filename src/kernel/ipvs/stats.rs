//! Counters of services and destinations (`IPVS_STATS_ATTR_*`). Pure.

use super::constants::*;
use crate::kernel::netlink::{Attribute, Attributes};
use crate::model::Counters;

/// Reads the nest `STATS64` (Linux 4.1: five 64-bit counters) or `STATS` (three of them 32 bits wide).
pub(super) fn read_counters(stats: Attributes<'_>) -> Counters {
    let stats = stats.by_kind::<STATS_KINDS>();
    let counter = |kind| stats.find(kind).and_then(read_counter).unwrap_or_default();
    Counters {
        connections: counter(IPVS_STATS_ATTR_CONNS),
        incoming_packets: counter(IPVS_STATS_ATTR_INPKTS),
        outgoing_packets: counter(IPVS_STATS_ATTR_OUTPKTS),
        incoming_bytes: counter(IPVS_STATS_ATTR_INBYTES),
        outgoing_bytes: counter(IPVS_STATS_ATTR_OUTBYTES),
    }
}

/// As wide as the kernel sent it.
fn read_counter(attribute: Attribute<'_>) -> Option<u64> {
    attribute.u64().or_else(|| attribute.u32().map(u64::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::{Message, attributes_of};

    #[test]
    fn counters_of_both_widths_are_read() {
        let mut message = Message::new(0, 0);
        message.put_u32(IPVS_STATS_ATTR_CONNS, 7);
        message.put(IPVS_STATS_ATTR_INBYTES, &u64::MAX.to_ne_bytes());
        let counters = read_counters(Attributes(&attributes_of(&message, 0)));
        let expected = Counters { connections: 7, incoming_bytes: u64::MAX, ..Counters::default() };
        assert_eq!(counters, expected);
    }
}
