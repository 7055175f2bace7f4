//! nginx: http, https and tls probes, in both versions of HTTP.

use crate::certificates::Authority;
use crate::host::Host;
use crate::world::process::Process;
use nix::sys::signal::Signal;
use rcgen::date_time_ymd;
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

const HTTP: u16 = 80;
const HTTP2: u16 = 81;
const HTTPS: u16 = 443;
const GUARDED: u16 = 444;
const NAME: &str = "shop.example.com";
const LIMIT: Duration = Duration::from_secs(10);

/// What every port of the server has.
const LOCATIONS: &str = r#"
    location = /ok { return 200 '{"status": "ok", "load": 0.5}'; }
    location = /ready { return 503 'warming up'; }
    location = /moved { return 302 /ok; }
    location = /moved/twice { return 301 /moved; }
    location = /elsewhere { return 302 http://pay.example.com/host; }
    location = /host { return 200 $host; }
    location = /secure { return 301 https://$host/ok; }
    location = /round { return 302 /round; }
    location = /secret { if ($http_authorization != 'Bearer abc') { return 401; } return 200 known; }
    location = /version { return 200 $server_protocol; }
    location / { root FOLDER/files; }
"#;

/// nginx with these directives beside its servers on all ports.
fn server(host: &Host, options: &str) -> Process {
    fs::create_dir_all(host.path("files")).expect("a folder");
    fs::write(host.path("files/page"), "hello").expect("a page");
    fs::write(host.path("files/large"), "x".repeat(100_000) + "end").expect("a page");
    let authority = Authority::new(host, "authority");
    authority.sign(host, NAME, |params| params.not_after = date_time_ymd(2090, 1, 2));
    let clients = Authority::new(host, "clients");
    clients.sign(host, "director", |_| {});
    let tls = format!("ssl_certificate FOLDER/{NAME}.pem; ssl_certificate_key FOLDER/{NAME}.key;");
    let guard = "ssl_verify_client on; ssl_client_certificate FOLDER/clients.pem;";
    let configuration = format!(
        "daemon off; user root; worker_processes 1; pid FOLDER/nginx.pid; error_log FOLDER/errors;\n\
         events {{ worker_connections 64; }}\n\
         http {{ log_format seen '$connection $request'; access_log FOLDER/access seen; {options}\n\
         client_body_temp_path FOLDER/a; proxy_temp_path FOLDER/b; fastcgi_temp_path FOLDER/c;\n\
         uwsgi_temp_path FOLDER/d; scgi_temp_path FOLDER/e;\n\
         server {{ listen {HTTP}; {LOCATIONS} }}\n\
         server {{ listen {HTTP2} http2; {LOCATIONS} }}\n\
         server {{ listen {HTTPS} ssl http2; {tls} {LOCATIONS} }}\n\
         server {{ listen {GUARDED} ssl http2; {tls} {guard} {LOCATIONS} }} }}\n"
    );
    let folder = host.text("");
    let path = host.write("nginx.conf", &configuration.replace("FOLDER", folder.trim_end_matches('/')));
    host.start("nginx", &["-c", &path, "-e", &host.text("errors")])
}

/// The connections on which requests came, and the requests.
fn seen(host: &Host) -> (usize, usize) {
    let log = fs::read_to_string(host.path("access")).unwrap_or_default();
    let connections: BTreeSet<&str> = log.lines().filter_map(|line| line.split(' ').next()).collect();
    (connections.len(), log.lines().count())
}

/// Keys of an https probe of the server by its name.
fn https(keys: &str) -> String {
    format!("https: {{host: {NAME}, tls: {{ca: {{file: authority.pem}}}}, {keys}}}")
}

#[test]
fn an_nginx_is_judged_by_status_and_body() {
    let host = Host::new();
    host.fails("http: {}", HTTP, "connection_refused", "refused");
    let mut server = server(&host, "");
    host.comes_up("http: {path: /ok}", HTTP);
    host.fails("http: {path: /ready}", HTTP, "status", "503");
    host.succeeds("http: {path: /ready, status: 503, body: warming}", HTTP);
    host.succeeds("http: {path: /ok, body: {regex: '\"status\": *\"(ok|warn)\"'}}", HTTP);
    host.fails("http: {path: /page, body: {regex: '^hallo'}}", HTTP, "body", "does not contain");
    host.succeeds("http: {path: /ok, body: {json: {pointer: /status, equals: ok}}}", HTTP);
    host.succeeds("http: {path: /ok, body: {json: {pointer: /load, equals: 0.5}}}", HTTP);
    host.fails(
        "http: {path: /ok, body: {json: {pointer: /status, equals: up}}}",
        HTTP,
        "body",
        "/status is \"ok\"",
    );
    host.fails(
        "http: {path: /page, body: {json: {pointer: /status, equals: ok}}}",
        HTTP,
        "body",
        "is not JSON",
    );
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    host.succeeds(&format!("http: {{path: /page, body: {{sha256: {digest}}}}}"), HTTP);
    fs::write(host.path("files/page"), "hello!").expect("a page");
    host.fails(
        &format!("http: {{path: /page, body: {{sha256: {digest}}}}}"),
        HTTP,
        "body",
        "digest ce06092fb948d9ff",
    );
    host.fails("http: {path: /large, body: end}", HTTP, "body", "does not contain");
    host.succeeds("http: {path: /large, body: end, response_limit: 128KiB}", HTTP);
    server.signal(Signal::SIGQUIT);
    server.wait_until_ended(LIMIT);
    host.fails("http: {path: /ok}", HTTP, "connection_refused", "refused");
}

#[test]
fn redirects_are_followed_on_the_server_itself() {
    let host = Host::new();
    let _server = server(&host, "");
    host.comes_up("http: {path: /ok}", HTTP);
    host.fails("http: {path: /moved}", HTTP, "status", "302");
    host.succeeds("http: {path: /moved/twice, redirects: 2, body: ok}", HTTP);
    host.fails("http: {path: /moved/twice, redirects: 1}", HTTP, "redirect", "more than 1 times");
    host.succeeds("http: {path: /elsewhere, redirects: 1, body: pay.example.com}", HTTP);
    host.fails("http: {path: /round, redirects: 10}", HTTP, "redirect", "more than 10 times");
    host.fails(
        "http: {path: /secure, host: a.example.com, redirects: 1}",
        HTTP,
        "redirect",
        "to https://a.example.com/ok, which is not http",
    );
    host.succeeds("http: {path: /moved/twice, redirects: 2, version: http2, body: ok}", HTTP2);
}

#[test]
fn a_secret_header_comes_from_a_file() {
    let host = Host::new();
    let _server = server(&host, "");
    host.write("token", "Bearer abc\n");
    host.comes_up("http: {path: /ok}", HTTP);
    host.fails("http: {path: /secret}", HTTP, "status", "401");
    host.succeeds("http: {path: /secret, headers: {Authorization: {file: token}}, body: known}", HTTP);
    host.succeeds("http: {path: /secret, version: http2, headers: {Authorization: {file: token}}}", HTTP2);
}

#[test]
fn http2_is_spoken_with_and_without_tls() {
    let host = Host::new();
    let _server = server(&host, "");
    host.comes_up("http: {path: /ok}", HTTP);
    host.succeeds("http: {path: /version, version: http2, body: HTTP/2.0}", HTTP2);
    host.succeeds("http: {path: /version, body: HTTP/1.1}", HTTP);
    host.succeeds(&https("path: /version, version: http2, body: HTTP/2.0"), HTTPS);
    host.succeeds(&https("path: /version, body: HTTP/1.1"), HTTPS);
    host.fails("http: {path: /ready, version: http2}", HTTP2, "status", "503");
    host.fails("http: {path: /ok, version: http2}", HTTP, "malformed", "HTTP/1");
    host.succeeds("http: {path: /large, version: http2, body: end, response_limit: 128KiB}", HTTP2);
    host.fails("http: {path: /large, version: http2, body: end}", HTTP2, "body", "does not contain");
}

#[test]
fn certificates_are_verified_and_their_end_is_found() {
    let host = Host::new();
    let mut first = server(&host, "");
    host.comes_up(&https("path: /ok"), HTTPS);
    let tls = format!("tls: {{server_name: {NAME}, ca: {{file: authority.pem}}}}");
    host.succeeds(&tls, HTTPS);
    let expires = |kind: &str| host.probe(kind, HTTPS).findings.certificate_expires.map(|at| at.as_secs());
    assert_eq!((expires(&tls), expires(&https("path: /ok"))), (Some(3_786_998_400), Some(3_786_998_400)));
    host.fails(
        "tls: {server_name: a.example.com, ca: {file: authority.pem}}",
        HTTPS,
        "tls",
        "not for a.example.com",
    );
    host.fails(
        &format!("tls: {{server_name: {NAME}, ca: {{file: clients.pem}}}}"),
        HTTPS,
        "tls",
        "unknown authority",
    );
    host.fails(&tls, HTTP, "tls", "does not speak TLS");
    first.stop(LIMIT);
    let authority = Authority::new(&host, "authority");
    authority.sign(&host, NAME, |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 2);
    });
    let path = host.text("nginx.conf");
    let _expired = host.start("nginx", &["-c", &path, "-e", &host.text("errors")]);
    host.comes_to_fail(&tls, HTTPS, "tls", "the certificate expired ");
}

