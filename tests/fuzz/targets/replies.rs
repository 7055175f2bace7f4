//! What servers answer to probes, over loopback and through the whole probe: HTTP, gRPC, SMTP, databases, TLS, names, an
//! agent. A probe ends in its time, and what it says of an answer is one short line.

use super::bytes::Bytes;
use super::files::Parts;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tandem::model::{Check, Outcome};
use tandem::policy::{View, load};
use tandem::probe::{Probe, Prober, TlsProfiles, certificate_expiry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Runtime;
use tokio::time::timeout;

const CHECKS: &str = include_str!("policies/checks.yaml");
/// Beyond the time of a check: nothing may hold a probe up.
const GRACE: Duration = Duration::from_secs(5);
/// A line in a log; the longest parts of a reason are bounded to less.
const LONGEST_REASON: usize = 1_000;

thread_local! {
    static SITE: Site = Site::new();
}

/// The first byte chooses the check, the second the size of the pieces in which the rest is sent.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let (choice, size) = (usize::from(bytes.byte()), usize::from(bytes.byte()));
    SITE.with(|site| match site.probers.get(choice % (site.probers.len() + 1)) {
        Some(prober) => site.ask(prober, bytes.0, if size == 0 { usize::MAX } else { size }),
        None => drop(certificate_expiry(bytes.0)),
    });
}

/// A server for all checks, and the checks.
struct Site {
    runtime: Runtime,
    probers: Vec<Prober>,
    listener: TcpListener,
    socket: UdpSocket,
    target: SocketAddr,
}

impl Site {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (listener, socket) = runtime.block_on(same_port());
        let target = listener.local_addr().expect("an address");
        let checks = checks();
        let mut profiles = TlsProfiles::default();
        let probers = checks.iter().map(|check| Prober::new(check, &mut profiles).expect("a good check"));
        Self { probers: probers.collect(), runtime, listener, socket, target }
    }

    fn ask(&self, prober: &Prober, answer: &[u8], size: usize) {
        let outcome = self.runtime.block_on(async {
            let probe = timeout(prober.timeout() + GRACE, prober.probe(self.target));
            tokio::select! {
                outcome = probe => outcome.expect("a probe ends in its time"),
                () = self.serve(answer, size) => unreachable!("the server goes on"),
            }
        });
        is_short(&outcome);
    }

    /// Answers whoever comes with the same bytes, and closes.
    async fn serve(&self, answer: &[u8], size: usize) {
        let mut question = [0; 2048];
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        send(stream, answer, size).await;
                    }
                }
                heard = self.socket.recv_from(&mut question) => {
                    let Ok((length, from)) = heard else { continue };
                    let answer = to_question(answer, &question[..length]);
                    // Who has gone away needs no answer.
                    let _ = self.socket.send_to(&answer, from).await;
                }
            }
        }
    }
}

async fn same_port() -> (TcpListener, UdpSocket) {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        if let Ok(socket) = UdpSocket::bind(address).await {
            return (listener, socket);
        }
    }
}

/// The checks of the policy, and that of its pool's agent.
fn checks() -> Vec<Check> {
    let files = Parts::of("policy.yaml", CHECKS.as_bytes());
    let loaded = load("policy.yaml".as_ref(), &files, View::First);
    let policy = loaded.policy.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    policy.checks.values().cloned().collect()
}

async fn send(mut stream: TcpStream, answer: &[u8], size: usize) {
    let mut heard = [0; 512];
    for piece in answer.chunks(size) {
        if stream.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
        let _ = stream.try_read(&mut heard);
    }
    let _ = stream.shutdown().await;
    // Until the other has gone: a reset could take away what it has not read.
    while matches!(stream.read(&mut heard).await, Ok(1..)) {}
}

/// A datagram to a question of DNS: where it begins with zeros, the identifier of the question is put in.
fn to_question(answer: &[u8], question: &[u8]) -> Vec<u8> {
    let mut answer = answer.to_vec();
    if let (Some(own), Some(asked)) = (answer.first_chunk_mut::<2>(), question.first_chunk::<2>())
        && *own == [0, 0]
    {
        *own = *asked;
    }
    answer
}

fn is_short(outcome: &Outcome) {
    let Err(failure) = &outcome.result else { return };
    let words = failure.to_string();
    assert!(words.len() <= LONGEST_REASON, "{} bytes: {words}", words.len());
    assert!(!words.chars().any(char::is_control), "control characters: {words:?}");
    assert_ne!(failure.reason(), "panicked", "{words}");
}
