//! The network of `conf/pair.yaml`, as that file describes it: the policy runs here unchanged.
//!
//! ```text
//!   client .10     server .110    server .210
//!      |              |               |
//!   ───┴──────┬───────┴──┬────────────┴───────  192.168.101.0/24, "outside"; VIPs .100 to .103
//!             | .200     | .201
//!           lb-a       lb-b
//!             | .2       | .3
//!   ──────────┴───────┬──┴────────────┬───────  10.20.0.0/24, "inside"; gateway .1, local addresses .20 to .23
//!                     | .11           | .12
//!                server .110    server .210     (the same two machines)
//! ```
//!
//! A real server answers what came to its inside address by the gateway, as a machine with that one link would: by a rule of
//! its own, since the client is on its outside link too. IPv4 only, as the policy.

use super::addresses::near;
use super::namespace::Namespace;
use super::real_server::{Encapsulation, RealServer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

pub(crate) const POLICY: &str = include_str!("../../../conf/pair.yaml");
/// Names of the directors in the policy, and of their namespaces; the first is the preferred one.
pub(crate) const NAMES: [&str; 2] = ["lb-a", "lb-b"];
/// The preferred director, and the other.
pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;
const OUTSIDE_HOSTS: [u16; 2] = [200, 201];
const INSIDE_HOSTS: [u8; 2] = [2, 3];
/// A real server's host outside and inside.
const SERVER_HOSTS: [(u16, u8); 2] = [(110, 11), (210, 12)];
const CLIENT_HOST: u16 = 10;
const GATEWAY_HOST: u8 = 1;
const LOCAL_HOSTS: [u8; 4] = [20, 21, 22, 23];
/// Of both networks, less one VIP for each pool.
pub(crate) const FLOATING: usize = POOLS.len() + 1 + LOCAL_HOSTS.len();
/// What both tables hold when all is well: two real servers in each pool.
pub(crate) const DESTINATIONS: usize = 2 * POOLS.len();

/// A pool of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pool {
    Nat,
    Dr,
    Tun,
    FullNat,
}

pub(crate) const POOLS: [Pool; 4] = [Pool::Nat, Pool::Dr, Pool::Tun, Pool::FullNat];

impl Pool {
    pub(crate) fn vip(self) -> IpAddr {
        let host = match self {
            Self::Nat => 100,
            Self::Dr => 101,
            Self::Tun => 102,
            Self::FullNat => 103,
        };
        near(host).ipv4.into()
    }

    /// What clients connect to.
    pub(crate) fn service(self) -> SocketAddr {
        SocketAddr::new(self.vip(), 80)
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Nat => "NAT",
            Self::Dr => "DR",
            Self::Tun => "TUN",
            Self::FullNat => "full-NAT",
        })
    }
}

fn inside(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 20, 0, host)
}

/// Every address that floats: VIPs, the gateway, local addresses.
pub(crate) fn floating() -> Vec<IpAddr> {
    let inside_hosts = [GATEWAY_HOST].into_iter().chain(LOCAL_HOSTS);
    POOLS.into_iter().map(Pool::vip).chain(inside_hosts.map(|host| inside(host).into())).collect()
}

/// The machines and their cables. Everything ends with it.
#[derive(Debug)]
pub(crate) struct Site {
    // Dropped in this order: servers before the namespaces that they run in, the switches last.
    pub(crate) real_servers: Vec<RealServer>,
    pub(crate) directors: [Namespace; 2],
    pub(crate) client: Namespace,
    pub(crate) outside: Namespace,
    pub(crate) inside: Namespace,
    folder: tempfile::TempDir,
}

impl Site {
    /// Both directors' machines, two real servers that are set up for all four pools and serve, one client.
    pub(crate) fn new() -> Self {
        let [outside_switch, inside_switch] = ["outside", "inside"].map(Namespace::new);
        let client = Namespace::new("client");
        let directors = NAMES.map(Namespace::new);
        let servers = ["server-110", "server-210"].map(Namespace::new);
        let both: Vec<&Namespace> = directors.iter().chain(&servers).collect();
        outside_switch.connect(&both.iter().copied().chain([&client]).collect::<Vec<_>>(), "eth0");
        inside_switch.connect(&both, "eth1");
        client.configure(&[("eth0", near(CLIENT_HOST))], None);
        for (number, director) in directors.iter().enumerate() {
            director.configure(&[("eth0", near(OUTSIDE_HOSTS[number]))], None);
            director.ip(&format!("addr add {}/24 dev eth1\nlink set eth1 up", inside(INSIDE_HOSTS[number])));
        }
        let folder = tempfile::tempdir().expect("a folder for the site");
        let real_servers: Vec<_> = servers
            .into_iter()
            .zip(SERVER_HOSTS)
            .map(|(namespace, (host, inside_host))| {
                let server = RealServer::new(namespace, host, folder.path());
                set_up(&server, inside(inside_host));
                server
            })
            .collect();
        real_servers.iter().for_each(RealServer::wait_until_serving);
        Self { real_servers, directors, client, outside: outside_switch, inside: inside_switch, folder }
    }

    /// A place for files that ends with the site.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Pulls a director's cable out of the outside switch, or puts it back.
    pub(crate) fn set_outside(&self, director: usize, plugged: bool) {
        self.directors[director].set_cable(&self.outside, plugged);
    }

    pub(crate) fn set_inside(&self, director: usize, plugged: bool) {
        self.directors[director].set_cable(&self.inside, plugged);
    }

    /// A new connection to a pool's VIP by `curl`.
    pub(crate) fn curl(&self, pool: Pool) -> Result<String, String> {
        self.client.curl(&format!("http://{}/", pool.vip()))
    }
}

/// What the administrator of a real server does for the pools. DR's and TUN's VIPs are different ones.
fn set_up(server: &RealServer, own: Ipv4Addr) {
    server.namespace.ip(&format!(
        "addr add {own}/24 dev eth1\nlink set eth1 up\n\
         rule add from {own} lookup 20\n\
         route add 10.20.0.0/24 dev eth1 src {own} table 20\n\
         route add default via {} table 20",
        inside(GATEWAY_HOST)
    ));
    server.set_up_dr(Pool::Dr.vip());
    server.set_up_tun(Pool::Tun.vip(), Encapsulation::IpIp);
}
