//! Our one nftables table, as a value: source translation of full-NAT, marks of joined ports, untracked services.
//!
//! The rules are static; what changes with the policy are elements of sets. The names are ours: `table inet tandem`.

use super::{Family, ServiceKey, SourceTranslation};
use crate::hash::jhash;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Content of the table; [`Default`] is empty, which means that the table is absent.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ruleset {
    /// Full-NAT: the services (by address or by mark) whose connections get a source of ours, by translation and family.
    pub source_translations: BTreeMap<(Family, SourceTranslation), BTreeSet<ServiceKey>>,
    /// Whether the local address of a full-NAT connection follows from its client, and its port is the client's own while
    /// that is free: then another director with the same rules comes to the same choice from any packet of the client's.
    pub repeatable_sources: bool,
    /// Joined ports: VIP and port (the key's `Address`), and the mark that their packets get.
    pub marks: BTreeMap<ServiceKey, u32>,
    /// Services whose packets bypass connection tracking.
    pub untracked: BTreeSet<ServiceKey>,
    /// The real servers' side of untracked NAT services: answers from these bypass it too.
    pub untracked_replies: BTreeSet<(super::Protocol, IpAddr, u16)>,
    /// Addresses of ours from which no TCP packet is reset that belongs to a connection unknown here: another director is
    /// about to pass it on.
    pub withheld_resets: BTreeSet<IpAddr>,
    /// NAT's real servers whose answers are not forwarded as they are: one that IPVS has not translated belongs to a
    /// connection that only the other director knows yet.
    pub withheld_replies: BTreeSet<(super::Protocol, IpAddr, u16)>,
    /// Full-NAT's real servers, and the local addresses that they answer to. An answer that nothing went before belongs to a
    /// connection that began at another director: tracked as one of its own, it would take the port from the real one.
    pub awaited_replies: BTreeSet<(super::Protocol, IpAddr, u16)>,
    pub awaited_at: BTreeSet<IpAddr>,
}

impl Ruleset {
    /// The seed of the choice among local addresses: one that nft chooses would differ from director to director.
    pub const SOURCE_SEED: u32 = 1;

    /// The address that a client's connections through a service of NAT or full-NAT bear at their real server: with full-NAT
    /// by the address's hash, scaled to the number of choices (`nft_jhash_eval`, `reciprocal_scale`). `None`: another
    /// director cannot know it, or it is not tracked.
    #[must_use]
    pub fn source(&self, service: &ServiceKey, client: IpAddr) -> Option<IpAddr> {
        let family = Family::of(client);
        let mut of_family = self.source_translations.iter().filter(|((of, _), _)| *of == family);
        let found = of_family.find(|(_, services)| services.contains(service));
        match found.map(|((_, translation), _)| translation) {
            _ if self.untracked.contains(service) => None,
            None => Some(client),
            Some(SourceTranslation::LocalAddresses(addresses)) if self.repeatable_sources => {
                let hash = match client {
                    IpAddr::V4(address) => jhash(&address.octets(), Self::SOURCE_SEED),
                    IpAddr::V6(address) => jhash(&address.octets(), Self::SOURCE_SEED),
                };
                let scaled = (u64::from(hash) * addresses.len() as u64) >> 32;
                addresses.get(usize::try_from(scaled).ok()?).copied()
            }
            Some(_) => None,
        }
    }

    /// The same without what waits for another director to hand over: nobody is there any more who takes it in.
    #[must_use]
    pub fn without_waiting(self) -> Self {
        Self {
            withheld_resets: BTreeSet::new(),
            withheld_replies: BTreeSet::new(),
            awaited_replies: BTreeSet::new(),
            awaited_at: BTreeSet::new(),
            ..self
        }
    }

    /// Whether no rule is needed: the table shall not exist.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.source_translations.is_empty()
            && self.marks.is_empty()
            && self.untracked.is_empty()
            && self.withheld_resets.is_empty()
            && self.withheld_replies.is_empty()
    }
}
