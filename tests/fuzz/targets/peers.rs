//! What another director says over the channel: frames however they are cut, and messages with any values in them. What can be
//! read can be written, and is read again as the same; what is kept of it is bounded.

use super::bytes::Bytes;
use tandem::control::OverrideRecord;
use tandem::model::{DirectorName, Override};
use tandem::peer::frame::{Decoder, MOST_BYTES, encode};
use tandem::peer::happened::Happened;
use tandem::peer::heard::Heard;
use tandem::peer::message::Message;
use tandem::peer::{Known, Record};
use tandem::time::{Instant, utc};

/// The first byte: 0 for frames as they are, cut into pieces of the second byte; else one message for each line.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let (form, size) = (bytes.byte(), usize::from(bytes.byte()).max(1));
    let mut world = World::default();
    if form == 0 {
        let mut decoder = Decoder::default();
        for piece in bytes.0.chunks(size) {
            decoder.feed(piece);
            while let Ok(Some(message)) = decoder.next_message() {
                world.hears(message);
            }
        }
        return;
    }
    for line in data.split(|byte| *byte == b'\n').take(64) {
        let mut frame = u32::try_from(line.len()).expect("a short line").to_be_bytes().to_vec();
        frame.extend(line);
        let mut decoder = Decoder::default();
        decoder.feed(&frame);
        if let Ok(Some(message)) = decoder.next_message() {
            world.hears(message);
        }
    }
}

/// Everything that keeps something of what was said.
#[derive(Default)]
struct World {
    heard: Heard,
    happened: Happened,
    known: Known,
}

impl World {
    fn hears(&mut self, message: Message) {
        comes_back(&message);
        let director: DirectorName = "lb-b".into();
        match message {
            Message::Report(report) => self.heard.report(*report, Instant::ZERO),
            Message::Pools(pools) => self.heard.pools(pools),
            Message::Sights { anew, sights } => {
                for sight in sights.values() {
                    let _ = (sight.is_of(7), sight.sees(usize::MAX));
                }
                self.known.sightings.heard(&director, anew, sights);
            }
            Message::Events { events } => {
                self.happened.take(&director, events);
                self.happened.events().for_each(|event| drop(utc(event.unix_ms)));
            }
            Message::Records { records } => {
                self.known.records.merge(records);
                self.known.records.all().iter().for_each(an_override);
                self.known.records.forget(u64::MAX);
            }
            Message::Hello(_) | Message::Unknown => {}
        }
    }
}

fn comes_back(message: &Message) {
    // What was said in few bytes may take more of ours: every field that was left out is written.
    let Ok(written) = encode(message) else { return };
    assert!(written.len() <= MOST_BYTES + 4);
    let mut decoder = Decoder::default();
    decoder.feed(&written);
    assert_eq!(decoder.next_message().as_ref().map(Option::as_ref), Ok(Some(message)));
    assert_eq!(decoder.next_message(), Ok(None), "bytes are left");
}

/// A record may be an override; what is taken of one is given on as the same.
fn an_override(record: &Record) {
    let said = record.body.clone().and_then(|body| serde_json::from_value::<OverrideRecord>(body).ok());
    let Some(Ok(given)) = said.map(Override::try_from) else { return };
    assert_eq!(Override::try_from(OverrideRecord::from(&given)).as_ref(), Ok(&given));
}
