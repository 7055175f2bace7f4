//! What a failure must be to take a server out at the first time, as it is written.

use super::StatusText;
use crate::model::Failure;
use crate::policy::declare::unknown_word;
use crate::policy::diagnostic::Problems;
use crate::policy::node::Node;
use crate::policy::read::{Read, wrong_type};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// An HTTP status, a range of them, or the word of a failure.
#[derive(Clone, Debug)]
pub(in crate::policy) enum AtOnceText {
    Status(StatusText),
    /// One of [`Failure::REASONS`].
    Reason(&'static str),
}

impl Read for AtOnceText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(text) = node.scalar() else {
            problems.push(wrong_type(node, "a status such as 503, or the word of a failure"));
            return None;
        };
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            return StatusText::read(node, problems).map(Self::Status);
        }
        let reason = Failure::REASONS.iter().find(|reason| **reason == text);
        if reason.is_none() {
            problems.push(unknown_word(node, Failure::REASONS));
        }
        reason.map(|reason| Self::Reason(reason))
    }
}

impl JsonSchema for AtOnceText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "AtOnce".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<StatusText>(), {"enum": Failure::REASONS}]})
    }
}
