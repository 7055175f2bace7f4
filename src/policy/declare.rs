//! Declarations: mappings and words of the policy file, each said once.
//!
//! One declaration makes the struct, its reader and its JSON Schema, so that what `check` accepts and what an editor
//! completes cannot differ. Keys of a later version are declared too, and refused by name.

use super::codes::Code;
use super::diagnostic::{Diagnostic, Problems, nearest, quoted};
use super::node::{Key, Node};
use super::read::wrong_type;
use super::source::Span;
use schemars::{Schema, SchemaGenerator, json_schema};

/// Declares a mapping of the policy file: the struct, its reader and its JSON Schema.
///
/// `later` are keys that this version refuses by name.
macro_rules! mapping {
    (
        $(#[doc = $about:literal])+
        $name:ident = $what:literal {
            $( $(#[doc = $text:literal])+ $presence:ident $field:ident: $type:ty, )*
        }
        later { $( $later:ident ),* $(,)? }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        #[allow(dead_code, reason = "the mirror holds every key; files and defaults are joined before it is read")]
        pub(in crate::policy) struct $name {
            $( $(#[doc = $text])+ pub(in crate::policy) $field: $crate::policy::read::Field<$type>, )*
        }

        impl $name {
            /// Its keys, and whether each must be said.
            pub(in crate::policy) const KEYS: &[(&'static str, bool)] =
                &[$(($crate::policy::declare::key(stringify!($field)), $crate::policy::declare::is_required!($presence))),*];
            const LATER: &[&'static str] = &[$(stringify!($later)),*];
        }

        impl $crate::policy::read::Read for $name {
            fn read(node: &$crate::policy::node::Node, problems: &mut $crate::policy::diagnostic::Problems) -> Option<Self> {
                $crate::policy::declare::keys(node, $what, Self::KEYS, Self::LATER, problems)?;
                Some(Self { $($field: $crate::policy::read::Field::of(node, $crate::policy::declare::key(stringify!($field)), Self::KEYS, problems)),* })
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::policy::declare::mapping_schema(generator, &[$($about),+], Self::KEYS, &[
                    $((|generator| generator.subschema_for::<$type>(), &[$($text),+])),*
                ])
            }
        }
    };
}

/// The key of a field: one that is a word of Rust too is declared as `r#type`.
pub(super) const fn key(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// `required` or `optional`, as a boolean.
macro_rules! is_required {
    (required) => {
        true
    };
    (optional) => {
        false
    };
}

/// A key of a mapping for its schema: what makes the schema of its value, and its doc comment.
type Property<'a> = (fn(&mut SchemaGenerator) -> Schema, &'a [&'a str]);

/// The JSON Schema of a mapping.
pub(super) fn mapping_schema(
    generator: &mut SchemaGenerator,
    lines: &[&str],
    keys: &[(&str, bool)],
    values: &[Property<'_>],
) -> Schema {
    let mut properties = serde_json::Map::new();
    for ((name, _), (value, lines)) in keys.iter().zip(values) {
        let mut property = value(generator);
        property.insert("description".to_owned(), about(lines).into());
        properties.insert((*name).to_owned(), property.to_value());
    }
    let required: Vec<&str> = keys.iter().filter(|(_, required)| *required).map(|(name, _)| *name).collect();
    json_schema!({
        "type": "object",
        "description": about(lines),
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Lines of a doc comment as one text.
fn about(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Reports what a mapping must not have and what it lacks; `None` where the node is no mapping.
pub(super) fn keys(
    node: &Node,
    mapping: &str,
    known: &[(&'static str, bool)],
    later: &[&str],
    problems: &mut Problems,
) -> Option<()> {
    let Some(entries) = node.entries() else {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let message = format!("expected a mapping, found {}", node.found());
        problems.push(
            Diagnostic::new(Code::WrongType, node.span, message)
                .help(format!("{mapping} has the keys {}", names.join(", "))),
        );
        return None;
    };
    for (key, _) in entries {
        let name = key.name.as_str();
        if later.contains(&name) {
            problems.push(not_yet(name, key.span));
        } else if !known.iter().any(|(known, _)| *known == name) {
            problems.push(unknown_key(key, mapping, known));
        }
    }
    for (name, _) in known.iter().filter(|(name, required)| *required && node.get(name).is_none()) {
        problems.push(missing_key(name, mapping, node.span));
    }
    Some(())
}

/// Declares a value that is one of a few words: the enum, its reader and its JSON Schema.
macro_rules! words {
    (
        $(#[doc = $about:literal])+
        $name:ident { $( $word:literal => $variant:ident ),+ $(,)? }
        later { $( $later:literal ),* $(,)? }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::policy) enum $name { $($variant),+ }

        impl $crate::policy::read::Read for $name {
            fn read(node: &$crate::policy::node::Node, problems: &mut $crate::policy::diagnostic::Problems) -> Option<Self> {
                const WORDS: &[&str] = &[$($word),+];
                match node.scalar() {
                    $( Some($word) => Some(Self::$variant), )+
                    $( Some($later) => {
                        problems.push($crate::policy::declare::not_yet($later, node.span));
                        None
                    } )*
                    _ => {
                        problems.push($crate::policy::declare::unknown_word(node, WORDS));
                        None
                    }
                }
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"enum": [$($word),+]})
            }
        }
    };
}

pub(super) use {is_required, mapping, words};

/// The diagnostic of a key that the mapping does not have.
pub(super) fn unknown_key(key: &Key, mapping: &str, known: &[(&'static str, bool)]) -> Diagnostic {
    let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let diagnostic = Diagnostic::new(
        Code::UnknownKey,
        key.span,
        format!("unknown key {} in {mapping}", quoted(&key.name)),
    );
    match nearest(&key.name, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic.help("leave it out: there is nothing to say here"),
        None => diagnostic.help(format!("known here: {}", known.join(", "))),
    }
}

/// The diagnostic of a key that a later version will know.
pub(super) fn not_yet(what: &str, span: Span) -> Diagnostic {
    let message = format!("this version of Tandem does not do {} yet", quoted(what));
    Diagnostic::new(Code::NotYet, span, message).help("leave it out: nothing would act on it")
}

/// The diagnostic of a key that must be there.
pub(super) fn missing_key(name: &str, mapping: &str, span: Span) -> Diagnostic {
    let example = match name {
        "policy_version" => "1",
        "virtual_services" => "[tcp://192.168.101.100:80]",
        "real_servers" => "[192.168.101.110, 192.168.101.210]",
        "interface" => "eth0",
        "address" => "192.168.101.110",
        "protocol" => "tcp",
        "ports" => "[80, 443]",
        "upper" => "1000",
        "file" => "ca.pem",
        "command" => "[/usr/local/bin/check-shop, --fast]",
        "vrid" => "51",
        "virtual_addresses" => "[192.168.101.100/24]",
        "routers" => "[outside, inside]",
        "sync_id" => "61",
        "role" => "both",
        "follow" => "site",
        "after" => "30s",
        "id" => "1",
        "mode" => "enforce",
        "path" => "/run/tandem/web1",
        "pointer" => "/status",
        "equals" => "ok",
        "exec" => "[/usr/local/bin/notify]",
        "server" => "smtp.example.com:587",
        "from" => "tandem@example.com",
        "to" => "[ops@example.com]",
        "pool" => "web",
        _ => "…",
    };
    let diagnostic = Diagnostic::new(Code::MissingKey, span, format!("{mapping} does not say `{name}`"));
    diagnostic.help(format!("add `{name}: {example}`"))
}

/// The diagnostic of a word that is none of the known ones.
pub(super) fn unknown_word(node: &Node, known: &[&'static str]) -> Diagnostic {
    let choice = known.join(", ");
    let Some(word) = node.scalar() else { return wrong_type(node, &format!("one of {choice}")) };
    let message = match known {
        [only] => format!("{} is not {}, the only choice here", quoted(word), quoted(only)),
        _ => format!("{} is none of {choice}", quoted(word)),
    };
    let diagnostic = Diagnostic::new(Code::UnknownWord, node.span, message);
    match (nearest(word, known.iter().copied()), known) {
        (Some(near), _) => diagnostic.help(format!("did you mean `{near}`?")),
        (None, [only]) => diagnostic.help(format!("write `{only}`, or leave the key out")),
        (None, _) => diagnostic.help(format!("write one of {choice}")),
    }
}
