//! How a pool or a server is checked, as it is written: one check, several together, or a server of another pool.

use super::CheckUseText;
use crate::policy::declare::mapping;
use crate::policy::diagnostic::Problems;
use crate::policy::node::Node;
use crate::policy::read::{List, Read, wrong_type};
use crate::policy::scalar::Text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

mapping! {
    /// Several checks that decide together, or a server of another pool that decides here too. One of the three.
    ConditionText = "a check" {
        /// Up while all of these are: names, checks in place, or again several.
        optional all: List<CheckUse>,
        /// Up while any of these is.
        optional any: List<CheckUse>,
        /// Up while the server of the same name, or else of the same address, is up in another pool.
        optional track: TrackText,
    }
    later {}
}

mapping! {
    /// A server of another pool.
    TrackText = "`track`" {
        /// The pool.
        required pool: Text,
        /// Its server's name, by default that of the server that tracks it.
        optional server: Text,
    }
    later {}
}

/// How a pool or a server is checked.
#[derive(Clone, Debug)]
pub(in crate::policy) enum CheckUse {
    /// Said so: never probed, always up.
    None,
    /// A name under `checks`.
    Name(String),
    /// In place; with `from`, the rest is taken from a named one. The node is kept for that merge.
    InPlace { text: Box<CheckUseText>, node: Node },
    /// Several, or another pool's.
    Condition(Box<ConditionText>),
}

impl Read for CheckUse {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if ConditionText::KEYS.iter().any(|(key, _)| node.get(key).is_some()) {
            return ConditionText::read(node, problems).map(|text| Self::Condition(Box::new(text)));
        }
        if node.entries().is_some() {
            let text = Box::new(CheckUseText::read(node, problems)?);
            return Some(Self::InPlace { text, node: node.clone() });
        }
        match node.scalar() {
            Some("none") => Some(Self::None),
            Some(name) => Some(Self::Name(name.to_owned())),
            None => {
                problems.push(wrong_type(node, "the name of a check, a check in place, or `none`"));
                None
            }
        }
    }
}

impl JsonSchema for CheckUse {
    fn schema_name() -> Cow<'static, str> {
        "CheckUse".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Name of a check, a check in place, several checks, or none.",
            "anyOf": [
                {"type": "string"},
                generator.subschema_for::<CheckUseText>(),
                generator.subschema_for::<ConditionText>(),
            ],
        })
    }
}
