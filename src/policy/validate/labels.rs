//! Labels: what an operator adds to a pool's metrics.

use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::Field;
use crate::policy::schema::Texts;
use std::collections::BTreeMap;

/// Labels that the metrics have already.
const RESERVED_LABELS: [&str; 9] =
    ["pool", "service", "server", "check", "reason", "router", "local_address", "le", "quantile"];

/// The labels of a pool.
pub(super) fn labels(field: &Field<Texts>, problems: &mut Problems) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (key, value) in field.value().map(|texts| texts.0.as_slice()).unwrap_or_default() {
        let name = key.name.as_str();
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let help = if RESERVED_LABELS.contains(&name) {
            Some("Tandem's metrics have a label of this name: take another")
        } else if !letters
            || name.is_empty()
            || name.starts_with(|first: char| first.is_ascii_digit())
            || name.starts_with("__")
        {
            Some("use letters, digits and `_`, beginning with a letter")
        } else {
            None
        };
        if let Some(help) = help {
            problems.push(
                Diagnostic::new(Code::BadLabel, key.span, format!("{} cannot be a label", quoted(name)))
                    .help(help),
            );
        }
        labels.insert(key.name.clone(), value.value.0.clone());
    }
    labels
}
