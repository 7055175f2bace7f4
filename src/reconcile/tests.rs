mod record;
mod words;

use super::{Change, Epoch, FoundValue, Ownership, assume, plan, scope};
use crate::desired::Standing;
use crate::desired::fixtures::{host, ip, mark, policy, pool, service, tables_on, tcp};
use crate::model::{
    Destination, DestinationKey, Encapsulation, Forwarding, ForwardingMethod, IpvsScope, Observed,
    ObservedRuleset, OnFailure, Policy, Scope, Service, SourceTranslation, SyncDaemon, SyncDaemonRole,
    Sysctl, Tables, Thresholds, VirtualAddress,
};
use proptest::prelude::*;

const VIP: &str = "192.168.101.100";

fn desired(policy: &Policy) -> Tables {
    tables_on(policy, &host(policy), |_, _| Standing::Up)
}

fn dr() -> Policy {
    policy([pool("web", VIP, &Forwarding::DirectRouting)])
}

fn full_nat() -> Policy {
    policy([pool("web", VIP, &Forwarding::FullNat(SourceTranslation::Masquerade))])
}

fn key(address: &str) -> DestinationKey {
    DestinationKey { address: ip(address), port: 80 }
}

fn apply(observed: &mut Observed, changes: &[Change]) {
    for change in changes {
        assume(observed, change);
    }
}

/// The kernel right after `desired` was applied to an empty one, and the record of it, as the next observation sees them.
fn settled(desired: &Tables) -> (Observed, Ownership) {
    let mut observed = Observed::default();
    let changes = plan(desired, &observed, &Ownership::default());
    let mut owned = Ownership::default().before(desired, &changes);
    changes.iter().for_each(|change| owned.answered(change, true));
    apply(&mut observed, &changes);
    if observed.ruleset != ObservedRuleset::Absent {
        observed.ruleset = ObservedRuleset::Present("as listed".into());
    }
    let owned = owned.after(desired, &observed);
    (observed, owned)
}

