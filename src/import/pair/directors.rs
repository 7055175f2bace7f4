//! Directors: their names and addresses, as far as the files say them.

use super::{Pair, Part};
use crate::import::names;
use crate::import::site::{Router, Site};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The last byte of the first address that stands in for one that is not known (RFC 5737, RFC 3849).
const FIRST_STAND_IN: u8 = 201;

/// One of the machines that hold the routers.
#[derive(Clone, Debug)]
pub(in crate::import) struct Director {
    pub(in crate::import) name: String,
    pub(in crate::import) guessed_name: bool,
    pub(in crate::import) ipv4: Option<Address>,
    pub(in crate::import) ipv6: Option<Address>,
}

/// An address, or what stands in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::import) struct Address {
    pub(in crate::import) address: IpAddr,
    pub(in crate::import) guessed: bool,
}

impl Director {
    pub(super) fn has(&self, address: IpAddr) -> bool {
        [self.ipv4, self.ipv6].into_iter().flatten().any(|own| own.address == address)
    }
}

/// This machine, and the others that its file or theirs tell of.
pub(super) fn directors(site: &Site, other: Option<&Site>, parts: &[Part]) -> Vec<Director> {
    let mut used = used(site);
    let mut taken = BTreeSet::new();
    let needs_ipv6 = parts.iter().any(|part| {
        site.routers.get(part.router).is_some_and(|router| router.unicast)
            && part.addresses.iter().any(|net| net.addr().is_ipv6())
    });
    let needs_ipv4 =
        !needs_ipv6 || parts.iter().any(|part| part.addresses.iter().any(|net| net.addr().is_ipv4()));
    let others = others(site, other);
    let own = own_addresses(&site.routers, other.map(|other| other.routers.as_slice()));
    let known = std::iter::once((site.name.as_ref(), own)).chain(others);
    let mut number = 0_u8;
    // An address that two machines seem to have is the first one's.
    let mut said = BTreeSet::new();
    known
        .map(|(name, own)| (name, own.map(|own| own.filter(|address| said.insert(*address)))))
        .map(|(name, [ipv4, ipv6])| {
            number = number.saturating_add(1);
            let guess = format!("director-{number}");
            let mut stand_in = |six: bool| stand_in(six, number, &mut used);
            let mut address = |known: Option<IpAddr>, needed: bool, six: bool| match known {
                Some(address) => Some(Address { address, guessed: false }),
                None => needed.then(|| Address { address: stand_in(six), guessed: true }),
            };
            Director {
                ipv4: address(ipv4, needs_ipv4, false),
                ipv6: address(ipv6, needs_ipv6, true),
                guessed_name: name.is_none(),
                name: names::unique(name.unwrap_or(&guess), &mut taken),
            }
        })
        .collect()
}

/// Addresses of the other machines: of the other file, else of the unicast peers, else one that nothing is known of.
fn others<'a>(site: &'a Site, other: Option<&'a Site>) -> Vec<(Option<&'a String>, [Option<IpAddr>; 2])> {
    if let Some(other) = other {
        let own = own_addresses(&other.routers, Some(&site.routers));
        let same_name = other.name == site.name;
        return vec![(other.name.as_ref().filter(|_| !same_name), own)];
    }
    let own: BTreeSet<IpAddr> = site.routers.iter().filter_map(|router| router.source).collect();
    let peers = |six: bool| -> Vec<IpAddr> {
        let all = site.routers.iter().map(|router| {
            // Who is listed twice is one machine, and who sends to itself another one's copy.
            let mut known = own.clone();
            router
                .peers
                .iter()
                .map(|(peer, _)| *peer)
                .filter(|peer| peer.is_ipv6() == six && good(*peer) && known.insert(*peer))
                .collect::<Vec<_>>()
        });
        all.max_by_key(Vec::len).unwrap_or_default()
    };
    let (four, six) = (peers(false), peers(true));
    let count = four.len().max(six.len()).max(1);
    (0..count).map(|index| (None, [four.get(index).copied(), six.get(index).copied()])).collect()
}

