//! Makes, adopts, sets and removes the macvlans of virtual MACs, and their settings (shell).
//! [`crate::floating::macvlan`] says what is right.

use crate::floating::macvlan::{self, Change, FoundLink, Macvlan, Originals};
use crate::kernel::floating::AddressTable;
use crate::kernel::netlink::NetlinkError;
use crate::kernel::sysctl::Sysctls;
use crate::model::{Family, Sysctl};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// After an attempt that failed the next one comes so much later.
const AGAIN: Duration = Duration::from_secs(1);

/// What was tried, in words behind "cannot", and what came of it.
pub(super) type Outcome = (String, io::Result<()>);

/// All macvlans of a plan.
#[derive(Debug)]
pub(super) struct Macvlans {
    wanted: Vec<Macvlan>,
    sysctls: Sysctls,
    /// By parent.
    originals: BTreeMap<Arc<str>, Originals>,
    /// Index of each that is there and right, and of its parent.
    there: BTreeMap<Arc<str>, (u32, u32)>,
    /// Whether there was a look at what an earlier run left.
    looked: bool,
    failed_at: Option<Instant>,
}

impl Macvlans {
    pub(super) fn new(wanted: Vec<Macvlan>) -> Self {
        Self {
            wanted,
            sysctls: Sysctls::default(),
            originals: BTreeMap::new(),
            there: BTreeMap::new(),
            looked: false,
            failed_at: None,
        }
    }

    /// Index of the interface on which the frames of `interface` are sent and heard; `None`: it is not the macvlan that it
    /// should be, or not known yet.
    pub(super) fn speaks_on(&self, interface: &str, index: u32) -> Option<u32> {
        if self.wanted.iter().any(|macvlan| *macvlan.name == *interface) {
            let known = self.there.get(interface).filter(|(own, _)| *own == index);
            return known.map(|(_, parent)| *parent);
        }
        Some(index)
    }

    /// Whether news of the interface `changed` may be a reason to make a macvlan.
    pub(super) fn misses_one(&self, changed: &str, is_present: impl Fn(&str) -> bool) -> bool {
        let concerned =
            |macvlan: &Macvlan| [&macvlan.name, &macvlan.parent].iter().any(|name| ***name == *changed);
        self.wanted.iter().any(|macvlan| concerned(macvlan) && !is_present(&macvlan.name))
    }

    /// No attempt before this.
    pub(super) fn not_before(&self) -> Instant {
        self.failed_at.map_or(Instant::ZERO, |at| at + AGAIN)
    }

    /// When to try again what failed.
    pub(super) fn again_at(&self) -> Option<Instant> {
        self.failed_at.map(|at| at + AGAIN)
    }

    /// Puts links and settings right. Each attempt that failed is tried again at [`Self::again_at`].
    pub(super) fn tend(&mut self, table: &mut AddressTable, now: Instant) -> Vec<Outcome> {
        if self.wanted.is_empty() && std::mem::replace(&mut self.looked, true) {
            return Vec::new();
        }
        let Ok(found) = links(table) else { return Vec::new() };
        self.remember(&found);
        let mut outcomes = Vec::new();
        for change in macvlan::changes(&self.wanted, &found) {
            outcomes.push(self.change(table, &change));
        }
        let found = match links(table) {
            Ok(found) => found,
            Err(error) => {
                // Without a list every parent would look free, and its settings would be restored under living macvlans.
                outcomes.push(("list the links".to_owned(), Err(io_error(error))));
                self.failed_at = Some(now);
                return outcomes;
            }
        };
        self.there.clear();
        for macvlan in self.wanted.clone() {
            let link = found.iter().find(|link| *link.name == *macvlan.name);
            if let Some(link) = link.filter(|link| macvlan::is_right(&macvlan, link, &found)) {
                self.there.insert(Arc::clone(&macvlan.name), (link.index, link.parent));
                outcomes.push(self.settle(table, &macvlan, link));
            }
        }
        self.restore_of(&found);
        let failed = outcomes.iter().any(|(_, outcome)| outcome.is_err());
        self.failed_at = failed.then_some(now);
        outcomes
    }

    /// Sets one up or down.
    pub(super) fn set_up(
        &self,
        table: &mut AddressTable,
        name: &str,
        index: u32,
        up: bool,
    ) -> io::Result<()> {
        table.set_up(index, up).map_err(io_error)?;
        let is_ipv6 = |macvlan: &Macvlan| *macvlan.name == *name && macvlan.family == Family::Ipv6;
        if up && self.wanted.iter().any(is_ipv6) {
            // Without it only the link-local address is lame; nothing can be done about it.
            let _ = table.add_link_local_route(index);
        }
        Ok(())
    }

    /// The end: what is down is removed; what is up holds addresses for the next run.
    pub(super) fn leave(&mut self, table: &mut AddressTable) {
        if self.wanted.is_empty() {
            return;
        }
        let Ok(found) = links(table) else { return };
        let is_wanted = |link: &&FoundLink| self.wanted.iter().any(|macvlan| *macvlan.name == *link.name);
        for link in found.iter().filter(is_wanted).filter(|link| !link.up) {
            let known = self.there.get(link.name.as_str()) == Some(&(link.index, link.parent));
            // What stays is adopted or removed by the next run.
            let _ = if known { table.remove_link(link.index) } else { Ok(()) };
        }
        if let Ok(found) = links(table) {
            self.restore_of(&found);
        }
    }

