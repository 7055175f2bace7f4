//! Server and client together over a socket, with a test that plays the event loop; and the form of the status.

mod orders;
mod tcp;

use super::*;
use crate::director::chronicle::Book;
use crate::director::snapshot::{HeldDestination, PoolSnapshot, ServerSnapshot, ServiceSnapshot, Snapshot};
use crate::health::Reason;
use crate::model::{Connections, Counters, DestinationCounts, DestinationKey, Failure};
use crate::serving::Limits;
use crate::time::Instant;
use crate::vrrp::picture::{Counts, PeerPicture, Picture, RouterPicture};
use crate::vrrp::role::{Cause, Role};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

pub(super) const NOW: Instant = Instant::from_millis(60_000);
const EPOCH: Duration = Duration::from_secs(1_700_000_000);

fn router(name: &str, role: Role, cause: Cause) -> RouterPicture {
    let held = if role == Role::Master { 2 } else { 0 };
    RouterPicture {
        name: name.into(),
        role,
        since: Instant::from_millis(3_610),
        cause: Some(cause),
        priority: 150,
        released: false,
        released_until: None,
        contested_at: None,
        addresses_wanted: held,
        addresses_held: held,
        trackers: vec![("interface eth1".into(), true)],
        complaints: BTreeMap::new(),
        counts: Counts::default(),
    }
}

/// Master of `outside`, Backup of `inside`, with one other director.
pub(crate) fn picture() -> Picture {
    let source = "10.20.0.2".parse().expect("an address");
    let mut inside = router("inside", Role::Backup, Cause::HigherPriority { source, priority: 200 });
    inside.counts.last_master = Some(source);
    let lately = Instant::from_millis(59_000);
    inside.complaints = [("checksum", (source, lately)), ("ttl", (source, Instant::ZERO))].into();
    inside.counts.last_received = Some(Instant::from_millis(59_930));
    let last_heard = Some(Instant::from_millis(59_960));
    Picture {
        routers: vec![router("outside", Role::Master, Cause::Silence), inside],
        peers: vec![PeerPicture { name: "lb-b".into(), up: true, fit: true, last_heard }],
        bad_beats: BTreeMap::new(),
    }
}

fn server(up: bool) -> ServerSnapshot {
    ServerSnapshot {
        name: "web".into(),
        address: [192, 0, 2, 10].into(),
        port: Some(80),
        ordered: None,
        up,
        checked: true,
        in_rotation: up,
        configured_weight: 3,
        effective_weight: if up { 3 } else { 0 },
        last_change: None,
        last_check_duration: None,
        went_up: 0,
        went_down: 0,
        reason: None,
        last_failure: None,
        basis: Default::default(),
    }
}

fn failed() -> ServerSnapshot {
    let last = Failure::ConnectionRefused;
    ServerSnapshot {
        last_change: Some(Instant::from_millis(59_000)),
        reason: Some(Reason::Failed { failures: 3, last: last.clone().into() }),
        last_failure: Some(last.into()),
        ..server(false)
    }
}

fn service() -> ServiceSnapshot {
    let counters = Counters { connections: 40, incoming_bytes: 4_000, ..Counters::default() };
    let connections = Connections { active: 7, inactive: 2, persistent: 0 };
    let counts = DestinationCounts { counters, connections };
    let name = "tcp://192.0.2.1:80".into();
    let destinations = vec![HeldDestination { server: 0, key: DestinationKey::FIRST, weight: 3 }];
    ServiceSnapshot {
        name,
        key: crate::desired::fixtures::tcp("192.0.2.1", 80),
        counters: Some(counters),
        destinations: destinations.into(),
        counts: [(DestinationKey::FIRST, counts)].into_iter().collect(),
    }
}

pub(crate) fn snapshot() -> Snapshot {
    let web = PoolSnapshot {
        name: "web".into(),
        labels: Arc::default(),
        up: true,
        quorum: 1,
        panic: false,
        sorry: false,
        frozen: false,
        rule: Default::default(),
        acts: BTreeMap::new(),
        transitions: BTreeMap::new(),
        servers: vec![server(true).into(), failed().into()],
        services: vec![service()],
    };
    Snapshot { policy_generation: 1, readiness: Ok(()), pools: vec![web], ..Snapshot::starting(NOW, EPOCH) }
}

