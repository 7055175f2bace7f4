//! Tells the whole connection table to the other directors (shell): reads it, then sends it, paced.
//!
//! It blocks: with 100,000 connections for some seconds. So it runs on a thread of its own, never on that of adverts,
//! addresses or pools. Reading is never held up by the pace of sending: the kernel walks its table from the start for each
//! 4 KiB, and an entry that goes meanwhile makes it skip another, so the walk must be short; what is not due waits in a
//! queue. Nobody acknowledges a datagram either. Against both, everything is read and sent a second time, where the time
//! allows.

use super::entry::Entry;
use super::group::{SendError, mouth};
use super::lines::{Lines, Which};
use super::message::{Packer, omission};
use super::pace::Sender;
use super::services::binding;
use crate::model::{ConnectionSync, Tables};
use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader};
use std::time::Duration;
use tokio::time::Instant;

/// Of the calling thread's network namespace; `/proc/net` would be that of the process's first thread.
const TABLE: &str = "/proc/thread-self/net/ip_vs_conn";
/// How often everything is sent.
const ROUNDS: u32 = 2;

/// What was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Passed {
    /// Connections and templates that were told in one round. The kernel lists one twice if others come in front of it
    /// meanwhile: then it is told and counted twice, which does no harm.
    pub connections: usize,
    /// Living entries that cannot be told: see [`super::message::Omission`], and those of services that are not ours.
    pub omitted: usize,
    /// Datagrams sent, over all rounds.
    pub datagrams: usize,
    /// How often all of it was sent; 0 when the time did not suffice for once.
    pub rounds: u32,
    pub took: Duration,
}

/// What was told before: a hash of each record.
#[derive(Debug, Default)]
pub struct Told(HashSet<u64>);

impl Told {
    fn hash(entry: &Entry) -> u64 {
        let mut hasher = DefaultHasher::new();
        (entry.protocol, entry.client, entry.virtual_service, entry.destination, entry.kind)
            .hash(&mut hasher);
        hasher.finish()
    }

    fn has(&self, entry: &Entry) -> bool {
        self.0.contains(&Self::hash(entry))
    }

    fn add(&mut self, entry: &Entry) {
        self.0.insert(Self::hash(entry));
    }
}

/// Why the table could not be told.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    #[error("cannot read the connection table {TABLE}: {0}; is ip_vs loaded?")]
    Read(#[source] io::Error),
    #[error(transparent)]
    Send(#[from] SendError),
}

/// One reading of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Round {
    told: usize,
    omitted: usize,
    /// Whether the time sufficed for all of it.
    complete: bool,
}

/// Tells the connections of this thread's network namespace by `sync`'s interface and id, within the time `within`.
/// `tables` are what the kernel should hold. What `told` has, in the same state, is left out; what is told in a whole round joins it.
///
/// # Errors
/// When the table cannot be read or a datagram cannot be sent; what was sent by then stays told.
pub fn pass(
    sync: &ConnectionSync,
    tables: &Tables,
    within: Duration,
    told: &mut Told,
) -> Result<Passed, PassError> {
    let mut fresh = Told::default();
    let start = Instant::now();
    let failed = |source| SendError { interface: sync.interface.clone(), source };
    let (socket, mtu) = mouth(&sync.interface).map_err(failed)?;
    let mut passed = Passed::default();
    for number in 1..=ROUNDS {
        let table = BufReader::new(File::open(TABLE).map_err(PassError::Read)?);
        let mut sender = Sender::new(|bytes| socket.send(bytes).map(drop), start + within);
        let memory = (&*told, &mut fresh);
        let round = tell(table, tables, memory, Packer::new(sync.sync_id.get(), mtu), &mut sender);
        let round = round.map_err(|trouble| trouble.explained(failed))?;
        passed.datagrams += sender.datagrams;
        if round.complete || number == 1 {
            (passed.connections, passed.omitted) = (round.told, round.omitted);
        }
        passed.rounds += u32::from(round.complete);
        // Another round takes as long as this one did.
        if start.elapsed() + start.elapsed() / number > within {
            break;
        }
    }
    // Of a round that time cut short nobody knows how far it came: the next one tells all of it again.
    if passed.rounds > 0 {
        told.0.extend(fresh.0);
    }
    passed.took = start.elapsed();
    Ok(passed)
}

/// What went wrong, before it has a name.
#[derive(Debug)]
enum Trouble {
    Read(io::Error),
    Send(io::Error),
}

impl Trouble {
    fn explained(self, sending: impl FnOnce(io::Error) -> SendError) -> PassError {
        match self {
            Self::Read(error) => PassError::Read(error),
            Self::Send(error) => sending(error).into(),
        }
    }
}

