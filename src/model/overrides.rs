//! Overrides: what an operator ordered of servers and pools, above everything that rules and verdicts say. Pure.

use super::{Pool, PoolName, RealServer};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What is ordered of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// No new connection; out of the table when its last one has ended, or at its pool's drain deadline.
    Drain,
    /// Out of the table at once.
    Disable,
    /// This weight (0..=65535) instead of the policy's, and of what a source of weights says. Verdicts go on.
    Weight(u32),
    /// In the table with its weight, whatever its checks say.
    ForceUp,
}

/// What an override does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OverrideKind {
    Server(Order),
    /// The pool's verdicts stay as they are, whatever its checks say.
    Freeze,
}

impl OverrideKind {
    /// The closed list of the `kind` label.
    pub const NAMES: [&'static str; 5] = ["disable", "drain", "force_up", "freeze", "weight"];

    /// Its word in answers, logs and the `kind` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server(Order::Drain) => "drain",
            Self::Server(Order::Disable) => "disable",
            Self::Server(Order::Weight(_)) => "weight",
            Self::Server(Order::ForceUp) => "force_up",
            Self::Freeze => "freeze",
        }
    }

    /// The weight that it orders.
    #[must_use]
    pub const fn weight(self) -> Option<u32> {
        match self {
            Self::Server(Order::Weight(weight)) => Some(weight),
            Self::Server(Order::Drain | Order::Disable | Order::ForceUp) | Self::Freeze => None,
        }
    }
}

impl fmt::Display for OverrideKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(Order::Drain) => formatter.write_str("drain"),
            Self::Server(Order::Disable) => formatter.write_str("disable"),
            Self::Server(Order::Weight(weight)) => write!(formatter, "weight {weight}"),
            Self::Server(Order::ForceUp) => formatter.write_str("force-up"),
            Self::Freeze => formatter.write_str("freeze"),
        }
    }
}

/// What an override is for, by names: it may come to name nothing when the policy changes, and something again later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OverrideTarget {
    /// One server, in one pool or in every pool that has it. `server`: its name, its RIP, or `RIP:port`.
    Server { server: Arc<str>, pool: Option<PoolName> },
    /// Every server of a pool.
    EveryServer(PoolName),
    /// The pool itself, of which the verdicts are frozen.
    Pool(PoolName),
}

impl OverrideTarget {
    /// The pool that it is confined to; `None`: every pool.
    #[must_use]
    pub const fn pool(&self) -> Option<&PoolName> {
        match self {
            Self::Server { pool, .. } => pool.as_ref(),
            Self::EveryServer(pool) | Self::Pool(pool) => Some(pool),
        }
    }

    /// The server as it was named; `None`: all of the pool.
    #[must_use]
    pub const fn server(&self) -> Option<&Arc<str>> {
        match self {
            Self::Server { server, .. } => Some(server),
            Self::EveryServer(_) | Self::Pool(_) => None,
        }
    }

    /// Whether it orders something of this server.
    #[must_use]
    pub fn is_for(&self, pool: &Pool, server: &RealServer) -> bool {
        self.names(&pool.name, &server.name, server.address, server.port)
    }

    /// The same of a server with this name, RIP and port, in `pool`.
    #[must_use]
    pub fn names(&self, pool: &str, name: &str, address: IpAddr, port: Option<u16>) -> bool {
        match self {
            Self::Server { server: word, pool: confined } => {
                confined.as_ref().is_none_or(|confined| **confined == *pool)
                    && is_named(word, name, address, port)
            }
            Self::EveryServer(confined) => **confined == *pool,
            Self::Pool(_) => false,
        }
    }

    /// Of two that are for one server the more exact one counts.
    #[must_use]
    pub const fn exactness(&self) -> u8 {
        match self {
            Self::Server { pool: Some(_), .. } => 2,
            Self::Server { pool: None, .. } => 1,
            Self::EveryServer(_) | Self::Pool(_) => 0,
        }
    }
}

/// Whether an operator's word names a server: its name, its RIP, or `RIP:port` (`[RIP]:port` with IPv6).
#[must_use]
pub fn is_named(word: &str, name: &str, address: IpAddr, port: Option<u16>) -> bool {
    if word == name {
        return true;
    }
    if let Ok(named) = word.parse::<IpAddr>() {
        return named == address;
    }
    let socket = word.parse::<SocketAddr>();
    socket.is_ok_and(|socket| socket.ip() == address && Some(socket.port()) == port)
}

impl fmt::Display for OverrideTarget {
    /// What identifies an override: `POOL/SERVER`, `*/SERVER`, `POOL/*`, or `POOL` for a frozen one.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { server, pool: Some(pool) } => write!(formatter, "{pool}/{server}"),
            Self::Server { server, pool: None } => write!(formatter, "*/{server}"),
            Self::EveryServer(pool) => write!(formatter, "{pool}/*"),
            Self::Pool(pool) => formatter.write_str(pool),
        }
    }
}

/// An override, with who, why and until when. At most one for each target: a newer one takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub kind: OverrideKind,
    pub target: OverrideTarget,
    /// Who gave it.
    pub by: String,
    pub reason: Option<String>,
    /// The director that it was given to; `None` for one that is alone.
    pub director: Option<String>,
    /// Unix time in milliseconds.
    pub set_unix_ms: u64,
    /// Unix time in milliseconds at which it ends by itself; `None`: when it is cleared.
    pub until_unix_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::{pool, server};
    use crate::model::Forwarding;

    fn target(server: &str, pool: Option<&str>) -> OverrideTarget {
        OverrideTarget::Server { server: server.into(), pool: pool.map(Into::into) }
    }

    #[test]
    fn a_server_is_named_by_its_name_its_address_or_both_with_its_port() {
        let four = "192.0.2.10".parse().expect("an address");
        for word in ["web1", "192.0.2.10", "192.0.2.10:8080"] {
            assert!(is_named(word, "web1", four, Some(8080)), "{word}");
        }
        for word in ["web", "192.0.2.1", "192.0.2.10:80", "192.0.2.10:", ""] {
            assert!(!is_named(word, "web1", four, Some(8080)), "{word}");
        }
        let six = "2001:db8::10".parse().expect("an address");
        assert!(
            is_named("[2001:db8::10]:80", "six", six, Some(80))
                && is_named("2001:DB8:0::10", "six", six, None)
        );
    }

    #[test]
    fn what_it_is_for_may_be_confined_to_a_pool() {
        let web = pool("web", "192.0.2.1", &Forwarding::Nat);
        let one = server("192.0.2.10", &Forwarding::Nat);
        assert!(target("192.0.2.10", None).is_for(&web, &one));
        assert!(target("192.0.2.10", Some("web")).is_for(&web, &one));
        assert!(!target("192.0.2.10", Some("api")).is_for(&web, &one));
        assert!(OverrideTarget::EveryServer("web".into()).is_for(&web, &one));
        assert!(!OverrideTarget::Pool("web".into()).is_for(&web, &one));
    }

    #[test]
    fn each_has_an_identity_that_can_be_typed() {
        assert_eq!(target("web1", Some("shop")).to_string(), "shop/web1");
        assert_eq!(target("web1", None).to_string(), "*/web1");
        assert_eq!(OverrideTarget::EveryServer("shop".into()).to_string(), "shop/*");
        assert_eq!(OverrideTarget::Pool("shop".into()).to_string(), "shop");
    }
}
