//! Reading: from a [`Node`] to the types of [`super::schema`], every problem reported, nothing stops at the first.
//!
//! serde's derive was not taken, because it stops at the first error and says of a value that may be text or a mapping only
//! that it "did not match any variant". Mappings are declared with [`super::declare`].

use super::codes::Code;
use super::diagnostic::{Diagnostic, Problems, quoted};
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
    /// The value of a mapping's key. One that must be said and is not was reported before.
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

/// The entries of a mapping of names, or a report that it is none.
pub(super) fn entries_of<'a>(
    node: &'a Node,
    expected: &str,
    problems: &mut Problems,
) -> Option<&'a [(Key, Node)]> {
    let entries = node.entries();
    if entries.is_none() {
        let message = format!("expected {expected}, found {}", node.found());
        let diagnostic = Diagnostic::new(Code::WrongType, node.span, message);
        problems.push(diagnostic.help("write `NAME: …`, one a line, or leave the key out"));
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
