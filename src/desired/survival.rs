//! Which pools' connections survive a failover, and why the others' don't: what `tandem doctor` says. Pure.
//!
//! It judges the policy, not the state: that the daemons run and the other director is heard is told by `status`.

use super::synchronisation::needs_no_state;
use crate::model::{Forwarding, Policy, Pool, Protocol, SourceTranslation};

/// What becomes of a pool's connections when its addresses move to the other director.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survival {
    /// They live on; how.
    Yes(&'static str),
    /// Most do; which don't, and what to do.
    Mostly(&'static str),
    /// They end; why, and what to do.
    No(&'static str),
    /// No virtual router holds its addresses: there is no failover.
    Alone,
}

/// What becomes of one pool.
#[must_use]
pub fn survival(pool: &Pool, policy: &Policy) -> Survival {
    let routers = policy.routers_of(pool);
    if routers.is_empty() || policy.pair.directors.len() < 2 {
        return Survival::Alone;
    }
    let stateless = [Protocol::Tcp, Protocol::Sctp].iter().any(|protocol| needs_no_state(pool, *protocol));
    if stateless && is_direct(pool) {
        return Survival::Yes(
            "mh chooses the same real server on each director, and DR and TUN need no entry",
        );
    }
    if pool.services.iter().all(|service| service.config.flags.one_packet) {
        return Survival::Yes("each packet stands alone (one_packet)");
    }
    if policy.pair.connection_sync.is_none() {
        return Survival::No(
            "the other director knows no connection: add connection_sync, or for DR and TUN `scheduler: mh`",
        );
    }
    full_nat(pool)
        .unwrap_or(Survival::Yes("connections are synchronised, and passed on before a planned failover"))
}

/// Full-NAT's connections need their local address and port as well.
fn full_nat(pool: &Pool) -> Option<Survival> {
    let translation = pool.servers.iter().find_map(|server| match &server.forwarding {
        Forwarding::FullNat(translation) => Some(translation),
        Forwarding::Nat | Forwarding::DirectRouting | Forwarding::Tunnelling(_) => None,
    })?;
    Some(match translation {
        SourceTranslation::Masquerade => Survival::No(
            "masqueraded connections bear an address of this director: give the pool local_addresses of a router",
        ),
        SourceTranslation::LocalAddresses(_) => Survival::Mostly(
            "the local address floats and is chosen by the client's, and the tracking of what was told is restored: a \
             connection is lost only where two clients with the same port met at one local address and real server",
        ),
    })
}

fn is_direct(pool: &Pool) -> bool {
    pool.servers
        .iter()
        .all(|server| matches!(server.forwarding, Forwarding::DirectRouting | Forwarding::Tunnelling(_)))
}
