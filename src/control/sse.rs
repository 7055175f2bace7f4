//! Server-sent events as they arrive: bytes in, events out (HTML Living Standard, section 9.2.6). Pure.

/// Bytes of a line, and of all lines of an event, at most: more than any event has.
const LONGEST: usize = 64 * 1024;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Empty for the usual one.
    pub event: String,
    pub data: String,
}

/// What has come of a stream.
#[derive(Debug, Default)]
pub struct Stream {
    rest: Vec<u8>,
    begun: Message,
}

impl Stream {
    /// The events that these bytes complete. `None`: what comes is no stream of events.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Vec<Message>> {
        self.rest.extend(bytes);
        let mut messages = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8(line).ok()?;
            messages.extend(self.line(line.trim_end_matches(['\r', '\n'])));
        }
        (self.rest.len() <= LONGEST && self.begun.data.len() <= LONGEST).then_some(messages)
    }

    /// An empty line ends an event.
    fn line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.begun);
            return Some(message).filter(|message| !message.data.is_empty());
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.begun.event),
            "data" => {
                if !self.begun.data.is_empty() {
                    self.begun.data.push('\n');
                }
                self.begun.data.push_str(value);
            }
            // Comments, and what we have no use for.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_their_bytes_come() {
        let text =
            ": still here\n\nid: 7\ndata: {\"a\":1}\n\nevent: lost\r\ndata: 12\r\n\r\ndata:x\ndata: y\n\n";
        let message = |event: &str, data: &str| Message { event: event.to_owned(), data: data.to_owned() };
        let expected = [message("", "{\"a\":1}"), message("lost", "12"), message("", "x\ny")];
        let mut stream = Stream::default();
        assert_eq!(stream.push(text.as_bytes()).expect("a stream"), expected);
        let mut stream = Stream::default();
        let by_byte = text.bytes().flat_map(|byte| stream.push(&[byte]).expect("a stream"));
        assert_eq!(by_byte.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_never_ends_a_line_is_no_stream() {
        assert_eq!(Stream::default().push(&vec![b'x'; LONGEST + 1]), None);
    }

    #[test]
    fn lines_that_never_end_an_event_are_no_stream() {
        let mut stream = Stream::default();
        let line = format!("data: {}\n", "x".repeat(LONGEST / 4));
        assert_eq!(
            (0..5).map(|_| stream.push(line.as_bytes()).is_some()).collect::<Vec<_>>(),
            [true, true, true, false, false]
        );
    }
}
