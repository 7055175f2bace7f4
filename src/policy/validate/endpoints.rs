//! Which of a real server's addresses a pool uses: those of its services' families.

use super::pool::Facts;
use crate::model::{Encapsulation, Family, Forwarding};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::Spanned;
use crate::policy::schema::{EndpointText, ForwardingText, ServerMapping, ServerText};

/// The endpoints of an entry that this pool can use: those of its services' families. TUN can reach the other family too,
/// and does where an entry has no other.
pub(super) fn endpoints<'a>(
    entry: &'a Spanned<ServerText>,
    facts: &Facts<'_>,
    problems: &mut Problems,
) -> Vec<&'a Spanned<EndpointText>> {
    let all = one_a_family(&entry.value.endpoints, problems);
    let family =
        |endpoint: &&&Spanned<EndpointText>| facts.families.contains(&Family::of(endpoint.value.0.address));
    let fitting: Vec<_> = all.iter().filter(family).copied().collect();
    let tunnel =
        matches!(own_or_pools(entry.value.options.as_deref(), facts), Some(Forwarding::Tunnelling(_)));
    if !fitting.is_empty() {
        return fitting;
    }
    if let (false, Some(first), Some(served)) = (tunnel, all.first(), facts.families.first()) {
        let own = Family::of(first.value.0.address);
        let message = format!(
            "the real server {} is {own}, and the services of {} are {served}",
            first.value.0.address,
            quoted(facts.name.value)
        );
        let diagnostic = Diagnostic::new(Code::FamilyMix, first.span, message);
        problems
            .push(diagnostic.help(
                "only tun can carry one family in the other: use it, or an address of the same family",
            ));
        return Vec::new();
    }
    all
}

/// The kind of forwarding of an entry, for rules that come before its options are known.
fn own_or_pools(options: Option<&ServerMapping>, facts: &Facts<'_>) -> Option<Forwarding> {
    match options.and_then(|options| options.forwarding.value()) {
        Some(ForwardingText::Tunnelling(_)) => Some(Forwarding::Tunnelling(Encapsulation::IpIp)),
        Some(_) => Some(Forwarding::Nat),
        None => facts.forwarding.given().map(|forwarding| forwarding.value.clone()),
    }
}

/// The endpoints without those of a family that was there before.
fn one_a_family<'a>(
    endpoints: &'a [Spanned<EndpointText>],
    problems: &mut Problems,
) -> Vec<&'a Spanned<EndpointText>> {
    let mut kept: Vec<&Spanned<EndpointText>> = Vec::new();
    for endpoint in endpoints {
        let family = Family::of(endpoint.value.0.address);
        let Some(first) = kept.iter().find(|other| Family::of(other.value.0.address) == family) else {
            kept.push(endpoint);
            continue;
        };
        let (first, second) = (first.value.0.address, endpoint.value.0.address);
        let message = format!("this real server has two {family} addresses: {first} and {second}");
        problems.push(
            Diagnostic::new(Code::DuplicateServer, endpoint.span, message).help("write two real servers"),
        );
    }
    kept
}
