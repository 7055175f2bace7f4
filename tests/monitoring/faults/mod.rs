//! The alerts that [`crate::live`] leaves out, each on a fault that is really made on a pair that is really scraped. What the
//! kernel's IPVS does wrong is done by a table in memory ([`crate::memory`]); all else is the machine's own.

mod director;
mod kernel;
mod pair;
mod pools;

use crate::alerts::{fall_silent_within, fire, fire_within};
use crate::director::Ipvs;
use crate::prometheus::{Haste, JOBS, pace};
use crate::rules;
use crate::site::{DIRECTORS, Setting, Site, metrics_of};
use crate::world::wait::until;
use crate::{live, world::namespace::Namespace};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

/// The director that is Master while all is well, and the other.
const PREFERRED: usize = 0;
const OTHER: usize = 1;
const SETTING: Setting = Setting {
    policy: "tests/monitoring/faults/policy.yaml",
    ipvs: Ipvs::InMemory,
    haste: Haste::Everything,
    prepare: director::put_programs_there,
};
/// Half an hour, which is a minute here, and what a busy machine takes.
const FORGETS: Duration = Duration::from_secs(90);
const ROLES: Duration = Duration::from_secs(30);

/// Nobody scrapes a director.
const NOT_SCRAPED: &[&str] = &["TandemAbsent"];
/// Every alert that fires here.
const FIRED: &[&[&str]] = &[
    director::PROGRAMS,
    director::HUNG_KERNEL,
    director::STOPPED,
    director::STUTTERS,
    director::PANICKED,
    director::RESTARTED,
    kernel::REFUSES,
    kernel::FOR_LONG,
    kernel::FORGETS,
    kernel::CLASHES,
    kernel::TRACKED,
    pair::APART,
    pair::HEARD,
    pair::OFTEN,
    pair::CLAIMED,
    pair::UNPLUGGED,
    pair::IN_THE_WAY,
    pair::NOBODY,
    pools::OLD,
    pools::UNSEEN,
    pools::FLAPS,
    NOT_SCRAPED,
];
/// Those that only promtool has fire, and why.
const BY_PROMTOOL_ALONE: [(&str, &str); 1] = [(
    "TandemStateStale",
    "it wants a clock that is not Prometheus's, and there is one clock for both here; where the loop of the pools hangs \
     instead, nothing answers the scrape",
)];

/// Runs a line of shell there, which must succeed.
#[track_caller]
fn shell(machine: &Namespace, line: &str) {
    let output = machine.output(Command::new("sh").args(["-ec", line]));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until this director is Master of every router, and the other of none.
#[track_caller]
fn master(site: &Site, wanted: usize) {
    masters(site, &[wanted]);
}

/// Waits until Prometheus has seen that these are Master of every router, and the other of none.
#[track_caller]
fn masters(site: &Site, wanted: &[usize]) {
    until("the Masters", ROLES * pace(), || {
        let query = "sum by (instance) (tandem_vrrp_master{job=\"tandem\"}) == 3";
        let found = site.prometheus.query(&site.monitor, query)?;
        let found: BTreeSet<_> = found.iter().filter_map(|one| one["metric"]["instance"].as_str()).collect();
        let addresses: Vec<_> = wanted.iter().map(|director| metrics_of(*director).to_string()).collect();
        if found == addresses.iter().map(String::as_str).collect() {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    });
}

/// What is scraped for ends, as if somebody had renamed the job.
fn nobody_scrapes(site: &Site) {
    let others: Vec<_> = JOBS.into_iter().filter(|(job, _)| *job != "tandem").collect();
    site.prometheus.reload(&others);
    fire(site, NOT_SCRAPED);
    site.prometheus.reload(&JOBS);
}

/// A group of faults, and how long it took.
fn group(name: &str, site: &mut Site, faults: fn(&mut Site)) {
    let begun = Instant::now();
    faults(site);
    println!("{name}: {:.1?}", begun.elapsed());
}

#[test]
#[ignore = "takes five minutes: tests/lab/run monitoring --include-ignored faults"]
fn each_fault_has_its_alert_fire_and_clear() {
    let mut site = Site::of(SETTING);
    master(&site, PREFERRED);
    fall_silent_within(&site, &[], FORGETS);
    group("old orders and certificates", &mut site, pools::old_things);
    group("a server unseen by one", &mut site, pools::unseen);
    group("a kernel that refuses", &mut site, kernel::refuses);
    group("servers", &mut site, pools::flaps);
    group("programs", &mut site, director::programs);
    group("a kernel that refused for long", &mut site, kernel::accepts_again);
    group("a frozen director", &mut site, director::frozen);
    group("the pair", &mut site, pair::faults);
    group("connection tracking", &mut site, kernel::tracking);
    group("a panic, and a restart", &mut site, director::dies);
    group("nobody scrapes", &mut site, |site| nobody_scrapes(site));
    group("silence", &mut site, |site| {
        master(site, PREFERRED);
        fall_silent_within(site, &[], FORGETS);
    });
    assert_eq!(site.directors.iter().flatten().count(), DIRECTORS.len());
}

/// Nobody adds an alert without its fault.
#[test]
fn each_alert_fires_live_or_is_named_with_its_reason() {
    let live: BTreeSet<&str> = live::FIRED.iter().chain(FIRED).copied().flatten().copied().collect();
    let named: BTreeSet<&str> = BY_PROMTOOL_ALONE.iter().map(|(name, _)| *name).collect();
    assert!(live.is_disjoint(&named), "{named:?} fire live");
    let all: BTreeSet<String> = rules::alerts();
    let tested: BTreeSet<String> = live.union(&named).map(|name| (*name).to_owned()).collect();
    assert_eq!(tested, all);
}
