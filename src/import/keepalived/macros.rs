//! What keepalived does to lines before it reads them: conditions, parameters, sequences and lists.
//!
//! Source: keepalived.conf(5), "Conditional configuration and configuration id", "Parameter substitution", "Sequence blocks",
//! "List blocks". Everything is bounded: a few lines can ask for any number of others.

use super::words::{Token, tokens};
use crate::import::verdict::{Ledger, Origin, near, none, same};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Macros inside macros at most.
const MAX_DEPTH: usize = 64;
/// Lines after all macros at most.
pub(super) const MAX_LINES: usize = 200_000;
/// Bytes of one line after all substitutions at most.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// A token with its line.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Token(Origin, Token),
    /// A statement ends where its line does.
    End,
}

/// Expands lines.
pub(super) struct Expander<'a> {
    pub(super) ledger: &'a mut Ledger,
    /// What `@word` is compared with.
    pub(super) config_id: &'a str,
    /// Parameters: their lines.
    definitions: BTreeMap<String, Vec<(Origin, String)>>,
    pub(super) pieces: Vec<Piece>,
    /// Where each file is, for `${_PWD}`.
    pub(super) folders: BTreeMap<usize, PathBuf>,
    lines: usize,
    /// Why reading ended early.
    pub(super) stopped: Option<String>,
}

impl<'a> Expander<'a> {
    pub(super) fn new(ledger: &'a mut Ledger, config_id: &'a str) -> Self {
        Self {
            ledger,
            config_id,
            definitions: BTreeMap::new(),
            pieces: Vec::new(),
            folders: BTreeMap::new(),
            lines: 0,
            stopped: None,
        }
    }

    /// Expands a line into pieces.
    pub(super) fn line(&mut self, at: Origin, text: &str, depth: usize) {
        let text = text.trim();
        if text.is_empty() || self.stopped.is_some() {
            return;
        }
        self.lines += 1;
        if depth > MAX_DEPTH || self.lines > MAX_LINES || text.len() > MAX_LINE_BYTES {
            let place = self.ledger.place(at);
            self.stopped = Some(format!("{place}: the macros expand to too much, or never end"));
            return;
        }
        if let Some(condition) = text.strip_prefix('@') {
            self.conditional(at, condition, depth);
        } else if let Some((name, value)) = definition(text) {
            self.ledger.note(at, same());
            self.define(name, vec![(at, value.to_owned())]);
        } else if let Some(rest) = text.strip_prefix('~') {
            self.repeated(at, rest, depth);
        } else if let Some(body) = whole_reference(text).and_then(|name| self.definitions.get(name).cloned())
        {
            self.ledger.note(at, same());
            body.iter().for_each(|(origin, line)| self.line(*origin, line, depth + 1));
        } else {
            let replaced = self.substituted(at, text);
            if replaced == text {
                self.pieces.extend(tokens(text).into_iter().map(|token| Piece::Token(at, token)));
                self.pieces.push(Piece::End);
            } else {
                self.line(at, &replaced, depth + 1);
            }
        }
    }

    pub(super) fn define(&mut self, name: &str, lines: Vec<(Origin, String)>) {
        self.definitions.insert(name.to_owned(), lines);
    }

    /// `@id rest` or `@^id rest`, without the `@`.
    fn conditional(&mut self, at: Origin, text: &str, depth: usize) {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let (word, negated) = word.strip_prefix('^').map_or((word, false), |word| (word, true));
        if (word == self.config_id) != negated {
            self.line(at, rest, depth + 1);
        } else {
            let sign = if negated { "every machine but " } else { "" };
            let mut judged = same();
            judged.how =
                format!("left out, as keepalived does: for {sign}{word}, and this is {}", self.config_id);
            self.ledger.note(at, judged);
        }
    }

