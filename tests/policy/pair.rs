//! What a policy means of its pair: the values that come out, where text and defaults leave room for doubt.

use crate::Memory;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tandem::model::{
    Authentication, Forwarding, Policy, Preempt, Secret, SourceTranslation, SyncRole, Tracked, VrrpVersion,
};
use tandem::policy::{self, Code, Colour, Loaded, View};

const PAIR: &str = "policy_version: 1\ndirectors: {lb-a: {address: 192.0.2.1}, lb-b: {address: 192.0.2.2}}\n";

fn load(text: &str, view: View<'_>) -> Loaded {
    policy::load(Path::new("policy.yaml"), &Memory::of(format!("{PAIR}{text}").as_bytes()), view)
}

/// The policy of a text as a director has it; warnings are allowed.
#[track_caller]
fn policy_of(text: &str, director: &str) -> Policy {
    let loaded = load(text, View::Director(director));
    let shown: String = loaded
        .diagnostics
        .iter()
        .map(|found| policy::render(found, &loaded.sources, Colour::Plain))
        .collect();
    loaded.policy.unwrap_or_else(|| panic!("{shown}"))
}

#[track_caller]
fn policy(text: &str) -> Policy {
    policy_of(text, "lb-a")
}

fn priorities(policy: &Policy, router: &str) -> Vec<(String, u8)> {
    let router = &policy.pair.routers[router];
    router.priorities.iter().map(|(name, priority)| (name.to_string(), *priority)).collect()
}

#[test]
fn a_router_that_says_little_has_the_documented_defaults() {
    let policy =
        policy("virtual_routers: {r: {interface: eth0, vrid: 51, virtual_addresses: [192.0.2.100/24]}}");
    let router = &policy.pair.routers["r"];
    assert_eq!((router.version, router.interval), (VrrpVersion::V3, Duration::from_millis(100)));
    assert_eq!(router.accept_versions, [VrrpVersion::V3]);
    assert_eq!(router.preempt, Preempt::After(Duration::ZERO));
    assert_eq!((router.start_delay, router.virtual_mac), (Duration::ZERO, false));
    assert_eq!(priorities(&policy, "r"), [("lb-a".to_owned(), 200), ("lb-b".to_owned(), 190)]);
    assert_eq!(policy.pair.own_priority(router), Some(200));
    assert_eq!(policy.pair.peer.port, 9751);
}

#[test]
fn version_2_advertises_each_second() {
    let policy = policy(
        "virtual_routers: {r: {interface: eth0, vrid: 51, virtual_addresses: [192.0.2.100/24], version: 2}}",
    );
    assert_eq!(policy.pair.routers["r"].interval, Duration::from_secs(1));
    assert_eq!(policy.pair.routers["r"].accept_versions, [VrrpVersion::V2]);
}

#[test]
fn a_router_without_a_preference_has_that_of_its_group() {
    let policy = policy(
        "virtual_routers:\n  a: {interface: eth0, vrid: 1, virtual_addresses: [192.0.2.100/24]}\n  \
         b: {interface: eth1, vrid: 2, virtual_addresses: [10.0.0.1/24], priority: {lb-a: 50, lb-b: 99}}\n  \
         c: {interface: eth2, vrid: 3, virtual_addresses: [10.1.0.1/24]}\n\
         sync_groups: {site: {routers: [a, b]}}",
    );
    assert_eq!(priorities(&policy, "a"), [("lb-a".to_owned(), 50), ("lb-b".to_owned(), 99)]);
    assert_eq!(priorities(&policy, "c"), [("lb-a".to_owned(), 200), ("lb-b".to_owned(), 190)]);
    assert!(policy.pair.move_together("a", "b") && !policy.pair.move_together("a", "c"));
}

