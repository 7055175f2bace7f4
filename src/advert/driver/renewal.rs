//! The thread goes on under another policy that has the same sessions (shell): their sockets stay as they are.

use super::Driver;
use crate::advert::thread::Renewal;
use crate::model::Tracked;
use crate::time::Instant;
use crate::vrrp::station::Station;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Driver {
    /// The same sessions under another policy.
    pub(super) fn renew(&mut self, at: Instant, renewal: Renewal) {
        let Renewal { station, paths } = renewal;
        self.station.renew(at, station);
        self.margin = self.station.margin();
        self.ports.errands.renew(Arc::clone(&paths));
        self.paths = paths;
        self.tracked_interfaces = tracked_interfaces(&self.station);
        for name in self.tracked_interfaces.clone() {
            let good = self.links.get(&name).is_some_and(|link| link.good);
            self.tell_tracked(at, &name, good);
        }
        // An address that floats from now on is no source any more.
        self.sources_at = Instant::ZERO;
        self.chores_at = Instant::ZERO;
    }
}

/// The interfaces that routers follow.
pub(super) fn tracked_interfaces(station: &Station) -> BTreeSet<String> {
    let tracked = station.routers().iter().flat_map(|router| &router.track);
    let interface = |what: &Tracked| match what {
        Tracked::Interface(name) => Some(name.clone()),
        Tracked::Check(_) | Tracked::Pool(_) | Tracked::Sight(_) | Tracked::Process(_) | Tracked::File(_) => {
            None
        }
    };
    tracked.filter_map(|tracker| interface(&tracker.what)).collect()
}
