//! The addresses that a director without virtual routers holds: whether each is really there, since when, and why not. Pure.

use super::core::Core;
use super::snapshot::AddressSnapshot;
use crate::model::{Observed, VirtualAddress};
use crate::reconcile::Object;
use crate::time::Instant;
use std::collections::BTreeMap;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Alone {
    standing: BTreeMap<VirtualAddress, Standing>,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    held: bool,
    since: Instant,
}

impl Alone {
    /// Looks at which of `wanted` are there; what is not wanted any more is forgotten.
    fn look(&mut self, wanted: &[VirtualAddress], observed: &Observed, now: Instant) {
        self.standing.retain(|address, _| wanted.binary_search(address).is_ok());
        for address in wanted {
            let held = is_there(address, observed);
            let standing = self.standing.entry(address.clone()).or_insert(Standing { held, since: now });
            if standing.held != held {
                *standing = Standing { held, since: now };
            }
        }
    }
}

/// Another program may hold it with another prefix; only a director that observes looks for that.
fn is_there(address: &VirtualAddress, observed: &Observed) -> bool {
    let same = |found: &&VirtualAddress| {
        found.interface == address.interface && found.address.addr() == address.address.addr()
    };
    observed.addresses.contains(address) || observed.held.iter().any(|found| same(&found))
}

impl Core {
    pub(super) fn look_at_addresses(&mut self) {
        self.alone.look(&self.policy.virtual_addresses, self.reconciler.observed(), self.now);
    }

    /// In the order of the policy.
    pub(super) fn address_snapshots(&self) -> Vec<AddressSnapshot> {
        let snapshot = |(address, Standing { held, since }): (&VirtualAddress, &Standing)| {
            let refusal = self.reconciler.refusal(&Object::Address(address.clone()));
            AddressSnapshot {
                address: address.address,
                interface: address.interface.clone(),
                held: *held,
                since: *since,
                refusal: refusal.filter(|_| !held).map(str::to_owned),
            }
        };
        self.alone.standing.iter().map(snapshot).collect()
    }
}