pub(crate) fn status() -> Status {
    Status::of(Some(&"lb-a".into()), &snapshot(), &picture())
}

/// The first server of [`snapshot`].
pub(crate) fn server_status() -> ServerStatus {
    ServerList::of(&snapshot(), &ServerQuery::default()).servers.remove(0).server
}

/// [`snapshot`], and no event.
pub(crate) fn windows() -> Windows {
    Windows { book: Book::default(), snapshot: Arc::new(ArcSwap::from_pointee(snapshot())) }
}

/// The form is a contract with scripts: a change here is a change for every user.
const CONTRACT: &str = r#"{
  "status_version": 1,
  "version": "VERSION",
  "director": "lb-a",
  "started_unix_ms": 1700000000000,
  "uptime_ms": 60000,
  "age_ms": 0,
  "policy_generation": 1,
  "ready": true,
  "awaits": null,
  "observing": false,
  "differences_total": 0,
  "differences": [],
  "safe_to_fail_over": {
    "yes": true,
    "because": "lb-b was heard 40 ms ago"
  },
  "routers": [
    {
      "name": "outside",
      "role": "master",
      "since_ms": 3610,
      "reason": "silence",
      "because": "no Master was heard for a down interval",
      "priority": 150,
      "released": false,
      "addresses_wanted": 2,
      "addresses_held": 2,
      "other_master": null,
      "trackers": [
        {
          "name": "interface eth1",
          "good": true
        }
      ],
      "complaints": []
    },
    {
      "name": "inside",
      "role": "backup",
      "since_ms": 3610,
      "reason": "higher_priority",
      "because": "10.20.0.2 is Master with priority 200",
      "priority": 150,
      "released": false,
      "addresses_wanted": 0,
      "addresses_held": 0,
      "other_master": {
        "address": "10.20.0.2",
        "heard_ms_ago": 70
      },
      "trackers": [
        {
          "name": "interface eth1",
          "good": true
        }
      ],
      "complaints": [
        {
          "kind": "checksum",
          "source": "10.20.0.2",
          "heard_ms_ago": 1000,
          "advice": null
        }
      ]
    }
  ],
  "addresses": [],
  "peers": [
    {
      "name": "lb-b",
      "up": true,
      "last_heard_ms_ago": 40,
      "channel": null
    }
  ],
  "pools": [
    {
      "name": "web",
      "up": true,
      "servers": 2,
      "servers_up": 1,
      "weight": 6,
      "weight_up": 3,
      "in_rotation": 1,
      "panic": false,
      "sorry": false,
      "frozen": false,
      "virtual_services": [
        {
          "name": "tcp://192.0.2.1:80",
          "in_kernel": true,
          "connections": 40,
          "incoming_bytes": 4000,
          "outgoing_bytes": 0
        }
      ],
      "real_servers": [
        {
          "name": "web",
          "address": "192.0.2.10:80",
          "up": true,
          "checked": true,
          "in_rotation": true,
          "decided_by": "verdict",
          "ordered": null,
          "weight_configured": 3,
          "weight_effective": 3,
          "weight_in_kernel": 3,
          "active_connections": 7,
          "inactive_connections": 2,
          "left_with": null,
          "connections": 40,
          "incoming_bytes": 4000,
          "outgoing_bytes": 0,
          "reason": null,
          "last_failure": null,
          "last_change_ms": null
        },
        {
          "name": "web",
          "address": "192.0.2.10:80",
          "up": false,
          "checked": true,
          "in_rotation": false,
          "decided_by": "verdict",
          "ordered": null,
          "weight_configured": 3,
          "weight_effective": 0,
          "weight_in_kernel": null,
          "active_connections": 0,
          "inactive_connections": 0,
          "left_with": null,
          "connections": 0,
          "incoming_bytes": 0,
          "outgoing_bytes": 0,
          "reason": "failed its check 3 times in a row, the last: connection refused",
          "last_failure": "connection refused",
          "last_change_ms": 59000
        }
      ]
    }
  ],
  "overrides": []
}"#;

