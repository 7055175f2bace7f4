//! Who talks to whom, and with which key. Pure.

use crate::model::{Director, DirectorName, Family, Pair};
use crate::vrrp::authentication::Keys;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// No other key is derived under this name; beats are sealed by the shared key itself, over texts that begin otherwise.
const USE: &[u8] = b"tandem channel between directors 1";

/// Everything that a channel depends on: while this is the same, a reload leaves it as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub own: DirectorName,
    /// This director's own addresses.
    pub addresses: Vec<IpAddr>,
    /// The other directors, each with its own addresses.
    pub others: BTreeMap<DirectorName, Vec<IpAddr>>,
    /// TCP.
    pub port: u16,
    pub secret: ChannelSecret,
}

impl Settings {
    /// The channel of a pair, seen from this director; `None` where there is nobody else, or no key.
    #[must_use]
    pub fn of(pair: &Pair, keys: Option<&Keys>) -> Option<Self> {
        let (own, keys) = (pair.own.clone()?, keys?);
        let others: BTreeMap<_, _> =
            pair.others().map(|(name, other)| (name.clone(), addresses(other))).collect();
        (!others.is_empty()).then(|| Self {
            addresses: pair.directors.get(&own).map(addresses).unwrap_or_default(),
            own,
            others,
            port: pair.peer.port,
            secret: ChannelSecret(keys.first().derive(USE)),
        })
    }

    /// Whether this director connects to another one, which waits for it then.
    #[must_use]
    pub fn connects_to(&self, other: &DirectorName) -> bool {
        self.own < *other
    }

    /// Where to connect to another one, each from an own address of the family.
    #[must_use]
    pub fn ways_to(&self, other: &DirectorName) -> Vec<(IpAddr, SocketAddr)> {
        let theirs = self.others.get(other).map(Vec::as_slice).unwrap_or_default();
        let way = |their: &IpAddr| {
            let own = self.addresses.iter().find(|own| own.is_ipv4() == their.is_ipv4())?;
            Some((*own, SocketAddr::new(*their, self.port)))
        };
        theirs.iter().filter_map(way).collect()
    }

    /// Whose address this is.
    #[must_use]
    pub fn at(&self, address: IpAddr) -> Option<&DirectorName> {
        let address = address.to_canonical();
        self.others.iter().find(|(_, theirs)| theirs.contains(&address)).map(|(name, _)| name)
    }
}

fn addresses(director: &Director) -> Vec<IpAddr> {
    [Family::Ipv4, Family::Ipv6].into_iter().filter_map(|family| director.address(family)).collect()
}

/// What the keys of both ends are derived from. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelSecret(pub(super) [u8; 32]);

impl fmt::Debug for ChannelSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ChannelSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::authentication::Key;

    fn keys() -> Keys {
        Keys::new(vec![Key::new(1, &[7; 32]).expect("a key")]).expect("keys")
    }

    fn pair() -> Pair {
        let director = |host: u8| Director {
            ipv4: Some([192, 0, 2, host].into()),
            ipv6: Some(format!("2001:db8::{host}").parse().expect("an address")),
        };
        Pair {
            directors: [("lb-a".into(), director(1)), ("lb-b".into(), director(2))].into(),
            own: Some("lb-a".into()),
            ..Pair::default()
        }
    }

    #[test]
    fn one_connects_and_the_other_waits_over_both_families() {
        let settings = Settings::of(&pair(), Some(&keys())).expect("a channel");
        assert!(settings.connects_to(&"lb-b".into()));
        let ways = settings.ways_to(&"lb-b".into());
        let ways: Vec<_> = ways.iter().map(|(from, to)| format!("{from} {to}")).collect();
        assert_eq!(ways, ["192.0.2.1 192.0.2.2:9751", "2001:db8::1 [2001:db8::2]:9751"]);
        let there = Settings::of(&Pair { own: Some("lb-b".into()), ..pair() }, Some(&keys()));
        let there = there.expect("a channel");
        assert!(!there.connects_to(&"lb-a".into()));
        let mapped = "::ffff:192.0.2.1".parse().expect("an address");
        assert_eq!(there.at(mapped).map(|name| &**name), Some("lb-a"));
        assert_eq!(there.at([192, 0, 2, 9].into()), None);
    }

    #[test]
    fn without_a_key_or_another_director_there_is_no_channel_and_another_key_is_another_one() {
        assert_eq!(Settings::of(&pair(), None), None);
        let mut alone = pair();
        alone.directors.remove("lb-b");
        assert_eq!(Settings::of(&alone, Some(&keys())), None);
        let other = Keys::new(vec![Key::new(1, &[8; 32]).expect("a key")]).expect("keys");
        assert_ne!(Settings::of(&pair(), Some(&keys())), Settings::of(&pair(), Some(&other)));
    }
}
