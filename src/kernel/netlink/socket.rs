//! A blocking conversation with the kernel over one netlink socket.
//!
//! - Many changes travel in one system call. Only the last of a batch asks for an acknowledgement; the kernel answers a
//!   message that failed in any case (`netlink_rcv_skb`), in the order of the batch, so when the last one's answer is there
//!   everything without an answer has succeeded.
//! - Nothing hangs: the kernel works inside our `send`, so an answer that is not there after [`ANSWER_TIMEOUT`] is lost.
//! - After any trouble of the transport (time-out, `ENOBUFS`) the socket is thrown away, and with it every late answer. What
//!   had no answer then counts as failed: the next observation tells what really happened.
//!
//! It does not know what the messages mean, and repeats nothing but interrupted dumps.

use super::codec::{Attribute, Attributes, Datagram, HEADER_BYTES, Message, Received, u32_at};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR,
};
use netlink_sys::{Socket, SocketAddr};
use socket2::SockRef;
use std::fmt;
use std::io;
use std::time::Duration;

/// Messages in one `send`. Between 32 and 128 the kernel's own work is all that is left of the cost.
const BATCH_MESSAGES_MAX: usize = 64;
/// Bytes in one `send`, far above 64 of our messages.
const BATCH_BYTES_MAX: usize = 64 * 1024;
/// A whole batch of errors must fit: each is a datagram that the kernel counts as up to 1,280 bytes.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;
const SEND_BUFFER_BYTES: usize = 2 * BATCH_BYTES_MAX;
/// One datagram. The kernel fills a dump's datagrams up to 32 KiB where the reader offers as much.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
/// How long one answer may take: loading a scheduler's module is the slowest thing that a message can cause.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a dump is begun again because the table changed under it.
const DUMP_ATTEMPTS_MAX: usize = 5;
/// How many signals may interrupt one receive.
const INTERRUPTIONS_MAX: usize = 64;
/// `NLMSGERR_ATTR_MSG`: the extended acknowledgement's sentence.
const NLMSGERR_ATTR_MSG: u16 = 1;

/// The kernel's refusal, or the failure to ask it (`ETIMEDOUT`, `ENOBUFS`, …).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetlinkError {
    /// Positive.
    pub(crate) errno: i32,
    /// The kernel's own sentence, where it gave one.
    pub(crate) detail: Option<String>,
}

impl NetlinkError {
    pub(crate) const fn from_errno(errno: i32) -> Self {
        Self { errno, detail: None }
    }

    pub(super) fn from_io(error: &io::Error) -> Self {
        let errno = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => libc::ETIMEDOUT,
            _ => error.raw_os_error().unwrap_or(libc::EIO),
        };
        Self::from_errno(errno)
    }

    /// From the payload of `NLMSG_ERROR`: `None` is the acknowledgement of a success.
    pub(crate) fn from_error_message(received: &Received<'_>) -> Option<Self> {
        let errno = errno_at(received.payload)?;
        // Behind the errno comes our own message, or with NLM_F_CAPPED its header only; then the attributes.
        let own_bytes = if received.flags & NLM_F_CAPPED == 0 {
            u32_at(received.payload, 4).and_then(|length| usize::try_from(length).ok()).unwrap_or_default()
        } else {
            HEADER_BYTES
        };
        let start = 4_usize.saturating_add(own_bytes).next_multiple_of(4);
        let tail = received.payload.get(start..).filter(|_| received.flags & NLM_F_ACK_TLVS != 0);
        let detail = Attributes(tail.unwrap_or_default()).find(NLMSGERR_ATTR_MSG).map(Attribute::string);
        Some(Self { errno, detail })
    }
}

/// The errno's words, and the kernel's sentence where there is one.
impl fmt::Display for NetlinkError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&crate::kernel::error::words_of(self.errno))?;
        match &self.detail {
            Some(detail) => write!(formatter, " ({detail})"),
            None => Ok(()),
        }
    }
}

/// A negative number at the start of `payload`, as a positive errno; zero is no error.
fn errno_at(payload: &[u8]) -> Option<i32> {
    let code = i32::from_ne_bytes(*payload.first_chunk()?);
    (code != 0).then_some(code.saturating_abs())
}

/// One conversation, with the kernel alone: the socket is connected to it, so no other process can answer.
pub(crate) struct Netlink {
    protocol: isize,
    /// `None` after trouble; opened again by the next call.
    socket: Option<Socket>,
    next_sequence: u32,
    receive_buffer: Vec<u8>,
}

