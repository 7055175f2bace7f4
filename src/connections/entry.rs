//! A line of `/proc/net/ip_vs_conn` as a value. Pure; no line makes it panic.
//!
//! Source: `ip_vs_conn_seq_show` and `ip_vs_state_name` of `net/netfilter/ipvs`, the state tables of `ip_vs_proto_tcp.c`,
//! `ip_vs_proto_udp.c`, `ip_vs_proto_sctp.c`; the numbers are the `IP_VS_*_S_*` of `include/net/ip_vs.h`, which is the order
//! of the names.

use crate::model::{Connection, Protocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The states of TCP, each at its number.
const TCP_STATES: [&str; 11] = [
    "NONE",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "SYNACK",
];
const UDP_STATES: [&str; 1] = ["UDP"];
const SCTP_STATES: [&str; 14] = [
    "NONE",
    "INIT1",
    "INIT",
    "C-SENT",
    "C-REPLIED",
    "C-WAIT",
    "COOKIE",
    "C-ECHOED",
    "ESTABLISHED",
    "S-SENT",
    "S-RECEIVED",
    "S-ACK-SENT",
    "REJECTED",
    "CLOSED",
];
/// The states in which the kernel counts a connection of TCP as active (`tcp_state_active_table`).
const TCP_ACTIVE: [&str; 4] = ["ESTABLISHED", "SYN_SENT", "SYN_RECV", "SYNACK"];
/// The states of a template (`ip_vs_ctpl_state_name_table`).
const TEMPLATE_STATES: [&str; 2] = ["NONE", "ASSURED"];
/// States in which nothing is left to be carried on, of TCP and SCTP; UDP has none.
const OVER: [&str; 6] = ["NONE", "TIME_WAIT", "CLOSE", "LISTEN", "REJECTED", "CLOSED"];

/// No timer of the kernel runs longer (31 days of persistence): a larger number is one that has just run out, printed
/// without its sign.
pub(super) const LONGEST_TIMER_S: u32 = 2_678_400;
/// How long the kernel waits for the second packet of a connection (`tcp_timeouts`, `udp_timeouts`); each further packet
/// sets the time anew.
const SYN_RECV_S: u32 = 60;
const UDP_S: u32 = 300;

/// An entry of the connection table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `None`: a template of a service by firewall mark, which is for every protocol. Its virtual address is the mark.
    pub protocol: Option<Protocol>,
    pub client: SocketAddr,
    pub virtual_service: SocketAddr,
    pub destination: SocketAddr,
    pub kind: Kind,
    /// Seconds until it ends, 0..=2678400.
    pub expires_s: u32,
    /// Whether a persistence engine keeps data with it, which is not told here.
    pub has_engine_data: bool,
}

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Connection {
        /// The number of its protocol's state.
        state: u16,
        /// Whether the kernel counts it as active.
        active: bool,
        /// Whether it has ended: nothing is left to be carried on.
        over: bool,
    },
    /// A client's place at a destination, for its further connections.
    Template {
        /// The number of its state: 1 once one of its connections was established.
        state: u16,
    },
}

impl Kind {
    /// Of a connection whose state has this number; `None` where its protocol has none of that number.
    #[must_use]
    pub fn of_connection(protocol: Protocol, state: u16) -> Option<Self> {
        let name = states(protocol).get(usize::from(state))?;
        let active = match protocol {
            Protocol::Tcp => TCP_ACTIVE.contains(name),
            // The kernel counts every datagram's connection as inactive (`__ip_vs_update_dest`).
            Protocol::Udp => false,
            Protocol::Sctp => *name == "ESTABLISHED",
        };
        Some(Self::Connection { state, active, over: OVER.contains(name) })
    }
}