#[test]
fn the_status_is_the_json_of_the_contract() {
    let text = serde_json::to_string_pretty(&status()).expect("JSON");
    assert_eq!(text, CONTRACT.replace("VERSION", env!("CARGO_PKG_VERSION")));
    assert_eq!(serde_json::from_str::<Status>(&text).expect("it is read back"), status());
}

/// A later director of this version says more; this client reads what it knows.
#[test]
fn a_status_with_further_fields_is_understood() {
    let mut value = serde_json::to_value(status()).expect("JSON");
    value["weather"] = serde_json::json!([]);
    assert_eq!(serde_json::from_value::<Status>(value).expect("understood"), status());
}

struct Served {
    control: Control,
    client: Client,
    path: PathBuf,
    _place: TempDir,
}

fn served() -> Served {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("tandem.sock");
    let socket = Socket::bind(&path).expect("a socket");
    let started = tokio::time::Instant::now() - Duration::from_secs(61);
    let limits = Limits { header: Duration::from_millis(300), connection: Duration::from_secs(5) };
    let control = Control::serve_within(Some(socket), status(), started, windows(), limits);
    Served { control, client: Client::new(&path), path, _place: place }
}

impl Served {
    /// Plays the event loop for one request.
    async fn answer_one(&mut self) -> ElectionAction {
        let Request { action, caller, answer, .. } = self.control.requests.recv().await.expect("a request");
        assert_eq!(caller.uid, Some(nix::unistd::Uid::current().as_raw()));
        assert!(caller.pid.is_some_and(|pid| u32::try_from(pid) == Ok(std::process::id())));
        let Action::Election(action) = action else { panic!("{action}") };
        answer.send(judge(&action, &picture())).expect("the server waits");
        action
    }

    /// Everything that comes back for the bytes of `request`.
    async fn raw(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(&self.path).await.expect("it listens");
        // A server that has read enough answers, closes, and leaves the rest: the end is then an error.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).expect("text")
    }

