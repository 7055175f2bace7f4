//! What can be asked about the policy: take the file over, keep it, or go back; with the JSON of each. Pure.

use super::action::{Action, RefusalCode, Refused};
use crate::policy::duration_words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The shortest and the longest time within which a reload waits to be confirmed.
pub const CONFIRM_TIMES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));

/// Something to do with the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyAction {
    /// Take the file over. `confirm`: go back unless it is confirmed within this time. `force`: in spite of guards.
    Reload { confirm: Option<Duration>, force: bool },
    /// Keep what was reloaded.
    Confirm,
    /// Go back to the policy before.
    Rollback,
}

impl fmt::Display for PolicyAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reload { confirm, force } => {
                formatter.write_str(if *force { "reload by force" } else { "reload" })?;
                confirm.map_or(Ok(()), |time| {
                    write!(formatter, ", to be confirmed within {}", duration_words(time))
                })
            }
            Self::Confirm => formatter.write_str("confirm"),
            Self::Rollback => formatter.write_str("rollback"),
        }
    }
}

/// Body of `POST /v1/reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReloadBody {
    /// Milliseconds within which it is to be confirmed, 1000..=86400000 (a day), or the policy before comes back; null or
    /// missing: it needs no confirmation.
    #[serde(default)]
    pub confirm_ms: Option<u64>,
    /// Whether it is done in spite of guards.
    #[serde(default)]
    pub force: bool,
}

/// Body of `POST /v1/confirm`: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmBody {}

/// Body of `POST /v1/rollback`: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackBody {}

impl TryFrom<ReloadBody> for Action {
    type Error = Refused;

    fn try_from(body: ReloadBody) -> Result<Self, Refused> {
        let confirm = body.confirm_ms.map(Duration::from_millis);
        let (shortest, longest) = CONFIRM_TIMES;
        match confirm.filter(|time| !(shortest..=longest).contains(time)) {
            None => Ok(Self::Policy(PolicyAction::Reload { confirm, force: body.force })),
            Some(time) => Err(Refused::new(
                RefusalCode::BadRequest,
                format!(
                    "a reload waits from {} to {} to be confirmed, not {}",
                    duration_words(shortest),
                    duration_words(longest),
                    duration_words(time)
                ),
            )),
        }
    }
}

impl TryFrom<ConfirmBody> for Action {
    type Error = Refused;

    fn try_from(_: ConfirmBody) -> Result<Self, Refused> {
        Ok(Self::Policy(PolicyAction::Confirm))
    }
}

impl TryFrom<RollbackBody> for Action {
    type Error = Refused;

    fn try_from(_: RollbackBody) -> Result<Self, Refused> {
        Ok(Self::Policy(PolicyAction::Rollback))
    }
}

/// Answer of `GET /v1/history`: the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyHistory {
    pub policies: Vec<PolicyRecord>,
}

/// A policy that was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRecord {
    pub generation: u64,
    /// Unix time in milliseconds.
    pub taken_unix_ms: u64,
    /// What made it be taken over, in words.
    pub by: String,
    /// False while it is to be confirmed, and for ever where it was rolled back.
    pub confirmed: bool,
    /// Whether it is in force.
    pub in_force: bool,
    /// Its files.
    pub files: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_has_a_bounded_time() {
        let asked = |confirm_ms| Action::try_from(ReloadBody { confirm_ms, force: false });
        assert_eq!(
            asked(Some(30_000)).expect("half a minute").to_string(),
            "reload, to be confirmed within 30s"
        );
        assert_eq!(asked(None).expect("at once").to_string(), "reload");
        for wrong in [0, 999, 86_400_001, u64::MAX] {
            assert_eq!(asked(Some(wrong)).expect_err("out of range").code, RefusalCode::BadRequest);
        }
    }
}
