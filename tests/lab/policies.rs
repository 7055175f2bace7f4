//! The four ways of forwarding as cases use them: the shipped policies, the same for IPv6, and the real servers' side.

use std::net::IpAddr;
use std::time::Duration;

use crate::world::World;
use crate::world::addresses::{Family, near};
use crate::world::namespace::Namespace;
use crate::world::real_server::{Encapsulation, RealServer};
use crate::world::wait::until;

/// Both servers have passed their checks by then.
const JOIN_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Nat,
    Dr,
    Tun(Encapsulation),
    FullNat,
}

impl Mode {
    /// The policy as it is shipped.
    pub(crate) const fn shipped(self) -> &'static str {
        match self {
            Self::Nat => include_str!("../../conf/nat.yaml"),
            Self::Dr => include_str!("../../conf/dr.yaml"),
            Self::Tun(_) => include_str!("../../conf/tun.yaml"),
            Self::FullNat => include_str!("../../conf/full-nat.yaml"),
        }
    }

    /// The shipped policy, with this family's addresses and this encapsulation.
    pub(crate) fn policy(self, family: Family) -> String {
        let policy = match family {
            Family::Ipv4 => self.shipped().to_owned(),
            Family::Ipv6 => with_ipv6(self.shipped()),
        };
        match self {
            Self::Tun(Encapsulation::Gue { port }) => {
                forwarded(&policy, "tun", &format!("{{tun: {{encapsulation: gue, port: {port}}}}}"))
            }
            Self::Tun(Encapsulation::Gre) => forwarded(&policy, "tun", "{tun: {encapsulation: gre}}"),
            _ => policy,
        }
    }

    /// NAT's clients are on another network than its servers.
    pub(crate) const fn client(self, world: &World) -> &Namespace {
        match self {
            Self::Nat => &world.far_client,
            Self::Dr | Self::Tun(_) | Self::FullNat => &world.near_client,
        }
    }

    /// What an administrator does on a real server for this mode.
    pub(crate) fn set_up(self, server: &RealServer, vip: IpAddr) {
        match self {
            Self::Nat => server.set_up_nat(near(200)),
            Self::Dr => server.set_up_dr(vip),
            Self::Tun(encapsulation) => server.set_up_tun(vip, encapsulation),
            Self::FullNat => {}
        }
    }
}

/// A policy of `conf` with IPv6 addresses in the place of its IPv4 ones, quoted as YAML wants them.
fn with_ipv6(policy: &str) -> String {
    let hosts = [100, 110, 210].map(near);
    hosts.iter().fold(policy.to_owned(), |policy, host| {
        let (ipv4, ipv6) = (host.ipv4, host.ipv6);
        policy
            .replace(&format!("tcp://{ipv4}:80"), &format!("\"tcp://[{ipv6}]:80\""))
            .replace(&format!("{ipv4}/24"), &format!("\"{ipv6}/64\""))
            .replace(&format!("{ipv4}:80"), &format!("\"[{ipv6}]:80\""))
            .replace(&ipv4.to_string(), &format!("\"{ipv6}\""))
    })
}

/// The policy with another forwarding method.
#[track_caller]
pub(crate) fn forwarded(policy: &str, from: &str, to: &str) -> String {
    let changed = policy.replace(&format!("forwarding: {from}"), &format!("forwarding: {to}"));
    assert_ne!(changed, policy, "the policy says `forwarding: {from}`");
    changed
}

/// Waits until the kernel has so many destinations, all services together.
#[track_caller]
pub(crate) fn wait_for_destinations(director: &Namespace, count: usize) {
    until("destinations in the table", JOIN_LIMIT, || {
        let table = director.ipvs();
        let found = table.iter().map(|service| service.destinations.len()).sum::<usize>();
        if found == count { Ok(()) } else { Err(format!("{found} of {count}: {table:#?}")) }
    });
}

/// The addresses that asked a real server for `path`, which no check asks for, oldest first.
pub(crate) fn askers(server: &RealServer, path: &str) -> Vec<String> {
    let request = format!("\"GET {path} ");
    let log = server.log("access.log");
    let asker = |line: &str| line.split(' ').next().map(str::to_owned);
    log.lines().filter(|line| line.contains(&request)).filter_map(asker).collect()
}
