//! A station from a policy and its secrets.

use super::{Account, Beats, Beginning, Channel, Hmac, Keyring, Proof, RouterKeys, Station, destinations};
use crate::model::{Authentication, Family, Pair, VirtualRouter, VrrpVersion};
use crate::vrrp::authentication::{Mark, Password, Sender, Session, Signer, Verifier, signs};
use crate::vrrp::election::Election;
use crate::vrrp::packet::{Advertisement, Interval};
use crate::vrrp::{RouterId, SessionId};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

impl Station {
    /// The station of the director that the policy was read for; every link is down until it is told.
    #[must_use]
    pub fn new(beginning: Beginning<'_>) -> Self {
        let Beginning { policy, keyring, epoch, marks, now } = beginning;
        let pair = policy.pair.clone();
        let routers: Vec<VirtualRouter> = pair.routers.values().cloned().collect();
        let mut channels = BTreeMap::new();
        for (index, router) in routers.iter().enumerate() {
            for family in router.families() {
                let session = SessionId { router: RouterId(index), family };
                channels.insert(session, channel(&pair, router, family, &keyring, epoch, &marks));
            }
        }
        Self {
            election: Election::new(policy, epoch, now),
            account: Account::new(&routers, &pair, now),
            beats: Beats::new(keyring.peer),
            pair,
            routers,
            channels,
            outputs: VecDeque::new(),
            now,
            epoch,
            stale: None,
        }
    }
}

fn channel(
    pair: &Pair,
    router: &VirtualRouter,
    family: Family,
    keyring: &Keyring,
    epoch: u64,
    marks: &BTreeMap<Sender, Mark>,
) -> Channel {
    let identity = Session { router: Arc::clone(&router.name), family };
    let keys = keyring.routers.get(&router.name);
    let proof = match (&router.authentication, keys) {
        (Some(Authentication::Hmac { mode, .. }), Some(RouterKeys::Hmac(keys))) => {
            Proof::Hmac(Box::new(Hmac {
                signer: Signer::new(keys.clone(), epoch),
                signs: signs(*mode),
                verifier: Verifier::new(keys.clone(), *mode, of_session(marks, &identity)),
            }))
        }
        (Some(Authentication::V2Password(_)), Some(RouterKeys::Password(password))) => {
            Proof::Password(password.clone())
        }
        (Some(_) | None, _) => Proof::None,
    };
    let password = match &proof {
        Proof::Password(password) => Some(password.clone()),
        Proof::None | Proof::Hmac(_) => None,
    };
    Channel {
        identity,
        source: None,
        destinations: destinations(pair, router, family),
        advertisement: advertisement(router, family, password),
        reading: router.checksum,
        proof,
    }
}

fn of_session(marks: &BTreeMap<Sender, Mark>, identity: &Session) -> BTreeMap<Sender, Mark> {
    let own = marks.iter().filter(|(sender, _)| sender.session == *identity);
    own.map(|(sender, mark)| (sender.clone(), *mark)).collect()
}

/// The advertisement of a session; validation has seen to it that there is one.
fn advertisement(
    router: &VirtualRouter,
    family: Family,
    password: Option<Password>,
) -> Option<Advertisement> {
    let interval = Interval::exactly(router.version, router.interval)?;
    let addresses: Vec<IpAddr> = router.addresses_of(family).collect();
    let password = password.filter(|_| router.version == VrrpVersion::V2);
    Advertisement::new(router.vrid, 0, interval, addresses, password).ok()
}