#[test]
fn an_ipv6_session_has_a_link_local_address_first() {
    let policy = policy(
        "virtual_routers:\n  added: {interface: eth0, vrid: 171, virtual_addresses: [192.0.2.100/24, \"2001:db8::100/64\"]}\n  \
         said: {interface: eth1, vrid: 2, virtual_addresses: [\"2001:db8:1::1/64\", \"fe80::7/64\"]}",
    );
    let addresses = |router: &str| {
        policy.pair.routers[router].addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(addresses("added"), ["192.0.2.100/24", "fe80::200:5eff:fe00:2ab/64", "2001:db8::100/64"]);
    assert_eq!(addresses("said"), ["fe80::7/64", "2001:db8:1::1/64"]);
}

#[test]
fn a_tracked_check_is_kept_though_no_pool_uses_it() {
    let policy = policy(
        "virtual_routers: {r: {interface: eth0, vrid: 51, virtual_addresses: [192.0.2.100/24], track: [{check: up, priority_change: -60}]}}\n\
         checks: {up: {tcp: {}, address: 192.0.2.254, port: 179}, unused: {tcp: {}}}",
    );
    let tracker = &policy.pair.routers["r"].track[0];
    assert_eq!((&*tracker.name, tracker.priority_change), ("check up", Some(-60)));
    assert_eq!(tracker.what, Tracked::Check("up".into()));
    assert_eq!(policy.own_target(&"up".into()).expect("a target").address.to_string(), "192.0.2.254:179");
    assert_eq!(policy.checks.keys().map(|name| &**name).collect::<Vec<_>>(), ["up"]);
}

const FULL_NAT: &str = "virtual_routers:\n  out: {interface: eth0, vrid: 1, virtual_addresses: [192.0.2.100/24]}\n  \
     in: {interface: eth1, vrid: 2, virtual_addresses: [10.0.0.1/24]}\nsync_groups: {site: {routers: [out, in]}}\n\
     defaults: {pool: {check: none}}\npools:\n  \
     float: {virtual_services: [tcp://192.0.2.100:80], forwarding: {full-nat: {local_addresses: {router: in, addresses: [10.0.0.20-10.0.0.21, 10.0.0.1]}}}, real_servers: [10.0.0.11]}\n  \
     more: {virtual_services: [tcp://192.0.2.100:81], forwarding: {full-nat: {local_addresses: {router: in, addresses: [10.0.0.21-10.0.0.22]}}}, real_servers: [10.0.0.11]}\n  \
     own: {virtual_services: [tcp://192.0.2.100:82], forwarding: {full-nat: {local_addresses: {lb-a: [10.0.0.30], lb-b: [10.0.0.31]}}}, real_servers: [10.0.0.11]}\n";

#[test]
fn local_addresses_float_with_their_router_or_are_each_directors_own() {
    let (a, b) = (policy(FULL_NAT), policy_of(FULL_NAT, "lb-b"));
    let floating: Vec<String> =
        a.pair.routers["in"].local_addresses.iter().map(ToString::to_string).collect();
    assert_eq!(floating, ["10.0.0.20", "10.0.0.21", "10.0.0.22"], "10.0.0.1 floats already");
    let local = |policy: &Policy, pool: &str| match &policy.pools[pool].servers[0].forwarding {
        Forwarding::FullNat(SourceTranslation::LocalAddresses(addresses)) => {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(local(&a, "float"), ["10.0.0.1", "10.0.0.20", "10.0.0.21"]);
    assert_eq!(
        (local(&a, "own"), local(&b, "own")),
        (vec!["10.0.0.30".to_owned()], vec!["10.0.0.31".to_owned()])
    );
    assert_eq!(
        a.pair.router_of("10.0.0.22".parse().expect("an address")).map(|router| &*router.name),
        Some("in")
    );
    assert!(a.virtual_addresses.is_empty());
}

#[test]
fn what_differs_on_a_director_is_merged_for_it_alone() {
    let text = "policy_version: 1\ndirectors:\n  lb-a: {address: 192.0.2.1, virtual_routers: {r: {interface: eth9, garp: {repeat: 9}}}}\n  \
                lb-b.example.com: {address: 192.0.2.2}\n\
                virtual_routers: {r: {interface: eth0, vrid: 51, virtual_addresses: [192.0.2.100/24], garp: {delay: 1s}}}";
    let of = |view| {
        let loaded = policy::load(Path::new("policy.yaml"), &Memory::of(text.as_bytes()), view);
        let pair = loaded.policy.expect("a good policy").pair;
        let router = pair.routers["r"].clone();
        let garp = router.announcements;
        (pair.own.map(|own| own.to_string()), router.interface, garp.repeat, garp.delay.as_secs())
    };
    let a = (Some("lb-a".to_owned()), "eth9".to_owned(), 9, 1);
    let b = (Some("lb-b.example.com".to_owned()), "eth0".to_owned(), 5, 1);
    assert_eq!(of(View::Host("lb-a.example.com")), a);
    assert_eq!(of(View::Host("lb-b")), b);
    assert_eq!(of(View::Director("lb-b")), b);
    assert_eq!(of(View::Anywhere("elsewhere")), a, "the first");
}

#[test]
fn a_bad_difference_of_the_other_director_refuses_the_policy_for_all() {
    let text = "virtual_routers: {r: {interface: eth0, vrid: 51, virtual_addresses: [192.0.2.100/24]}}";
    let text = format!("{PAIR}{text}").replace("192.0.2.2}", "192.0.2.2, checks: {x: {}}}");
    let files = Memory::of(text.as_bytes());
    let alone = policy::load(Path::new("policy.yaml"), &files, View::Director("lb-a"));
    assert!(alone.policy.is_some(), "lb-a itself could run it");
    let all = policy::load_for_all(Path::new("policy.yaml"), &files, View::Director("lb-a"));
    assert!(all.policy.is_none());
    assert_eq!(all.diagnostics[0].code, Code::CheckWithoutKind);
    assert!(all.diagnostics[0].message.starts_with("on lb-b: "), "{:?}", all.diagnostics);
}

#[test]
fn a_host_that_is_none_of_the_directors_is_told_their_names() {
    let loaded = load("", View::Host("web1"));
    assert!(loaded.policy.is_none());
    assert_eq!(loaded.diagnostics[0].code, Code::DirectorNotFound);
    assert_eq!(loaded.diagnostics[0].message, "this host, `web1`, is none of the directors: lb-a, lb-b");
    let anywhere = load("", View::Anywhere("web1"));
    assert_eq!(anywhere.director.as_deref(), Some("lb-a"));
    let single =
        policy::load(Path::new("policy.yaml"), &Memory::of(b"policy_version: 1"), View::Host("web1"));
    assert!(single.policy.is_some_and(|policy| policy.pair.own.is_none()), "no directors: any host");
}

#[test]
fn secrets_and_files_are_relative_to_the_policy() {
    let text = format!(
        "{PAIR}virtual_routers: {{r: {{interface: eth0, vrid: 51, virtual_addresses: [192.0.2.100/24], track: [{{file: fit}}], \
         authentication: {{mode: enforce, keys: [{{id: 2, credential: two}}, {{id: 1, file: keys/one}}]}}}}}}\n\
         connection_sync: {{interface: eth1, sync_id: 7, role: {{follow: r}}}}\npeer: {{key: {{file: /etc/peer.key}}}}"
    );
    let files = Memory(std::iter::once((PathBuf::from("site/policy.yaml"), text.into_bytes())).collect());
    let loaded = policy::load(Path::new("site/policy.yaml"), &files, View::First);
    let pair = loaded.policy.expect("a good policy").pair;
    let Some(Authentication::Hmac { keys, .. }) = &pair.routers["r"].authentication else {
        panic!("no keys")
    };
    assert_eq!(keys[0].secret, Secret::Credential("two".to_owned()));
    assert_eq!((keys[1].id, &keys[1].secret), (1, &Secret::File("site/keys/one".into())));
    assert_eq!(pair.routers["r"].track[0].what, Tracked::File("site/fit".into()));
    assert_eq!(pair.peer.key, Some(Secret::File("/etc/peer.key".into())));
    assert_eq!(pair.connection_sync.map(|sync| sync.role), Some(SyncRole::FollowRouter("r".into())));
}

#[test]
fn more_addresses_than_an_advertisement_holds_are_refused() {
    let codes = |addresses: &dyn Fn(u16) -> String, number: u16| {
        let list: Vec<String> = (1..=number).map(|index| format!("\"{}\"", addresses(index))).collect();
        let text = format!(
            "virtual_routers: {{r: {{interface: eth0, vrid: 51, virtual_addresses: [{}]}}}}",
            list.join(", ")
        );
        load(&text, View::First).diagnostics.iter().map(|found| found.code).collect::<Vec<_>>()
    };
    let four = |index: u16| format!("10.0.{}.{}/16", index / 200, index % 200 + 1);
    let six = |index: u16| format!("2001:db8::{index:x}/64");
    assert_eq!((codes(&four, 255), codes(&four, 256)), (vec![], vec![Code::RangeTooLarge]));
    assert_eq!((codes(&six, 80), codes(&six, 81)), (vec![], vec![Code::RangeTooLarge]));
}
