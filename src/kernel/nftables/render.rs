//! A ruleset as one transaction in nft's JSON (libnftables-json(5)). Pure.
//!
//! The rules are few and static; services are elements of maps and sets. Two things shape it, both of nft 1.0.6 (Debian 12):
//!
//! - `ct original proto-dst` is only known to be a port behind a match of the protocol in the same rule, so there is one map
//!   a protocol and family, keyed by address and port.
//! - Packets are marked in the same chain that exempts them from tracking (priority raw), since a later one would come too
//!   late for `notrack`; the mark then survives IPVS until source translation.

mod takeover;

use super::{FAMILY, TABLE};
use crate::model::{Family, Protocol, Ruleset, ServiceKey, SourceTranslation};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Priorities of these chains (`linux/netfilter_ipv4.h`): `NF_IP_PRI_RAW`, `NF_IP_PRI_NAT_SRC`.
const PRIORITY_RAW: i32 = -300;
const PRIORITY_SOURCE_NAT: i32 = 100;

/// What a packet is looked up by: the first that matches decides, so a port comes before every port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lookup {
    Port(Protocol, Family),
    EveryPort(Protocol, Family),
    Mark(Family),
}

/// The transaction that puts this ruleset in the place of whatever table of ours there is.
pub(super) fn replacement(ruleset: &Ruleset) -> Value {
    let mut commands = vec![table_command("add"), table_command("delete"), table_command("add")];
    commands.extend(source_translation(ruleset));
    commands.extend(prerouting(ruleset));
    commands.extend(takeover::rules(ruleset));
    json!({ "nftables": commands })
}

/// The transaction after which there is no table of ours, whether or not there was one.
pub(super) fn removal() -> Value {
    json!({ "nftables": [table_command("add"), table_command("delete")] })
}

fn table_command(verb: &str) -> Value {
    json!({ verb: { "table": { "family": FAMILY, "name": TABLE } } })
}

/// Full-NAT: maps from services to the chain that translates, and one rule for each map.
fn source_translation(ruleset: &Ruleset) -> Vec<Value> {
    let mut chains = Vec::new();
    let mut elements: BTreeMap<Lookup, Vec<Value>> = BTreeMap::new();
    for (index, ((family, translation), services)) in ruleset.source_translations.iter().enumerate() {
        let name = format!("source_{}", index + 1);
        chains.push(add("chain", json!({ "name": name })));
        chains.push(rule(&name, vec![translate(*family, translation, ruleset.repeatable_sources)]));
        for service in services {
            let (lookup, key) = lookup_of(service);
            elements.entry(lookup).or_default().push(json!([key, { "goto": { "target": name } }]));
        }
    }
    if elements.is_empty() {
        return Vec::new();
    }
    chains.push(base_chain("postrouting", "nat", PRIORITY_SOURCE_NAT));
    for (lookup, elements) in elements {
        let name = format!("source_{}", name_of(lookup));
        let (kind, expression) = match lookup {
            Lookup::Port(_, family) => (
                json!([address_type(family), "inet_service"]),
                json!({ "concat": [original(family), { "ct": { "key": "proto-dst", "dir": "original" } }] }),
            ),
            Lookup::EveryPort(_, family) => (json!(address_type(family)), original(family)),
            Lookup::Mark(_) => (json!("mark"), meta("mark")),
        };
        chains.push(add("map", json!({ "name": name, "type": kind, "map": "verdict", "elem": elements })));
        let vmap = json!({ "vmap": { "key": expression, "data": format!("@{name}") } });
        chains.push(rule("postrouting", vec![guard(lookup), vmap]));
    }
    chains
}

/// The statement that gives a connection its new source. Masquerade takes an address of this director alone: nothing of it
/// can be repeated elsewhere.
fn translate(family: Family, translation: &SourceTranslation, repeatable: bool) -> Value {
    let addresses: Vec<&IpAddr> = match translation {
        SourceTranslation::Masquerade => return json!({ "masquerade": { "flags": "fully-random" } }),
        SourceTranslation::LocalAddresses(addresses) => {
            addresses.iter().filter(|address| Family::of(**address) == family).collect()
        }
    };
    let to = match addresses.as_slice() {
        [address] => json!(address),
        _ => {
            let choices: Vec<Value> = addresses.iter().enumerate().map(|choice| json!(choice)).collect();
            let choice = if repeatable {
                let client = json!({ "payload": { "protocol": payload_protocol(family), "field": "saddr" } });
                json!({ "jhash": { "mod": choices.len(), "offset": 0, "expr": client, "seed": Ruleset::SOURCE_SEED } })
            } else {
                json!({ "numgen": { "mode": "random", "mod": choices.len(), "offset": 0 } })
            };
            json!({ "map": { "key": choice, "data": { "set": choices } } })
        }
    };
    let mut translation = json!({ "family": payload_protocol(family), "addr": to });
    if !repeatable {
        translation["flags"] = json!("fully-random");
    }
    json!({ "snat": translation })
}

