//! Numbers as people read them. Pure.

/// A time in milliseconds: `40 ms`, `12s`, `3m12s`, `3h12m`, `5d3h`: two units at most.
pub(super) fn time(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// `1 pool`, `2 pools`.
pub(super) fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        for (milliseconds, words) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (59_999, "59s"),
            (192_000, "3m12s"),
            (11_520_000, "3h12m"),
            (5 * 86_400_000 + 3 * 3_600_000 + 59_000, "5d3h"),
        ] {
            assert_eq!(time(milliseconds), words);
        }
    }
}