#[test]
fn a_server_that_asks_for_a_client_certificate_gets_it() {
    let host = Host::new();
    let _server = server(&host, "");
    host.comes_up("http: {path: /ok}", HTTP);
    let ca = "ca: {file: authority.pem}";
    host.fails(&format!("https: {{host: {NAME}, path: /ok, tls: {{{ca}}}}}"), GUARDED, "status", "400");
    let client = "certificate: {file: director.pem}, key: {file: director.key}";
    host.succeeds(&format!("https: {{host: {NAME}, path: /ok, tls: {{{ca}, {client}}}}}"), GUARDED);
    let second = format!("https: {{host: {NAME}, path: /ok, version: http2, tls: {{{ca}, {client}}}}}");
    host.succeeds(&second, GUARDED);
    let other = format!("certificate: {{file: {NAME}.pem}}, key: {{file: {NAME}.key}}");
    host.fails(
        &format!("https: {{host: {NAME}, path: /ok, tls: {{{ca}, {other}}}}}"),
        GUARDED,
        "status",
        "400",
    );
}

#[test]
fn a_kept_connection_costs_one_exchange_a_probe_and_is_renewed_unseen() {
    let host = Host::new();
    let _server = server(&host, "keepalive_timeout 1s; keepalive_requests 4;");
    host.comes_up("http: {path: /ok}", HTTP);
    let secure = https("path: /ok, keep_connection: true, body: ok");
    let second = https("path: /ok, keep_connection: true, version: http2");
    for (kind, port) in [
        ("http: {path: /ok, keep_connection: true, body: ok}", HTTP),
        (&secure, HTTPS),
        (&second, HTTPS),
        ("http: {path: /ok, keep_connection: true, version: http2}", HTTP2),
    ] {
        fs::write(host.path("access"), "").expect("a new log");
        for outcome in host.probe_again_and_again(kind, port, 3, Duration::from_millis(100)) {
            assert_eq!(outcome.result, Ok(()), "{kind}");
        }
        assert_eq!(seen(&host), (1, 3), "{kind}: connections and requests");
        fs::write(host.path("access"), "").expect("a new log");
        for outcome in host.probe_again_and_again(kind, port, 3, Duration::from_millis(1500)) {
            assert_eq!(outcome.result, Ok(()), "{kind}: the server closed it meanwhile");
        }
        assert_eq!(seen(&host), (3, 3), "{kind}: connections and requests");
        fs::write(host.path("access"), "").expect("a new log");
        for outcome in host.probe_again_and_again(kind, port, 9, Duration::from_millis(20)) {
            assert_eq!(outcome.result, Ok(()), "{kind}: the server has it for four requests");
        }
        let (connections, requests) = seen(&host);
        assert!((2..=4).contains(&connections) && requests == 9, "{kind}: {connections}, {requests}");
    }
}
