//! Virtual routers: each to what the election needs, with every default written out.

use super::checks;
use super::directors::Directors;
use super::router_addresses::{self, Said};
use super::{authentication, priorities, router_rules, trackers};
use crate::model::{
    AnnouncementPolicy, CheckName, ChecksumReading, Hook, Preempt, RouterName, Transport, VirtualRouter,
    VrrpVersion,
};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Entry, Field, Spanned};
use crate::policy::schema::{
    ChecksumReadingWord, GarpText, HookText, PolicyText, PreemptText, TransportWord, VirtualRouterText,
};
use crate::policy::source::{Sources, Span};
use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::time::Duration;

/// What routers are built from, and where they leave what they found.
pub(super) struct Context<'a, 'p> {
    pub(super) text: &'a PolicyText,
    pub(super) directors: &'a Directors,
    pub(super) checks: &'a checks::Named<'a>,
    pub(super) sources: &'a Sources,
    pub(super) tracked: BTreeMap<CheckName, checks::Built>,
    pub(super) problems: &'p mut Problems,
}

/// A router with its places.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) router: VirtualRouter,
    pub(super) name: Span,
    pub(super) vrid: Span,
    /// Those that were said, for the rules between routers.
    pub(super) said: Vec<Said>,
}

/// Every router that can be read, in the order of the file.
pub(super) fn routers(context: &mut Context<'_, '_>) -> Vec<Draft> {
    let Some(named) = context.text.virtual_routers.given() else { return Vec::new() };
    if context.directors.order.is_empty() && !context.directors.unreadable && !named.value.0.is_empty() {
        let message = "virtual routers are held by directors, and the policy lists none";
        context.problems.push(
            Diagnostic::new(Code::RoutersWithoutDirectors, named.span, message).help(
                "add `directors: {lb-a: {address: 192.168.101.200}, lb-b: {address: 192.168.101.201}}`, by host names",
            ),
        );
        return Vec::new();
    }
    named.value.0.iter().filter_map(|entry| router(entry, context)).collect()
}

fn router(entry: &Entry<VirtualRouterText>, context: &mut Context<'_, '_>) -> Option<Draft> {
    let text = entry.value.value()?;
    let version = text.version.value().map_or(VrrpVersion::V3, |version| version_of(version.0));
    let vrid = text.vrid.given();
    let number = vrid.and_then(|vrid| NonZeroU8::new(u8::try_from(vrid.value.0).ok()?));
    let said = router_addresses::said(text, context.problems);
    let priorities = priorities::priorities(entry, text, context);
    let interval = router_rules::interval(text, version, context.problems);
    let accept_versions = router_rules::accept_versions(text, version, context.problems);
    let authentication = authentication::authentication(&text.authentication, version, context);
    let track = trackers::trackers(&text.track, context);
    let before_master = hook(&text.before_master, context.problems);
    router_rules::heartbeat_elsewhere(text, context.problems);
    router_rules::heartbeat_sealed(text, context.text, context.problems);
    let number = number?;
    let router = VirtualRouter {
        name: RouterName::from(entry.name.name.as_str()),
        interface: text.interface.value()?.0.clone(),
        vrid: number,
        priorities,
        addresses: router_addresses::with_link_local(&said, number),
        local_addresses: Vec::new(),
        version,
        accept_versions,
        interval,
        transport: match text.transport.value() {
            None | Some(TransportWord::Multicast) => Transport::Multicast,
            Some(TransportWord::Unicast) => Transport::Unicast,
        },
        preempt: preempt(&text.preempt),
        start_delay: text.start_delay.value().map_or(Duration::ZERO, |delay| delay.0),
        virtual_mac: text.virtual_mac.value().is_some_and(|flag| flag.0),
        announcements: announcements(&text.garp),
        track,
        heartbeat: heartbeat(text),
        checksum: match text.checksum.value() {
            None | Some(ChecksumReadingWord::Rfc9568) => ChecksumReading::Rfc9568,
            Some(ChecksumReadingWord::Rfc5798) => ChecksumReading::Rfc5798,
        },
        authentication,
        before_master,
    };
    let draft = Draft { router, name: entry.name.span, vrid: vrid?.span, said };
    router_rules::rules(text, &draft, context.directors, context.problems);
    Some(draft)
}

/// A number that its reader has bounded to 2 and 3.
pub(super) const fn version_of(number: u32) -> VrrpVersion {
    if number == 2 { VrrpVersion::V2 } else { VrrpVersion::V3 }
}

fn preempt(field: &Field<PreemptText>) -> Preempt {
    match field.value() {
        None => Preempt::After(Duration::ZERO),
        Some(PreemptText::Flag(flag)) if flag.0 => Preempt::After(Duration::ZERO),
        Some(PreemptText::Flag(_)) => Preempt::Never,
        Some(PreemptText::After(text)) => {
            Preempt::After(text.after.value().map_or(Duration::ZERO, |after| after.0))
        }
    }
}

fn announcements(field: &Field<GarpText>) -> AnnouncementPolicy {
    let default = AnnouncementPolicy::default();
    let Some(text) = field.value() else { return default };
    AnnouncementPolicy {
        repeat: text.repeat.value().map_or(default.repeat, |repeat| repeat.0),
        delay: text.delay.value().map_or(default.delay, |delay| delay.0),
        lower_priority_repeat: text
            .lower_priority_repeat
            .value()
            .map_or(default.lower_priority_repeat, |repeat| repeat.0),
        refresh: text.refresh.value().map_or(default.refresh, |refresh| refresh.0),
        refresh_repeat: text.refresh_repeat.value().map_or(default.refresh_repeat, |repeat| repeat.0),
        interval: text.interval.value().map_or(default.interval, |interval| interval.0),
    }
}

/// Further interfaces, each once.
fn heartbeat(text: &VirtualRouterText) -> Vec<String> {
    let mut heartbeat: Vec<String> = Vec::new();
    for interface in text.heartbeat.value().map(|list| list.0.as_slice()).unwrap_or_default() {
        if !heartbeat.contains(&interface.value.0) {
            heartbeat.push(interface.value.0.clone());
        }
    }
    heartbeat
}

fn hook(field: &Field<HookText>, problems: &mut Problems) -> Option<Hook> {
    let text = field.value()?;
    let exec = text.exec.given()?;
    let argv: Vec<String> = exec.value.0.iter().map(|word| word.value.0.clone()).collect();
    match argv.first() {
        Some(program) if program.starts_with('/') => {}
        Some(program) => problems.push(not_a_whole_path(program, exec)),
        None if problems.any_within(exec.span) => {}
        None => problems.push(
            Diagnostic::new(Code::HookProgram, exec.span, "this hook names no program")
                .help("write exec: [/usr/local/bin/before-master]"),
        ),
    }
    let timeout = text.timeout.value().map_or(defaults::HOOK_TIMEOUT, |timeout| timeout.0);
    (!argv.is_empty()).then_some(Hook { argv, timeout })
}

fn not_a_whole_path<T>(program: &str, exec: &Spanned<T>) -> Diagnostic {
    let message = format!("{} is not the whole path of a program", quoted(program));
    Diagnostic::new(Code::HookProgram, exec.span, message)
        .help("write it from the root: no search path and no folder is sure at a takeover")
}
