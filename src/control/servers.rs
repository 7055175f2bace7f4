//! The servers of pools as JSON: `GET /v1/servers?pool=&server=`. Pure; made when it is asked for, of the published view: a
//! status of fifty thousand servers would be tens of megabytes that nobody reads.

use super::pool_status::{Held, ServerStatus};
use super::status::after_start;
use crate::director::snapshot::{PoolSnapshot, ServerSnapshot, Snapshot};
use crate::model::is_named;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Servers in one answer.
pub const MOST_LISTED: usize = 100_000;

/// What is asked for: everything that is not named is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerQuery {
    /// The name of a pool.
    #[serde(default)]
    pub pool: Option<String>,
    /// A server's name, its RIP, or `RIP:port`.
    #[serde(default)]
    pub server: Option<String>,
}

impl ServerQuery {
    /// Path and query of the request. What is not a letter, a digit or one of `-._~` is written as its bytes.
    #[must_use]
    pub fn path(&self) -> String {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        let escaped = |text: &str| {
            let byte = |byte: u8| match plain(&byte) {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            };
            text.bytes().map(byte).collect::<String>()
        };
        let named = [("pool", &self.pool), ("server", &self.server)];
        let given =
            named.iter().filter_map(|(key, value)| Some(format!("{key}={}", escaped(value.as_ref()?))));
        format!("/v1/servers?{}", given.collect::<Vec<_>>().join("&"))
    }
}

/// Answer of `GET /v1/servers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerList {
    /// From the director's start to this view, in milliseconds.
    pub uptime_ms: u64,
    /// By pool, then in the order of the policy.
    pub servers: Vec<PoolServer>,
}

/// One real server of one pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolServer {
    pub pool: String,
    #[serde(flatten)]
    pub server: ServerStatus,
}

impl ServerList {
    /// What `query` asks for, of `snapshot`.
    #[must_use]
    pub fn of(snapshot: &Snapshot, query: &ServerQuery) -> Self {
        let pools = snapshot.pools.iter();
        let pools = pools.filter(|pool| query.pool.as_ref().is_none_or(|wanted| **wanted == *pool.name));
        let servers = pools.flat_map(|pool| of_pool(pool, query.server.as_deref()));
        Self { uptime_ms: after_start(snapshot.taken_at), servers: servers.take(MOST_LISTED).collect() }
    }
}

fn of_pool<'a>(pool: &'a PoolSnapshot, wanted: Option<&'a str>) -> impl Iterator<Item = PoolServer> + 'a {
    let is_wanted = move |server: &ServerSnapshot| {
        wanted.is_none_or(|word| is_named(word, &server.name, server.address, server.port))
    };
    let servers = pool.servers.iter().zip(Held::of(pool)).filter(move |(server, _)| is_wanted(server));
    servers.map(|(server, held)| PoolServer {
        pool: pool.name.to_string(),
        server: ServerStatus::of(server, &held),
    })
}