    async fn post(&self, path: &str, body: &str) -> String {
        let length = body.len();
        self.raw(&format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")).await
    }
}

#[tokio::test]
async fn the_status_is_what_was_published_last_with_its_age() {
    let served = served();
    let first = served.client.status().await.expect("a status");
    assert!((1_000..5_000).contains(&first.age_ms), "{}", first.age_ms);
    assert_eq!(Status { age_ms: 0, ..first }, status());
    served.control.publish(Status { ready: false, ..status() });
    assert!(!served.client.status().await.expect("a status").ready);
}

#[tokio::test]
async fn an_action_reaches_the_event_loop_and_its_answer_the_caller() {
    let mut served = served();
    let client = served.client.clone();
    let body = ReleaseBody { router: Some("outside".to_owned()), for_ms: Some(600_000) };
    let (answer, action) = tokio::join!(client.release(&body), served.answer_one());
    assert_eq!(answer.expect("released").routers, ["outside"]);
    let for_time = Some(Duration::from_secs(600));
    assert_eq!(action, ElectionAction::Release { router: Some("outside".into()), for_time });
    let body = ClearBody::default();
    let (answer, action) = tokio::join!(client.clear(&body), served.answer_one());
    assert_eq!(answer.expect("cleared").routers, ["inside", "outside"]);
    assert_eq!(action, ElectionAction::Clear { router: None });
}

#[tokio::test]
async fn an_unknown_router_is_refused_with_a_sentence_and_404() {
    let mut served = served();
    let client = served.client.clone();
    let body = ReleaseBody { router: Some("outsid".to_owned()), for_ms: None };
    let (answer, _) = tokio::join!(client.release(&body), served.answer_one());
    let Err(ClientError::Refused(refused)) = answer else { panic!("{answer:?}") };
    assert_eq!(refused.code, RefusalCode::UnknownRouter);
    assert!(refused.message.contains("did you mean outside?"), "{refused}");
}

#[tokio::test]
async fn wrong_requests_are_refused_as_json_and_reach_nobody() {
    let mut served = served();
    let long = format!(r#"{{"router": "{}"}}"#, "x".repeat(64 * 1024));
    for (path, body, status, code) in [
        ("/v1/release", long.as_str(), "413", "too_large"),
        ("/v1/release", r#"{"for": "10m"}"#, "400", "bad_request"),
        ("/v1/release", r#"{"for_ms": 5}"#, "400", "bad_request"),
        ("/v1/clear", "outside", "400", "bad_request"),
        ("/v1/status", "", "405", "method_not_allowed"),
        ("/v2/status", "", "404", "not_found"),
    ] {
        let answer = served.post(path, body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let error: ErrorBody = serde_json::from_str(body).unwrap_or_else(|_| panic!("{path}: {body}"));
        assert_eq!(serde_json::to_value(error.error.code).expect("a word"), code);
    }
    assert!(served.control.requests.try_recv().is_err());
}

#[tokio::test]
async fn a_slow_caller_is_cut_off_and_others_are_served() {
    let served = served();
    let mut slow = UnixStream::connect(&served.path).await.expect("it listens");
    slow.write_all(b"POST /v1/rel").await.expect("it reads");
    assert!(served.client.status().await.is_ok());
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(3), slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the header's time is over");
}

#[tokio::test]
async fn a_loop_that_stands_still_is_told_and_one_that_is_gone_too() {
    let mut served = served();
    let client = served.client.clone();
    let begin = tokio::time::Instant::now();
    let body = ClearBody::default();
    let (late, _kept) = tokio::join!(client.clear(&body), served.control.requests.recv());
    let Err(ClientError::Refused(refused)) = late else { panic!("{late:?}") };
    assert_eq!(refused.code, RefusalCode::TimedOut);
    assert!(begin.elapsed() >= Duration::from_secs(2));
    let requests = async { drop(served.control.requests.recv().await) };
    let (dropped, ()) = tokio::join!(client.clear(&body), requests);
    let Err(ClientError::Refused(refused)) = dropped else { panic!("{dropped:?}") };
    assert_eq!(refused.code, RefusalCode::Unavailable);
}

#[tokio::test]
async fn more_requests_than_may_wait_are_refused_at_once() {
    let served = served();
    let body = ClearBody::default();
    let asked = (0..=MOST_WAITING).map(|_| served.client.clear(&body));
    let answers = futures_util::future::join_all(asked).await;
    let busy = |answer: &Result<Answer, ClientError>| matches!(answer, Err(ClientError::Refused(refused)) if refused.code == RefusalCode::Unavailable);
    assert_eq!(answers.iter().filter(|answer| busy(answer)).count(), 1);
}

#[tokio::test]
async fn without_a_director_the_client_says_so() {
    let Served { control, client, .. } = served();
    drop(control);
    let error = client.status().await.expect_err("nobody");
    assert!(matches!(error, ClientError::NoDirector { .. }), "{error}");
    assert!(error.to_string().contains("there is no such socket"), "{error}");
}

#[tokio::test]
async fn a_socket_that_is_given_up_is_listened_to_no_more() {
    let served = served();
    let other_name = served.path.with_extension("other");
    std::fs::hard_link(&served.path, &other_name).expect("a second name");
    assert!(UnixStream::connect(&other_name).await.is_ok());
    drop(served.control);
    let refused = async {
        while UnixStream::connect(&other_name).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(1), refused).await.is_ok(), "it still listens");
}

#[tokio::test]
async fn a_director_that_does_not_answer_is_none() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("tandem.sock");
    let _silent = Socket::bind(&path).expect("a socket that nobody serves");
    let client = Client::new(&path).within(Duration::from_millis(100));
    let error = client.status().await.expect_err("silence");
    assert!(error.to_string().contains("no answer within 100 ms"), "{error}");
}

#[tokio::test]
async fn without_a_socket_no_request_comes_and_none_is_missed() {
    let mut control = Control::serve(None, status(), tokio::time::Instant::now(), windows());
    let nothing = tokio::time::timeout(Duration::from_millis(50), control.requests.recv()).await;
    assert!(nothing.is_err(), "a closed queue would wake the event loop for ever");
}
