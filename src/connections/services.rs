//! What an entry's line does not tell: the firewall mark of its service, how packets go to its destination, and how long
//! its template shall live. Pure: from the tables that the kernel should hold.
//!
//! Source: `ip_vs_service_find` (a mark before an address, a port before every port), `ip_vs_sched_persist` (what a
//! template is keyed by).

use super::entry::{Entry, Kind};
use crate::model::{DestinationKey, Family, ForwardingMethod, PROBE_MARKS, Service, ServiceKey, Tables};
use std::net::IpAddr;

/// What goes into a record beside its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// 0: a service by address.
    pub mark: u32,
    pub method: ForwardingMethod,
    /// Seconds, 1..: for a connection the time that it has left; for a template the service's whole persistence, since the
    /// kernel uses what the record says for each further connection of the client.
    pub timeout_s: u32,
}

/// Finds the service of `entry` in the tables; `None` where it has none there, or not a single destination to tell the
/// forwarding method by.
#[must_use]
pub fn binding(tables: &Tables, entry: &Entry) -> Option<Binding> {
    service_of(tables, entry).and_then(|(key, service)| bound(key, service, entry))
}

/// The same for a connection of NAT or full-NAT that has just begun, which the kernel gave one of the destinations there are.
#[must_use]
pub fn new_binding(tables: &Tables, entry: &Entry) -> Option<Binding> {
    let (key, service) = service_of(tables, entry)?;
    let given = destination_of(service, entry)?;
    (given.method == ForwardingMethod::Masquerade).then(|| bound(key, service, entry)).flatten()
}

fn bound(key: ServiceKey, service: &Service, entry: &Entry) -> Option<Binding> {
    let mark = match key {
        ServiceKey::FirewallMark { mark, .. } => mark,
        ServiceKey::Address { .. } => 0,
    };
    let persistence = service.config.persistence.map(|persistence| persistence.timeout_s);
    let timeout_s = match entry.kind {
        Kind::Template { .. } => persistence.unwrap_or(entry.expires_s),
        Kind::Connection { .. } => entry.expires_s,
    };
    Some(Binding { mark, method: method_of(service, entry)?, timeout_s: timeout_s.max(1) })
}

/// How packets go to the destination of `entry`. A server that has left the table keeps its connections: those beside it are
/// reached in the same way.
pub(super) fn method_of(service: &Service, entry: &Entry) -> Option<ForwardingMethod> {
    let of_another = || service.destinations.values().next();
    destination_of(service, entry).or_else(of_another).map(|destination| destination.method)
}

/// The service of `entry` in the tables.
pub(super) fn service_of<'a>(tables: &'a Tables, entry: &Entry) -> Option<(ServiceKey, &'a Service)> {
    let find = |key: ServiceKey| tables.services.get(&key).map(|service| (key, service));
    let (address, port) = (entry.virtual_service.ip(), entry.virtual_service.port());
    let family = Family::of(address);
    let by_mark = |mark| find(ServiceKey::FirewallMark { family, mark });
    let Some(protocol) = entry.protocol else { return by_mark(mark_in(address)) };
    let by_address = |port| ServiceKey::Address { protocol, address, port };
    tables
        .ruleset
        .marks
        .get(&by_address(port))
        .and_then(|mark| by_mark(*mark))
        .or_else(|| find(by_address(port)))
        .or_else(|| find(by_address(0)))
        .or_else(|| the_one_by_mark(tables, family, entry))
}

/// A packet that the operator marks has any address and port: only its destination tells, if that is in one service alone.
fn the_one_by_mark<'a>(
    tables: &'a Tables,
    family: Family,
    entry: &Entry,
) -> Option<(ServiceKey, &'a Service)> {
    let mut fitting = tables.services.iter().filter(|(key, service)| {
        let by_mark = matches!(key, ServiceKey::FirewallMark { family: found, mark } if *found == family && !PROBE_MARKS.contains(mark));
        by_mark && destination_of(service, entry).is_some()
    });
    let (key, service) = fitting.next()?;
    fitting.next().is_none().then_some((*key, service))
}

/// The destination under the entry's own port, or under "the port that the client asked for".
fn destination_of<'a>(service: &'a Service, entry: &Entry) -> Option<&'a crate::model::Destination> {
    let key = |port| DestinationKey { address: entry.destination.ip(), port };
    let find = |port| service.destinations.get(&key(port));
    find(entry.destination.port()).or_else(|| find(0))
}

/// The mark that stands in the place of a template's virtual address, in network order.
fn mark_in(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let [one, two, three, four, ..] = address.octets();
            u32::from_be_bytes([one, two, three, four])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Standing;
    use crate::desired::fixtures::{host, mark, policy, pool, service, tables_on};
    use crate::model::{Forwarding, Persistence};

    const ESTABLISHED: &str = "TCP C0A8660A C350 C0A86564 0050 C0A8656E 0050 ESTABLISHED     899";

    fn entry(line: &str) -> Entry {
        Entry::parse(line).expect("an entry")
    }

    fn tables(edit: impl FnOnce(&mut crate::model::Pool)) -> Tables {
        let mut pool = pool("web", "192.168.101.100", &Forwarding::DirectRouting);
        edit(&mut pool);
        let policy = policy([pool]);
        tables_on(&policy, &host(&policy), |_, _| Standing::Up)
    }

    #[test]
    fn a_connection_has_the_method_of_its_destination_and_the_time_that_is_left() {
        let expected = Binding { mark: 0, method: ForwardingMethod::DirectRoute, timeout_s: 899 };
        assert_eq!(binding(&tables(|_| {}), &entry(ESTABLISHED)), Some(expected));
        let gone = ESTABLISHED.replace("C0A8656E", "C0A86599");
        assert_eq!(binding(&tables(|_| {}), &entry(&gone)), Some(expected), "a server that has left");
        let foreign = ESTABLISHED.replace("C0A86564", "C0A86565");
        assert_eq!(binding(&tables(|_| {}), &entry(&foreign)), None);
        let late = binding(&tables(|_| {}), &entry(&ESTABLISHED.replace("899", "0")));
        assert_eq!(late.map(|found| found.timeout_s), Some(1), "0 would mean as long as a new one");
    }

    #[test]
    fn a_template_lives_as_long_as_its_service_says() {
        let line = "TCP C0A8660A 0000 C0A86564 0050 C0A8656E 0050 NONE            7";
        let persistence = Some(Persistence { timeout_s: 600, prefix: 32 });
        let tables = tables(|pool| pool.services[0].config.persistence = persistence);
        assert_eq!(binding(&tables, &entry(line)).map(|found| found.timeout_s), Some(600));
    }

    #[test]
    fn joined_ports_and_operators_marks_are_found_again() {
        let joined = tables(|pool| {
            let mut by_mark = service(mark(9), "rr");
            by_mark.joined = vec![pool.services[0].key];
            pool.services = vec![by_mark];
        });
        assert_eq!(binding(&joined, &entry(ESTABLISHED)).map(|found| found.mark), Some(9));
        let operators = tables(|pool| pool.services = vec![service(mark(7), "rr")]);
        assert_eq!(binding(&operators, &entry(ESTABLISHED)).map(|found| found.mark), Some(7));
        let both = tables(|pool| pool.services = vec![service(mark(7), "rr"), service(mark(8), "rr")]);
        assert_eq!(binding(&both, &entry(ESTABLISHED)), None, "nobody knows which");
        let template = "IP  C0A8660A 0000 00000008 0000 C0A8656E 0000 ASSURED         360";
        assert_eq!(binding(&both, &entry(template)).map(|found| found.mark), Some(8));
    }
}
