//! How connections come about (shell): one director connects and the other accepts, each from and at its own addresses.

use super::fault::Fault;
use super::identity::{Names, accepting, connecting};
use super::link;
use super::shared::Shared;
use crate::hash::mix;
use crate::model::DirectorName;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Handshakes at the same time.
const MOST_HANDSHAKES: usize = 8;
/// Connections that wait in the kernel.
const BACKLOG: u32 = 16;
/// After an accept that failed (too many open files, say), and before an address is tried again that is not there yet.
const LISTEN_AGAIN: Duration = Duration::from_millis(500);
/// A connection that stood so long begins the back-off anew.
const STOOD: Duration = Duration::from_secs(10);
/// Where no address fits, only a reload helps.
const NO_WAY: Duration = Duration::from_secs(60);

/// Accepts at one of the own addresses, for ever.
pub(super) async fn accept(shared: Arc<Shared>, address: IpAddr) {
    let at = SocketAddr::new(address, shared.settings.port);
    let (tls, names) = match accepting(&shared.settings) {
        Ok((tls, names)) => (TlsAcceptor::from(tls), names),
        Err(error) => return tracing::error!("no channel between the directors at {at}: {error}"),
    };
    let places = Arc::new(Semaphore::new(MOST_HANDSHAKES));
    loop {
        let Some(listener) = bound(at, &shared).await else { continue };
        while let Ok((stream, from)) = listener.accept().await {
            let Some(name) = shared.settings.at(from.ip()) else {
                shared.stranger(from.ip());
                continue;
            };
            match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let (shared, tls, names) = (Arc::clone(&shared), tls.clone(), names.clone());
                    let name = name.clone();
                    tokio::spawn(async move {
                        let greeted = greeted(stream, &tls, &names, &shared).await;
                        drop(place);
                        match greeted {
                            Ok((stream, proven)) => link::run(stream, &proven, &shared).await,
                            Err(fault) => shared.failed(&name, fault),
                        }
                    });
                }
                Err(_) => shared.failed(name, Fault::Busy),
            }
        }
        sleep(LISTEN_AGAIN).await;
    }
}

/// The address may come after the start, or still be the last thread's.
async fn bound(at: SocketAddr, shared: &Shared) -> Option<TcpListener> {
    let bind = || {
        let socket = socket(at.ip())?;
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        socket.listen(BACKLOG)
    };
    match bind() {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::debug!("cannot listen at {at}: {error}");
            let others = shared.settings.others.keys().filter(|other| !shared.settings.connects_to(other));
            for other in others {
                shared.failed(other, Fault::Listen(at, io::Error::new(error.kind(), error.to_string())));
            }
            sleep(LISTEN_AGAIN).await;
            None
        }
    }
}

async fn greeted(
    stream: TcpStream,
    tls: &TlsAcceptor,
    names: &Names,
    shared: &Shared,
) -> Result<(tokio_rustls::server::TlsStream<TcpStream>, DirectorName), Fault> {
    stream.set_nodelay(true).ok();
    let stream = timeout(shared.pace.handshake, tls.accept(stream)).await;
    let stream =
        stream.map_err(|_| Fault::TimedOut(shared.pace.handshake.as_secs()))?.map_err(Fault::of_handshake)?;
    let name = names.of(stream.get_ref().1.peer_certificates()).cloned();
    name.map(|name| (stream, name)).ok_or(Fault::WrongKey)
}

/// Connects to a director again and again, for ever; `seed` spreads the tries.
pub(super) async fn connect(shared: Arc<Shared>, name: DirectorName, seed: u64) {
    let tls = match connecting(&shared.settings, &name) {
        Ok(tls) => TlsConnector::from(tls),
        Err(error) => return tracing::error!("no channel to {name}: {error}"),
    };
    let ways = shared.settings.ways_to(&name);
    if ways.is_empty() {
        shared.failed(&name, Fault::NoWay);
        return sleep(NO_WAY).await;
    }
    let mut failures = 0;
    for (attempt, (own, their)) in (0_u64..).zip(ways.iter().cycle()) {
        let begun = Instant::now();
        match connected(*own, *their, &tls, &shared).await {
            Ok(stream) => link::run(stream, &name, &shared).await,
            Err(fault) => shared.failed(&name, fault),
        }
        failures = if begun.elapsed() >= STOOD { 0 } else { failures + 1 };
        sleep(wait(failures, seed.wrapping_add(attempt), &shared)).await;
    }
}

async fn connected(
    own: IpAddr,
    their: SocketAddr,
    tls: &TlsConnector,
    shared: &Shared,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Fault> {
    let within = shared.pace.handshake;
    let begin = async {
        let socket = socket(own).map_err(Fault::Unreachable)?;
        socket.bind(SocketAddr::new(own, 0)).map_err(Fault::Unreachable)?;
        let stream = socket.connect(their).await.map_err(Fault::Unreachable)?;
        stream.set_nodelay(true).ok();
        let name = ServerName::IpAddress(their.ip().into());
        tls.connect(name, stream).await.map_err(Fault::of_handshake)
    };
    timeout(within, begin).await.map_err(|_| Fault::TimedOut(within.as_secs()))?
}

fn socket(own: IpAddr) -> io::Result<TcpSocket> {
    if own.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// Doubled with each failure up to a bound, and three to five quarters of that: two directors that lost each other at one
/// moment don't come back at one.
fn wait(failures: u32, number: u64, shared: &Shared) -> Duration {
    let pace = shared.pace;
    let doubled = pace.again.saturating_mul(1 << failures.saturating_sub(1).min(10));
    let spread = u32::try_from(mix(number) % 512).unwrap_or_default();
    doubled.min(pace.again_at_most) * (768 + spread) / 1_024
}