/// Reads a table and sends it, but for what was told before; what it sends is noted as fresh.
fn tell(
    lines: impl BufRead,
    tables: &Tables,
    (told, fresh): (&Told, &mut Told),
    mut packer: Packer,
    sender: &mut Sender<impl FnMut(&[u8]) -> io::Result<()>>,
) -> Result<Round, Trouble> {
    let mut omitted = 0;
    let mut lines = Lines::new(lines, Which::Going);
    while let Some(line) = lines.next().map_err(Trouble::Read)? {
        let Some(entry) = Entry::parse(line) else { continue };
        if entry.is_over() || told.has(&entry) {
            continue;
        }
        match binding(tables, &entry).filter(|binding| omission(&entry, binding).is_none()) {
            Some(binding) => {
                fresh.add(&entry);
                sender.queue.extend(packer.add(&entry, &binding));
            }
            None => omitted += 1,
        }
        if !sender.send_what_is_due().map_err(Trouble::Send)? {
            return Ok(Round { told: sender.records, omitted, complete: false });
        }
    }
    sender.queue.extend(packer.finish());
    let complete = sender.drain().map_err(Trouble::Send)?;
    Ok(Round { told: sender.records, omitted, complete })
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

    /// Tells a table within a time: the sizes of the datagrams in records, and what became of it.
    fn told(lines: &str, within: Duration) -> (Vec<u8>, Round) {
        let text = format!("{HEADING}{lines}");
        let mut sizes = Vec::new();
        let send = |bytes: &[u8]| {
            sizes.push(bytes[4]);
            Ok(())
        };
        let mut sender = Sender::new(send, Instant::now() + within);
        let memory = (&Told::default(), &mut Told::default());
        let round = tell(text.as_bytes(), &tables(), memory, Packer::new(61, 1_500), &mut sender)
            .expect("text can be read");
        (sizes, round)
    }

    fn line(vip: &str, state: &str) -> String {
        format!("TCP C0A8660A C350 {vip} 0050 C0A8656E 0050 {state}     899\n")
    }

    #[test]
    fn what_lives_and_is_ours_is_told() {
        let second = Duration::from_secs(1);
        let complete = |told, omitted| Round { told, omitted, complete: true };
        let established = line("C0A86564", "ESTABLISHED");
        assert_eq!(told(&established.repeat(41), second), (vec![40, 1], complete(41, 0)));
        let half_open = line("C0A86564", "SYN_RECV");
        assert_eq!(told(&half_open, second), (vec![1], complete(1, 0)), "half of a handshake goes on there");
        assert_eq!(told(&line("C0A86564", "CLOSE"), second), (vec![], complete(0, 0)), "this one has ended");
        let foreign = line("C0A86577", "ESTABLISHED");
        assert_eq!(told(&foreign, second), (vec![], complete(0, 1)), "somebody else's service");
    }

    #[test]
    fn the_rest_is_what_came_since_or_changed_its_state() {
        let client =
            |number: usize, state: &str| line("C0A86564", state).replace("C350", &format!("{number:04X}"));
        let pass = |lines: &str, told: &mut Told| {
            let text = format!("{HEADING}{lines}");
            let mut fresh = Told::default();
            let mut sender = Sender::new(|_: &[u8]| Ok(()), Instant::now() + Duration::from_secs(1));
            let packer = Packer::new(61, 1_500);
            let round = tell(text.as_bytes(), &tables(), (told, &mut fresh), packer, &mut sender);
            told.0.extend(fresh.0);
            round.expect("text can be read").told
        };
        let mut told = Told::default();
        let before = client(1, "ESTABLISHED") + &client(2, "SYN_RECV");
        assert_eq!(pass(&before, &mut told), 2);
        assert_eq!(pass(&before.replace("899", "898"), &mut told), 0, "time alone is no news");
        let after = client(1, "ESTABLISHED") + &client(2, "ESTABLISHED") + &client(3, "ESTABLISHED");
        assert_eq!(pass(&after, &mut told), 2);
    }

    #[test]
    fn records_are_paced_and_end_with_the_time() {
        let lines = line("C0A86564", "ESTABLISHED").repeat(2_000);
        let start = Instant::now();
        let (_, round) = told(&lines, Duration::from_secs(10));
        assert_eq!(round, Round { told: 2_000, omitted: 0, complete: true });
        assert!(start.elapsed() >= Duration::from_millis(98), "20,000 a second, the last 40 at once");
        let (sizes, round) = told(&lines, Duration::from_millis(50));
        assert!(!round.complete && round.told <= 1_040 && round.told > 0, "{round:?}");
        assert_eq!(sizes.len() * 40, round.told);
    }

    #[test]
    fn an_interface_that_is_missing_is_named() {
        let role = crate::model::SyncRole::Both;
        let sync_id = 61.try_into().expect("not zero");
        let sync = ConnectionSync { interface: "nosuch0".to_owned(), sync_id, role };
        let error =
            pass(&sync, &tables(), Duration::from_secs(1), &mut Told::default()).expect_err("there is none");
        assert!(error.to_string().contains("nosuch0"), "{error}");
    }
}
