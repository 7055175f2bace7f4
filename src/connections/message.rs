//! Connections as datagrams of the kernel's synchronisation protocol, version 1. Pure.
//!
//! Source: `struct ip_vs_sync_mesg`, `ip_vs_sync_v4` and `ip_vs_sync_v6` of `net/netfilter/ipvs/ip_vs_sync.c`, all numbers in
//! network order; the flags are the `IP_VS_CONN_F_*` of `linux/ip_vs.h`. Records have no options: sequence numbers that a
//! helper has shifted, and engine data, are not to be read from user space ([`Omission`]). Without options a record's
//! length is a multiple of 4, so there is no padding.

use super::entry::{Entry, Kind, LONGEST_TIMER_S};
use super::services::Binding;
use crate::model::{ForwardingMethod, Protocol};
use std::net::{IpAddr, SocketAddr};

/// `SYNC_PROTO_VER`.
const VERSION: u8 = 1;
/// `STYPE_F_INET6`.
const TYPE_IPV6: u8 = 1;
/// `sizeof(struct ip_vs_sync_mesg)`.
const HEADER_BYTES: usize = 8;
/// `sizeof(struct ip_vs_sync_v4)`, `sizeof(struct ip_vs_sync_v6)`.
const RECORD_BYTES_IPV4: u16 = 36;
const RECORD_BYTES_IPV6: u16 = 72;
/// The header counts its records in one byte.
const RECORDS_MAX: u8 = u8::MAX;
/// IPv4 and UDP headers in front of a message.
const OUTER_BYTES: usize = 28;
/// The kernel's backup daemon reads messages that fit into 1,500 bytes, and into its interface's MTU where that is more;
/// a longer one is dropped whole.
const PACKET_BYTES_MAX: usize = 1_500;
/// Below this an interface carries no IPv4 (RFC 791).
const PACKET_BYTES_MIN: usize = 68;

/// The helper of FTP shifts the sequence numbers of the control connection, under NAT only.
const FTP_PORT: u16 = 21;

const IP_VS_CONN_F_MASQ: u32 = 0;
const IP_VS_CONN_F_LOCALNODE: u32 = 1;
const IP_VS_CONN_F_TUNNEL: u32 = 2;
const IP_VS_CONN_F_DROUTE: u32 = 3;
const IP_VS_CONN_F_BYPASS: u32 = 4;
const IP_VS_CONN_F_NOOUTPUT: u32 = 0x0080;
const IP_VS_CONN_F_INACTIVE: u32 = 0x0100;
const IP_VS_CONN_F_NO_CPORT: u32 = 0x0800;
const IP_VS_CONN_F_TEMPLATE: u32 = 0x1000;

/// Why an entry that lives is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omission {
    /// A persistence engine's data (SIP): without it the record would be another client's.
    EngineData,
    /// A destination of another family than the client's, which the protocol cannot say.
    MixedFamilies,
    /// FTP's control connection under NAT: the kernel of the other side would forget by how much sequence numbers are shifted.
    ShiftedSequence,
}

/// Why `entry` must not be told, if it must not.
#[must_use]
pub fn omission(entry: &Entry, binding: &Binding) -> Option<Omission> {
    let ftp = entry.protocol == Some(Protocol::Tcp)
        && entry.virtual_service.port() == FTP_PORT
        && binding.method == ForwardingMethod::Masquerade
        && matches!(entry.kind, Kind::Connection { .. });
    if entry.has_engine_data {
        Some(Omission::EngineData)
    } else if entry.client.is_ipv4() != entry.destination.is_ipv4() {
        Some(Omission::MixedFamilies)
    } else {
        ftp.then_some(Omission::ShiftedSequence)
    }
}

/// Packs records into messages, none longer than an interface can carry.
#[derive(Debug)]
pub struct Packer {
    sync_id: u8,
    longest: usize,
    message: Vec<u8>,
    records: u8,
}

/// A finished message, and how many records it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    pub bytes: Vec<u8>,
    pub records: u8,
}

impl Packer {
    /// For an interface of this MTU, in bytes.
    #[must_use]
    pub fn new(sync_id: u8, mtu: usize) -> Self {
        let longest = mtu.clamp(PACKET_BYTES_MIN, PACKET_BYTES_MAX) - OUTER_BYTES;
        Self { sync_id, longest, message: vec![0; HEADER_BYTES], records: 0 }
    }

