//! Which entries of connection tracking the connections of NAT and full-NAT need that another director told. Pure.
//!
//! IPVS's synchronisation tells the real server, and nothing of the source that the real server sees: that is in the
//! tracking of the kernel that translated it. Under our own rules it follows from the client
//! ([`Ruleset::repeatable_sources`](crate::model::Ruleset)), so a packet of the client's makes the entry again. An answer
//! that comes before any such packet needs it to be there: with full-NAT it would not find the client, which has nothing to
//! send again; with NAT it would make an entry the wrong way round, and when the client takes its port again, the kernel
//! would give its first packet another port for the sake of that one.
//!
//! Not for SCTP, whose tracking needs the verification tags of both sides, which nobody tells.

use super::entry::{Entry, Kind};
use super::services::{method_of, service_of};
use crate::model::{ConntrackEntry, ForwardingMethod, Protocol, Tables};
use std::collections::HashMap;

/// The state of tracking (`enum tcp_conntrack`) at the number of each of IPVS's (`IP_VS_TCP_S_*`). A handshake that is not
/// complete counts as established, which lets the rest of it through. Of one that waits out its time nothing is under way,
/// and an entry for it would stand in the way of a client that takes the port again.
const TCP_STATES: [Option<u8>; 11] = [
    None,
    Some(3), // ESTABLISHED
    Some(3), // SYN_SENT
    Some(3), // SYN_RECV
    Some(4), // FIN_WAIT
    None,    // TIME_WAIT
    None,    // CLOSE
    Some(5), // CLOSE_WAIT
    Some(6), // LAST_ACK
    None,    // LISTEN
    Some(3), // SYNACK
];

/// The entries that tracking should have.
#[must_use]
pub fn conntrack_entries(told: impl IntoIterator<Item = Entry>, tables: &Tables) -> Vec<ConntrackEntry> {
    told.into_iter().filter_map(|entry| conntrack_entry(&entry, tables)).collect()
}

/// Of connections that would bear one source to one real server none: which of them had to take another port is known to the
/// first director alone.
#[must_use]
pub fn unambiguous(entries: Vec<ConntrackEntry>) -> Vec<ConntrackEntry> {
    let mut bearers = HashMap::with_capacity(entries.len());
    for entry in &entries {
        *bearers.entry(entry.answers()).or_insert(0_u32) += 1;
    }
    entries.into_iter().filter(|entry| bearers.get(&entry.answers()) == Some(&1)).collect()
}

fn conntrack_entry(entry: &Entry, tables: &Tables) -> Option<ConntrackEntry> {
    let Kind::Connection { state, over: false, .. } = entry.kind else { return None };
    let connection = entry.connection()?;
    let tcp_state = match connection.protocol {
        Protocol::Tcp => Some(TCP_STATES.get(usize::from(state)).copied().flatten()?),
        Protocol::Udp => None,
        Protocol::Sctp => return None,
    };
    let (key, service) = service_of(tables, entry)?;
    method_of(service, entry).filter(|method| *method == ForwardingMethod::Masquerade)?;
    let source = tables.ruleset.source(&key, entry.client.ip())?;
    Some(ConntrackEntry { connection, source, tcp_state, timeout_s: entry.expires_s.max(1) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Standing;
    use crate::desired::fixtures::{host, policy, pool, tables_on};
    use crate::model::{Forwarding, SourceTranslation};
    use std::net::IpAddr;

    const ESTABLISHED: &str = "TCP C0A8660A C350 C0A86564 0050 C0A8656E 0050 ESTABLISHED     899";

    fn addresses() -> Vec<IpAddr> {
        ["10.20.0.8", "10.20.0.9"].map(|text| text.parse().expect("an address")).to_vec()
    }

    fn tables(forwarding: &Forwarding) -> Tables {
        let policy = policy([pool("web", "192.168.101.100", forwarding)]);
        let mut tables = tables_on(&policy, &host(&policy), |_, _| Standing::Up);
        tables.ruleset.repeatable_sources = true;
        tables
    }

    fn of(lines: &[&str], tables: &Tables) -> Vec<ConntrackEntry> {
        unambiguous(conntrack_entries(lines.iter().filter_map(|line| Entry::parse(line)), tables))
    }

    fn full_nat() -> Tables {
        tables(&Forwarding::FullNat(SourceTranslation::LocalAddresses(addresses())))
    }

    #[test]
    fn a_connection_of_full_nat_bears_the_local_address_that_the_rules_choose_and_the_clients_port() {
        let found = of(&[ESTABLISHED], &full_nat());
        let [entry] = found[..] else { panic!("{found:?}") };
        assert!(addresses().contains(&entry.source));
        assert_eq!(entry.local().port(), 0xC350);
        assert_eq!((entry.tcp_state, entry.timeout_s), (Some(3), 899));
        let sources: std::collections::BTreeSet<IpAddr> = (0..32)
            .map(|client| ESTABLISHED.replace("0A C350", &format!("{client:02X} C350")))
            .flat_map(|line| of(&[&line], &full_nat()))
            .map(|entry| entry.source)
            .collect();
        assert_eq!(sources.len(), 2, "clients are spread");
    }

    #[test]
    fn a_connection_of_nat_bears_the_clients_own_address() {
        let found = of(&[ESTABLISHED], &tables(&Forwarding::Nat));
        let [entry] = found[..] else { panic!("{found:?}") };
        assert_eq!(entry.local(), entry.connection.client);
    }

    #[test]
    fn what_has_ended_and_what_is_not_translated_needs_none() {
        assert_eq!(of(&[&ESTABLISHED.replace("ESTABLISHED", "CLOSE")], &full_nat()), []);
        assert_eq!(of(&[&ESTABLISHED.replace("ESTABLISHED", "LISTEN")], &full_nat()), []);
        assert_eq!(of(&[&ESTABLISHED.replace("ESTABLISHED", "TIME_WAIT")], &full_nat()), []);
        let template = "TCP C0A8660A 0000 C0A86564 0050 C0A8656E 0050 ASSURED     899";
        assert_eq!(of(&[template], &full_nat()), []);
        assert_eq!(of(&[ESTABLISHED], &tables(&Forwarding::DirectRouting)), []);
        let mut untracked = tables(&Forwarding::Nat);
        untracked.ruleset.untracked = untracked.services.keys().copied().collect();
        assert_eq!(of(&[ESTABLISHED], &untracked), []);
        let masquerade = Forwarding::FullNat(SourceTranslation::Masquerade);
        assert_eq!(of(&[ESTABLISHED], &tables(&masquerade)), [], "an address of the other director alone");
        let mut random = full_nat();
        random.ruleset.repeatable_sources = false;
        assert_eq!(of(&[ESTABLISHED], &random), []);
    }

    #[test]
    fn two_that_would_bear_one_source_are_left_to_their_own_packets() {
        let sources: Vec<String> =
            (0..32).map(|client| ESTABLISHED.replace("0A C350", &format!("{client:02X} C350"))).collect();
        let lines: Vec<&str> = sources.iter().map(String::as_str).collect();
        assert_eq!(of(&lines, &full_nat()), [], "32 clients with one port share two addresses");
    }
}
