//! Ports of real servers: DR and TUN cannot map them, NAT and full-NAT must know which one.

use super::pool::Facts;
use super::servers::Entry;
use super::services::ServicePorts;
use crate::model::Forwarding;
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::read::Spanned;
use std::net::SocketAddr;

/// The port that an entry says: in its address, beside it, or where its set is used.
pub(super) fn port(entry: &Entry<'_>, problems: &mut Problems) -> Option<Spanned<u16>> {
    let beside = entry
        .options()
        .and_then(|options| options.port.given())
        .map(|port| Spanned { value: port.value.port(), span: port.span });
    let inside = entry.endpoint().port.map(|value| Spanned { value, span: entry.endpoint.span });
    let own = match (inside, beside) {
        (Some(inside), Some(beside)) if inside.value != beside.value => {
            let message = format!("this real server has two ports: {} and {}", inside.value, beside.value);
            let diagnostic = Diagnostic::new(Code::DuplicateServer, beside.span, message)
                .related(inside.span, "the other one");
            problems.push(diagnostic.help("keep one of them, or write two real servers"));
            Some(inside)
        }
        (inside, beside) => inside.or(beside),
    };
    if let Some(own) = own.as_ref().filter(|_| entry.from_set) {
        let message = format!("a host of a server set has no port, and this one says {}", own.value);
        problems.push(
            Diagnostic::new(Code::SetWithPort, own.span, message)
                .help("say it where the set is used: `real_servers: {set: NAME, port: PORT}`"),
        );
    }
    own.or_else(|| entry.set_port.cloned())
}

/// Ports against the method: DR and TUN cannot map them; NAT and full-NAT must know which one.
pub(super) fn port_fits(
    entry: &Entry<'_>,
    port: Option<&Spanned<u16>>,
    forwarding: &Spanned<Forwarding>,
    facts: &Facts<'_>,
    problems: &mut Problems,
) {
    let address = entry.endpoint().address;
    if facts.services.is_empty() {
        return;
    }
    match port {
        Some(port) if !forwarding.value.maps_ports() && facts.ports.single() != Some(port.value) => {
            problems.push(cannot_map(entry, port, &forwarding.value, facts));
        }
        None if forwarding.value.maps_ports() && !facts.ports.may_be_left_out() => {
            let why =
                if facts.has_marks() { "a firewall mark has none" } else { "the services have several" };
            let message =
                format!("the real server {address} must say its port: {why} that it could take over");
            let help =
                format!("write {}, or give each port a pool of its own", SocketAddr::new(address, 8080));
            problems.push(Diagnostic::new(Code::ServerPortMissing, entry.endpoint.span, message).help(help));
        }
        _ => {}
    }
}

fn cannot_map(
    entry: &Entry<'_>,
    port: &Spanned<u16>,
    forwarding: &Forwarding,
    facts: &Facts<'_>,
) -> Diagnostic {
    let (code, method) = match forwarding {
        Forwarding::DirectRouting => (Code::DrCannotMapPorts, "DR"),
        _ => (Code::TunCannotMapPorts, "TUN"),
    };
    let who = match entry.set_port {
        Some(of_set) if of_set.span == port.span => "this set".to_owned(),
        _ => format!("the real server {}", entry.endpoint().address),
    };
    let wanted = match facts.ports {
        ServicePorts::One(service) => format!("the service has port {service}"),
        ServicePorts::Every => "the service has every port".to_owned(),
        ServicePorts::Mark => "a firewall mark may be of any port".to_owned(),
        ServicePorts::Joined | ServicePorts::Several => "the services have several ports".to_owned(),
    };
    let message = format!("{method} cannot map ports: {who} says port {}, and {wanted}", port.value);
    Diagnostic::new(code, port.span, message)
        .help("leave the port out: the packet arrives as the client sent it; or forward with nat or full-nat")
}
