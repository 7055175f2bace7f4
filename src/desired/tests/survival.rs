//! What is told of a pool's connections: which of them outlive a failover.

use super::*;
use crate::desired::fixtures::in_a_pair;
use crate::desired::{Survival, survival};
use crate::model::Pool;

const LOCAL: &str = "10.20.0.20";

/// A pool of a pair that holds its VIP.
fn paired(pool: Pool) -> Policy {
    let mut policy = policy([pool]);
    in_a_pair(&mut policy, VIP);
    policy
}

fn scheduled(forwarding: &Forwarding, scheduler: &str) -> Pool {
    let mut pool = pool("web", VIP, forwarding);
    pool.services = vec![service(tcp(VIP, 80), scheduler)];
    pool
}

fn of(policy: &Policy) -> Survival {
    survival(&policy.pools["web"], policy)
}

/// The first words: enough to tell the sentences apart.
fn begins(found: &Survival, words: &str) -> bool {
    match found {
        Survival::Yes(text) | Survival::Mostly(text) | Survival::No(text) => text.starts_with(words),
        Survival::Alone => false,
    }
}

#[test]
fn a_pool_whose_address_no_router_holds_or_that_has_one_director_only_has_no_failover() {
    let pool = scheduled(&Forwarding::DirectRouting, "mh");
    let unpaired = policy([pool.clone()]);
    assert_eq!(of(&unpaired), Survival::Alone);
    let mut elsewhere = paired(pool.clone());
    in_a_pair(&mut elsewhere, "192.168.101.99");
    assert_eq!(of(&elsewhere), Survival::Alone, "the router holds another address");
    let mut lone = paired(pool.clone());
    lone.pair.directors.retain(|name, _| **name == *"lb-a");
    assert_eq!(of(&lone), Survival::Alone, "a router of one director");
    assert!(matches!(of(&paired(pool)), Survival::Yes(_)));
}

#[test]
fn a_joined_port_counts_by_its_address() {
    let mut pool = scheduled(&Forwarding::Nat, "rr");
    let mut joined = service(mark(9), "rr");
    joined.joined = vec![tcp(VIP, 80), tcp(VIP, 443)];
    pool.services = vec![joined];
    assert_ne!(of(&paired(pool)), Survival::Alone);
}

#[test]
fn a_choice_that_needs_no_state_outlives_a_failover_where_every_server_is_reached_directly() {
    let direct = of(&paired(scheduled(&Forwarding::DirectRouting, "mh")));
    assert!(begins(&direct, "mh chooses"), "{direct:?}");
    let tunnel = of(&paired(scheduled(&Forwarding::Tunnelling(Encapsulation::IpIp), "mh")));
    assert!(begins(&tunnel, "mh chooses"), "{tunnel:?}");
    let round_robin = of(&paired(scheduled(&Forwarding::DirectRouting, "rr")));
    assert!(begins(&round_robin, "the other director knows no connection"), "{round_robin:?}");
    let mut mixed = scheduled(&Forwarding::DirectRouting, "mh");
    mixed.servers[0].forwarding = Forwarding::Nat;
    let mixed = of(&paired(mixed));
    assert!(
        begins(&mixed, "the other director knows no connection"),
        "one server needs its entry: {mixed:?}"
    );
}

#[test]
fn packets_that_stand_alone_outlive_it_if_all_of_the_pool_do() {
    let mut pool = scheduled(&Forwarding::Nat, "rr");
    pool.services.push(service(tcp(VIP, 81), "rr"));
    pool.services[0].config.flags.one_packet = true;
    assert!(matches!(of(&paired(pool.clone())), Survival::No(_)), "one service has connections");
    pool.services[1].config.flags.one_packet = true;
    let all = of(&paired(pool));
    assert!(begins(&all, "each packet stands alone"), "{all:?}");
}

#[test]
fn synchronised_connections_outlive_it_but_for_a_translated_source_that_stays_behind() {
    let synchronised = |forwarding: &Forwarding| {
        let policy = with_sync(paired(scheduled(forwarding, "rr")), follow());
        of(&policy)
    };
    let nat = synchronised(&Forwarding::Nat);
    assert!(matches!(nat, Survival::Yes(_)) && begins(&nat, "connections are synchronised"), "{nat:?}");
    let masquerade = synchronised(&Forwarding::FullNat(SourceTranslation::Masquerade));
    assert!(matches!(masquerade, Survival::No(_)), "{masquerade:?}");
    let local = synchronised(&Forwarding::FullNat(SourceTranslation::LocalAddresses(vec![ip(LOCAL)])));
    assert!(matches!(local, Survival::Mostly(_)), "{local:?}");
}
