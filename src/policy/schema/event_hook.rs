//! `on_event`: what is run, called or written to at events.

use super::{PemText, SecretText};
use crate::model::{EventKind, Severity};
use crate::policy::codes::Code;
use crate::policy::declare::{mapping, unknown_word, words};
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::node::Node;
use crate::policy::read::{List, Read};
use crate::policy::scalar::{Text, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

mapping! {
    /// Something that is run (`exec`), called (`webhook`) or written to (`mail`) at events: in order, each awaited.
    EventHookText = "a hook of `on_event`" {
        /// A program, with its whole path, and its arguments; the event is JSON on its standard input, and in TANDEM_*
        /// variables.
        optional exec: List<Text>,
        /// Where the event is sent as JSON by POST: https:// or http://; {file: PATH} or {credential: NAME} where whoever knows
        /// the address may post.
        optional webhook: WebhookText,
        /// A mail of what happened, events of some seconds in one.
        optional mail: MailText,
        /// The user that the program runs as, by default the director's own.
        optional user: Text,
        /// A key that signs what a webhook is sent: HMAC-SHA256 in the header Tandem-Signature.
        optional secret: SecretText,
        /// Certificate authorities that a webhook or a mail server is verified with, by default the system's.
        optional ca: PemText,
        /// How long a program, or one of four attempts of a webhook or a mail, may take, 100ms to 60s, by default 10s.
        optional timeout: Time<100, 60_000>,
        /// Kinds of events, by default all but table_changed; `tandem man tandem.yaml.5` lists them.
        optional kinds: List<EventKindText>,
        /// Events that are at least so grave: info (default), warning, error.
        optional severity: SeverityText,
        /// Only what concerns these pools, or the routers that are said beside them.
        optional pools: List<Text>,
        /// Only what concerns these virtual routers, or the pools that are said beside them.
        optional routers: List<Text>,
    }
    later {}
}

mapping! {
    /// A mail and the server that takes it.
    MailText = "`mail`" {
        /// The mail server, `HOST` or `HOST:PORT`; by default port 587, with `tls: tls` 465, with `tls: none` 25.
        required server: Text,
        /// The sender's address.
        required from: Text,
        /// The addresses of those who get it, 1 to 16.
        required to: List<Text>,
        /// How the way to the server is sealed, by default starttls, without which nothing is sent; `tls` from the first byte
        /// on, `none` not at all.
        optional tls: MailTlsWord,
        /// The user that logs in.
        optional username: Text,
        /// Its password, never with `tls: none`.
        optional password: SecretText,
        /// What the director calls itself to the server, by default the name of its host.
        optional hello: Text,
        /// How long a mail waits for more events after the first, 0s to 1h, by default 10s.
        optional collect: Time<0, 3_600_000>,
    }
    later {}
}

words! {
    /// How the way to a mail server is sealed.
    MailTlsWord { "starttls" => StartTls, "tls" => Tls, "none" => None }
    later {}
}

/// Where a webhook is: an address, or where the address is.
#[derive(Clone, Debug)]
pub(in crate::policy) enum WebhookText {
    Url(String),
    Secret(SecretText),
}

impl Read for WebhookText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.scalar().is_none() {
            return SecretText::read(node, problems).map(Self::Secret);
        }
        let url = Text::read(node, problems)?.0;
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
        let (message, help) = match host {
            Some(host) if host.contains('@') => (
                "this address holds a password, which others may read",
                "write {file: PATH} with the whole address in the file, or {credential: NAME}",
            ),
            Some(host) if !host.is_empty() && !url.chars().any(char::is_whitespace) => {
                return Some(Self::Url(url));
            }
            _ => ("this is no address of a webhook", "write https://HOST/PATH"),
        };
        problems.push(Diagnostic::new(Code::EventHook, node.span, message).help(help));
        None
    }
}

impl JsonSchema for WebhookText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Webhook".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<SecretText>();
        json_schema!({"anyOf": [{"type": "string", "pattern": "^https?://[^/?#@ ]+"}, secret]})
    }
}

/// A kind of events.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct EventKindText(pub(in crate::policy) EventKind);

impl Read for EventKindText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let kind = node.scalar().and_then(EventKind::of_name);
        if kind.is_none() {
            let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
            problems.push(unknown_word(node, &known));
        }
        kind.map(Self)
    }
}

impl JsonSchema for EventKindText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "EventKind".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        json_schema!({"enum": known})
    }
}

/// How grave an event is.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct SeverityText(pub(in crate::policy) Severity);

impl Read for SeverityText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let said = Severity::ALL.into_iter().find(|severity| node.scalar() == Some(severity.name()));
        if said.is_none() {
            problems.push(unknown_word(node, &Severity::ALL.map(Severity::name)));
        }
        said.map(Self)
    }
}

impl JsonSchema for SeverityText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Severity".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": Severity::ALL.map(Severity::name)})
    }
}
