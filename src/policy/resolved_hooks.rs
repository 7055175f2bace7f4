//! `on_event` written out.

use super::yaml_text::{Yaml, mapping, text, time};
use crate::model::{EventFilter, EventHook, HookAct, HookUrl, MailSettings, Secret};
use std::path::Path;

/// Puts the relative paths of hooks below a folder.
pub(super) fn below(hooks: &mut [EventHook], base: &Path) {
    let place = |secret: &mut Secret| {
        if let Secret::File(path) = secret {
            *path = base.join(&*path);
        }
    };
    for hook in hooks {
        match &mut hook.act {
            HookAct::Exec { .. } => {}
            HookAct::Webhook { url, secret, ca } => {
                secret.iter_mut().chain(ca).for_each(place);
                if let HookUrl::Secret(secret) = url {
                    place(secret);
                }
            }
            HookAct::Mail(MailSettings { login, ca, .. }) => {
                login.iter_mut().map(|(_, password)| password).chain(ca).for_each(place);
            }
        }
    }
}

pub(super) fn on_event(hooks: &[EventHook]) -> Yaml {
    Yaml::List(hooks.iter().map(hook_of).collect())
}

fn hook_of(hook: &EventHook) -> Yaml {
    let mut keys = Vec::new();
    match &hook.act {
        HookAct::Exec { command, user } => {
            keys.push(("exec", Yaml::List(command.iter().map(text).collect())));
            keys.extend(user.as_ref().map(|user| ("user", text(user))));
        }
        HookAct::Webhook { url, secret, ca } => {
            keys.push((
                "webhook",
                match url {
                    HookUrl::Plain(url) => text(url),
                    HookUrl::Secret(secret) => place_of(secret),
                },
            ));
            keys.extend(secret.as_ref().map(|secret| ("secret", place_of(secret))));
            keys.extend(ca.as_ref().map(|ca| ("ca", place_of(ca))));
        }
        HookAct::Mail(mail) => {
            keys.push(("mail", mail_of(mail)));
            keys.extend(mail.ca.as_ref().map(|ca| ("ca", place_of(ca))));
        }
    }
    keys.push(("timeout", time(hook.timeout)));
    keys.extend(filter(&hook.filter));
    mapping(keys)
}

fn mail_of(mail: &MailSettings) -> Yaml {
    let host = if mail.server.contains(':') { format!("[{}]", mail.server) } else { mail.server.clone() };
    let mut keys = vec![
        ("server", text(format!("{host}:{}", mail.port))),
        ("tls", text(mail.security.name())),
        ("from", text(&mail.from)),
        ("to", Yaml::List(mail.to.iter().map(text).collect())),
    ];
    if let Some((user, password)) = &mail.login {
        keys.extend([("username", text(user)), ("password", place_of(password))]);
    }
    keys.extend(mail.hello.as_ref().map(|hello| ("hello", text(hello))));
    keys.push(("collect", time(mail.collect)));
    mapping(keys)
}

fn filter(filter: &EventFilter) -> Vec<(&'static str, Yaml)> {
    let mut keys = vec![("severity", text(filter.severity))];
    if !filter.kinds.is_empty() {
        keys.push(("kinds", Yaml::List(filter.kinds.iter().map(text).collect())));
    }
    for (key, names) in [("pools", &filter.pools), ("routers", &filter.routers)] {
        if !names.is_empty() {
            keys.push((key, Yaml::List(names.iter().map(text).collect())));
        }
    }
    keys
}

fn place_of(secret: &Secret) -> Yaml {
    mapping([match secret {
        Secret::File(path) => ("file", text(path.display())),
        Secret::Credential(name) => ("credential", text(name)),
    }])
}