    /// Adds a record; the message before it, if it does not fit into that any more.
    pub fn add(&mut self, entry: &Entry, binding: &Binding) -> Option<Datagram> {
        let record = record(entry, binding);
        let full = self.message.len() + record.len() > self.longest || self.records == RECORDS_MAX;
        let finished = if full { self.finish() } else { None };
        self.message.extend_from_slice(&record);
        self.records += 1;
        finished
    }

    /// The message under construction, if it holds anything.
    pub fn finish(&mut self) -> Option<Datagram> {
        if self.records == 0 {
            return None;
        }
        let records = std::mem::take(&mut self.records);
        let mut bytes = std::mem::replace(&mut self.message, vec![0; HEADER_BYTES]);
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        bytes[1] = self.sync_id;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes[4] = records;
        bytes[5] = VERSION;
        Some(Datagram { bytes, records })
    }
}

/// The connections and templates that a message tells to directors of this number. As in the kernel (`ip_vs_process_message`),
/// a message of another number or version, or whose length is not what it says, tells nothing, nor does what comes behind a
/// record that goes beyond its end. Options of a record are passed over.
#[must_use]
pub fn read(message: &[u8], sync_id: u8) -> Vec<Entry> {
    let Some((header, mut rest)) = message.split_first_chunk::<HEADER_BYTES>() else { return Vec::new() };
    let [reserved, found_id, high, low, records, version, spare @ ..] = *header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let is_ours = (reserved, found_id, version, spare) == (0, sync_id, VERSION, [0; 2]);
    if !is_ours || length != message.len() {
        return Vec::new();
    }
    let mut entries = Vec::with_capacity(records.into());
    for _ in 0..records {
        let Some(record) = rest.get(2..4).and_then(|size| first_record(size, rest)) else { break };
        entries.extend(entry(record));
        rest = rest.get(record.len().next_multiple_of(4)..).unwrap_or_default();
    }
    entries
}

/// The record at the front of `rest`, whose version (upper 4 bits) and length are in `size`.
fn first_record<'a>(size: &[u8], rest: &'a [u8]) -> Option<&'a [u8]> {
    let size = u16::from_be_bytes(*size.first_chunk()?);
    let (version, length) = (size >> 12, size & 0x0fff);
    let least = if rest.first()? & TYPE_IPV6 == 0 { RECORD_BYTES_IPV4 } else { RECORD_BYTES_IPV6 };
    rest.get(..length.into()).filter(|_| version == 0 && length >= least)
}

/// What a record says; `None` for a protocol that IPVS does not balance, or a state that it does not have.
fn entry(record: &[u8]) -> Option<Entry> {
    let half = |at| record.get(at..).and_then(<[u8]>::first_chunk).copied().map(u16::from_be_bytes);
    let whole = |at| record.get(at..).and_then(<[u8]>::first_chunk).copied().map(u32::from_be_bytes);
    let (kind, protocol) = (*record.first()?, Protocol::from_number(*record.get(1)?));
    let address = |number: usize| match kind & TYPE_IPV6 {
        0 => whole(24 + 4 * number).map(|bits| IpAddr::V4(bits.into())),
        _ => record.get(24 + 16 * number..).and_then(<[u8]>::first_chunk::<16>).copied().map(IpAddr::from),
    };
    let end = |number| Some(SocketAddr::new(address(number)?, half(10 + 2 * number)?));
    let state = half(8)?;
    let kind = match whole(4)? & IP_VS_CONN_F_TEMPLATE {
        0 => Kind::of_connection(protocol?, state)?,
        _ => Kind::Template { state },
    };
    let expires_s = whole(20)?.min(LONGEST_TIMER_S);
    let (client, virtual_service, destination) = (end(0)?, end(1)?, end(2)?);
    Some(Entry { protocol, client, virtual_service, destination, kind, expires_s, has_engine_data: false })
}

