//! Exchanged tables are those that the whole policy asks for.

use crate::desired::fixtures::{host, in_a_pair, mark, policy, pool, router, server, service, tcp};
use crate::desired::{Situation, exchange, tables};
use crate::model::{
    Condition, Encapsulation, Forwarding, HostFacts, OnFailure, Policy, Pool, Roles, SourceTranslation,
    VirtualAddress,
};
use crate::rotation::Placement;
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;

/// Which kind of pool, and the weight of each server less one; one of 0 is down.
type Site = Vec<Option<(usize, Vec<u32>)>>;

fn site() -> impl Strategy<Value = Site> {
    vec(prop::option::weighted(0.8, (0_usize..9, vec(0_u32..3, 0..4))), 4)
}

fn pool_of(number: usize, kind: usize, weights: &[u32]) -> Pool {
    let forwarding = [
        Forwarding::Nat,
        Forwarding::DirectRouting,
        Forwarding::Tunnelling(Encapsulation::IpIp),
        Forwarding::FullNat(SourceTranslation::Masquerade),
    ];
    let forwarding = &forwarding[kind % 4];
    let vip = format!("192.0.2.{}", number + 1);
    let mut pool = pool(&format!("pool-{number}"), &vip, forwarding);
    let servers = weights.iter().enumerate().map(|(host, weight)| {
        let mut server = server(&format!("10.0.{number}.{}", host + 1), forwarding);
        server.weight = weight + 1;
        if let (5, Some(Condition::Check(target))) = (kind, &mut server.check) {
            let target = Arc::make_mut(target);
            target.real_path = u32::try_from(number * 8 + host + 1).ok();
            target.address.set_ip(vip.parse().expect("an address"));
        }
        server
    });
    pool.servers = servers.collect();
    pool.untracked = kind == 4;
    if kind >= 7 {
        pool.services = vec![service(tcp(&vip, 80), "mh")];
        pool.on_failure = OnFailure::Quiesce;
    }
    if kind == 6 {
        pool.services = vec![service(mark(0x7400_0001 + u32::try_from(number).expect("few")), "mh")];
        pool.services[0].joined = vec![tcp(&vip, 80), tcp(&vip, 81)];
        pool.on_failure = OnFailure::Quiesce;
    }
    pool
}

fn policy_of(site: &Site, in_pair: bool) -> Policy {
    let pools = site.iter().enumerate();
    let pools = pools.filter_map(|(number, said)| {
        let (kind, weights) = said.as_ref()?;
        Some(pool_of(number, *kind, weights))
    });
    let mut policy = policy(pools);
    if in_pair {
        in_a_pair(&mut policy, "192.0.2.1");
    }
    policy
}

/// A host on which the servers of both are.
fn both(before: &Policy, after: &Policy) -> HostFacts {
    let mut facts = host(before);
    facts.reach.extend(host(after).reach);
    facts
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exchanged_tables_are_those_of_the_whole(before in site(), after in site(), keep in vec(any::<bool>(), 4), in_pair: bool) {
        let after: Site =
            before.iter().zip(after).zip(keep).map(|((before, after), keep)| if keep { before.clone() } else { after }).collect();
        let (before, after) = (policy_of(&before, in_pair), policy_of(&after, in_pair));
        let (facts, roles) = (both(&before, &after), Roles::default());
        let situation = Situation { host: &facts, roles: &roles };
        let placement = |pool: &Pool| Placement::by_verdict(pool, |server| server.weight > 1);
        let mut found = tables(&before, situation, placement);
        let whole = tables(&after, situation, placement);
        let names = before.pools.differing(&after.pools);
        let exchanged = exchange(&found, (&before, &after), &names, situation, placement);
        if let Some(exchanged) = exchanged {
            let changed = exchanged.make(&mut found);
            prop_assert_eq!(&found, &whole);
            prop_assert_eq!(changed, tables(&before, situation, placement) != whole);
        }
    }
}