impl fmt::Debug for Netlink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Netlink").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Netlink {
    /// A conversation with this protocol (`NETLINK_*`) in the network namespace of the calling thread.
    pub(crate) fn open(protocol: isize) -> Result<Self, NetlinkError> {
        let socket = open_socket(protocol).map_err(|error| NetlinkError::from_io(&error))?;
        let receive_buffer = Vec::with_capacity(DATAGRAM_BYTES_MAX);
        Ok(Self { protocol, socket: Some(socket), next_sequence: 1, receive_buffer })
    }

    /// Sends one question and returns the payload of its answer.
    pub(crate) fn request(&mut self, message: &Message) -> Result<Vec<u8>, NetlinkError> {
        let sequence = self.send(std::slice::from_ref(message))?;
        let mut answer = Vec::new();
        self.receive_until(|received| match (received.sequence == sequence, received.message_type) {
            (false, _) => None,
            (true, NLMSG_ERROR) => Some(NetlinkError::from_error_message(received).map_or(Ok(()), Err)),
            (true, _) => {
                answer = received.payload.to_vec();
                None
            }
        })??;
        Ok(answer)
    }

    /// Sends changes, as many at once as a batch may hold, and returns one result for each, in order.
    pub(crate) fn change(
        &mut self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Vec<Result<(), NetlinkError>> {
        let mut results = Vec::new();
        let mut batch = Vec::with_capacity(BATCH_MESSAGES_MAX);
        for message in messages {
            if !fits(&batch, &message) {
                results.extend(self.change_batch(&batch));
                batch.clear();
            }
            batch.push(message);
        }
        if !batch.is_empty() {
            results.extend(self.change_batch(&batch));
        }
        results
    }

    fn change_batch(&mut self, batch: &[Message]) -> Vec<Result<(), NetlinkError>> {
        let mut errors: Vec<Option<NetlinkError>> = vec![None; batch.len()];
        let mut answered = vec![false; batch.len()];
        let outcome = self.send(batch).and_then(|last| {
            let first = last.wrapping_sub(u32::try_from(batch.len() - 1).unwrap_or(u32::MAX));
            self.receive_until(|received| {
                let index = usize::try_from(received.sequence.wrapping_sub(first)).unwrap_or(usize::MAX);
                if received.message_type == NLMSG_ERROR && index < batch.len() {
                    errors[index] = NetlinkError::from_error_message(received);
                    answered[index] = true;
                }
                answered.last().copied().unwrap_or(true).then_some(())
            })
        });
        let lost = outcome.err();
        let result_of = |(error, answered): (Option<NetlinkError>, bool)| match (error, &lost, answered) {
            (Some(error), _, _) => Err(error),
            (None, Some(lost), false) => Err(lost.clone()),
            (None, _, _) => Ok(()),
        };
        errors.into_iter().zip(answered).map(result_of).collect()
    }

    /// Sends one question for a whole table and decodes each of its entries; what `decode` declines is left out.
    pub(crate) fn dump<T>(
        &mut self,
        message: &Message,
        decode: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..DUMP_ATTEMPTS_MAX {
            if let Some(entries) = self.dump_once(message, &decode)? {
                return Ok(entries);
            }
        }
        Err(NetlinkError {
            errno: libc::EINTR,
            detail: Some(format!("the table changed during each of {DUMP_ATTEMPTS_MAX} attempts to read it")),
        })
    }

    /// One attempt; `None` when the table changed meanwhile.
    fn dump_once<T>(
        &mut self,
        message: &Message,
        decode: &impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<Vec<T>>, NetlinkError> {
        let sequence = self.send_flagged(std::slice::from_ref(message), NLM_F_DUMP)?;
        let mut entries = Vec::new();
        let mut interrupted = false;
        self.receive_until(|received| {
            if received.sequence != sequence {
                return None;
            }
            interrupted |= received.flags & NLM_F_DUMP_INTR != 0;
            match received.message_type {
                NLMSG_DONE => {
                    Some(errno_at(received.payload).map(NetlinkError::from_errno).map_or(Ok(()), Err))
                }
                NLMSG_ERROR => Some(NetlinkError::from_error_message(received).map_or(Ok(()), Err)),
                _ => {
                    entries.extend(decode(received.payload));
                    None
                }
            }
        })??;
        Ok((!interrupted).then_some(entries))
    }

    /// Sends messages in one system call, the last with a wish to be acknowledged; returns that one's sequence number.
    fn send(&mut self, messages: &[Message]) -> Result<u32, NetlinkError> {
        self.send_flagged(messages, NLM_F_ACK)
    }

    fn send_flagged(&mut self, messages: &[Message], last_flags: u16) -> Result<u32, NetlinkError> {
        let mut wire = Vec::with_capacity(messages.iter().map(Message::len).sum());
        let mut sequence = self.next_sequence;
        for (index, message) in messages.iter().enumerate() {
            sequence = self.next_sequence;
            self.next_sequence = self.next_sequence.wrapping_add(1);
            message.emit(&mut wire, sequence, if index + 1 == messages.len() { last_flags } else { 0 });
        }
        let sent = self.socket().and_then(|socket| socket.send(&wire, 0));
        self.checked(sent.map(|_| sequence))
    }

    /// Receives until `judge` says of a message that it was the last, and hands back what it said.
    fn receive_until<T>(
        &mut self,
        mut judge: impl FnMut(&Received<'_>) -> Option<T>,
    ) -> Result<T, NetlinkError> {
        loop {
            let received = self.receive();
            self.checked(received)?;
            // Every message of the datagram is judged, though the first verdict counts: nothing may be left over.
            let verdicts: Vec<T> =
                Datagram(&self.receive_buffer).filter_map(|received| judge(&received)).collect();
            if let Some(verdict) = verdicts.into_iter().next() {
                return Ok(verdict);
            }
        }
    }

    /// Fills the receive buffer with one datagram.
    fn receive(&mut self) -> io::Result<()> {
        for _ in 0..INTERRUPTIONS_MAX {
            self.receive_buffer.clear();
            let socket = self.socket.as_ref().ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTCONN))?;
            match socket.recv(&mut self.receive_buffer, libc::MSG_TRUNC) {
                Ok(length) if length > self.receive_buffer.len() => {
                    return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
                }
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from_raw_os_error(libc::EINTR))
    }

    fn socket(&mut self) -> io::Result<&Socket> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => open_socket(self.protocol)?,
        };
        Ok(self.socket.insert(socket))
    }

    /// Throws the socket away after trouble.
    fn checked<T>(&mut self, outcome: io::Result<T>) -> Result<T, NetlinkError> {
        outcome.map_err(|error| {
            self.socket = None;
            NetlinkError::from_io(&error)
        })
    }
}

