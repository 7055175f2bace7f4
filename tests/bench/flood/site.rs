//! The site of the flood: a pair whose metrics and API are open to the network.

use crate::probed::{Probing, Site};
use crate::stage::{PREFERRED, Stage, dip};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

const SITE: Site = Site { servers: 200, pools: 4, check: "interval: 1s, timeout: 1s, fall: 2, rise: 1" };
const METRICS: u16 = 9752;
const API: u16 = 9750;
/// The certificate of the authority that signed the API's, for callers.
pub(crate) const AUTHORITY: &str = "authority.pem";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Two directors with their servers.
pub(crate) struct Pair<'a> {
    pub(crate) stage: &'a Stage,
    probing: Probing<'a>,
}

impl<'a> Pair<'a> {
    pub(crate) fn start(stage: &'a Stage) -> Self {
        let prepare = |folder: &Path, director| {
            write_secrets(folder, director);
            SITE.write(folder, &open(), |_| 1);
        };
        Self { stage, probing: Probing::start(stage, prepare) }
    }

    /// Of the director that is called.
    pub(crate) fn folder(&self) -> PathBuf {
        self.probing.folder(PREFERRED)
    }

    /// Of the director that is called.
    pub(crate) fn pid(&self) -> u32 {
        self.probing.pid(PREFERRED)
    }

    /// Whether the called director's API can be connected to.
    pub(crate) fn listens(&self) -> bool {
        self.stage.client.inside(|| TcpStream::connect(api()).is_ok())
    }
}

/// Addresses of the client's beside its own.
const SOURCES: &str = "10.200.0.0/16";

/// One of them.
pub(crate) fn source(number: u128) -> Ipv4Addr {
    let [low, high] = [number % 256, number / 256 % 256].map(|byte| u8::try_from(byte).expect("a byte"));
    Ipv4Addr::new(10, 200, high, low)
}

/// Gives the client all of them.
pub(crate) fn add_sources(stage: &Stage) {
    stage.client.ip(&format!("route add local {SOURCES} dev lo"));
    for director in &stage.directors {
        director.ip(&format!("route add {SOURCES} via {}", stage.client_address().ipv4));
    }
}

/// The called director's metrics.
pub(crate) fn metrics() -> SocketAddr {
    SocketAddr::new(dip(PREFERRED).ipv4.into(), METRICS)
}

/// The called director's API.
pub(crate) fn api() -> SocketAddr {
    SocketAddr::new(dip(PREFERRED).ipv4.into(), API)
}

fn write_secrets(folder: &Path, director: usize) {
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = || KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
    let own = key();
    let names = CertificateParams::new(vec![dip(director).ipv4.to_string()]).expect("a name");
    write(AUTHORITY, &authority.pem());
    write("api.pem", &names.signed_by(&own, &authority).expect("a certificate").pem());
    write("api.key", &own.serialize_pem());
    write("token", TOKEN);
}

/// Metrics and API, as both directors open them.
fn open() -> String {
    format!(
        "metrics: {{listen: 0.0.0.0:{METRICS}}}\napi:\n  listen: 0.0.0.0:{API}\n  tls: {{certificate: {{file: \
         api.pem}}, key: {{file: api.key}}}}\n  tokens: [{{name: ops, scope: act, token: {{file: token}}}}]\n"
    )
}
