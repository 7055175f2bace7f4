//! Servers that never come to an end, whatever is asked of them: they say nothing, one byte after the other, or as much as they
//! can; and never close. No probe of any kind outlasts its time-out, holds its connection on, or keeps what it heard.

use super::fixture::{SLACK, server};
use crate::model::{AgentSpec, Check, ProbeSpec};
use crate::policy::fixtures::OneFile;
use crate::policy::{self, View};
use crate::probe::{Probe as _, Prober, TlsProfiles};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// A check of each kind that talks with a server, and as many more as they have ways of their own.
const KINDS: [(&str, &str); 12] = [
    ("text", "tcp: {send: a, expect: never}"),
    ("expression", "tcp: {expect: {regex: 'never[0-9]+$'}}"),
    ("redis", "tcp: {redis: {}}"),
    ("mysql", "tcp: {mysql: {user: check}}"),
    ("postgresql", "tcp: {postgresql: {user: check}}"),
    ("smtp", "smtp: {}"),
    ("tls", "tls: {verify: false, server_name: a.example.com}"),
    ("http", "http: {path: /, body: never}"),
    ("https", "https: {path: /, host: a.example.com, tls: {verify: false}}"),
    ("grpc", "grpc: {}"),
    ("dns", "dns: {name: a.example.com, protocol: tcp}"),
    ("udp", "udp: {send: a, expect: never}"),
];

/// As a policy says them, and HAProxy's agent.
fn checks() -> Vec<Check> {
    let named = KINDS.map(|(name, kind)| format!("  {name}: {{{kind}, timeout: 400ms, interval: 1s}}\n"));
    let used = (10..)
        .zip(KINDS)
        .map(|(host, (name, _))| format!("{{address: 192.0.2.{host}, port: 80, check: {name}}}"));
    let used = used.collect::<Vec<_>>().join(", ");
    let text = format!(
        "policy_version: 1\nchecks:\n{}pools: {{web: {{virtual_services: [tcp://192.0.2.1:80], forwarding: nat, \
         check: none, real_servers: [{used}]}}}}\n",
        named.concat()
    );
    let loaded = policy::load(Path::new("tandem.yaml"), &OneFile(text), View::First);
    let policy = loaded.policy.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    let mut checks: Vec<Check> = KINDS.iter().map(|(name, _)| policy.checks[*name].clone()).collect();
    let agent = ProbeSpec::Agent(AgentSpec { send: String::new() });
    checks.push(Check { name: "agent".into(), probe: agent, ..checks[0].clone() });
    checks
}

#[derive(Clone, Copy, Debug)]
enum Manner {
    Silent,
    Dribbling,
    Flooding,
}

/// Goes on until the other end is gone, and tells then.
async fn never_end(mut stream: TcpStream, manner: Manner, gone: mpsc::UnboundedSender<()>) {
    match manner {
        Manner::Silent => while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {},
        Manner::Dribbling => {
            while stream.write_all(b"5").await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        }
        Manner::Flooding => {
            while stream.write_all(&[b'5'; 64 * 1024]).await.is_ok() {
                // Far beyond every limit within a time-out, and still leaves the other tests a processor.
                sleep(Duration::from_millis(2)).await;
            }
        }
    }
    let _ = gone.send(());
}

/// The same of datagrams: an answer that is none, again and again.
async fn never_end_in_datagrams(socket: UdpSocket, manner: Manner) {
    let mut buffer = [0; 1024];
    while let Ok((_, from)) = socket.recv_from(&mut buffer).await {
        while !matches!(manner, Manner::Silent) && socket.send_to(b"5", from).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn target(check: &Check, manner: Manner, gone: mpsc::UnboundedSender<()>) -> SocketAddr {
    if !matches!(check.probe, ProbeSpec::Udp(_)) {
        return server(move |stream| never_end(stream, manner, gone.clone())).await;
    }
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    tokio::spawn(never_end_in_datagrams(socket, manner));
    address
}

#[tokio::test]
async fn no_kind_of_probe_outlasts_a_server_that_never_ends() {
    for check in checks() {
        for manner in [Manner::Silent, Manner::Dribbling, Manner::Flooding] {
            let (gone, mut is_gone) = mpsc::unbounded_channel();
            let target = target(&check, manner, gone).await;
            let prober = Prober::new(&check, &mut TlsProfiles::default()).expect("a check");
            let outcome = prober.probe(target).await;
            let what = format!("{} of a server that is {manner:?}", check.name);
            assert!(outcome.duration < check.timeout + SLACK, "{what}: {outcome:?}");
            assert!(outcome.result.is_err(), "{what}: {outcome:?}");
            if !matches!(check.probe, ProbeSpec::Udp(_)) {
                let ended = tokio::time::timeout(SLACK, is_gone.recv()).await;
                assert!(ended.is_ok(), "{what}: the connection was held on");
            }
        }
    }
}
