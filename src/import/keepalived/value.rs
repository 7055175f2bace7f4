//! Values: numbers, times, switches.

use super::tree::Statement;
use crate::import::verdict::{Judged, none};
use std::str::FromStr;

/// Why a value was not taken.
pub(super) fn bad(statement: &Statement) -> Option<Judged> {
    Some(none(format!("the value of {} cannot be read", statement.name())))
}

/// A value, or the verdict that it cannot be read: no keyword must seem taken that was not.
macro_rules! or_bad {
    ($value:expr, $statement:expr) => {
        match $value {
            Some(value) => value,
            None => return $crate::import::keepalived::value::bad($statement),
        }
    };
}
pub(super) use or_bad;

pub(super) fn number<T: FromStr>(statement: &Statement, nth: usize) -> Option<T> {
    statement.word(nth)?.parse().ok()
}

/// Seconds with a fraction, as whole milliseconds, rounded up: no time becomes 0 that was not.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.chars().all(|letter| letter.is_ascii_digit());
    if text.len() > 15 || !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let seconds: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let micro: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    seconds.checked_mul(1000)?.checked_add(micro.div_ceil(1000))
}

pub(super) fn time(statement: &Statement, nth: usize) -> Option<u64> {
    milliseconds(statement.word(nth)?)
}

/// A switch that is on where it says nothing.
pub(super) fn switch(statement: &Statement) -> bool {
    !matches!(statement.word(1), Some("off" | "false" | "no"))
}

/// A firewall mark, decimal or hexadecimal.
pub(super) fn mark(text: &str) -> Option<u32> {
    let mark = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    mark.filter(|mark| *mark > 0)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn fractions_of_a_second_are_milliseconds_rounded_up() {
        let read = ["1", "0.25", ".5", "3.312", "0.000001", "x", "", "1.2.3", "-1"].map(milliseconds);
        assert_eq!(read, [Some(1000), Some(250), Some(500), Some(3312), Some(1), None, None, None, None]);
    }
}
