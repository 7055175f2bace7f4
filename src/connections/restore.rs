//! Puts the tracking of NAT's and full-NAT's connections that another director told into this kernel's table, and takes out what is left
//! of those that ended there (shell).
//!
//! It blocks, as [`pass`](mod@super::pass) does, and belongs on a thread that may.

use super::entry::Entry;
use super::group::ear;
use super::lines::{Lines, WITH_ORIGIN, Which};
use super::message;
use super::tracking::{conntrack_entries, unambiguous};
use crate::kernel::{Conntrack, KernelError, KnownConnections, Restored, UnderWay};
use crate::model::{Connection, ConnectionSync, ConntrackEntry, Protocol, Tables};
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;
use tokio::time::Instant;

/// No message of the protocol is longer (`max_t(int, 1500, dev->mtu)` of `make_receive_sock`, with a jumbo frame's MTU).
const MESSAGE_BYTES: usize = 9_216;

/// Why tracking could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("cannot read the connection table {WITH_ORIGIN}: {0}; is ip_vs loaded?")]
    Read(#[source] io::Error),
    #[error("cannot hear by {interface} which connections the other directors tell: {source}")]
    Hear { interface: String, source: io::Error },
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// Restores, again and again: each entry is put in once.
#[derive(Debug)]
pub struct Restorer {
    conntrack: Conntrack,
    ear: UdpSocket,
    sync: ConnectionSync,
    done: HashSet<Connection>,
    /// Which answers were there for one connection or more ([`ConntrackEntry::answers`]).
    answers: HashSet<(Protocol, SocketAddr, SocketAddr)>,
}

impl Restorer {
    /// Opens the kernel's connection tracking, and listens to what the other directors tell from now on.
    ///
    /// # Errors
    /// When either cannot be done.
    pub fn open(sync: &ConnectionSync) -> Result<Self, RestoreError> {
        let ear = ear(&sync.interface)
            .map_err(|source| RestoreError::Hear { interface: sync.interface.clone(), source })?;
        let (done, answers) = (HashSet::new(), HashSet::new());
        Ok(Self { conntrack: Conntrack::open()?, ear, sync: sync.clone(), done, answers })
    }

    /// Reads the connections that have been told, and puts in what tracking needs for those that are new; `tables` are what
    /// the kernel should hold.
    ///
    /// # Errors
    /// When IPVS's table cannot be read, or the kernel takes none of the entries.
    pub fn restore(&mut self, tables: &Tables) -> Result<Restored, RestoreError> {
        let table = BufReader::new(File::open(WITH_ORIGIN).map_err(RestoreError::Read)?);
        let (told, living) = read(table).map_err(RestoreError::Read)?;
        let mut entries = conntrack_entries(told, tables);
        self.answers.extend(entries.iter().map(ConntrackEntry::answers));
        entries = unambiguous(entries);
        entries.retain(|entry| self.done.insert(entry.connection));
        Ok(self.conntrack.restore(&entries, |connection| living.contains(connection))?)
    }

    /// For so long puts in what tracking needs for connections as they are told. What lives is known from the table alone: so
    /// nothing that stands for another connection is replaced, and an entry whose answers could be another connection's waits
    /// for the next reading, which looks at all of these again.
    ///
    /// # Errors
    /// When nothing can be heard.
    pub fn hear(&mut self, tables: &Tables, within: Duration) -> Result<Restored, RestoreError> {
        let (until, mut total) = (Instant::now() + within, Restored::default());
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            let told = self.next_told(left)?;
            let mut entries = unambiguous(conntrack_entries(told, tables));
            entries.retain(|entry| !self.done.contains(&entry.connection));
            entries.retain(|entry| self.answers.insert(entry.answers()));
            // Why one was refused the next reading says, where it still is.
            let refused = Restored { refused: entries.len(), ..Restored::default() };
            total = total.and(self.conntrack.restore(&entries, |_| true).unwrap_or(refused));
        }
        Ok(total)
    }

    /// What the next message tells; nothing where none comes within this time.
    fn next_told(&self, within: Duration) -> Result<Vec<Entry>, RestoreError> {
        let failed = |source| RestoreError::Hear { interface: self.sync.interface.clone(), source };
        let mut message = [0; MESSAGE_BYTES];
        self.ear.set_read_timeout(Some(within)).map_err(failed)?;
        match self.ear.recv(&mut message) {
            Ok(length) => {
                Ok(message::read(message.get(..length).unwrap_or_default(), self.sync.sync_id.get()))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(Vec::new())
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// Takes out what tracking has of connections to `virtual_addresses` that this kernel's IPVS does not know (any more); how
/// many went.
///
/// # Errors
/// When IPVS's table cannot be read, or connection tracking.
pub fn sweep(virtual_addresses: &BTreeSet<IpAddr>) -> Result<usize, RestoreError> {
    Conntrack::open()?.sweep(virtual_addresses, || {
        let mut known = KnownConnections::new();
        // The kernel may pass over an entry while others go; hardly over the same one twice.
        for _ in 0..2 {
            let table = BufReader::new(File::open(WITH_ORIGIN).map_err(RestoreError::Read)?);
            known.extend(read_known(table).map_err(RestoreError::Read)?);
        }
        Ok(known)
    })
}

/// All connections, and whether each is under way.
fn read_known(lines: impl BufRead) -> io::Result<KnownConnections> {
    let mut known = KnownConnections::new();
    let mut lines = Lines::new(lines, Which::All);
    while let Some(line) = lines.next()? {
        let Some((entry, _)) = Entry::parse_with_origin(line) else { continue };
        let under_way = UnderWay(!entry.is_over());
        known.extend(entry.connection().map(|connection| (connection, under_way)));
    }
    Ok(known)
}

/// The entries that were told, and all connections that are under way.
fn read(lines: impl BufRead) -> io::Result<(Vec<Entry>, HashSet<Connection>)> {
    let (mut told, mut living) = (Vec::new(), HashSet::new());
    let mut lines = Lines::new(lines, Which::Going);
    while let Some(line) = lines.next()? {
        let Some((entry, is_told)) = Entry::parse_with_origin(line) else { continue };
        living.extend(entry.connection());
        told.extend(is_told.then_some(entry));
    }
    Ok((told, living))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_here_lives_and_is_not_restored() {
        let heading = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n";
        let own = "TCP C0A8660A C350 C0A86564 0050 C0A8656E 0050 ESTABLISHED LOCAL      899\n";
        let told = "TCP C0A8660A C351 C0A86564 0050 C0A8656E 0050 ESTABLISHED SYNC       899\n";
        let template = "TCP C0A8660A 0000 C0A86564 0050 C0A8656E 0050 ASSURED     SYNC       899\n";
        let text = format!("{heading}{own}{told}{template}");
        let (told, living) = read(text.as_bytes()).expect("text can be read");
        assert_eq!((told.len(), living.len()), (2, 2), "the template is told, and no connection");
    }

    #[test]
    fn what_waits_out_its_time_is_known_and_not_under_way() {
        let line = |port, state| {
            format!("TCP C0A8660A {port} C0A86564 0050 C0A8656E 0050 {state:<11} SYNC       100\n")
        };
        let text = format!("heading\n{}{}", line("C350", "FIN_WAIT"), line("C351", "TIME_WAIT"));
        let known = read_known(text.as_bytes()).expect("text can be read");
        let under_way = |port| {
            let found = known.iter().find(|(connection, _)| connection.client.port() == port);
            found.map(|(_, under_way)| *under_way)
        };
        assert_eq!(
            [0xC350, 0xC351, 0xC352].map(under_way),
            [Some(UnderWay(true)), Some(UnderWay(false)), None]
        );
    }
}
