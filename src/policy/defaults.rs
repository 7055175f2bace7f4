//! Every default of a policy, in one place. The doc comments of [`super::schema`] repeat them, which a test compares.

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
/// Each probe keeps its place in the cadence.
pub(super) const JITTER_PERCENT: u32 = 0;
/// Of an HTTP request.
pub(super) const METHOD: &str = "GET";
/// Of an HTTP request.
pub(super) const PATH: &str = "/";
/// Of an HTTP request that carries something.
pub(super) const METHOD_WITH_CONTENT: &str = "POST";
/// Of what an HTTP request carries.
pub(super) const CONTENT_TYPE: &str = "text/plain";
/// How long before its end a certificate is warned of: one that renews itself has done so by then, and a week is left to act.
pub(super) const EXPIRY_WARNING: Duration = Duration::from_secs(7 * 86_400);
/// Outcomes in a row that make the verdict of a file: what it says is meant.
pub(super) const FILE_IN_A_ROW: u32 = 1;
/// Statuses that count as success.
pub(super) const STATUS: RangeInclusive<u16> = 200..=299;
/// Bytes of data in an echo request, as `ping` sends them.
pub(super) const PING_SIZE: u16 = 56;
/// The scheduler that fits most services: fewest connections, by weight.
pub(super) const SCHEDULER: &str = "wlc";
/// Of a real server.
pub(super) const WEIGHT: u32 = 1;
/// Of persistence, in seconds; the kernel's and `ipvsadm`'s default too.
pub(super) const PERSISTENCE_TIMEOUT_S: u32 = 300;
/// From one question to a source of weights to the next.
pub(super) const WEIGHT_INTERVAL: Duration = Duration::from_secs(5);
/// Share of its weight that a server has when it comes back.
pub(super) const SLOW_START_FROM: u8 = 10;
/// Changes of weight in a slow start.
pub(super) const SLOW_START_STEPS: u32 = 6;
/// The same under `mh`, whose table is built anew by each.
pub(super) const SLOW_START_STEPS_MH: u32 = 2;
/// How much more of the servers ends a panic than began it, in percent of them.
pub(super) const PANIC_HYSTERESIS: u8 = 10;
/// Where metrics are served: to this host only, until the policy says more.
pub(super) const METRICS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9752);

/// Where the API is served, once the policy asks for it.
pub(super) const API_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9750);

/// Of advertisements of version 3.
pub(super) const INTERVAL_V3: Duration = Duration::from_millis(100);
/// Of advertisements of version 2, which counts whole seconds.
pub(super) const INTERVAL_V2: Duration = Duration::from_secs(1);
/// Of a hook at a takeover: the addresses wait for it.
pub(super) const HOOK_TIMEOUT: Duration = Duration::from_millis(500);
/// Of a hook of `on_event`, or of one attempt of a webhook or a mail.
pub(super) const EVENT_HOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// From an event to the mail that tells it and what came after it.
pub(super) const MAIL_COLLECT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AnnouncementPolicy, Drain, HttpSpec, KernelSettings, MailSecurity, PeerSettings, ProbeSettings,
        WeightFrom,
    };
    use crate::policy::scalar::duration_text;
    use crate::policy::size::size_text;

    /// What an editor shows for a key of a definition.
    #[track_caller]
    fn description(definition: &str, key: &str) -> String {
        let schema = crate::policy::json_schema();
        let found = schema.pointer(&format!("/$defs/{definition}/properties/{key}/description"));
        found.and_then(|text| text.as_str()).expect("a description").to_owned()
    }

    #[test]
    fn the_schema_says_every_default() {
        let duration =
            |duration: Duration| duration_text(u64::try_from(duration.as_millis()).expect("a short time"));
        let garp = AnnouncementPolicy::default();
        let said = [
            ("CheckText", "interval", duration(INTERVAL)),
            ("CheckText", "timeout", duration(TIMEOUT)),
            ("CheckText", "rise", RISE.to_string()),
            ("CheckText", "fall", FALL.to_string()),
            ("CheckText", "jitter", format!("{JITTER_PERCENT}%")),
            ("HttpText", "method", METHOD.to_owned()),
            ("HttpText", "path", format!("`{PATH}`")),
            ("HttpText", "content_type", CONTENT_TYPE.to_owned()),
            ("HttpText", "response_limit", size_text(HttpSpec::RESPONSE_LIMIT)),
            ("TlsText", "expiry_warning", duration(EXPIRY_WARNING)),
            ("HttpText", "status", format!("{}-{}", STATUS.start(), STATUS.end())),
            ("PingText", "size", PING_SIZE.to_string()),
            ("PoolText", "scheduler", SCHEDULER.to_owned()),
            ("ServerMapping", "weight", WEIGHT.to_string()),
            ("SlowStartText", "from", format!("{SLOW_START_FROM}%")),
            ("SlowStartText", "steps", format!("{SLOW_START_STEPS}; under `mh` {SLOW_START_STEPS_MH}")),
            ("PanicText", "recover", format!("{PANIC_HYSTERESIS}% more")),
            ("WeightFromText", "interval", duration(WEIGHT_INTERVAL)),
            ("WeightFromText", "timeout", duration(TIMEOUT)),
            ("WeightFromText", "valid_for", duration(WeightFrom::default().valid_for)),
            ("DrainText", "deadline", duration(Drain::default().deadline)),
            ("PersistenceText", "timeout", duration(Duration::from_secs(PERSISTENCE_TIMEOUT_S.into()))),
            ("ProbesText", "per_second", ProbeSettings::default().per_second.to_string()),
            ("KernelText", "expire_nodest_conn", KernelSettings::default().expire_nodest_conn.to_string()),
            ("MetricsText", "listen", METRICS_LISTEN.to_string()),
            ("ApiText", "listen", API_LISTEN.to_string()),
            (
                "VirtualRouterText",
                "advertisement_interval",
                format!("{} with version 3", duration(INTERVAL_V3)),
            ),
            ("HookText", "timeout", duration(HOOK_TIMEOUT)),
            ("EventHookText", "timeout", duration(EVENT_HOOK_TIMEOUT)),
            ("MailText", "collect", duration(MAIL_COLLECT)),
            ("MailText", "tls", MailSecurity::default().name().to_owned()),
            ("GarpText", "repeat", garp.repeat.to_string()),
            ("GarpText", "delay", duration(garp.delay)),
            ("GarpText", "lower_priority_repeat", garp.lower_priority_repeat.to_string()),
            ("GarpText", "refresh", duration(garp.refresh)),
            ("GarpText", "refresh_repeat", garp.refresh_repeat.to_string()),
            ("GarpText", "interval", duration(garp.interval)),
            ("PeerText", "port", PeerSettings::default().port.to_string()),
        ];
        for (definition, key, default) in said {
            let description = description(definition, key);
            assert!(
                description.contains(&format!("by default {default}")),
                "{definition}.{key}: {description}"
            );
        }
    }
}
