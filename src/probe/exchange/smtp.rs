//! SMTP: the server greets with 220, takes `EHLO` (or `HELO`) with 250, and is left with `QUIT`; where the check wants it, it
//! takes `STARTTLS` with 220 before, and a second `EHLO` over TLS.
//!
//! Source: RFC 5321, sections 3.1, 4.1.1.1, 4.1.3 (address literals) and 4.2 (replies); RFC 3207 (STARTTLS). What a server
//! says in the clear behind its 220 is refused and not taken for a word of the session. Not done: a mail.

use super::{Farewell, Reach, Speaker, Turn, converse, farewell, lines, talk};
use crate::model::{Failure, Findings, Phase, SmtpSpec};
use crate::probe::failure;
use crate::probe::progress::Progress;
use crate::probe::tls::{self, Tls};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpStream;

/// Bytes of a reply's line; RFC 5321 allows 512.
const LONGEST_LINE: usize = 2048;
const QUIT: Farewell = Farewell::Say(b"QUIT\r\n");

/// The probe made ready.
#[derive(Debug)]
pub(crate) struct Smtp {
    hello: Option<String>,
    tls: Option<Tls>,
}

impl Smtp {
    /// Whether the exchange goes on over TLS.
    pub(crate) const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Makes `spec` ready; `tls` is what its `starttls` was made into.
    pub(crate) fn new(spec: &SmtpSpec, tls: Option<Tls>) -> Self {
        Self { hello: spec.hello.clone(), tls }
    }

    /// The whole exchange on `stream`.
    pub(crate) async fn run(
        &self,
        mut stream: TcpStream,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<Findings, Failure> {
        let nothing = |()| Findings::default();
        let own = stream.local_addr().ok().map(|own| own.ip());
        let Some(tls) = &self.tls else {
            return converse(stream, self.begin(own, Goal::Hello), progress).await.map(nothing);
        };
        let (result, last_word) = talk(&mut stream, self.begin(own, Goal::StartTls), progress).await?;
        if result.is_err() {
            farewell::say(stream, last_word);
            return result.map(nothing);
        }
        let session = tls.connect(stream, target).await?;
        let certificate_expires = tls::expiry(&session);
        converse(session, self.begin(own, Goal::HelloAgain), progress).await?;
        Ok(Findings { certificate_expires, ..Findings::default() })
    }

    /// One part of the exchange, on a connection that comes from `own`.
    pub(super) fn begin(&self, own: Option<IpAddr>, goal: Goal) -> impl Speaker<'_> {
        let hello = match (&self.hello, own) {
            (Some(hello), _) => Cow::Borrowed(hello.as_str()),
            (None, own) => Cow::Owned(literal(own.unwrap_or(IpAddr::from([127, 0, 0, 1])))),
        };
        let state = match goal {
            Goal::Hello | Goal::StartTls => State::Greeting,
            Goal::HelloAgain => State::Begin,
        };
        InSmtp { hello, goal, state, first: None, offers_tls: false }
    }
}

/// What a part of the exchange is to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// `EHLO` is taken, and that is all.
    Hello,
    /// `STARTTLS` is taken.
    StartTls,
    /// `EHLO` is taken over TLS, where no greeting comes.
    HelloAgain,
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
    goal: Goal,
    state: State,
    /// The first line of a reply that has several.
    first: Option<String>,
    offers_tls: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Over TLS, before anything was said.
    Begin,
    Greeting,
    Ehlo,
    Helo,
    StartTls,
}

/// A line of a reply: its code, whether more lines follow, and its text.
struct Line<'a> {
    code: u16,
    is_last: bool,
    text: &'a [u8],
}

impl<'a> Speaker<'a> for InSmtp<'a> {
    fn next(&mut self, heard: &[u8], reach: Reach) -> Turn<'a> {
        if self.state == State::Begin {
            return self.hello(State::Ehlo, "EHLO", 0);
        }
        let phase = if self.state == State::Greeting { Phase::Greeting } else { Phase::Reply };
        let mut used = 0;
        while let Some((line, length)) = lines::first(heard.get(used..).unwrap_or_default()) {
            used += length;
            let Some(line) = parse(line) else { return Turn::failed(malformed(line)) };
            self.offers_tls |= self.state == State::Ehlo && line.text.eq_ignore_ascii_case(b"STARTTLS");
            let first = self.first.get_or_insert_with(|| failure::shown(line.text)).clone();
            if line.is_last {
                self.first = None;
                return self.reply(line.code, &first, used, heard.len() > used);
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
    /// `more`: the server has said something behind this reply.
    fn reply(&mut self, code: u16, words: &str, used: usize, more: bool) -> Turn<'a> {
        match (self.state, code) {
            (State::Greeting, 220) => self.hello(State::Ehlo, "EHLO", used),
            (State::Ehlo | State::Helo, 250) => self.greeted(used),
            // An old server does not know EHLO: RFC 5321, section 3.2.
            (State::Ehlo, 500 | 501 | 502 | 504) => self.hello(State::Helo, "HELO", used),
            (State::StartTls, 220) if more => {
                Turn::failed(Failure::Malformed("the server goes on in the clear after STARTTLS".to_owned()))
            }
            (State::StartTls, 220) => Turn::End { result: Ok(()), farewell: Farewell::Reset },
            (State::Begin | State::Greeting | State::Ehlo | State::Helo | State::StartTls, _) => {
                Turn::End { result: Err(Failure::ServerError(format!("{code} {words}"))), farewell: QUIT }
            }
        }
    }

    /// The server knows who we are.
    fn greeted(&mut self, used: usize) -> Turn<'a> {
        match self.goal {
            Goal::Hello | Goal::HelloAgain => Turn::End { result: Ok(()), farewell: QUIT },
            Goal::StartTls if self.offers_tls => {
                self.state = State::StartTls;
                Turn::Say { used, bytes: Cow::Borrowed(b"STARTTLS\r\n") }
            }
            Goal::StartTls => {
                let failure = Failure::UnexpectedReply("the server does not offer STARTTLS".to_owned());
                Turn::End { result: Err(failure), farewell: QUIT }
            }
        }
    }

    fn hello(&mut self, state: State, word: &str, used: usize) -> Turn<'a> {
        self.state = state;
        Turn::Say { used, bytes: Cow::Owned(format!("{word} {}\r\n", self.hello).into_bytes()) }
    }
}
