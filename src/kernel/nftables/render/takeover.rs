//! What is held back while another director hands over: packets of connections that began there and are not known here yet.
//! A client or a real server that hears nothing sends its packet again, and by then the connection has been passed on.

use super::{
    add, address_type, base_chain, base_chain_named, family_digit, of_servers, payload_protocol, rule,
    set_rules, with_chain,
};
use crate::model::{Family, Ruleset};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// `NF_IP_PRI_FILTER` of `linux/netfilter_ipv4.h`.
const PRIORITY_FILTER: i32 = 0;
/// Behind connection tracking (`NF_IP_PRI_CONNTRACK` is -200).
const PRIORITY_TRACKED: i32 = -150;
/// Behind IPVS's own translation of answers, which has 100 (`ip_vs_ops4` of `net/netfilter/ipvs/ip_vs_core.c`).
const PRIORITY_AFTER_IPVS: i32 = 110;

pub(super) fn rules(ruleset: &Ruleset) -> Vec<Value> {
    let (sets, resets) = withheld_resets(ruleset);
    let drops = |chain| resets.iter().map(move |reset| rule(chain, reset.clone())).collect::<Vec<_>>();
    let mut commands = awaited_replies(ruleset);
    commands.extend(sets);
    commands.extend(with_chain(base_chain("output", "filter", PRIORITY_FILTER), drops("output")));
    let mut forwarded = withheld_replies(ruleset);
    forwarded.extend(drops("forward"));
    commands.extend(with_chain(base_chain("forward", "filter", PRIORITY_AFTER_IPVS), forwarded));
    commands
}

/// Answers at local addresses are of connections that are tracked already. Of others, connection tracking takes the first
/// that it sees for a new connection or, if it bears SYN, FIN or RST, for an invalid one (`tcp_new` of
/// `net/netfilter/nf_conntrack_proto_tcp.c`).
fn awaited_replies(ruleset: &Ruleset) -> Vec<Value> {
    let states = json!(["new", "invalid"]);
    let first = json!({ "match": { "op": "in", "left": { "ct": { "key": "state" } }, "right": states } });
    let mut commands = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        let Some((set, to_us)) = address_match("awaited_at", "daddr", family, &ruleset.awaited_at) else {
            continue;
        };
        commands.push(set);
        let replies = of_servers(&ruleset.awaited_replies).filter(|(lookup, _)| lookup.family() == family);
        let conditions = [to_us, first.clone()];
        commands.extend(set_rules(
            "replies",
            "awaited_replies",
            "s",
            &conditions,
            &json!({ "drop": null }),
            replies,
        ));
    }
    with_chain(base_chain_named("replies", "prerouting", "filter", PRIORITY_TRACKED), commands)
}

/// What is still under the real server's own address behind IPVS's hook has not been translated.
fn withheld_replies(ruleset: &Ruleset) -> Vec<Value> {
    let replies = of_servers(&ruleset.withheld_replies);
    set_rules("forward", "withheld_replies", "s", &[], &json!({ "drop": null }), replies)
}

/// The set of those addresses that are of a family, and the match of a packet's field with it; `None` without any.
fn address_match(name: &str, field: &str, family: Family, all: &BTreeSet<IpAddr>) -> Option<(Value, Value)> {
    let addresses: Vec<&IpAddr> = all.iter().filter(|address| Family::of(**address) == family).collect();
    let name = format!("{name}_{}", family_digit(family));
    let set = json!({ "name": name, "type": address_type(family), "elem": addresses });
    let left = json!({ "payload": { "protocol": payload_protocol(family), "field": field } });
    let found = json!({ "match": { "op": "==", "left": left, "right": format!("@{name}") } });
    (!addresses.is_empty()).then(|| (add("set", set), found))
}

/// For each family its set, and what a rule has to say. The reset of a packet that acknowledges something, as all but the
/// first of a connection do, bears no acknowledgement itself (RFC 9293, section 3.5.2): a first packet to a closed port is
/// still refused at once.
///
/// It comes from this host, which does not know the connection yet, or from a real server: the one of an earlier connection
/// of the same client and port, which this host still knows.
fn withheld_resets(ruleset: &Ruleset) -> (Vec<Value>, Vec<Vec<Value>>) {
    let flags = json!({ "payload": { "protocol": "tcp", "field": "flags" } });
    let masked = json!({ "&": [flags, { "|": ["rst", "ack"] }] });
    let reset = json!({ "match": { "op": "==", "left": masked, "right": "rst" } });
    let of_family = |family| {
        let (set, of_ours) = address_match("withheld_resets", "saddr", family, &ruleset.withheld_resets)?;
        Some((set, vec![of_ours, reset.clone(), json!({ "drop": null })]))
    };
    [Family::Ipv4, Family::Ipv6].into_iter().filter_map(of_family).unzip()
}

#[cfg(test)]
mod tests {
    use super::super::replacement;
    use super::*;
    use crate::model::Protocol;

    #[test]
    fn what_another_director_hands_over_is_neither_reset_nor_leaked() {
        let addresses = |all: [&str; 2]| all.map(|text| text.parse().expect("an address")).into();
        let server = |address: &str, port| (Protocol::Tcp, address.parse().expect("an address"), port);
        let ruleset = Ruleset {
            withheld_resets: addresses(["192.0.2.1", "2001:db8::1"]),
            withheld_replies: [server("10.20.0.11", 8080)].into(),
            awaited_replies: [server("10.20.0.12", 8080)].into(),
            awaited_at: addresses(["10.20.0.8", "10.20.0.9"]),
            ..Ruleset::default()
        };
        let rendered = replacement(&ruleset)["nftables"]
            .as_array()
            .expect("commands")
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        for part in [
            r#""hook":"output","name":"output","policy":"accept","prio":0"#,
            r#""elem":["192.0.2.1"],"family":"inet","name":"withheld_resets_4""#,
            r#""elem":["2001:db8::1"],"family":"inet","name":"withheld_resets_6""#,
            r#"{"left":{"&":[{"payload":{"field":"flags","protocol":"tcp"}},{"|":["rst","ack"]}]},"op":"==","right":"rst"}"#,
            r#""hook":"forward","name":"forward","policy":"accept","prio":110"#,
            r#""elem":[{"concat":["10.20.0.11","tcp",8080]}],"family":"inet","name":"withheld_replies_4""#,
            r#""hook":"prerouting","name":"replies","policy":"accept","prio":-150"#,
            r#"{"left":{"ct":{"key":"state"}},"op":"in","right":["new","invalid"]}"#,
        ] {
            assert!(rendered.contains(part), "{part}\nis not in\n{rendered}");
        }
        // This host's own resets, and those of real servers.
        assert_eq!(rendered.matches(r#""right":"@withheld_resets_4""#).count(), 2);
        assert!(!rendered.contains("awaited_at_6"), "a family without any has no rule");
    }
}
