//! A host where all is well, and what is said when one fact after the other is broken.

use super::facts::{Facts, Firewall, Modules, Stolen};
use super::{Finding, findings, settings};
use crate::cli::finding::Mark;
use crate::desired::fixtures::{host, in_a_pair, ip, policy, pool};
use crate::desired::lasting_settings;
use crate::model::{
    AddressFacts, ConnectionSync, DefaultRoute, Encapsulation, Family, Forwarding, InterfaceFacts,
    KernelRelease, NetworkFacts, Policy, Reach, SourceTranslation, SyncRole, Sysctl, TunnelChecksum,
};
use serde_json::{Value, json};

const VIP: &str = "192.168.101.100";
const FULL_NAT: Forwarding = Forwarding::FullNat(SourceTranslation::Masquerade);

/// A pair with a pool of one forwarding method; `lb-a` is this host.
fn pair(forwarding: &Forwarding) -> Policy {
    let mut policy = policy([pool("web", VIP, forwarding)]);
    in_a_pair(&mut policy, VIP);
    policy.pair.own = Some("lb-a".into());
    policy.pair.connection_sync = Some(ConnectionSync {
        interface: "eth0".into(),
        sync_id: 61.try_into().expect("not zero"),
        role: SyncRole::Both,
    });
    policy
}

/// A host where all is well for a policy.
fn well(policy: &Policy) -> Facts {
    let interface = |name: &str| InterfaceFacts {
        name: name.to_owned(),
        up: true,
        carrier: true,
        mtu: 1500,
        ..InterfaceFacts::default()
    };
    let address = "192.168.101.200/24".parse().expect("a prefix");
    let reach = host(policy);
    let mut sysctls = lasting_settings(policy, &reach);
    sysctls.insert(settings::asked(), "1".to_owned());
    let modules = ["ip_vs", "ip_vs_rr", "nf_conntrack", "nf_tables"].map(str::to_owned);
    Facts {
        release: Some(KernelRelease(6, 1)),
        sysctls,
        modules: Modules { there: modules.into(), available: Some([].into()) },
        reach,
        network: NetworkFacts {
            interfaces: vec![interface("lo"), interface("eth0")],
            addresses: vec![AddressFacts { interface: "eth0".to_owned(), address, tentative: false }],
            default_routes: vec![DefaultRoute {
                family: Family::Ipv4,
                gateway: Some(ip("192.168.101.254")),
                interface: "eth0".to_owned(),
                segment: None,
            }],
        },
        has_nft: true,
        firewall: Firewall { rules: Some(Ok(json!({"nftables": []}))), has_legacy: false },
        clock: super::facts::Clock { state: Some((true, 1500)), jump_ms: 0 },
        stolen: Some(Stolen { while_looking: 0, since_boot: 1 }),
        rivals: Vec::new(),
        refused_priority: Some(Vec::new()),
    }
}

/// The findings that are not good, after something was broken.
fn found(policy: &Policy, break_it: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let mut facts = well(policy);
    break_it(&mut facts);
    let bad = |finding: &Finding| finding.mark != Mark::Good && finding.code != "failover";
    findings(policy, &facts).into_iter().filter(bad).collect()
}

fn codes(policy: &Policy, break_it: impl FnOnce(&mut Facts)) -> Vec<&'static str> {
    found(policy, break_it).into_iter().map(|finding| finding.code).collect()
}

fn set(path: &'static str, value: &'static str) -> impl FnOnce(&mut Facts) {
    move |facts| {
        facts.sysctls.insert(Sysctl::from_path(path), value.to_owned());
    }
}

#[test]
fn a_host_where_all_is_well_has_nothing_to_look_at() {
    for forwarding in [Forwarding::Nat, Forwarding::DirectRouting, FULL_NAT] {
        assert_eq!(found(&pair(&forwarding), |_| {}), [], "{forwarding:?}");
    }
}

#[test]
fn a_finding_has_its_evidence_and_its_remedy() {
    let findings = found(&pair(&Forwarding::Nat), set("net/ipv4/ip_forward", "0"));
    let [finding] = &findings[..] else { panic!("one: {findings:?}") };
    assert_eq!(
        (finding.code, finding.what.as_str(), finding.mark),
        ("ip-forward", "net.ipv4.ip_forward=0", Mark::Look)
    );
    assert_eq!(finding.evidence, "answers of NAT's and full-NAT's real servers are not forwarded");
    let remedy = "`tandem run` sets it to 1; `tandem doctor --fix` does so now";
    assert_eq!(finding.remedy.as_deref(), Some(remedy));
}

