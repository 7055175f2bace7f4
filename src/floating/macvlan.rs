//! The macvlans of virtual MACs: which links there should be, what to change where the kernel has others, and the settings
//! that they and their parents need. Pure; [`super::thread`] does it.
//!
//! - A macvlan is up only while its router is Master (the keeper says when). Down it sends nothing, so switches never see
//!   the virtual MAC behind a Backup, and the parent hears the other director's frames that bear it.
//! - Mode bridge: in private mode the kernel gives a broadcast from outside that bears a macvlan's own MAC to that macvlan
//!   alone, so a Master's parent would be deaf to another Master. In mode bridge the parent hears everything, which is why
//!   claims and advertisements are listened to there. Two routers' macvlans on one parent don't disturb each other: each
//!   answers for its own addresses only.
//! - The tables of the parent stay in use: a macvlan has no route but to link-local neighbours, so answers leave by the
//!   parent, with the parent's MAC.
//! - What the parent's settings were is kept in the macvlan's alias (`ip link` shows it): it lives exactly as long as what
//!   we changed, so that a run after one that was killed can restore it too.
//!
//! Sources: RFC 9568, section 7.3; `drivers/net/macvlan.c` (`macvlan_handle_frame`), Documentation/networking/ip-sysctl.rst;
//! keepalived's `vrrp_if_config.c` for the settings.

use super::plan::{Plan, virtual_mac};
use crate::model::{Family, Sysctl};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `MACVLAN_MODE_BRIDGE`.
pub const MODE_BRIDGE: u32 = 4;
/// The kind of link that we make, and the only one that we ever remove.
pub const KIND: &str = "macvlan";
/// The first word of the alias of each link that we made.
const ALIAS: &str = "tandem";

/// The parent must neither answer for an address that the macvlan holds (`arp_ignore`) nor name it as the sender of its own
/// requests, which would tell the neighbours the parent's MAC (`arp_announce`). With the first, keepalived's `arp_filter` has
/// nothing left to filter. IPv6 asks for an address on the very interface in both cases.
const PARENT: [(&str, &str); 2] = [("arp_ignore", "1"), ("arp_announce", "2")];
/// Values of `arp_ignore` that are as strict at least: the operator's stay.
const ARP_IGNORE_ENOUGH: [&str; 3] = ["1", "2", "8"];

/// A link that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Macvlan {
    pub name: Arc<str>,
    /// The router's interface.
    pub parent: Arc<str>,
    /// Each family has a MAC of its own.
    pub family: Family,
    pub hardware_address: [u8; 6],
}

/// A link that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLink {
    pub name: String,
    pub index: u32,
    pub up: bool,
    /// `None`: the driver of a real interface names no kind.
    pub kind: Option<String>,
    /// Index of the interface below it; 0 without.
    pub parent: u32,
    /// Of a macvlan.
    pub mode: Option<u32>,
    pub hardware_address: [u8; 6],
    pub alias: Option<String>,
}

/// A change of a link, in the order in which they must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Remove { index: u32, name: String },
    Create { macvlan: Macvlan, parent: u32 },
}

/// What each setting of a parent was before we came, by its name.
pub type Originals = BTreeMap<String, String>;

impl Plan {
    /// The macvlans that the plan's addresses need, each once.
    #[must_use]
    pub fn macvlans(&self) -> Vec<Macvlan> {
        let mut all: BTreeMap<Arc<str>, Macvlan> = BTreeMap::new();
        for router in self.routers.iter().filter(|router| router.virtual_mac) {
            for place in &router.addresses {
                let family = Family::of(place.address);
                let name = Arc::clone(&place.interface);
                all.entry(Arc::clone(&name)).or_insert_with(|| Macvlan {
                    name,
                    parent: Arc::clone(&router.interface),
                    family,
                    hardware_address: virtual_mac(family, router.vrid),
                });
            }
        }
        all.into_values().collect()
    }
}

impl FoundLink {
    fn is_macvlan(&self) -> bool {
        self.kind.as_deref() == Some(KIND)
    }

    /// Whether it may be taken for the one that should be there.
    fn serves_as(&self, wanted: &Macvlan, parent: u32) -> bool {
        self.is_macvlan()
            && self.parent == parent
            && self.mode == Some(MODE_BRIDGE)
            && self.hardware_address == wanted.hardware_address
    }

    fn is_ours(&self) -> bool {
        self.is_macvlan() && self.alias.as_deref().is_some_and(|alias| originals(alias).is_some())
    }
}

/// Whether a link is the macvlan that should be there.
#[must_use]
pub fn is_right(wanted: &Macvlan, link: &FoundLink, found: &[FoundLink]) -> bool {
    let parent = found.iter().find(|link| *link.name == *wanted.parent);
    *link.name == *wanted.name && parent.is_some_and(|parent| link.serves_as(wanted, parent.index))
}

