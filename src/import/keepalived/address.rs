//! Addresses with what stands behind them: `192.168.1.5/24 dev eth1 label eth1:1`.

use super::context::Context;
use super::tree::Statement;
use crate::import::names;
use crate::import::site::Floating;
use crate::import::verdict::{Judged, near, none, same};
use ipnet::IpNet;
use std::net::IpAddr;

/// `ADDRESS` or `ADDRESS/LENGTH`, where the mask may be dotted; without one the address is alone in its network.
pub(super) fn net(text: &str) -> Option<IpNet> {
    let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
    let address: IpAddr = address.parse().ok()?;
    match mask {
        None => Some(IpNet::from(address)),
        Some(mask) => match mask.parse::<u8>() {
            Ok(length) => IpNet::new(address, length).ok(),
            Err(_) => IpNet::with_netmask(address, mask.parse().ok()?).ok(),
        },
    }
}

/// An address line, and its verdict where it is taken.
pub(super) fn floating(statement: &Statement) -> Result<(Floating, Judged), Judged> {
    let text = statement.name();
    let Some(net) = net(text) else { return Err(none(format!("{text} is not an address"))) };
    if let Some(why) = unusable(net) {
        return Err(none(why));
    }
    let mut device = None;
    let mut left_out = Vec::new();
    let mut words = statement.arguments().iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "dev" => device = words.next().and_then(names::interface),
            "scope" if words.clone().next() == Some("global") => drop(words.next()),
            "brd" | "scope" | "label" | "peer" | "preferred_lft" | "track_group" => {
                left_out.push(word);
                words.next();
            }
            other => left_out.push(other),
        }
    }
    let judged = if left_out.is_empty() {
        same()
    } else {
        near(format!("the address alone: {} cannot be said", left_out.join(", ")))
    };
    Ok((Floating { net, device, at: statement.at }, judged))
}

/// Why nobody can hold an address.
fn unusable(net: IpNet) -> Option<String> {
    let address = net.addr();
    let whole = address.is_ipv4() && net.prefix_len() < 31;
    let kind = match address {
        _ if address.is_loopback() || address.is_unspecified() || address.is_multicast() => {
            "not an address that can float"
        }
        _ if whole && address == net.network() => "the address of its network itself",
        _ if whole && address == net.broadcast() => "the broadcast address of its network",
        _ => return None,
    };
    Some(format!("{net} is {kind}"))
}

/// `static_ipaddress`: what a machine holds whoever is Master.
pub(super) fn held(statement: &Statement, context: &mut Context<'_>) {
    for line in statement.inside() {
        match floating(line) {
            Ok((address, judged)) => {
                let device = address.device.clone().unwrap_or_else(|| context.globals.interface.clone());
                context.site.held.push((address.net, device, line.at));
                context.note(line, judged);
            }
            Err(judged) => context.note(line, judged),
        }
    }
}
