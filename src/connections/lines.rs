//! The lines of the kernel's connection table, one after the other in one buffer: there may be a million of them.

use std::io::{self, BufRead};

/// Lines that are read at most.
const MOST: usize = 1_000_000;
/// What most of a busy table is. Nothing is left to be carried on of such a connection, and it is not worth a look.
const WAITS_OUT_ITS_TIME: &str = " TIME_WAIT ";

/// A table under reading.
#[derive(Debug)]
pub(super) struct Lines<Reader> {
    reader: Reader,
    line: String,
    read: usize,
}

impl<Reader: BufRead> Lines<Reader> {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, line: String::new(), read: 0 }
    }

    /// The next line of a connection that goes on, or of a template; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<&str>> {
        while self.read <= MOST {
            self.line.clear();
            if self.reader.read_line(&mut self.line)? == 0 {
                break;
            }
            self.read += 1;
            // The first is the heading.
            if self.read > 1 && !self.line.contains(WAITS_OUT_ITS_TIME) {
                return Ok(Some(&self.line));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heading_and_what_waits_out_its_time_are_passed_over() {
        let text = "Pro FromIP\nTCP 1 ESTABLISHED 2\nTCP 2 TIME_WAIT   3\nUDP 3 UDP   4\n";
        let mut lines = Lines::new(text.as_bytes());
        assert_eq!(lines.next().expect("text"), Some("TCP 1 ESTABLISHED 2\n"));
        assert_eq!(lines.next().expect("text"), Some("UDP 3 UDP   4\n"));
        assert_eq!(lines.next().expect("text"), None);
    }
}
