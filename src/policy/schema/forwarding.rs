//! Forwarding methods and schedulers as they are written: a word, or a word with options.

use super::RangeText;
use crate::model::SCHEDULERS;
use crate::policy::codes::Code;
use crate::policy::declare::{mapping, words};
use crate::policy::diagnostic::{Diagnostic, Problems, nearest, quoted};
use crate::policy::node::{Key, Node};
use crate::policy::read::{Named, OneOrMore, Read, wrong_type};
use crate::policy::scalar::{Flag, Port, Text};
use crate::policy::source::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// How packets reach the real servers.
#[derive(Clone, Debug)]
pub(in crate::policy) enum ForwardingText {
    Nat,
    DirectRouting,
    Tunnelling(Box<TunText>),
    FullNat(Box<FullNatText>),
}

/// The words of the forwarding methods.
const METHODS: [&str; 4] = ["nat", "dr", "tun", "full-nat"];

mapping! {
    /// NAT and DR have no options.
    NoOptions = "this forwarding method" {}
    later {}
}

mapping! {
    /// How a tunnelled packet is wrapped.
    TunText = "`tun`" {
        /// ipip (default), gue or gre.
        optional encapsulation: EncapsulationWord,
        /// UDP port that the real servers decapsulate at; gue only, and needed there.
        optional port: Port,
        /// Checksum of the outer header: none (default), full, or remote (gue only).
        optional checksum: ChecksumWord,
    }
    later {}
}

mapping! {
    /// NAT whose real servers see an address of the director.
    FullNatText = "`full-nat`" {
        /// Addresses and ranges that connections bear towards the real servers; by default the outgoing interface's.
        optional local_addresses: LocalAddressesText,
    }
    later {}
}

words! {
    /// How a tunnelled packet is wrapped.
    EncapsulationWord { "ipip" => IpIp, "gue" => Gue, "gre" => Gre }
    later {}
}

words! {
    /// Checksum of a tunnel's outer header.
    ChecksumWord { "none" => None, "full" => Full, "remote" => Remote }
    later {}
}

mapping! {
    /// Local addresses that float with a router.
    RoutersAddresses = "`local_addresses`" {
        /// Name under `virtual_routers`: its Master holds them.
        required router: Text,
        /// The addresses and ranges.
        required addresses: OneOrMore<RangeText>,
    }
    later {}
}

/// Full-NAT's local addresses.
#[derive(Clone, Debug)]
pub(in crate::policy) enum LocalAddressesText {
    /// Of a director that is alone.
    List(OneOrMore<RangeText>),
    /// They float with a router.
    Router(Box<RoutersAddresses>),
    /// Each director has its own.
    Directors(Named<OneOrMore<RangeText>>),
}

impl Read for LocalAddressesText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.entries().is_none() {
            return OneOrMore::read(node, problems).map(Self::List);
        }
        // A director may be called `router`: its value is then a list.
        let names_router = node.get("router").is_some_and(|name| name.scalar().is_some());
        if names_router || node.get("addresses").is_some() {
            return RoutersAddresses::read(node, problems).map(Box::new).map(Self::Router);
        }
        Named::read(node, problems).map(Self::Directors)
    }
}

impl JsonSchema for LocalAddressesText {
    fn schema_name() -> Cow<'static, str> {
        "LocalAddresses".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A list of addresses and ranges; in a pair {router: NAME, addresses: […]}, or a list for each director.",
            "anyOf": [
                generator.subschema_for::<OneOrMore<RangeText>>(),
                generator.subschema_for::<RoutersAddresses>(),
                generator.subschema_for::<Named<OneOrMore<RangeText>>>(),
            ],
        })
    }
}

/// The word of a value that is a word, or a mapping with that word as its only key.
fn word_and_options<'a>(
    node: &'a Node,
    expected: &str,
    problems: &mut Problems,
) -> Option<(&'a str, Span, Option<&'a Node>)> {
    match node.entries() {
        None => node.scalar().map(|word| (word, node.span, None)).or_else(|| {
            problems.push(wrong_type(node, expected));
            None
        }),
        Some([(Key { name, span }, options)]) => {
            Some((name, *span, Some(options).filter(|options| !options.is_null())))
        }
        Some(_) => {
            problems.push(wrong_type(node, &format!("{expected}, with its options under that one key")));
            None
        }
    }
}

