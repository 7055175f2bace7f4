//! Virtual services: patterns expanded, and what their ports mean for the real servers.

use super::addresses::{Role, usable};
use super::{MAX_SERVICES, marks};
use crate::model::{Family, PROBE_MARKS, Protocol, ServiceKey};
use crate::policy::address::ServicePattern;
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::read::Spanned;
use crate::policy::schema::{PoolText, ServiceText};
use crate::policy::source::Span;
use std::collections::BTreeSet;

/// The ports of a pool's services, as far as its real servers are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum ServicePorts {
    /// All services have this one: a real server may leave it out.
    One(u16),
    /// Port 0: a real server keeps the port that the client asked for.
    Every,
    /// Several ports, joined to one service: a real server that says none keeps the client's.
    Joined,
    /// Several ports, each a service of its own.
    Several,
    /// A firewall mark, whose packets may have any port.
    Mark,
}

impl ServicePorts {
    /// Of the services as they were said, before joining.
    pub(in crate::policy) fn of<'a>(
        services: impl Iterator<Item = &'a ServiceKey> + Clone,
        joined: bool,
    ) -> Self {
        if services.clone().any(|service| matches!(service, ServiceKey::FirewallMark { .. })) {
            return Self::Mark;
        }
        let ports: BTreeSet<Option<u16>> = services.map(ServiceKey::port).collect();
        match (ports.first(), ports.len()) {
            (Some(Some(port)), 1) => Self::One(*port),
            (Some(None), 1) => Self::Every,
            _ if joined => Self::Joined,
            _ => Self::Several,
        }
    }

    /// The port of a real server that says none, where that is one port.
    pub(in crate::policy) const fn single(self) -> Option<u16> {
        match self {
            Self::One(port) => Some(port),
            Self::Every | Self::Joined | Self::Several | Self::Mark => None,
        }
    }

    /// Whether a real server that says no port keeps the client's, so that mapping methods need none.
    pub(super) const fn may_be_left_out(self) -> bool {
        matches!(self, Self::One(_) | Self::Every | Self::Joined)
    }
}

/// Every service of a pool, in the order of the file, each once. `room` is how many the policy may still have.
pub(super) fn expand(pool: &PoolText, room: usize, problems: &mut Problems) -> Vec<Spanned<ServiceKey>> {
    let mut services = Vec::new();
    for said in pool.virtual_services.value().map(|list| list.0.as_slice()).unwrap_or_default() {
        if count(&said.value) > room.saturating_sub(services.len()) {
            problems.push(too_many(said.span));
            break;
        }
        expand_one(said, &mut services, problems);
    }
    services
}

fn count(service: &ServiceText) -> usize {
    match &service.0 {
        ServicePattern::Mark { .. } => 1,
        ServicePattern::Addresses { range, ports, .. } => {
            range.addresses().count() * ports.iter().map(ExactSizeIterator::len).sum::<usize>()
        }
    }
}

fn too_many(span: Span) -> Diagnostic {
    let message = format!("with this range the policy has more than {MAX_SERVICES} virtual services");
    Diagnostic::new(Code::RangeTooLarge, span, message)
        .help("match the traffic in nftables, and use one fwmark:// service")
}

fn expand_one(said: &Spanned<ServiceText>, services: &mut Vec<Spanned<ServiceKey>>, problems: &mut Problems) {
    let span = said.span;
    match &said.value.0 {
        ServicePattern::Mark { family, mark } => {
            services.push(Spanned { value: ServiceKey::FirewallMark { family: *family, mark: *mark }, span });
        }
        ServicePattern::Addresses { protocol, range, ports } => {
            for address in range.addresses() {
                if !usable(address, Role::Vip, span, problems) {
                    break;
                }
                let keys = ports.iter().cloned().flatten().map(|port| ServiceKey::Address {
                    protocol: *protocol,
                    address,
                    port,
                });
                services.extend(keys.map(|value| Spanned { value, span }));
            }
        }
    }
}

/// The families of the services.
pub(super) fn families(services: &[Spanned<ServiceKey>]) -> BTreeSet<Family> {
    services.iter().map(|service| service.value.family()).collect()
}

/// The first service that is surely not UDP. A firewall mark may be of UDP, and is trusted to be.
pub(super) fn not_udp(services: &[Spanned<ServiceKey>]) -> Option<&Spanned<ServiceKey>> {
    services.iter().find(|service| {
        matches!(service.value, ServiceKey::Address { protocol: Protocol::Tcp | Protocol::Sctp, .. })
    })
}

/// What cannot be joined: marks, and services of every port.
pub(super) fn joinable(services: &[Spanned<ServiceKey>], problems: &mut Problems) {
    for service in services {
        let (why, help) = match service.value {
            ServiceKey::FirewallMark { .. } => (
                "is marked by your own rules already",
                "leave `join_ports` out: a mark joins whatever carries it",
            ),
            ServiceKey::Address { port: 0, .. } => {
                ("is every port already", "leave `join_ports` out: port 0 joins all ports")
            }
            ServiceKey::Address { .. } => continue,
        };
        let message = format!("{} {why}, and cannot be joined", service.value);
        problems.push(Diagnostic::new(Code::JoinPorts, service.span, message).help(help));
    }
}

/// A mark that an operator uses must not be one of ours; they are told before one is shared by chance.
pub(super) fn outside_our_marks(services: &[Spanned<ServiceKey>], problems: &mut Problems) {
    for service in services {
        if let ServiceKey::FirewallMark { mark, .. } = service.value
            && (marks::RANGE.contains(&mark) || PROBE_MARKS.contains(&mark))
        {
            let message = format!(
                "the mark {mark:#x} is in the range that `join_ports` and `real_path` take theirs from"
            );
            let help = format!("take one outside {:#x} to {:#x}", marks::RANGE.start(), PROBE_MARKS.end());
            problems.push(Diagnostic::new(Code::OutOfRange, service.span, message).help(help));
        }
    }
}
