//! Tells connections as they begin (shell), where the kernel tracks them and says so.
//!
//! While the addresses are about to go, each new connection may get its answer at the other director already. To read the
//! table for it again and again takes the longer the more connections wait out their time in it; connection tracking says at
//! once what has begun, and with which real server.
//!
//! It blocks, as [`pass`](mod@super::pass) does, and belongs on a thread that may.

use super::entry::Entry;
use super::group::{SendError, mouth};
use super::message::{Datagram, Packer, omission};
use super::pace::Sender;
use super::services::new_binding;
use crate::kernel::{Beginnings, KernelError};
use crate::model::{Connection, ConnectionSync, Tables};
use std::time::Duration;
use tokio::time::Instant;

/// It asks so often whether to go on.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// What cannot be sent within this is left to the readings of the table.
const SEND_WITHIN: Duration = Duration::from_secs(1);

/// Why connections could not be told as they began.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// Tells each connection of NAT and full-NAT as it begins, as long as `goes_on`; how many were told. `tables` are what the
/// kernel should hold.
///
/// # Errors
/// When the kernel does not say what begins, or nothing can be sent.
pub fn follow(
    sync: &ConnectionSync,
    tables: &Tables,
    goes_on: impl Fn() -> bool,
) -> Result<usize, FollowError> {
    let failed = |source| SendError { interface: sync.interface.clone(), source };
    let (socket, mtu) = mouth(&sync.interface).map_err(failed)?;
    let mut beginnings = Beginnings::open()?;
    let mut told = 0;
    while goes_on() {
        let begun = beginnings.next(LONGEST_WAIT)?;
        let send = |bytes: &[u8]| socket.send(bytes).map(drop);
        let mut sender = Sender::new(send, Instant::now() + SEND_WITHIN);
        sender.queue.extend(datagrams(&begun, tables, Packer::new(sync.sync_id.get(), mtu)));
        sender.drain().map_err(failed)?;
        told += sender.records;
    }
    Ok(told)
}

/// What is told of connections that have begun.
fn datagrams(begun: &[Connection], tables: &Tables, mut packer: Packer) -> Vec<Datagram> {
    let mut datagrams = Vec::new();
    for entry in begun.iter().copied().filter_map(Entry::begun) {
        let binding = new_binding(tables, &entry).filter(|binding| omission(&entry, binding).is_none());
        datagrams.extend(binding.and_then(|binding| packer.add(&entry, &binding)));
    }
    datagrams.extend(packer.finish());
    datagrams
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::message::read;
    use crate::desired::Standing;
    use crate::desired::fixtures::{host, policy, pool, tables_on};
    use crate::model::{Forwarding, Protocol};

    fn connection(virtual_service: &str, destination: &str) -> Connection {
        Connection {
            protocol: Protocol::Tcp,
            client: "192.168.102.10:50000".parse().expect("an address"),
            virtual_service: virtual_service.parse().expect("an address"),
            destination: destination.parse().expect("an address"),
        }
    }

    fn told(forwarding: &Forwarding, begun: &[Connection]) -> Vec<Connection> {
        let policy = policy([pool("web", "192.168.101.100", forwarding)]);
        let tables = tables_on(&policy, &host(&policy), |_, _| Standing::Up);
        let datagrams = datagrams(begun, &tables, Packer::new(61, 1_500));
        let entries = datagrams.iter().flat_map(|datagram| read(&datagram.bytes, 61));
        entries.filter_map(|entry| entry.connection()).collect()
    }

    #[test]
    fn what_begins_with_a_real_server_of_ours_is_told() {
        let ours = connection("192.168.101.100:80", "192.168.101.110:80");
        let others = [
            connection("192.168.101.99:80", "192.168.101.110:80"),
            connection("192.168.101.100:80", "192.168.101.77:80"),
            // What begins at the real server, or is a probe of this host's own.
            connection("192.168.101.110:80", "192.168.101.10:40000"),
        ];
        let begun = [&others[..], &[ours]].concat();
        assert_eq!(told(&Forwarding::Nat, &begun), [ours]);
    }

    #[test]
    fn of_methods_that_leave_addresses_alone_tracking_does_not_know_the_real_server() {
        let ours = connection("192.168.101.100:80", "192.168.101.110:80");
        assert_eq!(told(&Forwarding::DirectRouting, &[ours]), []);
    }
}
