//! Where the pools of a file stand in its text, so that each can be taken out of it.
//!
//! Only of files in which a pool is nothing but whole lines: block style, one name a line, each as far from the left as the
//! others. The parser itself has said where the names are.

use crate::model::PoolName;
use crate::policy::diagnostic::Problems;
use crate::policy::node::{Key, Node};
use crate::policy::read::is_name;
use crate::policy::source::Sources;
use crate::policy::yaml::{self, Document};
use std::path::PathBuf;

/// The pools of a file; never none.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Where the line of the key `pools` begins.
    pub(super) section: usize,
    /// Blanks before each name; never 0.
    pub(super) indent: usize,
    /// In the order of the file, without gaps between them.
    pub(super) items: Vec<Item>,
    /// One past the last byte of the last.
    pub(super) end: usize,
}

/// A pool, from the line of its name up to the next one's.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) name: PoolName,
    /// First byte of its first line.
    pub(super) start: usize,
}

impl Layout {
    /// `None` where the file says no pools, or not in this way.
    pub(super) fn of(document: &Document, text: &str) -> Option<Self> {
        let sections = block_entries(&document.root).filter(|_| !document.linked)?;
        let starts = || sections.iter().map(|(key, _)| key.span.start);
        if !starts().all(|start| column(text, start) == Some(0)) {
            return None;
        }
        let (key, pools) = sections.iter().find(|(key, _)| key.name == "pools")?;
        let (section, pools) = (key.span.start, block_entries(pools)?);
        let indent = column(text, pools.first()?.0.span.start).filter(|indent| *indent > 0)?;
        let item = |(key, _): &(Key, Node)| {
            let start = key.span.start.checked_sub(indent)?;
            let line = text.get(start..)?.split('\n').next()?;
            let alone = column(text, key.span.start) == Some(indent);
            let named = alone && name_of(line, indent) == Some(&key.name);
            named.then(|| Item { name: key.name.as_str().into(), start })
        };
        let items: Vec<Item> = pools.iter().map(item).collect::<Option<_>>()?;
        let end = starts().filter(|start| *start > section).min().unwrap_or(text.len());
        let layout = Self { section, indent, items, end };
        // Behind each of the others stands a name, so that it ends before that. What ends the last one could be anything.
        let last = text.get(layout.items.last()?.start..end)?;
        (items_of(last, indent)?.len() == 1 && is_whole(last, indent)).then_some(layout)
    }

    /// Where the item of this number ends.
    pub(super) fn end_of(&self, number: usize) -> usize {
        self.items.get(number + 1).map_or(self.end, |next| next.start)
    }
}

/// The entries of a mapping in block style: it begins where its first key does.
fn block_entries(node: &Node) -> Option<&[(Key, Node)]> {
    let entries = node.entries()?;
    let first = entries.first()?.0.span.start;
    (node.span.start == first).then_some(entries)
}

/// How many blanks stand before a place, and nothing else in its line.
fn column(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    let line = before.get(before.rfind('\n').map_or(0, |newline| newline + 1)..)?;
    line.bytes().all(|byte| byte == b' ').then_some(line.len())
}

/// The name that a line says for a pool: so many blanks, a name without quotes, a colon.
pub(super) fn name_of(line: &str, indent: usize) -> Option<&str> {
    let (blanks, rest) = line.split_at_checked(indent)?;
    let (name, rest) = rest.split_once(':')?;
    let good = blanks.bytes().all(|byte| byte == b' ') && is_name(name);
    (good && (rest.is_empty() || rest.starts_with(' '))).then_some(name)
}

/// The lines of a text that say names, each with its name and first byte; `None` where a line stands as far to the left and
/// says none, where the first one says none, or where a letter could be anything but itself to YAML: a tab, a line break of
/// another kind, a control character.
pub(super) fn items_of(text: &str, indent: usize) -> Option<Vec<(&str, usize)>> {
    let strange = |letter: char| {
        letter.is_control() && letter != '\n' || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}')
    };
    if text.contains(strange) {
        return None;
    }
    let (mut items, mut start) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let words = line.trim_end_matches('\n');
        let said = words.trim_start_matches(' ');
        let inside = said.is_empty() || said.starts_with('#') || words.len() - said.len() > indent;
        if !inside || start == 0 {
            items.push((name_of(words, indent)?, start));
        }
        start += line.len();
    }
    Some(items)
}

/// Whether YAML sees the same names in a text that stands between two others: nothing in it is still open at its end.
pub(super) fn is_whole(text: &str, indent: usize) -> bool {
    const BEFORE: &str = "pools:\n";
    let sees = || {
        let expected = items_of(text, indent)?;
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        let whole = format!("{BEFORE}{text}{newline}{:indent$}the-next-pool:\n", "");
        let next = whole.len() - "the-next-pool:\n".len();
        let (mut sources, mut problems) = (Sources::default(), Problems::default());
        let file = sources.add(PathBuf::new(), whole);
        let document = yaml::parse(file, &sources, &mut problems)?;
        let seen = document.root.get("pools")?.entries()?.iter().map(|(key, _)| key.span.start);
        let names = expected.iter().map(|(_, start)| BEFORE.len() + start + indent).chain([next]);
        let alone = document.root.entries()?.len() == 1;
        Some(alone && !document.linked && problems.is_empty() && seen.eq(names))
    };
    sees() == Some(true)
}