#[test]
fn each_setting_that_differs_is_found() {
    let nat = pair(&Forwarding::Nat);
    assert_eq!(codes(&nat, set("net/ipv4/conf/all/send_redirects", "1")), ["send-redirects"]);
    assert_eq!(codes(&nat, set("net/ipv4/conf/eth0/send_redirects", "1")), ["send-redirects"]);
    assert_eq!(codes(&nat, set("net/ipv4/vs/sync_threshold", "3 50")), ["vs-sync"]);
    assert_eq!(codes(&nat, set("net/ipv4/vs/run_estimation", "0")), ["run-estimation"]);
    assert_eq!(codes(&pair(&FULL_NAT), set("net/ipv4/vs/conntrack", "0")), ["vs-conntrack"]);
    let not_needed = set("net/ipv4/ip_forward", "0");
    assert_eq!(codes(&pair(&Forwarding::DirectRouting), not_needed), [""; 0], "DR forwards nothing back");
    let without_ipvs = |facts: &mut Facts| facts.sysctls.retain(|name, _| !name.path().contains("/vs/"));
    assert_eq!(
        codes(&nat, without_ipvs),
        [""; 0],
        "they come with the module, which has a finding of its own"
    );
}

#[test]
fn parts_of_the_kernel_that_are_missing_are_found() {
    let nat = pair(&Forwarding::Nat);
    let lacks = |name: &'static str| {
        move |facts: &mut Facts| {
            facts.modules.there.remove(name);
        }
    };
    assert_eq!(codes(&nat, lacks("ip_vs_rr")), ["module-missing"]);
    let loadable = |name: &'static str| {
        move |facts: &mut Facts| {
            facts.modules.there.remove(name);
            facts.modules.available = Some([name.to_owned()].into());
        }
    };
    assert_eq!(codes(&nat, loadable("ip_vs_rr")), [""; 0], "the kernel loads a scheduler by itself");
    assert_eq!(codes(&nat, loadable("ip_vs")), ["module-not-loaded"]);
    let unknown = |facts: &mut Facts| {
        facts.modules.there.remove("ip_vs_rr");
        facts.modules.available = None;
    };
    assert_eq!(codes(&nat, unknown), ["module-unknown"]);
    assert_eq!(codes(&nat, |facts| facts.has_nft = false), ["nft"]);
    let gue = Forwarding::Tunnelling(Encapsulation::Gue { port: 6080, checksum: TunnelChecksum::None });
    let old = |facts: &mut Facts| facts.release = Some(KernelRelease(5, 1));
    assert!(codes(&pair(&gue), old).contains(&"encapsulation"));
}

#[test]
fn interfaces_addresses_and_links_are_looked_at() {
    let direct = pair(&Forwarding::DirectRouting);
    assert_eq!(
        codes(&direct, |facts| facts.network.interfaces[1].name = "ens3".to_owned()),
        ["interface-missing"]
    );
    assert_eq!(codes(&direct, |facts| facts.network.interfaces[1].up = false), ["interface-down"]);
    assert_eq!(codes(&direct, |facts| facts.network.interfaces[1].carrier = false), ["interface-no-carrier"]);
    assert_eq!(codes(&direct, |facts| facts.network.addresses.clear()), ["own-address"]);
    let reach = |reach: Reach| {
        move |facts: &mut Facts| {
            facts.reach.reach.insert(ip("192.168.101.110"), reach);
        }
    };
    let gateway = || Reach::Gateway { interface: "eth0".into() };
    assert_eq!(codes(&direct, reach(gateway())), ["server-link"]);
    assert_eq!(codes(&direct, reach(Reach::Unreachable)), ["server-unreachable"]);
    let nat = found(&pair(&Forwarding::Nat), reach(gateway()));
    assert_eq!((nat[0].code, nat[0].mark), ("server-gateway", Mark::Note));
    assert!(nat[0].evidence.ends_with(": 192.168.101.110"), "{nat:?}");
    let strict = |facts: &mut Facts| {
        set("net/ipv4/conf/eth0/rp_filter", "1")(facts);
        facts.network.default_routes[0].interface = "eth1".to_owned();
    };
    assert_eq!(codes(&direct, strict), ["rp-filter"]);
    assert_eq!(
        codes(&direct, set("net/ipv4/conf/eth0/rp_filter", "1")),
        [""; 0],
        "clients come from where answers go"
    );
}

