//! PostgreSQL: a start-up message is answered with a request for authentication, or, where none is needed, with a session.
//!
//! Source: PostgreSQL's manual, "Frontend/Backend Protocol": message flow (start-up), message formats, error fields. A server
//! that starts up, shuts down or has no connection left answers with an error, whose words are the failure's. Not done:
//! passwords, TLS, queries. A probe that is asked for authentication closes instead: the server takes that for what `psql`
//! does when it wants to ask for a password, and logs nothing.

use super::{Farewell, Reach, Speaker, Turn};
use crate::model::{Failure, Phase, PostgreSqlSpec};
use crate::probe::failure;
use std::borrow::Cow;

/// Version 3.0 of the protocol.
const PROTOCOL: u32 = 3 << 16;
/// Bytes of a message's type and length.
const HEADER: usize = 5;
/// Bytes of a message after its type, its length included: errors have some hundred.
const LONGEST_MESSAGE: usize = 16 * 1024;
const AUTHENTICATION_OK: u32 = 0;
const TERMINATE: Farewell = Farewell::Say(b"X\0\0\0\x04");

/// The preset made ready.
#[derive(Debug)]
pub(crate) struct PostgreSql {
    start: Vec<u8>,
}

impl PostgreSql {
    pub(crate) fn new(spec: &PostgreSqlSpec) -> Self {
        let database = spec.database.as_deref().unwrap_or(&spec.user);
        let mut body = PROTOCOL.to_be_bytes().to_vec();
        for word in ["user", &spec.user, "database", database, "application_name", "tandem"] {
            body.extend(word.bytes());
            body.push(0);
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).unwrap_or(0);
        Self { start: [&length.to_be_bytes()[..], &body].concat() }
    }

    /// The exchange from its beginning.
    pub(crate) fn begin(&self) -> impl Speaker<'_> {
        InPostgreSql { start: &self.start, state: State::Begin }
    }
}

struct InPostgreSql<'a> {
    start: &'a [u8],
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Begin,
    Starting,
    /// Nobody asked for authentication: the session comes up, or fails.
    LetIn,
}

impl<'a> Speaker<'a> for InPostgreSql<'a> {
    fn next(&mut self, heard: &[u8], reach: Reach) -> Turn<'a> {
        if let State::Begin = self.state {
            self.state = State::Starting;
            return Turn::Say { used: 0, bytes: Cow::Borrowed(self.start) };
        }
        let mut used = 0;
        loop {
            let rest = heard.get(used..).unwrap_or_default();
            let Some((header, body)) = rest.split_first_chunk::<HEADER>() else {
                return Turn::Listen { used, phase: Phase::Reply };
            };
            let [kind, length @ ..] = *header;
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            if !(4..=LONGEST_MESSAGE).contains(&length) || reach == Reach::Full {
                return Turn::failed(malformed(header));
            }
            let Some(body) = body.get(..length - 4) else {
                return Turn::Listen { used, phase: Phase::Reply };
            };
            match self.message(kind, body) {
                Some(turn) => return turn,
                None => used += 1 + length,
            }
        }
    }
}

impl<'a> InPostgreSql<'a> {
    /// One message; `None` where the next one tells more.
    fn message(&mut self, kind: u8, body: &[u8]) -> Option<Turn<'a>> {
        match (self.state, kind) {
            (_, b'E') => Some(Turn::failed(Failure::ServerError(error_words(body)))),
            // A notice, or that the server knows an older version of the protocol only.
            (_, b'N' | b'v') => None,
            (State::Starting, b'R') => match body.first_chunk().copied().map(u32::from_be_bytes) {
                Some(AUTHENTICATION_OK) => {
                    self.state = State::LetIn;
                    None
                }
                Some(_) => Some(Turn::End { result: Ok(()), farewell: Farewell::Close }),
                None => Some(Turn::failed(malformed(body))),
            },
            (State::LetIn, b'Z') => Some(Turn::End { result: Ok(()), farewell: TERMINATE }),
            // Parameters of the session, and the key to cancel it with.
            (State::LetIn, b'S' | b'K') => None,
            (State::Begin | State::Starting | State::LetIn, _) => Some(Turn::failed(malformed(&[kind]))),
        }
    }
}

fn malformed(found: &[u8]) -> Failure {
    Failure::Malformed(format!("not PostgreSQL ({})", failure::shown(found)))
}

/// Severity and message of an error: fields of a letter and a text with its end.
fn error_words(body: &[u8]) -> String {
    let field = |wanted: u8| {
        let mut fields = body.split(|byte| *byte == 0);
        let text = fields.find_map(|field| field.strip_prefix(&[wanted]));
        text.map(failure::shown)
    };
    match (field(b'S'), field(b'M')) {
        (Some(severity), Some(message)) => format!("{severity}: {message}"),
        (None, Some(message)) => message,
        (_, None) => "an error without words".to_owned(),
    }
}
