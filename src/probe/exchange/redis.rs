//! Redis: `PING` is answered with `PONG`, after `AUTH` where a password is said.
//!
//! Source: the Redis serialisation protocol specification (RESP2): a command is an array of bulk strings, `+` begins a simple
//! string and `-` an error.

use super::{Farewell, Reach, Speaker, Turn, lines};
use crate::model::{CheckName, Failure, Phase, RedisSpec};
use crate::probe::{PrepareError, failure, secret};
use std::borrow::Cow;

/// Bytes of an answer's line: errors are shorter.
const LONGEST_LINE: usize = 4096;
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// The preset made ready.
pub(crate) struct Redis {
    /// The `AUTH` command: it holds the password.
    login: Option<Vec<u8>>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Redis").field("logs_in", &self.login.is_some()).finish()
    }
}

impl Redis {
    /// Makes `spec` ready: the password is read.
    pub(crate) fn new(check: &CheckName, spec: &RedisSpec) -> Result<Self, PrepareError> {
        let Some(place) = &spec.password else { return Ok(Self { login: None }) };
        let password = secret::Wanted { check, what: "the password", place }.read()?;
        let words = [Some(&b"AUTH"[..]), spec.user.as_deref().map(str::as_bytes), Some(&password)];
        Ok(Self { login: Some(command(words.into_iter().flatten())) })
    }

    /// The exchange from its beginning.
    pub(crate) fn begin(&self) -> impl Speaker<'_> {
        InRedis { redis: self, state: State::Begin }
    }
}

/// A command as an array of bulk strings.
fn command<'a>(words: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let mut written = format!("*{}\r\n", words.clone().count()).into_bytes();
    for word in words {
        written.extend(format!("${}\r\n", word.len()).bytes());
        written.extend(word);
        written.extend(b"\r\n");
    }
    written
}

struct InRedis<'a> {
    redis: &'a Redis,
    state: State,
}

enum State {
    Begin,
    LoggingIn,
    Pinging,
}

impl<'a> Speaker<'a> for InRedis<'a> {
    fn next(&mut self, heard: &[u8], reach: Reach) -> Turn<'a> {
        match (&self.state, &self.redis.login) {
            (State::Begin, Some(login)) => {
                self.state = State::LoggingIn;
                Turn::Say { used: 0, bytes: Cow::Borrowed(login) }
            }
            (State::Begin, None) => self.ping(0),
            (State::LoggingIn | State::Pinging, _) => match lines::first(heard) {
                Some((line, used)) => self.answer(line, used),
                None if heard.len() > LONGEST_LINE || reach == Reach::Full => {
                    Turn::failed(Failure::Malformed("not Redis: its answer has no line".to_owned()))
                }
                None => Turn::Listen { used: 0, phase: Phase::Reply },
            },
        }
    }
}

impl<'a> InRedis<'a> {
    fn ping(&mut self, used: usize) -> Turn<'a> {
        self.state = State::Pinging;
        Turn::Say { used, bytes: Cow::Borrowed(PING) }
    }

    fn answer(&mut self, line: &[u8], used: usize) -> Turn<'a> {
        match (&self.state, line) {
            (State::LoggingIn, b"+OK") => self.ping(used),
            (State::Pinging, b"+PONG") => Turn::End { result: Ok(()), farewell: Farewell::Reset },
            (_, [b'-', words @ ..]) => Turn::failed(Failure::ServerError(error_words(words))),
            (_, other) => Turn::failed(Failure::UnexpectedReply(failure::shown(other))),
        }
    }
}

/// The server's words, and what to do about them where the check can be mended.
fn error_words(words: &[u8]) -> String {
    let shown = failure::shown(words);
    if words.starts_with(b"NOAUTH") {
        return format!("{shown}: say the check's `password`");
    }
    shown
}
