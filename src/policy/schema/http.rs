//! HTTP and gRPC probes as they are written: the request, and the answer that counts.

use super::{OrNothing, RegexText, SecretText, StatusText, TlsText};
use crate::model::HttpSpec;
use crate::policy::codes::Code;
use crate::policy::declare::{mapping, words};
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::node::{Key, Node};
use crate::policy::read::{OneOrMore, Read, Spanned, entries_of};
use crate::policy::scalar::{Flag, Number, Text};
use crate::policy::size::Size;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// How many redirects are followed.
pub(in crate::policy) type Redirects = Number<0, { HttpSpec::MOST_REDIRECTS as u32 }>;
/// Bytes of a body that are read.
pub(in crate::policy) type ResponseLimit = Size<1, { HttpSpec::MOST_RESPONSE_LIMIT }>;

macro_rules! http_mapping {
    ($(#[doc = $about:literal])+ $name:ident = $what:literal { $($own:tt)* }) => {
        mapping! {
            $(#[doc = $about])+
            $name = $what {
                /// Path and query, by default `/`.
                optional path: Text,
                /// `Host` header, by default the address and port that are probed.
                optional host: Text,
                /// Method, by default GET; POST where there is `content`.
                optional method: Text,
                /// Further request headers. A secret is {file: …} or {credential: …}.
                optional headers: HeadersText,
                /// What the request carries.
                optional content: Text,
                /// Its media type, by default text/plain.
                optional content_type: Text,
                /// Version of HTTP: http1 (default), or http2.
                optional version: HttpVersionWord,
                /// Statuses that count as success, by default 200-299.
                optional status: OneOrMore<StatusText>,
                /// What the body must be: a text that it contains, or one of {regex: …}, {json: {pointer: …, equals: …}} and
                /// {sha256: …}.
                optional body: BodyText,
                /// How much of a body is read at most, by default 64KiB; 1B to 4MiB.
                optional response_limit: ResponseLimit,
                /// Redirects that are followed, by default 0: a 302 is its own status. Each goes to the same address and port,
                /// whatever host it names, and over the same scheme.
                optional redirects: Redirects,
                /// Whether the connection stays open from one probe to the next, by default false: a connection for each probe
                /// shows also whether the server takes new ones.
                optional keep_connection: Flag,
                $($own)*
            }
            later {}
        }
    };
}

http_mapping! {
    /// An HTTP request.
    HttpText = "an http probe" {}
}

http_mapping! {
    /// An HTTP request over TLS.
    HttpsText = "an https probe" {
        /// How the TLS session is made and verified.
        optional tls: TlsText,
    }
}

words! {
    /// Version of HTTP.
    HttpVersionWord { "http1" => Http1, "http2" => Http2 }
    later {}
}

mapping! {
    /// A call of the standard health service of gRPC, which must answer SERVING.
    GrpcText = "a grpc probe" {
        /// The service that is asked for, by default the server as a whole.
        optional service: Text,
        /// The name of the server, by default the address and port that are probed.
        optional host: Text,
        /// With TLS, and how its session is made and verified; by default without.
        optional tls: OrNothing<TlsText>,
        /// Whether the connection stays open from one probe to the next, by default false.
        optional keep_connection: Flag,
    }
    later {}
}

mapping! {
    /// What a body must be, beyond a text that it contains.
    BodyRuleText = "`body`" {
        /// A regular expression that matches somewhere in what is read.
        optional regex: RegexText,
        /// A value in a JSON text.
        optional json: JsonText,
        /// The SHA-256 digest of the whole body, in 64 hexadecimal digits.
        optional sha256: Text,
    }
    later {}
}

mapping! {
    /// A value in a JSON text.
    JsonText = "`json`" {
        /// Where it is, as RFC 6901 writes it: /status, /checks/0/state.
        required pointer: Text,
        /// What it is: the characters of a string, or the JSON text of anything else.
        required equals: Text,
    }
    later {}
}

/// A text that the body contains, or another rule.
#[derive(Clone, Debug)]
pub(in crate::policy) enum BodyText {
    Contains(Text),
    Rule(Box<BodyRuleText>),
}

impl Read for BodyText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.entries().is_none() {
            return Text::read(node, problems).map(Self::Contains);
        }
        let rule = BodyRuleText::read(node, problems)?;
        let said = [!rule.regex.is_absent(), !rule.json.is_absent(), !rule.sha256.is_absent()];
        if said.into_iter().filter(|said| *said).count() == 1 {
            return Some(Self::Rule(Box::new(rule)));
        }
        if !problems.any_within(node.span) {
            problems.push(Diagnostic::new(Code::BodyRule, node.span, "a body is judged by one rule").help(
                "write a text, or one of {regex: …}, {json: {pointer: /status, equals: ok}}, {sha256: …}",
            ));
        }
        None
    }
}

impl JsonSchema for BodyText {
    fn schema_name() -> Cow<'static, str> {
        "Body".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<Text>(), generator.subschema_for::<BodyRuleText>()]})
    }
}

/// Request headers by name.
#[derive(Clone, Debug)]
pub(in crate::policy) struct HeadersText(pub(in crate::policy) Vec<(Key, Spanned<HeaderValueText>)>);

impl Read for HeadersText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let entries = entries_of(node, "a mapping of names to texts", problems)?;
        let read = |(key, value): &(Key, Node)| {
            let text = HeaderValueText::read(value, problems)?;
            Some((key.clone(), Spanned { value: text, span: value.span }))
        };
        Some(Self(entries.iter().filter_map(read).collect()))
    }
}

impl JsonSchema for HeadersText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = [generator.subschema_for::<Text>(), generator.subschema_for::<SecretText>()];
        json_schema!({"type": "object", "additionalProperties": {"anyOf": value}})
    }
}

/// The value of a header, or where it is.
#[derive(Clone, Debug)]
pub(in crate::policy) enum HeaderValueText {
    Text(Text),
    Secret(SecretText),
}

impl Read for HeaderValueText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node.entries() {
            Some(_) => SecretText::read(node, problems).map(Self::Secret),
            None => Text::read(node, problems).map(Self::Text),
        }
    }
}

impl JsonSchema for HeaderValueText {
    fn schema_name() -> Cow<'static, str> {
        "HeaderValue".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<Text>(), generator.subschema_for::<SecretText>()]})
    }
}