/// Two policies that differ in services alone, there and back: the tables are those of the whole, and it is news.
#[track_caller]
fn assert_exchanged(one: &Policy, other: &Policy) {
    for (before, after) in [(one, other), (other, one)] {
        let (facts, roles) = (both(before, after), Roles::default());
        let situation = Situation { host: &facts, roles: &roles };
        let placement = |pool: &Pool| Placement::by_verdict(pool, |server| server.weight > 1);
        let mut found = tables(before, situation, placement);
        let names = before.pools.differing(&after.pools);
        let exchanged = exchange(&found, (before, after), &names, situation, placement);
        assert!(exchanged.expect("services alone change").make(&mut found));
        assert_eq!(found, tables(after, situation, placement));
    }
}

#[test]
fn a_weight_a_server_and_a_pool_are_exchanged() {
    // With `mh`, servers that are down enter with their weights.
    for kind in [0, 8] {
        let site = |pools: [&[u32]; 3]| {
            let pool = |weights: &[u32]| (!weights.is_empty()).then(|| (kind, weights.to_vec()));
            policy_of(&pools.map(pool).to_vec(), false)
        };
        let rest: &[u32] = &[1, 0];
        let before = site([&[1, 1], rest, &[0, 1]]);
        let pairs = [
            site([&[2, 1], rest, &[0, 1]]),
            site([&[1, 0], rest, &[0, 1]]),
            site([&[1], rest, &[0, 1]]),
            site([&[1, 1, 1], rest, &[0, 1]]),
            // The last of two that differ leaves.
            site([&[1, 2], rest, &[]]),
        ];
        for after in &pairs {
            assert_exchanged(&before, after);
        }
    }
}

#[test]
fn a_service_that_a_pool_no_longer_has_leaves() {
    let one = policy_of(&vec![Some((0, vec![1]))], false);
    let mut two = one.clone();
    two.pools.values_mut().for_each(|pool| pool.services.push(service(tcp("192.0.2.1", 81), "rr")));
    assert_exchanged(&one, &two);
}

#[test]
fn what_is_more_than_services_is_not_exchanged() {
    let site = |kinds: [Option<usize>; 2]| kinds.map(|kind| kind.map(|kind| (kind, vec![1]))).to_vec();
    let before = policy_of(&site([Some(0), Some(1)]), true);
    let is_exchanged = |before: &Policy, after: &Policy| {
        let (facts, roles) = (both(before, after), Roles::default());
        let situation = Situation { host: &facts, roles: &roles };
        let placement = |pool: &Pool| Placement::by_verdict(pool, |_| true);
        let found = tables(before, situation, placement);
        let names = before.pools.differing(&after.pools);
        exchange(&found, (before, after), &names, situation, placement).is_some()
    };
    let with = |edit: fn(&mut Policy)| {
        let mut after = policy_of(&site([Some(0), Some(1)]), true);
        edit(&mut after);
        is_exchanged(&before, &after)
    };
    assert!(with(|_| {}), "nothing differs");
    assert!(!with(|policy| policy.kernel.timeouts.tcp_s = Some(900)));
    assert!(!with(|policy| drop(policy.pair.routers.insert("more".into(), router("more", 62)))));
    assert!(!with(|policy| {
        let address = "192.0.2.1/24".parse().expect("an address");
        policy.virtual_addresses.push(VirtualAddress { address, interface: "eth0".to_owned() });
    }));

    let [none, nat, both] = [[None, None], [Some(0), None], [Some(0), Some(3)]].map(site);
    let [none, nat, both] = [none, nat, both].map(|site| policy_of(&site, true));
    assert!(!is_exchanged(&none, &nat), "the first pool brings settings");
    assert!(!is_exchanged(&nat, &none), "the last one takes them away");
    assert!(!is_exchanged(&nat, &both), "full-NAT has rules");
    assert!(!is_exchanged(&both, &nat));
}
