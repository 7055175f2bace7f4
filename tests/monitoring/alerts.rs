//! What cases say of alerts: these fire, and then nothing does.

use crate::prometheus::pace;
use crate::site::Site;
use crate::world::wait::until;
use std::time::Duration;

/// Until Prometheus has seen enough of something.
pub(crate) const SEEN: Duration = Duration::from_secs(30);
/// Alerts about how late this machine is: a test on a machine that others use must not depend on it.
pub(crate) const OF_THE_MACHINE: [&str; 2] = ["TandemProbesLate", "TandemAdvertisementsLate"];

/// Waits until all of these alerts fire.
#[track_caller]
pub(crate) fn fire(site: &Site, alerts: &[&str]) {
    fire_within(site, alerts, SEEN, || {});
}

/// The same within this time, while something is done over and over.
#[track_caller]
pub(crate) fn fire_within(site: &Site, alerts: &[&str], limit: Duration, mut meanwhile: impl FnMut()) {
    // One that looks back over seconds may be over when the last of them begins.
    let mut missing = alerts.to_vec();
    until("alerts", limit * pace(), || {
        meanwhile();
        let firing = site.prometheus.firing(&site.monitor);
        missing.retain(|name| !firing.iter().any(|fires| fires == name));
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("{missing:?} do not fire; these do: {firing:?}"))
        }
    });
}

/// Waits until none fires but those that are named.
#[track_caller]
pub(crate) fn fall_silent(site: &Site, but: &[&str]) {
    fall_silent_within(site, but, SEEN);
}

#[track_caller]
pub(crate) fn fall_silent_within(site: &Site, but: &[&str], limit: Duration) {
    until("silence", limit * pace(), || {
        let mut firing = site.prometheus.firing(&site.monitor);
        firing.retain(|name| !OF_THE_MACHINE.contains(&name.as_str()) && !but.contains(&name.as_str()));
        if firing.is_empty() { Ok(()) } else { Err(format!("{firing:?} fire")) }
    });
}

/// A subcommand that asks a director, which must do it.
#[track_caller]
pub(crate) fn order(site: &Site, director: usize, arguments: &[&str]) {
    let output = site.ask(director, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}