    /// A condition alone, for a definition of several lines.
    pub(super) fn holds<'t>(&self, text: &'t str) -> Option<&'t str> {
        let Some(condition) = text.strip_prefix('@') else { return Some(text) };
        let (word, rest) = condition.split_once(char::is_whitespace)?;
        let (word, negated) = word.strip_prefix('^').map_or((word, false), |word| (word, true));
        ((word == self.config_id) != negated).then_some(rest.trim())
    }

    /// `SEQ(…) rest` or `LST(…) rest`, without the `~`.
    fn repeated(&mut self, at: Origin, text: &str, depth: usize) {
        let Some((rounds, rest)) = rounds(text) else {
            self.ledger.note(at, none("this sequence cannot be read, or is too long"));
            return;
        };
        self.ledger.note(at, same());
        for round in rounds {
            for (name, value) in round {
                self.define(&name, vec![(at, value)]);
            }
            self.line(at, rest, depth + 1);
        }
    }

    /// The line with its parameters replaced once.
    fn substituted(&mut self, at: Origin, text: &str) -> String {
        let mut written = String::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            let (before, behind) = rest.split_at(dollar);
            written.push_str(before);
            match self.reference(at, behind) {
                Some((value, length)) => {
                    written.push_str(&value);
                    rest = behind.get(length..).unwrap_or_default();
                }
                None => {
                    written.push('$');
                    rest = behind.get(1..).unwrap_or_default();
                }
            }
        }
        written.push_str(rest);
        written
    }

    /// The value of the parameter at the head of a text, and how long its reference is.
    fn reference(&mut self, at: Origin, text: &str) -> Option<(String, usize)> {
        if let Some(inner) = text.strip_prefix("${") {
            let end = inner.find('}')?;
            let name = inner.get(..end)?;
            return Some((self.value(at, name)?, end + 3));
        }
        let name: String = text.chars().skip(1).take_while(|letter| is_name_letter(*letter)).collect();
        let behind = text.get(name.len() + 1..)?.chars().next();
        let ends = behind.is_none_or(char::is_whitespace);
        if name.is_empty() || !ends { None } else { Some((self.value(at, &name)?, name.len() + 1)) }
    }

    fn value(&mut self, at: Origin, name: &str) -> Option<String> {
        if let Some(lines) = self.definitions.get(name) {
            let lines: Vec<&str> = lines.iter().map(|(_, line)| line.trim()).collect();
            return Some(lines.join(" "));
        }
        let (word, rest) = name.split_once(' ').unwrap_or((name, ""));
        match word {
            "_PWD" => self.folders.get(&at.file).map(|folder| folder.display().to_string()),
            "_INSTANCE" => Some(self.config_id.to_owned()),
            "_HASH" => Some("#".to_owned()),
            "_BANG" => Some("!".to_owned()),
            "_RANDOM" => {
                self.ledger.note(at, near("a policy holds no random number: the least one stands here"));
                Some(rest.split_whitespace().next().unwrap_or("0").to_owned())
            }
            "_ENV" => {
                self.ledger.note(at, near(format!("the environment's {rest} is not known here")));
                None
            }
            _ => None,
        }
    }
}

fn is_name_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn is_name(text: &str) -> bool {
    text.chars().all(is_name_letter) && text.starts_with(|first: char| !first.is_ascii_digit())
}

/// `$NAME=VALUE`.
pub(super) fn definition(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix('$')?.split_once('=')?;
    (is_name(name) && !name.is_empty()).then_some((name, value.trim()))
}

/// The name, where a line is nothing but `$NAME` or `${NAME}`.
fn whole_reference(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let name = inner.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(inner);
    (is_name(name) && !name.is_empty()).then_some(name)
}

type Round = Vec<(String, String)>;

/// What a sequence or list defines, round for round, and the rest of the line.
fn rounds(text: &str) -> Option<(Vec<Round>, &str)> {
    let (kind, rest) = text.split_once('(')?;
    let end = closing(rest)?;
    let (inside, rest) = (rest.get(..end)?, rest.get(end + 1..)?);
    let parts = parts(inside);
    let (name, values) = parts.split_first()?;
    let rounds = match kind.trim() {
        "SEQ" => sequence(name, values, false)?,
        "SEQx" => sequence(name, values, true)?,
        "LST" => listed(name, values)?,
        _ => return None,
    };
    Some((rounds, rest.trim_start()))
}

/// Where the parenthesis closes that is open.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    text.char_indices().find_map(|(at, letter)| {
        match letter {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        (open == 0).then_some(at)
    })
}

