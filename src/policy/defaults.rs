//! Every default of a policy, in one place. The doc comments of [`super::schema`] and `conf/tandem.yaml` repeat them, which
//! a test compares.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A server is noticed dead within about `FALL * INTERVAL + TIMEOUT`: seven seconds.
pub(super) const INTERVAL: Duration = Duration::from_secs(2);
/// Of a whole probe.
pub(super) const TIMEOUT: Duration = Duration::from_secs(1);
/// Successes in a row that bring a server back.
pub(super) const RISE: u32 = 2;
/// Failures in a row that take a server out.
pub(super) const FALL: u32 = 3;
/// Of an HTTP request.
pub(super) const METHOD: &str = "GET";
/// Of an HTTP request.
pub(super) const PATH: &str = "/";
/// Statuses that count as success.
pub(super) const STATUS: RangeInclusive<u16> = 200..=299;
/// The scheduler that fits most services: fewest connections, by weight.
pub(super) const SCHEDULER: &str = "wlc";
/// Of a real server.
pub(super) const WEIGHT: u32 = 1;
/// Of persistence, in seconds; the kernel's and `ipvsadm`'s default too.
pub(super) const PERSISTENCE_TIMEOUT_S: u32 = 300;
/// Where metrics are served: to this host only, until the policy says more.
pub(super) const METRICS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9752);
