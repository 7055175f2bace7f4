//! What predecessor and successor say to each other, as JSON, and which forms of it they understand. Pure.

use super::pools::HandedPools;
use crate::time::Instant;
use crate::vrrp::handed::HandedStation;
use serde::{Deserialize, Serialize};

/// The forms that this version speaks: the oldest and the newest. What is added to a form is ignored by who does not know it; a new
/// one is for what cannot be ignored, and the one before stays spoken.
pub const FORMS: (u32, u32) = (1, 1);

/// What a successor says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The forms that it speaks.
    pub oldest: u32,
    pub newest: u32,
    /// Its version, for the log.
    #[serde(default)]
    pub version: String,
}

impl Hello {
    /// Of this version.
    #[must_use]
    pub fn own() -> Self {
        let (oldest, newest) = FORMS;
        Self { oldest, newest, version: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// The newest form that both speak.
    ///
    /// # Errors
    /// There is none; a sentence that says so.
    pub fn form(&self) -> Result<u32, String> {
        let (oldest, newest) = FORMS;
        let common = self.newest.min(newest);
        (common >= self.oldest.max(oldest)).then_some(common).ok_or_else(|| {
            format!(
                "the other program ({}) hands on in the forms {} to {}, and this one ({}) in {oldest} to {newest}: restart \
                 instead",
                self.version,
                self.oldest,
                self.newest,
                env!("CARGO_PKG_VERSION")
            )
        })
    }
}

/// What the predecessor answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The form of all that follows.
    pub form: u32,
    /// The start of time of all instants: microseconds since the host booted (`CLOCK_MONOTONIC`).
    pub clock_us: u64,
    /// The number of the policy in force, whose text is in the state directory.
    pub generation: u64,
    /// Its text as a number ([`crate::director::loading::PolicyText::number`]).
    pub text: u64,
}

/// What a successor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    Hello(Hello),
    /// Everything is ready: let the pools rest, and lock and ports go.
    Pools,
    /// All that is missing is the election, in which it will be a run of this number.
    Pair {
        epoch: u64,
    },
    /// It serves.
    Serving,
    /// It cannot go on, and ends.
    Failed {
        why: String,
    },
}

/// What a predecessor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Say {
    Greeting(Greeting),
    Pools(Box<HandedPools>),
    Pair(Box<HandedPair>),
    /// It ends.
    Farewell,
    /// It goes on itself.
    Refused {
        why: String,
    },
}