#[test]
fn a_tunnel_that_has_no_room_is_a_note() {
    let tun = pair(&Forwarding::Tunnelling(Encapsulation::IpIp));
    let notes = found(&tun, |_| {});
    assert_eq!((notes[0].code, notes[0].mark), ("tunnel-mtu", Mark::Note));
    assert!(notes[0].evidence.contains("above 1480 does not fit its MTU of 1500"), "{notes:?}");
    assert!(
        notes[0].remedy.as_deref().is_some_and(|remedy| remedy.contains("raise the MTU to 1520")),
        "{notes:?}"
    );
    let roomy = |facts: &mut Facts| {
        let servers =
            InterfaceFacts { name: "eth1".to_owned(), mtu: 1520, ..facts.network.interfaces[1].clone() };
        facts.network.interfaces.push(servers);
        facts.reach.reach.values_mut().for_each(|reach| *reach = Reach::OnLink { interface: "eth1".into() });
        // The policy now needs a setting of eth1.
        facts.sysctls.insert(Sysctl::from_path("net/ipv4/conf/eth1/send_redirects"), "0".to_owned());
    };
    assert_eq!(codes(&tun, roomy), [""; 0]);
}

#[test]
fn clocks_standstills_priority_and_other_programs_are_looked_at() {
    let nat = pair(&Forwarding::Nat);
    assert_eq!(codes(&nat, |facts| facts.clock.state = Some((false, 16_000_000))), ["clock"]);
    assert_eq!(codes(&nat, |facts| facts.clock.jump_ms = -3_600_000), ["clock-jump"]);
    let stolen =
        |while_looking| move |facts: &mut Facts| facts.stolen = Some(Stolen { while_looking, since_boot: 0 });
    assert_eq!(codes(&nat, stolen(9)), [""; 0]);
    assert_eq!(found(&nat, stolen(50))[0].mark, Mark::Note);
    let findings = found(&nat, stolen(155));
    assert_eq!((findings[0].code, findings[0].mark), ("stolen-time", Mark::Look));
    assert!(findings[0].evidence.contains("kept 15.5% of it just now"), "{findings:?}");
    let refused = |facts: &mut Facts| facts.refused_priority = Some(vec!["not permitted".to_owned()]);
    assert_eq!(codes(&nat, refused), ["advert-priority"]);
    assert_eq!(codes(&nat, |facts| facts.rivals = vec![("keepalived".to_owned(), 7)]), ["other-program"]);
    let routers_only = {
        let mut policy = pair(&Forwarding::Nat);
        policy.pools = Default::default();
        policy
    };
    let ipvs_only = |facts: &mut Facts| facts.rivals = vec![("ldirectord".to_owned(), 7)];
    assert_eq!(codes(&routers_only, ipvs_only), [""; 0], "it holds nothing that the policy needs");
}

// --- the packet filter

/// A listing of one table with one chain at a hook.
fn chain(hook: &str, policy: &str, rules: &[Value]) -> Value {
    let base = json!({"chain": {"family": "inet", "table": "filter", "name": hook, "handle": 1, "type": "filter",
        "hook": hook, "prio": 0, "policy": policy}});
    let rule = |expr: &Value| json!({"rule": {"family": "inet", "table": "filter", "chain": hook, "handle": 2, "expr": expr}});
    let items: Vec<Value> = [base].into_iter().chain(rules.iter().map(rule)).collect();
    json!({ "nftables": items })
}

