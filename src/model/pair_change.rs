//! What another policy means for the election: whether those who take part are the same.

use super::{
    AnnouncementPolicy, Authentication, AuthenticationMode, BothUnfit, Family, Pair, Preempt, Secret,
    VirtualRouter,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// From one policy to another, as far as the pair goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairChange {
    /// Nothing is different.
    None,
    /// Every session stays what it is; who is Master stays Master.
    GoesOn,
    /// A session is another: its interface, VRID, version, interval or way of travelling. The addresses are handed over, and
    /// the election begins anew.
    BeginsAnew,
}

impl Pair {
    /// What it means to go on with `next`.
    #[must_use]
    pub fn change_to(&self, next: &Self) -> PairChange {
        match (self == next, self.sessions() == next.sessions()) {
            (true, _) => PairChange::None,
            (false, true) => PairChange::GoesOn,
            (false, false) => PairChange::BeginsAnew,
        }
    }

    /// The pair without what can change under an election that goes on.
    fn sessions(&self) -> Self {
        let mut pair = self.clone();
        pair.routers.values_mut().for_each(plain);
        pair.groups.values_mut().for_each(|group| group.both_unfit = BothUnfit::default());
        if let Some(sync) = &mut pair.connection_sync {
            *sync = super::ConnectionSync {
                interface: String::new(),
                sync_id: std::num::NonZeroU8::MIN,
                role: super::SyncRole::Both,
            };
        }
        pair.peer.key = pair.peer.key.as_ref().map(|_| nowhere());
        pair
    }
}

/// A router without what can change while it goes on. With a virtual MAC each family has an interface of its own.
fn plain(router: &mut VirtualRouter) {
    let held: BTreeSet<Family> = router.floating_addresses().map(Family::of).collect();
    let held = held.into_iter().filter(|_| router.virtual_mac);
    router.local_addresses = held.map(Family::unspecified).collect();
    router.addresses = router.families().into_iter().map(|family| family.unspecified().into()).collect();
    router.priorities.clear();
    router.preempt = Preempt::Never;
    router.start_delay = Duration::ZERO;
    router.announcements = AnnouncementPolicy::default();
    router.track.clear();
    router.before_master = None;
    router.authentication = router.authentication.as_ref().map(|authentication| match authentication {
        Authentication::Hmac { .. } => {
            Authentication::Hmac { mode: AuthenticationMode::Receive, keys: Vec::new() }
        }
        Authentication::V2Password(_) => Authentication::V2Password(nowhere()),
    });
}

const fn nowhere() -> Secret {
    Secret::Credential(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::{in_a_pair, policy};

    fn change(edit: impl FnOnce(&mut VirtualRouter)) -> PairChange {
        let mut before = policy([]);
        in_a_pair(&mut before, "192.0.2.1");
        let mut next = before.pair.clone();
        edit(next.routers.values_mut().next().expect("a router"));
        before.pair.change_to(&next)
    }

    #[test]
    fn addresses_priorities_and_trackers_change_under_an_election_that_goes_on() {
        assert_eq!(change(|_| {}), PairChange::None);
        assert_eq!(
            change(|router| router.addresses.push("192.0.2.2/24".parse().expect("a network"))),
            PairChange::GoesOn
        );
        assert_eq!(change(|router| router.priorities.clear()), PairChange::GoesOn);
        assert_eq!(change(|router| router.preempt = Preempt::After(Duration::ZERO)), PairChange::GoesOn);
        assert_eq!(change(|router| router.local_addresses.push([192, 0, 2, 9].into())), PairChange::GoesOn);
    }

    #[test]
    fn another_session_begins_anew() {
        assert_eq!(
            change(|router| router.addresses.push("2001:db8::1/64".parse().expect("a network"))),
            PairChange::BeginsAnew,
            "a session of the other family comes with it"
        );
        assert_eq!(change(|router| router.interface = "eth9".into()), PairChange::BeginsAnew);
        assert_eq!(change(|router| router.interval *= 2), PairChange::BeginsAnew);
        assert_eq!(change(|router| router.vrid = router.vrid.saturating_add(1)), PairChange::BeginsAnew);
        let hmac = Authentication::Hmac { mode: AuthenticationMode::Receive, keys: Vec::new() };
        assert_eq!(change(|router| router.authentication = Some(hmac)), PairChange::BeginsAnew);
    }
}
