//! The director's own word for how late its probes start: the histogram `tandem_probe_lateness_seconds`.

use crate::world::namespace::Namespace;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const METRICS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9752);
const BUCKET: &str = "tandem_probe_lateness_seconds_bucket{";

/// Probes that were at most so late, in seconds, since the start; the last is all of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lateness(Vec<(f64, u64)>);

impl Lateness {
    pub(crate) fn read(namespace: &Namespace) -> Self {
        let text = namespace.fetch(METRICS, "/metrics").expect("metrics");
        let buckets: Vec<_> = text.lines().filter_map(bucket).collect();
        assert!(!buckets.is_empty(), "no lateness among the metrics:\n{text}");
        Self(buckets)
    }

    /// The share of the probes since `earlier` that were at most so late.
    pub(crate) fn within(&self, earlier: &Self, limit: Duration) -> f64 {
        let since = self.since(earlier);
        let all = since.last().map_or(0, |(_, count)| *count);
        let within = since.iter().rev().find(|(end, _)| *end <= limit.as_secs_f64());
        within.map_or(0, |(_, count)| *count) as f64 / all.max(1) as f64
    }

    /// `98.10 % within 1 ms, …`, as far as it changes anything.
    pub(crate) fn words(&self, earlier: &Self) -> String {
        let since = self.since(earlier);
        let all = since.last().map_or(0, |(_, count)| *count).max(1) as f64;
        let ends = since.iter().filter(|(end, count)| end.is_finite() && *count > 0);
        let mut words: Vec<String> = Vec::new();
        for (end, count) in ends {
            words.push(format!("{:.2} % within {:.0} ms", *count as f64 * 100.0 / all, end * 1000.0));
            if *count as f64 >= all {
                break;
            }
        }
        words.join(", ")
    }

    fn since(&self, earlier: &Self) -> Vec<(f64, u64)> {
        let pairs = self.0.iter().zip(&earlier.0);
        pairs.map(|((end, count), (_, before))| (*end, count - before)).collect()
    }
}

/// `…_bucket{le="0.05",check="alive"} 17`.
fn bucket(line: &str) -> Option<(f64, u64)> {
    let (labels, count) = line.strip_prefix(BUCKET)?.rsplit_once("} ")?;
    let (end, _) = labels.split_once("le=\"")?.1.split_once('"')?;
    let end = if end == "+Inf" { f64::INFINITY } else { end.parse().ok()? };
    Some((end, count.trim().parse().ok()?))
}
