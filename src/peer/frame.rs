//! Messages as frames on a stream: four bytes of length in network byte order, then as many bytes of JSON. Pure.

use super::message::Message;

/// Bytes of one message at most.
pub const MOST_BYTES: usize = 256 * 1024;
const HEAD: usize = 4;

/// Why a stream cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a message of {0} bytes was announced, and {MOST_BYTES} are the most")]
    TooLong(usize),
    #[error("a message cannot be read: {0}")]
    Malformed(String),
}

/// The bytes of a message.
///
/// # Errors
/// It is longer than a frame may be.
pub fn encode(message: &Message) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; HEAD];
    serde_json::to_writer(&mut bytes, message).map_err(|error| FrameError::Malformed(error.to_string()))?;
    let length = bytes.len() - HEAD;
    match u32::try_from(length) {
        Ok(number) if length <= MOST_BYTES => {
            bytes[..HEAD].copy_from_slice(&number.to_be_bytes());
            Ok(bytes)
        }
        _ => Err(FrameError::TooLong(length)),
    }
}

/// Takes in a stream as it comes, and gives out its messages. Holds no more than one frame and what was fed last.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    /// The next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message; `None` until more bytes have come.
    ///
    /// # Errors
    /// The stream cannot be read on: it must be closed.
    pub fn next_message(&mut self) -> Result<Option<Message>, FrameError> {
        let Some((head, rest)) = self.bytes.split_first_chunk::<HEAD>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > MOST_BYTES {
            return Err(FrameError::TooLong(length));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message =
            serde_json::from_slice(body).map_err(|error| FrameError::Malformed(error.to_string()))?;
        self.bytes.drain(..HEAD + length);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::message::{Hello, Versions};
    use proptest::prelude::*;

    fn hello() -> Message {
        Message::Hello(Hello { versions: Versions::OURS, director: "lb-a".into(), version: "0.1.0".into() })
    }

    #[test]
    fn messages_come_back_however_the_stream_is_cut() {
        let bytes = [encode(&hello()).expect("short"), encode(&Message::Unknown).expect("short")].concat();
        for size in 1..bytes.len() {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for part in bytes.chunks(size) {
                decoder.feed(part);
                while let Some(message) = decoder.next_message().expect("good bytes") {
                    found.push(message);
                }
            }
            assert_eq!(found, [hello(), Message::Unknown]);
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_by_its_length_alone() {
        let mut decoder = Decoder::default();
        decoder.feed(&u32::MAX.to_be_bytes());
        assert!(matches!(decoder.next_message(), Err(FrameError::TooLong(_))));
        let long = Hello {
            director: "x".repeat(MOST_BYTES).into(),
            versions: Versions::OURS,
            version: String::new(),
        };
        assert!(matches!(encode(&Message::Hello(long)), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn an_unknown_message_and_an_unknown_field_are_no_mistakes() {
        for body in [
            r#"{"type":"of_the_future","what":[1,2]}"#,
            r#"{"type":"hello","versions":{"oldest":1,"newest":9},"director":"lb-a","version":"9","new":{"a":1}}"#,
        ] {
            let mut decoder = Decoder::default();
            decoder.feed(&u32::try_from(body.len()).expect("short").to_be_bytes());
            decoder.feed(body.as_bytes());
            assert!(
                matches!(decoder.next_message(), Ok(Some(Message::Unknown | Message::Hello(_)))),
                "{body}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..8)) {
            let mut decoder = Decoder::default();
            for part in parts {
                decoder.feed(&part);
                while let Ok(Some(_)) = decoder.next_message() {}
            }
        }

        #[test]
        fn no_json_makes_it_panic(body in "\\{\"type\":\"(hello|report|pools|records)\"(,\"[a-z]{1,8}\":(1|null|\"x\"|\\[\\]|\\{\\})){0,5}\\}") {
            let mut decoder = Decoder::default();
            decoder.feed(&u32::try_from(body.len()).expect("short").to_be_bytes());
            decoder.feed(body.as_bytes());
            let _ = decoder.next_message();
        }
    }
}
