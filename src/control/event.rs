//! Events as JSON: one decision or observation of a director, with its reason. Pure.
//!
//! Fields are added, never renamed or removed, while [`EVENT_VERSION`] stays; a field that says nothing is null.

use super::action::{RefusalCode, Refused};
use crate::model::{EventKind, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the form.
pub const EVENT_VERSION: u32 = 1;
/// Events of one answer, unless the request says another number.
pub const USUAL_EVENTS: usize = 1_000;
/// Events of one answer at most: all that are kept.
pub const MOST_EVENTS: usize = 10_000;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventRecord {
    /// 1.
    pub event_version: u32,
    /// Counts up with each event of this director, from 1, over restarts too as long as its state directory lives.
    pub id: u64,
    /// When it happened, Unix time in milliseconds by the wall clock of that moment.
    pub unix_ms: u64,
    /// The same in milliseconds after the start of the director, by a clock that nobody steps.
    pub at_ms: u64,
    /// Name of this director in the policy; null where the policy names none.
    pub director: Option<String>,
    pub kind: EventKind,
    pub severity: Severity,
    /// Why: a word of a closed list that belongs to the kind. Of servers the `reason` of the metrics, of routers the cause
    /// of the change, of rules the rule, of the kernel's tables the cause of the change.
    pub reason: String,
    /// One sentence.
    pub message: String,
    #[serde(flatten)]
    pub subject: Subject,
}

/// What an event is about: null where it is about no such thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    pub pool: Option<String>,
    /// Its name, or `RIP:port` where the policy gives none.
    pub server: Option<String>,
    /// `tcp://VIP:port`.
    pub service: Option<String>,
    /// A virtual router.
    pub router: Option<String>,
    pub check: Option<String>,
    /// An address: of what was checked, or of another director.
    pub address: Option<String>,
    /// Another director.
    pub peer: Option<String>,
}

/// What a query looks at in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTraits<'a> {
    pub unix_ms: u64,
    pub severity: Severity,
    pub pool: Option<&'a str>,
    pub server: Option<&'a str>,
    pub router: Option<&'a str>,
}

impl<'a> From<&'a EventRecord> for EventTraits<'a> {
    fn from(event: &'a EventRecord) -> Self {
        let Subject { pool, server, router, .. } = &event.subject;
        Self {
            unix_ms: event.unix_ms,
            severity: event.severity,
            pool: pool.as_deref(),
            server: server.as_deref(),
            router: router.as_deref(),
        }
    }
}

/// Answer of `GET /v1/events`: the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventList {
    pub events: Vec<EventRecord>,
    /// What the other directors told of themselves over the channel, a thousand events of each at most. Each counts its events
    /// on its own, so `after` says nothing of them.
    #[serde(default)]
    pub others: Vec<EventRecord>,
    /// The id of the newest event there is, 0 before the first; what `after` takes to go on from here.
    pub last_id: u64,
    /// Events after `after` that are not kept any more.
    pub lost: u64,
}

/// Parameters of `GET /v1/events` and `/v1/events/stream`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Events since then only, Unix time in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// Events with a higher id only: the oldest of them, where there are more than the limit; without it the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Those of this pool only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Those of this real server only, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Those of this virtual router only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// Those that are at least so grave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Events at most, 1..=10000, by default 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl EventQuery {
    /// Whether an event is asked for, its id aside.
    #[must_use]
    pub fn takes(&self, event: &EventRecord) -> bool {
        self.takes_such(&event.into())
    }

    /// Whether an event like this is asked for.
    #[must_use]
    pub fn takes_such(&self, event: &EventTraits<'_>) -> bool {
        let same = |asked: &Option<String>, said| asked.is_none() || asked.as_deref() == said;
        self.since_ms.is_none_or(|since| event.unix_ms >= since)
            && self.severity.is_none_or(|least| event.severity >= least)
            && same(&self.pool, event.pool)
            && same(&self.server, event.server)
            && same(&self.router, event.router)
    }

    /// How many events are asked for.
    ///
    /// # Errors
    /// When the number is out of range.
    pub fn limit(&self) -> Result<usize, Refused> {
        let limit = self.limit.unwrap_or(USUAL_EVENTS);
        (1..=MOST_EVENTS).contains(&limit).then_some(limit).ok_or_else(|| {
            let message = format!("limit is from 1 to {MOST_EVENTS}, not {limit}");
            Refused::new(RefusalCode::BadRequest, message)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record(id: u64) -> EventRecord {
        EventRecord {
            event_version: EVENT_VERSION,
            id,
            unix_ms: 1_700_000_000_000 + id,
            at_ms: id,
            director: Some("lb-a".to_owned()),
            kind: EventKind::ServerDown,
            severity: Severity::Warning,
            reason: "connect_timeout".to_owned(),
            message: "web1 of web is down: no answer within 1s".to_owned(),
            subject: Subject {
                pool: Some("web".to_owned()),
                server: Some("web1".to_owned()),
                ..Subject::default()
            },
        }
    }

    /// The form is a contract with scripts.
    #[test]
    fn an_event_is_the_json_of_the_contract() {
        let text = serde_json::to_string(&record(7)).expect("JSON");
        assert_eq!(
            text,
            r#"{"event_version":1,"id":7,"unix_ms":1700000000007,"at_ms":7,"director":"lb-a","kind":"server_down","severity":"warning","reason":"connect_timeout","message":"web1 of web is down: no answer within 1s","pool":"web","server":"web1","service":null,"router":null,"check":null,"address":null,"peer":null}"#
        );
        assert_eq!(serde_json::from_str::<EventRecord>(&text).expect("read back"), record(7));
    }

    #[test]
    fn a_query_takes_what_fits_all_that_it_says() {
        let pool = |name: &str| EventQuery { pool: Some(name.to_owned()), ..EventQuery::default() };
        assert!(pool("web").takes(&record(1)) && !pool("api").takes(&record(1)));
        let since = |id: u64| EventQuery { since_ms: Some(1_700_000_000_000 + id), ..pool("web") };
        assert!(since(1).takes(&record(1)) && !since(2).takes(&record(1)));
        let least = |severity| EventQuery { severity: Some(severity), ..EventQuery::default() };
        assert!(least(Severity::Warning).takes(&record(1)) && !least(Severity::Error).takes(&record(1)));
    }

    #[test]
    fn the_number_of_events_has_bounds() {
        let limit = |limit| EventQuery { limit, ..EventQuery::default() }.limit();
        assert_eq!(
            (limit(None).ok(), limit(Some(MOST_EVENTS)).ok()),
            (Some(USUAL_EVENTS), Some(MOST_EVENTS))
        );
        assert!(limit(Some(0)).is_err() && limit(Some(MOST_EVENTS + 1)).is_err());
    }
}
