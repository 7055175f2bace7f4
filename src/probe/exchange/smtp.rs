//! SMTP: the server greets with 220, takes `EHLO` (or `HELO`) with 250, and is left with `QUIT`.
//!
//! Source: RFC 5321, sections 3.1, 4.1.1.1, 4.1.3 (address literals) and 4.2 (replies). Not done: STARTTLS, a mail.

use super::{Farewell, Reach, Speaker, Turn, lines};
use crate::model::{Failure, Phase, SmtpSpec};
use crate::probe::failure;
use std::borrow::Cow;
use std::net::IpAddr;

/// Bytes of a reply's line; RFC 5321 allows 512.
const LONGEST_LINE: usize = 2048;
const QUIT: Farewell = Farewell::Say(b"QUIT\r\n");

/// The probe made ready.
#[derive(Debug)]
pub(crate) struct Smtp {
    hello: Option<String>,
}

impl Smtp {
    pub(crate) fn new(spec: &SmtpSpec) -> Self {
        Self { hello: spec.hello.clone() }
    }

    /// The exchange from its beginning, on a connection that comes from `own`.
    pub(crate) fn begin(&self, own: Option<IpAddr>) -> impl Speaker<'_> {
        let hello = match (&self.hello, own) {
            (Some(hello), _) => Cow::Borrowed(hello.as_str()),
            (None, own) => Cow::Owned(literal(own.unwrap_or(IpAddr::from([127, 0, 0, 1])))),
        };
        InSmtp { hello, state: State::Greeting, worst: None }
    }
}

/// An address where a domain is wanted.
fn literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

struct InSmtp<'a> {
    hello: Cow<'a, str>,
    state: State,
    /// The first line of a reply that has several.
    worst: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    Ehlo,
    Helo,
}

/// A line of a reply: its code, whether more lines follow, and its text.
struct Line<'a> {
    code: u16,
    is_last: bool,
    text: &'a [u8],
}

impl<'a> Speaker<'a> for InSmtp<'a> {
    fn next(&mut self, heard: &[u8], reach: Reach) -> Turn<'a> {
        let phase = if self.state == State::Greeting { Phase::Greeting } else { Phase::Reply };
        let mut used = 0;
        while let Some((line, length)) = lines::first(heard.get(used..).unwrap_or_default()) {
            used += length;
            let Some(line) = parse(line) else { return Turn::failed(malformed(line)) };
            let first = self.worst.get_or_insert_with(|| failure::shown(line.text)).clone();
            if line.is_last {
                self.worst = None;
                return self.reply(line.code, &format!("{} {first}", line.code), used);
            }
        }
        let rest = heard.get(used..).unwrap_or_default();
        if rest.len() > LONGEST_LINE || reach == Reach::Full {
            return Turn::failed(malformed(rest));
        }
        Turn::Listen { used, phase }
    }
}

fn parse(line: &[u8]) -> Option<Line<'_>> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(code).ok()?.parse().ok().filter(|code| (200..=599).contains(code))?;
    match rest {
        [] => Some(Line { code, is_last: true, text: rest }),
        [b' ', text @ ..] => Some(Line { code, is_last: true, text }),
        [b'-', text @ ..] => Some(Line { code, is_last: false, text }),
        _ => None,
    }
}

fn malformed(line: &[u8]) -> Failure {
    Failure::Malformed(format!("not SMTP ({})", failure::shown(line)))
}

impl<'a> InSmtp<'a> {
    fn reply(&mut self, code: u16, words: &str, used: usize) -> Turn<'a> {
        match (self.state, code) {
            (State::Greeting, 220) => self.say(State::Ehlo, "EHLO", used),
            (State::Ehlo | State::Helo, 250) => Turn::End { result: Ok(()), farewell: QUIT },
            // An old server does not know EHLO: RFC 5321, section 3.2.
            (State::Ehlo, 500 | 501 | 502 | 504) => self.say(State::Helo, "HELO", used),
            (State::Greeting | State::Ehlo | State::Helo, _) => {
                Turn::End { result: Err(Failure::ServerError(words.to_owned())), farewell: QUIT }
            }
        }
    }

    fn say(&mut self, state: State, word: &str, used: usize) -> Turn<'a> {
        self.state = state;
        Turn::Say { used, bytes: Cow::Owned(format!("{word} {}\r\n", self.hello).into_bytes()) }
    }
}
