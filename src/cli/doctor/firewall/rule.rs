//! A rule of nftables, as far as it speaks of protocols, ports and states. Pure.
//!
//! Source: libnftables-json(5), "STATEMENTS" and "EXPRESSIONS".

use super::needs::Need;
use serde_json::Value;

/// What a rule does with a packet that it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepts,
    Drops,
    /// Something else, or by a map.
    Other,
}

/// Whether a rule fits a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    No,
    /// As far as it is understood.
    Perhaps,
    /// Everything that it asks for is named and is so.
    ByName,
    /// It asks for nothing.
    Always,
}

pub(super) struct Rule<'a> {
    verdict: Verdict,
    matches: Vec<&'a Value>,
    /// A verdict map on the state of tracking: pairs of state and verdict.
    by_state: Vec<(&'a str, Verdict)>,
    /// It depends on something that is not understood: a limit, a counter's quota, another program's match.
    is_opaque: bool,
}

/// Statements that say nothing of whom a rule fits.
const TRANSPARENT: [&str; 8] = ["match", "accept", "drop", "reject", "counter", "log", "vmap", "mangle"];

impl<'a> Rule<'a> {
    pub(super) fn new(rule: &'a Value) -> Self {
        let statements = rule.get("expr").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let map = statements.iter().find_map(|statement| statement.get("vmap"));
        let by_state = map.filter(|map| is_state(map.get("key"))).map(states).unwrap_or_default();
        let has = |name: &str| statements.iter().any(|statement| statement.get(name).is_some());
        let verdict = match (verdict_of(has), map) {
            // Another map may accept.
            (Verdict::Other, Some(_)) if by_state.is_empty() => Verdict::Accepts,
            (verdict, _) => verdict,
        };
        let is_known = |statement: &Value| TRANSPARENT.iter().any(|name| statement.get(name).is_some());
        Self {
            verdict,
            matches: statements.iter().filter_map(|statement| statement.get("match")).collect(),
            by_state,
            is_opaque: !statements.iter().all(is_known) || map.is_some(),
        }
    }

    /// What it does with a packet, and whether it fits it.
    pub(super) fn judge(&self, need: &Need) -> (Verdict, Fit) {
        let fit = self.fit(need);
        match self.by_state.iter().find(|(state, _)| need.states.contains(state)) {
            Some((_, Verdict::Drops)) if self.matches.is_empty() => (Verdict::Drops, Fit::ByName),
            Some((_, verdict)) => (*verdict, fit),
            None => (self.verdict, fit),
        }
    }

    fn fit(&self, need: &Need) -> Fit {
        let fits: Vec<Fit> = self.matches.iter().map(|found| fit(found, need)).collect();
        if fits.contains(&Fit::No) {
            Fit::No
        } else if self.is_opaque || fits.contains(&Fit::Perhaps) {
            Fit::Perhaps
        } else if fits.is_empty() {
            Fit::Always
        } else {
            Fit::ByName
        }
    }
}

fn verdict_of(has: impl Fn(&str) -> bool) -> Verdict {
    match (has("accept"), has("drop") || has("reject")) {
        (true, _) => Verdict::Accepts,
        (false, true) => Verdict::Drops,
        (false, false) => Verdict::Other,
    }
}

/// The pairs of a verdict map on states.
fn states(map: &Value) -> Vec<(&str, Verdict)> {
    let pairs = map.pointer("/data/set").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    pairs.iter().filter_map(state).collect()
}

fn state(pair: &Value) -> Option<(&str, Verdict)> {
    let has = |name: &str| pair.get(1).is_some_and(|verdict| verdict.get(name).is_some());
    Some((pair.get(0)?.as_str()?, verdict_of(has)))
}

fn is_state(key: Option<&Value>) -> bool {
    key.and_then(|key| key.pointer("/ct/key")).and_then(Value::as_str) == Some("state")
}

/// Whether one match fits; what is not understood may.
fn fit(found: &Value, need: &Need) -> Fit {
    let (Some(left), Some(right)) = (found.get("left"), found.get("right")) else { return Fit::Perhaps };
    let negated = found.get("op").and_then(Value::as_str) == Some("!=");
    let Some(names) = names(left, right, need) else { return Fit::Perhaps };
    match (names, negated) {
        (Named::It, false) => Fit::ByName,
        (Named::It, true) | (Named::Another, false) => Fit::No,
        (Named::Another, true) | (Named::Unsure, _) => Fit::Perhaps,
    }
}