/// Marks of joined ports, then what bypasses connection tracking.
fn prerouting(ruleset: &Ruleset) -> Vec<Value> {
    let mut commands = Vec::new();
    commands.extend(marks(&ruleset.marks));
    let services = ruleset.untracked.iter().map(lookup_of_packet);
    let notrack = json!({ "notrack": null });
    commands.extend(set_rules("prerouting", "untracked", "d", &[], &notrack, services));
    let (replies, conditions) = (of_servers(&ruleset.untracked_replies), [to_another_host()]);
    commands.extend(set_rules("prerouting", "untracked_replies", "s", &conditions, &notrack, replies));
    with_chain(base_chain("prerouting", "filter", PRIORITY_RAW), commands)
}

fn of_servers(servers: &BTreeSet<(Protocol, IpAddr, u16)>) -> impl Iterator<Item = (PacketLookup, Value)> {
    servers.iter().map(|(protocol, address, port)| {
        lookup_of_packet(&ServiceKey::Address { protocol: *protocol, address: *address, port: *port })
    })
}

/// A base chain before its contents, if there are any.
fn with_chain(chain: Value, mut contents: Vec<Value>) -> Vec<Value> {
    if !contents.is_empty() {
        contents.insert(0, chain);
    }
    contents
}

/// One map a family: address, protocol and port to the mark.
fn marks(marks: &BTreeMap<ServiceKey, u32>) -> Vec<Value> {
    let mut elements: BTreeMap<PacketLookup, Vec<Value>> = BTreeMap::new();
    for (service, mark) in marks {
        let (lookup, key) = lookup_of_packet(service);
        elements.entry(lookup).or_default().push(json!([key, mark]));
    }
    let commands_of = |(lookup, elements): (PacketLookup, Vec<Value>)| {
        let name = format!("marks_{}", lookup.name());
        let map = json!({ "name": name, "type": lookup.kind(), "map": "mark", "elem": elements });
        let mark = json!({ "map": { "key": lookup.expression("d"), "data": format!("@{name}") } });
        let statement = json!({ "mangle": { "key": meta("mark"), "value": mark } });
        [add("map", map), rule("prerouting", vec![lookup.guard(), statement])]
    };
    elements.into_iter().flat_map(commands_of).collect()
}

/// NAT's answers are addressed to clients. What a real server sends to an address of this host answers full-NAT or a probe,
/// and those are tracked.
fn to_another_host() -> Value {
    let kind = json!({ "fib": { "result": "type", "flags": ["daddr"] } });
    json!({ "match": { "op": "!=", "left": kind, "right": "local" } })
}

/// One set and one rule of `chain` for each kind of look-up; `side` is "d" for destination, "s" for source.
fn set_rules(
    chain: &str,
    name: &str,
    side: &str,
    conditions: &[Value],
    verdict: &Value,
    keys: impl Iterator<Item = (PacketLookup, Value)>,
) -> Vec<Value> {
    let mut elements: BTreeMap<PacketLookup, Vec<Value>> = BTreeMap::new();
    for (lookup, key) in keys {
        elements.entry(lookup).or_default().push(key);
    }
    let commands_of = |(lookup, elements): (PacketLookup, Vec<Value>)| {
        let name = format!("{name}_{}", lookup.name());
        let set = json!({ "name": name, "type": lookup.kind(), "elem": elements });
        let found = json!({
            "match": { "op": "==", "left": lookup.expression(side), "right": format!("@{name}") }
        });
        let mut expression = vec![lookup.guard(), found];
        expression.extend_from_slice(conditions);
        expression.push(verdict.clone());
        [add("set", set), rule(chain, expression)]
    };
    elements.into_iter().flat_map(commands_of).collect()
}

/// How a packet is recognised before connection tracking: the protocol can be a part of the key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PacketLookup {
    Port(Family),
    EveryPort(Family),
    Mark(Family),
}

impl PacketLookup {
    const fn family(self) -> Family {
        match self {
            Self::Port(family) | Self::EveryPort(family) | Self::Mark(family) => family,
        }
    }

    fn name(self) -> String {
        let digit = family_digit(self.family());
        match self {
            Self::Port(_) => digit.to_owned(),
            Self::EveryPort(_) => format!("{digit}_every_port"),
            Self::Mark(_) => format!("{digit}_mark"),
        }
    }

    fn kind(self) -> Value {
        match self {
            Self::Port(family) => json!([address_type(family), "inet_proto", "inet_service"]),
            Self::EveryPort(family) => json!([address_type(family), "inet_proto"]),
            Self::Mark(_) => json!("mark"),
        }
    }

