//! Hooks with real programs and a real server: in order, awaited, bounded.

use super::*;
use crate::director::chronicle::{Draft, Stamp};
use crate::model::{EventKind, HookUrl, MailSecurity, MailSettings, Secret};
use crate::serving::{self, Visitors};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use delivery::MOST_WAITING;
use hyper_util::service::TowerToHyperService;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use tempfile::TempDir;

/// Longer than anything takes here, on a loaded machine.
const LONG: Duration = Duration::from_secs(30);

struct World {
    book: Book,
    tally: Arc<Tally>,
    place: TempDir,
}

impl World {
    fn new() -> Self {
        Self { book: Book::default(), tally: Arc::default(), place: tempfile::tempdir().expect("a folder") }
    }

    fn start(&self, hooks: &[EventHook]) -> Hooks {
        Hooks::start(self.book.clone(), Arc::clone(&self.tally), prepare(hooks).expect("hooks"))
    }

    fn happens(&self, kind: EventKind, message: &str) {
        let stamp = Stamp { unix_ms: 7, at_ms: 7, director: Some("lb-a".to_owned()) };
        self.book.write(Draft::new(kind, "why", message), stamp);
    }

    fn path(&self, name: &str) -> String {
        self.place.path().join(name).display().to_string()
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.place.path().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn until_lines(&self, name: &str, number: usize) -> Vec<String> {
        until(|| self.lines(name).len() >= number).await;
        self.lines(name)
    }
}

async fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !what() {
        assert!(Instant::now() < deadline, "it does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn shell(script: &str, timeout: Duration) -> EventHook {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    EventHook { act: HookAct::Exec { command, user: None }, timeout, filter: EventFilter::default() }
}

#[tokio::test]
async fn a_program_gets_one_event_after_the_other_in_order() {
    let world = World::new();
    let (log, json) = (world.path("log"), world.path("json"));
    // The first takes longest: only one that is awaited is first.
    let script = format!(
        "[ $TANDEM_EVENT_MESSAGE = 1 ] && sleep 0.3; echo \"$TANDEM_STATE $TANDEM_EVENT_MESSAGE $TANDEM_DIRECTOR\" >> {log}; \
         cat >> {json}; echo >> {json}"
    );
    let _hooks = world.start(&[shell(&script, LONG)]);
    let kinds = [EventKind::RouterMaster, EventKind::RouterBackup, EventKind::RouterFault];
    for (number, kind) in kinds.into_iter().enumerate() {
        world.happens(kind, &(number + 1).to_string());
    }
    assert_eq!(world.until_lines("log", 3).await, ["MASTER 1 lb-a", "BACKUP 2 lb-a", "FAULT 3 lb-a"]);
    let told = world.until_lines("json", 3).await;
    let first: serde_json::Value = serde_json::from_str(&told[0]).expect("JSON");
    assert_eq!(
        (&first["kind"], &first["reason"], &first["lost"]),
        (&"router_master".into(), &"why".into(), &0.into())
    );
    until(|| world.tally.counts().delivered == 3).await;
}

#[tokio::test]
async fn a_filter_keeps_what_is_not_asked_for() {
    let world = World::new();
    let log = world.path("log");
    let hook = EventHook {
        filter: EventFilter { kinds: [EventKind::PoolDown].into(), ..EventFilter::default() },
        ..shell(&format!("echo $TANDEM_EVENT_MESSAGE >> {log}"), LONG)
    };
    let _hooks = world.start(&[hook]);
    world.happens(EventKind::PoolUp, "up");
    world.happens(EventKind::PoolDown, "down");
    assert_eq!(world.until_lines("log", 1).await, ["down"]);
}

/// Whether a process has `marker` in its command line.
fn runs(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(marker))
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_killed_with_all_it_started_and_the_next_is_told() {
    let world = World::new();
    let log = world.path("log");
    let marker = format!("4{}", std::process::id());
    let script = format!(
        "[ $TANDEM_EVENT_MESSAGE = slow ] && {{ sleep {marker} & sleep {marker}; }}; echo $TANDEM_EVENTS_LOST >> {log}"
    );
    let _hooks = world.start(&[shell(&script, Duration::from_millis(1_000))]);
    world.happens(EventKind::PoolDown, "slow");
    until(|| runs(&marker)).await;
    world.happens(EventKind::PoolUp, "quick");
    assert_eq!(world.until_lines("log", 1).await, ["1"]);
    until(|| !runs(&marker)).await;
    // It is counted once its end was seen, a moment after it has written.
    until(|| world.tally.counts() == HookCounts { delivered: 1, failed: 1, lost: 0 }).await;
}

#[tokio::test]
async fn what_comes_too_fast_is_counted_and_told_with_the_next() {
    let world = World::new();
    let (log, gate) = (world.path("log"), world.path("gate"));
    let script = format!(
        "while [ ! -e {gate} ]; do sleep 0.02; done; echo \"$TANDEM_EVENT_ID $TANDEM_EVENTS_LOST\" >> {log}"
    );
    let hook = EventHook {
        filter: EventFilter { kinds: [EventKind::PoolDown].into(), ..EventFilter::default() },
        ..shell(&script, LONG)
    };
    let _hooks = world.start(&[hook]);
    world.happens(EventKind::PoolDown, "first");
    until(|| runs(&gate)).await;
    for _ in 0..100 {
        world.happens(EventKind::PoolDown, "too many");
    }
    for _ in 0..MOST_WAITING - 2 {
        world.happens(EventKind::PoolUp, "nothing for this hook");
    }
    world.happens(EventKind::PoolDown, "last");
    fs::write(&gate, "").expect("opened");
    let last = 100 + MOST_WAITING;
    // The hundredth of them is just within the bound.
    let expected = ["1 0".to_owned(), "101 99".to_owned(), format!("{last} 0")];
    assert_eq!(world.until_lines("log", 3).await, expected);
    until(|| world.tally.counts() == HookCounts { delivered: 3, failed: 0, lost: 99 }).await;
}

#[tokio::test]
async fn a_hook_of_another_policy_begins_when_the_one_before_has_ended() {
    let world = World::new();
    let log = world.path("log");
    let before = shell(&format!("sleep 0.3; echo before $TANDEM_EVENT_MESSAGE >> {log}"), LONG);
    let stays = shell(&format!("echo stays $TANDEM_EVENT_MESSAGE >> {log}.stays"), LONG);
    let mut hooks = world.start(&[before, stays.clone()]);
    world.happens(EventKind::PoolDown, "1");
    world.happens(EventKind::PoolDown, "2");
    let after = shell(&format!("echo after $TANDEM_EVENT_MESSAGE >> {log}"), LONG);
    hooks.renew(prepare(&[stays, after]).expect("hooks"));
    world.happens(EventKind::PoolDown, "3");
    assert_eq!(world.until_lines("log", 3).await, ["before 1", "before 2", "after 3"]);
    assert_eq!(world.until_lines("log.stays", 3).await, ["stays 1", "stays 2", "stays 3"]);
    hooks.renew(Vec::new());
    world.happens(EventKind::PoolDown, "4");
    hooks.finish(LONG).await;
    assert_eq!((world.lines("log").len(), world.lines("log.stays").len()), (3, 3));
}

#[tokio::test]
async fn at_the_end_what_has_happened_is_dealt_with_first() {
    let world = World::new();
    let log = world.path("log");
    let mut hooks = world.start(&[shell(&format!("sleep 0.1; echo $TANDEM_EVENT_MESSAGE >> {log}"), LONG)]);
    (1..=3).for_each(|number| world.happens(EventKind::RouterBackup, &number.to_string()));
    hooks.finish(LONG).await;
    assert_eq!(world.lines("log"), ["1", "2", "3"]);
}

#[test]
fn a_hook_that_cannot_be_is_named() {
    let script = shell("true", LONG);
    let nobody =
        HookAct::Exec { command: vec!["/bin/true".to_owned()], user: Some("no-such-user".to_owned()) };
    let error = prepare(&[EventHook { act: nobody, ..script.clone() }]).expect_err("no such user");
    assert_eq!(
        error.to_string(),
        "on_event: /bin/true: cannot run as no-such-user: no such user; name another in `user`"
    );
    let place = Secret::File(Path::new("/nonexistent/url").to_owned());
    let act = HookAct::Webhook { url: HookUrl::Secret(place), secret: None, ca: None };
    let error = prepare(&[script.clone(), EventHook { act, ..script }]).expect_err("no such file");
    assert!(error.to_string().starts_with("on_event: webhook 2: /nonexistent/url: "), "{error}");
}

#[tokio::test]
async fn a_mail_that_nobody_takes_is_tried_again_and_its_events_are_counted() {
    let world = World::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let settings = MailSettings {
        server: "127.0.0.1".to_owned(),
        port,
        security: MailSecurity::None,
        from: "tandem@example.com".to_owned(),
        to: vec!["ops@example.com".to_owned()],
        login: None,
        ca: None,
        hello: None,
        collect: Duration::from_secs(3_600),
    };
    let hook = EventHook { act: HookAct::Mail(settings), timeout: LONG, filter: EventFilter::default() };
    let mut hooks = world.start(&[hook]);
    (1..=3).for_each(|number| world.happens(EventKind::ServerDown, &number.to_string()));
    let begun = Instant::now();
    // At the end nothing waits for more.
    hooks.finish(LONG).await;
    assert!(begun.elapsed() >= Duration::from_secs(7), "with waits between the attempts");
    assert_eq!(world.tally.counts(), HookCounts { delivered: 0, failed: 3, lost: 0 });
}

/// What a server got: key, signature, message; and the statuses that it still has to answer.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<(String, String, String)>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let event: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let message = format!("{} {}", event["message"].as_str().expect("a sentence"), event["lost"]);
    let mut got = receiver.got.lock().expect("no panic");
    got.push((header("idempotency-key"), header("tandem-signature"), message));
    let status = receiver.answers.lock().expect("no panic").pop().unwrap_or(204);
    StatusCode::from_u16(status).expect("a status")
}

#[tokio::test]
async fn a_webhook_is_tried_again_and_keeps_the_order() {
    let world = World::new();
    let receiver = Receiver::default();
    // The last first: the second event is refused for good.
    *receiver.answers.lock().expect("no panic") = vec![204, 400, 204, 503];
    let listener = serving::bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route("/events", post(receive)).with_state(receiver.clone());
    let visitors = Visitors::start().expect("a thread");
    let _served = visitors.serve(listener, "test", move |stream, visitor| {
        let service = TowerToHyperService::new(router.clone());
        async move {
            visitor.converse(stream, service).await;
        }
    });
    let key = world.place.path().join("key");
    fs::write(&key, "a key\n").expect("written");
    let act = HookAct::Webhook {
        url: HookUrl::Plain(format!("http://{address}/events")),
        secret: Some(Secret::File(key)),
        ca: None,
    };
    let hook = EventHook { act, timeout: LONG, filter: EventFilter::default() };
    let _hooks = world.start(&[hook]);
    (1..=3).for_each(|number| world.happens(EventKind::ServerDown, &format!("event {number}")));
    until(|| receiver.got.lock().expect("no panic").len() == 4).await;
    let got = receiver.got.lock().expect("no panic").clone();
    let told: Vec<_> = got.iter().map(|(key, _, message)| (key.as_str(), message.as_str())).collect();
    let expected = [
        ("lb-a-7-1", "event 1 0"),
        ("lb-a-7-1", "event 1 0"),
        ("lb-a-7-2", "event 2 0"),
        ("lb-a-7-3", "event 3 1"),
    ];
    assert_eq!(told, expected);
    assert!(got.iter().all(|(_, signature, _)| signature.starts_with("sha256=") && signature.len() == 71));
    until(|| world.tally.counts() == HookCounts { delivered: 2, failed: 1, lost: 0 }).await;
}

#[tokio::test]
async fn a_webhook_that_nobody_serves_fails_after_its_attempts_and_says_no_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let url = HookUrl::Plain(format!("http://{address}/secret-token"));
    let webhook = webhook::Webhook::new(&url, None, None, LONG).expect("a webhook");
    let event = crate::control::event_record(1);
    let begun = Instant::now();
    let reason = webhook.call(&Message { event: &event, lost: 0 }).await.expect_err("nobody");
    assert!(reason.ends_with(", in 4 attempts") && !reason.contains("secret-token"), "{reason}");
    assert!(begun.elapsed() >= Duration::from_secs(7), "with waits between them");
}