/// Whether `message` still goes into this batch; an empty one takes any.
fn fits(batch: &[Message], message: &Message) -> bool {
    let bytes: usize = batch.iter().map(Message::len).sum();
    batch.is_empty() || (batch.len() < BATCH_MESSAGES_MAX && bytes + message.len() <= BATCH_BYTES_MAX)
}

fn open_socket(protocol: isize) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let options = SockRef::from(&socket);
    options.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    options.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    options.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    options.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    // Refusals without a copy of our message, and with the kernel's own sentence (Linux 4.2 and 4.12).
    socket.set_cap_ack(true)?;
    socket.set_ext_ack(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_of(payload_bytes: usize) -> Message {
        let mut message = Message::new(1, 0);
        message.put(1, &vec![0; payload_bytes]);
        message
    }

    #[test]
    fn a_batch_is_bounded_in_messages_and_in_bytes_and_never_empty() {
        let small = message_of(8);
        assert!(fits(&vec![small.clone(); BATCH_MESSAGES_MAX - 1], &small));
        assert!(!fits(&vec![small.clone(); BATCH_MESSAGES_MAX], &small));
        let large = message_of(60_000);
        assert!(fits(&[], &large));
        assert!(!fits(std::slice::from_ref(&large), &large));
    }

    #[test]
    fn a_refusal_carries_the_errno_and_the_kernels_sentence() {
        let mut attributes = Message::new(0, 0);
        attributes.put_string(NLMSGERR_ATTR_MSG, "no such thing");
        let mut payload = (-libc::ENOENT).to_ne_bytes().to_vec();
        payload.extend_from_slice(&[0; HEADER_BYTES]);
        payload.extend_from_slice(&super::super::attributes_of(&attributes, 0));
        let received = Received {
            message_type: NLMSG_ERROR,
            flags: NLM_F_CAPPED | NLM_F_ACK_TLVS,
            sequence: 1,
            payload: &payload,
        };
        let error = NetlinkError::from_error_message(&received).expect("an error");
        assert_eq!(error.to_string(), "No such file or directory (no such thing)");
        let success = Received { payload: &[0; 20], ..received };
        assert_eq!(NetlinkError::from_error_message(&success), None);
    }

    #[test]
    fn the_running_kernel_answers_each_message_of_a_batch_and_says_which_failed() {
        let mut netlink = Netlink::open(netlink_sys::protocols::NETLINK_GENERIC).expect("a netlink socket");
        // A request of the control family with a command that it does not have fails; a no-op is only acknowledged.
        let bad = Message::new(0x10, 0).header(&[200, 2, 0, 0]);
        let good = Message::new(netlink_packet_core::NLMSG_NOOP, 0);
        let results = netlink.change([good.clone(), bad.clone(), good.clone(), bad, good]);
        let worked: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_eq!(worked, [true, false, true, false, true]);
        assert_eq!(results[1].as_ref().map_err(|error| error.errno), Err(libc::EOPNOTSUPP));
    }
}
