//! Looks at connection tracking now and then (shell), on a thread that may block: for a gauge nobody waits.

use crate::kernel::{Conntrack, tracking_counts};
use crate::model::TrackingCounts;
use arc_swap::ArcSwap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// From one look to the next, at least.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Where ports are counted the whole table is read: never for more than this part of the time.
const PART: u32 = 50;

/// What was seen last.
#[derive(Debug)]
pub(super) struct TrackingLook {
    seen: Arc<ArcSwap<TrackingCounts>>,
    local_addresses: Arc<BTreeSet<IpAddr>>,
}

impl TrackingLook {
    /// Looks from now on; the ports of these addresses are counted.
    pub(super) fn start(local_addresses: BTreeSet<IpAddr>) -> Self {
        let look = Self { seen: Arc::default(), local_addresses: Arc::new(local_addresses) };
        tokio::spawn(serve(Arc::downgrade(&look.seen), Arc::clone(&look.local_addresses)));
        look
    }

    /// Goes on with these addresses.
    pub(super) fn renew(&mut self, local_addresses: BTreeSet<IpAddr>) {
        if *self.local_addresses != local_addresses {
            *self = Self::start(local_addresses);
        }
    }

    pub(super) fn seen(&self) -> TrackingCounts {
        TrackingCounts::clone(&self.seen.load())
    }
}

/// Looks for as long as somebody has the look.
async fn serve(seen: Weak<ArcSwap<TrackingCounts>>, local_addresses: Arc<BTreeSet<IpAddr>>) {
    loop {
        let (began, addresses) = (Instant::now(), Arc::clone(&local_addresses));
        let found = tokio::task::spawn_blocking(move || look(&addresses)).await.unwrap_or_default();
        let Some(seen) = seen.upgrade() else { return };
        seen.store(Arc::new(found));
        drop(seen);
        sleep(LOOK_EVERY.max(began.elapsed() * PART)).await;
    }
}

fn look(local_addresses: &BTreeSet<IpAddr>) -> TrackingCounts {
    let mut found = tracking_counts();
    if !local_addresses.is_empty() {
        // A kernel without ctnetlink: the gauge is left out.
        let used = Conntrack::open().and_then(|mut conntrack| conntrack.ports_used(local_addresses));
        found.ports_used = used.unwrap_or_default();
    }
    found
}
