//! What a station hands on to the station of another process, which goes on in its place: the data alone, as JSON.
//!
//! Only a station at rest hands on ([`super::station::Station::hand_on`]): whatever is between two states (a takeover, a release,
//! a transfer of connections) is over within seconds, and has no form here. All instants count from the start of the process
//! that hands on, and the other one counts from the same. Routers, units and trackers are named: their places may differ.
//!
//! Two versions one apart understand each other: a field that is unknown is ignored, and one that is missing has the value of a
//! station that has just started.

use super::fitness::Reach;
use super::machine::{Heard, State};
use super::role::{Cause, Role};
use super::timing::Pace;
use crate::model::{ChecksumReading, Family, VrrpVersion};
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// A whole station.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandedStation {
    pub routers: Vec<HandedRouter>,
    pub units: Vec<HandedUnit>,
    pub sessions: Vec<HandedSession>,
    pub peers: Vec<HandedPeer>,
    /// When the next beat is due.
    pub beat_at: Option<Instant>,
    /// By then the others' beats have come.
    pub peers_known_at: Instant,
    /// What the pools knew before says nothing any more.
    pub cold_since: Instant,
    /// Their verdicts are of what there is since then.
    pub warm_since: Option<Instant>,
    /// The last request for connection state that was served; 0: none.
    pub passed: u32,
}

/// What is shown of a router.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandedRouter {
    pub name: String,
    /// Since when it has its role.
    pub since: Instant,
    pub cause: Option<HandedCause>,
    /// When another Master that has to give way was last heard.
    pub contested_at: Option<Instant>,
    pub last_received: Option<Instant>,
    pub last_master: Option<IpAddr>,
}

/// A unit at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandedUnit {
    pub name: String,
    /// [`Role::name`].
    pub role: String,
    /// Whether it holds its addresses.
    pub holds: bool,
    pub released: bool,
    pub released_until: Option<Instant>,
    /// Since when a Master of lower priority is heard.
    pub lower_since: Option<Instant>,
    pub preempting: bool,
    pub listening_since: Option<Instant>,
    /// Until when no queue of advertisements raises a suspicion.
    pub rests_until: Option<Instant>,
    /// Until when it is unfit, since it could not hold its addresses.
    pub unfit_until: Option<Instant>,
    pub trackers: Vec<HandedTracker>,
    pub elsewhere: Vec<HandedElsewhere>,
}

/// Something tracked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandedTracker {
    pub name: String,
    pub good: bool,
    pub since: Instant,
    /// Whether it counts as bad.
    pub counts: bool,
}

/// What another director said of a unit on another path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedElsewhere {
    pub director: String,
    pub is_master: bool,
    pub is_fit: bool,
    /// [`Reach`] as its number.
    pub reach: u8,
    pub sealed: bool,
    pub until: Instant,
}

/// A session. Whether it preempts is decided anew with each advertisement that it hears, and has no form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedSession {
    pub router: String,
    pub family: Family,
    /// Where its advertisements come from; `None`: its link is down.
    pub source: Option<IpAddr>,
    pub state: HandedState,
    pub last_heard: Option<HandedHeard>,
    #[serde(default)]
    pub ties: u32,
    /// Whether the checksum is read with a pseudo-header (RFC 5798, as keepalived and FRR read it).
    #[serde(default)]
    pub pseudo_header: bool,
    /// The newest mark of each sender.
    #[serde(default)]
    pub marks: Vec<HandedMark>,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandedState {
    Initialize,
    Backup { pace: HandedPace, down_at: Instant },
    Master { advertise_at: Instant },
}

/// A version and an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedPace {
    pub version: u8,
    pub interval_us: u64,
}

/// What matters of an advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedHeard {
    pub source: IpAddr,
    pub priority: u8,
    pub pace: HandedPace,
}

/// The newest message that was believed of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedMark {
    pub source: IpAddr,
    pub epoch: u64,
    pub counter: u64,
}

/// Another director.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedPeer {
    pub name: String,
    /// Run and sequence of its last beat.
    pub last: Option<(u64, u64)>,
    pub heard_at: Option<Instant>,
    pub interval_us: u64,
    /// The units that it said it could be Master of: FNV-1a of their names.
    #[serde(default)]
    pub fit: Vec<u64>,
    /// Whether the last beat was sealed: nothing that came before it is believed again.
    #[serde(default)]
    pub sealed: bool,
}

/// Why a role changed, with what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandedCause {
    /// [`Cause::name`].
    pub name: String,
    pub source: Option<IpAddr>,
    pub priority: u8,
    pub trackers: Vec<String>,
}

impl From<&Cause> for HandedCause {
    fn from(cause: &Cause) -> Self {
        let (source, priority) = match cause {
            Cause::MasterResigned { source } => (Some(*source), 0),
            Cause::Preempts { source, priority }
            | Cause::MasterUnfit { source, priority }
            | Cause::HigherPriority { source, priority } => (Some(*source), *priority),
            Cause::Started
            | Cause::Silence
            | Cause::Owner
            | Cause::OtherReachesGateway
            | Cause::Released
            | Cause::NobodyTookOver
            | Cause::Stopped
            | Cause::Stalled
            | Cause::Unfit { .. }
            | Cause::LinkDown => (None, 0),
        };
        let trackers = match cause {
            Cause::Unfit { trackers } => trackers.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        Self { name: cause.name().to_owned(), source, priority, trackers }
    }
}

impl HandedCause {
    /// The cause; `None`: this version knows none of this name.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        let (source, priority) = (self.source, self.priority);
        let trackers = || self.trackers.iter().map(|name| name.as_str().into()).collect();
        let known = [
            Some(Cause::Started),
            Some(Cause::Silence),
            Some(Cause::Owner),
            Some(Cause::OtherReachesGateway),
            Some(Cause::Released),
            Some(Cause::NobodyTookOver),
            Some(Cause::Stopped),
            Some(Cause::Stalled),
            Some(Cause::LinkDown),
            Some(Cause::Unfit { trackers: trackers() }),
            source.map(|source| Cause::MasterResigned { source }),
            source.map(|source| Cause::Preempts { source, priority }),
            source.map(|source| Cause::MasterUnfit { source, priority }),
            source.map(|source| Cause::HigherPriority { source, priority }),
        ];
        known.into_iter().flatten().find(|cause| cause.name() == self.name)
    }
}

