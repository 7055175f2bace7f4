//! Metrics against a snapshot with one of everything, and the listener over real connections.

use super::{Format, Listener, View, render};
use crate::director::snapshot::*;
use crate::model::{
    Connections, Counters, DestinationCounts, DestinationKey, Failure, Order, Outcome, Override,
    OverrideKind, OverrideTarget, Protocol, ServiceKey, SyncDaemonRole, TrackingCounts,
};
use crate::reconcile::Table;
use crate::serving::{BURST, MOST_OF_ONE, Served, Visitors};
use crate::time::Instant;
use arc_swap::ArcSwap;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

mod names;

const EPOCH: Duration = Duration::from_secs(1_700_000_000);

fn server(name: &str) -> ServerSnapshot {
    ServerSnapshot {
        name: name.into(),
        address: [192, 0, 2, 10].into(),
        port: Some(80),
        ordered: None,
        up: true,
        checked: true,
        in_rotation: true,
        configured_weight: 2,
        effective_weight: 2,
        last_change: Some(Instant::from_millis(2_500)),
        last_check_duration: Some(Duration::from_micros(1_500)),
        went_up: 3,
        went_down: 2,
        reason: Some(crate::health::Reason::Passed { successes: 2 }),
        last_failure: None,
        basis: Default::default(),
    }
}

const PLACE: DestinationKey =
    DestinationKey { address: IpAddr::V4(Ipv4Addr::new(192, 168, 101, 110)), port: 8080 };

fn destination(server: usize) -> HeldDestination {
    HeldDestination { server, key: PLACE, weight: 2 }
}

fn counted(key: DestinationKey) -> (DestinationKey, DestinationCounts) {
    let counters =
        Counters { connections: 7, incoming_packets: 70, incoming_bytes: 7_000, ..Counters::default() };
    let connections = Connections { active: 5, inactive: 1, persistent: 0 };
    (key, DestinationCounts { counters, connections })
}

fn pool(name: &str, servers: Vec<ServerSnapshot>) -> PoolSnapshot {
    let counters = Counters { connections: u64::MAX, ..Counters::default() };
    PoolSnapshot {
        name: name.into(),
        labels: Arc::default(),
        up: true,
        quorum: 1,
        panic: false,
        sorry: false,
        frozen: false,
        rule: Default::default(),
        acts: BTreeMap::from([(("panic", true), 4)]),
        transitions: BTreeMap::from([((Direction::Down, "timeout"), 1), ((Direction::Up, "passed"), 2)]),
        services: vec![ServiceSnapshot {
            name: "tcp://192.168.101.100:80".into(),
            key: ServiceKey::Address {
                protocol: Protocol::Tcp,
                address: [192, 168, 101, 100].into(),
                port: 80,
            },
            counters: Some(counters),
            destinations: (0..servers.len()).map(destination).collect(),
            counts: [counted(PLACE)].into_iter().collect(),
        }],
        servers: servers.into_iter().map(Arc::new).collect(),
    }
}