/// The election.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedPair {
    /// Where nobody has gone on by then, the predecessor does.
    pub start_by: Instant,
    /// `None`: the policy has no virtual routers.
    pub station: Option<HandedStation>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Reason;
    use crate::vrrp::handed::{HandedCause, HandedPace, HandedState};
    use crate::vrrp::role::{Cause, Role};

    fn hello(oldest: u32, newest: u32) -> Hello {
        Hello { oldest, newest, version: "9.9.9".to_owned() }
    }

    #[test]
    fn the_newest_form_that_both_speak_is_spoken_and_none_is_said_with_the_way_out() {
        let (oldest, newest) = FORMS;
        assert_eq!(Hello::own().form(), Ok(newest));
        assert_eq!(hello(oldest, newest + 3).form(), Ok(newest));
        let error = hello(newest + 1, newest + 1).form().expect_err("a later one alone");
        assert!(error.contains("9.9.9") && error.contains("restart instead"), "{error}");
        assert!(hello(0, oldest - 1).form().is_err(), "an earlier one alone");
    }

    #[test]
    fn what_a_later_version_adds_is_ignored() {
        let said = r#"{"greeting": {"form": 1, "clock_us": 5, "generation": 7, "text": 9, "mood": "calm"}}"#;
        let greeting = Greeting { form: 1, clock_us: 5, generation: 7, text: 9 };
        assert_eq!(serde_json::from_str::<Say>(said).expect("understood"), Say::Greeting(greeting));
        let said = r#"{"pools": {"generation": 3, "weather": []}}"#;
        let pools = HandedPools { generation: 3, ..HandedPools::default() };
        assert_eq!(serde_json::from_str::<Say>(said).expect("understood"), Say::Pools(Box::new(pools)));
    }

    /// What the first version that handed on has said: every later one that speaks form 1 understands it like this.
    #[test]
    fn form_1_is_understood_as_it_was_first_said() {
        let pair = r#"{"pair": {"start_by": 5000000, "station": {
            "routers": [{"name": "outside", "since": 1000, "cause": {"name": "silence", "source": null, "priority": 0, "trackers": []},
                "contested_at": null, "last_received": 900, "last_master": "192.0.2.12"}],
            "units": [{"name": "outside", "role": "master", "holds": true, "released": false, "released_until": null,
                "lower_since": null, "preempting": false, "listening_since": 10, "rests_until": null, "unfit_until": null,
                "trackers": [{"name": "pool web", "good": true, "since": 7, "counts": false}],
                "elsewhere": [{"director": "lb-b", "is_master": false, "is_fit": true, "reach": 1, "sealed": true, "until": 8}]}],
            "sessions": [{"router": "outside", "family": "Ipv4", "source": "192.0.2.11", "state": {"master": {"advertise_at": 4900000}},
                "last_heard": {"source": "192.0.2.12", "priority": 100, "pace": {"version": 3, "interval_us": 100000}},
                "preempts": true, "ties": 0, "pseudo_header": false,
                "marks": [{"source": "192.0.2.12", "epoch": 3, "counter": 9}]},
                {"router": "outside", "family": "Ipv6", "source": null, "state": "initialize", "last_heard": null},
                {"router": "inside", "family": "Ipv4", "source": null, "last_heard": null,
                    "state": {"backup": {"pace": {"version": 2, "interval_us": 1000000}, "down_at": 77}}}],
            "peers": [{"name": "lb-b", "last": [3, 12], "heard_at": 850, "interval_us": 100000, "fit": [17], "sealed": true}],
            "beat_at": 4950000, "peers_known_at": 20, "cold_since": 1, "warm_since": 2, "passed": 4}}}"#;
        let Say::Pair(pair) = serde_json::from_str(pair).expect("understood") else { panic!("another word") };
        let station = pair.station.expect("a station");
        let state = |place: usize| station.sessions[place].state;
        assert_eq!(state(0), HandedState::Master { advertise_at: Instant::from_micros(4_900_000) });
        assert_eq!(state(1), HandedState::Initialize);
        let pace = HandedPace { version: 2, interval_us: 1_000_000 };
        assert_eq!(state(2), HandedState::Backup { pace, down_at: Instant::from_micros(77) });
        assert_eq!(station.units[0].role(), Role::Master);
        assert_eq!(station.routers[0].cause.as_ref().and_then(HandedCause::cause), Some(Cause::Silence));
        assert_eq!((station.passed, station.peers[0].last), (4, Some((3, 12))));
        let pools = r#"{"pools": {"generation": 7, "master_of": ["outside"], "taking_over": [],
            "checks": [{"check": "alive", "address": "10.0.0.1:80", "real_path": null, "up": true, "counter": 4, "successes": 9,
                "failures": 0, "settled": true, "reason": {"Passed": {"successes": 2}}, "changed_at": 5,
                "last": [8, {"duration": {"secs": 0, "nanos": 1000}, "result": {"Ok": null},
                    "findings": {"advice": null, "certificate_expires": null}}],
                "passed": 8, "failing": [], "advice": null, "started": 8, "due": 99}],
            "pools": [{"name": "web", "ordinary": true, "quorum": true, "panic_since": null, "sorry": false, "servers": [
                {"name": "web1", "up": true, "down_since": null, "came_back": false, "silent": false, "disputed": false,
                    "sent_away": false, "ramp_since": 5, "drain": {"deadline": 9, "quiet_since": null, "left_with": null},
                    "frozen": {"up": true, "vouched": false, "advice": null}}]}],
            "sights": [{"web": {"servers": "00000000000000ff", "up": "03"}}]}}"#;
        let Say::Pools(pools) = serde_json::from_str(pools).expect("understood") else {
            panic!("another word")
        };
        let check = &pools.checks[0].state;
        assert_eq!((check.up, check.counter, check.settled), (true, 4, true));
        assert_eq!(check.reason, Some(Reason::Passed { successes: 2 }));
        assert!(check.last.is_some() && check.due == Some(Instant::from_micros(99)));
        assert_eq!(pools.pools[0].servers[0].ramp_since, Some(Instant::from_micros(5)));
        assert!(pools.roles().is_master_of(&"outside".into()));
        assert_eq!(pools.others()[0].keys().map(|name| &**name).collect::<Vec<_>>(), ["web"]);
    }

    #[test]
    fn everything_comes_back_as_it_was() {
        let pair = HandedPair { start_by: Instant::from_millis(5), station: Some(HandedStation::default()) };
        for said in [Say::Pair(Box::new(pair)), Say::Farewell, Say::Refused { why: "no".to_owned() }] {
            let text = serde_json::to_string(&said).expect("JSON");
            assert_eq!(serde_json::from_str::<Say>(&text).expect("understood"), said);
        }
        for said in [Ask::Hello(Hello::own()), Ask::Pools, Ask::Pair { epoch: 7 }, Ask::Serving] {
            let text = serde_json::to_string(&said).expect("JSON");
            assert_eq!(serde_json::from_str::<Ask>(&text).expect("understood"), said);
        }
    }
}
