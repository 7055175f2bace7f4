//! The API over TCP from outside: real connections on loopback, with and without TLS.

use super::{EPOCH, NOW, picture, status, windows};
use crate::control::page::FILES;
use crate::control::{Action, Answer, Api, Control, ElectionAction, Request, Socket, Visitors, asset, judge};
use crate::director::snapshot::Snapshot;
use crate::model::{ApiScope, ApiSettings, ApiTls, ApiToken, Secret};
use crate::observe::View;
use crate::serving::{BURST, MOST_OF_ONE};
use arc_swap::ArcSwap;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

const OPS: &str = "0123456789abcdef0123456789abcdef";
const GRAFANA: &str = "fedcba9876543210fedcba9876543210";

struct Site {
    control: Control,
    visitors: Visitors,
    address: SocketAddr,
    settings: ApiSettings,
    place: TempDir,
}

fn settings(place: &Path, listen: &str) -> ApiSettings {
    let token = |name: &str, scope, bytes: &str| {
        let path = place.join(name);
        std::fs::write(&path, format!("{bytes}\n")).expect("a token");
        ApiToken { name: name.to_owned(), scope, token: Secret::File(path) }
    };
    let tokens = vec![token("grafana", ApiScope::Read, GRAFANA), token("ops", ApiScope::Act, OPS)];
    ApiSettings {
        listen: listen.parse().expect("an address"),
        tls: None,
        tokens,
        allowed_hosts: ["lb.example.com".to_owned()].into(),
    }
}

fn view() -> View {
    let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::starting(NOW, EPOCH)));
    View { snapshot, started: tokio::time::Instant::now() }
}

impl Site {
    async fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let settings = settings(place.path(), "127.0.0.1:0");
        let api = Api::prepare(Some(&settings), None).await.expect("good files").expect("an API");
        let address = api.local_address().expect("it listens");
        let socket = Socket::bind(&place.path().join("tandem.sock")).expect("a socket");
        let View { started, .. } = view();
        let mut control = Control::serve(Some(socket), status(), started, windows());
        let visitors = Visitors::start().expect("a thread");
        control.renew_api(Some(api), view(), &visitors);
        Self { control, visitors, address, settings: ApiSettings { listen: address, ..settings }, place }
    }

    /// Everything that comes back for a request with these header lines.
    async fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> String {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        let host = [format!("Host: {}", self.address)];
        let own = headers.iter().any(|line| line.starts_with("Host:"));
        let lines: Vec<&str> =
            host.iter().filter(|_| !own).map(String::as_str).chain(headers.iter().copied()).collect();
        exchange(stream, method, path, &lines, body).await
    }

    async fn look(&self, path: &str, headers: &[&str]) -> String {
        self.ask("GET", path, headers, "").await
    }

    /// Asks for a release, with these headers and as JSON.
    async fn act(&self, headers: &[&str]) -> String {
        let json = ["Content-Type: application/json"];
        self.ask("POST", "/v1/release", &[&json, headers].concat(), "{}").await
    }

    async fn renew(&mut self, settings: &ApiSettings) {
        let api = Api::prepare(Some(settings), Some(self.address)).await.expect("good files");
        self.control.renew_api(api, view(), &self.visitors);
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    lines: &[&str],
    body: &str,
) -> String {
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{}\r\nContent-Length: {}\r\n\r\n",
        lines.join("\r\n"),
        body.len()
    );
    // A server that has read enough answers, closes, and leaves the rest: the end is then an error.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("text")
}

#[track_caller]
fn is(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "not {status}: {answer}");
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// Plays the event loop for one request, which comes from this token.
async fn answered(control: &mut Control, token: &str) {
    let Request { action, caller, by, answer } = control.requests.recv().await.expect("a request");
    assert_eq!(by, token);
    assert_eq!((caller.token.as_deref(), caller.address), (Some(token), Some([127, 0, 0, 1].into())));
    let Action::Election(action) = action else { panic!("{action}") };
    assert!(matches!(action, ElectionAction::Release { .. }));
    answer.send(judge(&action, &picture())).expect("the server waits");
}

#[tokio::test]
async fn this_host_may_read_without_a_token_and_acts_with_the_one_that_may() {
    let mut site = Site::new().await;
    for path in ["/v1/status", "/v1/history", "/metrics", "/"] {
        is(&site.look(path, &[]).await, 200);
    }
    let wrong = bearer("0123456789abcdef0123456789abcdeF");
    is(&site.look("/v1/status", &[&wrong]).await, 401);
    is(&site.look("/v1/status", &[&bearer(GRAFANA)]).await, 200);
    let nobody = site.act(&[]).await;
    is(&nobody, 401);
    assert!(nobody.contains("www-authenticate: Bearer"), "{nobody}");
    is(&site.act(&[&wrong]).await, 401);
    is(&site.act(&[&bearer(GRAFANA)]).await, 403);
    assert!(site.control.requests.try_recv().is_err(), "nothing reached the event loop");
    let Site { address, .. } = site;
    let released = async {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let host = format!("Host: {address}");
        let lines = [host.as_str(), "Content-Type: application/json", &bearer(OPS)].map(str::to_owned);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        exchange(stream, "POST", "/v1/release", &lines, "{}").await
    };
    let (answer, ()) = tokio::join!(released, answered(&mut site.control, "ops"));
    is(&answer, 202);
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    assert_eq!(serde_json::from_str::<Answer>(body).expect("an answer").routers, ["inside", "outside"]);
}

