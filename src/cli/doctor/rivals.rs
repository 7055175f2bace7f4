//! Other programs on this host that hold VRRP or IPVS. Pure.

use super::facts::Facts;
use crate::cli::finding::Finding;
use crate::model::Policy;

/// The names of such programs, as the kernel knows them (15 bytes), and what each holds.
pub(super) const NAMES: [(&str, Holds); 6] = [
    ("keepalived", Holds { vrrp: true, ipvs: true }),
    ("vrrpd", Holds { vrrp: true, ipvs: false }),
    ("ucarp", Holds { vrrp: true, ipvs: false }),
    ("ldirectord", Holds { vrrp: false, ipvs: true }),
    ("nanny", Holds { vrrp: false, ipvs: true }),
    ("kube-proxy", Holds { vrrp: false, ipvs: true }),
];

#[derive(Clone, Copy, Debug)]
pub(super) struct Holds {
    vrrp: bool,
    ipvs: bool,
}

pub(super) fn judge(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let collides = |name: &str| {
        let holds = NAMES.iter().find(|(known, _)| *known == name).map(|(_, holds)| holds);
        holds.is_some_and(|holds| {
            holds.vrrp && !policy.pair.routers.is_empty() || holds.ipvs && !policy.pools.is_empty()
        })
    };
    let finding = |(name, id): &(String, u32)| {
        Finding::look(
            "other-program",
            format!("{name} runs (process {id})"),
            "it holds addresses or the IPVS table too, and each undoes what the other does",
            format!(
                "stop {name} on this host before `tandem run`; on another host both may speak VRRP while you migrate"
            ),
        )
    };
    facts.rivals.iter().filter(|(name, _)| collides(name)).map(finding).collect()
}
