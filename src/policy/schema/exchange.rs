//! Probes that exchange bytes, as they are written: what is sent, and what an answer must hold.

use super::{OrNothing, SecretText, TlsText};
use crate::hex;
use crate::model::{DialogueSpec, Pattern, UdpSpec};
use crate::policy::codes::Code;
use crate::policy::declare::{mapping, words};
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::node::Node;
use crate::policy::read::{List, Read, wrong_type};
use crate::policy::scalar::{Flag, Text};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// What a step of a dialogue sends.
pub(in crate::policy) type SendText = BytesText<{ DialogueSpec::LONGEST_SEND }>;
/// What one datagram carries.
pub(in crate::policy) type PayloadText = BytesText<{ UdpSpec::LONGEST_SEND }>;

mapping! {
    /// A TCP connection is accepted; with more to say, one of an exchange of texts, `redis`, `mysql` and `postgresql`.
    TcpText = "a tcp probe" {
        /// What is sent once the connection is up: text such as "PING\r\n" in double quotes, or {hex: 50494e470d0a}.
        optional send: SendText,
        /// What the first 64 KiB that the server sends must hold: text, {hex: …} or {regex: …}.
        optional expect: PatternText,
        /// Several texts in turn, each step looking on behind what the one before has found.
        optional dialogue: List<StepText>,
        /// A Redis answers PING with PONG; one that loads its data, or has lost its master, fails.
        optional redis: OrNothing<RedisText>,
        /// A MySQL or MariaDB greets, and lets a user in.
        optional mysql: OrNothing<MySqlText>,
        /// A PostgreSQL asks for authentication; one that starts up fails.
        optional postgresql: PostgreSqlText,
    }
    later {}
}

mapping! {
    /// A step of a dialogue: what is sent, what is awaited, or both in this order.
    StepText = "a step of a dialogue" {
        /// What is sent: text, or {hex: …}.
        optional send: SendText,
        /// What the server's answer must hold: text, {hex: …} or {regex: …}.
        optional expect: PatternText,
    }
    later {}
}

mapping! {
    /// Who the probe is to a Redis.
    RedisText = "`redis`" {
        /// The user of an access control list, by default the server's default user.
        optional user: Text,
        /// The password of that user.
        optional password: SecretText,
    }
    later {}
}

mapping! {
    /// Who the probe is to a MySQL or MariaDB.
    MySqlText = "`mysql`" {
        /// A user without password and privileges. Without one, the server counts each probe as an error of this host.
        optional user: Text,
    }
    later {}
}

mapping! {
    /// Who the probe is to a PostgreSQL.
    PostgreSqlText = "`postgresql`" {
        /// The user that the server is asked for; it need not be able to log in.
        required user: Text,
        /// The database, by default the one with the user's name.
        optional database: Text,
    }
    later {}
}

mapping! {
    /// A mail server greets with 220, and takes EHLO, or HELO.
    SmtpText = "an smtp probe" {
        /// What the probe calls itself, by default the address that it comes from, as in [192.0.2.1].
        optional hello: Text,
        /// Whether the session goes on over TLS after STARTTLS, by default false; a server that does not offer it fails.
        optional starttls: Flag,
        /// How that TLS session is made and verified.
        optional tls: TlsText,
    }
    later {}
}

words! {
    /// What the silence of a UDP server means.
    OnSilenceWord { "up" => Up, "down" => Down }
    later {}
}

mapping! {
    /// A UDP datagram and its answer. An ICMP error is a failure.
    UdpText = "a udp probe" {
        /// The payload, by default none: text, or {hex: …}.
        optional send: PayloadText,
        /// What the answer must hold within its first 8 KiB, by default anything: text, {hex: …} or {regex: …}.
        optional expect: PatternText,
        /// What it means when nothing comes back, by default down where an answer is expected, else up.
        optional on_silence: OnSilenceWord,
    }
    later {}
}

/// Bytes, at most `MOST` of them: a text of any characters, or `{hex: 0d0a}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct BytesText<const MOST: usize>(pub(in crate::policy) Vec<u8>);

impl<const MOST: usize> Read for BytesText<MOST> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let bytes = match node.scalar() {
            Some(text) => text.as_bytes().to_vec(),
            None if node.entries().is_some() => hex(node, problems)?,
            None => {
                problems.push(wrong_type(node, "text, or {hex: …}"));
                return None;
            }
        };
        let bytes = not_empty(bytes, node, problems)?;
        within(bytes, MOST, node, problems).map(Self)
    }
}

