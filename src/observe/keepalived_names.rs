//! The families of keepalived_exporter, by its names, labels and values: what dashboards of a keepalived site go on with. Pure.
//!
//! A router of both families is one instance here, where keepalived has two. What Tandem does not count stays 0: so does
//! `packet_length_errors` of packets that are too short for any router. What the exporter asks of a script of its own
//! (`keepalived_exporter_check_script_status`) is left out, and so are its excluded addresses, which Tandem does not know.
//!
//! Source: mehdy/keepalived-exporter (port 9165).

use super::metrics::Families;
use crate::director::host_snapshot::RouterSnapshot;
use crate::director::snapshot::Snapshot;
use crate::vrrp::picture::{Counts, RouterPicture};
use crate::vrrp::role::Role;
use std::collections::BTreeMap;
use std::fmt;

/// All of them; for a director that is alone, only that it is up.
pub(super) fn write(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    families.info(
        "keepalived_exporter_build",
        "Version of the director, which answers by the names of keepalived_exporter",
        &[("version", env!("CARGO_PKG_VERSION"))],
    )?;
    families.gauge("keepalived_up", "1: the director that is asked runs", Some(1_u64))?;
    let instances: Vec<Instance<'_>> = instances(snapshot).collect();
    states(families, &instances)?;
    for (name, help, value) in COUNTERS {
        families.counters(
            &format!("keepalived_{name}"),
            help,
            instances.iter().map(|instance| (instance.labels(), value(&instance.heard.counts))),
        )?;
    }
    families.counters(
        "keepalived_gratuitous_arp_delay",
        "Seconds from a new Master's first announcements to the second ones: a setting, as the exporter shows it",
        instances
            .iter()
            .map(|instance| (instance.labels(), instance.said.announcement_delay.as_secs_f64())),
    )?;
    trackers(families, &instances)
}

/// A virtual router: what the policy says of it, and what became of it.
struct Instance<'a> {
    said: &'a RouterSnapshot,
    heard: &'a RouterPicture,
}

impl Instance<'_> {
    fn labels(&self) -> [(&'static str, String); 3] {
        let Self { said, .. } = self;
        [("iname", said.name.to_string()), ("intf", said.interface.clone()), ("vrid", said.vrid.to_string())]
    }
}

fn instances(snapshot: &Snapshot) -> impl Iterator<Item = Instance<'_>> {
    let heard = snapshot.pair.iter().flat_map(|pair| &pair.picture.routers);
    heard.filter_map(|heard| {
        let said = snapshot.routers.iter().find(|said| said.name == heard.name)?;
        Some(Instance { said, heard })
    })
}

/// One series an address, as the exporter has them: with the length of its prefix.
fn states(families: &mut Families<'_>, instances: &[Instance<'_>]) -> fmt::Result {
    let samples = instances.iter().flat_map(|instance| {
        instance.said.addresses.iter().map(|address| {
            let [name, interface, vrid] = instance.labels();
            ([name, interface, vrid, ("ip_address", address.to_string())], instance.heard.role as u64)
        })
    });
    families.gauges(
        "keepalived_vrrp_state",
        "Where the router is, by address: 0 initialize, 1 backup, 2 master, 3 fault",
        samples,
    )
}

/// The name without prefix and `_total`, the help, and the value.
type Counter = (&'static str, &'static str, fn(&Counts) -> u64);

const COUNTERS: [Counter; 14] = [
    ("advertisements_received", "Advertisements of others that were believed", |counts| counts.received),
    ("advertisements_sent", "Advertisements sent", |counts| counts.sent),
    ("become_master", "How often the router became Master here", |counts| became(counts, Role::Master)),
    ("release_master", "How often the router ceased to be Master here", |counts| counts.masterships_ended),
    ("packet_length_errors", "Packets that were cut off", |counts| {
        errors(counts, &["too_short", "address_list_length"])
    }),
    ("advertisements_interval_errors", "Advertisements of another interval", |counts| {
        errors(counts, &["interval_differs", "interval_mismatch", "interval_zero"])
    }),
    ("ip_ttl_errors", "Packets that a router had forwarded", |counts| errors(counts, &["ttl"])),
    ("invalid_type_received", "Packets that are no advertisements", |counts| errors(counts, &["wrong_type"])),
    ("address_list_errors", "Advertisements of other addresses", |counts| {
        errors(counts, &["address_list", "foreign_router", "no_address"])
    }),
    ("authentication_invalid", "Packets of an unknown kind of authentication", |counts| {
        errors(counts, &["unknown_authentication_type", "bad_trailer"])
    }),
    ("authentication_mismatch", "Packets with authentication where none is expected, or without", |counts| {
        errors(counts, &["password_not_expected", "missing"])
    }),
    ("authentication_failure", "Packets whose password or signature does not fit", |counts| {
        errors(counts, &["password", "wrong_password", "unknown_key", "bad_mac", "replayed", "stale_epoch"])
    }),
    ("priority_zero_received", "Masters that resigned", |counts| counts.resignations_received),
    ("priority_zero_sent", "Resignations of this director", |counts| counts.resignations_sent),
];

fn errors(counts: &Counts, kinds: &[&str]) -> u64 {
    kinds.iter().filter_map(|kind| counts.errors.get(kind)).sum()
}

fn became(counts: &Counts, role: Role) -> u64 {
    counts.transitions.iter().filter(|((to, _), _)| *to == role).map(|(_, count)| count).sum()
}

/// What is tracked stands for keepalived's scripts: good if it is good for every router. It never runs for long, so it is idle.
fn trackers(families: &mut Families<'_>, instances: &[Instance<'_>]) -> fmt::Result {
    let mut good = BTreeMap::<&str, u64>::new();
    for (name, is_good) in instances.iter().flat_map(|instance| &instance.heard.trackers) {
        let known = good.entry(name).or_insert(1);
        *known = u64::from(*is_good).min(*known);
    }
    let each = |value: fn(u64) -> u64| good.iter().map(move |(name, good)| ([("name", *name)], value(*good)));
    families.gauges("keepalived_script_status", "What is tracked: 1 good, 0 bad", each(|good| good))?;
    families.gauges(
        "keepalived_script_state",
        "Always 0, idle: trackers of Tandem are no scripts",
        each(|_| 0),
    )
}
