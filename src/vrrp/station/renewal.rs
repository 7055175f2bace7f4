//! A station goes on under another policy that has the same sessions ([`crate::model::PairChange::GoesOn`]): who is Master stays
//! Master, counters and marks go on, and what the next advertisement says is the new policy's.

use super::{Channel, Hmac, Proof, Station};
use crate::model::{Authentication, AuthenticationMode, VirtualRouter};
use crate::time::Instant;
use crate::vrrp::authentication::signs;

impl Station {
    /// Takes over what `fresh` says, a station of the other policy that has done nothing yet.
    pub fn renew(&mut self, at: Instant, fresh: Self) {
        self.now = self.now.max(at);
        for (session, channel) in fresh.channels {
            let next = fresh.routers.get(session.router.0);
            if let (Some(known), Some(next)) = (self.channels.get_mut(&session), next) {
                known.renew(channel, next);
            }
        }
        self.beats.take_keys(fresh.beats);
        self.election.renew(self.now, fresh.election);
        (self.pair, self.routers) = (fresh.pair, fresh.routers);
    }
}

impl Channel {
    fn renew(&mut self, fresh: Self, next: &VirtualRouter) {
        self.destinations = fresh.destinations;
        self.advertisement = fresh.advertisement;
        match (&mut self.proof, fresh.proof) {
            (Proof::Hmac(known), Proof::Hmac(fresh)) => known.renew(*fresh, mode_of(next)),
            (proof, fresh) => *proof = fresh,
        }
    }
}

impl Hmac {
    /// The keys and the mode are the policy's; the counter and what was accepted go on, or the others would take us for a
    /// replay.
    fn renew(&mut self, fresh: Self, mode: AuthenticationMode) {
        self.signer.set_keys(fresh.verifier.keys().clone());
        self.signs = signs(mode);
        self.verifier.set_policy(fresh.verifier.keys().clone(), mode);
    }
}

fn mode_of(router: &VirtualRouter) -> AuthenticationMode {
    match router.authentication {
        Some(Authentication::Hmac { mode, .. }) => mode,
        Some(Authentication::V2Password(_)) | None => AuthenticationMode::Receive,
    }
}
