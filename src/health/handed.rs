//! What a check hands on to the same check of another process, as JSON ([`super::Machine::hand_on`]). Two versions one apart
//! understand each other: what is unknown is ignored, what is missing is as at a start, and a reason that only one of them knows
//! is left out.

use super::Reason;
use crate::model::{Advice, Outcome};
use crate::time::Instant;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// One check of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandedCheck {
    pub up: bool,
    /// HAProxy's counter: 0..=rise + fall - 1.
    pub counter: u32,
    /// Equal outcomes in a row: one of the two is 0.
    pub successes: u32,
    pub failures: u32,
    /// Whether probes stand behind the verdict.
    pub settled: bool,
    #[serde(deserialize_with = "where_known")]
    pub reason: Option<Reason>,
    /// When the verdict last changed.
    pub changed_at: Option<Instant>,
    /// The last probe that ended, and when.
    #[serde(deserialize_with = "where_known")]
    pub last: Option<(Instant, Outcome)>,
    /// The start of the last probe that passed.
    pub passed: Option<Instant>,
    /// The starts of the last probes that failed in a row.
    pub failing: Vec<Instant>,
    /// What was said last, and when.
    #[serde(deserialize_with = "where_known")]
    pub advice: Option<(Instant, Advice)>,
    /// The start of the last probe.
    pub started: Option<Instant>,
    /// When the next probe is due; `None`: one is in flight, which ends with its process.
    pub due: Option<Instant>,
}

/// What this version understands of a value; `None` where that is nothing.
fn where_known<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).ok())
}
