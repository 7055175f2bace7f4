//! What changed between two texts of a file: which pools are others.

use super::layout::{Item, Layout, is_whole, items_of};
use crate::model::PoolName;
use std::collections::{BTreeMap, BTreeSet};

/// From a text that is known to another one.
#[derive(Debug)]
pub(super) struct Edit {
    /// Where the pools of the other text stand.
    pub(super) layout: Layout,
    /// Pools of the known text that the other one does not have so.
    pub(super) gone: BTreeSet<PoolName>,
    /// Pools of the other text that the known one does not have so.
    pub(super) new: BTreeSet<PoolName>,
    /// Bytes that were looked at.
    pub(super) bytes: usize,
}

impl Edit {
    /// `None` where more may be different than pools.
    ///
    /// Up to the first difference both texts are the same to the parser, and it is inside a pool or in the line of its name.
    /// There a name begins in both, so that nothing before it is open any more. From there on the other text is cut at its
    /// names; what lies between two of them was a pool of the known text, of which the parser has said that it is whole, or
    /// is parsed for itself and found to be whole. So each name is one, up to that from which on the texts are the same again.
    pub(super) fn between(known: &str, layout: &Layout, text: &str) -> Option<Self> {
        if known == text {
            let (gone, new) = (BTreeSet::new(), BTreeSet::new());
            return Some(Self { layout: layout.clone(), gone, new, bytes: 0 });
        }
        let Region { first, next, start, known_end, end } = Region::of(known, layout, text)?;
        let part = text.get(start..end)?;
        if end < text.len() && !part.is_empty() && !part.ends_with('\n') {
            return None;
        }
        let known_one = |number: usize| {
            let item = layout.items.get(number)?;
            Some((&*item.name, known.get(item.start..layout.end_of(number))?))
        };
        let before = (first..next).map(known_one).collect::<Option<BTreeMap<&str, &str>>>()?;
        let pieces = pieces(part, layout.indent, &before)?;
        let names: BTreeSet<&str> = pieces.iter().map(|piece| piece.name).collect();
        if names.len() < pieces.len() {
            return None;
        }
        let stays: BTreeSet<&str> =
            pieces.iter().filter(|piece| piece.known).map(|piece| piece.name).collect();
        let gone = before.keys().filter(|name| !stays.contains(*name)).map(|name| (*name).into()).collect();
        let new = pieces.iter().filter(|piece| !piece.known).map(|piece| piece.name.into()).collect();
        let inside = pieces.iter().map(|piece| Item { name: piece.name.into(), start: start + piece.start });
        let moved = |item: &Item| Item { name: item.name.clone(), start: item.start - known_end + end };
        let after = layout.items.get(next..).unwrap_or_default().iter().map(moved);
        let items: Vec<Item> =
            layout.items.get(..first)?.iter().cloned().chain(inside).chain(after).collect();
        let layout = Layout { end: layout.end - known_end + end, items, ..*layout };
        (!layout.items.is_empty()).then_some(Self { layout, gone, new, bytes: part.len() })
    }
}

/// Where two texts differ, in whole pools of the known one.
struct Region {
    /// The first pool, and the one behind the last.
    first: usize,
    next: usize,
    /// Where it begins in both.
    start: usize,
    /// Where it ends in each.
    known_end: usize,
    end: usize,
}

impl Region {
    fn of(known: &str, layout: &Layout, text: &str) -> Option<Self> {
        let same = common_prefix(known.as_bytes(), text.as_bytes());
        let longest = known.len().min(text.len()) - same;
        let differs_until = known.len() - common_suffix(known.as_bytes(), text.as_bytes(), longest);
        if differs_until > layout.end {
            return None;
        }
        let first = layout.items.iter().rposition(|item| item.start <= same)?;
        let next = layout.items.iter().position(|item| item.start >= differs_until);
        let next = next.unwrap_or(layout.items.len()).max(first + 1);
        let (start, known_end) = (layout.items.get(first)?.start, layout.end_of(next - 1));
        let end = text.len().checked_sub(known.len() - known_end)?;
        Some(Self { first, next, start, known_end, end })
    }
}

/// A pool of a text that changed.
struct Piece<'a> {
    name: &'a str,
    start: usize,
    /// Whether it is there just so in the text that is known.
    known: bool,
}

/// The pools of a part of a text, each whole; `None` where that is not certain.
fn pieces<'a>(text: &'a str, indent: usize, before: &BTreeMap<&str, &str>) -> Option<Vec<Piece<'a>>> {
    let items = items_of(text, indent)?;
    let ends: Vec<usize> = items.iter().skip(1).map(|(_, start)| *start).chain([text.len()]).collect();
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    // Where new neighbours begin, which are parsed together.
    let mut run: Option<usize> = None;
    for ((name, start), end) in items.into_iter().zip(ends) {
        let known = before.get(name).is_some_and(|known| text.get(start..end) == Some(*known));
        match (known, run) {
            (true, Some(begun)) => {
                is_whole(text.get(begun..start)?, indent).then_some(())?;
                run = None;
            }
            (false, None) => run = Some(start),
            (true, None) | (false, Some(_)) => {}
        }
        pieces.push(Piece { name, start, known });
    }
    let whole = match run {
        Some(begun) => is_whole(text.get(begun..)?, indent),
        None => true,
    };
    whole.then_some(pieces)
}

/// Bytes that are compared at once.
const AT_ONCE: usize = 4096;

fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    let same = one.chunks(AT_ONCE).zip(other.chunks(AT_ONCE)).take_while(|(one, other)| one == other);
    let same: usize = same.map(|(chunk, _)| chunk.len()).sum();
    let rest = one.iter().skip(same).zip(other.iter().skip(same));
    same + rest.take_while(|(one, other)| one == other).count()
}

/// At most `longest`.
fn common_suffix(one: &[u8], other: &[u8], longest: usize) -> usize {
    let same = one.rchunks(AT_ONCE).zip(other.rchunks(AT_ONCE)).take_while(|(one, other)| one == other);
    let same: usize = same.map(|(chunk, _)| chunk.len()).sum();
    let rest = one.iter().rev().skip(same).zip(other.iter().rev().skip(same));
    (same + rest.take_while(|(one, other)| one == other).count()).min(longest)
}
