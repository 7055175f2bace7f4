//! What can be ordered of servers and pools, and the JSON of it. Pure.

use super::action::{Action, RELEASE_TIMES, RefusalCode, Refused};
use crate::director::snapshot::Snapshot;
use crate::model::{Order, Override, OverrideKind, OverrideTarget};
use crate::policy::duration_words;
use crate::time::{Instant, milliseconds};
use crate::vrrp::picture::RouterPicture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Overrides that are kept at the same time: as many servers as a person, or a program, may order something of.
pub const MOST_OVERRIDES: usize = 10_000;
/// Characters of a reason, or of a name that is not the policy's.
const LONGEST_TEXT: usize = 500;
/// The largest weight of the kernel's table.
const LARGEST_WEIGHT: u32 = 65_535;

/// Something to do to overrides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverrideAction {
    Set(Wanted),
    Clear(Selection),
}

/// An override that is to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub kind: OverrideKind,
    pub target: OverrideTarget,
    /// `None`: until it is cleared.
    pub for_time: Option<Duration>,
    /// Who says that he asks: who it is to the system is known beside.
    pub by: Option<String>,
    pub reason: Option<String>,
    /// In spite of guards.
    pub force: bool,
}

/// Which overrides are to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every one.
    All,
    /// The one with this identity: what [`OverrideTarget`] prints.
    One(String),
    /// Those for a server, in a pool or anywhere.
    Server { server: Arc<str>, pool: Option<Arc<str>> },
    /// Those that are confined to a pool.
    Pool(Arc<str>),
}

impl fmt::Display for OverrideAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(wanted) => {
                write!(formatter, "{} of {}", wanted.kind, wanted.target)?;
                wanted.for_time.map_or(Ok(()), |time| write!(formatter, " for {}", duration_words(time)))?;
                formatter.write_str(if wanted.force { ", by force" } else { "" })
            }
            Self::Clear(Selection::All) => formatter.write_str("clear every override"),
            Self::Clear(Selection::One(id)) => write!(formatter, "clear {id}"),
            Self::Clear(Selection::Server { server, pool: None }) => write!(formatter, "clear {server}"),
            Self::Clear(Selection::Server { server, pool: Some(pool) }) => {
                write!(formatter, "clear {pool}/{server}")
            }
            Self::Clear(Selection::Pool(pool)) => write!(formatter, "clear pool {pool}"),
        }
    }
}

/// Kinds of overrides in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverrideWord {
    /// No new connection; out of the table with the last old one, or at the pool's drain deadline.
    Drain,
    /// Out of the table at once.
    Disable,
    /// Another weight than the policy's.
    Weight,
    /// In the table whatever its checks say.
    ForceUp,
    /// The pool's verdicts stay as they are.
    Freeze,
}

/// Body of `POST /v1/override`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideBody {
    pub kind: OverrideWord,
    /// A server's name, its RIP, or `RIP:port`; null or missing: every server of the pool. Never with `freeze`.
    #[serde(default)]
    pub server: Option<String>,
    /// A pool of the policy; null or missing: every pool that has the server.
    #[serde(default)]
    pub pool: Option<String>,
    /// 0..=65535, with `weight` and never without.
    #[serde(default)]
    pub weight: Option<u32>,
    /// Milliseconds after which it ends by itself, 1000..=2592000000 (30 days); null or missing: when it is cleared.
    #[serde(default)]
    pub for_ms: Option<u64>,
    /// Who asks, in the operators' own words; up to 500 characters.
    #[serde(default)]
    pub by: Option<String>,
    /// Why; up to 500 characters.
    #[serde(default)]
    pub reason: Option<String>,
    /// Whether it is done though a pool would be left without a server.
    #[serde(default)]
    pub force: bool,
}

impl TryFrom<OverrideBody> for Action {
    type Error = Refused;

    fn try_from(body: OverrideBody) -> Result<Self, Refused> {
        let kind = kind(body.kind, body.weight)?;
        let target = match (kind, body.server, body.pool) {
            (OverrideKind::Freeze, None, Some(pool)) => OverrideTarget::Pool(pool.into()),
            (OverrideKind::Freeze, _, _) => {
                return bad("a freeze is of one pool: name the pool and no server");
            }
            (OverrideKind::Server(_), Some(server), pool) => {
                OverrideTarget::Server { server: server.into(), pool: pool.map(Into::into) }
            }
            (OverrideKind::Server(_), None, Some(pool)) => OverrideTarget::EveryServer(pool.into()),
            (OverrideKind::Server(_), None, None) => return bad("name a server, a pool, or both"),
        };
        let wanted = Wanted {
            kind,
            target,
            for_time: bounded(body.for_ms)?,
            by: printable("by", body.by)?,
            reason: printable("reason", body.reason)?,
            force: body.force,
        };
        Ok(Self::Override(OverrideAction::Set(wanted)))
    }
}

