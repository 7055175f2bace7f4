//! Reading: from a [`Node`] to the types of [`super::schema`], every problem reported, nothing stops at the first.
//!
//! One declaration of a mapping ([`mapping!`]) makes the struct, its reader and its JSON Schema, so that what `check`
//! accepts and what an editor completes cannot differ. serde's derive was not taken, because it stops at the first error and
//! says of a value that may be text or a mapping only that it "did not match any variant".

use super::codes::Code;
use super::diagnostic::{Diagnostic, Problems, nearest, quoted};
use super::node::{Key, Node};
use super::source::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// A type that a policy's value is read into.
pub(super) trait Read: Sized + JsonSchema {
    /// The value, or `None` after a problem was reported.
    fn read(node: &Node, problems: &mut Problems) -> Option<Self>;
}

/// A value and where it was said.
#[derive(Clone, Debug)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// The value of a key. What is [`Field::Bad`] was already reported: rules stay silent about it.
#[derive(Clone, Debug)]
pub(super) enum Field<T> {
    Absent,
    Bad,
    Given(Spanned<T>),
}

impl<T> Field<T> {
    /// The value with its place, where a good one was said.
    pub(super) const fn given(&self) -> Option<&Spanned<T>> {
        match self {
            Self::Given(spanned) => Some(spanned),
            Self::Absent | Self::Bad => None,
        }
    }

    /// The value, where a good one was said.
    pub(super) fn value(&self) -> Option<&T> {
        self.given().map(|spanned| &spanned.value)
    }

    /// The place, where a good value was said.
    pub(super) fn span(&self) -> Option<Span> {
        self.given().map(|spanned| spanned.span)
    }

    pub(super) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: Read> Field<T> {
    /// The value of a mapping's key. One that must be said and is not was reported by [`keys`].
    pub(super) fn of(node: &Node, name: &str, keys: &[(&str, bool)], problems: &mut Problems) -> Self {
        match node.get(name) {
            Some(value) => Self::read(value, problems),
            None if keys.contains(&(name, true)) => Self::Bad,
            None => Self::Absent,
        }
    }

    pub(super) fn read(node: &Node, problems: &mut Problems) -> Self {
        T::read(node, problems).map_or(Self::Bad, |value| Self::Given(Spanned { value, span: node.span }))
    }
}

/// A list; items that could not be read are left out.
#[derive(Clone, Debug)]
pub(super) struct List<T>(pub(super) Vec<Spanned<T>>);

impl<T: Read> Read for List<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(items) = node.items() else {
            let message = format!("expected a list, found {}", node.found());
            let diagnostic = Diagnostic::new(Code::WrongType, node.span, message);
            problems.push(diagnostic.help("write it as a list: `[…]`, or one `- …` a line"));
            return None;
        };
        let read = |item: &Node| Some(Spanned { value: T::read(item, problems)?, span: item.span });
        Some(Self(items.iter().filter_map(read).collect()))
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("List_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": generator.subschema_for::<T>()})
    }
}

/// One item, or a list of them.
#[derive(Clone, Debug)]
pub(super) struct OneOrMore<T>(pub(super) Vec<Spanned<T>>);

impl<T: Read> Read for OneOrMore<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.items().is_some() {
            return List::read(node, problems).map(|list| Self(list.0));
        }
        Some(Self(vec![Spanned { value: T::read(node, problems)?, span: node.span }]))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMore<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMore_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]})
    }
}

/// Things by their names, in the order of the file. A name whose value could not be read is kept, so that what refers to
/// it is not reported too.
#[derive(Clone, Debug)]
pub(super) struct Named<T>(pub(super) Vec<Entry<T>>);

#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    pub(super) name: Key,
    pub(super) value: Field<T>,
}

impl<T: Read> Read for Named<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let entries = entries_of(node, "a mapping of names", problems)?;
        let read = |(name, value): &(Key, Node)| {
            name_is_good(name, problems);
            Entry { name: name.clone(), value: Field::read(value, problems) }
        };
        Some(Self(entries.iter().map(read).collect()))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({"type": "object", "additionalProperties": value, "propertyNames": {"pattern": NAME_PATTERN}})
    }
}

/// What [`is_name`] accepts, for the schema.
const NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";
/// Characters of a name at most.
const MAX_NAME_CHARACTERS: usize = 63;

/// Whether a text can be a name: of a pool, a check, a set, a server.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    text.len() <= MAX_NAME_CHARACTERS
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(plain)
}

fn name_is_good(name: &Key, problems: &mut Problems) {
    if !is_name(&name.name) {
        problems.push(bad_name(&name.name, name.span));
    }
}

/// The diagnostic of a name that cannot be one.
pub(super) fn bad_name(name: &str, span: Span) -> Diagnostic {
    let message = format!("{} cannot be a name", quoted(name));
    let help = format!(
        "use letters, digits, `.`, `_` and `-`, at most {MAX_NAME_CHARACTERS}, beginning with a letter or digit"
    );
    Diagnostic::new(Code::BadName, span, message).help(help)
}

/// The entries of a mapping, or a report that it is none.
pub(super) fn entries_of<'a>(
    node: &'a Node,
    expected: &str,
    problems: &mut Problems,
) -> Option<&'a [(Key, Node)]> {
    let entries = node.entries();
    if entries.is_none() {
        problems.push(wrong_type(node, expected));
    }
    entries
}

/// The diagnostic of a value of the wrong shape.
pub(super) fn wrong_type(node: &Node, expected: &str) -> Diagnostic {
    let diagnostic =
        Diagnostic::new(Code::WrongType, node.span, format!("expected {expected}, found {}", node.found()));
    if node.is_null() {
        diagnostic.help("write a value behind the colon, or leave the key out")
    } else {
        diagnostic.help(format!("write {expected}"))
    }
}

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
        "protocol" => "tcp",
        "ports" => "[80, 443]",
        "upper" => "1000",
        "file" => "ca.pem",
        _ => "…",
    };
    let diagnostic = Diagnostic::new(Code::MissingKey, span, format!("{mapping} does not say `{name}`"));
    diagnostic.help(format!("add `{name}: {example}`"))
}

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
                &[$((stringify!($field), $crate::policy::read::is_required!($presence))),*];
            const LATER: &[&'static str] = &[$(stringify!($later)),*];
        }

        impl $crate::policy::read::Read for $name {
            fn read(node: &$crate::policy::node::Node, problems: &mut $crate::policy::diagnostic::Problems) -> Option<Self> {
                $crate::policy::read::keys(node, $what, Self::KEYS, Self::LATER, problems)?;
                Some(Self { $($field: $crate::policy::read::Field::of(node, stringify!($field), Self::KEYS, problems)),* })
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::policy::read::mapping_schema(generator, &[$($about),+], Self::KEYS, &[
                    $((|generator| generator.subschema_for::<$type>(), &[$($text),+])),*
                ])
            }
        }
    };
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
                        problems.push($crate::policy::read::not_yet($later, node.span));
                        None
                    } )*
                    _ => {
                        problems.push($crate::policy::read::unknown_word(node, WORDS));
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