/// One of everything: a server that is down and in no table, a label to clean, a name to escape.
fn snapshot() -> Snapshot {
    let down = ServerSnapshot {
        up: false,
        in_rotation: false,
        effective_weight: 0,
        last_change: None,
        last_check_duration: None,
        ..server("a \"quoted\" \\ name")
    };
    let mut web = pool("web", vec![server("web1"), down]);
    let held = &mut web.services[0].destinations;
    *held = held[..held.len() - 1].into();
    let labels = [("team", "shop"), ("cost-centre", "7"), ("cost.centre", "8")];
    web.labels = Arc::new(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let mut alive = CheckStatistics::default();
    alive.record(&Outcome::new(Duration::from_millis(2), Ok(())), Duration::ZERO);
    let timed_out = Err(Failure::ConnectionRefused);
    alive.record(&Outcome::new(Duration::from_secs(60), timed_out), Duration::from_secs(3));
    let mut reconcile = ReconcileSnapshot {
        succeeded: 4,
        failed: 1,
        changes: BTreeMap::from([("add_service", 1), ("add_destination", 2)]),
        last_success: Some(Instant::from_millis(9_000)),
        ..ReconcileSnapshot::default()
    };
    reconcile.duration.record(Duration::from_millis(3));
    Snapshot {
        policy_generation: 1,
        reloads: ReloadCounts { taken: 2, taken_at: Some(Instant::ZERO), ..Default::default() },
        readiness: Ok(()),
        pools: vec![web],
        checks: vec![CheckSnapshot { name: "alive".into(), statistics: alive }],
        certificates: [("web1", 1_800_000_000), ("web2", 1_900_000_000)]
            .map(|(server, expires)| CertificateSnapshot {
                check: "pay".into(),
                server: server.into(),
                expires: Duration::from_secs(expires),
            })
            .into(),
        reconcile,
        connection_sync: Some(ConnectionSyncSnapshot {
            roles: [SyncDaemonRole::Master, SyncDaemonRole::Backup].into(),
            entries: Some(12),
        }),
        overrides: vec![Override {
            kind: OverrideKind::Server(Order::Drain),
            target: OverrideTarget::Server { server: "web1".into(), pool: None },
            by: "alice".to_owned(),
            reason: None,
            director: None,
            set_unix_ms: 1_700_000_001_500,
            until_unix_ms: None,
        }],
        drift: BTreeMap::from([(Table::Destinations, 3)]),
        pair: None,
        tracking: TrackingCounts {
            entries: Some(1_200),
            limit: Some(262_144),
            insert_failed: Some(3),
            ports_used: [([10, 20, 0, 20].into(), 41)].into(),
        },
        silences: [("pools", 1)].into(),
        panics: [("kernel".to_owned(), 0)].into(),
        ..Snapshot::starting(Instant::from_millis(9_500), EPOCH)
    }
}

fn text(snapshot: Snapshot) -> String {
    render(&Arc::new(snapshot), Format::Text).expect("a string takes everything")
}

/// Names of the families.
fn families(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn the_exposition_says_what_the_snapshot_says() {
    let text = text(snapshot());
    let lines: BTreeSet<_> = text.lines().collect();
    let escaped = r#"pool="web",server="a \"quoted\" \\ name""#;
    for line in [
        concat!("tandem_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "tandem_policy_generation 1",
        "# TYPE tandem_build_info gauge",
        "# TYPE tandem_server_transitions_total counter",
        r#"tandem_pool_up{pool="web"} 1"#,
        r#"tandem_pool_frozen{pool="web"} 0"#,
        r#"tandem_override_active{pool="*",server="web1",kind="drain"} 1"#,
        r#"tandem_override_set_timestamp_seconds{pool="*",server="web1",kind="drain"} 1700000001.5"#,
        r#"tandem_tls_not_after_timestamp_seconds{check="pay",server="web1"} 1800000000"#,
        r#"tandem_pool_servers{pool="web"} 2"#,
        r#"tandem_pool_servers_up{pool="web"} 1"#,
        r#"tandem_pool_weight{pool="web"} 4"#,
        r#"tandem_pool_weight_up{pool="web"} 2"#,
        r#"tandem_pool_transitions_total{pool="web",to="down",reason="timeout"} 1"#,
        r#"tandem_pool_labels{pool="web",label_cost_centre="7",label_team="shop"} 1"#,
        r#"tandem_server_up{pool="web",server="web1"} 1"#,
        &format!("tandem_server_up{{{escaped}}} 0"),
        r#"tandem_server_transitions_total{pool="web",server="web1",to="up"} 3"#,
        r#"tandem_server_last_change_timestamp_seconds{pool="web",server="web1"} 1700000002.5"#,
        r#"tandem_server_check_duration_seconds{pool="web",server="web1"} 0.0015"#,
        r#"tandem_check_runs_total{check="alive",result="connection_refused"} 1"#,
        r#"tandem_check_duration_seconds_bucket{le="0.0025",check="alive"} 1"#,
        r#"tandem_check_duration_seconds_bucket{le="10.0",check="alive"} 1"#,
        r#"tandem_check_duration_seconds_bucket{le="+Inf",check="alive"} 2"#,
        r#"tandem_check_duration_seconds_sum{check="alive"} 60.002"#,
        r#"tandem_probe_lateness_seconds_count{check="alive"} 2"#,
        r#"tandem_ipvs_service_connections_total{pool="web",service="tcp://192.168.101.100:80"} 18446744073709551615"#,
        r#"tandem_ipvs_active_connections{pool="web",service="tcp://192.168.101.100:80",server="web1"} 5"#,
        r#"tandem_ipvs_incoming_bytes_total{pool="web",service="tcp://192.168.101.100:80",server="web1"} 7000"#,
        r#"tandem_reconcile_total{result="failure"} 1"#,
        r#"tandem_reconcile_changes_total{kind="add_destination"} 2"#,
        "tandem_reconcile_duration_seconds_count 1",
        "tandem_reconcile_last_success_timestamp_seconds 1700000009.0",
        "tandem_connection_sync_role 3",
        "tandem_connection_sync_entries 12",
        "tandem_reconcile_pending_changes 0",
        r#"tandem_drift_total{table="destinations"} 3"#,
        r#"tandem_drift_total{table="nftables"} 0"#,
        "tandem_policy_unconfirmed 0",
        "tandem_ready 1",
        "tandem_start_timestamp_seconds 1700000000.0",
        "tandem_snapshot_timestamp_seconds 1700000009.5",
        r#"tandem_watchdog_total{loop="pools"} 1"#,
        "tandem_conntrack_entries 1200",
        "tandem_conntrack_limit 262144",
        "tandem_conntrack_insert_failed_total 3",
        r#"tandem_full_nat_ports_used{local_address="10.20.0.20"} 41"#,
    ] {
        assert!(lines.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(&format!("tandem_ipvs_weight{{{escaped}")), "it is not in the table");
    assert!(!text.contains("# EOF"), "that is OpenMetrics");
}

/// Help and type before the samples, each family in one piece, no line twice: what `promtool` and scrapers insist on.
#[test]
fn each_family_is_whole_and_has_help_and_type() {
    let text = text(snapshot());
    let mut seen = BTreeSet::new();
    let mut current = "";
    for line in text.lines() {
        assert!(seen.insert(line), "twice: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            current = rest.split(' ').next().expect("a name");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert_eq!(rest.split(' ').next(), Some(current), "help and type belong together");
        } else {
            let name = line.split(['{', ' ']).next().expect("a name");
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            assert!(name == current || base == Some(current), "{line} in the family {current}");
        }
    }
}

/// The names are a contract with dashboards and alerts: a change here is a change for every user.
#[test]
fn the_families_are_those_of_the_contract() {
    let mut contract: BTreeSet<String> = [
        "build_info policy_generation policy_reload_total policy_last_reload_successful",
        "policy_last_reload_timestamp_seconds policy_file_differs policy_unconfirmed hook_total",
        "ready start_timestamp_seconds snapshot_timestamp_seconds watchdog_total panics_total",
        "conntrack_entries conntrack_limit conntrack_insert_failed_total full_nat_ports_used",
        "pool_servers pool_servers_up pool_weight pool_weight_up pool_up pool_quorum pool_panic pool_sorry",
        "pool_acts_total pool_transitions_total pool_labels pool_frozen",
        "override_active override_set_timestamp_seconds",
        "server_up server_checked server_in_rotation server_weight_configured server_weight_effective",
        "server_transitions_total server_last_change_timestamp_seconds server_check_duration_seconds",
        "check_runs_total check_duration_seconds probe_lateness_seconds tls_not_after_timestamp_seconds",
        "ipvs_active_connections ipvs_inactive_connections ipvs_weight",
        "connection_sync_role connection_sync_entries",
        "reconcile_total reconcile_changes_total reconcile_duration_seconds drift_total",
        "reconcile_last_success_timestamp_seconds reconcile_pending_changes",
    ]
    .iter()
    .flat_map(|line| line.split(' ').map(|name| format!("tandem_{name}")))
    .collect();
    for what in ["connections", "incoming_packets", "outgoing_packets", "incoming_bytes", "outgoing_bytes"] {
        contract.extend([format!("tandem_ipvs_{what}_total"), format!("tandem_ipvs_service_{what}_total")]);
    }
    let text = text(snapshot());
    assert_eq!(families(&text), contract.iter().map(String::as_str).collect());
}

#[test]
fn without_per_server_no_family_has_a_server_label() {
    let all = text(snapshot());
    let few = text(Snapshot { per_server: false, ..snapshot() });
    // Overrides are few, and by what an operator named.
    let mut lines =
        few.lines().filter(|line| !line.starts_with('#') && !line.starts_with("tandem_override_"));
    let by_server = lines.find(|line| line.contains("server="));
    assert_eq!(by_server, None);
    let soonest = r#"tandem_tls_not_after_timestamp_seconds{check="pay"} 1800000000"#;
    assert!(few.contains(soonest), "of a check, the certificate that expires first: {few}");
    let gone: BTreeSet<_> = families(&all).difference(&families(&few)).copied().collect();
    assert!(gone.iter().all(|name| name.starts_with("tandem_server_") || name.starts_with("tandem_ipvs_")));
    assert_eq!(gone.len(), 16);
}

#[test]
fn an_empty_director_has_an_exposition_too() {
    let text = text(Snapshot::starting(Instant::ZERO, EPOCH));
    assert!(families(&text).contains("tandem_reconcile_total"), "{text}");
    assert!(!families(&text).contains("tandem_pool_up"), "a family without a sample is left out");
}

#[test]
fn open_metrics_names_families_without_suffix_and_ends_with_eof() {
    let text = render(&Arc::new(snapshot()), Format::OpenMetrics).expect("a string takes everything");
    assert!(text.contains("# TYPE tandem_server_transitions counter\n"));
    assert!(text.contains("# TYPE tandem_build info\n"));
    assert!(text.ends_with("# EOF\n"));
}

/// A listener that is served as long as this is there.
struct Listening {
    address: SocketAddr,
    _served: (Served, Visitors),
}

async fn listening(snapshot: Snapshot) -> Listening {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let address = listener.local_address().expect("it is bound");
    let snapshot = Arc::new(ArcSwap::from_pointee(snapshot));
    let started = tokio::time::Instant::now() - Duration::from_secs(60);
    let visitors = Visitors::start().expect("a thread");
    let served = listener.serve(View { snapshot, started }, &visitors);
    Listening { address, _served: (served, visitors) }
}

/// Everything that comes back for `request`.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers and closes");
    answer
}

async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let answer = ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.lines().next().expect("a status").to_owned(), body.to_owned())
}

fn taken_at(seconds: u64) -> Snapshot {
    Snapshot { taken_at: Instant::from_millis(seconds * 1_000), ..snapshot() }
}

#[tokio::test]
async fn metrics_come_in_the_form_that_was_asked_for() {
    let Listening { address, _served } = listening(snapshot()).await;
    let plain = ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(plain.contains("content-type: text/plain; version=0.0.4"), "{plain}");
    assert!(plain.contains("tandem_build_info"));
    let accept = "Accept: application/openmetrics-text;version=1.0.0\r\n";
    let open = ask(address, &format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{accept}\r\n")).await;
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0"), "{open}");
    assert!(open.ends_with("# EOF\n"));
    let head = ask(address, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let Listening { address, _served } = listening(snapshot()).await;
    assert_eq!(get(address, "/").await.0, "HTTP/1.1 404 Not Found");
    assert_eq!(get(address, "/metrics/x").await.0, "HTTP/1.1 404 Not Found");
    let post = ask(address, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
}

#[tokio::test]
async fn health_is_the_age_of_the_snapshot_and_readiness_has_a_reason() {
    let fresh = listening(taken_at(59)).await;
    assert_eq!(get(fresh.address, "/healthz").await, ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    assert_eq!(get(fresh.address, "/readyz").await, ("HTTP/1.1 200 OK".to_owned(), "ready\n".to_owned()));
    let readiness = Err("pool web: no server has a verdict yet".to_owned());
    let stale = listening(Snapshot { readiness, ..taken_at(20) }).await;
    let (status, text) = get(stale.address, "/healthz").await;
    assert!(status.contains("503") && text.contains("no progress for 40 s"), "{status} {text}");
    let (status, text) = get(stale.address, "/readyz").await;
    assert!(status.contains("503") && text == "not ready: pool web: no server has a verdict yet\n", "{text}");
}

#[tokio::test]
async fn a_taken_port_is_one_sentence_that_says_what_to_do() {
    let first = Listener::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let address = first.local_address().expect("it is bound");
    let sentence = Listener::bind(address).await.expect_err("it is taken").to_string();
    assert!(
        sentence.contains(&address.to_string()) && sentence.contains("another program holds"),
        "{sentence}"
    );
    let foreign = Listener::bind("192.0.2.9:9752".parse().expect("an address")).await;
    assert!(foreign.expect_err("not ours").to_string().contains("not an address of this host"));
}

#[tokio::test]
async fn what_is_too_large_is_cut_off_and_others_are_served() {
    let Listening { address, _served } = listening(snapshot()).await;
    let mut slow = TcpStream::connect(address).await.expect("it listens");
    slow.write_all(b"GET /metrics HTT").await.expect("it reads");
    let huge = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let _ = stream.write_all(huge.as_bytes()).await;
    let mut answer = [0; 12];
    if stream.read_exact(&mut answer).await.is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 431");
    }
    assert_eq!(get(address, "/readyz").await.1, "ready\n");
}

/// As another caller: each address of loopback is one.
async fn connect_from(number: u8, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, number], 0).into()).expect("it is ours");
    socket.connect(address).await.expect("it listens")
}

/// They take all places that their address has, and nobody else's.
#[tokio::test]
async fn slow_callers_keep_no_other_address_out() {
    let Listening { address, _served } = listening(snapshot()).await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = connect_from(2, address).await;
        let _ = stream.write_all(b"GET /metrics HT").await;
        slow.push(stream);
    }
    let begun = tokio::time::Instant::now();
    assert!(get(address, "/metrics").await.1.contains("tandem_build_info"));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let mut open = 0;
    for stream in &mut slow {
        let silent = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut [0])).await.is_err();
        open += usize::from(silent);
    }
    assert!((1..=MOST_OF_ONE).contains(&open), "{open} are open");
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let Listening { address, _served } = listening(snapshot()).await;
    let mut refused = 0;
    for _ in 0..BURST * 3 {
        let mut stream = connect_from(2, address).await;
        let _ = stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        refused += u32::from(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: 1\r\n"));
    }
    assert!(refused > 0, "it is answered without end");
    assert_eq!(get(address, "/readyz").await.1, "ready\n", "another address is another caller");
}

#[tokio::test]
async fn each_set_of_names_is_served_and_an_unknown_one_is_refused_in_a_sentence() {
    let Listening { address, _served } = listening(snapshot()).await;
    for (query, family) in
        [("keepalived", "keepalived_up 1\n"), ("node_exporter", "node_ipvs_connections_total ")]
    {
        // Twice: what is kept for one set is no answer for another.
        for _ in 0..2 {
            let (status, text) = get(address, &format!("/metrics?names={query}")).await;
            assert!(status.contains("200") && text.contains(family) && !text.contains("tandem_"), "{text}");
        }
        assert!(get(address, "/metrics").await.1.contains("tandem_build_info"));
    }
    let (status, sentence) = get(address, "/metrics?names=haproxy").await;
    assert_eq!(status, "HTTP/1.1 400 Bad Request");
    assert!(sentence.starts_with("`haproxy` is no set of names: "), "{sentence}");
}
