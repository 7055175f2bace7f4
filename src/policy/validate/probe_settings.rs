//! What holds for the probes of all checks together, and whether the policy asks for more.

use crate::model::{CheckName, Policy, Pool, ProbeSettings, RealServer, TargetKey};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::Field;
use crate::policy::schema::ProbesText;
use crate::policy::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The settings with their defaults written out.
pub(super) fn settings(field: &Field<ProbesText>) -> ProbeSettings {
    let said = field.value().and_then(|text| text.per_second.value());
    said.map_or_else(ProbeSettings::default, |number| ProbeSettings { per_second: number.0 })
}

/// Warns where all servers that are up ask for more probes in a second than may start.
pub(super) fn weigh(policy: &Policy, field: &Field<ProbesText>, whole: Span, problems: &mut Problems) {
    if !may_ask_for_more(policy) {
        return;
    }
    let targets: BTreeSet<&TargetKey> = asked(policy).collect();
    let mut rates: BTreeMap<&CheckName, f64> = BTreeMap::new();
    for target in targets {
        *rates.entry(&target.check).or_default() += rate(policy, target);
    }
    let (sum, most) = (rates.values().sum::<f64>(), policy.probes.per_second);
    let Some((check, own)) = rates.into_iter().max_by(|(_, one), (_, other)| one.total_cmp(other)) else {
        return;
    };
    if sum <= f64::from(most) {
        return;
    }
    let said = field.value().and_then(|text| text.per_second.span());
    let message = format!(
        "the checks ask for {sum:.0} probes a second, of which {most} may start: the others will be late"
    );
    let help = format!(
        "{} asks for {own:.0} of them: lengthen its interval, or raise `probes: {{per_second: …}}` where this host can do more",
        quoted(check)
    );
    problems.push(Diagnostic::new(Code::ProbesPerSecond, said.unwrap_or(whole), message).help(help));
}

/// The same without a look at who shares a target, so that it is quick: `false` is certain.
pub(super) fn may_ask_for_more(policy: &Policy) -> bool {
    asked(policy).map(|target| rate(policy, target)).sum::<f64>() > f64::from(policy.probes.per_second)
}

fn asked(policy: &Policy) -> impl Iterator<Item = &TargetKey> {
    policy.pools.values().flat_map(Pool::every_server).flat_map(RealServer::asked).map(AsRef::as_ref)
}

/// Probes a second of one target that is up.
fn rate(policy: &Policy, target: &TargetKey) -> f64 {
    policy.checks.get(&target.check).map_or(0.0, |check| check.interval.as_secs_f64().recip())
}
