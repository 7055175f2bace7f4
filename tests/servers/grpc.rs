//! etcd, whose client port has the standard health service of gRPC.

use crate::certificates::Authority;
use crate::host::{ADDRESS, Host};
use crate::world::process::Process;
use nix::sys::signal::Signal;
use std::time::Duration;

const PORT: u16 = 2379;
const NAME: &str = "etcd.example.com";
const LIMIT: Duration = Duration::from_secs(10);

fn server(host: &Host, scheme: &str, options: &[&str]) -> Process {
    let clients = format!("{scheme}://{ADDRESS}:{PORT}");
    let (data, peers) = (host.text("data"), format!("http://{ADDRESS}:2380"));
    let own = [
        "--data-dir",
        &data,
        "--listen-client-urls",
        &clients,
        "--advertise-client-urls",
        &clients,
        "--listen-peer-urls",
        &peers,
        "--initial-advertise-peer-urls",
        &peers,
        "--initial-cluster",
    ];
    let cluster = format!("default={peers}");
    host.start("etcd", &[&own[..], &[&cluster], options].concat())
}

#[test]
fn an_etcd_that_serves_is_up_and_another_service_is_unknown_to_it() {
    let host = Host::new();
    host.fails("grpc: {}", PORT, "connection_refused", "refused");
    let mut server = server(&host, "http", &[]);
    host.comes_up("grpc: {}", PORT);
    host.fails(
        "grpc: {service: shop.Cart}",
        PORT,
        "grpc",
        "status 5 (not found: the server knows no such service)",
    );
    for outcome in
        host.probe_again_and_again("grpc: {keep_connection: true}", PORT, 4, Duration::from_millis(50))
    {
        assert_eq!(outcome.result, Ok(()));
    }
    let connections = host.namespace().run("ss -Htn state established");
    host.succeeds("http: {path: /health, body: {json: {pointer: /health, equals: true}}}", PORT);
    server.signal(Signal::SIGSTOP);
    host.fails("grpc: {}", PORT, "timeout", "waiting for the response");
    server.signal(Signal::SIGCONT);
    host.comes_up("grpc: {}", PORT);
    server.stop(LIMIT);
    host.fails("grpc: {}", PORT, "connection_refused", "refused");
    assert!(!connections.contains(":2379 192"), "closed when the prober is gone: {connections}");
}

#[test]
fn an_etcd_that_knows_its_clients_is_asked_over_tls() {
    let host = Host::new();
    let authority = Authority::new(&host, "authority");
    authority.sign(&host, NAME, |_| {});
    authority.sign(&host, "director", |_| {});
    let (certificate, key) = (host.text(&format!("{NAME}.pem")), host.text(&format!("{NAME}.key")));
    let trusted = host.text("authority.pem");
    let options = [
        "--cert-file",
        &certificate,
        "--key-file",
        &key,
        "--client-cert-auth",
        "--trusted-ca-file",
        &trusted,
    ];
    let _server = server(&host, "https", &options);
    let tls = "ca: {file: authority.pem}, certificate: {file: director.pem}, key: {file: director.key}";
    let good = format!("grpc: {{host: {NAME}, tls: {{{tls}}}}}");
    host.comes_up(&good, PORT);
    assert!(host.probe(&good, PORT).findings.certificate_expires.is_some());
    let stranger = format!("grpc: {{host: {NAME}, tls: {{ca: {{file: authority.pem}}}}}}");
    host.fails(&stranger, PORT, "tls", "the server refused the session: ");
    host.fails(
        &format!("grpc: {{host: a.example.com, tls: {{{tls}}}}}"),
        PORT,
        "tls",
        "not for a.example.com",
    );
}
