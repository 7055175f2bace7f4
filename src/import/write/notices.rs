//! The section `on_event`.

use super::commented;
use crate::import::checks::time;
use crate::import::notices::{Act, Notice};
use crate::import::site::Mail;
use crate::import::verdict::Ledger;
use crate::import::yaml::{Entry, Yaml, entry, mapping, word, words};

/// The shortest and the longest time of a hook that the policy takes.
const TIMES_MS: (u64, u64) = (100, 60_000);

pub(super) fn section(hooks: &[Notice], ledger: &Ledger) -> Option<Entry> {
    let hook = |hook: &Notice| (comments(hook, ledger), entry_of(hook));
    let why =
        "keepalived's scripts have no time limit; here each is awaited, and 60s is the most.".to_owned();
    let scripts = hooks.iter().any(|hook| matches!(hook.act, Act::Run { .. }));
    let section = entry("on_event", commented(hooks.iter().map(hook)));
    (!hooks.is_empty()).then(|| section.comments(scripts.then_some(why)))
}

fn comments(hook: &Notice, ledger: &Ledger) -> Vec<String> {
    let places: Vec<String> = hook.at.iter().take(4).map(|at| ledger.short_place(*at)).collect();
    let mut comments = vec![places.join(", ")];
    if let Act::Write(mail) = &hook.act {
        if mail.from.is_none() {
            comments.push("TODO: the sender's address, which the file does not say.".to_owned());
        }
        comments.push(
            "keepalived does not seal its mail. TODO: leave `tls: none` out if the server takes STARTTLS, and name its port."
                .to_owned(),
        );
    }
    comments
}

fn entry_of(hook: &Notice) -> Yaml {
    let mut keys = match &hook.act {
        Act::Run { command, user } => {
            let user = user.as_ref().map(|user| entry("user", word(user)));
            let limit = entry("timeout", time(TIMES_MS.1));
            [entry("exec", words(command))].into_iter().chain(user).chain([limit]).collect()
        }
        Act::Write(mail) => {
            let limit = mail.timeout_ms.map(|limit| limit.clamp(TIMES_MS.0, TIMES_MS.1));
            let limit = limit.map(|limit| entry("timeout", time(limit)));
            [entry("mail", mail_of(mail))].into_iter().chain(limit).collect::<Vec<_>>()
        }
    };
    keys.push(entry("kinds", words(&hook.kinds)));
    for (key, names) in [("routers", &hook.routers), ("pools", &hook.pools)] {
        if !names.is_empty() {
            keys.push(entry(key, words(names)));
        }
    }
    mapping(keys)
}

fn mail_of(mail: &Mail) -> Yaml {
    let from = mail.from.as_deref().unwrap_or("tandem@example.com");
    let hello = mail.hello.as_ref().map(|hello| entry("hello", word(hello)));
    let keys = [
        entry("server", word(&mail.server)),
        entry("from", word(from)),
        entry("to", words(&mail.to)),
        entry("tls", word("none")),
    ];
    mapping(keys.into_iter().chain(hello))
}