enum Named {
    It,
    Another,
    Unsure,
}

/// Whether the right side of a match names what the packet has on the left; `None` for what says nothing of it.
fn names(left: &Value, right: &Value, need: &Need) -> Option<Named> {
    let word = |pointer: &str| left.pointer(pointer).and_then(Value::as_str);
    if let Some(key) = word("/meta/key") {
        return match key {
            "l4proto" => Some(protocol(right, need.protocol)),
            "nfproto" => {
                Some(found(right, |text| text == if need.is_ipv4 { "ipv4" } else { "ipv6" }, |_| false))
            }
            // Only the loopback interface is sure to be another.
            "iifname" | "oifname" | "iif" | "oif" if right.as_str() == Some("lo") => Some(Named::Another),
            _ => None,
        };
    }
    if is_state(Some(left)) {
        return Some(found(right, |text| need.states.contains(&text), |_| false));
    }
    match (word("/payload/protocol")?, word("/payload/field")?) {
        ("ip", "protocol") | ("ip6", "nexthdr") => Some(protocol(right, need.protocol)),
        ("ip" | "ip6" | "ether" | "vlan", _) => None,
        (transport, field) => Some(transported(transport, field, right, need)),
    }
}

/// A match on a field of the transport's header.
fn transported(transport: &str, field: &str, right: &Value, need: &Need) -> Named {
    if transport != "th" && number_of(transport) != Some(need.protocol) {
        return Named::Another;
    }
    let port = match field {
        "dport" => need.destination_port,
        "sport" => need.source_port,
        _ => return Named::Unsure,
    };
    match port {
        Some(port) => found(right, |_| false, |number| number == u64::from(port)),
        None => Named::Unsure,
    }
}

fn protocol(right: &Value, protocol: u8) -> Named {
    found(right, |text| number_of(text) == Some(protocol), |number| number == u64::from(protocol))
}

/// The numbers of the protocols whose names nft prints (/etc/protocols).
fn number_of(name: &str) -> Option<u8> {
    const NAMES: [(&str, u8); 12] = [
        ("icmp", 1),
        ("igmp", 2),
        ("ipencap", 4),
        ("tcp", 6),
        ("udp", 17),
        ("ipv6", 41),
        ("gre", 47),
        ("esp", 50),
        ("ipv6-icmp", 58),
        ("icmpv6", 58),
        ("vrrp", 112),
        ("sctp", 132),
    ];
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// Whether a value, a list, a set or a range holds what the two tests look for. Named sets are not looked up.
fn found(right: &Value, text: impl Fn(&str) -> bool + Copy, number: impl Fn(u64) -> bool + Copy) -> Named {
    let yes_or_no = |yes| if yes { Named::It } else { Named::Another };
    match right {
        Value::String(word) if word.starts_with('@') => Named::Unsure,
        Value::String(word) => yes_or_no(text(word)),
        Value::Number(value) => value.as_u64().map_or(Named::Unsure, |value| yes_or_no(number(value))),
        Value::Array(values) => any(values, text, number),
        Value::Object(object) => match (object.get("set"), object.get("range").and_then(Value::as_array)) {
            (Some(set), _) => found(set, text, number),
            (None, Some(range)) => in_range(range, number),
            (None, None) => Named::Unsure,
        },
        Value::Null | Value::Bool(_) => Named::Unsure,
    }
}

fn any(values: &[Value], text: impl Fn(&str) -> bool + Copy, number: impl Fn(u64) -> bool + Copy) -> Named {
    let mut unsure = false;
    for value in values {
        match found(value, text, number) {
            Named::It => return Named::It,
            Named::Unsure => unsure = true,
            Named::Another => {}
        }
    }
    if unsure { Named::Unsure } else { Named::Another }
}

/// Ranges of ports and protocols are short.
fn in_range(range: &[Value], number: impl Fn(u64) -> bool + Copy) -> Named {
    let ends = (range.first().and_then(Value::as_u64), range.get(1).and_then(Value::as_u64));
    let (Some(first), Some(last)) = ends else { return Named::Unsure };
    let within = (first..=last.min(u64::from(u16::MAX))).any(number);
    if within { Named::It } else { Named::Another }
}
