//! What a director's own checks say of the servers of a pool, told to the others where the policy has both judge. Pure.
//!
//! It is told when it changes, at once and in a message of its own: a server that has died stays until the other director has
//! said that it sees it fail, too. Bits and no names: 50,000 servers are 12 KiB.

use crate::model::PoolName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of the bits of one pool at most: half a million servers, and half of a frame when written down.
const MOST_BYTES: usize = 128 * 1024 / 2;

/// One pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// A number that stands for the servers and their order: of other servers nothing is said. In hexadecimal.
    #[serde(with = "number")]
    servers: u64,
    /// One bit a server, the first one the lowest of the first byte: whether it has a verdict, and is up by it. In hexadecimal.
    #[serde(with = "bits")]
    up: Vec<u8>,
}

/// Pools by name.
pub type Sights = BTreeMap<PoolName, Arc<Sight>>;

impl Sight {
    /// Of these servers, in their order.
    #[must_use]
    pub fn new(servers: u64, up: impl Iterator<Item = bool>) -> Self {
        let mut sight = Self { servers, up: Vec::new() };
        for (index, up) in up.enumerate().take(MOST_BYTES * 8) {
            if index % 8 == 0 {
                sight.up.push(0);
            }
            if let Some(byte) = sight.up.last_mut() {
                *byte |= u8::from(up) << (index % 8);
            }
        }
        sight
    }

    /// Whether it is about these servers.
    #[must_use]
    pub const fn is_of(&self, servers: u64) -> bool {
        self.servers == servers
    }

    /// Whether the server at `index` is up there.
    #[must_use]
    pub fn sees(&self, index: usize) -> bool {
        self.up.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }

    /// Bytes that it takes when it is told, roughly.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.up.len() * 2 + 64
    }
}

mod number {
    use super::{Deserialize as _, Deserializer, Serializer};
    use serde::de::Error as _;

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

mod bits {
    use super::{Deserialize as _, Deserializer, MOST_BYTES, Serializer};
    use crate::hex;
    use serde::de::Error as _;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > MOST_BYTES * 2 {
            return Err(D::Error::custom("more servers than a pool can have"));
        }
        hex::decode(&text).ok_or_else(|| D::Error::custom("not hexadecimal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_server_is_read_as_it_was_told(up: Vec<bool>, servers: u64) {
            let sight = Sight::new(servers, up.iter().copied());
            let told = serde_json::to_string(&sight).expect("it is told");
            let heard: Sight = serde_json::from_str(&told).expect("it is heard");
            prop_assert_eq!(&heard, &sight);
            prop_assert!(heard.is_of(servers) && !heard.is_of(servers ^ 1));
            for (index, up) in up.iter().enumerate() {
                prop_assert_eq!(heard.sees(index), *up);
            }
            prop_assert!(!heard.sees(up.len() + 8));
        }
    }

    #[test]
    fn what_is_no_sight_is_refused() {
        for bad in [r#"{"servers":"xyz","up":""}"#, r#"{"servers":"1","up":"0g"}"#, r#"{"servers":"1"}"#] {
            assert!(serde_json::from_str::<Sight>(bad).is_err(), "{bad}");
        }
        let long = format!(r#"{{"servers":"1","up":"{}"}}"#, "0".repeat(MOST_BYTES * 2 + 2));
        assert!(serde_json::from_str::<Sight>(&long).is_err());
    }

    #[test]
    fn the_largest_pool_fits_into_a_frame() {
        let sight = Sight::new(1, std::iter::repeat_n(true, MOST_BYTES * 8 + 9));
        assert!(serde_json::to_string(&sight).expect("it is told").len() < 200 * 1024);
    }
}
