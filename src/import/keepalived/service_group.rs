//! `virtual_server_group`: addresses, ranges and marks with one set of real servers.

use super::context::Context;
use super::tree::Statement;
use super::value::mark;
use crate::import::site::{Protocol, Service};
use crate::import::verdict::{none, same};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn block(statement: &Statement, context: &mut Context<'_>) {
    let mut services = Vec::new();
    for line in statement.inside() {
        let judged = match service(line) {
            Some(service) => {
                services.push((service, line.at));
                same()
            }
            None => none("neither an address with its port, nor a range, nor a mark"),
        };
        context.note(line, judged);
    }
    let name = statement.word(1).unwrap_or("group").to_owned();
    context.service_groups.insert(name, services);
}

/// `ADDRESS PORT`, a range of addresses, or `fwmark N`. The protocol is the virtual server's.
fn service(line: &Statement) -> Option<Service> {
    if line.name() == "fwmark" {
        return Some(Service::Mark { mark: mark(line.word(1)?)?, ipv6: line.word(2) == Some("inet6") });
    }
    let (first, last) = range(line.name())?;
    let port = line.word(1).map_or(Some(0), |port| port.parse().ok())?;
    Some(Service::Addresses { protocol: Protocol::Tcp, first, last, port })
}

/// The first and the last address of `10.0.0.1`, `10.0.0.1-9`, `10.0.0.250-10.0.1.9` or `10.0.0.8/29`.
fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Ok(net) = text.parse::<IpNet>() {
        return Some((net.network(), net.broadcast()));
    }
    let (first, last) = text.split_once('-').map_or((text, None), |(first, last)| (first, Some(last)));
    let first: IpAddr = first.parse().ok()?;
    let Some(last) = last else { return Some((first, first)) };
    let last = match (first, last.parse::<IpAddr>()) {
        (_, Ok(last)) => last,
        (IpAddr::V4(address), Err(_)) => {
            let [a, b, c, _] = address.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, last.parse().ok()?))
        }
        (IpAddr::V6(address), Err(_)) => {
            let [a, b, c, d, e, f, g, _] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, u16::from_str_radix(last, 16).ok()?))
        }
    };
    (first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_in_every_form() {
        let shown = |text| range(text).map(|(first, last)| format!("{first} {last}"));
        assert_eq!(shown("10.0.0.1").as_deref(), Some("10.0.0.1 10.0.0.1"));
        assert_eq!(shown("10.0.0.1-9").as_deref(), Some("10.0.0.1 10.0.0.9"));
        assert_eq!(shown("10.0.0.250-10.0.1.9").as_deref(), Some("10.0.0.250 10.0.1.9"));
        assert_eq!(shown("10.0.0.8/29").as_deref(), Some("10.0.0.8 10.0.0.15"));
        assert_eq!(shown("2001:db8::1-a").as_deref(), Some("2001:db8::1 2001:db8::a"));
        assert_eq!([shown("10.0.0.9-1"), shown("x")], [None, None]);
    }
}
