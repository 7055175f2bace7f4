//! The policy: YAML files to a [`crate::model::Policy`], with every problem at once.
//!
//! ```text
//! files ─▶ source ─▶ yaml (tree with places) ─▶ view (one director's) ─▶ schema (typed mirror) ─▶ validate (rules, defaults) ─▶ model::Policy
//!                                   └── diagnostics: code, file:line:column, one sentence, help ──┘
//! ```
//!
//! One file serves every director of a pair: each has its own [`View`] of it, and [`load_for_all`] validates all of them.
//!
//! No IO, no clock, no environment: files come through [`Files`], what the host looks like through
//! [`crate::model::HostFacts`]. Nothing is accepted that would not be acted on: a key of a later version is refused by name.

mod across;
mod address;
mod advise;
mod again;
mod codes;
mod declare;
mod defaults;
mod diagnostic;
mod fingerprint;
#[cfg(test)]
pub(crate) mod fixtures;
mod join;
mod load;
mod node;
mod read;
mod render;
mod resolved;
mod resolved_api;
mod resolved_checks;
mod resolved_condition;
mod resolved_exchange;
mod resolved_hooks;
mod resolved_pair;
mod resolved_rotation;
mod scalar;
mod schema;
mod size;
mod source;
mod validate;
mod view;
mod yaml;
mod yaml_error;
mod yaml_text;

pub use advise::{addresses_of_interest, advise, unreadable_authorities, unreadable_programs};
pub use again::{Again, Known};
pub use codes::{Code, Severity};
pub use diagnostic::{Diagnostic, MAX_DIAGNOSTICS};
pub use fingerprint::{Fingerprint, fingerprint};
pub use load::{Loaded, MAX_FILE_BYTES, MAX_FILES, MAX_INCLUDE_DEPTH, load, load_for_all};
pub use render::{Colour, render};
pub use resolved::resolved;
pub use scalar::{duration_words, parse_duration};
pub use source::{Files, Place, SourceFile, Sources, Span};
pub use validate::{MAX_DESTINATIONS, MAX_SERVICES, Places};
pub use view::{View, is_host};
pub use yaml::{MAX_DEPTH, MAX_NODES};

#[doc = include_str!("other_checkers.md")]
pub mod other_checkers {}

/// The JSON Schema of a policy file, for editors. Made from the same declarations that the reader is made from.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::SchemaGenerator::default().into_root_schema_for::<schema::PolicyText>();
    schema.insert("title".to_owned(), "Tandem policy".into());
    schema.to_value()
}