/// Parts between commas that are not in braces.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut braces = 0_usize;
    for letter in text.chars() {
        match letter {
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            ',' if braces == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().iter_mut().for_each(|part| part.push(letter));
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

fn sequence(name: &str, values: &[String], hexadecimal: bool) -> Option<Vec<Round>> {
    let number = |text: &String| match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse::<i64>().ok(),
    };
    let numbers: Vec<i64> = values.iter().map(number).collect::<Option<_>>()?;
    let (start, step, end) = match numbers.as_slice() {
        [end] => (end.signum(), end.signum(), *end),
        [start, end] => (*start, if end < start { -1 } else { 1 }, *end),
        [start, step, end] => (*start, *step, *end),
        _ => return None,
    };
    let most = i64::try_from(MAX_LINES).ok()?;
    if step == 0 || end.checked_sub(start)?.checked_div(step)? > most {
        return None;
    }
    let mut rounds = Vec::new();
    let mut value = start;
    while if step > 0 { value <= end } else { value >= end } {
        let text = if hexadecimal { format!("{value:x}") } else { value.to_string() };
        rounds.push(vec![(name.to_owned(), text)]);
        value = value.checked_add(step)?;
    }
    Some(rounds)
}

fn listed(name: &str, values: &[String]) -> Option<Vec<Round>> {
    let inside = |text: &str| {
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        inner.map_or_else(|| vec![text.to_owned()], parts)
    };
    let names = inside(name);
    let round = |value: &String| {
        let values = inside(value);
        (values.len() == names.len()).then(|| names.iter().cloned().zip(values).collect::<Round>())
    };
    values.iter().map(round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of lines, as machine `main` has them.
    fn expanded(text: &str) -> Vec<String> {
        let mut ledger = Ledger::default();
        let file = ledger.add("a.conf".into(), text);
        let mut expander = Expander::new(&mut ledger, "main");
        text.lines().enumerate().for_each(|(index, line)| {
            expander.line(Origin { file, line: index + 1 }, line, 0);
        });
        let word = |piece: &Piece| match piece {
            Piece::Token(_, Token::Word(word)) => Some(word.clone()),
            Piece::Token(..) | Piece::End => None,
        };
        expander.pieces.iter().filter_map(word).collect()
    }

    #[test]
    fn conditions_choose_the_machine() {
        assert_eq!(expanded("@main a\n@backup b\n@^main c\n@^backup d"), ["a", "d"]);
    }

    #[test]
    fn parameters_are_replaced_when_they_are_used() {
        assert_eq!(expanded("$A=10.2.${B}\n$B=0\n${A}.1\n$B=1\n${A}.1 $B"), ["10.2.0.1", "10.2.1.1", "1"]);
        assert_eq!(expanded("x $UNDEFINED ${UNDEFINED} $5"), ["x", "$UNDEFINED", "${UNDEFINED}", "$5"]);
        assert_eq!(expanded("$IF=@main\n$IF a\n$IF=@backup\n$IF b"), ["a"]);
    }

    #[test]
    fn sequences_and_lists_repeat_the_rest_of_the_line() {
        assert_eq!(expanded("~SEQ(N, 1, 3) a${N}"), ["a1", "a2", "a3"]);
        assert_eq!(expanded("~SEQx(N, 0x90, 0x10, 0xb0) ${N}"), ["90", "a0", "b0"]);
        assert_eq!(expanded("~LST({A, B}, {1,2},{3,4}) ${A}.${B}"), ["1.2", "3.4"]);
        assert_eq!(expanded("~LST(A, 1, 2) ~SEQ(B, 2) ${A}${B}"), ["11", "12", "21", "22"]);
    }

    #[test]
    fn what_never_ends_is_stopped() {
        let mut ledger = Ledger::default();
        let file = ledger.add("a.conf".into(), "");
        let mut expander = Expander::new(&mut ledger, "main");
        expander.line(Origin { file, line: 1 }, "$A=${A}x", 0);
        expander.line(Origin { file, line: 2 }, "y ${A}", 0);
        assert!(expander.stopped.is_some());
        let mut expander = Expander::new(&mut ledger, "main");
        let nested = "~SEQ(A,1000) ~SEQ(B,1000) ~SEQ(C,1000) x";
        expander.line(Origin { file, line: 1 }, nested, 0);
        assert!(expander.stopped.is_some() && expander.pieces.len() < 4 * MAX_LINES);
    }
}