fn not_empty(bytes: Vec<u8>, node: &Node, problems: &mut Problems) -> Option<Vec<u8>> {
    if bytes.is_empty() {
        let diagnostic = Diagnostic::new(Code::BadText, node.span, "this text is empty");
        problems.push(diagnostic.help("write what is meant, or leave the key out"));
        return None;
    }
    Some(bytes)
}

fn within(bytes: Vec<u8>, most: usize, node: &Node, problems: &mut Problems) -> Option<Vec<u8>> {
    if bytes.len() > most {
        let message = format!("this text has {} bytes, and {most} is the most here", bytes.len());
        problems.push(Diagnostic::new(Code::BadText, node.span, message).help("write a shorter one"));
        return None;
    }
    Some(bytes)
}

mapping! {
    /// Bytes as hexadecimal digits.
    HexText = "these bytes" {
        /// Two digits a byte; blanks between them are allowed.
        required hex: Text,
    }
    later {}
}

fn hex(node: &Node, problems: &mut Problems) -> Option<Vec<u8>> {
    let text = HexText::read(node, problems)?;
    decoded(text.hex.given()?, problems)
}

/// The bytes of hexadecimal digits.
fn decoded(text: &crate::policy::read::Spanned<Text>, problems: &mut Problems) -> Option<Vec<u8>> {
    let bytes = hex::decode(&text.value.0.replace(' ', ""));
    if bytes.is_some() {
        return bytes;
    }
    let message = format!("{} is not hexadecimal", crate::policy::diagnostic::quoted(&text.value.0));
    problems.push(
        Diagnostic::new(Code::BadText, text.span, message)
            .help("write two of the digits 0 to 9 and a to f for each byte: 0d0a"),
    );
    None
}

impl<const MOST: usize> JsonSchema for BytesText<MOST> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Bytes_{MOST}").into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": ["string", "number", "boolean"]},
            generator.subschema_for::<HexText>(),
        ]})
    }
}

mapping! {
    /// Bytes as hexadecimal digits, or a regular expression.
    PatternPlace = "what is expected" {
        /// Two digits a byte; blanks between them are allowed.
        optional hex: Text,
        /// A regular expression of the crate regex, such as "^220 .*ESMTP"; it matches anywhere, and `(?-u)` makes it one of bytes.
        optional regex: RegexText,
    }
    later {}
}

/// The source of a regular expression: text, with line ends and tabs if need be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct RegexText(pub(in crate::policy) String);

impl Read for RegexText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(text) = node.scalar() else {
            problems.push(wrong_type(node, "a regular expression"));
            return None;
        };
        let bytes = not_empty(text.as_bytes().to_vec(), node, problems)?;
        within(bytes, DialogueSpec::LONGEST_EXPECTATION, node, problems)?;
        if !Pattern::is_legible(text) {
            let diagnostic =
                Diagnostic::new(Code::BadText, node.span, "this expression holds control characters");
            problems.push(diagnostic.help("write them as \\x00, in single quotes or without any"));
            return None;
        }
        Some(Self(text.to_owned()))
    }
}

impl JsonSchema for RegexText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Regex".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "regex"})
    }
}

/// What an answer must hold: a text of any characters, `{hex: …}` or `{regex: …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) enum PatternText {
    Bytes(Vec<u8>),
    Regex(String),
}

impl Read for PatternText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let most = DialogueSpec::LONGEST_EXPECTATION;
        if node.entries().is_none() {
            return match BytesText::<{ DialogueSpec::LONGEST_EXPECTATION }>::read(node, problems) {
                Some(bytes) => Some(Self::Bytes(bytes.0)),
                None => None,
            };
        }
        let place = PatternPlace::read(node, problems)?;
        match (place.hex.is_absent(), place.regex.is_absent()) {
            (false, true) => {
                let bytes = not_empty(decoded(place.hex.given()?, problems)?, node, problems)?;
                within(bytes, most, node, problems).map(Self::Bytes)
            }
            (true, false) => Some(Self::Regex(place.regex.value()?.0.clone())),
            (true, true) | (false, false) => {
                let message = "an answer is expected in one way: as text, as {hex: …} or as {regex: …}";
                problems.push(
                    Diagnostic::new(Code::WrongType, node.span, message).help("write one of the three"),
                );
                None
            }
        }
    }
}

impl JsonSchema for PatternText {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": ["string", "number", "boolean"]},
            generator.subschema_for::<PatternPlace>(),
        ]})
    }
}