/// A server with a certificate of its own, which is its own authority too: its address, and the certificate in PEM.
async fn https(router: Router) -> (std::net::SocketAddr, String) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let pem = certificate.pem();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .expect("a configuration");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = TowerToHyperService::new(router.clone());
            let stream = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(stream, service));
        }
    });
    (address, pem)
}

#[tokio::test]
async fn a_webhook_over_tls_is_believed_by_its_authority_alone() {
    let world = World::new();
    let receiver = Receiver::default();
    let router = Router::new().route("/events", post(receive)).with_state(receiver.clone());
    let (address, pem) = https(router).await;
    let ca = world.place.path().join("ca.pem");
    fs::write(&ca, pem).expect("written");
    let url = HookUrl::Plain(format!("https://{address}/events"));
    let event = crate::control::event_record(1);
    let message = Message { event: &event, lost: 0 };
    let believes = webhook::Webhook::new(&url, None, Some(&Secret::File(ca)), LONG).expect("a webhook");
    assert_eq!(believes.call(&message).await, Ok(()));
    assert_eq!(receiver.got.lock().expect("no panic").len(), 1);
    // Without the authority: either this system has none at all, or the certificate is not one of theirs.
    if let Ok(doubts) = webhook::Webhook::new(&url, None, None, LONG) {
        let reason = doubts.call(&message).await.expect_err("nobody vouches for it");
        assert!(reason.contains("certificate"), "{reason}");
    }
    assert_eq!(receiver.got.lock().expect("no panic").len(), 1);
}
