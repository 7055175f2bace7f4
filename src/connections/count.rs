//! How many entries of the connection table came from the other director (shell), for the metrics.
//!
//! The kernel has no counter of them: the table is read, line by line. That costs the kernel more than it costs us (it walks
//! the table from its start for each 4 KiB), so it ends at [`MOST_COUNTED`], and its user asks seldom and on a thread that
//! may block.

use super::lines::{Lines, WITH_ORIGIN, Which};
use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// Entries that are counted at most: about a tenth of a second of the kernel's time.
pub const MOST_COUNTED: usize = 65_536;

/// Entries by their origin; the sum is at most [`MOST_COUNTED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EntryCounts {
    /// Scheduled on this host.
    pub local: usize,
    /// Taken in by the backup daemon.
    pub synchronised: usize,
}

/// Counts the entries.
///
/// # Errors
/// When the table cannot be read: `NotFound` where the kernel has no IPVS.
pub fn count() -> io::Result<EntryCounts> {
    count_lines(BufReader::new(File::open(WITH_ORIGIN)?))
}

/// The ninth word of a line is the origin.
fn count_lines(lines: impl BufRead) -> io::Result<EntryCounts> {
    let mut counts = EntryCounts::default();
    let mut lines = Lines::new(lines, Which::All);
    for _ in 0..MOST_COUNTED {
        let Some(line) = lines.next()? else { break };
        match line.split_ascii_whitespace().nth(8) {
            Some("SYNC") => counts.synchronised += 1,
            Some(_) => counts.local += 1,
            None => {}
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_by_their_origin_up_to_a_bound() {
        let heading = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n";
        let local = "TCP C0A8660A C350 C0A86564 0050 C0A8656E 0050 ESTABLISHED LOCAL      899\n";
        let told = local.replace("LOCAL", "SYNC ");
        let text = format!("{heading}{local}{told}{told}");
        let counts = count_lines(text.as_bytes()).expect("text can be read");
        assert_eq!(counts, EntryCounts { local: 1, synchronised: 2 });
        let large = format!("{heading}{}", told.repeat(MOST_COUNTED + 1));
        let counts = count_lines(large.as_bytes()).expect("text can be read");
        assert_eq!(counts, EntryCounts { local: 0, synchronised: MOST_COUNTED });
    }
}
