//! YAML text with comments: what an import writes.
//!
//! Small lists and mappings stand in one line, the others in block form. Words are in quotes where YAML could take them for
//! anything else. It reads nothing: that is [`crate::policy`]'s.

use std::fmt::Write as _;

/// Columns of a line at most, where it can be helped.
const WIDTH: usize = 110;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Yaml {
    Word(String),
    Number(i64),
    Flag(bool),
    List(Vec<Item>),
    Mapping(Vec<Entry>),
}

/// An item of a list, with the comments before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) comments: Vec<String>,
    pub(super) value: Yaml,
}

/// A key with its value, the comments before it and the one behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) comments: Vec<String>,
    pub(super) key: String,
    pub(super) value: Yaml,
    pub(super) behind: Option<String>,
}

pub(super) fn word(value: impl ToString) -> Yaml {
    Yaml::Word(value.to_string())
}

pub(super) fn number(value: impl Into<i64>) -> Yaml {
    Yaml::Number(value.into())
}

pub(super) fn entry(key: impl Into<String>, value: Yaml) -> Entry {
    Entry { comments: Vec::new(), key: key.into(), value, behind: None }
}

pub(super) fn words<T: ToString>(values: impl IntoIterator<Item = T>) -> Yaml {
    list(values.into_iter().map(word))
}

pub(super) fn list(values: impl IntoIterator<Item = Yaml>) -> Yaml {
    Yaml::List(values.into_iter().map(|value| Item { comments: Vec::new(), value }).collect())
}

pub(super) fn mapping(entries: impl IntoIterator<Item = Entry>) -> Yaml {
    Yaml::Mapping(entries.into_iter().collect())
}

impl Entry {
    pub(super) fn behind(mut self, comment: impl Into<String>) -> Self {
        self.behind = Some(comment.into());
        self
    }

    pub(super) fn comments(mut self, comments: impl IntoIterator<Item = String>) -> Self {
        self.comments.extend(comments);
        self
    }
}

/// The text of a whole document.
pub(super) fn document(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        if !text.is_empty() {
            text.push('\n');
        }
        block_entry(entry, &mut text, 0);
    }
    text
}

/// Comments at the margin.
pub(super) fn comments_text(comments: &[String]) -> String {
    let mut text = String::new();
    comment_lines(comments, &mut text, 0);
    text
}

fn comment_lines(comments: &[String], text: &mut String, indent: usize) {
    for line in comments.iter().flat_map(|comment| wrapped(comment, WIDTH.saturating_sub(indent + 2))) {
        let _ = writeln!(text, "{:indent$}# {line}", "");
    }
}

/// A comment in lines of a width. Control characters, which would end the comment, become blanks.
fn wrapped(comment: &str, width: usize) -> Vec<String> {
    let clean: String =
        comment.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let indent: String = clean.chars().take_while(|letter| *letter == ' ').collect();
    let mut lines = vec![String::new()];
    for word in clean.trim_start().split(' ') {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > width {
            lines.push(String::new());
        } else if last > 0 {
            lines.last_mut().iter_mut().for_each(|line| line.push(' '));
        }
        lines.last_mut().iter_mut().for_each(|line| line.push_str(word));
    }
    lines.into_iter().map(|line| format!("{indent}{line}")).collect()
}

fn block_entry(entry: &Entry, text: &mut String, indent: usize) {
    comment_lines(&entry.comments, text, indent);
    let _ = write!(text, "{:indent$}{}:", "", scalar(&entry.key));
    let behind = entry.behind.as_deref().map(|comment| wrapped(comment, usize::MAX).join(" "));
    let behind = behind.map_or_else(String::new, |comment| format!("    # {comment}"));
    block_value(&entry.value, text, indent, &behind, indent + entry.key.len() + 1);
}