fn bad<T>(message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::new(RefusalCode::BadRequest, message))
}

fn kind(word: OverrideWord, weight: Option<u32>) -> Result<OverrideKind, Refused> {
    let order = match (word, weight) {
        (OverrideWord::Weight, Some(weight)) if weight <= LARGEST_WEIGHT => Order::Weight(weight),
        (OverrideWord::Weight, Some(weight)) => {
            return bad(format!("a weight is 0 to {LARGEST_WEIGHT}, not {weight}"));
        }
        (OverrideWord::Weight, None) => return bad("which weight? say `weight`, 0 to 65535"),
        (_, Some(_)) => return bad("only the kind `weight` takes a `weight`"),
        (OverrideWord::Drain, None) => Order::Drain,
        (OverrideWord::Disable, None) => Order::Disable,
        (OverrideWord::ForceUp, None) => Order::ForceUp,
        (OverrideWord::Freeze, None) => return Ok(OverrideKind::Freeze),
    };
    Ok(OverrideKind::Server(order))
}

fn bounded(for_ms: Option<u64>) -> Result<Option<Duration>, Refused> {
    let time = for_ms.map(Duration::from_millis);
    let (shortest, longest) = RELEASE_TIMES;
    match time.filter(|time| !(shortest..=longest).contains(time)) {
        None => Ok(time),
        Some(time) => bad(format!(
            "an override lasts from {} to {}, not {}; leave the time out for one that lasts until it is cleared",
            duration_words(shortest),
            duration_words(longest),
            duration_words(time)
        )),
    }
}

/// A text of people, to be shown on terminals: bounded, on one line.
fn printable(what: &str, text: Option<String>) -> Result<Option<String>, Refused> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    if text.chars().count() > LONGEST_TEXT {
        return bad(format!("`{what}` is longer than {LONGEST_TEXT} characters"));
    }
    if text.chars().any(char::is_control) {
        return bad(format!("`{what}` has a control character; write it on one line"));
    }
    Ok(Some(text.trim().to_owned()))
}

/// An override in force, as JSON: in the status, in `GET /v1/overrides`, and in the state directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideRecord {
    /// What identifies it: `POOL/SERVER`, `*/SERVER` (every pool), `POOL/*` (every server), or `POOL` for a frozen pool.
    pub id: String,
    pub kind: OverrideWord,
    /// As it was named; null: every server of the pool, or the pool itself.
    pub server: Option<String>,
    /// Null: every pool that has the server.
    pub pool: Option<String>,
    /// Of the kind `weight`.
    pub weight: Option<u32>,
    /// Who gave it.
    pub by: String,
    pub reason: Option<String>,
    /// The director that it was given to; null where the policy names none.
    pub director: Option<String>,
    /// Unix time in milliseconds.
    pub set_unix_ms: u64,
    /// Unix time in milliseconds; null: until it is cleared.
    pub until_unix_ms: Option<u64>,
}

impl From<&Override> for OverrideRecord {
    fn from(given: &Override) -> Self {
        Self {
            id: given.target.to_string(),
            kind: match given.kind {
                OverrideKind::Server(Order::Drain) => OverrideWord::Drain,
                OverrideKind::Server(Order::Disable) => OverrideWord::Disable,
                OverrideKind::Server(Order::Weight(_)) => OverrideWord::Weight,
                OverrideKind::Server(Order::ForceUp) => OverrideWord::ForceUp,
                OverrideKind::Freeze => OverrideWord::Freeze,
            },
            server: given.target.server().map(ToString::to_string),
            pool: given.target.pool().map(ToString::to_string),
            weight: given.kind.weight(),
            by: given.by.clone(),
            reason: given.reason.clone(),
            director: given.director.clone(),
            set_unix_ms: given.set_unix_ms,
            until_unix_ms: given.until_unix_ms,
        }
    }
}

impl TryFrom<OverrideRecord> for Override {
    type Error = Refused;

    fn try_from(record: OverrideRecord) -> Result<Self, Refused> {
        let OverrideRecord { kind, server, pool, weight, .. } = record;
        let body =
            OverrideBody { kind, server, pool, weight, for_ms: None, by: None, reason: None, force: false };
        let Action::Override(OverrideAction::Set(wanted)) = Action::try_from(body)? else {
            return bad("not an override");
        };
        Ok(Self {
            kind: wanted.kind,
            target: wanted.target,
            by: record.by,
            reason: record.reason,
            director: record.director,
            set_unix_ms: record.set_unix_ms,
            until_unix_ms: record.until_unix_ms,
        })
    }
}

