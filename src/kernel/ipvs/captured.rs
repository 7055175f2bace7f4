//! Bytes that `ipvsadm` and a kernel really exchanged, captured with strace (ipvsadm 1.31, Linux 6.1, x86-64), generic
//! header included. They keep our numbers and layouts honest where a round trip through our own code could not.

use super::attributes_of;
use super::destination::{DestinationEntry, read_destination};
use super::service::{ServiceEntry, read_service};
use crate::model::{
    Counters, Destination, DestinationCounts, DestinationKey, Encapsulation, Family, ForwardingMethod,
    Persistence, Protocol, SchedulerName, ServiceConfig, ServiceFlags, ServiceKey, Thresholds,
    TunnelChecksum,
};

/// The kernel lists `-A -t 192.168.101.100:80 -s sh -b sh-port -p 300 -M 255.255.255.0`.
const LISTED_SERVICE: &str = "010100002c0101000600010002000000060002000600000014000300c0a8656400000000000000000000000006000400\
         0050000007000600736800000c00070013000000ffffffff080008002c01000008000900ffffff005c000a0008000100\
         00000000080002000000000008000300000000000c00040000000000000000000c000500000000000000000008000600\
         0000000008000700000000000800080000000000080009000000000008000a00000000007c000c000c00010000000000\
         000000000c00020000000000000000000c00030000000000000000000c00040000000000000000000c00050000000000\
         000000000c00060000000000000000000c00070000000000000000000c00080000000000000000000c00090000000000\
         000000000c000a000000000000000000";

/// The kernel lists `-A -f 7 -6 -s wlc`.
const LISTED_MARK: &str = "0101000010010100060001000a000000080005000700000008000600776c63000c00070002000000ffffffff08000800\
         0000000008000900800000005c000a000800010000000000080002000000000008000300000000000c00040000000000\
         000000000c00050000000000000000000800060000000000080007000000000008000800000000000800090000000000\
         08000a00000000007c000c000c00010000000000000000000c00020000000000000000000c0003000000000000000000\
         0c00040000000000000000000c00050000000000000000000c00060000000000000000000c0007000000000000000000\
         0c00080000000000000000000c00090000000000000000000c000a000000000000000000";

/// The kernel lists `-a -t 192.168.101.100:80 -r 192.168.101.110:8080 -m -w 0`.
const LISTED_DESTINATION: &str = "050100005001020014000100c0a8656e000000000000000000000000060002001f900000080003000000000008000400\
         0000000005000d000000000006000e000000000006000f00000000000800050000000000080006000000000008000700\
         000000000800080000000000080009000000000006000b00020000005c000a0008000100000000000800020000000000\
         08000300000000000c00040000000000000000000c000500000000000000000008000600000000000800070000000000\
         0800080000000000080009000000000008000a00000000007c000c000c00010000000000000000000c00020000000000\
         000000000c00030000000000000000000c00040000000000000000000c00050000000000000000000c00060000000000\
         000000000c00070000000000000000000c00080000000000000000000c00090000000000000000000c000a0000000000\
         00000000";

/// The kernel lists `-a -f 7 -6 -r [fd00:192:168:101::110]:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum`.
const LISTED_TUNNEL: &str = "050100005001020014000100fd0001920168010100000000000001100600020000000000080003000200000008000400\
         0100000005000d000100000006000e0017c0000006000f00010000000800050000000000080006000000000008000700\
         000000000800080000000000080009000000000006000b000a0000005c000a0008000100000000000800020000000000\
         08000300000000000c00040000000000000000000c000500000000000000000008000600000000000800070000000000\
         0800080000000000080009000000000008000a00000000007c000c000c00010000000000000000000c00020000000000\
         000000000c00030000000000000000000c00040000000000000000000c00050000000000000000000c00060000000000\
         000000000c00070000000000000000000c00080000000000000000000c00090000000000000000000c000a0000000000\
         00000000";

/// ipvsadm sends `-A -t 192.168.101.100:80 -s sh -b sh-port -p 300 -M 255.255.255.0`.
const SENT_SERVICE: &str = "01010000540001800600010002000000060002000600000014000300c0a8656400000000000000000000000006000400\
         0050000007000600736800000c00070011000000ffffffff080008002c01000008000900ffffff00";