/// The addresses that a machine's routers bear, or that the other machine sends to, where that is one.
fn own_addresses(routers: &[Router], others: Option<&[Router]>) -> [Option<IpAddr>; 2] {
    [false, true].map(|six| {
        let own = routers
            .iter()
            .filter_map(|router| router.source)
            .find(|source| source.is_ipv6() == six && good(*source));
        own.or_else(|| {
            let peers = others?.iter().flat_map(|router| &router.peers).map(|(peer, _)| *peer);
            let peers: BTreeSet<IpAddr> = peers.filter(|peer| peer.is_ipv6() == six && good(*peer)).collect();
            peers.first().copied().filter(|_| peers.len() == 1)
        })
    })
}

/// Whether another machine can reach an address without its interface.
fn good(address: IpAddr) -> bool {
    let link_local = matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || link_local)
}

/// Every address that means something in the file.
fn used(site: &Site) -> BTreeSet<IpAddr> {
    let floating =
        site.routers.iter().flat_map(|router| router.addresses.iter().map(|address| address.net.addr()));
    let servers = site.pools.iter().flat_map(|pool| pool.servers.iter().map(|server| server.address));
    let peers = site.routers.iter().flat_map(|router| router.peers.iter().map(|(peer, _)| *peer));
    let sources = site.routers.iter().filter_map(|router| router.source);
    floating.chain(servers).chain(peers).chain(sources).collect()
}

fn stand_in(six: bool, number: u8, used: &mut BTreeSet<IpAddr>) -> IpAddr {
    let of = |last: u8| match six {
        false => IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        true => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last))),
    };
    let from = FIRST_STAND_IN.saturating_add(number - 1);
    let free = (from..255).chain(1..from).map(of).find(|address| !used.contains(address));
    let address = free.unwrap_or_else(|| of(from));
    used.insert(address);
    address
}

/// A floating address is its owner's with priority 255 alone: nobody else has it for its own.
pub(super) fn own_no_floating(pair: &mut Pair, site: &Site) {
    let mut used = used(site);
    for (index, director) in pair.directors.iter_mut().enumerate() {
        let owner = pair
            .parts
            .iter()
            .find(|part| part.priorities.get(index).is_some_and(|(priority, _)| *priority == 255));
        let owned = owner.and_then(|part| part.addresses.first()).map(|net| net.addr());
        let floats = |address: IpAddr| {
            pair.parts.iter().any(|part| {
                let is_owner = part.priorities.get(index).is_some_and(|(priority, _)| *priority == 255);
                !is_owner && part.addresses.iter().any(|net| net.addr() == address)
            })
        };
        let number = u8::try_from(index + 1).unwrap_or(u8::MAX);
        for (own, six) in [(&mut director.ipv4, false), (&mut director.ipv6, true)] {
            let Some(address) = own else { continue };
            if let Some(owned) = owned.filter(|owned| owned.is_ipv6() == six && address.guessed) {
                *address = Address { address: owned, guessed: false };
            }
            if floats(address.address) {
                *address = Address { address: stand_in(six, number, &mut used), guessed: true };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::import::keepalived;
    use crate::import::verdict::Ledger;
    use crate::policy::Files;
    use std::path::{Path, PathBuf};

    struct Nothing;

    impl Files for Nothing {
        fn read(&self, _: &Path, _: usize) -> Result<Vec<u8>, String> {
            Err("no such file".to_owned())
        }

        fn glob(&self, _: &Path) -> Result<Vec<PathBuf>, String> {
            Ok(Vec::new())
        }
    }

    /// What `tests/fuzz` found: the policy that was written was refused.
    #[test]
    fn a_peer_that_is_listed_twice_is_one_director_and_no_other_one_has_its_address() {
        let text = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n unicast_src_ip 10.0.0.1\n unicast_peer {\n 10.0.0.2\n 10.0.0.3\n 10.0.0.2\n 10.0.0.1\n }\n virtual_ipaddress {\n 10.0.0.9/24\n }\n}\n";
        let mut ledger = Ledger::default();
        let site = keepalived::read(Path::new("a"), text, &Nothing, "lb-a", &mut ledger).expect("a site");
        let all = |other| -> Vec<String> {
            let directors = super::directors(&site, other, &[]);
            directors
                .iter()
                .map(|one| one.ipv4.map_or(String::new(), |own| own.address.to_string()))
                .collect()
        };
        assert_eq!(all(None), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        assert_eq!(all(Some(&site)), ["10.0.0.1", "192.0.2.202"], "one file, given twice");
    }
}
