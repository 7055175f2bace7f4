//! The lines of the kernel's connection table, one after the other in one buffer: there may be a million of them.

use std::io::{self, BufRead};

/// The table with the origin of each entry, of the calling thread's network namespace.
pub(super) const WITH_ORIGIN: &str = "/proc/thread-self/net/ip_vs_conn_sync";
/// Lines that are read at most.
const MOST: usize = 1_000_000;
/// What most of a busy table is.
const WAITS_OUT_ITS_TIME: &str = " TIME_WAIT ";

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Of connections that only wait out their time nothing is left to be carried on: they are not worth a look.
    Going,
}

/// A table under reading.
#[derive(Debug)]
pub(super) struct Lines<Reader> {
    reader: Reader,
    which: Which,
    line: String,
    read: usize,
}

impl<Reader: BufRead> Lines<Reader> {
    pub(super) fn new(reader: Reader, which: Which) -> Self {
        Self { reader, which, line: String::new(), read: 0 }
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<&str>> {
        while self.read <= MOST {
            self.line.clear();
            if self.reader.read_line(&mut self.line)? == 0 {
                break;
            }
            self.read += 1;
            // The first is the heading.
            let wanted = self.which == Which::All || !self.line.contains(WAITS_OUT_ITS_TIME);
            if self.read > 1 && wanted {
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
        let mut lines = Lines::new(text.as_bytes(), Which::All);
        assert_eq!(std::iter::from_fn(|| lines.next().expect("text").map(drop)).count(), 3);
        let mut lines = Lines::new(text.as_bytes(), Which::Going);
        assert_eq!(lines.next().expect("text"), Some("TCP 1 ESTABLISHED 2\n"));
        assert_eq!(lines.next().expect("text"), Some("UDP 3 UDP   4\n"));
        assert_eq!(lines.next().expect("text"), None);
    }
}