/// Answer of `GET /v1/overrides`: sorted by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideList {
    pub overrides: Vec<OverrideRecord>,
    /// Routers of this director that an operator released.
    #[serde(default)]
    pub releases: Vec<ReleaseRecord>,
}

/// A virtual router that an operator released: this director takes it over only when no other is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseRecord {
    pub router: String,
    /// Unix time in milliseconds; null: until it is cleared.
    pub until_unix_ms: Option<u64>,
}

impl OverrideList {
    /// What is in force.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let unix_ms = |at: Instant| milliseconds(snapshot.epoch + at.saturating_since(Instant::ZERO));
        let release = |router: &RouterPicture| ReleaseRecord {
            router: router.name.to_string(),
            until_unix_ms: router.released_until.map(unix_ms),
        };
        let released =
            snapshot.pair.iter().flat_map(|pair| &pair.picture.routers).filter(|router| router.released);
        Self {
            overrides: snapshot.overrides.iter().map(OverrideRecord::from).collect(),
            releases: released.map(release).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<String, String> {
        let body: OverrideBody = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Action::try_from(body).map(|action| action.to_string()).map_err(|refused| refused.message)
    }

    #[test]
    fn what_is_asked_is_said_in_words() {
        let said = |text| asked(text).expect("an action");
        assert_eq!(said(r#"{"kind": "drain", "server": "web1"}"#), "drain of */web1");
        assert_eq!(said(r#"{"kind": "force_up", "pool": "web"}"#), "force-up of web/*");
        assert_eq!(said(r#"{"kind": "freeze", "pool": "web", "for_ms": 60000}"#), "freeze of web for 1m");
        let weight = r#"{"kind": "weight", "weight": 7, "server": "a", "pool": "web", "force": true}"#;
        assert_eq!(said(weight), "weight 7 of web/a, by force");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_to_say() {
        for (text, words) in [
            (r#"{"kind": "drain"}"#, "name a server"),
            (r#"{"kind": "freeze", "server": "a"}"#, "one pool"),
            (r#"{"kind": "freeze", "server": "a", "pool": "web"}"#, "one pool"),
            (r#"{"kind": "weight", "server": "a"}"#, "which weight"),
            (r#"{"kind": "weight", "server": "a", "weight": 65536}"#, "0 to 65535"),
            (r#"{"kind": "drain", "server": "a", "weight": 1}"#, "only the kind"),
            (r#"{"kind": "drain", "server": "a", "for_ms": 999}"#, "lasts from 1s"),
            (r#"{"kind": "drain", "server": "a", "reason": "a\nb"}"#, "control character"),
            (r#"{"kind": "melt", "server": "a"}"#, "unknown variant"),
            (r#"{"kind": "drain", "server": "a", "why": "x"}"#, "unknown field"),
        ] {
            let refused = asked(text).expect_err(text);
            assert!(refused.contains(words), "{text}: {refused}");
        }
        let long = format!(r#"{{"kind": "drain", "server": "a", "reason": "{}"}}"#, "x".repeat(501));
        assert!(asked(&long).expect_err("too long").contains("500"));
    }

    #[test]
    fn a_record_comes_back_as_the_override_that_it_was() {
        let (web, one): (Arc<str>, Arc<str>) = ("web".into(), "one".into());
        let targets = [
            OverrideTarget::EveryServer(web.clone()),
            OverrideTarget::Server { server: one.clone(), pool: None },
            OverrideTarget::Server { server: one, pool: Some(web.clone()) },
        ];
        let orders =
            [Order::Drain, Order::Disable, Order::Weight(0), Order::ForceUp].map(OverrideKind::Server);
        let servers =
            orders.iter().flat_map(|kind| targets.iter().map(move |target| (*kind, target.clone())));
        for (kind, target) in servers.chain([(OverrideKind::Freeze, OverrideTarget::Pool(web))]) {
            let (by, reason, director) = ("alice".to_owned(), Some("disk".to_owned()), None);
            let until_unix_ms = Some(9);
            let given = Override { kind, target, by, reason, director, set_unix_ms: 5, until_unix_ms };
            let text = serde_json::to_string(&OverrideRecord::from(&given)).expect("JSON");
            let record: OverrideRecord = serde_json::from_str(&text).expect("a record");
            assert_eq!(Override::try_from(record), Ok(given));
        }
    }
}