/// A value behind a key (or a dash) that stands at `indent`, with `used` columns of the line taken.
fn block_value(value: &Yaml, text: &mut String, indent: usize, behind: &str, used: usize) {
    if let Some(flow) = flow(value)
        && (is_scalar(value) || used + flow.len() < WIDTH)
    {
        let _ = writeln!(text, " {flow}{behind}");
        return;
    }
    let _ = writeln!(text, "{behind}");
    match value {
        Yaml::List(items) => items.iter().for_each(|item| block_item(item, text, indent + 2)),
        Yaml::Mapping(entries) => entries.iter().for_each(|entry| block_entry(entry, text, indent + 2)),
        Yaml::Word(_) | Yaml::Number(_) | Yaml::Flag(_) => {}
    }
}

fn block_item(item: &Item, text: &mut String, indent: usize) {
    comment_lines(&item.comments, text, indent);
    if let Some(flow) = flow(&item.value)
        && (is_scalar(&item.value) || indent + flow.len() < WIDTH)
    {
        let _ = writeln!(text, "{:indent$}- {flow}", "");
        return;
    }
    let mut inner = String::new();
    match &item.value {
        Yaml::Mapping(entries) => entries.iter().for_each(|entry| block_entry(entry, &mut inner, indent + 2)),
        Yaml::List(items) => items.iter().for_each(|item| block_item(item, &mut inner, indent + 2)),
        Yaml::Word(_) | Yaml::Number(_) | Yaml::Flag(_) => {}
    }
    // The first line of it, key or comment, stands behind the dash.
    let _ = write!(text, "{:indent$}- {}", "", inner.trim_start_matches(' '));
}

fn is_scalar(value: &Yaml) -> bool {
    matches!(value, Yaml::Word(_) | Yaml::Number(_) | Yaml::Flag(_))
}

/// In one line; `None` where a comment is inside.
fn flow(value: &Yaml) -> Option<String> {
    match value {
        Yaml::Word(text) => Some(scalar(text)),
        Yaml::Number(number) => Some(number.to_string()),
        Yaml::Flag(flag) => Some(flag.to_string()),
        Yaml::List(items) => {
            let items: Option<Vec<String>> = items
                .iter()
                .map(|item| if item.comments.is_empty() { flow(&item.value) } else { None })
                .collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Yaml::Mapping(entries) => {
            let entry = |entry: &Entry| {
                let plain = entry.comments.is_empty() && entry.behind.is_none();
                Some(format!("{}: {}", scalar(&entry.key), flow(&entry.value).filter(|_| plain)?))
            };
            let entries: Option<Vec<String>> = entries.iter().map(entry).collect();
            Some(format!("{{{}}}", entries?.join(", ")))
        }
    }
}

/// A word, in quotes where YAML could take it for anything else.
fn scalar(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._/:+-".contains(character);
    let first = word.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/');
    let structure = word.ends_with(':') || word.contains("::");
    if first && word.chars().all(plain) && !structure && !matches!(word, "null" | "true" | "false") {
        return word.to_owned();
    }
    serde_json::to_string(word).unwrap_or_else(|_| "\"\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_stand_in_one_line_and_comments_break_them() {
        let server = mapping([entry("address", word("2001:db8::1")), entry("weight", number(3))]);
        let commented = Item { comments: vec!["from a".to_owned()], value: server.clone() };
        let plain = Item { comments: Vec::new(), value: server };
        let text = document(&[entry("servers", Yaml::List(vec![commented, plain])).behind("two")]);
        let wanted = "servers:    # two\n  # from a\n  - {address: \"2001:db8::1\", weight: 3}\n  - {address: \"2001:db8::1\", weight: 3}\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_comment_cannot_break_out_of_its_line() {
        let text = document(&[entry("a", number(1)).comments(["x\ny: 2".to_owned()])]);
        assert_eq!(text, "# x y: 2\na: 1\n");
    }

    #[test]
    fn words_that_yaml_would_take_for_something_else_are_in_quotes() {
        assert_eq!(
            [scalar("true"), scalar("a b"), scalar("10.0.0.1:80")].join(" "),
            "\"true\" \"a b\" 10.0.0.1:80"
        );
    }
}