/// What to change, so that each macvlan is there whose parent is: one that serves is adopted, another macvlan of its name is
/// replaced, and what an earlier run of ours left is removed. Anything but a macvlan is never touched: making ours fails then,
/// which is told.
#[must_use]
pub fn changes(wanted: &[Macvlan], found: &[FoundLink]) -> Vec<Change> {
    let remove = |link: &FoundLink| Change::Remove { index: link.index, name: link.name.clone() };
    let is_wanted = |link: &FoundLink| wanted.iter().any(|macvlan| *macvlan.name == *link.name);
    let mut all: Vec<Change> =
        found.iter().filter(|link| link.is_ours() && !is_wanted(link)).map(remove).collect();
    for macvlan in wanted {
        let Some(parent) = found.iter().find(|link| *link.name == *macvlan.parent) else { continue };
        let there = found.iter().find(|link| *link.name == *macvlan.name);
        if there.is_some_and(|link| is_right(macvlan, link, found)) {
            continue;
        }
        all.extend(there.filter(|link| link.is_macvlan()).map(remove));
        all.push(Change::Create { macvlan: macvlan.clone(), parent: parent.index });
    }
    all
}

/// A macvlan's own settings and their values. `all_rp_filter` is `net.ipv4.conf.all.rp_filter`: answers leave by the parent,
/// so the strict filter (1) would drop what comes to the macvlan. The kernel takes the larger value, and the loose one is 2.
///
/// Nothing but the virtual addresses may speak here: no IPv6 on IPv4's macvlan; on IPv6's no address of its own, no
/// duplicate address detection, no router solicitation, and no answer by ARP.
#[must_use]
pub fn own_settings(macvlan: &Macvlan, all_rp_filter: &str) -> Vec<(Sysctl, &'static str)> {
    let name = &macvlan.name;
    let ipv4 = |setting: &str| Sysctl::from_path(format!("net/ipv4/conf/{name}/{setting}"));
    let ipv6 = |setting: &str| Sysctl::from_path(format!("net/ipv6/conf/{name}/{setting}"));
    let rp_filter = if all_rp_filter == "1" { "2" } else { "0" };
    let mut all = vec![(ipv4("arp_ignore"), "1"), (ipv4("rp_filter"), rp_filter)];
    all.extend(match macvlan.family {
        Family::Ipv4 => vec![(ipv6("disable_ipv6"), "1")],
        Family::Ipv6 => vec![
            (ipv6("addr_gen_mode"), "1"),
            (ipv6("accept_ra"), "0"),
            (ipv6("autoconf"), "0"),
            (ipv6("router_solicitations"), "0"),
            (ipv6("accept_dad"), "0"),
            (ipv6("dad_transmits"), "0"),
            (ipv6("disable_ipv6"), "0"),
        ],
    });
    all
}

/// The settings that are looked at on the parent of such a macvlan.
#[must_use]
pub fn parent_settings(macvlan: &Macvlan) -> Vec<(&'static str, Sysctl)> {
    let settings: &[(&str, &str)] = match macvlan.family {
        Family::Ipv4 => &PARENT,
        Family::Ipv6 => &[],
    };
    settings.iter().map(|(setting, _)| (*setting, parent_setting(&macvlan.parent, setting))).collect()
}

/// The setting of a parent.
#[must_use]
pub fn parent_setting(parent: &str, setting: &str) -> Sysctl {
    Sysctl::from_path(format!("net/ipv4/conf/{parent}/{setting}"))
}

/// What a parent's setting must become where it is so; `None`: it may stay.
#[must_use]
pub fn needed_of_parent(setting: &str, value: &str) -> Option<&'static str> {
    let (_, needed) = PARENT.iter().find(|(name, _)| *name == setting)?;
    let enough = value == *needed || (setting == "arp_ignore" && ARP_IGNORE_ENOUGH.contains(&value));
    (!enough).then_some(*needed)
}

/// What to restore a parent's setting to, where it still is as we set it.
#[must_use]
pub fn restored<'originals>(
    setting: &str,
    value: &str,
    originals: &'originals Originals,
) -> Option<&'originals str> {
    let original = originals.get(setting)?;
    (needed_of_parent(setting, original) == Some(value)).then_some(original.as_str())
}

/// The alias of a link that we make.
#[must_use]
pub fn alias(originals: &Originals) -> String {
    let values = originals.iter().map(|(setting, value)| format!(" {setting}={value}"));
    std::iter::once(ALIAS.to_owned()).chain(values).collect()
}

/// What an alias of ours says; `None`: it is not ours.
#[must_use]
pub fn originals(alias: &str) -> Option<Originals> {
    let mut words = alias.split(' ');
    let pair = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    (words.next() == Some(ALIAS)).then(|| words.filter_map(pair).collect())
}

#[cfg(test)]
#[path = "macvlan/tests.rs"]
mod tests;
