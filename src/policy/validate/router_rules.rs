//! The rules of one virtual router: versions, times, transport.
//!
//! Sources: RFC 9568, section 5.2 (intervals of centiseconds, 12 bits); RFC 3768, section 5.3 (seconds, 8 bits, IPv4 only).

use super::directors::Directors;
use super::priorities;
use super::routers::{Draft, version_of};
use crate::model::{Family, Transport, VrrpVersion};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::scalar::duration_text;
use crate::policy::schema::{PolicyText, VirtualRouterText};
use std::time::Duration;

/// Version 3 counts centiseconds in 12 bits.
const MAX_INTERVAL_V3_MS: u64 = 40_950;

/// The advertisement interval; the default where the said one cannot be.
pub(super) fn interval(text: &VirtualRouterText, version: VrrpVersion, problems: &mut Problems) -> Duration {
    let default = match version {
        VrrpVersion::V2 => defaults::INTERVAL_V2,
        VrrpVersion::V3 => defaults::INTERVAL_V3,
    };
    let Some(said) = text.advertisement_interval.given() else { return default };
    let milliseconds = u64::try_from(said.value.0.as_millis()).unwrap_or(u64::MAX);
    let (message, help) = match version {
        VrrpVersion::V2 if !milliseconds.is_multiple_of(1000) => (
            format!("version 2 counts whole seconds, and {} is none", duration_text(milliseconds)),
            "write 1s to 255s, or use version 3".to_owned(),
        ),
        VrrpVersion::V3 if !milliseconds.is_multiple_of(10) => (
            format!("version 3 counts steps of 10ms, and {} is none", duration_text(milliseconds)),
            format!("write {}ms", milliseconds.div_ceil(10) * 10),
        ),
        VrrpVersion::V3 if milliseconds > MAX_INTERVAL_V3_MS => (
            format!("{} is more than version 3 can say", duration_text(milliseconds)),
            format!("write at most {}", duration_text(MAX_INTERVAL_V3_MS)),
        ),
        VrrpVersion::V2 | VrrpVersion::V3 => return said.value.0,
    };
    problems.push(Diagnostic::new(Code::AdvertisementInterval, said.span, message).help(help));
    default
}

/// The versions that are listened to, sorted.
pub(super) fn accept_versions(
    text: &VirtualRouterText,
    version: VrrpVersion,
    problems: &mut Problems,
) -> Vec<VrrpVersion> {
    let Some(said) = text.accept_versions.given() else { return vec![version] };
    let mut versions: Vec<VrrpVersion> =
        said.value.0.iter().map(|number| version_of(number.value.0)).collect();
    versions.sort();
    versions.dedup();
    if !versions.contains(&version) && !problems.any_within(said.span) {
        let number = if version == VrrpVersion::V2 { 2 } else { 3 };
        let message = format!("this router sends version {number} and would not accept it");
        problems.push(
            Diagnostic::new(Code::AcceptVersions, said.span, message)
                .help("write `accept_versions: [2, 3]`, or leave it out"),
        );
    }
    versions
}

/// A heartbeat on the router's own interface adds no path.
pub(super) fn heartbeat_elsewhere(text: &VirtualRouterText, problems: &mut Problems) {
    let Some(own) = text.interface.value() else { return };
    for interface in text.heartbeat.value().map(|list| list.0.as_slice()).unwrap_or_default() {
        if interface.value.0 == own.0 {
            let message = format!("{} is the router's own interface: no further path", quoted(&own.0));
            problems.push(
                Diagnostic::new(Code::HeartbeatOwnInterface, interface.span, message)
                    .help("leave it out, or name another interface that reaches the other directors"),
            );
        }
    }
}

/// What is heard without a key can only postpone a takeover.
pub(super) fn heartbeat_sealed(text: &VirtualRouterText, policy: &PolicyText, problems: &mut Problems) {
    let has_key = policy.peer.value().is_some_and(|peer| !peer.key.is_absent());
    let Some(heartbeat) = text.heartbeat.given().filter(|said| !said.value.0.is_empty() && !has_key) else {
        return;
    };
    let message =
        "without a key of the directors a heartbeat postpones a takeover for ten intervals and no longer";
    problems.push(
        Diagnostic::new(Code::HeartbeatUnsealed, heartbeat.span, message)
            .help("add `peer: {key: {credential: peer}}`: anybody on that network could say what it says"),
    );
}

/// The rules that need the whole router.
pub(super) fn rules(text: &VirtualRouterText, draft: &Draft, directors: &Directors, problems: &mut Problems) {
    version_2_is_ipv4(text, draft, problems);
    unicast_reaches(text, draft, directors, problems);
    priorities::owners(text, draft, directors, problems);
}

fn version_2_is_ipv4(text: &VirtualRouterText, draft: &Draft, problems: &mut Problems) {
    if draft.router.version != VrrpVersion::V2 {
        return;
    }
    let Some(six) = draft.said.iter().find(|said| said.value.addr().is_ipv6()) else { return };
    let span = text.version.span().unwrap_or(draft.name);
    let message = format!("version 2 is for IPv4 only, and {} is IPv6", six.value.addr());
    problems.push(
        Diagnostic::new(Code::Version2Ipv6, span, message)
            .related(six.span, "this address")
            .help("use version 3, or give the IPv6 addresses a router of their own in one sync group"),
    );
}

/// Unicast goes to the other directors' addresses: there must be some, of the same family.
fn unicast_reaches(text: &VirtualRouterText, draft: &Draft, directors: &Directors, problems: &mut Problems) {
    if draft.router.transport != Transport::Unicast || directors.unreadable {
        return;
    }
    let span = text.transport.span().unwrap_or(draft.name);
    if !directors.are_several() {
        let message = "unicast goes to the other directors, and the policy lists no other";
        problems.push(
            Diagnostic::new(Code::UnicastWithoutPeers, span, message)
                .help("list the other directors with their addresses, or use multicast"),
        );
        return;
    }
    for family in draft.router.families() {
        for (name, _) in directors.all.iter().filter(|(_, director)| director.address(family).is_none()) {
            let message = format!("unicast over {family} needs an {family} address of {name}");
            let key = if family == Family::Ipv4 { "ipv4" } else { "ipv6" };
            problems.push(
                Diagnostic::new(Code::DirectorFamilyMissing, span, message)
                    .help(format!("add `{key}` to `directors.{name}.address`, or use multicast")),
            );
        }
    }
}