    fn expression(self, side: &str) -> Value {
        let protocol = payload_protocol(self.family());
        let address = json!({ "payload": { "protocol": protocol, "field": format!("{side}addr") } });
        let port = json!({ "payload": { "protocol": "th", "field": format!("{side}port") } });
        match self {
            Self::Port(_) => json!({ "concat": [address, meta("l4proto"), port] }),
            Self::EveryPort(_) => json!({ "concat": [address, meta("l4proto")] }),
            Self::Mark(_) => meta("mark"),
        }
    }

    fn guard(self) -> Value {
        guard(Lookup::Mark(self.family()))
    }
}

fn lookup_of_packet(service: &ServiceKey) -> (PacketLookup, Value) {
    match service {
        ServiceKey::Address { protocol, address, port: 0 } => {
            (PacketLookup::EveryPort(Family::of(*address)), json!({ "concat": [address, protocol.name()] }))
        }
        ServiceKey::Address { protocol, address, port } => {
            (PacketLookup::Port(Family::of(*address)), json!({ "concat": [address, protocol.name(), port] }))
        }
        ServiceKey::FirewallMark { family, mark } => (PacketLookup::Mark(*family), json!(mark)),
    }
}

fn lookup_of(service: &ServiceKey) -> (Lookup, Value) {
    match service {
        ServiceKey::Address { protocol, address, port: 0 } => {
            (Lookup::EveryPort(*protocol, Family::of(*address)), json!(address))
        }
        ServiceKey::Address { protocol, address, port } => {
            (Lookup::Port(*protocol, Family::of(*address)), json!({ "concat": [address, port] }))
        }
        ServiceKey::FirewallMark { family, mark } => (Lookup::Mark(*family), json!(mark)),
    }
}

fn name_of(lookup: Lookup) -> String {
    match lookup {
        Lookup::Port(protocol, family) => format!("{}_{}", protocol.name(), family_digit(family)),
        Lookup::EveryPort(protocol, family) => {
            format!("{}_{}_every_port", protocol.name(), family_digit(family))
        }
        Lookup::Mark(family) => format!("mark_{}", family_digit(family)),
    }
}

/// The match that must come before the look-up of this kind.
fn guard(lookup: Lookup) -> Value {
    let (left, right) = match lookup {
        Lookup::Port(protocol, _) | Lookup::EveryPort(protocol, _) => (meta("l4proto"), protocol.name()),
        Lookup::Mark(Family::Ipv4) => (meta("nfproto"), "ipv4"),
        Lookup::Mark(Family::Ipv6) => (meta("nfproto"), "ipv6"),
    };
    json!({ "match": { "op": "==", "left": left, "right": right } })
}

/// The destination address with which the connection began: the VIP.
fn original(family: Family) -> Value {
    json!({ "ct": { "key": format!("{} daddr", payload_protocol(family)), "dir": "original" } })
}

fn meta(key: &str) -> Value {
    json!({ "meta": { "key": key } })
}

/// Adds an object (chain, map, set, rule) of our table.
fn add(kind: &str, mut object: Value) -> Value {
    object["family"] = json!(FAMILY);
    object["table"] = json!(TABLE);
    json!({ "add": { kind: object } })
}

fn rule(chain: &str, expression: Vec<Value>) -> Value {
    add("rule", json!({ "chain": chain, "expr": expression }))
}

fn base_chain(hook: &str, kind: &str, priority: i32) -> Value {
    base_chain_named(hook, hook, kind, priority)
}

fn base_chain_named(name: &str, hook: &str, kind: &str, priority: i32) -> Value {
    add("chain", json!({ "name": name, "type": kind, "hook": hook, "prio": priority, "policy": "accept" }))
}

const fn address_type(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4_addr",
        Family::Ipv6 => "ipv6_addr",
    }
}

const fn payload_protocol(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip6",
    }
}

