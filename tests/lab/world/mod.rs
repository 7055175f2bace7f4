//! A small network of namespaces in which Tandem works as it does in a rack:
//!
//! ```text
//!   near client .10      real server .110    real server .210
//!        |                     |                   |
//!   ─────┴──────────┬──────────┴───────────────────┴─────  192.168.101.0/24   fd00:192:168:101::/64
//!                   | eth0 .200 (second director: .201)
//!                director                                   VIPs: .100, .101, ...
//!                   | eth1 .1   (second director: .2)
//!   ────────────────┴───────────┬────────────────────────  192.168.102.0/24   fd00:192:168:102::/64
//!                               |
//!                        far client .10
//! ```
//!
//! Clients of DR, TUN and full-NAT are near or far; NAT wants the far one (a near one would be answered past the director).
//! The world starts with kernel defaults on the director: what the director needs there is Tandem's work.
//!
//! Everything ends with the `World`: processes are killed by their ids, namespaces deleted.

pub(crate) mod addresses;
pub(crate) mod asked;
pub(crate) mod by_hand;
pub(crate) mod capture;
pub(crate) mod certificates;
pub(crate) mod clients;
pub(crate) mod director;
pub(crate) mod http;
pub(crate) mod installed;
pub(crate) mod ipvs;
pub(crate) mod load;
pub(crate) mod namespace;
pub(crate) mod netlink;
pub(crate) mod pair;
pub(crate) mod printed;
pub(crate) mod process;
pub(crate) mod real_server;
pub(crate) mod site;
pub(crate) mod tools;
pub(crate) mod wait;
pub(crate) mod watch;

use addresses::{far, near};
use namespace::Namespace;
use real_server::RealServer;

/// The directors' hosts on the near and the far network.
const DIRECTOR_HOSTS: [(u16, u16); 2] = [(200, 1), (201, 2)];

/// The two networks and all that is on them.
#[derive(Debug)]
pub(crate) struct World {
    // Dropped in this order: servers before the namespaces that they run in, the switches last.
    pub(crate) real_servers: Vec<RealServer>,
    pub(crate) directors: Vec<Namespace>,
    pub(crate) near_client: Namespace,
    pub(crate) far_client: Namespace,
    pub(crate) near_switch: Namespace,
    pub(crate) far_switch: Namespace,
    folder: tempfile::TempDir,
}

impl World {
    /// One director, two real servers with their web servers up, two clients.
    pub(crate) fn new() -> Self {
        Self::with_directors(1)
    }

    /// The same with a pair of directors.
    pub(crate) fn with_pair() -> Self {
        Self::with_directors(2)
    }

    fn with_directors(count: usize) -> Self {
        let [near_switch, far_switch] = ["near-switch", "far-switch"].map(Namespace::new);
        let [near_client, far_client] = ["near-client", "far-client"].map(Namespace::new);
        let directors: Vec<_> =
            ["director-a", "director-b"].into_iter().take(count).map(Namespace::new).collect();
        let servers = ["server-110", "server-210"].map(Namespace::new);

        near_switch
            .connect(&directors.iter().chain(&servers).chain([&near_client]).collect::<Vec<_>>(), "eth0");
        far_switch.connect(&directors.iter().chain([&far_client]).collect::<Vec<_>>(), "eth1");
        near_client.configure(&[("eth0", near(10))], None);
        far_client.configure(&[("eth1", far(10))], Some(far(1)));
        for (director, (near_host, far_host)) in directors.iter().zip(DIRECTOR_HOSTS) {
            director.configure(&[("eth0", near(near_host)), ("eth1", far(far_host))], None);
        }
        let folder = tempfile::tempdir().expect("a folder for the world");
        let real_servers: Vec<_> = servers
            .into_iter()
            .zip([110, 210])
            .map(|(namespace, host)| RealServer::new(namespace, host, folder.path()))
            .collect();
        real_servers.iter().for_each(RealServer::wait_until_serving);
        Self { real_servers, directors, near_client, far_client, near_switch, far_switch, folder }
    }

    /// The (first) director's namespace.
    pub(crate) fn director(&self) -> &Namespace {
        &self.directors[0]
    }

    /// A place for files that ends with the world.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}