fn lines(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_kernel_gets_settings_rules_services_destinations_then_addresses() {
    let mut policy = full_nat();
    let address =
        VirtualAddress { address: "192.168.101.100/24".parse().expect("net"), interface: "eth0".into() };
    policy.virtual_addresses = vec![address];
    let changes = plan(&desired(&policy), &Observed::default(), &Ownership::default());
    assert_eq!(
        lines(&changes),
        [
            "~ sysctl net.ipv4.conf.all.send_redirects: (missing) -> 0",
            "~ sysctl net.ipv4.conf.eth0.send_redirects: (missing) -> 0",
            "~ sysctl net.ipv4.ip_forward: (missing) -> 1",
            "~ sysctl net.ipv4.vs.conn_reuse_mode: (missing) -> 0",
            "~ sysctl net.ipv4.vs.conntrack: (missing) -> 1",
            "~ sysctl net.ipv4.vs.expire_nodest_conn: (missing) -> 1",
            "~ nftables table inet tandem: replace in one transaction",
            "+ service tcp://192.168.101.100:80: scheduler rr",
            "+ destination 192.168.101.110:80 of tcp://192.168.101.100:80: masquerade, weight 1",
            "+ destination 192.168.101.210:80 of tcp://192.168.101.100:80: masquerade, weight 1",
            "+ address 192.168.101.100/24 on eth0",
        ]
    );
}

#[test]
fn a_right_table_is_left_alone_whoever_made_it() {
    for policy in [dr(), full_nat()] {
        let desired = desired(&policy);
        let (observed, owned) = settled(&desired);
        assert_eq!(plan(&desired, &observed, &owned), []);
    }
    let desired = desired(&dr());
    let (observed, _) = settled(&desired);
    assert_eq!(plan(&desired, &observed, &Ownership::default()), [], "adopted without a record");
}

#[test]
fn each_drift_is_repaired_by_the_smallest_change() {
    let desired = desired(&dr());
    let vip = tcp(VIP, 80);
    let repaired = |drift: &dyn Fn(&mut Observed)| {
        let (mut observed, owned) = settled(&desired);
        drift(&mut observed);
        let changes = plan(&desired, &observed, &owned);
        apply(&mut observed, &changes);
        assert_eq!(plan(&desired, &observed, &owned), [], "one pass heals");
        changes.iter().map(Change::kind).collect::<Vec<_>>()
    };
    let edit = |observed: &mut Observed, edit: &dyn Fn(&mut Destination)| {
        let service = observed.services.get_mut(&vip).expect("the service");
        edit(service.destinations_mut().get_mut(&key("192.168.101.110")).expect("the destination"));
    };
    let on_service = |observed: &mut Observed, edit: &dyn Fn(&mut Service)| {
        edit(observed.services.get_mut(&vip).expect("the service"));
    };
    assert_eq!(repaired(&|seen| edit(seen, &|found| found.weight = 9)), ["edit_destination"]);
    let other_method = |seen: &mut Observed| edit(seen, &|found| found.method = ForwardingMethod::Masquerade);
    assert_eq!(repaired(&other_method), ["edit_destination"]);
    let other_scheduler = |found: &mut Service| found.config.scheduler.0 = "wlc".into();
    assert_eq!(repaired(&|seen| on_service(seen, &other_scheduler)), ["edit_service"]);
    let other_flag = |found: &mut Service| found.config.flags.scheduler_1 = true;
    assert_eq!(repaired(&|seen| on_service(seen, &other_flag)), ["edit_service"]);
    let lost = |found: &mut Service| found.destinations_mut().retain(|at, _| *at != key("192.168.101.110"));
    assert_eq!(repaired(&|seen| on_service(seen, &lost)), ["add_destination"]);
    let extra = |found: &mut Service| {
        let destination = found.destinations[&key("192.168.101.110")];
        found.destinations_mut().insert(key("192.168.101.66"), destination);
    };
    assert_eq!(repaired(&|seen| on_service(seen, &extra)), ["remove_destination"]);
    let gone = |seen: &mut Observed| drop(seen.services.remove(&vip));
    assert_eq!(repaired(&gone), ["add_service", "add_destination", "add_destination"]);
    let flip = |seen: &mut Observed| {
        seen.sysctls.insert(Sysctl::from_path("net/ipv4/conf/all/send_redirects"), "1".into());
    };
    assert_eq!(repaired(&flip), ["set_sysctl"]);
}

#[test]
fn a_deleted_or_edited_ruleset_is_replaced_and_an_unneeded_one_goes() {
    let desired = desired(&full_nat());
    let (mut observed, owned) = settled(&desired);
    for drifted in [ObservedRuleset::Absent, ObservedRuleset::Present("edited".into())] {
        observed.ruleset = drifted;
        let kinds: Vec<_> = plan(&desired, &observed, &owned).iter().map(Change::kind).collect();
        assert_eq!(kinds, ["replace_ruleset"]);
    }
    let kinds: Vec<_> = plan(&self::desired(&dr()), &observed, &owned).iter().map(Change::kind).collect();
    assert!(kinds.contains(&"remove_ruleset"));
}

#[test]
fn services_that_are_not_ours_stay_and_ours_go_when_the_policy_drops_them() {
    let desired = desired(&dr());
    let (mut observed, mut owned) = settled(&desired);
    let foreign = tcp("10.0.0.1", 25);
    let ours_once = tcp("10.0.0.2", 25);
    let entry = observed.services[&tcp(VIP, 80)].clone();
    observed.services.insert(foreign, entry.clone());
    observed.services.insert(ours_once, entry);
    owned.services.insert(ours_once);
    assert_eq!(plan(&desired, &observed, &owned), [Change::RemoveService { service: ours_once }]);
}

#[test]
fn a_setting_gets_its_found_value_back_unless_somebody_has_set_another() {
    let forward = Sysctl::from_path("net/ipv4/ip_forward");
    let record = FoundValue { found: "0".into(), set: "1".into() };
    let owned = Ownership { sysctls: [(forward.clone(), record)].into(), ..Ownership::default() };
    let nothing = Tables::default();
    let mut observed = Observed { sysctls: [(forward.clone(), "1".into())].into(), ..Observed::default() };
    let back = Change::SetSysctl { sysctl: forward.clone(), from: "1".into(), to: "0".into() };
    assert_eq!(plan(&nothing, &observed, &owned), [back]);
    observed.sysctls.insert(forward, "2".into());
    assert_eq!(plan(&nothing, &observed, &owned), []);
}

#[test]
fn a_ruleset_that_was_refused_is_not_taken_for_done() {
    let desired = desired(&full_nat());
    let (mut observed, owned) = settled(&desired);
    observed.ruleset = ObservedRuleset::Present("somebody flushed it".into());
    let changes = plan(&desired, &observed, &owned);
    let mut refused = owned.before(&desired, &changes);
    refused.answered(&changes[0], false);
    let refused = refused.after(&desired, &observed);
    assert_eq!(plan(&desired, &observed, &refused), changes, "planned again, and its listing not learned");
    let died = owned.before(&desired, &changes).valid_in(Epoch::default());
    assert_eq!(plan(&desired, &observed, &died.after(&desired, &observed)), changes);
}

#[test]
fn a_restored_setting_stays_in_the_record_until_it_is_seen_to_be_restored() {
    let forward = Sysctl::from_path("net/ipv4/ip_forward");
    let record = FoundValue { found: "0".into(), set: "1".into() };
    let owned = Ownership { sysctls: [(forward.clone(), record)].into(), ..Ownership::default() };
    let nothing = Tables::default();
    let mut observed = Observed { sysctls: [(forward.clone(), "1".into())].into(), ..Observed::default() };
    let changes = plan(&nothing, &observed, &owned);
    let owned = owned.before(&nothing, &changes).after(&nothing, &observed);
    assert_eq!(plan(&nothing, &observed, &owned), changes, "refused: it is tried again");
    observed.sysctls.insert(forward.clone(), "0".into());
    assert!(owned.after(&nothing, &observed).sysctls.is_empty());
}

#[test]
fn a_setting_that_was_right_when_found_is_never_switched_off() {
    let desired = desired(&policy([pool("web", VIP, &Forwarding::Nat)]));
    let forward = Sysctl::from_path("net/ipv4/ip_forward");
    let mut observed = Observed { sysctls: [(forward.clone(), "1".into())].into(), ..Observed::default() };
    let owned = Ownership::default().after(&desired, &observed);
    observed.sysctls.insert(forward.clone(), "0".into());
    let repair = plan(&desired, &observed, &owned);
    let owned = owned.before(&desired, &repair);
    observed.sysctls.insert(forward.clone(), "1".into());
    assert!(!plan(&Tables::default(), &observed, &owned).iter().any(|change| change.kind() == "set_sysctl"));
}

#[test]
fn an_address_that_we_could_not_add_is_not_ours() {
    let mut policy = dr();
    let held =
        VirtualAddress { address: "192.168.101.100/24".parse().expect("net"), interface: "eth0".into() };
    policy.virtual_addresses = vec![held.clone()];
    let changes = plan(&desired(&policy), &Observed::default(), &Ownership::default());
    let mut owned = Ownership::default().before(&desired(&policy), &changes);
    assert!(owned.addresses.contains(&held));
    owned.answered(&Change::AddAddress { address: held.clone() }, false);
    assert!(!owned.addresses.contains(&held));
}

#[test]
fn a_server_that_starts_quiesced_enters_with_its_weight() {
    let mut pool = pool("web", VIP, &Forwarding::DirectRouting);
    pool.on_failure = OnFailure::Quiesce;
    pool.services = vec![service(tcp(VIP, 80), "mh")];
    let policy = policy([pool]);
    let down = tables_on(&policy, &host(&policy), |_, _| Standing::Down);
    let changes = plan(&down, &Observed::default(), &Ownership::default());
    let of_destinations: Vec<_> =
        lines(&changes).into_iter().filter(|line| line.contains("destination")).collect();
    assert_eq!(
        of_destinations,
        [
            "+ destination 192.168.101.110:80 of tcp://192.168.101.100:80: direct route, weight 1",
            "~ destination 192.168.101.110:80 of tcp://192.168.101.100:80: weight 1 -> 0",
            "+ destination 192.168.101.210:80 of tcp://192.168.101.100:80: direct route, weight 1",
            "~ destination 192.168.101.210:80 of tcp://192.168.101.100:80: weight 1 -> 0",
        ]
    );
}

#[test]
fn new_destinations_come_before_old_ones_go() {
    let before = desired(&dr());
    let (observed, owned) = settled(&before);
    let mut moved = pool("web", VIP, &Forwarding::DirectRouting);
    for server in &mut moved.servers {
        server.port = Some(8080);
    }
    let kinds: Vec<_> =
        plan(&desired(&policy([moved])), &observed, &owned).iter().map(Change::kind).collect();
    assert_eq!(kinds, ["add_destination", "add_destination", "remove_destination", "remove_destination"]);
}

#[test]
fn the_record_names_everything_before_it_is_made_and_belongs_to_one_boot() {
    let desired = desired(&full_nat());
    let forward = Sysctl::from_path("net/ipv4/ip_forward");
    let observed = Observed { sysctls: [(forward.clone(), "0".into())].into(), ..Observed::default() };
    let changes = plan(&desired, &observed, &Ownership::default());
    let epoch = Epoch { boot_id: "one".into(), namespace: "net:[1]".into() };
    let owned = Ownership { epoch: epoch.clone(), ..Ownership::default() }.before(&desired, &changes);
    assert!(owned.services.contains(&tcp(VIP, 80)));
    assert!(owned.ruleset.is_some());
    assert_eq!(owned.sysctls[&forward].set, "1");
    let text = serde_json::to_string(&owned).expect("a record is JSON");
    let read: Ownership = serde_json::from_str(&text).expect("and is read back");
    assert_eq!(read, owned);
    assert_eq!(read.clone().valid_in(epoch), owned);
    let other = Epoch { boot_id: "two".into(), namespace: "net:[1]".into() };
    assert_eq!(read.valid_in(other).services.len(), 0);
}

#[test]
fn an_observation_looks_at_all_that_is_wanted_or_ours() {
    let desired = desired(&full_nat());
    let (_, owned) = settled(&desired);
    let seen = scope(&Tables::default(), &owned);
    assert!(seen.ruleset && seen.sysctls.contains(&Sysctl::from_path("net/ipv4/vs/conntrack")));
    let nothing = Scope { ipvs: IpvsScope::Ignored, ..Scope::default() };
    assert_eq!(scope(&Tables::default(), &Ownership::default()), nothing);
}

/// A small universe of tables: few keys, so that generated ones collide.
fn any_services() -> impl Strategy<Value = Tables> {
    let method = prop_oneof![
        Just(ForwardingMethod::Masquerade),
        Just(ForwardingMethod::DirectRoute),
        Just(ForwardingMethod::Tunnel(Encapsulation::IpIp)),
    ];
    let destination = (method, 0u32..3, 0u32..2).prop_map(|(method, weight, upper)| Destination {
        method,
        weight,
        thresholds: Thresholds { upper, lower: 0 },
    });
    let host = |last: u8| DestinationKey { address: ip(&format!("10.0.0.{last}")), port: 80 };
    let destinations = prop::collection::btree_map((1u8..5).prop_map(host), destination, 0..4);
    let keyed = prop_oneof![(1u16..4).prop_map(|port| tcp(VIP, port)), (1u32..3).prop_map(mark)];
    let service =
        (prop_oneof![Just("rr"), Just("mh")], destinations).prop_map(|(scheduler, destinations)| Service {
            config: service(mark(1), scheduler).config,
            destinations: destinations.into(),
        });
    prop::collection::btree_map(keyed, service, 0..5)
        .prop_map(|services| Tables { services, ..Tables::default() })
}

proptest! {
    #[test]
    fn one_pass_reaches_the_desired_table_from_any_other(wanted in any_services(), found in any_services()) {
        let mut observed = Observed { services: found.services.clone(), ..Observed::default() };
        let owned = Ownership::default();
        let changes = plan(&wanted, &observed, &owned);
        apply(&mut observed, &changes);
        prop_assert_eq!(plan(&wanted, &observed, &owned), []);
        for (key, service) in &found.services {
            if !wanted.services.contains_key(key) {
                prop_assert_eq!(observed.services.get(key), Some(service), "foreign services are untouched");
            }
        }
    }

    #[test]
    fn a_service_is_never_without_destinations_while_both_sides_have_some(
        wanted in any_services(),
        found in any_services(),
    ) {
        let mut observed = Observed { services: found.services, ..Observed::default() };
        let populated = |observed: &Observed, key| {
            observed.services.get(key).is_some_and(|service| !service.destinations.is_empty())
        };
        let served: Vec<_> = wanted.services.iter().filter(|(key, service)| {
            !service.destinations.is_empty() && populated(&observed, *key)
        }).map(|(key, _)| *key).collect();
        for change in plan(&wanted, &observed.clone(), &Ownership::default()) {
            assume(&mut observed, &change);
            prop_assert!(served.iter().all(|key| populated(&observed, key)), "after {}", change);
        }
    }
}

fn daemon(role: SyncDaemonRole) -> SyncDaemon {
    SyncDaemon { role, interface: "eth1".into(), sync_id: 61 }
}

fn wanting(daemons: impl IntoIterator<Item = SyncDaemon>) -> Tables {
    Tables { sync_daemons: daemons.into_iter().collect(), ..desired(&dr()) }
}

#[test]
fn the_new_role_of_synchronisation_starts_before_the_old_one_stops() {
    use SyncDaemonRole::{Backup, Master};
    let (observed, owned) = settled(&wanting([daemon(Master)]));
    assert_eq!(
        lines(&plan(&wanting([daemon(Backup)]), &observed, &owned)),
        ["+ sync daemon backup on eth1 (sync id 61)", "- sync daemon master on eth1 (sync id 61)"]
    );
}

#[test]
fn a_daemon_of_another_interface_makes_room_first() {
    use SyncDaemonRole::Backup;
    let foreign = SyncDaemon { interface: "eth0".into(), sync_id: 0, ..daemon(Backup) };
    let (mut observed, owned) = settled(&wanting([]));
    observed.sync_daemons.insert(foreign);
    assert_eq!(plan(&wanting([]), &observed, &owned), [], "somebody else's is left alone");
    assert_eq!(
        lines(&plan(&wanting([daemon(Backup)]), &observed, &owned)),
        ["- sync daemon backup on eth0 (sync id 0)", "+ sync daemon backup on eth1 (sync id 61)"]
    );
}

#[test]
fn our_daemons_are_taken_back_and_their_drift_is_repaired() {
    use SyncDaemonRole::{Backup, Master};
    let both = wanting([daemon(Master), daemon(Backup)]);
    let (mut observed, owned) = settled(&both);
    assert_eq!(plan(&both, &observed, &owned), []);
    observed.sync_daemons.remove(&daemon(Master));
    assert_eq!(plan(&both, &observed, &owned), [Change::StartSyncDaemon { daemon: daemon(Master) }]);
    let left = [Change::StopSyncDaemon { daemon: daemon(Backup) }];
    assert_eq!(plan(&wanting([]), &observed, &owned), left);
    observed.sync_daemons.clear();
    assert!(owned.after(&wanting([]), &observed).sync_daemons.is_empty(), "forgotten when it is gone");
}

#[test]
fn ipvs_is_asked_for_where_something_of_it_is_wanted_or_ours() {
    let none = || desired(&policy([]));
    let owned = Ownership::default();
    assert_eq!(scope(&none(), &owned).ipvs, IpvsScope::Ignored);
    assert_eq!(scope(&desired(&dr()), &owned).ipvs, IpvsScope::Needed);
    let synchronised = Tables { sync_daemons: [daemon(SyncDaemonRole::Backup)].into(), ..none() };
    assert_eq!(scope(&synchronised, &owned).ipvs, IpvsScope::Needed);
    let left = Ownership { sync_daemons: synchronised.sync_daemons, ..Ownership::default() };
    assert_eq!(scope(&none(), &left).ipvs, IpvsScope::IfThere);
}