const fn family_digit(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "4",
        Family::Ipv6 => "6",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(protocol: Protocol, address: &str, port: u16) -> ServiceKey {
        ServiceKey::Address { protocol, address: address.parse().expect("an address"), port }
    }

    fn commands(document: &Value) -> Vec<String> {
        document["nftables"].as_array().expect("commands").iter().map(Value::to_string).collect()
    }

    #[test]
    fn the_table_is_replaced_in_one_transaction_and_removed_whether_or_not_it_is_there() {
        let table = r#"{"family":"inet","name":"tandem"}"#;
        let [add, delete] = ["add", "delete"].map(|verb| format!(r#"{{"{verb}":{{"table":{table}}}}}"#));
        assert_eq!(commands(&replacement(&Ruleset::default())), [&add, &delete, &add].map(String::as_str));
        assert_eq!(commands(&removal()), [add, delete]);
    }

    #[test]
    fn full_nat_is_an_element_a_service_and_a_rule_a_kind() {
        let local = SourceTranslation::LocalAddresses(
            ["192.168.101.200", "192.168.101.201"].map(|a| a.parse().expect("an address")).to_vec(),
        );
        let services = BTreeSet::from([
            service(Protocol::Tcp, "192.168.101.100", 80),
            service(Protocol::Tcp, "192.168.101.100", 0),
            ServiceKey::FirewallMark { family: Family::Ipv4, mark: 7 },
        ]);
        let ruleset = Ruleset {
            source_translations: BTreeMap::from([((Family::Ipv4, local), services)]),
            ..Ruleset::default()
        };
        let rendered = commands(&replacement(&ruleset)).join("\n");
        for part in [
            r#"{"snat":{"addr":{"map":{"data":{"set":[[0,"192.168.101.200"],[1,"192.168.101.201"]]},"key":{"numgen":{"mod":2,"mode":"random","offset":0}}}},"family":"ip","flags":"fully-random"}}"#,
            r#""elem":[[{"concat":["192.168.101.100",80]},{"goto":{"target":"source_1"}}]],"family":"inet","map":"verdict","name":"source_tcp_4","table":"tandem","type":["ipv4_addr","inet_service"]"#,
            r#"{"vmap":{"data":"@source_tcp_4","key":{"concat":[{"ct":{"dir":"original","key":"ip daddr"}},{"ct":{"dir":"original","key":"proto-dst"}}]}}}"#,
            r#""elem":[["192.168.101.100",{"goto":{"target":"source_1"}}]]"#,
            r#""elem":[[7,{"goto":{"target":"source_1"}}]]"#,
        ] {
            assert!(rendered.contains(part), "{part}\nis not in\n{rendered}");
        }
        let repeatable = Ruleset { repeatable_sources: true, ..ruleset };
        let repeatable = commands(&replacement(&repeatable)).join("\n");
        let by_client = r#""key":{"jhash":{"expr":{"payload":{"field":"saddr","protocol":"ip"}},"mod":2,"offset":0,"seed":1}}"#;
        assert!(repeatable.contains(by_client) && !repeatable.contains("fully-random"), "{repeatable}");
        let position = |text: &str| rendered.find(text).expect("a rule");
        assert!(position("\"@source_tcp_4\"") < position("\"@source_tcp_4_every_port\""));
    }

    #[test]
    fn answers_to_this_host_itself_stay_tracked() {
        let reply = (Protocol::Tcp, "192.0.2.7".parse().expect("an address"), 80);
        let service = service(Protocol::Tcp, "192.0.2.1", 80);
        let ruleset = Ruleset {
            untracked: BTreeSet::from([service]),
            untracked_replies: BTreeSet::from([reply]),
            ..Ruleset::default()
        };
        let rules = commands(&replacement(&ruleset));
        let rule = |set: &str| rules.iter().find(|rule| rule.contains(set)).expect("a rule").clone();
        let condition =
            r#"{"match":{"left":{"fib":{"flags":["daddr"],"result":"type"}},"op":"!=","right":"local"}}"#;
        assert!(rule("@untracked_replies_4").contains(condition));
        assert!(!rule("@untracked_4").contains(condition), "the VIP is an address of this host");
    }

    #[test]
    fn joined_ports_are_marked_before_packets_leave_tracking() {
        let https = service(Protocol::Tcp, "2001:db8::1", 443);
        let reply = (Protocol::Udp, "192.0.2.7".parse().expect("an address"), 53);
        let ruleset = Ruleset {
            marks: BTreeMap::from([(https, 9)]),
            untracked: BTreeSet::from([https]),
            untracked_replies: BTreeSet::from([reply]),
            ..Ruleset::default()
        };
        let rendered = commands(&replacement(&ruleset)).join("\n");
        for part in [
            r#""hook":"prerouting","name":"prerouting","policy":"accept","prio":-300"#,
            r#""elem":[[{"concat":["2001:db8::1","tcp",443]},9]],"family":"inet","map":"mark","name":"marks_6""#,
            r#""elem":[{"concat":["2001:db8::1","tcp",443]}],"family":"inet","name":"untracked_6""#,
            r#""elem":[{"concat":["192.0.2.7","udp",53]}],"family":"inet","name":"untracked_replies_4""#,
            r#"{"notrack":null}"#,
        ] {
            assert!(rendered.contains(part), "{part}\nis not in\n{rendered}");
        }
        assert!(rendered.find("@marks_6").expect("marks") < rendered.find("@untracked_6").expect("notrack"));
        assert!(!rendered.contains("postrouting"));
    }
}
