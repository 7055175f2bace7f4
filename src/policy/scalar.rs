//! Plain values: text, booleans, numbers and durations, each with its bounds in its type.

use super::codes::Code;
use super::diagnostic::{Diagnostic, Problems, quoted};
use super::node::Node;
use super::read::{Read, wrong_type};
use crate::time::milliseconds;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::time::Duration;

/// Text without control characters; numbers and words without quotes are text too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text(pub(super) String);

impl Read for Text {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(text) = node.scalar() else {
            problems.push(wrong_type(node, "text"));
            return None;
        };
        let message = match text {
            "" => "this text is empty".to_owned(),
            _ if text.chars().any(char::is_control) => format!("{} holds control characters", quoted(text)),
            _ => return Some(Self(text.to_owned())),
        };
        problems
            .push(Diagnostic::new(Code::BadText, node.span, message).help("write one line of visible text"));
        None
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flag(pub(super) bool);

impl Read for Flag {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node.plain() {
            Some("true") => Some(Self(true)),
            Some("false") => Some(Self(false)),
            _ => {
                let message = format!("expected true or false, found {}", node.found());
                problems.push(Diagnostic::new(Code::NotABoolean, node.span, message).help(flag_help(node)));
                None
            }
        }
    }
}

fn flag_help(node: &Node) -> &'static str {
    match node.scalar().map(str::to_lowercase).as_deref() {
        Some("yes" | "on" | "true" | "y" | "1" | "enabled") => "write `true`, without quotes",
        Some("no" | "off" | "false" | "n" | "0" | "disabled") => "write `false`, without quotes",
        _ => "write `true` or `false`",
    }
}

impl JsonSchema for Flag {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Flag".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "boolean"})
    }
}

/// A whole number, `LEAST..=MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number<const LEAST: u32, const MOST: u32>(pub(super) u32);

/// A port that something listens on.
pub(super) type Port = Number<1, 65535>;

impl<const LEAST: u32, const MOST: u32> Number<LEAST, MOST> {
    /// The number as a port; bounds above 65535 are never ports.
    pub(super) fn port(self) -> u16 {
        u16::try_from(self.0).unwrap_or(u16::MAX)
    }
}

impl<const LEAST: u32, const MOST: u32> Read for Number<LEAST, MOST> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let digits = node
            .plain()
            .filter(|text| text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit()));
        let Some(digits) = digits.filter(|text| *text != "-") else {
            problems.push(wrong_type(node, "a whole number"));
            return None;
        };
        let number = digits.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
        if number.is_none() {
            let message = format!("{} is not between {LEAST} and {MOST}", quoted(digits));
            problems.push(
                Diagnostic::new(Code::OutOfRange, node.span, message)
                    .help(format!("write a whole number from {LEAST} to {MOST}")),
            );
        }
        number.map(Self)
    }
}

impl<const LEAST: u32, const MOST: u32> JsonSchema for Number<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Number_{LEAST}_{MOST}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": LEAST, "maximum": MOST})
    }
}

/// A share with its sign, `LEAST%..=MOST%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Percent<const LEAST: u32, const MOST: u32>(pub(super) u32);

impl<const LEAST: u32, const MOST: u32> Read for Percent<LEAST, MOST> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = node.scalar().unwrap_or_default();
        let digits = text.strip_suffix('%').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            problems.push(wrong_type(node, "a share such as `10%`"));
            return None;
        }
        let share = digits.parse().ok().filter(|share| (LEAST..=MOST).contains(share));
        let message = match share {
            Some(share) if digits.len() < text.len() => return Some(Self(share)),
            Some(_) => format!("the share {} has no sign", quoted(text)),
            None => format!("{} is not between {LEAST}% and {MOST}%", quoted(text)),
        };
        let help = share.map_or_else(
            || format!("write {LEAST}% to {MOST}%"),
            |share| format!("write `{share}%`, for so many hundredths"),
        );
        problems.push(Diagnostic::new(Code::OutOfRange, node.span, message).help(help));
        None
    }
}

impl<const LEAST: u32, const MOST: u32> JsonSchema for Percent<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Percent_{LEAST}_{MOST}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+%$"})
    }
}

/// A whole number that may be negative, `LEAST..=MOST`, never 0: something that is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change<const LEAST: i16, const MOST: i16>(pub(super) i16);

impl<const LEAST: i16, const MOST: i16> Read for Change<LEAST, MOST> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let number = node.plain().and_then(|text| text.parse::<i64>().ok());
        let Some(number) = number else {
            problems.push(wrong_type(node, "a whole number"));
            return None;
        };
        let fitting =
            i16::try_from(number).ok().filter(|number| *number != 0 && (LEAST..=MOST).contains(number));
        if fitting.is_none() {
            let message = format!("{number} is not between {LEAST} and {MOST}, or is 0");
            problems.push(
                Diagnostic::new(Code::OutOfRange, node.span, message)
                    .help(format!("write a whole number from {LEAST} to {MOST} that is not 0")),
            );
        }
        fitting.map(Self)
    }
}

impl<const LEAST: i16, const MOST: i16> JsonSchema for Change<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Change_{LEAST}_{MOST}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": LEAST, "maximum": MOST, "not": {"const": 0}})
    }
}

