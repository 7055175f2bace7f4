//! Reads this host for `tandem doctor` (shell): netlink, /proc, /sys, the list of modules, nft. It changes nothing.
//!
//! What cannot be read is left out of the facts, so that one unreadable file hides no other finding.

use super::facts::{Clock, Facts, Firewall, Modules, Stolen};
use super::{network, rivals, settings};
use crate::advert::realtime;
use crate::desired::lasting_settings;
use crate::kernel::{every_table, has_program, host_facts, kernel_release, network_facts, read_sysctls, sys};
use crate::model::{Policy, Pool};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// For how long the clock and the processors are watched.
const WATCH: Duration = Duration::from_secs(1);

pub(super) fn facts(policy: &Policy) -> anyhow::Result<Facts> {
    let rips: BTreeSet<_> =
        policy.pools.values().flat_map(Pool::every_server).map(|server| server.address).collect();
    let reach = host_facts(&rips)?;
    let mut asked: BTreeSet<_> = lasting_settings(policy, &reach).into_keys().collect();
    asked.insert(settings::asked());
    asked.extend(network::asked(policy));
    let (jump_ms, stolen) = watch();
    Ok(Facts {
        release: kernel_release(),
        sysctls: read_sysctls(&asked)?,
        modules: modules(),
        reach,
        network: network_facts()?,
        has_nft: has_program("nft"),
        firewall: firewall(),
        clock: Clock { state: sys::clock_state().ok(), jump_ms },
        stolen,
        rivals: rivals_here(),
        refused_priority: (!policy.pair.routers.is_empty()).then(refused_priority),
    })
}

/// Asked on a thread that ends, so nothing stays changed.
fn refused_priority() -> Vec<String> {
    let asked = std::thread::spawn(|| realtime::prefer_this_thread(realtime::ADVERT_PRIORITY)).join();
    asked.unwrap_or_else(|_| vec!["the question could not be asked".to_owned()])
}

// --- time

/// How far the clock moved by itself, and what the machine below kept, over the same time.
#[expect(clippy::disallowed_methods, reason = "the doctor looks at the clocks themselves, for a while")]
fn watch() -> (i64, Option<Stolen>) {
    let (before, calendar, steady) = (processor_times(), SystemTime::now(), Instant::now());
    std::thread::sleep(WATCH);
    let (after, passed) = (processor_times(), milliseconds(steady.elapsed()));
    let moved = match SystemTime::now().duration_since(calendar) {
        Ok(forward) => milliseconds(forward),
        Err(back) => -milliseconds(back.duration()),
    };
    (moved.saturating_sub(passed), stolen(before, after))
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Ticks that were stolen, and all.
fn processor_times() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    times_of(text.lines().next()?)
}

/// `cpu  user nice system idle iowait irq softirq steal guest …`; guests are counted in user already.
fn times_of(line: &str) -> Option<(u64, u64)> {
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).take(8).filter_map(|tick| tick.parse().ok()).collect();
    Some((*ticks.get(7)?, ticks.iter().fold(0, |sum: u64, tick| sum.saturating_add(*tick))))
}

fn stolen(before: Option<(u64, u64)>, after: Option<(u64, u64)>) -> Option<Stolen> {
    let ((stolen_before, all_before), (stolen_after, all_after)) = (before?, after?);
    let share = |stolen: u64, all: u64| stolen.saturating_mul(1000).checked_div(all).unwrap_or_default();
    Some(Stolen {
        while_looking: share(
            stolen_after.saturating_sub(stolen_before),
            all_after.saturating_sub(all_before),
        ),
        since_boot: share(stolen_after, all_after),
    })
}

// --- modules

fn modules() -> Modules {
    let mut there: BTreeSet<String> = fs::read_to_string("/proc/modules")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    // A kernel that has IPVS in itself lists it nowhere else.
    if Path::new("/proc/net/ip_vs").exists() {
        there.insert("ip_vs".to_owned());
    }
    let folder = module_folder();
    let list = |name: &str| folder.as_ref().and_then(|folder| fs::read_to_string(folder.join(name)).ok());
    if let Some(builtin) = list("modules.builtin") {
        there.extend(builtin.lines().filter_map(module_name));
    }
    let available = list("modules.dep");
    let available =
        available.map(|text| text.lines().filter_map(|line| module_name(line.split(':').next()?)).collect());
    Modules { there, available }
}

fn module_folder() -> Option<PathBuf> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(Path::new("/lib/modules").join(release.trim()))
}

/// `kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz` is `ip_vs_rr`; a hyphen is the same as an underscore.
fn module_name(path: &str) -> Option<String> {
    let file = path.trim().rsplit('/').next()?;
    Some(file.split(".ko").next()?.replace('-', "_"))
}

// --- other programs

fn firewall() -> Firewall {
    let legacy = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"];
    Firewall {
        rules: has_program("nft").then(|| every_table().map_err(|error| error.message)),
        has_legacy: legacy
            .iter()
            .any(|file| fs::read_to_string(file).is_ok_and(|text| !text.trim().is_empty())),
    }
}

/// Those of this network namespace; where that cannot be told, they count.
fn rivals_here() -> Vec<(String, u32)> {
    let own = fs::read_link("/proc/self/ns/net").ok();
    let is_here = |id: u32| match fs::read_link(format!("/proc/{id}/ns/net")) {
        Ok(namespace) => own.as_ref() == Some(&namespace),
        Err(_) => true,
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let named = ids
        .filter_map(|id| Some((fs::read_to_string(format!("/proc/{id}/comm")).ok()?.trim().to_owned(), id)));
    let mut found: Vec<(String, u32)> = named
        .filter(|(name, id)| rivals::NAMES.iter().any(|(known, _)| known == name) && is_here(*id))
        .collect();
    // Each by its first process: keepalived has three.
    found.sort();
    found.dedup_by(|one, other| one.0 == other.0);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_as_the_kernel_names_them() {
        assert_eq!(module_name("kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz").as_deref(), Some("ip_vs_rr"));
        assert_eq!(module_name("kernel/net/ipv4/fou.ko").as_deref(), Some("fou"));
        assert_eq!(module_name("kernel/x/nf-log-syslog.ko.zst").as_deref(), Some("nf_log_syslog"));
    }

    #[test]
    fn stolen_ticks_are_a_share_of_all() {
        let before = times_of("cpu  100 0 100 700 0 0 0 100 50 0");
        assert_eq!(before, Some((100, 1000)), "guests are in user already");
        let stolen = stolen(before, times_of("cpu  150 0 100 700 0 0 0 150 50 0")).expect("both");
        assert_eq!((stolen.while_looking, stolen.since_boot), (500, 136));
        assert!(times_of("cpu 1 2 3").is_none());
    }

    #[test]
    fn this_host_can_be_read() {
        let facts = facts(&crate::desired::fixtures::policy([])).expect("it needs no privilege");
        assert!(facts.network.interface("lo").is_some() && facts.release.is_some());
    }
}
