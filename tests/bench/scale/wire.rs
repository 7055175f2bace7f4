//! How late probes start, as their first packets show it: each server is asked at the same place within every interval, so
//! what comes later than the earliest of them, less whole intervals, is late by the difference.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Bytes before the first packet of a capture file, and before each packet's own bytes (pcap-savefile(5)).
const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// Ethernet, as the loopback device has it too.
const LINK_HEADER: usize = 14;
/// Where IPv4 has the destination, and (with no options) TCP its source port.
const DESTINATION: usize = LINK_HEADER + 16;
const SOURCE_PORT: usize = LINK_HEADER + 20;

/// One first packet: when (microseconds), from which port, to which server.
struct Packet {
    at: u64,
    port: u16,
    server: u32,
}

/// The lateness of every probe of servers that were asked at least twice, ascending.
pub(crate) fn lateness(file: &Path, interval: Duration) -> Vec<Duration> {
    let bytes = fs::read(file).expect("the capture");
    let interval = u64::try_from(interval.as_micros()).expect("a short interval");
    let mut servers: BTreeMap<u32, Vec<Packet>> = BTreeMap::new();
    for packet in Packets(&bytes[FILE_HEADER..]) {
        let asked = servers.entry(packet.server).or_default();
        // The same port again is the same packet, sent once more.
        if asked.last().is_none_or(|last| last.port != packet.port) {
            asked.push(packet);
        }
    }
    let mut late: Vec<Duration> = servers
        .values()
        .filter(|asked| asked.len() > 1)
        .flat_map(|asked| late_ones(asked, interval))
        .collect();
    late.sort_unstable();
    late
}

fn late_ones(asked: &[Packet], interval: u64) -> Vec<Duration> {
    let first = asked[0].at;
    // Against the first one, from half an interval early to half an interval late.
    let against = |packet: &Packet| {
        let half = interval / 2;
        let place = (packet.at - first + half) % interval;
        i64::try_from(place).unwrap_or_default() - i64::try_from(half).unwrap_or_default()
    };
    let places: Vec<i64> = asked.iter().map(against).collect();
    let earliest = places.iter().copied().min().unwrap_or_default();
    places.iter().map(|place| Duration::from_micros(place.abs_diff(earliest))).collect()
}

struct Packets<'a>(&'a [u8]);

impl Iterator for Packets<'_> {
    type Item = Packet;

    fn next(&mut self) -> Option<Packet> {
        let (header, rest) = self.0.split_at_checked(PACKET_HEADER)?;
        let word = |place: usize| header.get(place..place + 4)?.try_into().ok().map(u32::from_le_bytes);
        let length = usize::try_from(word(8)?).ok()?;
        let (packet, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        let server = packet.get(DESTINATION..DESTINATION + 4)?.try_into().ok().map(u32::from_be_bytes)?;
        let port = packet.get(SOURCE_PORT..SOURCE_PORT + 2)?.try_into().ok().map(u16::from_be_bytes)?;
        Some(Packet { at: u64::from(word(0)?) * 1_000_000 + u64::from(word(4)?), port, server })
    }
}
