//! Statements: words, and blocks of statements in braces.

use super::macros::Piece;
use super::words::Token;
use crate::import::verdict::Origin;

/// Blocks inside blocks at most; keepalived's deepest has five.
const MAX_DEPTH: usize = 32;

/// A statement: never without words.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) words: Vec<String>,
    pub(super) block: Option<Vec<Self>>,
    pub(super) at: Origin,
}

impl Statement {
    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The nth word behind the keyword, from 1; nothing that cannot be seen is one.
    pub(super) fn word(&self, nth: usize) -> Option<&str> {
        let visible = |word: &&str| !word.trim().is_empty() && !word.chars().any(char::is_control);
        self.words.get(nth).map(String::as_str).filter(visible)
    }

    pub(super) fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Where everything inside stands.
    pub(super) fn origins(&self) -> Vec<Origin> {
        let of = |inner: &Self| [vec![inner.at], inner.origins()].concat();
        self.inside().iter().flat_map(of).collect()
    }

    pub(super) fn inside(&self) -> &[Self] {
        self.block.as_deref().unwrap_or_default()
    }
}

/// The statements of all pieces, and what is wrong with the braces.
pub(super) fn statements(pieces: &[Piece]) -> (Vec<Statement>, Vec<(Origin, String)>) {
    let mut builder = Builder { levels: vec![Vec::new()], words: Vec::new(), at: None, problems: Vec::new() };
    for piece in pieces {
        match piece {
            Piece::End => builder.end(),
            Piece::Token(at, Token::Word(word)) => {
                builder.at.get_or_insert(*at);
                builder.words.push(word.clone());
            }
            Piece::Token(at, Token::Open) => builder.open(*at),
            Piece::Token(at, Token::Close) => builder.close(*at),
        }
    }
    builder.end();
    while builder.levels.len() > 1 {
        let open = builder.levels.iter().rev().nth(1).and_then(|level| level.last()).map(|parent| parent.at);
        let at = open.unwrap_or(Origin { file: 0, line: 1 });
        builder.problems.push((at, "this block is never closed: a `}` is missing".to_owned()));
        builder.pop();
    }
    (builder.levels.pop().unwrap_or_default(), builder.problems)
}

struct Builder {
    /// Statements of each open block, the whole file first.
    levels: Vec<Vec<Statement>>,
    words: Vec<String>,
    at: Option<Origin>,
    problems: Vec<(Origin, String)>,
}

impl Builder {
    fn end(&mut self) {
        let words = std::mem::take(&mut self.words);
        if let (Some(at), Some(level)) = (self.at.take(), self.levels.last_mut())
            && !words.is_empty()
        {
            level.push(Statement { words, block: None, at });
        }
    }

    /// The block belongs to the statement before it, in the same line or above.
    fn open(&mut self, at: Origin) {
        self.end();
        if self.levels.len() > MAX_DEPTH {
            self.problems.push((at, "blocks are nested too deep".to_owned()));
            return;
        }
        let bare = self.levels.last().and_then(|level| level.last()).is_none_or(|last| last.block.is_some());
        if bare {
            self.problems.push((at, "this `{` belongs to no keyword".to_owned()));
            let empty = Statement { words: vec!["{".to_owned()], block: None, at };
            self.levels.last_mut().iter_mut().for_each(|level| level.push(empty.clone()));
        }
        self.levels.push(Vec::new());
    }

    fn close(&mut self, at: Origin) {
        self.end();
        if self.levels.len() > 1 {
            self.pop();
        } else {
            self.problems.push((at, "this `}` closes nothing".to_owned()));
        }
    }

    fn pop(&mut self) {
        let inside = self.levels.pop().unwrap_or_default();
        if let Some(parent) = self.levels.last_mut().and_then(|level| level.last_mut()) {
            parent.block = Some(inside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::tokens;
    use super::*;

    fn of(text: &str) -> (Vec<Statement>, Vec<(Origin, String)>) {
        let pieces = text.lines().enumerate().flat_map(|(index, line)| {
            let at = Origin { file: 0, line: index + 1 };
            tokens(line).into_iter().map(move |token| Piece::Token(at, token)).chain([Piece::End])
        });
        statements(&pieces.collect::<Vec<_>>())
    }

    #[test]
    fn a_brace_on_its_own_line_belongs_to_the_keyword_above() {
        let (statements, problems) = of("a b\n{\n c 1\n d { e }\n}\nf");
        assert!(problems.is_empty());
        assert_eq!(statements.len(), 2);
        let inside: Vec<&str> = statements[0].inside().iter().map(Statement::name).collect();
        assert_eq!(inside, ["c", "d"]);
        assert_eq!(statements[0].inside()[1].inside()[0].at.line, 4);
    }

    #[test]
    fn braces_that_do_not_match_are_told_with_their_line() {
        assert_eq!(of("a {\n b\n").1[0].0.line, 1);
        assert_eq!(of("a\n}\n").1[0].0.line, 2);
    }
}
