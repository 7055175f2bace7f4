//! Tells the whole connection table to the other directors (shell): reads it, then sends it, paced.
//!
//! It blocks: with 100,000 connections for some seconds. So it runs on a thread of its own, never on that of adverts,
//! addresses or pools. Reading comes first and sending after: the kernel walks its table from the start for each 4 KiB, and an
//! entry that goes meanwhile makes it skip another, so the walk must be short. Nobody acknowledges a datagram either.
//! Against both, everything is read and sent a second time, where the time allows.

use super::entry::{Entry, Kind};
use super::message::{Datagram, Packer, omission};
use super::services::binding;
use crate::model::{ConnectionSync, Tables};
use nix::sys::socket::{getsockopt, sockopt};
use socket2::SockRef;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;
use tokio::time::Instant;

/// Of the calling thread's network namespace; `/proc/net` would be that of the process's first thread.
const TABLE: &str = "/proc/thread-self/net/ip_vs_conn";
/// `IP_VS_SYNC_GROUP` and `IP_VS_SYNC_PORT`.
const GROUP: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 81), 8848));
/// Entries that are read at most: 36 to 72 bytes of memory each.
const MOST_ENTRIES: usize = 1_000_000;
/// Records a second: the other kernel takes one in a few microseconds, and holds some 90 datagrams of 40 for later.
const RECORDS_A_SECOND: u32 = 20_000;
/// How often everything is sent.
const ROUNDS: u32 = 2;
/// Longest wait for room in the socket's own buffer.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// What was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Passed {
    /// Connections and templates that were told, each counted once.
    pub connections: usize,
    /// Living entries that cannot be told: see [`super::message::Omission`], and those of services that are not ours.
    pub omitted: usize,
    /// Datagrams sent, over all rounds.
    pub datagrams: usize,
    /// How often all of it was sent; 0 when the time did not suffice for once.
    pub rounds: u32,
    pub took: Duration,
}

/// Why the table could not be told.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    #[error("cannot read the connection table {TABLE}: {0}; is ip_vs loaded?")]
    Read(#[source] io::Error),
    #[error(
        "cannot send connections to the other directors by {interface}: {source}; is it up, and has it an address?"
    )]
    Send { interface: String, source: io::Error },
}

/// A table that was read, packed.
struct Packed {
    datagrams: Vec<Datagram>,
    omitted: usize,
}

/// Tells the connections of this thread's network namespace by `sync`'s interface and id, within the time `within`.
/// `tables` are what the kernel should hold.
///
/// # Errors
/// When the table cannot be read or a datagram cannot be sent; what was sent by then stays told.
pub fn pass(sync: &ConnectionSync, tables: &Tables, within: Duration) -> Result<Passed, PassError> {
    let start = Instant::now();
    let failed = |source| PassError::Send { interface: sync.interface.clone(), source };
    let (socket, mtu) = open(&sync.interface).map_err(failed)?;
    let mut passed = Passed::default();
    for round in 1..=ROUNDS {
        let packed = read(tables, Packer::new(sync.sync_id.get(), mtu)).map_err(PassError::Read)?;
        let connections = packed.datagrams.iter().map(|datagram| usize::from(datagram.records)).sum();
        let sent = send(&socket, &packed.datagrams, start + within).map_err(failed)?;
        passed.datagrams += sent;
        if sent == packed.datagrams.len() {
            passed.rounds = round;
            (passed.connections, passed.omitted) = (connections, packed.omitted);
        } else if round == 1 {
            let told = packed.datagrams.iter().take(sent).map(|datagram| usize::from(datagram.records));
            (passed.connections, passed.omitted) = (told.sum(), packed.omitted);
        }
        // Another round takes as long as this one did.
        if start.elapsed() + start.elapsed() / round > within {
            break;
        }
    }
    passed.took = start.elapsed();
    Ok(passed)
}

/// A socket that sends as the kernel's own daemon does (`make_send_sock`), and the MTU of its way.
fn open(interface: &str) -> io::Result<(UdpSocket, usize)> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let options = SockRef::from(&socket);
    options.bind_device(Some(interface.as_bytes()))?;
    // Our own backup daemon, where both run, has these connections.
    options.set_multicast_loop_v4(false)?;
    options.set_multicast_ttl_v4(1)?;
    options.set_write_timeout(Some(SEND_TIMEOUT))?;
    socket.connect(GROUP)?;
    let mtu = getsockopt(&socket, sockopt::IpMtu)?;
    Ok((socket, usize::try_from(mtu).unwrap_or_default()))
}

