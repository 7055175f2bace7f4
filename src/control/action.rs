//! What a director can be asked to do, and how it answers; with the JSON of both. Pure.

use super::override_action::{OverrideAction, Selection};
use super::policy_action::PolicyAction;
use crate::model::RouterName;
use crate::policy::duration_words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The shortest and the longest release that has an end.
pub const RELEASE_TIMES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30 * 86_400));

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Election(ElectionAction),
    Policy(PolicyAction),
    Override(OverrideAction),
    /// Have the installed program go on in this one's place.
    Takeover,
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Election(action) => action.fmt(formatter),
            Self::Policy(action) => action.fmt(formatter),
            Self::Override(action) => action.fmt(formatter),
            Self::Takeover => formatter.write_str("takeover"),
        }
    }
}

/// Something to do to virtual routers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElectionAction {
    /// Hand mastership over and stay out of the election for a time, or until it is cleared. `None`: every router.
    Release { router: Option<RouterName>, for_time: Option<Duration> },
    /// End releases. `None`: every router's.
    Clear { router: Option<RouterName> },
}

impl ElectionAction {
    /// The router that it is for; `None`: every one.
    #[must_use]
    pub fn router(&self) -> Option<&RouterName> {
        match self {
            Self::Release { router, .. } | Self::Clear { router } => router.as_ref(),
        }
    }
}

impl fmt::Display for ElectionAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self {
            Self::Release { .. } => "release",
            Self::Clear { .. } => "clear",
        };
        write!(formatter, "{verb} {}", self.router().map_or("every router", |name| name))?;
        match self {
            Self::Release { for_time: Some(time), .. } => write!(formatter, " for {}", duration_words(*time)),
            Self::Release { for_time: None, .. } | Self::Clear { .. } => Ok(()),
        }
    }
}

/// Body of `POST /v1/release`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseBody {
    /// Name of a virtual router in the policy; null or missing: every one. Routers of one sync group move together.
    #[serde(default)]
    pub router: Option<String>,
    /// Milliseconds after which it takes part again, 1000..=2592000000 (30 days); null or missing: when it is cleared.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// Body of `POST /v1/clear`: releases, or overrides. What is not named is every router's release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearBody {
    /// Name of a virtual router in the policy; null or missing: every one. Never with one of the others.
    #[serde(default)]
    pub router: Option<String>,
    /// The override with this identity.
    #[serde(default, rename = "override")]
    pub id: Option<String>,
    /// Overrides for this server: its name, its RIP, or `RIP:port`.
    #[serde(default)]
    pub server: Option<String>,
    /// Overrides that are confined to this pool; with `server`: those for it in this pool.
    #[serde(default)]
    pub pool: Option<String>,
    /// Every override.
    #[serde(default)]
    pub overrides: bool,
}

impl TryFrom<ReleaseBody> for Action {
    type Error = Refused;

    fn try_from(body: ReleaseBody) -> Result<Self, Refused> {
        let for_time = body.for_ms.map(Duration::from_millis);
        let (shortest, longest) = RELEASE_TIMES;
        if let Some(time) = for_time.filter(|time| !(shortest..=longest).contains(time)) {
            let message = format!(
                "a release lasts from {} to {}, not {}; leave the time out to release until `tandem clear`",
                duration_words(shortest),
                duration_words(longest),
                duration_words(time)
            );
            return Err(Refused::new(RefusalCode::BadRequest, message));
        }
        Ok(Self::Election(ElectionAction::Release { router: body.router.map(Into::into), for_time }))
    }
}

impl TryFrom<ClearBody> for Action {
    type Error = Refused;

    fn try_from(body: ClearBody) -> Result<Self, Refused> {
        let selection = match (body.id, body.server, body.pool, body.overrides) {
            (None, None, None, false) => {
                return Ok(Self::Election(ElectionAction::Clear { router: body.router.map(Into::into) }));
            }
            _ if body.router.is_some() => None,
            (Some(id), None, None, false) => Some(Selection::One(id)),
            (None, Some(server), pool, false) => {
                Some(Selection::Server { server: server.into(), pool: pool.map(Into::into) })
            }
            (None, None, Some(pool), false) => Some(Selection::Pool(pool.into())),
            (None, None, None, true) => Some(Selection::All),
            _ => None,
        };
        let message = "name one of: a router, an override, a server (and a pool), a pool, or every override";
        let selection = selection.ok_or_else(|| Refused::new(RefusalCode::BadRequest, message))?;
        Ok(Self::Override(OverrideAction::Clear(selection)))
    }
}

