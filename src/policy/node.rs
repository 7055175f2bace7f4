//! The tree of a YAML file: what was written, each part with its place.
//!
//! Nothing is interpreted here: `80`, `"80"` and `eighty` are text, with a note of whether quotes were around it. What a
//! value means is said by the type that reads it.

use super::source::Span;
use std::rc::Rc;

/// A value of the file. A copy costs a reference count: what is inherited, merged and joined is shared.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
    /// Nodes in it, itself included.
    pub(super) nodes: usize,
    /// Levels below it, itself included.
    pub(super) height: usize,
}

/// The three shapes of YAML.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// `plain`: without quotes.
    Scalar {
        text: Rc<str>,
        plain: bool,
    },
    List(Rc<[Node]>),
    /// In the order of the file, no key twice.
    Mapping(Rc<[(Key, Node)]>),
}

/// A key of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) span: Span,
}

impl Node {
    pub(super) fn new(span: Span, value: Value) -> Self {
        let (nodes, height) = match &value {
            Value::Scalar { .. } => (0, 0),
            Value::List(items) => measure(items.iter()),
            Value::Mapping(entries) => measure(entries.iter().map(|(_, node)| node)),
        };
        Self { span, value, nodes: nodes + 1, height: height + 1 }
    }

    /// An empty mapping at a place.
    pub(super) fn empty_mapping(span: Span) -> Self {
        Self::new(span, Value::Mapping(Rc::new([])))
    }

    /// Whether nothing was written: an empty value, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null"))
    }

    /// The text of a scalar that is there.
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar without quotes: numbers and booleans are only ever those.
    pub(super) fn plain(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, plain: true } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub(super) fn entries(&self) -> Option<&[(Key, Self)]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a mapping's key.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.entries()?.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// What it is, in words, for "expected …, found …".
    pub(super) fn found(&self) -> String {
        match &self.value {
            _ if self.is_null() => "nothing".to_owned(),
            Value::Scalar { text, plain: true } => super::diagnostic::quoted(text),
            Value::Scalar { text, .. } => format!("the text {}", super::diagnostic::quoted(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// This mapping with the entries of another one that it does not say itself.
    #[must_use]
    pub(super) fn or(&self, defaults: &Self) -> Self {
        let (Some(own), Some(others)) = (self.entries(), defaults.entries()) else { return self.clone() };
        let missing = others.iter().filter(|(key, _)| self.get(&key.name).is_none()).cloned();
        Self::new(self.span, Value::Mapping(own.iter().cloned().chain(missing).collect()))
    }

    /// This node over another one: mappings are merged key by key, anything else replaces.
    #[must_use]
    pub(super) fn over(&self, base: &Self) -> Self {
        let (Some(own), Some(others)) = (self.entries(), base.entries()) else { return self.clone() };
        let mut merged: Vec<(Key, Self)> = Vec::with_capacity(own.len() + others.len());
        for (key, node) in own {
            let merged_node = base.get(&key.name).map_or_else(|| node.clone(), |below| node.over(below));
            merged.push((key.clone(), merged_node));
        }
        merged.extend(others.iter().filter(|(key, _)| self.get(&key.name).is_none()).cloned());
        Self::new(self.span, Value::Mapping(merged.into()))
    }

    /// This mapping with another one laid over it, key by key and mapping by mapping; anything else is replaced. Unlike
    /// [`Node::over`], the result keeps the places and the order of this one.
    #[must_use]
    pub(super) fn under(&self, above: &Self) -> Self {
        let (Some(own), Some(others)) = (self.entries(), above.entries()) else { return above.clone() };
        let mut merged: Vec<(Key, Self)> = Vec::with_capacity(own.len() + others.len());
        for (key, node) in own {
            let node = above.get(&key.name).map_or_else(|| node.clone(), |over| node.under(over));
            merged.push((key.clone(), node));
        }
        merged.extend(others.iter().filter(|(key, _)| self.get(&key.name).is_none()).cloned());
        Self::new(self.span, Value::Mapping(merged.into()))
    }
}

fn measure<'a>(children: impl Iterator<Item = &'a Node>) -> (usize, usize) {
    children.fold((0, 0), |(nodes, height), child| (nodes + child.nodes, height.max(child.height)))
}