fn protocol(name: &Value, verdict: &str) -> Value {
    json!([{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": name}}, {"counter": {"packets": 0}}, {verdict: null}])
}

fn ports(protocol: &str, field: &str, ports: &Value) -> Value {
    json!([{"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": ports}}, {"accept": null}])
}

fn states(states: &Value, verdict: &str) -> Value {
    json!([{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": states}}, {verdict: null}])
}

/// What the doctor says of these rules in a pair with NAT.
fn told(listing: Value) -> Vec<String> {
    let nat = pair(&Forwarding::Nat);
    let findings = found(&nat, |facts| facts.firewall.rules = Some(Ok(listing)));
    assert!(findings.iter().all(|finding| finding.code == "firewall"), "{findings:?}");
    findings.into_iter().map(|finding| format!("{}: {}", finding.what, finding.evidence)).collect()
}

#[test]
fn a_firewall_that_drops_vrrp_by_name_is_found() {
    let dropped = "chain inet filter input of nftables: a rule seems to drop VRRP of IPv4 (protocol 112)";
    assert_eq!(told(chain("input", "accept", &[protocol(&json!("vrrp"), "drop")])), [dropped]);
    assert_eq!(told(chain("input", "accept", &[protocol(&json!(112), "reject")])), [dropped]);
    let peer_first = json!([
        {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "192.168.101.201"}},
        {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "vrrp"}}, {"accept": null}]);
    let rules = [peer_first, protocol(&json!("vrrp"), "drop")];
    assert_eq!(told(chain("input", "accept", &rules)), [""; 0], "the peer's is accepted before");
    let some = json!([
        {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "192.0.2.1"}},
        {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "vrrp"}}, {"drop": null}]);
    assert_eq!(told(chain("input", "accept", &[some])), [""; 0], "of one sender only");
}

#[test]
fn a_chain_that_drops_by_its_policy_must_accept_each_need() {
    let all = "chain inet filter input of nftables: it drops what no rule accepts, and none seems to accept VRRP of IPv4 \
               (protocol 112), connection synchronisation (UDP 8848), requests to tcp://192.168.101.100:80";
    let replies = states(&json!(["established", "related"]), "accept");
    let loopback = json!([{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"accept": null}]);
    assert_eq!(told(chain("input", "drop", &[replies.clone(), loopback.clone()])), [all]);
    let without_replies = told(chain("input", "drop", &[loopback]));
    assert!(without_replies[0].contains("the directors' UDP port 9751"), "{without_replies:?}");
    let last = json!([{"counter": {"packets": 0}}, {"drop": null}]);
    assert_eq!(told(chain("input", "accept", &[replies.clone(), last])), [all], "the same by a last rule");
    let enough = [
        replies,
        protocol(&json!({"set": ["icmp", "vrrp"]}), "accept"),
        ports("udp", "dport", &json!({"set": [8848, 9751]})),
        ports("tcp", "dport", &json!({"range": [80, 89]})),
    ];
    assert_eq!(told(chain("input", "drop", &enough)), [""; 0]);
    let wrong =
        "it drops what no rule accepts, and none seems to accept requests to tcp://192.168.101.100:80";
    let told = told(chain("input", "drop", &[&enough[..3], &[ports("tcp", "dport", &json!(443))]].concat()));
    assert_eq!(told, [format!("chain inet filter input of nftables: {wrong}")]);
}

#[test]
fn nats_answers_are_invalid_to_tracking_that_does_not_know_them() {
    let dropped = "chain inet filter forward of nftables: a rule seems to drop answers of pool web, which tracking calls invalid";
    assert_eq!(told(chain("forward", "accept", &[states(&json!("invalid"), "drop")])), [dropped]);
    let map = json!([{"vmap": {"key": {"ct": {"key": "state"}},
        "data": {"set": [["established", {"accept": null}], ["invalid", {"drop": null}]]}}}]);
    assert_eq!(told(chain("forward", "accept", std::slice::from_ref(&map))), [dropped]);
    let established = states(&json!(["established", "related"]), "accept");
    let told = told(chain("forward", "drop", std::slice::from_ref(&established)));
    assert!(
        told[0].ends_with("none seems to accept answers of pool web, which tracking calls invalid"),
        "{told:?}"
    );
    // Full-NAT has them tracked.
    let full_nat = pair(&FULL_NAT);
    for rules in [chain("forward", "drop", &[established]), chain("forward", "drop", &[map])] {
        assert_eq!(codes(&full_nat, |facts| facts.firewall.rules = Some(Ok(rules))), [""; 0]);
    }
}

#[test]
fn what_cannot_be_judged_is_not_accused() {
    let own = json!({"nftables": [{"chain": {"family": "inet", "table": "tandem", "name": "input", "type": "filter",
        "hook": "input", "prio": 0, "policy": "drop"}}]});
    assert_eq!(told(own), [""; 0], "our own table");
    let jump = json!({"nftables": [
        {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "ip", "table": "filter", "name": "allowed"}},
        {"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "expr": [{"jump": {"target": "allowed"}}]}},
        {"rule": {"family": "ip", "table": "filter", "chain": "allowed", "expr": [{"xt": {"type": "match", "name": "comment"}}, {"accept": null}]}},
    ]});
    assert_eq!(told(jump), [""; 0], "another program's match may fit");
    let limited = json!([{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "vrrp"}},
        {"limit": {"rate": 10, "per": "second", "inv": true}}, {"drop": null}]);
    assert_eq!(told(chain("input", "accept", &[limited])), [""; 0], "above a limit only");
    assert_eq!(told(json!({"nftables": "nonsense"})), [""; 0]);
    let nat = pair(&Forwarding::Nat);
    let unread = |facts: &mut Facts| {
        facts.firewall = Firewall { rules: Some(Err("not permitted".to_owned())), has_legacy: true };
    };
    assert_eq!(codes(&nat, unread), ["firewall-unread", "firewall-legacy"]);
}

