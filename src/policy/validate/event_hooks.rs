//! `on_event`: each hook does one thing, and says nothing that has no meaning for it.

use super::authentication::{self, secret};
use super::directors::Reference;
use super::event_mail;
use crate::model::{EventFilter, EventHook, HookAct, HookUrl, MailSecurity, MailSettings, Secret, Severity};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Entry, Field, List, Spanned};
use crate::policy::scalar::Text;
use crate::policy::schema::{EventHookText, PolicyText, WebhookText};
use crate::policy::source::{Sources, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The hooks of the policy; one that cannot be used is left out, after a problem.
pub(super) fn hooks(
    text: &PolicyText,
    sources: &Sources,
    programs: &mut BTreeMap<PathBuf, Span>,
    problems: &mut Problems,
) -> Vec<EventHook> {
    let Some(said) = text.on_event.given() else { return Vec::new() };
    for hook in &said.value.0 {
        let program = hook.value.exec.value().and_then(|words| words.0.first());
        programs.extend(program.map(|program| (PathBuf::from(&program.value.0), program.span)));
    }
    if said.value.0.len() > EventHook::MOST {
        let message = format!("{} hooks are more than {}", said.value.0.len(), EventHook::MOST);
        problems.push(
            Diagnostic::new(Code::EventHook, said.span, message)
                .help("let one program or service pass the events on"),
        );
    }
    said.value.0.iter().filter_map(|hook| event_hook(hook, text, sources, problems)).collect()
}

fn event_hook(
    said: &Spanned<EventHookText>,
    text: &PolicyText,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<EventHook> {
    let hook = &said.value;
    let act = match (hook.exec.is_absent(), hook.webhook.is_absent(), hook.mail.is_absent()) {
        (false, true, true) => exec(hook, problems),
        (true, false, true) => webhook(hook, sources, problems),
        (true, true, false) => mail(hook, sources, problems),
        (no_exec, no_webhook, no_mail) => {
            let message = match no_exec && no_webhook && no_mail {
                true => "this hook does nothing",
                false => "a hook runs a program, calls a webhook or sends a mail: one of them",
            };
            let help =
                "write - exec: [/usr/local/bin/notify], - webhook: \"https://…\", or - mail: {server: …}";
            problems.push(Diagnostic::new(Code::EventHook, said.span, message).help(help));
            None
        }
    };
    let filter = filter(hook, text, problems);
    let timeout = hook.timeout.value().map_or(defaults::EVENT_HOOK_TIMEOUT, |timeout| timeout.0);
    Some(EventHook { act: act?, timeout, filter })
}

fn exec(hook: &EventHookText, problems: &mut Problems) -> Option<HookAct> {
    only_for("`webhook`", "secret", hook.secret.span(), problems);
    only_for("`webhook` or `mail`", "ca", hook.ca.span(), problems);
    let said = hook.exec.given()?;
    let words = &said.value.0;
    let (span, message) = match words.first() {
        Some(program) if Path::new(&program.value.0).is_absolute() => {
            let command = words.iter().map(|word| word.value.0.clone()).collect();
            return Some(HookAct::Exec { command, user: hook.user.value().map(|user| user.0.clone()) });
        }
        Some(program) => {
            (program.span, format!("{} is not the whole path of a program", quoted(&program.value.0)))
        }
        None => (said.span, "this hook names no program".to_owned()),
    };
    if !problems.any_within(said.span) {
        problems.push(
            Diagnostic::new(Code::HookProgram, span, message)
                .help("write exec: [/usr/local/bin/notify]; there is no shell"),
        );
    }
    None
}

fn webhook(hook: &EventHookText, sources: &Sources, problems: &mut Problems) -> Option<HookAct> {
    only_for("`exec`", "user", hook.user.span(), problems);
    let url = match hook.webhook.value()? {
        WebhookText::Url(url) => HookUrl::Plain(url.clone()),
        WebhookText::Secret(place) => HookUrl::Secret(secret(place, sources)?),
    };
    let key = hook.secret.value().and_then(|place| secret(place, sources));
    Some(HookAct::Webhook { url, secret: key, ca: authorities(hook, sources) })
}

fn mail(hook: &EventHookText, sources: &Sources, problems: &mut Problems) -> Option<HookAct> {
    only_for("`exec`", "user", hook.user.span(), problems);
    only_for("`webhook`", "secret", hook.secret.span(), problems);
    let settings = event_mail::settings(hook.mail.given()?, sources, problems)?;
    if settings.security == MailSecurity::None
        && let Some(span) = hook.ca.span()
    {
        let message = "`ca` means nothing with `tls: none`: there is no certificate to verify";
        problems.push(Diagnostic::new(Code::EventHook, span, message).help("leave one of them out"));
    }
    Some(HookAct::Mail(MailSettings { ca: authorities(hook, sources), ..settings }))
}

fn authorities(hook: &EventHookText, sources: &Sources) -> Option<Secret> {
    let place = &hook.ca.value()?.0;
    authentication::place(&place.file, &place.credential, sources)
}

fn only_for(what: &str, key: &str, span: Option<Span>, problems: &mut Problems) {
    let Some(span) = span else { return };
    let message = format!("`{key}` belongs to a hook with {what}");
    problems.push(Diagnostic::new(Code::EventHook, span, message).help("leave it out"));
}

fn filter(hook: &EventHookText, text: &PolicyText, problems: &mut Problems) -> EventFilter {
    let pools = Reference { code: Code::UnknownPool, what: "pool", section: "pools" };
    let routers = Reference { code: Code::UnknownRouter, what: "router", section: "virtual_routers" };
    let kinds = hook.kinds.value().map(|kinds| kinds.0.iter().map(|kind| kind.value.0).collect());
    EventFilter {
        kinds: kinds.unwrap_or_default(),
        severity: hook.severity.value().map_or(Severity::Info, |severity| severity.0),
        pools: names(&hook.pools, pools, &known(text.pools.value().map(|named| &*named.0)), problems),
        routers: names(
            &hook.routers,
            routers,
            &known(text.virtual_routers.value().map(|named| &*named.0)),
            problems,
        ),
    }
}

fn known<T>(entries: Option<&[Entry<T>]>) -> Vec<&str> {
    entries.unwrap_or_default().iter().map(|entry| entry.name.name.as_str()).collect()
}

fn names(
    said: &Field<List<Text>>,
    reference: Reference,
    known: &[&str],
    problems: &mut Problems,
) -> BTreeSet<Arc<str>> {
    let mut names = BTreeSet::new();
    for name in said.value().map(|list| list.0.as_slice()).unwrap_or_default() {
        if !known.contains(&name.value.0.as_str()) {
            problems.push(reference.unknown(&name.value.0, name.span, known.iter().copied()));
        }
        names.insert(name.value.0.as_str().into());
    }
    names
}
