//! Messages of connections at a pace that the other kernel stands (shell).

use super::message::Datagram;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// Records a second: the other kernel takes one in a few microseconds, and holds some 90 datagrams of 40 for later.
const RECORDS_A_SECOND: u32 = 20_000;

/// Sends datagrams at the pace, until the time is up.
pub(super) struct Sender<Send> {
    send: Send,
    start: Instant,
    by: Instant,
    /// What is to go.
    pub(super) queue: VecDeque<Datagram>,
    /// What has gone.
    pub(super) datagrams: usize,
    pub(super) records: usize,
}

impl<Send: FnMut(&[u8]) -> io::Result<()>> Sender<Send> {
    pub(super) fn new(send: Send, by: Instant) -> Self {
        Self { send, start: Instant::now(), by, queue: VecDeque::new(), datagrams: 0, records: 0 }
    }

    /// When the next datagram may go.
    fn due(&self) -> Instant {
        let records = u32::try_from(self.records).unwrap_or(u32::MAX);
        self.start + Duration::from_secs(1) / RECORDS_A_SECOND * records
    }

    /// Without waiting; false when the time is up.
    pub(super) fn send_what_is_due(&mut self) -> io::Result<bool> {
        if self.queue.is_empty() {
            return Ok(true);
        }
        let now = Instant::now();
        while self.due() <= now.min(self.by) {
            let Some(datagram) = self.queue.pop_front() else { break };
            (self.send)(&datagram.bytes)?;
            self.datagrams += 1;
            self.records += usize::from(datagram.records);
        }
        Ok(now < self.by)
    }

    /// Sends the rest; false when the time did not suffice.
    pub(super) fn drain(&mut self) -> io::Result<bool> {
        while !self.queue.is_empty() {
            if self.due() > self.by {
                return Ok(false);
            }
            pause(self.due().saturating_duration_since(Instant::now()));
            if !self.send_what_is_due()? {
                return Ok(self.queue.is_empty());
            }
        }
        Ok(true)
    }
}

/// There is no condition to wait for: the other side says nothing.
#[expect(clippy::disallowed_methods, reason = "a pace, on a thread that does nothing else")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