// --- pools that share real servers

#[test]
fn services_of_nat_at_one_port_of_a_real_server_are_noted_once() {
    let said = |policy: &Policy| {
        let findings = findings(policy, &well(policy)).into_iter();
        let notes = findings.filter(|finding| finding.code == "shared-destination");
        notes.map(|finding| finding.what).collect::<Vec<_>>()
    };
    let other = "192.168.101.101";
    let both = |forwarding: &Forwarding, other_forwarding: &Forwarding| {
        policy([pool("web", VIP, forwarding), pool("app", other, other_forwarding)])
    };
    let [note] = &said(&both(&Forwarding::Nat, &FULL_NAT))[..] else { panic!("one note") };
    for part in [VIP, other, "share", "more)"] {
        assert!(note.contains(part), "{part} is not in {note}");
    }
    let none: [String; 0] = [];
    assert_eq!(said(&both(&Forwarding::Nat, &Forwarding::DirectRouting)), none);
    let mut own_ports = both(&Forwarding::Nat, &Forwarding::Nat);
    let app = own_ports.pools.values_mut().next().expect("a pool");
    app.servers.iter_mut().for_each(|server| server.port = Some(8081));
    assert_eq!(said(&own_ports), none);
    assert_eq!(said(&policy([pool("web", VIP, &Forwarding::Nat)])), none);
}

// --- the pair

fn told_of_failover(policy: &Policy) -> Vec<String> {
    let findings = findings(policy, &well(policy)).into_iter().filter(|finding| finding.code == "failover");
    findings.map(|finding| format!("{}: {}", finding.what, finding.evidence)).collect()
}

#[test]
fn a_director_that_is_alone_has_no_failover() {
    let alone = policy([pool("web", VIP, &Forwarding::Nat)]);
    assert_eq!(told_of_failover(&alone), [""; 0]);
}

#[test]
fn each_pool_of_a_pair_is_told_what_becomes_of_its_connections() {
    let mut pair = policy([pool("web", VIP, &FULL_NAT), pool("app", VIP, &Forwarding::Nat)]);
    in_a_pair(&mut pair, VIP);
    let app = |pair: &Policy| told_of_failover(pair)[0].clone();
    assert!(
        app(&pair).starts_with("pool app: its connections end in a failover: the other director knows no")
    );
    pair.pair.connection_sync = Some(ConnectionSync {
        interface: "eth1".into(),
        sync_id: 61.try_into().expect("not zero"),
        role: SyncRole::Both,
    });
    assert!(
        app(&pair).starts_with("pool app: its connections survive a failover: connections are synchronised")
    );
    assert!(
        told_of_failover(&pair)[1].starts_with("pool web: its connections end in a failover: masqueraded")
    );
    for pool in pair.pools.values_mut() {
        pool.servers.iter_mut().for_each(|server| server.forwarding = Forwarding::DirectRouting);
        pool.services.iter_mut().for_each(|service| service.config.scheduler.0 = "mh".to_owned());
    }
    pair.pair.connection_sync = None;
    assert!(app(&pair).starts_with("pool app: its connections survive a failover: mh chooses the same"));
}
