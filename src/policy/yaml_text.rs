//! YAML text of a tree of ours: block form, words in quotes where YAML could take them for anything else.
//!
//! Only what [`super::resolved`] needs: no comments, no anchors, no long texts.

use super::scalar::duration_text;
use crate::time::milliseconds;
use std::fmt::Write as _;
use std::time::Duration;

/// A value to be written.
pub(super) enum Yaml {
    Text(String),
    /// Negative ones too, which as a word would get quotes.
    Number(i64),
    List(Vec<Self>),
    Mapping(Vec<(String, Self)>),
}

/// A word.
pub(super) fn text(value: impl ToString) -> Yaml {
    Yaml::Text(value.to_string())
}

/// A duration in its largest whole unit.
pub(super) fn time(duration: Duration) -> Yaml {
    text(duration_text(milliseconds(duration)))
}

/// A mapping with known keys.
pub(super) fn mapping(entries: impl IntoIterator<Item = (&'static str, Yaml)>) -> Yaml {
    Yaml::Mapping(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

impl Yaml {
    /// In block form; lists of words in one line.
    pub(super) fn write(&self, written: &mut String, indent: usize) {
        match self {
            Self::Text(word) => {
                let _ = writeln!(written, " {}", scalar(word));
            }
            Self::Number(number) => {
                let _ = writeln!(written, " {number}");
            }
            Self::List(items) if items.iter().all(|item| matches!(item, Self::Text(_))) => {
                let words: Vec<String> = items.iter().filter_map(Self::word).collect();
                let _ = writeln!(written, " [{}]", words.join(", "));
            }
            Self::Mapping(entries) if entries.is_empty() => written.push_str(" {}\n"),
            Self::List(items) => {
                written.push('\n');
                for item in items {
                    let _ = write!(written, "{:indent$}-", "");
                    item.write_item(written, indent + 2);
                }
            }
            Self::Mapping(entries) => {
                if indent > 0 {
                    written.push('\n');
                }
                entries.iter().for_each(|entry| entry_of(entry, written, indent, true));
            }
        }
    }

    fn word(&self) -> Option<String> {
        match self {
            Self::Text(word) => Some(scalar(word)),
            Self::Number(_) | Self::List(_) | Self::Mapping(_) => None,
        }
    }

    /// Behind `-`: the first key of a mapping stands in the same line.
    fn write_item(&self, written: &mut String, indent: usize) {
        match self {
            Self::Mapping(entries) if !entries.is_empty() => {
                written.push(' ');
                entries
                    .iter()
                    .enumerate()
                    .for_each(|(index, entry)| entry_of(entry, written, indent, index > 0));
            }
            other => other.write(written, indent),
        }
    }
}

fn entry_of((key, value): &(String, Yaml), written: &mut String, indent: usize, indented: bool) {
    if indented {
        let _ = write!(written, "{:indent$}", "");
    }
    let _ = write!(written, "{}:", scalar(key));
    value.write(written, indent + 2);
}

/// A word, in quotes where YAML could take it for anything else.
fn scalar(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._/:+-".contains(character);
    let first = word.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/');
    if first && word.chars().all(plain) && !word.ends_with(':') && word != "null" {
        return word.to_owned();
    }
    serde_json::to_string(word).unwrap_or_else(|_| "\"\"".to_owned())
}
