//! The API of a running director, asked with curl: from its own host, from another one over TLS with an authority of the
//! site's own, with each scope, by another site's page, by a thousand callers who are slow, and by a flood.

use crate::stage::program::{Member, Program};
use crate::stage::setting::{Checksum, Setting};
use crate::stage::{OTHER, PREFERRED, Stage, dip};
use crate::world::namespace::Namespace;
use crate::world::wait::until;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(20);
const SETTING: Setting = Setting { is_default: true, checksum: Checksum::Rfc9568, ..Setting::V3 };
const OPS: &str = "0123456789abcdef0123456789abcdef";
const GRAFANA: &str = "fedcba9876543210fedcba9876543210";
const BEYOND: &str = "listen: 0.0.0.0:9750";
const NEAR: &str = "listen: 127.0.0.1:9749";
const API: u16 = 9750;
const METRICS: u16 = 9752;
const SLOW: usize = 1000;
/// Connections of a flood: more than any address may make at once.
const FLOOD: usize = 500;
const SLOW_LIMIT: Duration = Duration::from_secs(3);

struct Site {
    stage: Stage,
    member: Member,
}

impl Site {
    /// One director, whose API and metrics are open to the network.
    fn new() -> Self {
        let stage = Stage::new();
        let folder = stage.folder();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
        let own = dip(PREFERRED).ipv4.to_string();
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "the site's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let names = vec![own, "127.0.0.1".to_owned(), "lb.test".to_owned()];
        let key = KeyPair::generate().expect("a key");
        let signed = CertificateParams::new(names).expect("names").signed_by(&key, &authority);
        write("ca.pem", &authority.pem());
        write("api.pem", &signed.expect("a certificate").pem());
        write("api.key", &key.serialize_pem());
        write("ops", &format!("{OPS}\n"));
        write("grafana", GRAFANA);
        let api = "metrics: {listen: 0.0.0.0:9752}\napi:\n  LISTEN\n  tls: {certificate: {file: ../api.pem}, key: {file: ../api.key}}\n  tokens:\n    \
                   - {name: ops, scope: act, token: {file: ../ops}}\n    \
                   - {name: grafana, scope: read, token: {file: ../grafana}}\n  allowed_hosts: [lb.test]\n";
        let member =
            Member::start(&stage, Program::Tandem, PREFERRED, &SETTING, &api.replace("LISTEN", BEYOND));
        let site = Self { stage, member };
        until("the API", START, || match site.far(&[], "/v1/status") {
            401 => Ok(()),
            status => Err(format!("{status}\n{}", site.log())),
        });
        site
    }

    fn log(&self) -> String {
        let path = self.stage.folder().join("Tandem-lb-a/tandem.log");
        fs::read_to_string(path).unwrap_or_default()
    }

    fn here(&self) -> &Namespace {
        &self.stage.directors[PREFERRED]
    }

    /// From the client's host; the status.
    fn far(&self, options: &[&str], path: &str) -> u16 {
        let url = format!("https://{}:9750{path}", dip(PREFERRED).ipv4);
        curl(&self.stage, &self.stage.client, options, &url).0
    }

    /// Many connections of the client's host that say these words and no more.
    fn many(&self, count: usize, port: u16, words: &[u8]) -> Vec<TcpStream> {
        let address = SocketAddr::new(dip(PREFERRED).ipv4.into(), port);
        let many: Vec<TcpStream> = self.stage.client.inside(|| {
            let connect = |_| {
                let stream = TcpStream::connect_timeout(&address, SLOW_LIMIT).ok()?;
                // One that is closed already is none the less one.
                let _ = (&stream).write_all(words);
                Some(stream)
            };
            (0..count).filter_map(connect).collect()
        });
        assert!(many.len() > count / 2, "only {} were connected", many.len());
        many
    }

    /// From a third host of the network.
    fn third(&self, url: &str) -> u16 {
        curl(&self.stage, &self.stage.directors[OTHER], &[], url).0
    }

    /// From the director's own host.
    fn near(&self, options: &[&str], path: &str) -> u16 {
        curl(&self.stage, self.here(), options, &format!("https://127.0.0.1:9750{path}")).0
    }
}

/// Status and answer; 0 where there is none.
fn curl(stage: &Stage, from: &Namespace, options: &[&str], url: &str) -> (u16, String) {
    let authority = stage.folder().join("ca.pem");
    let mut command = Command::new("curl");
    command.args(["--silent", "--max-time", "10", "--write-out", "\n%{http_code}", "--cacert"]);
    let output = from.output(command.arg(authority).args(options).arg(url));
    let text = String::from_utf8_lossy(&output.stdout);
    let (body, code) = text.rsplit_once('\n').expect("a status");
    (code.parse().expect("a number"), body.to_owned())
}

const JSON: [&str; 4] = ["--header", "Content-Type: application/json", "--data", "{\"for_ms\": 5000}"];

fn with<'a>(token: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--oauth2-bearer", token], more].concat()
}

