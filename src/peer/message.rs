//! What directors say to each other, and in which version of the form. Pure.

use super::mirror::Record;
use super::report::{PoolSummary, Report};
use super::sight::Sight;
use crate::control::EventRecord;
use crate::model::DirectorName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Versions of the form that a director speaks, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    pub oldest: u32,
    pub newest: u32,
}

impl Versions {
    /// Of this program. The next one speaks 1 and 2.
    pub const OURS: Self = Self { oldest: 1, newest: 1 };

    /// The newest version that both speak; `None` where there is none.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u32> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest && newest >= other.oldest).then_some(newest)
    }
}

/// The first message of each end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub versions: Versions,
    /// Said once more, for a log; the key of the handshake has proved it.
    #[serde(with = "name")]
    pub director: DirectorName,
    /// Of the program.
    pub version: String,
}

/// Some of the pools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pools {
    /// Whether everything that was said of pools before is forgotten.
    #[serde(default)]
    pub anew: bool,
    /// New ones, and those that are otherwise now.
    #[serde(default)]
    pub pools: Vec<PoolSummary>,
    /// Names of those that are no more.
    #[serde(default)]
    pub gone: BTreeSet<String>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    Hello(Hello),
    /// Also the sign of life.
    Report(Box<Report>),
    Pools(Pools),
    Records {
        records: Vec<Record>,
    },
    /// What this director's checks say of pools that both judge: those that are otherwise now.
    Sights {
        /// Whether everything that was said of them before is forgotten.
        #[serde(default)]
        anew: bool,
        sights: BTreeMap<String, Sight>,
    },
    /// What happened there: each event once a connection, and the last ones of before at its begin.
    Events {
        events: Vec<EventRecord>,
    },
    /// One of a later version.
    #[serde(other)]
    Unknown,
}

mod name {
    use crate::model::DirectorName;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(name: &DirectorName, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DirectorName, D::Error> {
        String::deserialize(deserializer).map(|name| name.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_one_apart_agree_and_those_without_a_common_one_do_not() {
        let versions = |oldest, newest| Versions { oldest, newest };
        assert_eq!(versions(1, 1).common(versions(1, 2)), Some(1));
        assert_eq!(versions(2, 3).common(versions(1, 2)), Some(2));
        assert_eq!(versions(1, 3).common(versions(2, 3)), Some(3));
        assert_eq!(versions(1, 1).common(versions(2, 3)), None);
        assert_eq!(versions(2, 3).common(versions(1, 1)), None);
    }
}