/// A duration with its unit, `LEAST_MS..=MOST_MS` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time<const LEAST_MS: u64, const MOST_MS: u64>(pub(super) Duration);

impl<const LEAST_MS: u64, const MOST_MS: u64> Read for Time<LEAST_MS, MOST_MS> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let milliseconds = read_milliseconds(node, problems)?;
        if (LEAST_MS..=MOST_MS).contains(&milliseconds) {
            return Some(Self(Duration::from_millis(milliseconds)));
        }
        let (least, most) = (duration_text(LEAST_MS), duration_text(MOST_MS));
        let message = format!("{} is not between {least} and {most}", node.found());
        problems.push(
            Diagnostic::new(Code::OutOfRange, node.span, message)
                .help(format!("write a duration from {least} to {most}")),
        );
        None
    }
}

impl<const LEAST_MS: u64, const MOST_MS: u64> JsonSchema for Time<LEAST_MS, MOST_MS> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Time_{LEAST_MS}_{MOST_MS}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        duration_schema()
    }
}

/// A duration of whole seconds, 1 to `MOST_S`, as the kernel counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds<const MOST_S: u32>(pub(super) u32);

impl<const MOST_S: u32> Read for Seconds<MOST_S> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let milliseconds = read_milliseconds(node, problems)?;
        let seconds = u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX);
        if milliseconds.is_multiple_of(1000) && (1..=MOST_S).contains(&seconds) {
            return Some(Self(seconds));
        }
        let most = duration_text(u64::from(MOST_S) * 1000);
        let message = format!("{} is not a whole number of seconds between 1s and {most}", node.found());
        problems.push(
            Diagnostic::new(Code::OutOfRange, node.span, message)
                .help(format!("the kernel counts whole seconds here: write 1s to {most}")),
        );
        None
    }
}

impl<const MOST_S: u32> JsonSchema for Seconds<MOST_S> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Seconds_{MOST_S}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        duration_schema()
    }
}

fn duration_schema() -> Schema {
    json_schema!({"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$"})
}

/// Units of a duration, largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A duration as the policy writes it, in its largest whole unit: `2s`, `1500ms`, `5m`.
pub(super) fn duration_text(milliseconds: u64) -> String {
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let whole = |(_, unit): &&(&str, u64)| milliseconds.is_multiple_of(*unit);
    UNITS.iter().find(whole).map_or_else(String::new, |(name, unit)| format!("{}{name}", milliseconds / unit))
}

fn read_milliseconds(node: &Node, problems: &mut Problems) -> Option<u64> {
    let Some(text) = node.scalar() else {
        problems.push(wrong_type(node, "a duration such as `500ms` or `2s`"));
        return None;
    };
    let parsed = parse_milliseconds(text);
    if parsed.is_none() {
        problems.push(bad_duration(node, text));
    }
    parsed
}

fn bad_duration(node: &Node, text: &str) -> Diagnostic {
    let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if bare && text.len() < 8 {
        let message = format!("the duration {} has no unit", quoted(text));
        return Diagnostic::new(Code::DurationWithoutUnit, node.span, message)
            .help(format!("write `{text}s` for seconds, `{text}ms` for milliseconds"));
    }
    let message = format!("{} is not a duration", quoted(text));
    let help = if text.contains('.') {
        "write whole numbers: `1500ms`, not `1.5s`"
    } else {
        "write a whole number and one of ms, s, m, h, d: `500ms`, `2s`, `5m`"
    };
    Diagnostic::new(Code::BadDuration, node.span, message).help(help)
}

/// A duration as the policy and the command line write it: `500ms`, `2s`, `1m30s`; `None` where it is none, or has no unit.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    parse_milliseconds(text).map(Duration::from_millis)
}

/// A duration as the policy writes it, in its largest whole unit, rounded down to milliseconds.
#[must_use]
pub fn duration_words(duration: Duration) -> String {
    duration_text(milliseconds(duration))
}

/// `2s`, `500ms`, `1m30s`: whole numbers with a unit each, largest unit first.
fn parse_milliseconds(text: &str) -> Option<u64> {
    let (mut rest, mut total, mut previous) = (text, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let after = rest.get(digits..)?;
        let letters = after.find(|character: char| !character.is_ascii_lowercase()).unwrap_or(after.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| after.get(..letters) == Some(name))?;
        if *unit >= previous {
            return None;
        }
        previous = *unit;
        total = total.checked_add(number.checked_mul(*unit)?)?;
        rest = after.get(letters..)?;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        assert_eq!(parse_milliseconds("500ms"), Some(500));
        assert_eq!(parse_milliseconds("1m30s"), Some(90_000));
        assert_eq!(parse_milliseconds("30s1m"), None);
        assert_eq!(parse_milliseconds("2 s"), None);
        assert_eq!(parse_milliseconds("s"), None);
        assert_eq!(parse_milliseconds(""), None);
        assert_eq!(parse_milliseconds("99999999999999999999s"), None);
        assert_eq!(duration_text(1500), "1500ms");
        assert_eq!(duration_text(120_000), "2m");
    }
}