/// It will be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The routers that it is for, sorted; none where it is for no router.
    #[serde(default)]
    pub routers: Vec<String>,
    /// What will happen, or has happened, in a sentence.
    pub message: String,
    /// What else is to be known, a line each: what a reload changes, warnings.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The number of the policy that is in force now; null where the action is about no policy.
    #[serde(default)]
    pub generation: Option<u64>,
}

impl Answer {
    /// Of an action on the policy, which has this number now.
    #[must_use]
    pub fn of_policy(generation: u64, message: String, notes: Vec<String>) -> Self {
        Self { routers: Vec::new(), message, notes, generation: Some(generation) }
    }
}

/// It will not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub code: RefusalCode,
    /// Why, and what to do, in a sentence.
    pub message: String,
}

impl Refused {
    #[must_use]
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// More waits for the election than it can take: its thread stands still.
    #[must_use]
    pub fn busy() -> Self {
        Self::new(
            RefusalCode::Unavailable,
            "the director is too busy to take it; nothing was done; try again",
        )
    }
}

/// Kinds of refusal: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The request cannot be understood, or a value is out of range: 400.
    BadRequest,
    /// There is no such thing to ask for: 404.
    NotFound,
    /// The path exists and has no such method: 405.
    MethodNotAllowed,
    /// The policy has no virtual router of this name: 404.
    UnknownRouter,
    /// The policy has no pool of this name: 404.
    UnknownPool,
    /// No pool that is meant has a server of this name: 404.
    UnknownServer,
    /// The policy is not good, or what it needs is missing; the one in force stays: 422.
    Invalid,
    /// A guard speaks against it: 409.
    Guard,
    /// A token is needed, or the one that was sent is unknown: 401.
    Unauthorized,
    /// The token does not allow it, or a page of another site asks: 403.
    Forbidden,
    /// The host that the request names is not this one: 421.
    Misdirected,
    /// An action that is not sent as JSON: 415.
    UnsupportedMedia,
    /// This address asks too much: 429.
    TooManyRequests,
    /// The body is larger than any request is: 413.
    TooLarge,
    /// The director is busy or stops; nothing was done: 503.
    Unavailable,
    /// The event loop did not answer in time; it may still do it: 504.
    TimedOut,
}

impl RefusalCode {
    /// Its word in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::UnknownRouter => "unknown_router",
            Self::UnknownPool => "unknown_pool",
            Self::UnknownServer => "unknown_server",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Misdirected => "misdirected",
            Self::UnsupportedMedia => "unsupported_media",
            Self::TooManyRequests => "too_many_requests",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Guard => "guard",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed_out",
        }
    }

    /// Its status code of HTTP.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound | Self::UnknownRouter | Self::UnknownPool | Self::UnknownServer => 404,
            Self::MethodNotAllowed => 405,
            Self::Guard => 409,
            Self::Invalid => 422,
            Self::TooLarge => 413,
            Self::UnsupportedMedia => 415,
            Self::Misdirected => 421,
            Self::TooManyRequests => 429,
            Self::Unavailable => 503,
            Self::TimedOut => 504,
        }
    }
}

/// Body of every answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    pub error: Refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(for_ms: Option<u64>) -> Result<Action, Refused> {
        ReleaseBody { router: Some("outside".to_owned()), for_ms }.try_into()
    }

    #[test]
    fn a_release_has_a_bounded_time_or_none() {
        let minutes = release(Some(600_000)).expect("ten minutes");
        assert_eq!(minutes.to_string(), "release outside for 10m");
        assert_eq!(release(None).expect("until cleared").to_string(), "release outside");
        for wrong in [0, 999, 30 * 86_400_000 + 1, u64::MAX] {
            assert_eq!(
                release(Some(wrong)).expect_err("out of range").code,
                RefusalCode::BadRequest,
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_body_says_what_it_knows_and_nothing_else() {
        let parse = serde_json::from_str::<ReleaseBody>;
        assert_eq!(parse(r#"{"router": null, "for_ms": null}"#).expect("nulls"), ReleaseBody::default());
        assert_eq!(parse("{}").expect("nothing"), ReleaseBody::default());
        for wrong in [r#"{"for": "10m"}"#, r#"{"for_ms": -1}"#, r#"{"for_ms": 1.5}"#, "null", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
