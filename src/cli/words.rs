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

/// A moment in UTC, as RFC 3339 writes it, with milliseconds: `2026-11-29T05:48:15.123Z`.
pub(super) fn utc(unix_ms: u64) -> String {
    let (days, day_ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (day_ms / 3_600_000, day_ms / 60_000 % 60, day_ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", day_ms % 1_000)
}

/// Year, month and day of a number of days since 1970-01-01. Counted from 0000-03-01, so that the leap day is the last of its
/// year: 400 years have 146,097 days, and the months from March on 31, 30, 31, 30, 31 days again and again.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// `1 pool`, `2 pools`.
pub(super) fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_its_date() {
        for (unix_ms, date) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_700_000_000_007, "2023-11-14T22:13:20.007Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(unix_ms), date);
        }
    }

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