impl Entry {
    /// Reads a line; `None` for the heading, and for what is none of TCP, UDP and SCTP.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        Self::of_words(line.split_ascii_whitespace())
    }

    /// Reads a line of `/proc/net/ip_vs_conn_sync`, which says the origin of each entry behind its state
    /// (`ip_vs_conn_sync_seq_show`): the entry, and whether another director told it.
    #[must_use]
    pub fn parse_with_origin(line: &str) -> Option<(Self, bool)> {
        const ORIGIN: usize = 8;
        let words = || line.split_ascii_whitespace();
        let is_told = words().nth(ORIGIN)? == "SYNC";
        Self::of_words(words().take(ORIGIN).chain(words().skip(ORIGIN + 1))).map(|entry| (entry, is_told))
    }

    /// As a connection is that has just begun: of TCP the first packet is through (`SYN_RECV`), and it has the time that
    /// the kernel gives it for the second. `None` for SCTP, which has several ways to begin.
    #[must_use]
    pub fn begun(connection: Connection) -> Option<Self> {
        let Connection { protocol, client, virtual_service, destination } = connection;
        let (state, expires_s) = match protocol {
            Protocol::Tcp => (number_of(&TCP_STATES, "SYN_RECV")?, SYN_RECV_S),
            Protocol::Udp => (0, UDP_S),
            Protocol::Sctp => return None,
        };
        let kind = Kind::of_connection(protocol, state)?;
        let protocol = Some(protocol);
        Some(Self { protocol, client, virtual_service, destination, kind, expires_s, has_engine_data: false })
    }

    /// The connection that it stands for; `None` for a template.
    #[must_use]
    pub fn connection(&self) -> Option<Connection> {
        let Kind::Connection { .. } = self.kind else { return None };
        let Self { client, virtual_service, destination, .. } = *self;
        Some(Connection { protocol: self.protocol?, client, virtual_service, destination })
    }

    /// Whether it stands for a connection that has ended.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.kind, Kind::Connection { over: true, .. })
    }

    fn of_words<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let protocol = match words.next()? {
            "TCP" => Some(Protocol::Tcp),
            "UDP" => Some(Protocol::Udp),
            "SCTP" => Some(Protocol::Sctp),
            "IP" => None,
            _ => return None,
        };
        let mut endpoint = || Some(SocketAddr::new(address(words.next()?)?, port(words.next()?)?));
        let (client, virtual_service, destination) = (endpoint()?, endpoint()?, endpoint()?);
        let kind = kind(protocol, client.port(), words.next()?)?;
        let expires: u64 = words.next()?.parse().ok()?;
        let expires_s =
            u32::try_from(expires).ok().filter(|expires| *expires <= LONGEST_TIMER_S).unwrap_or(0);
        let has_engine_data = words.next().is_some();
        Some(Self { protocol, client, virtual_service, destination, kind, expires_s, has_engine_data })
    }
}

/// A template has no client's port. Neither has the connection that an FTP server is about to open (`LISTEN`), whose states
/// are those of its protocol.
fn kind(protocol: Option<Protocol>, client_port: u16, state: &str) -> Option<Kind> {
    let portless = client_port == 0 || protocol.is_none();
    if let Some(state) = number_of(&TEMPLATE_STATES, state).filter(|_| portless) {
        return Some(Kind::Template { state });
    }
    let protocol = protocol?;
    Kind::of_connection(protocol, number_of(states(protocol), state)?)
}

fn number_of(names: &[&str], state: &str) -> Option<u16> {
    names.iter().position(|name| *name == state).and_then(|number| u16::try_from(number).ok())
}

const fn states(protocol: Protocol) -> &'static [&'static str] {
    match protocol {
        Protocol::Tcp => &TCP_STATES,
        Protocol::Udp => &UDP_STATES,
        Protocol::Sctp => &SCTP_STATES,
    }
}

/// Eight hexadecimal digits, or an IPv6 address.
fn address(word: &str) -> Option<IpAddr> {
    match word.len() {
        8 => u32::from_str_radix(word, 16).ok().map(|bits| Ipv4Addr::from_bits(bits).into()),
        _ => word.trim_matches(['[', ']']).parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    }
}

