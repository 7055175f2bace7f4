//! Whether the packet filter lets through what the policy needs. Pure: judges nft's listing, and reads nothing.
//!
//! Rules can be anything (sets, verdict maps, marks, another program's matches), so this is a hint: what is not understood is
//! taken to fit. Only two things are told: a chain whose policy drops and where no rule seems to accept something needed, and
//! a rule that drops it by name. Our own table is left out.
//!
//! What IPVS needs of the hooks: a client's request comes through INPUT, and goes on to the real server through OUTPUT; NAT's
//! reply comes through FORWARD, where connection tracking knows it only with `net.ipv4.vs.conntrack`, and calls it invalid
//! otherwise.
//!
//! Source: libnftables-json(5); `net/netfilter/ipvs/ip_vs_core.c` (`ip_vs_ops4`), `ip_vs_xmit.c`.

mod needs;
mod rule;

use super::facts::{Facts, Firewall};
use crate::cli::finding::Finding;
use crate::model::Policy;
use needs::{Need, needs};
use rule::{Fit, Rule, Verdict};
use serde_json::Value;

/// The table of this program.
const OWN_TABLE: &str = "tandem";
/// Needs that a finding names.
const NEEDS_MAX: usize = 4;

pub(super) fn judge(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let Firewall { rules, has_legacy } = &facts.firewall;
    let needs = needs(policy, facts);
    if needs.is_empty() {
        return Vec::new();
    }
    let mut findings: Vec<Finding> = match rules {
        None => Vec::new(),
        Some(Err(why)) => {
            vec![Finding::note("firewall-unread", "packet filter", why.clone(), "run the doctor as root")]
        }
        Some(Ok(listing)) => {
            let found: Vec<Finding> = chains(listing).iter().flat_map(|chain| chain.judge(&needs)).collect();
            let evidence = "no chain of nftables seems to drop what IPVS and the pair need";
            if found.is_empty() { vec![Finding::good("firewall", "packet filter", evidence)] } else { found }
        }
    };
    if *has_legacy {
        findings.push(Finding::note(
            "firewall-legacy",
            "packet filter",
            "the older iptables has rules too, which were not read",
            "look with iptables-legacy-save whether they drop VRRP, or what the pools need",
        ));
    }
    findings
}

/// A chain at one of the hooks, with the rules of its table.
struct Chain<'a> {
    /// `ip filter INPUT`.
    name: String,
    family: &'a str,
    hook: &'a str,
    drops: bool,
    /// Its own rules, in order.
    own: Vec<Rule<'a>>,
    /// Those of chains that are no hook's: its rules may jump there.
    jumped: Vec<Rule<'a>>,
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn chains(listing: &Value) -> Vec<Chain<'_>> {
    let items = listing.get("nftables").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let bases: Vec<&Value> = items
        .iter()
        .filter_map(|item| item.get("chain"))
        .filter(|chain| !text(chain, "hook").is_empty())
        .collect();
    let rules: Vec<&Value> = items.iter().filter_map(|item| item.get("rule")).collect();
    let is_filter = |base: &&&Value| text(base, "type") == "filter" && text(base, "table") != OWN_TABLE;
    bases.iter().filter(is_filter).map(|base| chain(base, &bases, &rules)).collect()
}

fn chain<'a>(base: &'a Value, bases: &[&'a Value], rules: &[&'a Value]) -> Chain<'a> {
    let same_table = |one: &Value, other: &Value| {
        text(one, "family") == text(other, "family") && text(one, "table") == text(other, "table")
    };
    let is_of =
        |rule: &Value, chain: &Value| same_table(rule, chain) && text(rule, "chain") == text(chain, "name");
    let table: Vec<&Value> = rules.iter().copied().filter(|rule| same_table(rule, base)).collect();
    Chain {
        name: format!("{} {} {}", text(base, "family"), text(base, "table"), text(base, "name")),
        family: text(base, "family"),
        hook: text(base, "hook"),
        drops: text(base, "policy") == "drop",
        own: table.iter().filter(|rule| is_of(rule, base)).map(|rule| Rule::new(rule)).collect(),
        jumped: table
            .iter()
            .filter(|rule| !bases.iter().any(|base| is_of(rule, base)))
            .map(|rule| Rule::new(rule))
            .collect(),
    }
}

impl Chain<'_> {
    fn judge(&self, needs: &[Need]) -> Vec<Finding> {
        let here: Vec<&Need> =
            needs.iter().filter(|need| need.hook == self.hook && self.sees(need)).collect();
        let mut dropped = Vec::new();
        let mut unaccepted = Vec::new();
        for need in here {
            match self.fate(need) {
                Fate::DroppedByName => dropped.push(need.what.as_str()),
                Fate::NowhereAccepted => unaccepted.push(need.what.as_str()),
                Fate::Passes => {}
            }
        }
        let look = |evidence: String, remedy: &str| {
            Finding::look("firewall", format!("chain {} of nftables", self.name), evidence, remedy)
        };
        let by_name = (!dropped.is_empty()).then(|| {
            look(
                format!("a rule seems to drop {}", listed(&dropped)),
                "accept it before that rule, or take the rule away",
            )
        });
        let by_policy = (!unaccepted.is_empty()).then(|| {
            let evidence =
                format!("it drops what no rule accepts, and none seems to accept {}", listed(&unaccepted));
            look(evidence, "accept it there; rules that the doctor does not understand may do so already")
        });
        by_name.into_iter().chain(by_policy).collect()
    }

    fn sees(&self, need: &Need) -> bool {
        match self.family {
            "inet" => true,
            "ip" => need.is_ipv4,
            "ip6" => !need.is_ipv4,
            _ => false,
        }
    }

    fn fate(&self, need: &Need) -> Fate {
        let mut drops = self.drops;
        for rule in &self.own {
            match rule.judge(need) {
                // Perhaps for some senders only; a rule behind it that drops the rest is then meant.
                (Verdict::Accepts, Fit::Perhaps | Fit::ByName | Fit::Always) => return Fate::Passes,
                (Verdict::Drops, Fit::ByName) => return Fate::DroppedByName,
                (Verdict::Drops, Fit::Always) => {
                    drops = true;
                    break;
                }
                (Verdict::Accepts | Verdict::Drops | Verdict::Other, _) => {}
            }
        }
        let accepts = |rule: &Rule| matches!(rule.judge(need), (Verdict::Accepts, fit) if fit != Fit::No);
        if drops && !self.jumped.iter().any(accepts) { Fate::NowhereAccepted } else { Fate::Passes }
    }
}

enum Fate {
    Passes,
    DroppedByName,
    NowhereAccepted,
}

fn listed(needs: &[&str]) -> String {
    let shown = needs.iter().take(NEEDS_MAX).copied().collect::<Vec<_>>().join(", ");
    match needs.len().saturating_sub(NEEDS_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