    /// Takes over what the aliases say of the parents.
    fn remember(&mut self, found: &[FoundLink]) {
        for link in found {
            let said = link.alias.as_deref().and_then(macvlan::originals);
            let parent = found.iter().find(|below| below.index == link.parent && link.parent != 0);
            if let (Some(said), Some(parent)) = (said, parent) {
                let known = self.originals.entry(parent.name.as_str().into()).or_default();
                said.into_iter().for_each(|(setting, value)| {
                    known.entry(setting).or_insert(value);
                });
            }
        }
    }

    fn change(&self, table: &mut AddressTable, change: &Change) -> Outcome {
        match change {
            Change::Remove { index, name } => {
                (format!("remove the macvlan {name}"), table.remove_link(*index).map_err(io_error))
            }
            Change::Create { macvlan, parent } => {
                let what =
                    format!("make the macvlan {} of a virtual MAC on {}", macvlan.name, macvlan.parent);
                (what, table.create_macvlan(macvlan, *parent).map_err(io_error))
            }
        }
    }

    /// The alias before the parent's settings: whoever comes after us must know what they were.
    fn settle(&mut self, table: &mut AddressTable, macvlan: &Macvlan, link: &FoundLink) -> Outcome {
        let what = format!("set what the macvlan {} needs", macvlan.name);
        (what, self.try_to_settle(table, macvlan, link))
    }

    fn try_to_settle(
        &mut self,
        table: &mut AddressTable,
        macvlan: &Macvlan,
        link: &FoundLink,
    ) -> io::Result<()> {
        let all_rp_filter = self.value(&Sysctl::from_path("net/ipv4/conf/all/rp_filter")).unwrap_or_default();
        for (sysctl, value) in macvlan::own_settings(macvlan, &all_rp_filter) {
            self.set(&sysctl, value)?;
        }
        let settings = macvlan::parent_settings(macvlan);
        let mut alias = Originals::new();
        for (setting, sysctl) in &settings {
            if let Some(value) = self.value(sysctl) {
                let known = self.originals.entry(Arc::clone(&macvlan.parent)).or_default();
                let original = known.entry((*setting).to_owned()).or_insert(value);
                alias.insert((*setting).to_owned(), original.clone());
            }
        }
        let alias = macvlan::alias(&alias);
        if link.alias.as_deref() != Some(alias.as_str()) {
            table.set_alias(link.index, &alias).map_err(io_error)?;
        }
        for (setting, sysctl) in &settings {
            let needed = self.value(sysctl).and_then(|value| macvlan::needed_of_parent(setting, &value));
            needed.map_or(Ok(()), |needed| self.set(sysctl, needed))?;
        }
        Ok(())
    }

    /// Restores the settings of parents that have no macvlan of ours any more.
    fn restore_of(&mut self, found: &[FoundLink]) {
        let index_of = |name: &str| found.iter().find(|link| *link.name == *name).map(|link| link.index);
        let is_ours = |link: &FoundLink| link.alias.as_deref().and_then(macvlan::originals).is_some();
        let bears_one = |name: &str| {
            let index = index_of(name);
            let wanted = self
                .there
                .iter()
                .any(|(macvlan, (own, parent))| Some(*parent) == index && index_of(macvlan) == Some(*own));
            wanted || found.iter().any(|link| Some(link.parent) == index && is_ours(link))
        };
        let free: Vec<Arc<str>> = self.originals.keys().filter(|name| !bears_one(name)).cloned().collect();
        for parent in free {
            let originals = self.originals.remove(&parent).unwrap_or_default();
            for setting in originals.keys() {
                let sysctl = macvlan::parent_setting(&parent, setting);
                let value = self.value(&sysctl).unwrap_or_default();
                if let Some(original) = macvlan::restored(setting, &value, &originals) {
                    // The parent may be gone with its settings.
                    let _ = self.set(&sysctl, original);
                }
            }
        }
    }

    /// `None` where the kernel does not have it, or doesn't tell.
    fn value(&self, sysctl: &Sysctl) -> Option<String> {
        let mut found = BTreeMap::new();
        self.sysctls.observe(&BTreeSet::from([sysctl.clone()]), &mut found).ok()?;
        found.remove(sysctl)
    }

    /// Sets what is otherwise; what the kernel does not have need not be set.
    fn set(&self, sysctl: &Sysctl, value: &str) -> io::Result<()> {
        match self.value(sysctl) {
            Some(now) if now != value => self
                .sysctls
                .set(sysctl, value)
                .map_err(|error| io::Error::from_raw_os_error(error.errno.unwrap_or(libc::EIO))),
            Some(_) | None => Ok(()),
        }
    }
}

fn links(table: &mut AddressTable) -> Result<Vec<FoundLink>, NetlinkError> {
    Ok(table.links()?.into_iter().map(|(found, _)| found).collect())
}

fn io_error(error: NetlinkError) -> io::Error {
    io::Error::from_raw_os_error(error.errno)
}