#[test]
fn who_may_read_and_who_may_act() {
    let site = Site::new();
    let json = |token: &'static str| with(token, &JSON);
    // From here: everybody reads, and who acts shows a token.
    assert_eq!(site.near(&[], "/v1/status"), 200);
    assert_eq!(site.near(&[], "/metrics"), 200);
    assert_eq!(site.near(&JSON, "/v1/release"), 401);
    assert_eq!(site.near(&json(GRAFANA), "/v1/release"), 403);
    // From elsewhere: nothing but the page, which holds no data, without a token.
    assert_eq!(site.far(&[], "/"), 200);
    assert_eq!(site.far(&[], "/metrics"), 401);
    assert_eq!(site.far(&with(GRAFANA, &[]), "/v1/status"), 200);
    assert_eq!(site.far(&with("0000000000000000", &[]), "/v1/status"), 401);
    assert_eq!(site.far(&json(GRAFANA), "/v1/release"), 403);
    assert_eq!(site.far(&json(OPS), "/v1/release"), 202);
    assert_eq!(site.near(&json(OPS), "/v1/clear"), 400, "a clear has no time");
    let log = site.log();
    assert!(log.contains("asked by token ops at 192.168.101.10"), "{log}");
    for secret in [OPS, GRAFANA] {
        assert!(!log.contains(secret), "a token is in the log");
    }
}

#[test]
fn other_hosts_names_and_sites_are_refused() {
    let site = Site::new();
    let act = |more: &[&'static str]| site.far(&with(OPS, &[more, &JSON].concat()), "/v1/release");
    assert_eq!(act(&["--header", "Host: evil.example"]), 421);
    assert_eq!(act(&["--header", "Origin: https://evil.example"]), 403);
    assert_eq!(act(&["--header", "Sec-Fetch-Site: cross-site"]), 403);
    assert_eq!(act(&["--header", "Origin: https://192.168.101.200:9750"]), 202);
    assert_eq!(site.far(&with(OPS, &["--data", "{}"]), "/v1/release"), 415, "a form");
    assert_eq!(site.near(&["--header", "Host: lb.test:9750"], "/v1/status"), 200);
    // Who does not know the authority gets no further than the handshake; nor does plain text.
    let url = format!("https://{}:9750/", dip(PREFERRED).ipv4);
    let stranger = site.stage.client.output(Command::new("curl").args(["--silent", &url]));
    assert_eq!(stranger.status.code(), Some(60), "the certificate is not trusted");
    assert_eq!(curl(&site.stage, &site.stage.client, &[], &url.replace("https", "http")).0, 0);
}

#[test]
fn large_requests_and_slow_callers_hold_nobody_up() {
    let site = Site::new();
    let large = site.stage.folder().join("large");
    fs::write(&large, "x".repeat(1_000_000)).expect("a file");
    let data = format!("@{}", large.display());
    let json = ["--header", "Content-Type: application/json", "--data-binary", &data];
    assert_eq!(site.far(&with(OPS, &json), "/v1/release"), 413);
    let long = format!("X-Long: {}", "x".repeat(100_000));
    assert_eq!(site.far(&["--header", &long], "/v1/status"), 431);

    let slow = site.many(SLOW, API, &[22, 3, 1]);
    let begun = Instant::now();
    site.member.status(&site.stage);
    assert_eq!(curl(&site.stage, site.here(), &[], "http://127.0.0.1:9752/metrics").0, 200);
    assert_eq!(site.near(&[], "/v1/status"), 200, "another address is another caller");
    let took = begun.elapsed();
    assert!(took < SLOW_LIMIT, "the socket, the metrics and another address took {took:?}");
    drop(slow);
}

#[test]
fn a_flood_is_closed_at_accept_and_neither_it_nor_slow_callers_keep_anybody_else_out() {
    let site = Site::new();
    let own = dip(PREFERRED).ipv4;
    let slow = site.many(SLOW, METRICS, b"GET /metrics HTT");
    let metrics = format!("http://{own}:{METRICS}/metrics");
    assert_eq!(site.third(&metrics), 200, "another address is another caller");
    // Where this machine is busy, so many may take so long that they are none too often.
    until("the end of its welcome", SLOW_LIMIT * 3, || {
        site.many(FLOOD, API, b"no TLS");
        match site.far(&[], "/") {
            0 => Ok(()),
            status => Err(format!("it is let in after a flood: {status}")),
        }
    });
    let begun = Instant::now();
    assert_eq!(site.third(&format!("https://{own}:{API}/v1/status")), 401);
    assert_eq!(site.third(&metrics), 200);
    site.member.status(&site.stage);
    let took = begun.elapsed();
    assert!(took < SLOW_LIMIT, "honest callers were answered after {took:?}");
    // It is over, and forgotten in time.
    until("the client's host", SLOW_LIMIT, || match site.far(&[], "/") {
        200 => Ok(()),
        status => Err(status.to_string()),
    });
    drop(slow);
}

#[test]
fn a_reload_moves_the_api_and_takes_a_new_token() {
    let site = Site::new();
    fs::write(site.stage.folder().join("grafana"), "a-token-that-is-a-new-one").expect("a file");
    site.member.reload(&site.stage, "allowed_hosts: [lb.test]", "allowed_hosts: [lb.test, lb-a.test]");
    assert_eq!(site.far(&with(GRAFANA, &[]), "/v1/status"), 401);
    assert_eq!(site.far(&with("a-token-that-is-a-new-one", &[]), "/v1/status"), 200);
    site.member.reload(&site.stage, BEYOND, NEAR);
    assert_eq!(curl(&site.stage, site.here(), &[], "https://127.0.0.1:9749/v1/status").0, 200);
    assert_eq!(site.far(&with(OPS, &[]), "/v1/status"), 0, "nobody listens there any more");
}
