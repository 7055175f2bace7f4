//! MySQL and MariaDB: the server greets; with a user, it is answered and lets that user in without a password.
//!
//! Source: MySQL's internals manual ("Connection Phase", "Protocol::HandshakeV10", "Protocol::HandshakeResponse41",
//! "ERR_Packet"). Not done: passwords, TLS, queries. A probe that leaves without an answer to the greeting is counted by the
//! server as an error of this host (`max_connect_errors`).

use super::{Farewell, Reach, Speaker, Turn};
use crate::model::{Failure, MySqlSpec, Phase};
use crate::probe::failure;
use std::borrow::Cow;

/// Bytes of a packet before its payload: three of length, one of sequence.
const HEADER: usize = 4;
/// Bytes of a payload: greetings and errors have some hundred.
const LONGEST_PAYLOAD: usize = 4096;
/// COM_QUIT, the first packet of its exchange.
const QUIT: Farewell = Farewell::Say(&[1, 0, 0, 0, 1]);
/// A sane first byte of a greeting: the protocol's version.
const PROTOCOL_VERSION: u8 = 10;

const CLIENT_LONG_PASSWORD: u32 = 1;
const CLIENT_PROTOCOL_41: u32 = 0x200;
const CLIENT_SECURE_CONNECTION: u32 = 0x8000;
const CLIENT_PLUGIN_AUTH: u32 = 0x8_0000;
/// The longest packet that we would take.
const MAX_PACKET: u32 = 0x100_0000;
/// utf8_general_ci, which every version knows.
const CHARACTER_SET: u8 = 33;

/// The preset made ready.
#[derive(Debug)]
pub(crate) struct MySql {
    user: Option<String>,
}

impl MySql {
    pub(crate) fn new(spec: &MySqlSpec) -> Self {
        Self { user: spec.user.clone() }
    }

    /// The exchange from its beginning.
    pub(crate) fn begin(&self) -> impl Speaker<'_> {
        InMySql { user: self.user.as_deref(), state: State::Greeting }
    }
}

struct InMySql<'a> {
    user: Option<&'a str>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    LoggingIn,
}

impl<'a> Speaker<'a> for InMySql<'a> {
    fn next(&mut self, heard: &[u8], reach: Reach) -> Turn<'a> {
        let phase = if self.state == State::Greeting { Phase::Greeting } else { Phase::Reply };
        let Some((header, rest)) = heard.split_first_chunk::<HEADER>() else {
            return Turn::Listen { used: 0, phase };
        };
        let [low, middle, high, sequence] = *header;
        let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        if length == 0 || length > LONGEST_PAYLOAD || reach == Reach::Full {
            return Turn::failed(Failure::Malformed(format!("not MySQL ({})", failure::shown(header))));
        }
        match rest.get(..length) {
            Some(payload) => self.packet(payload, sequence.wrapping_add(1), HEADER + length),
            None => Turn::Listen { used: 0, phase },
        }
    }
}

impl<'a> InMySql<'a> {
    fn packet(&mut self, payload: &[u8], sequence: u8, used: usize) -> Turn<'a> {
        match (self.state, payload) {
            (_, [0xff, error @ ..]) => Turn::failed(Failure::ServerError(error_words(error))),
            (State::Greeting, [PROTOCOL_VERSION, greeting @ ..]) => {
                if !is_greeting(greeting) {
                    return Turn::failed(Failure::Malformed("a MySQL greeting that breaks off".to_owned()));
                }
                match self.user {
                    None => Turn::End { result: Ok(()), farewell: Farewell::Reset },
                    Some(user) => {
                        self.state = State::LoggingIn;
                        Turn::Say { used, bytes: Cow::Owned(packet(sequence, &login(user))) }
                    }
                }
            }
            (State::LoggingIn, [0x00, ..]) => Turn::End { result: Ok(()), farewell: QUIT },
            (State::LoggingIn, [0xfe, request @ ..]) => switch(request, sequence, used),
            // caching_sha2_password: an empty password was taken from its cache, and the OK follows.
            (State::LoggingIn, [0x01, 0x03]) => Turn::Listen { used, phase: Phase::Reply },
            (State::LoggingIn, [0x01, ..]) => {
                Turn::failed(Failure::UnexpectedReply("the user has a password, and must not".to_owned()))
            }
            (State::Greeting | State::LoggingIn, other) => {
                Turn::failed(Failure::Malformed(format!("not MySQL ({})", failure::shown(other))))
            }
        }
    }
}

/// Whether what follows the protocol's version has a version of the server (with its end), a thread and a first scramble.
fn is_greeting(greeting: &[u8]) -> bool {
    let version = greeting.iter().position(|byte| *byte == 0);
    version.is_some_and(|end| greeting.len() >= end + 1 + 4 + 8)
}

/// The server wants another authentication plug-in: an empty password, as each plug-in says it.
fn switch<'a>(request: &[u8], sequence: u8, used: usize) -> Turn<'a> {
    let name = request.split(|byte| *byte == 0).next().unwrap_or_default();
    let answer: &[u8] = match name {
        b"mysql_native_password" => &[],
        b"caching_sha2_password" | b"sha256_password" => &[0],
        other => {
            let message = format!(
                "the user needs the authentication plug-in {}: give it an empty password of mysql_native_password",
                failure::shown(other)
            );
            return Turn::failed(Failure::UnexpectedReply(message));
        }
    };
    Turn::Say { used, bytes: Cow::Owned(packet(sequence, answer)) }
}

/// HandshakeResponse41 with an empty password.
fn login(user: &str) -> Vec<u8> {
    let capabilities =
        CLIENT_LONG_PASSWORD | CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH;
    let mut payload = Vec::with_capacity(96 + user.len());
    payload.extend(capabilities.to_le_bytes());
    payload.extend(MAX_PACKET.to_le_bytes());
    payload.push(CHARACTER_SET);
    payload.extend([0; 23]);
    payload.extend(user.bytes());
    payload.push(0);
    payload.push(0);
    payload.extend(b"mysql_native_password\0");
    payload
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [low, middle, high, _] = u32::try_from(payload.len()).unwrap_or(0).to_le_bytes();
    let mut packet = vec![low, middle, high, sequence];
    packet.extend(payload);
    packet
}

/// Code and text of an error; its SQL state, where there is one, says nothing more.
fn error_words(error: &[u8]) -> String {
    let Some((code, text)) = error.split_first_chunk::<2>() else {
        return "an error without words".to_owned();
    };
    let text = match text {
        [b'#', _, _, _, _, _, text @ ..] => text,
        text => text,
    };
    format!("{} (error {})", failure::shown(text), u16::from_le_bytes(*code))
}
