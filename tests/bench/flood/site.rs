//! The site of the flood: a pair whose metrics and API are open to the network.

use crate::director;
use crate::servers::{Servers, address};
use crate::stage::{NAMES, OTHER, PREFERRED, Stage, dip, vip};
use crate::world::process::Process;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SERVERS: usize = 200;
const POOLS: usize = 4;
/// Of the advertisements.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);
const METRICS: u16 = 9752;
const API: u16 = 9750;
/// The certificate of the authority that signed the API's, for callers.
pub(crate) const AUTHORITY: &str = "authority.pem";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Two directors with their servers.
pub(crate) struct Pair<'a> {
    pub(crate) stage: &'a Stage,
    running: [Process; 2],
    _servers: [Servers; 2],
}

impl<'a> Pair<'a> {
    pub(crate) fn start(stage: &'a Stage) -> Self {
        let folder = |director: usize| stage.folder().join(NAMES[director]);
        let servers = [PREFERRED, OTHER].map(|director| {
            fs::create_dir_all(folder(director)).expect("a folder");
            write_secrets(&folder(director), director);
            write_policy(&folder(director));
            Servers::start(&stage.directors[director], &folder(director))
        });
        let start = |director: usize| {
            director::start_as(&stage.directors[director], &folder(director), NAMES[director])
        };
        Self { stage, running: [start(PREFERRED), start(OTHER)], _servers: servers }
    }

    /// Of the director that is called.
    pub(crate) fn folder(&self) -> PathBuf {
        self.stage.folder().join(NAMES[PREFERRED])
    }

    /// Of the director that is called.
    pub(crate) fn pid(&self) -> u32 {
        self.running[PREFERRED].pid()
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

/// The same for both directors.
fn write_policy(folder: &Path) {
    let own = |director: usize| format!("{}: {{address: {}}}", NAMES[director], dip(director).ipv4);
    let mut text = format!(
        "policy_version: 1\ndirectors: {{{}, {}}}\nvirtual_routers:\n  outside: {{interface: eth0, vrid: 51, \
         advertisement_interval: {}ms, priority: {{{}: 200, {}: 100}}, virtual_addresses: [{}/24]}}\n\
         metrics: {{listen: 0.0.0.0:{METRICS}}}\napi:\n  listen: 0.0.0.0:{API}\n  tls: {{certificate: {{file: \
         api.pem}}, key: {{file: api.key}}}}\n  tokens: [{{name: ops, scope: act, token: {{file: token}}}}]\n\
         checks: {{alive: {{tcp: {{}}, interval: 1s, timeout: 1s, fall: 2, rise: 1}}}}\n\
         defaults: {{pool: {{scheduler: wrr, forwarding: nat, check: alive}}}}\npools:\n",
        own(PREFERRED),
        own(OTHER),
        INTERVAL.as_millis(),
        NAMES[PREFERRED],
        NAMES[OTHER],
        vip().ipv4,
    );
    for pool in 0..POOLS {
        let (vip, port) = (vip().ipv4, 1_000 + pool);
        let _ =
            writeln!(text, "  pool-{pool}:\n    virtual_services: [tcp://{vip}:{port}]\n    real_servers:");
        let size = SERVERS / POOLS;
        for server in pool * size..(pool + 1) * size {
            let _ = writeln!(text, "      - {{address: {}:80}}", address(server));
        }
    }
    fs::write(folder.join(director::POLICY), text).expect("the policy file");
}
