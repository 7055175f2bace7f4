//! A large site: real servers in pools of equal size, all under one check. As each program is told of it.

use crate::servers::address;
use std::fmt::{self, Write as _};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Longer than any answer takes here.
const TIMEOUT_S: u32 = 5;

/// What a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Tcp,
    Http,
    /// With one connection for all probes of a server.
    HttpKept,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Tcp, Kind::Http, Kind::HttpKept];

impl Kind {
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.to_string() == name)
    }

    pub(crate) const fn is_kept(self) -> bool {
        matches!(self, Self::HttpKept)
    }

    /// As a policy says it.
    const fn check(self) -> &'static str {
        match self {
            Self::Tcp => "tcp: {}",
            Self::Http => "http: {path: /}",
            Self::HttpKept => "http: {path: /, keep_connection: true}",
        }
    }

    /// As keepalived's file says it; it keeps no connections.
    const fn checker(self) -> &'static str {
        match self {
            Self::Tcp => "TCP_CHECK { ",
            Self::Http | Self::HttpKept => "HTTP_GET { url { path / status_code 200 } ",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::HttpKept => "http-kept",
        })
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    pub(crate) servers: usize,
    pub(crate) pools: usize,
    pub(crate) interval: Duration,
    pub(crate) kind: Kind,
}

impl Site {
    /// Tandem's policy.
    pub(crate) fn policy(&self) -> String {
        let mut text = format!(
            "policy_version: 1\nchecks:\n  alive: {{{}, interval: {}ms, timeout: {TIMEOUT_S}s}}\n\
             defaults: {{pool: {{check: alive, forwarding: nat}}}}\nmetrics: {{per_server: false}}\npools:\n",
            self.kind.check(),
            self.interval.as_millis()
        );
        for (number, vip, servers) in self.pools() {
            let _ =
                writeln!(text, "  pool-{number}:\n    virtual_services: [tcp://{vip}:80]\n    real_servers:");
            for server in servers {
                let _ = writeln!(text, "      - {}:80", address(server));
            }
        }
        text
    }

    /// keepalived's file. Its checkers begin at random within the interval.
    pub(crate) fn keepalived(&self) -> String {
        let interval = self.interval.as_secs_f64();
        let mut text = "global_defs {\n    router_id bench\n}\n".to_owned();
        for (_, vip, servers) in self.pools() {
            let _ = writeln!(
                text,
                "virtual_server {vip} 80 {{\n    delay_loop {interval}\n    warmup {interval}\n    lb_algo wlc\n    \
                 lb_kind NAT\n    protocol TCP"
            );
            for server in servers {
                let _ = writeln!(
                    text,
                    "    real_server {} 80 {{\n        weight 1\n        {}connect_timeout {TIMEOUT_S} }}\n    }}",
                    address(server),
                    self.kind.checker()
                );
            }
            text.push_str("}\n");
        }
        text
    }

    /// Number, VIP and servers of each pool.
    fn pools(&self) -> impl Iterator<Item = (usize, Ipv4Addr, std::ops::Range<usize>)> {
        let (servers, size) = (self.servers, self.servers.div_ceil(self.pools));
        (0..self.pools).map(move |pool| {
            let [high, low] = u16::try_from(pool).expect("a number of pools").to_be_bytes();
            let of_pool = pool * size..((pool + 1) * size).min(servers);
            (pool, Ipv4Addr::new(192, 0, high, low), of_pool)
        })
    }
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servers, pools, interval, kind } = self;
        write!(formatter, "{servers} real servers in {pools} pools, {kind} every {interval:?}")
    }
}