fn read(tables: &Tables, packer: Packer) -> io::Result<Packed> {
    pack(BufReader::new(File::open(TABLE)?), tables, packer)
}

/// Packs the lines of a table.
fn pack(lines: impl BufRead, tables: &Tables, mut packer: Packer) -> io::Result<Packed> {
    let mut packed = Packed { datagrams: Vec::new(), omitted: 0 };
    // The first line is the heading.
    for line in lines.lines().skip(1).take(MOST_ENTRIES) {
        let Some(entry) = Entry::parse(&line?) else { continue };
        if matches!(entry.kind, Kind::Connection { over: true, .. }) {
            continue;
        }
        match binding(tables, &entry).filter(|binding| omission(&entry, binding).is_none()) {
            Some(binding) => packed.datagrams.extend(packer.add(&entry, &binding)),
            None => packed.omitted += 1,
        }
    }
    packed.datagrams.extend(packer.finish());
    Ok(packed)
}

/// Sends what can be sent by then; how many datagrams that was.
fn send(socket: &UdpSocket, datagrams: &[Datagram], by: Instant) -> io::Result<usize> {
    let start = Instant::now();
    let mut records = 0;
    for (sent, datagram) in datagrams.iter().enumerate() {
        let due = start + Duration::from_secs(1) * records / RECORDS_A_SECOND;
        if due > by {
            return Ok(sent);
        }
        pause(due.saturating_duration_since(Instant::now()));
        socket.send(&datagram.bytes)?;
        records += u32::from(datagram.records);
    }
    Ok(datagrams.len())
}

/// There is no condition to wait for: the other side says nothing.
#[expect(clippy::disallowed_methods, reason = "a pace, on a thread that does nothing else")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Standing;
    use crate::desired::fixtures::{host, policy, pool, tables_on};
    use crate::model::Forwarding;

    const HEADING: &str = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n";

    fn tables() -> Tables {
        let policy = policy([pool("web", "192.168.101.100", &Forwarding::DirectRouting)]);
        tables_on(&policy, &host(&policy), |_, _| Standing::Up)
    }

    fn packed(lines: &str) -> (Vec<u8>, usize) {
        let text = format!("{HEADING}{lines}");
        let packed = pack(text.as_bytes(), &tables(), Packer::new(61, 1_500)).expect("text can be read");
        (packed.datagrams.iter().map(|datagram| datagram.records).collect(), packed.omitted)
    }

    #[test]
    fn what_lives_and_is_ours_is_packed() {
        let line =
            |vip: &str, state: &str| format!("TCP C0A8660A C350 {vip} 0050 C0A8656E 0050 {state}     899\n");
        assert_eq!(packed(&line("C0A86564", "ESTABLISHED").repeat(41)), (vec![40, 1], 0));
        assert_eq!(packed(&line("C0A86564", "SYN_RECV")), (vec![1], 0), "half of a handshake goes on there");
        assert_eq!(packed(&line("C0A86564", "CLOSE")), (vec![], 0), "this one has ended");
        assert_eq!(packed(&line("C0A86577", "ESTABLISHED")), (vec![], 1), "somebody else's service");
    }

    #[test]
    fn datagrams_are_paced_and_end_with_the_time() {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        sender.connect(receiver.local_addr().expect("an address")).expect("connected");
        let datagrams = vec![Datagram { bytes: vec![0; 8], records: 200 }; 20];
        let start = Instant::now();
        assert_eq!(send(&sender, &datagrams, start + Duration::from_millis(55)).expect("sent"), 6);
        assert!(start.elapsed() >= Duration::from_millis(50), "200 records in 10 ms");
        assert_eq!(send(&sender, &[], start).expect("nothing to send"), 0);
    }

    #[test]
    fn an_interface_that_is_missing_is_named() {
        let role = crate::model::SyncRole::Both;
        let sync_id = 61.try_into().expect("not zero");
        let sync = ConnectionSync { interface: "nosuch0".to_owned(), sync_id, role };
        let error = pass(&sync, &tables(), Duration::from_secs(1)).expect_err("there is none");
        assert!(error.to_string().contains("nosuch0"), "{error}");
    }
}