impl HandedUnit {
    /// Its role; Initialize where this version knows none of the name.
    #[must_use]
    pub fn role(&self) -> Role {
        Role::ALL.into_iter().find(|role| role.name() == self.role).unwrap_or(Role::Initialize)
    }
}

impl From<Pace> for HandedPace {
    fn from(pace: Pace) -> Self {
        let version = match pace.version {
            VrrpVersion::V2 => 2,
            VrrpVersion::V3 => 3,
        };
        Self { version, interval_us: micros(pace.interval) }
    }
}

impl From<HandedPace> for Pace {
    fn from(handed: HandedPace) -> Self {
        let version = if handed.version == 2 { VrrpVersion::V2 } else { VrrpVersion::V3 };
        Self { version, interval: Duration::from_micros(handed.interval_us) }
    }
}

impl From<Heard> for HandedHeard {
    fn from(heard: Heard) -> Self {
        Self { source: heard.source, priority: heard.priority, pace: heard.pace.into() }
    }
}

impl From<HandedHeard> for Heard {
    fn from(handed: HandedHeard) -> Self {
        Self { source: handed.source, priority: handed.priority, pace: handed.pace.into() }
    }
}

impl From<State> for HandedState {
    fn from(state: State) -> Self {
        match state {
            State::Initialize => Self::Initialize,
            State::Backup { pace, down_at } => Self::Backup { pace: pace.into(), down_at },
            State::Master { advertise_at } => Self::Master { advertise_at },
        }
    }
}

impl From<HandedState> for State {
    fn from(handed: HandedState) -> Self {
        match handed {
            HandedState::Initialize => Self::Initialize,
            HandedState::Backup { pace, down_at } => Self::Backup { pace: pace.into(), down_at },
            HandedState::Master { advertise_at } => Self::Master { advertise_at },
        }
    }
}

impl HandedSession {
    /// Which reading of the checksum it sends in.
    #[must_use]
    pub const fn reading(&self) -> ChecksumReading {
        if self.pseudo_header { ChecksumReading::Rfc5798 } else { ChecksumReading::Rfc9568 }
    }
}

impl HandedElsewhere {
    /// Whether the tracked gateways are reached there.
    #[must_use]
    pub fn reach(&self) -> Reach {
        let all = [Reach::Untracked, Reach::Reached, Reach::Lost];
        all.into_iter().find(|reach| *reach as u8 == self.reach).unwrap_or_default()
    }
}

/// Whole microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_comes_back_and_one_of_a_later_version_is_none() {
        let source = IpAddr::from([192, 0, 2, 12]);
        let trackers = vec!["pool web".into(), "interface eth1".into()];
        let causes = [
            Cause::Started,
            Cause::Silence,
            Cause::MasterResigned { source },
            Cause::Preempts { source, priority: 90 },
            Cause::MasterUnfit { source, priority: 9 },
            Cause::Owner,
            Cause::HigherPriority { source, priority: 200 },
            Cause::OtherReachesGateway,
            Cause::Released,
            Cause::NobodyTookOver,
            Cause::Stopped,
            Cause::Stalled,
            Cause::Unfit { trackers },
            Cause::LinkDown,
        ];
        for cause in causes {
            assert_eq!(HandedCause::from(&cause).cause(), Some(cause));
        }
        let later = HandedCause { name: "by_lot".to_owned(), ..HandedCause::default() };
        assert_eq!(later.cause(), None);
    }

    #[test]
    fn a_pace_of_either_version_comes_back() {
        for version in [VrrpVersion::V2, VrrpVersion::V3] {
            let pace = Pace { version, interval: Duration::from_millis(1_230) };
            assert_eq!(Pace::from(HandedPace::from(pace)), pace);
        }
    }

    #[test]
    fn every_reach_comes_back_and_one_of_a_later_version_is_untracked() {
        let reach = |reach: u8| {
            let (director, until) = ("lb-b".to_owned(), Instant::ZERO);
            HandedElsewhere { director, is_master: false, is_fit: true, reach, sealed: true, until }.reach()
        };
        for known in [Reach::Untracked, Reach::Reached, Reach::Lost] {
            assert_eq!(reach(known as u8), known);
        }
        assert_eq!(reach(99), Reach::default());
    }

    #[test]
    fn what_a_later_version_says_beside_is_ignored_and_what_an_earlier_one_leaves_out_is_as_at_a_start() {
        let later =
            r#"{"beat_at": 7, "mood": "good", "units": [{"name": "u", "role": "dancing", "song": 1}]}"#;
        let read: HandedStation = serde_json::from_str(later).expect("understood");
        assert_eq!((read.beat_at, read.units[0].role()), (Some(Instant::from_micros(7)), Role::Initialize));
        let earlier: HandedStation = serde_json::from_str("{}").expect("understood");
        assert_eq!(earlier, HandedStation::default());
    }
}