/// ipvsadm sends `-a -t 192.168.101.100:80 -r 192.168.101.110:8080 -m -w 7 -x 20 -y 10`.
const SENT_DESTINATION: &str = "05010000540001800600010002000000060002000600000014000300c0a8656400000000000000000000000006000400\
         0050000005000600000000000c00070000000000ffffffff080008000000000008000900ffffffff6000028006000b00\
         0200000014000100c0a8656e000000000000000000000000060002001f90000008000300000000000800040007000000\
         05000d000000000006000e000000000006000f00000000000800050014000000080006000a000000";

/// ipvsadm sends `-A -f 7 -6 -s wlc`.
const SENT_MARK: &str = "0101000038000180060001000a000000080005000700000008000600776c63000c00070000000000ffffffff08000800\
         000000000800090080000000";

/// ipvsadm sends `-a -f 7 -6 -r [fd00:192:168:101::110]:0 -i --tun-type gue --tun-port 6080 --tun-csum`.
const SENT_TUNNEL: &str = "0501000038000180060001000a000000080005000700000005000600000000000c00070000000000ffffffff08000800\
         0000000008000900800000006000028006000b000a00000014000100fd00019201680101000000000000011006000200\
         000000000800030002000000080004000100000005000d000100000006000e0017c0000006000f000100000008000500\
         000000000800060000000000";

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hexadecimal.chars().filter_map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn sh_service() -> ServiceEntry {
    ServiceEntry {
        key: ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: "192.168.101.100".parse().expect("an address"),
            port: 80,
        },
        config: ServiceConfig {
            scheduler: SchedulerName("sh".to_owned()),
            flags: ServiceFlags { scheduler_2: true, ..ServiceFlags::default() },
            persistence: Some(Persistence { timeout_s: 300, prefix: 24 }),
            persistence_engine: None,
        },
        counters: Counters::default(),
    }
}

fn marked_service() -> ServiceEntry {
    ServiceEntry {
        key: ServiceKey::FirewallMark { family: Family::Ipv6, mark: 7 },
        config: ServiceConfig {
            scheduler: SchedulerName("wlc".to_owned()),
            flags: ServiceFlags::default(),
            persistence: None,
            persistence_engine: None,
        },
        counters: Counters::default(),
    }
}

fn masquerading(weight: u32, upper: u32, lower: u32) -> DestinationEntry {
    DestinationEntry {
        key: DestinationKey { address: "192.168.101.110".parse().expect("an address"), port: 8080 },
        destination: Destination {
            method: ForwardingMethod::Masquerade,
            weight,
            thresholds: Thresholds { upper, lower },
        },
        counts: DestinationCounts::default(),
    }
}

fn tunnelling() -> DestinationEntry {
    let gue = Encapsulation::Gue { port: 6080, checksum: TunnelChecksum::Full };
    DestinationEntry {
        key: DestinationKey { address: "fd00:192:168:101::110".parse().expect("an address"), port: 0 },
        destination: Destination {
            method: ForwardingMethod::Tunnel(gue),
            weight: 1,
            thresholds: Thresholds::default(),
        },
        counts: DestinationCounts::default(),
    }
}

#[test]
fn services_read_as_what_was_typed() {
    for (captured, expected) in [
        (LISTED_SERVICE, sh_service()),
        (SENT_SERVICE, sh_service()),
        (LISTED_MARK, marked_service()),
        (SENT_MARK, marked_service()),
    ] {
        assert_eq!(read_service(attributes_of(&bytes(captured))), Some(expected));
    }
}

#[test]
fn destinations_read_as_what_was_typed() {
    for (captured, expected) in [
        (LISTED_DESTINATION, masquerading(0, 0, 0)),
        (SENT_DESTINATION, masquerading(7, 20, 10)),
        (LISTED_TUNNEL, tunnelling()),
        (SENT_TUNNEL, tunnelling()),
    ] {
        assert_eq!(read_destination(attributes_of(&bytes(captured)), Family::Ipv4), Some(expected));
    }
}

/// A message cut short anywhere is declined or read without its tail; nothing breaks.
#[test]
fn every_cut_of_a_captured_message_is_survived() {
    for captured in [LISTED_SERVICE, LISTED_MARK, LISTED_DESTINATION, LISTED_TUNNEL] {
        let whole = bytes(captured);
        for length in 0..whole.len() {
            let cut = attributes_of(&whole[..length]);
            assert_eq!(read_service(cut), None);
            assert_eq!(read_destination(cut, Family::Ipv4), None);
        }
    }
}