impl Read for ForwardingText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let (word, span, options) = word_and_options(node, "one of nat, dr, tun, full-nat", problems)?;
        let empty = Node::empty_mapping(span);
        let options = options.unwrap_or(&empty);
        match word {
            "nat" => NoOptions::read(options, problems).map(|_| Self::Nat),
            "dr" => NoOptions::read(options, problems).map(|_| Self::DirectRouting),
            "tun" => TunText::read(options, problems).map(Box::new).map(Self::Tunnelling),
            "full-nat" => FullNatText::read(options, problems).map(Box::new).map(Self::FullNat),
            other => {
                problems.push(unknown_method(other, span));
                None
            }
        }
    }
}

fn unknown_method(word: &str, span: Span) -> Diagnostic {
    let diagnostic =
        Diagnostic::new(Code::UnknownWord, span, format!("{} is not a forwarding method", quoted(word)));
    let meant = match word.to_lowercase().as_str() {
        "masquerade" | "masquerading" | "masq" => Some("nat"),
        "direct" | "gatewaying" | "gate" | "route" | "direct-routing" | "dsr" => Some("dr"),
        "tunnel" | "tunnelling" | "tunneling" | "ipip" | "ip-ip" => Some("tun"),
        "fullnat" | "full_nat" | "fnat" | "snat" => Some("full-nat"),
        _ => nearest(word, METHODS),
    };
    match meant {
        Some(meant) => diagnostic.help(format!("write `{meant}`")),
        None => diagnostic.help("write nat, dr, tun or full-nat"),
    }
}

impl JsonSchema for ForwardingText {
    fn schema_name() -> Cow<'static, str> {
        "Forwarding".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (tun, full_nat) =
            (generator.subschema_for::<TunText>(), generator.subschema_for::<FullNatText>());
        json_schema!({
            "description": "How packets reach the real servers: nat, dr, tun or full-nat, with options as a mapping.",
            "anyOf": [
                {"enum": METHODS},
                {"type": "object", "properties": {"tun": tun, "full-nat": full_nat, "nat": {"type": "object"}, "dr": {"type": "object"}},
                 "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
            ],
        })
    }
}

/// A scheduler of the kernel, with the flags that were said.
#[derive(Clone, Debug)]
pub(in crate::policy) struct SchedulerText {
    pub(in crate::policy) name: &'static str,
    pub(in crate::policy) flags: Option<HashFlagsText>,
}

mapping! {
    /// Flags of the schedulers sh and mh.
    HashFlagsText = "this scheduler" {
        /// Another server is chosen when the hashed one is down or has weight 0; by default true with mh, false with sh.
        optional fallback: Flag,
        /// The client's port is hashed too, so that the connections of one client are spread; by default false.
        optional port: Flag,
    }
    later {}
}

impl Read for SchedulerText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let (word, span, options) = word_and_options(node, "the name of a scheduler", problems)?;
        let Some(name) = SCHEDULERS.into_iter().find(|name| *name == word) else {
            problems.push(unknown_scheduler(word, span));
            return None;
        };
        let Some(options) = options else { return Some(Self { name, flags: None }) };
        if !matches!(name, "sh" | "mh") {
            let message = format!("the scheduler {} has no flags: only sh and mh do", quoted(name));
            problems.push(
                Diagnostic::new(Code::SchedulerFlags, options.span, message)
                    .help(format!("write `scheduler: {name}`")),
            );
            return None;
        }
        Some(Self { name, flags: Some(HashFlagsText::read(options, problems)?) })
    }
}

fn unknown_scheduler(word: &str, span: Span) -> Diagnostic {
    let message = format!("the kernel has no scheduler {}", quoted(word));
    let diagnostic = Diagnostic::new(Code::UnknownScheduler, span, message);
    match nearest(word, SCHEDULERS) {
        Some(near) => {
            diagnostic.help(format!("did you mean `{near}`? The kernel has {}", SCHEDULERS.join(", ")))
        }
        None => diagnostic.help(format!("the kernel has {}", SCHEDULERS.join(", "))),
    }
}

impl JsonSchema for SchedulerText {
    fn schema_name() -> Cow<'static, str> {
        "Scheduler".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let flags = generator.subschema_for::<HashFlagsText>();
        json_schema!({
            "description": "A scheduler of the kernel; flags of sh and mh as a mapping.",
            "anyOf": [
                {"enum": SCHEDULERS},
                {"type": "object", "properties": {"sh": flags, "mh": flags}, "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
            ],
        })
    }
}
