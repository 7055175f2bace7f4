//! The rules of a pool beyond its checks, written out.

use super::resolved_checks;
use super::yaml_text::{Yaml, mapping, text, time};
use crate::model::{
    AfterSilence, Curve, OnLoss, Panic, PanicAction, Percent, Policy, Pool, Quorum, QuorumUnit, SlowStart,
    VerdictBy,
};

/// Every rule of the pool, defaults included.
pub(super) fn rules(pool: &Pool, policy: &Policy) -> Vec<(&'static str, Yaml)> {
    let mut keys = vec![(
        "verdict",
        text(match pool.rules.verdict {
            VerdictBy::Own => "own",
            VerdictBy::Both => "both",
        }),
    )];
    // The default asks for one server, which a pool without any does not have.
    if pool.rules.quorum != (Quorum { on_loss: OnLoss::Keep, ..Quorum::default() }) {
        keys.push(("quorum", quorum(&pool.rules.quorum)));
    }
    keys.extend(pool.rules.panic.as_ref().map(|rules| ("panic", panic(rules))));
    keys.extend(pool.rules.slow_start.as_ref().map(|rules| ("slow_start", slow_start(rules))));
    keys.extend(weight_from(pool, policy).map(|rules| ("weight_from", rules)));
    keys.push(("drain", mapping([("deadline", time(pool.rules.drain.deadline))])));
    keys
}

/// Several servers of one entry, one a family, as that entry: all their addresses, and the name without its family.
pub(super) fn one_entry(servers: Vec<Yaml>) -> Option<Yaml> {
    let mut servers = servers.into_iter();
    let Some(Yaml::Mapping(mut first)) = servers.next() else { return None };
    let address_of = |keys: &[(String, Yaml)]| keys.iter().position(|(key, _)| key == "address");
    let mut more = Vec::new();
    for server in servers {
        let Yaml::Mapping(mut keys) = server else { continue };
        more.extend(address_of(&keys).map(|place| keys.swap_remove(place).1));
    }
    if more.is_empty() {
        return Some(Yaml::Mapping(first));
    }
    if let Some(place) = address_of(&first) {
        let (_, address) = first.remove(place);
        let addresses = std::iter::once(address).chain(more).collect();
        first.insert(place, ("addresses".to_owned(), Yaml::List(addresses)));
    }
    for (key, value) in &mut first {
        if let ("name", Yaml::Text(name)) = (key.as_str(), value) {
            let stem = name.strip_suffix("-ipv4").or_else(|| name.strip_suffix("-ipv6"));
            *name = stem.unwrap_or(name).to_owned();
        }
    }
    Some(Yaml::Mapping(first))
}

fn weight_from(pool: &Pool, policy: &Policy) -> Option<Yaml> {
    let source = pool.servers.iter().find_map(|server| server.weight_source.as_ref())?;
    let check = policy.checks.get(&source.check)?;
    let after_silence = match pool.rules.weight_from.after_silence {
        AfterSilence::Configured => "configured",
        AfterSilence::Keep => "keep",
    };
    Some(mapping([
        (check.probe.kind(), resolved_checks::probe_of(check)),
        ("interval", time(check.interval)),
        ("timeout", time(check.timeout)),
        ("valid_for", time(pool.rules.weight_from.valid_for)),
        ("on_silence", text(after_silence)),
        ("shadow", text(pool.rules.weight_from.shadow)),
    ]))
}

fn share(share: Percent) -> Yaml {
    text(format!("{}%", share.get()))
}

fn quorum(rules: &Quorum) -> Yaml {
    let unit = match rules.unit {
        QuorumUnit::Servers => "servers",
        QuorumUnit::Weight => "weight",
    };
    let on_loss = match rules.on_loss {
        OnLoss::Sorry => "sorry",
        OnLoss::Keep => "keep",
    };
    mapping([
        (unit, text(rules.least)),
        ("recover", text(rules.recover)),
        ("on_loss", text(on_loss)),
        ("shadow", text(rules.shadow)),
    ])
}

fn panic(rules: &Panic) -> Yaml {
    let action = match rules.action {
        PanicAction::KeepLast => "keep_last",
        PanicAction::All => "all",
        PanicAction::Sorry => "sorry",
        PanicAction::None => "none",
    };
    let mut keys = vec![("below", share(rules.below)), ("recover", share(rules.recover))];
    keys.extend(rules.within.map(|within| ("within", time(within))));
    keys.extend([("action", text(action)), ("shadow", text(rules.shadow))]);
    mapping(keys)
}

fn slow_start(rules: &SlowStart) -> Yaml {
    let curve = match rules.curve {
        Curve::Linear => "linear",
        Curve::Quadratic => "quadratic",
    };
    mapping([
        ("duration", time(rules.duration)),
        ("from", share(rules.from)),
        ("steps", text(rules.steps)),
        ("curve", text(curve)),
        ("shadow", text(rules.shadow)),
    ])
}
