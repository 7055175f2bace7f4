//! Sizes in bytes, with their unit.

use super::codes::Code;
use super::diagnostic::{Diagnostic, Problems, quoted};
use super::node::Node;
use super::read::{Read, wrong_type};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// Units, largest first, in bytes. Only powers of two: what is bounded is memory.
const UNITS: [(&str, u32); 3] = [("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A number of bytes with its unit, `LEAST..=MOST` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size<const LEAST: u32, const MOST: u32>(pub(super) u32);

impl<const LEAST: u32, const MOST: u32> Read for Size<LEAST, MOST> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(text) = node.scalar() else {
            problems.push(wrong_type(node, "a size such as `64KiB`"));
            return None;
        };
        let (least, most) = (size_text(LEAST), size_text(MOST));
        match parse(text) {
            Some(bytes) if (LEAST..=MOST).contains(&bytes) => return Some(Self(bytes)),
            Some(_) => {
                let message = format!("{} is not between {least} and {most}", quoted(text));
                problems.push(
                    Diagnostic::new(Code::OutOfRange, node.span, message)
                        .help(format!("write a size from {least} to {most}")),
                );
            }
            None => {
                let message = format!("{} is not a size with its unit", quoted(text));
                problems.push(
                    Diagnostic::new(Code::BadSize, node.span, message)
                        .help("write a whole number and one of B, KiB, MiB: `512B`, `64KiB`, `1MiB`"),
                );
            }
        }
        None
    }
}

impl<const LEAST: u32, const MOST: u32> JsonSchema for Size<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Size_{LEAST}_{MOST}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+(B|KiB|MiB)$"})
    }
}

/// A size as the policy writes it, in its largest whole unit.
pub(super) fn size_text(bytes: u32) -> String {
    let whole = |(_, unit): &&(&str, u32)| bytes != 0 && bytes.is_multiple_of(*unit);
    UNITS.iter().find(whole).map_or_else(|| "0B".to_owned(), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// One number and one unit. What is too large for the number is as large as it gets.
fn parse(text: &str) -> Option<u32> {
    let (digits, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let digits = Some(digits).filter(|digits| !digits.is_empty())?;
    Some(digits.parse::<u32>().unwrap_or(u32::MAX).saturating_mul(*factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [("1B", 1), ("64KiB", 65_536), ("1025B", 1025), ("4MiB", 4_194_304), ("0B", 0)] {
            assert_eq!((parse(text), size_text(bytes)), (Some(bytes), text.to_owned()));
        }
        assert_eq!(parse("99999999999MiB"), Some(u32::MAX));
        for text in ["", "64", "KiB", "64kb", "64 KiB", "-1B", "1.5MiB"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