#[tokio::test]
async fn another_host_name_and_another_site_are_refused() {
    let site = Site::new().await;
    is(&site.look("/v1/status", &["Host: evil.example"]).await, 421);
    is(&site.look("/", &["Host: evil.example"]).await, 421);
    is(&site.look("/v1/status", &["Host: lb.example.com"]).await, 200);
    is(&site.look("/v1/status", &["Host: localhost:1"]).await, 200);
    is(&site.look("/v1/status", &["Sec-Fetch-Site: cross-site"]).await, 403);
    let ops = bearer(OPS);
    is(&site.act(&[&ops, "Origin: http://evil.example"]).await, 403);
    is(&site.act(&[&ops, "Sec-Fetch-Site: same-site"]).await, 403);
    let form = ["Content-Type: application/x-www-form-urlencoded", &ops];
    is(&site.ask("POST", "/v1/release", &form, "{}").await, 415);
    is(&site.ask("DELETE", "/v1/status", &[], "").await, 401);
}

/// Its mode has let the caller in, and no browser gets there.
#[tokio::test]
async fn the_socket_asks_for_no_token_and_looks_at_no_site() {
    let mut site = Site::new().await;
    let path = site.place.path().join("tandem.sock");
    let lines = ["Host: evil.example", "Origin: http://evil.example", "Sec-Fetch-Site: cross-site"];
    let looked = UnixStream::connect(&path).await.expect("it listens");
    is(&exchange(looked, "GET", "/v1/status", &lines, "").await, 200);
    let stream = UnixStream::connect(&path).await.expect("it listens");
    let acted = exchange(stream, "POST", "/v1/clear", &lines, "{}");
    let answering = async {
        let Request { caller, answer, .. } = site.control.requests.recv().await.expect("a request");
        assert!(caller.uid.is_some() && caller.token.is_none() && caller.address.is_none(), "{caller:?}");
        answer.send(Err(crate::control::Refused::busy())).expect("the server waits");
    };
    let (answer, ()) = tokio::join!(acted, answering);
    is(&answer, 503);
}

#[tokio::test]
async fn the_page_is_told_what_its_reader_may_do() {
    let site = Site::new().await;
    let may = |answer: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix("tandem-may: "));
        line.map(str::to_owned)
    };
    assert_eq!(may(&site.look("/v1/status", &[]).await).as_deref(), Some("read"));
    assert_eq!(may(&site.look("/v1/status", &[&bearer(OPS)]).await).as_deref(), Some("act"));
    assert_eq!(may(&site.look("/v1/status", &[&bearer("0000000000000000")]).await), None);
}

#[tokio::test]
async fn every_answer_tells_a_browser_to_be_careful_and_allows_nothing_from_outside() {
    let site = Site::new().await;
    for (path, headers) in
        [("/", &[][..]), ("/v1/status", &[]), ("/v1/none", &[]), ("/", &["Host: evil.example"])]
    {
        let answer = site.look(path, headers).await;
        for header in [
            "content-security-policy: default-src 'none'; ",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(header), "{path}: {header} in {answer}");
        }
        assert!(!answer.contains("set-cookie") && !answer.contains("access-control-allow"), "{answer}");
    }
}

#[test]
fn the_page_writes_data_as_text_alone_and_asks_nobody_else() {
    for (path, text) in FILES {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "cookie",
        ] {
            assert!(!text.contains(word), "{path}: {word}");
        }
        let text = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("//cdn"), "{path}");
    }
    let page = asset("/").expect("the page").text;
    assert!(
        !page.contains(" style=") && !page.contains(" onclick=") && !page.contains("<style"),
        "the policy of the page forbids it"
    );
}

/// A slow line would wait for each part of the script in turn, or get a path that is none.
#[test]
fn the_page_names_each_part_of_its_script_and_no_other() {
    let page = asset("/").expect("the page").text;
    let named = |before: &'static str| page.split(before).skip(1).filter_map(|rest| rest.split('"').next());
    let named: BTreeSet<&str> = named("modulepreload\" href=\"").chain(named("script src=\"")).collect();
    let scripts = FILES.iter().map(|(path, _)| *path).filter(|path| path.ends_with(".js"));
    assert_eq!(named, scripts.collect());
    for (path, text) in FILES {
        for part in text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(asset(&format!("/{part}")).is_some(), "{path} wants {part}");
        }
        assert!(text.lines().count() <= 200, "{path} is too long");
    }
}