fn port(word: &str) -> Option<u16> {
    u16::from_str_radix(word, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn socket(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_connection_that_was_told_reads_as_it_does_where_it_began() {
        let line = "TCP C0A8660A C350 C0A86564 0050 C0A8656E 1F90 ESTABLISHED     899";
        let told = line.replace("ESTABLISHED", "ESTABLISHED SYNC  ");
        let own = told.replace("SYNC ", "LOCAL");
        let expected = Entry::parse(line).expect("an entry");
        assert_eq!(Entry::parse_with_origin(&told), Some((expected, true)));
        assert_eq!(Entry::parse_with_origin(&own), Some((expected, false)));
        for cut in 0..told.len() {
            let _ = Entry::parse_with_origin(&told[..cut]);
        }
    }

    #[test]
    fn a_connection_is_read_with_its_state_and_its_time() {
        let line = "TCP C0A8660A C350 C0A86564 0050 C0A8656E 1F90 ESTABLISHED     899";
        let kind = Kind::Connection { state: 1, active: true, over: false };
        let expected = Entry {
            protocol: Some(Protocol::Tcp),
            client: socket("192.168.102.10:50000"),
            virtual_service: socket("192.168.101.100:80"),
            destination: socket("192.168.101.110:8080"),
            kind,
            expires_s: 899,
            has_engine_data: false,
        };
        assert_eq!(Entry::parse(line), Some(expected));
    }

    #[test]
    fn ipv6_is_read_as_the_kernel_writes_it() {
        let line = "TCP fd00:0192:0168:0102:0000:0000:0000:0010 C350 fd00:0192:0168:0101:0000:0000:0000:0100 0050 \
                    fd00:0192:0168:0101:0000:0000:0000:0110 0050 FIN_WAIT        119";
        let entry = Entry::parse(line).expect("an entry");
        assert_eq!(entry.client, socket("[fd00:192:168:102::10]:50000"));
        assert_eq!(entry.kind, Kind::Connection { state: 4, active: false, over: false });
    }

    #[test]
    fn templates_are_known_by_the_port_that_they_lack() {
        let plain = "TCP C0A8660A 0000 C0A86564 0050 C0A8656E 0050 NONE            360";
        assert_eq!(Entry::parse(plain).map(|entry| entry.kind), Some(Kind::Template { state: 0 }));
        let by_mark = "IP  C0A8660A 0000 00000007 0000 C0A8656E 0000 ASSURED         360";
        let entry = Entry::parse(by_mark).expect("an entry");
        assert_eq!((entry.protocol, entry.kind), (None, Kind::Template { state: 1 }));
        let ftp = "TCP C0A8660A 0000 C0A86564 0014 C0A8656E 0014 LISTEN          120";
        let listens = Kind::Connection { state: 9, active: false, over: true };
        assert_eq!(Entry::parse(ftp).map(|entry| entry.kind), Some(listens));
    }

    #[test]
    fn engine_data_and_a_timer_that_has_run_out_are_noticed() {
        let sip = "UDP C0A8660A 0000 C0A86564 13C4 C0A8656E 13C4 NONE            60 sip 1234@example";
        assert!(Entry::parse(sip).expect("an entry").has_engine_data);
        let late = "UDP C0A8660A C350 C0A86564 0035 C0A8656E 0035 UDP         18446744073709551";
        assert_eq!(Entry::parse(late).expect("an entry").expires_s, 0);
    }

    #[test]
    fn what_is_no_connection_is_left_out() {
        let heading = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData";
        assert_eq!(Entry::parse(heading), None);
        assert_eq!(Entry::parse("IP_50 C0A8660A 0000 C0A86564 0000 C0A8656E 0000 NONE 60"), None);
        assert_eq!(Entry::parse(""), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "(TCP|UDP|SCTP|IP|)( [0-9A-F:]{0,9}| NONE| UDP| [0-9]{0,21}|[^\n]{0,9}){0,12}") {
            let _ = Entry::parse(&line);
        }
    }
}
