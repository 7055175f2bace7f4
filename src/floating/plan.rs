//! What the keeper keeps: the addresses of every virtual router and the interface of each, derived from the policy. Pure.
//!
//! With a virtual MAC the addresses live on a macvlan above the router's interface, one a family since the families have
//! MACs of their own (RFC 9568, section 7.3).

use crate::model::{AnnouncementPolicy, Family, Pair, RouterName, VirtualRouter};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;

/// From so many directors on a dead one must lose its addresses by itself.
const DIRECTORS_OF_A_PAIR: usize = 2;

/// All routers of a policy; a [`crate::vrrp::RouterId`] is a place in `routers`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Plan {
    /// Whether addresses are held with a lifetime: there is another director that takes them over.
    pub lifetimes: bool,
    pub routers: Vec<RouterPlan>,
}

/// One router's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterPlan {
    pub name: RouterName,
    /// The interface of the policy; the addresses' own differs with a virtual MAC.
    pub interface: Arc<str>,
    pub vrid: NonZeroU8,
    pub virtual_mac: bool,
    pub announcements: AnnouncementPolicy,
    /// The advertised ones first, then the local ones, each in the order of the policy.
    pub addresses: Vec<PlannedAddress>,
}

/// One address and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedAddress {
    pub address: IpAddr,
    /// Where it is added: the router's interface, or its macvlan.
    pub interface: Arc<str>,
}

impl Plan {
    /// The plan of a policy.
    #[must_use]
    pub fn of(pair: &Pair) -> Self {
        let mut earlier: BTreeMap<NonZeroU8, usize> = BTreeMap::new();
        let routers = pair.routers.values().map(|router| {
            let namesakes = earlier.entry(router.vrid).or_default();
            *namesakes += 1;
            RouterPlan::of(router, *namesakes - 1)
        });
        let routers = routers.collect();
        Self { lifetimes: pair.directors.len() >= DIRECTORS_OF_A_PAIR, routers }
    }
}

impl RouterPlan {
    /// `namesakes`: routers before this one with the same VRID, on other interfaces.
    fn of(router: &VirtualRouter, namesakes: usize) -> Self {
        let interface: Arc<str> = router.interface.as_str().into();
        let place = |address| PlannedAddress {
            address,
            interface: if router.virtual_mac {
                macvlan_name(Family::of(address), router.vrid, namesakes)
            } else {
                Arc::clone(&interface)
            },
        };
        let addresses = router.floating_addresses().map(place).collect();
        Self {
            name: Arc::clone(&router.name),
            vrid: router.vrid,
            virtual_mac: router.virtual_mac,
            announcements: router.announcements,
            addresses,
            interface,
        }
    }
}

/// `vrrp4-51`; a VRID's second router is `vrrp4-51-1`. At most 15 bytes, as the kernel wants, up to 9,999 namesakes.
fn macvlan_name(family: Family, vrid: NonZeroU8, namesakes: usize) -> Arc<str> {
    let family = match family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    match namesakes {
        0 => format!("vrrp{family}-{vrid}").into(),
        more => format!("vrrp{family}-{vrid}-{more}").into(),
    }
}

/// The virtual router's MAC (RFC 9568, section 7.3).
#[must_use]
pub const fn virtual_mac(family: Family, vrid: NonZeroU8) -> [u8; 6] {
    let family = match family {
        Family::Ipv4 => 1,
        Family::Ipv6 => 2,
    };
    [0x00, 0x00, 0x5e, 0x00, family, vrid.get()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures;
    use crate::model::Director;

    fn router(name: &str, interface: &str, virtual_mac: bool) -> (RouterName, VirtualRouter) {
        let router = VirtualRouter {
            interface: interface.to_owned(),
            addresses: vec![
                "192.0.2.1/24".parse().expect("a network"),
                "2001:db8::1/64".parse().expect("a network"),
            ],
            local_addresses: vec!["192.0.2.9".parse().expect("an address")],
            virtual_mac,
            ..fixtures::router(name, 51)
        };
        (name.into(), router)
    }

    fn places(router: &RouterPlan) -> Vec<String> {
        router.addresses.iter().map(|place| format!("{} {}", place.address, place.interface)).collect()
    }

    #[test]
    fn advertised_and_local_addresses_are_kept_on_the_routers_interface() {
        let mut pair = Pair { routers: [router("outside", "eth0", false)].into(), ..Pair::default() };
        assert_eq!(
            places(&Plan::of(&pair).routers[0]),
            ["192.0.2.1 eth0", "2001:db8::1 eth0", "192.0.2.9 eth0"]
        );
        pair.directors = [("a".into(), Director::default())].into();
        assert!(!Plan::of(&pair).lifetimes, "a director that is alone holds its addresses for ever");
        pair.directors.insert("b".into(), Director::default());
        assert!(Plan::of(&pair).lifetimes);
    }

    #[test]
    fn a_virtual_mac_has_an_interface_of_its_own_for_each_family() {
        let routers = [router("a", "eth0", true), router("b", "eth1", true)].into();
        let plan = Plan::of(&Pair { routers, ..Pair::default() });
        assert_eq!(
            places(&plan.routers[0]),
            ["192.0.2.1 vrrp4-51", "2001:db8::1 vrrp6-51", "192.0.2.9 vrrp4-51"]
        );
        assert_eq!(places(&plan.routers[1])[0], "192.0.2.1 vrrp4-51-1");
        let vrid = NonZeroU8::new(51).expect("not 0");
        assert_eq!(virtual_mac(Family::Ipv4, vrid), [0, 0, 0x5e, 0, 1, 51]);
        assert_eq!(virtual_mac(Family::Ipv6, vrid), [0, 0, 0x5e, 0, 2, 51]);
    }
}