#[tokio::test]
async fn what_is_too_large_or_too_often_is_refused() {
    let site = Site::new().await;
    let large = format!("{{\"router\": \"{}\"}}", "x".repeat(64 * 1024));
    let headers = ["Content-Type: application/json", &bearer(OPS)];
    is(&site.ask("POST", "/v1/release", &headers, &large).await, 413);
    let long = format!("X-Long: {}", "x".repeat(64 * 1024));
    is(&site.look("/v1/status", &[&long]).await, 431);
    let mut refused = 0;
    for _ in 0..BURST * 3 {
        let answer = site.look("/v1/none", &[]).await;
        refused += u32::from(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: 1"));
    }
    assert!(refused > 0, "it is answered without end");
}

/// They take all places that their address has, and nobody else's.
#[tokio::test]
async fn slow_connections_keep_neither_the_socket_nor_another_address_out() {
    let site = Site::new().await;
    let mut slow = Vec::new();
    for _ in 0..1000 {
        let mut stream = TcpStream::connect(site.address).await.expect("it listens");
        let _ = stream.write_all(b"GET /v1/status HT").await;
        slow.push(stream);
    }
    let begun = tokio::time::Instant::now();
    let mut socket = UnixStream::connect(site.place.path().join("tandem.sock")).await.expect("it listens");
    is(&exchange(&mut socket, "GET", "/v1/status", &["Host: x"], "").await, 200);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let mut open = 0;
    for stream in &mut slow {
        let mut byte = [0];
        let silent = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte)).await.is_err();
        open += usize::from(silent);
    }
    assert!(open <= MOST_OF_ONE, "{open} are open");
    // Another address of loopback is another caller.
    let other = tokio::net::TcpSocket::new_v4().expect("a socket");
    other.bind("127.0.0.9:0".parse().expect("an address")).expect("it is ours");
    let stream = other.connect(site.address).await.expect("it listens");
    is(&exchange(stream, "GET", "/v1/status", &[&format!("Host: {}", site.address)], "").await, 200);
}

#[tokio::test]
async fn a_reload_swaps_tokens_under_a_listener_that_stays() {
    let mut site = Site::new().await;
    is(&site.look("/v1/status", &[&bearer(GRAFANA)]).await, 200);
    let mut next = site.settings.clone();
    next.tokens.remove(0);
    site.renew(&next).await;
    is(&site.look("/v1/status", &[&bearer(GRAFANA)]).await, 401);
    is(&site.look("/v1/status", &[&bearer(OPS)]).await, 200);
    site.control.renew_api(None, view(), &site.visitors);
    let closed = async {
        while TcpStream::connect(site.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(2), closed).await.is_ok(), "it still listens");
}

#[tokio::test]
async fn another_address_is_listened_to_before_the_first_is_left() {
    let mut site = Site::new().await;
    let next = ApiSettings { listen: "127.0.0.1:0".parse().expect("an address"), ..site.settings.clone() };
    let api = Api::prepare(Some(&next), Some(site.address)).await.expect("good files").expect("an API");
    let address = api.local_address().expect("it listens");
    is(&site.look("/v1/status", &[]).await, 200);
    site.control.renew_api(Some(api), view(), &site.visitors);
    site.address = address;
    is(&site.look("/v1/status", &[]).await, 200);
    let same_port = ApiSettings { listen: SocketAddr::new([127, 0, 0, 2].into(), address.port()), ..next };
    let error = Api::prepare(Some(&same_port), Some(address)).await.expect_err("it needs a restart");
    assert!(error.to_string().contains("needs a restart"), "{error}");
}

#[tokio::test]
async fn tls_is_spoken_with_the_policy_s_certificate_and_plain_text_is_not_answered() {
    let mut site = Site::new().await;
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let place = site.place.path().to_owned();
    let file = |name: &str, text: String| {
        let path = place.join(name);
        std::fs::write(&path, text).expect("a file");
        Secret::File(path)
    };
    let tls = ApiTls {
        certificate: file("api.pem", cert.pem()),
        key: file("api.key", signing_key.serialize_pem()),
    };
    let next = ApiSettings { tls: Some(tls), ..site.settings.clone() };
    site.renew(&next).await;
    // An alert of TLS at most.
    let plain = site.look("/v1/status", &[]).await;
    assert!(plain.len() < 10 && !plain.contains("HTTP"), "{plain}");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.der().clone()).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(site.address).await.expect("it listens");
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").expect("an address");
    let session =
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS");
    is(&exchange(session, "GET", "/v1/status", &[&format!("Host: {}", site.address)], "").await, 200);
    let other = generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    file("api.key", other.signing_key.serialize_pem());
    let error = Api::prepare(Some(&next), Some(site.address)).await.expect_err("another's key");
    assert!(error.to_string().starts_with("the API's certificate: "), "{error}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_and_not_shown() {
    let site = Site::new().await;
    let prepare = || Api::prepare(Some(&site.settings), Some(site.address));
    std::fs::write(site.place.path().join("ops"), "secret").expect("a file");
    let error = prepare().await.expect_err("it is short").to_string();
    assert!(error.starts_with("the API's token ops: ") && error.contains("openssl rand"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    std::fs::remove_file(site.place.path().join("ops")).expect("removed");
    assert!(prepare().await.expect_err("it is gone").to_string().contains("must be able to read it"));
}
