//! One connection between two directors, once the handshake is through (shell): hello, then both ends tell what they know until one
//! of them is gone. Reading and writing go on side by side: an end that only reads, or only writes, stalls nothing but this
//! connection, and that for a bounded time.

use super::fault::Fault;
use super::frame::{self, Decoder};
use super::message::{Hello, Message};
use super::shared::Shared;
use super::telling::{PAST_EVENTS, Told};
use crate::control::EventQuery;
use crate::director::chronicle::Book;
use crate::model::DirectorName;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, interval, timeout, timeout_at};

/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;
/// Messages in one second: all pools and records of the largest site are a tenth of it.
const MOST_IN_A_SECOND: u32 = 1_000;

/// Talks with `name` until the connection is over; why it is.
pub(super) async fn run<S>(stream: S, name: &DirectorName, shared: &Shared)
where
    S: AsyncRead + AsyncWrite,
{
    let (reader, writer) = split(stream);
    let mut reader = Reader { half: reader, decoder: Decoder::default(), silence: shared.pace.silence };
    let mut writer = Writer { half: writer, longest: shared.pace.write };
    let hello = match timeout(shared.pace.handshake, greet(&mut reader, &mut writer, shared)).await {
        Ok(Ok(hello)) => hello,
        Ok(Err(fault)) => return shared.failed(name, fault),
        Err(_) => return shared.failed(name, Fault::TimedOut(shared.pace.handshake.as_secs())),
    };
    if hello.director != *name {
        return shared.failed(name, Fault::WrongKey);
    }
    let Some(link) = shared.joined(name, &hello) else { return };
    let told = Mutex::new(Told::default());
    let fault = tokio::select! {
        fault = listen(&mut reader, name, link, &told, shared) => fault,
        fault = tell(&mut writer, name, link, &told, shared) => fault,
    };
    shared.left(name, link, fault);
    // The other end is told that nothing was cut off; it has a moment to take that in.
    timeout(Duration::from_millis(100), writer.half.shutdown()).await.ok();
}

async fn greet<S: AsyncRead + AsyncWrite>(
    reader: &mut Reader<S>,
    writer: &mut Writer<S>,
    shared: &Shared,
) -> Result<Hello, Fault> {
    writer.send(&shared.hello()).await?;
    let Message::Hello(hello) = reader.next().await? else { return Err(Fault::NoHello) };
    match shared.versions.common(hello.versions) {
        Some(_) => Ok(hello),
        None => Err(Fault::Version(hello.versions, shared.versions)),
    }
}

/// Takes in what comes.
async fn listen<S: AsyncRead>(
    reader: &mut Reader<S>,
    name: &DirectorName,
    link: u64,
    told: &Mutex<Told>,
    shared: &Shared,
) -> Fault {
    let (mut second, mut count) = (Instant::now(), 0);
    loop {
        let message = match reader.next().await {
            Ok(message) => message,
            Err(fault) => return fault,
        };
        if second.elapsed() > Duration::from_secs(1) {
            (second, count) = (Instant::now(), 0);
        }
        count += 1;
        if count > MOST_IN_A_SECOND {
            return Fault::TooMuch(MOST_IN_A_SECOND);
        }
        if let Message::Records { records } = message {
            {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                records.iter().for_each(|record| told.note(record));
            }
            shared.known.records.merge(records);
        } else if !shared.said(name, link, message) {
            return Fault::Replaced;
        }
        // Whoever else waits on this thread has its turn, however much comes.
        tokio::task::yield_now().await;
    }
}

/// Tells what there is to tell.
async fn tell<S: AsyncWrite>(
    writer: &mut Writer<S>,
    name: &DirectorName,
    link: u64,
    told: &Mutex<Told>,
    shared: &Shared,
) -> Fault {
    let mut changes = shared.known.records.watch();
    changes.mark_changed();
    let mut sights = shared.known.sightings.watch();
    sights.mark_changed();
    let mut ticks = interval(shared.pace.tick);
    loop {
        let messages = tokio::select! {
            _ = ticks.tick() => views(told, shared),
            // Both outlive every connection.
            _ = changes.changed() => records(told, shared),
            _ = sights.changed() => {
                let now = Arc::clone(&sights.borrow_and_update());
                told.lock().unwrap_or_else(PoisonError::into_inner).sights(now)
            }
        };
        for message in messages {
            if let Err(fault) = writer.send(&message).await {
                return fault;
            }
        }
        if !shared.is_current(name, link) {
            return Fault::Replaced;
        }
    }
}

fn views(told: &Mutex<Told>, shared: &Shared) -> Vec<Message> {
    let own = shared.own.load();
    // Before the event loop has told anything, there is still a sign of life.
    let report = own.report.clone().unwrap_or_default();
    let mut messages = told.lock().unwrap_or_else(PoisonError::into_inner).pools(&own.pools);
    messages.insert(0, Message::Report(Box::new(report)));
    messages.extend(events(told, &own.book));
    messages
}

/// What happened since it was told last; at the begin of a connection the last things of before.
fn events(told: &Mutex<Told>, book: &Book) -> Vec<Message> {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    // A book that has gone back is another one.
    let last = told.last_event().filter(|last| *last <= book.last_id());
    let query = EventQuery { after: last, ..EventQuery::default() };
    let found = book.find(&query, PAST_EVENTS);
    let newest = found.events.last().map(|event| event.id);
    told.events(&found.events, newest.or(last).unwrap_or_default())
}

fn records(told: &Mutex<Told>, shared: &Shared) -> Vec<Message> {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    shared.known.records.with(|mirror| told.records(mirror.all()))
}

struct Reader<S> {
    half: ReadHalf<S>,
    decoder: Decoder,
    silence: Duration,
}

impl<S: AsyncRead> Reader<S> {
    /// The next message, which must be whole within the time that a silent peer has.
    async fn next(&mut self) -> Result<Message, Fault> {
        let until = Instant::now() + self.silence;
        let mut bytes = [0; READ_BYTES];
        loop {
            if let Some(message) = self.decoder.next_message()? {
                return Ok(message);
            }
            let read = timeout_at(until, self.half.read(&mut bytes)).await;
            match read.map_err(|_| Fault::Silent(self.silence.as_secs()))?.map_err(Fault::of_stream)? {
                0 => return Err(Fault::Closed),
                count => self.decoder.feed(&bytes[..count]),
            }
        }
    }
}

struct Writer<S> {
    half: WriteHalf<S>,
    longest: Duration,
}

impl<S: AsyncWrite> Writer<S> {
    async fn send(&mut self, message: &Message) -> Result<(), Fault> {
        let bytes = frame::encode(message)?;
        let write = async {
            self.half.write_all(&bytes).await?;
            self.half.flush().await
        };
        let written = timeout(self.longest, write).await;
        written.map_err(|_| Fault::Slow(self.longest.as_secs()))?.map_err(Fault::of_stream)
    }
}
