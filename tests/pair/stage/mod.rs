//! The stage of a pair: two directors and a client on one switch, and what is measured there.
//!
//! ```text
//!   client .10        lb-a .200      lb-b .201
//!      |                 |              |              the VIP: .100
//!   ───┴─────────────────┴──────────────┴─────────────  192.168.101.0/24   fd00:192:168:101::/64
//! ```
//!
//! Which program runs on which director is the user's choice ([`program`]): Tandem, keepalived or FRR. Who holds the VIP is
//! read from the directors' interfaces and never from a log ([`holders`]); who sends advertisements from the wire
//! ([`adverts`]); how long clients are without service from a client's pings ([`pinger`]).
//!
//! No IPVS is needed: the VIP itself answers.

pub(crate) mod adverts;
pub(crate) mod canary;
pub(crate) mod frr;
pub(crate) mod holders;
pub(crate) mod keepalived;
pub(crate) mod pinger;
pub(crate) mod program;
pub(crate) mod realtime;
pub(crate) mod setting;
pub(crate) mod tandem;
pub(crate) mod terminal;
pub(crate) mod typist;

use crate::world::addresses::{Addresses, Family, near};
use crate::world::namespace::Namespace;
use std::path::Path;
use typist::Typist;

/// Names of the directors, as in the policy. The first is the preferred one.
pub(crate) const NAMES: [&str; 2] = ["lb-a", "lb-b"];
/// Their hosts on the network.
pub(crate) const HOSTS: [u16; 2] = [200, 201];
/// The interface of every machine.
pub(crate) const INTERFACE: &str = "eth0";
const CLIENT_HOST: u16 = 10;
const VIP_HOST: u16 = 100;
/// The link-local address that IPv6 sends first.
pub(crate) const LINK_LOCAL_VIP: &str = "fe80::100";
/// Index of the director that is preferred, and of the other.
pub(crate) const PREFERRED: usize = 0;
pub(crate) const OTHER: usize = 1;

/// The VIP in both families.
pub(crate) fn vip() -> Addresses {
    near(VIP_HOST)
}

/// A director's own addresses.
pub(crate) fn dip(director: usize) -> Addresses {
    near(HOSTS[director])
}

/// The machines and their cables. Everything ends with it.
#[derive(Debug)]
pub(crate) struct Stage {
    typists: [Typist; 2],
    switch_typist: Typist,
    pub(crate) directors: [Namespace; 2],
    pub(crate) client: Namespace,
    pub(crate) switch: Namespace,
    folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let [switch, client] = ["switch", "client"].map(Namespace::new);
        let directors = NAMES.map(Namespace::new);
        switch.connect(&directors.iter().chain([&client]).collect::<Vec<_>>(), INTERFACE);
        client.configure(&[(INTERFACE, near(CLIENT_HOST))], None);
        for (number, director) in directors.iter().enumerate() {
            director.configure(&[(INTERFACE, dip(number))], None);
        }
        let folder = tempfile::tempdir().expect("a folder for the stage");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).expect("a folder that FRR's user can enter");
        let typists = [Typist::new(&directors[0]), Typist::new(&directors[1])];
        let switch_typist = Typist::new(&switch);
        Self { typists, switch_typist, directors, client, switch, folder }
    }

    /// A place for files that ends with the stage.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The client's own address.
    pub(crate) fn client_address(&self) -> Addresses {
        near(CLIENT_HOST)
    }

    /// Pulls a director's cable out of the switch, or puts it back.
    pub(crate) fn set_cable(&self, director: usize, plugged: bool) {
        let state = if plugged { "up" } else { "down" };
        self.switch_typist.type_line(&format!("link set {} {state}", NAMES[director]));
    }

    /// Takes the VIP from a director by hand: what a dead one that nobody takes care of keeps. The prefix length does not
    /// matter, nor whether it is there.
    pub(crate) fn take_vip_away(&self, director: usize) {
        let Addresses { ipv4, ipv6 } = vip();
        self.typists[director].type_line(&format!("addr flush to {ipv4}/32"));
        self.typists[director].type_line(&format!("addr flush to {ipv6}/128"));
    }

    /// The link-layer address at which the client sends to the VIP now, as `ip neighbour` prints it.
    pub(crate) fn neighbour_of_client(&self, family: Family) -> Option<String> {
        let text = self.client.run(&format!("ip -j neighbour show to {} dev {INTERFACE}", vip().of(family)));
        let list: serde_json::Value = serde_json::from_str(&text).expect("JSON of ip");
        Some(list.get(0)?.get("lladdr")?.as_str()?.to_owned())
    }

    /// The link-layer address of a director's interface.
    pub(crate) fn link_address(&self, director: usize, interface: &str) -> String {
        let text = self.directors[director].run(&format!("ip -j link show dev {interface}"));
        let list: serde_json::Value = serde_json::from_str(&text).expect("JSON of ip");
        list[0]["address"].as_str().expect("a link-layer address").to_owned()
    }
}