/// One `ip_vs_sync_v4` or `ip_vs_sync_v6`.
fn record(entry: &Entry, binding: &Binding) -> Vec<u8> {
    let ipv6 = entry.client.is_ipv6();
    let length = if ipv6 { RECORD_BYTES_IPV6 } else { RECORD_BYTES_IPV4 };
    let (Kind::Connection { state, .. } | Kind::Template { state }) = entry.kind;
    let mut bytes = Vec::with_capacity(length.into());
    bytes.push(if ipv6 { TYPE_IPV6 } else { 0 });
    bytes.push(entry.protocol.map_or(0, Protocol::number));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&flags(entry, binding.method).to_be_bytes());
    bytes.extend_from_slice(&state.to_be_bytes());
    let ends = [entry.client, entry.virtual_service, entry.destination];
    ends.iter().for_each(|end| bytes.extend_from_slice(&end.port().to_be_bytes()));
    bytes.extend_from_slice(&binding.mark.to_be_bytes());
    bytes.extend_from_slice(&binding.timeout_s.to_be_bytes());
    for end in ends {
        match end.ip() {
            IpAddr::V4(address) => bytes.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => bytes.extend_from_slice(&address.octets()),
        }
    }
    bytes
}

/// The flags that a connection of this kind has in the sender's kernel.
fn flags(entry: &Entry, method: ForwardingMethod) -> u32 {
    let method = match method {
        ForwardingMethod::Masquerade => IP_VS_CONN_F_MASQ,
        ForwardingMethod::Local => IP_VS_CONN_F_LOCALNODE,
        ForwardingMethod::Tunnel(_) => IP_VS_CONN_F_TUNNEL,
        ForwardingMethod::DirectRoute => IP_VS_CONN_F_DROUTE,
        ForwardingMethod::Bypass => IP_VS_CONN_F_BYPASS,
    };
    let output = if method == IP_VS_CONN_F_MASQ { 0 } else { IP_VS_CONN_F_NOOUTPUT };
    let kind = match entry.kind {
        Kind::Template { .. } => IP_VS_CONN_F_TEMPLATE,
        Kind::Connection { active: true, .. } => 0,
        Kind::Connection { active: false, .. } => IP_VS_CONN_F_INACTIVE,
    };
    let portless = matches!(entry.kind, Kind::Connection { .. }) && entry.client.port() == 0;
    method | output | kind | if portless { IP_VS_CONN_F_NO_CPORT } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: Binding =
        Binding { mark: 7, method: ForwardingMethod::DirectRoute, timeout_s: 0x0102_0304 };

    fn entry_of(line: &str) -> Entry {
        Entry::parse(line).expect("an entry")
    }

    fn ipv4() -> Entry {
        entry_of("TCP C0A8660A C350 C0A86564 0050 C0A8656E 1F90 ESTABLISHED     899")
    }

    fn ipv6() -> Entry {
        entry_of("UDP fd00:0:0:1:0:0:0:10 C350 fd00:0:0:1:0:0:0:100 0035 fd00:0:0:1:0:0:0:110 0035 UDP 299")
    }

    #[test]
    fn a_record_is_the_kernels_own_to_the_byte() {
        let mut packer = Packer::new(61, 1_500);
        assert_eq!(packer.add(&ipv4(), &BINDING), None);
        let Datagram { bytes, records } = packer.finish().expect("a message");
        assert_eq!(records, 1);
        #[rustfmt::skip]
        let expected = [
            0, 61, 0, 44, 1, 1, 0, 0,
            0, 6, 0, 36, 0, 0, 0, 0x83, 0, 1, 0xc3, 0x50, 0, 80, 0x1f, 0x90, 0, 0, 0, 7, 1, 2, 3, 4,
            192, 168, 102, 10, 192, 168, 101, 100, 192, 168, 101, 110,
        ];
        assert_eq!(bytes, expected);
        assert_eq!(packer.finish(), None, "nothing is left");
    }

    #[test]
    fn ipv6_and_templates_have_their_marks() {
        let mut packer = Packer::new(1, 1_500);
        packer.add(&ipv6(), &BINDING);
        let Datagram { bytes, .. } = packer.finish().expect("a message");
        assert_eq!(bytes.len(), HEADER_BYTES + usize::from(RECORD_BYTES_IPV6));
        assert_eq!(bytes[8..12], [1, 17, 0, 72]);
        assert_eq!(flags(&ipv6(), ForwardingMethod::Masquerade), IP_VS_CONN_F_INACTIVE);
        let template = entry_of("IP  C0A8660A 0000 00000007 0000 C0A8656E 0000 ASSURED         360");
        assert_eq!(flags(&template, ForwardingMethod::Masquerade), IP_VS_CONN_F_TEMPLATE);
        assert_eq!(record(&template, &BINDING)[1], 0, "for every protocol");
    }

    #[test]
    fn what_was_written_reads_as_it_was() {
        let closing = entry_of("TCP C0A8660A C351 C0A86564 0050 C0A8656E 1F90 TIME_WAIT       899");
        let template = entry_of("IP  C0A8660A 0000 00000007 0000 C0A8656E 0000 ASSURED         899");
        let entries = [ipv4(), ipv6(), closing, template];
        let mut packer = Packer::new(61, 1_500);
        for entry in &entries {
            packer.add(entry, &Binding { timeout_s: entry.expires_s, ..BINDING });
        }
        let Datagram { bytes, .. } = packer.finish().expect("a message");
        assert_eq!(read(&bytes, 61), entries);
        assert_eq!(read(&bytes, 62), [], "of other directors");
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut], 61), [], "its length is not what it says");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(read(&longer, 61), []);
        for (at, value) in [(0, 1), (5, 0), (6, 1)] {
            let mut other = bytes.clone();
            other[at] = value;
            assert_eq!(read(&other, 61), [], "byte {at}");
        }
    }

    #[test]
    fn a_record_with_options_is_read_without_them_and_one_beyond_the_end_ends_the_message() {
        let mut packer = Packer::new(61, 1_500);
        packer.add(&ipv4(), &Binding { timeout_s: 899, ..BINDING });
        let one = packer.finish().expect("a message").bytes;
        // IPVS_OPT_PE_NAME, 3 bytes, then a byte that fills up, then the same record again.
        let mut first = one[HEADER_BYTES..].to_vec();
        first.extend([3, 3, b's', b'i', b'p']);
        first[2..4].copy_from_slice(&41_u16.to_be_bytes());
        let mut bytes = [&one[..HEADER_BYTES], &first, &[0; 3], &one[HEADER_BYTES..]].concat();
        let length = u16::try_from(bytes.len()).expect("short");
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes[4] = 2;
        assert_eq!(read(&bytes, 61), [ipv4(), ipv4()]);
        let second = HEADER_BYTES + 44;
        for (size, why) in [(37_u16, "beyond the end"), (35, "too short"), (0x1024, "another version")] {
            bytes[second + 2..second + 4].copy_from_slice(&size.to_be_bytes());
            assert_eq!(read(&bytes, 61), [ipv4()], "{why}");
        }
    }

    #[test]
    fn no_message_is_longer_than_the_interface_carries_nor_counts_more_than_a_byte() {
        for (mtu, most) in [(1_500, 40), (1_400, 37), (9_000, 40), (0, 1)] {
            let mut packer = Packer::new(61, mtu);
            let sent: Vec<Datagram> = (0..100).filter_map(|_| packer.add(&ipv4(), &BINDING)).collect();
            assert!(sent.iter().all(|datagram| datagram.records == most), "MTU {mtu}");
            assert!(sent.iter().all(|datagram| datagram.bytes.len() <= mtu.clamp(72, 1_500) - OUTER_BYTES));
            let rest = packer.finish().map_or(0, |datagram| usize::from(datagram.records));
            assert_eq!(sent.len() * usize::from(most) + rest, 100, "none is lost");
        }
    }

    #[test]
    fn what_the_protocol_cannot_say_is_left_out() {
        assert_eq!(omission(&ipv4(), &BINDING), None);
        let sip =
            entry_of("UDP C0A8660A 0000 C0A86564 13C4 C0A8656E 13C4 NONE            60 sip 1234@example");
        assert_eq!(omission(&sip, &BINDING), Some(Omission::EngineData));
        let mixed = entry_of("TCP C0A8660A C350 C0A86564 0050 fd00:0:0:1:0:0:0:110 0050 ESTABLISHED 899");
        assert_eq!(omission(&mixed, &BINDING), Some(Omission::MixedFamilies));
        let ftp = entry_of("TCP C0A8660A C350 C0A86564 0015 C0A8656E 0015 ESTABLISHED     899");
        let nat = Binding { method: ForwardingMethod::Masquerade, ..BINDING };
        assert_eq!(omission(&ftp, &nat), Some(Omission::ShiftedSequence));
        assert_eq!(omission(&ftp, &BINDING), None, "only NAT shifts");
    }
}
