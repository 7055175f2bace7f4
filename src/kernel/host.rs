//! How this host reaches addresses: one `RTM_GETROUTE` for each, many in flight.
//!
//! It needs neither IPVS nor privilege, so a policy can be checked anywhere. It is a moment's picture: nothing follows
//! later changes of the routes.

use super::KernelError;
use super::routing::{Routing, errno_of};
use crate::model::{Family, HostFacts, KernelRelease, Reach};
use futures_util::{StreamExt, TryStreamExt, stream};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use rtnetlink::Handle;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::sync::Arc;

/// Look-ups under way at once.
const LOOKUPS_IN_FLIGHT_MAX: usize = 64;
/// Look-ups in one call, which has a time limit: these take far less than it.
const LOOKUPS_PER_CALL_MAX: usize = 1_000;

/// Asks the kernel how each of these addresses is reached from this thread's network namespace.
///
/// # Errors
/// When the kernel cannot be asked; an address without a route is a fact, not an error.
pub fn host_facts(addresses: &BTreeSet<IpAddr>) -> Result<HostFacts, KernelError> {
    let routing = Routing::open()?;
    let interfaces = routing.interfaces()?.into_iter();
    let interfaces = &interfaces.map(|(index, name)| (index, name.into())).collect();
    let addresses: Vec<IpAddr> = addresses.iter().copied().collect();
    let mut reach = Vec::with_capacity(addresses.len());
    for part in addresses.chunks(LOOKUPS_PER_CALL_MAX) {
        let found = routing.call("look up routes", |handle| async move {
            let lookups = stream::iter(part).map(|address| look_up(handle.clone(), *address));
            // The answers themselves are a kilobyte each, and not kept.
            let lookups = lookups.buffered(LOOKUPS_IN_FLIGHT_MAX);
            let found = lookups.map_ok(|(address, route)| (address, reach_of(route.as_ref(), interfaces)));
            found.try_collect::<Vec<_>>().await
        })?;
        reach.extend(found);
    }
    // Collected at once it takes half of the memory that insertions one after the other would.
    Ok(HostFacts { reach: reach.into_iter().collect(), kernel: kernel_release() })
}

/// The version of this host's kernel; `None` where it cannot be read.
#[must_use]
pub fn kernel_release() -> Option<KernelRelease> {
    fs::read_to_string("/proc/sys/kernel/osrelease").ok().and_then(|text| KernelRelease::parse(&text))
}

/// The route to an address; `None` where the kernel says that there is none.
async fn look_up(
    handle: Handle,
    address: IpAddr,
) -> Result<(IpAddr, Option<RouteMessage>), rtnetlink::Error> {
    let mut question = RouteMessage::default();
    question.header.address_family = match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    question.header.destination_prefix_length = Family::of(address).bits();
    question.attributes.push(RouteAttribute::Destination(address.into()));
    let answer = handle.route().get(question).execute().try_collect::<Vec<_>>().await;
    match answer {
        Ok(routes) => Ok((address, routes.into_iter().next())),
        Err(error) if errno_of(&error).is_some_and(means_no_route) => Ok((address, None)),
        Err(error) => Err(error),
    }
}

/// The errnos of a missing route and of those that drop: `unreachable`, `prohibit`, `blackhole`.
const fn means_no_route(errno: i32) -> bool {
    matches!(errno, libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL)
}

pub(super) fn reach_of(route: Option<&RouteMessage>, interfaces: &BTreeMap<u32, Arc<str>>) -> Reach {
    let Some(route) = route else { return Reach::Unreachable };
    let index = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    });
    let interface = index.and_then(|index| interfaces.get(&index)).cloned().unwrap_or_default();
    let via =
        |attribute: &RouteAttribute| matches!(attribute, RouteAttribute::Gateway(_) | RouteAttribute::Via(_));
    match route.header.kind {
        RouteType::Local | RouteType::Anycast => Reach::Local,
        RouteType::Unicast if route.attributes.iter().any(via) => Reach::Gateway { interface },
        RouteType::Unicast => Reach::OnLink { interface },
        _ => Reach::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_says_how_addresses_are_reached() {
        let [own, multicast]: [IpAddr; 2] =
            ["127.0.0.1", "224.0.0.1"].map(|a| a.parse().expect("an address"));
        let facts = host_facts(&BTreeSet::from([own, multicast])).expect("the kernel answers");
        assert_eq!(facts.reach[&own], Reach::Local);
        assert_eq!(facts.reach[&multicast], Reach::Unreachable);
    }

    #[test]
    fn a_route_is_read_by_its_type_and_its_gateway() {
        let interfaces = BTreeMap::from([(2, "eth0".into())]);
        let mut route = RouteMessage::default();
        route.header.kind = RouteType::Unicast;
        route.attributes.push(RouteAttribute::Oif(2));
        let interface: Arc<str> = "eth0".into();
        assert_eq!(reach_of(Some(&route), &interfaces), Reach::OnLink { interface: interface.clone() });
        route.attributes.push(RouteAttribute::Gateway(IpAddr::from([192, 0, 2, 1]).into()));
        assert_eq!(reach_of(Some(&route), &interfaces), Reach::Gateway { interface });
        route.header.kind = RouteType::BlackHole;
        assert_eq!(reach_of(Some(&route), &interfaces), Reach::Unreachable);
        assert_eq!(reach_of(None, &interfaces), Reach::Unreachable);
    }
}
