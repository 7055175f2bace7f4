//! Authentication of advertisements, and where secrets are. No secret is read here.

use super::routers::Context;
use crate::model::{Authentication, AuthenticationKey, AuthenticationMode, Secret, VrrpVersion};
use crate::policy::codes::Code;
use crate::policy::declare::missing_key;
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::read::{Field, Spanned};
use crate::policy::scalar::Text;
use crate::policy::schema::{AuthenticationKeyText, AuthenticationModeWord, AuthenticationText, SecretText};
use crate::policy::source::{Sources, Span};
use std::collections::BTreeMap;

/// Where a secret is: a file relative to the policy file that names it, or a credential.
pub(super) fn place(file: &Field<Text>, credential: &Field<Text>, sources: &Sources) -> Option<Secret> {
    match (file.given(), credential.value()) {
        (Some(file), _) => Some(Secret::File(sources.folder(file.span).join(&file.value.0))),
        (None, Some(name)) => Some(Secret::Credential(name.0.clone())),
        (None, None) => None,
    }
}

pub(super) fn secret(text: &SecretText, sources: &Sources) -> Option<Secret> {
    place(&text.0.file, &text.0.credential, sources)
}

/// How a router's advertisements prove where they come from.
pub(super) fn authentication(
    field: &Field<AuthenticationText>,
    version: VrrpVersion,
    context: &mut Context<'_, '_>,
) -> Option<Authentication> {
    let said = field.given()?;
    let text = &said.value;
    let (by_keys, by_password) =
        (!text.mode.is_absent() || !text.keys.is_absent(), !text.v2_password.is_absent());
    match (by_keys, by_password) {
        (true, false) => hmac(text, said.span, context),
        (false, true) => password(text, version, context),
        (both, _) => {
            if !context.problems.any_within(said.span) {
                let message = if both {
                    "authentication is by keys or by version 2's password, not both"
                } else {
                    "this authentication says neither keys nor a password"
                };
                context.problems.push(
                    Diagnostic::new(Code::AuthenticationKeys, said.span, message)
                        .help("write {mode: enforce, keys: [{id: 1, credential: vrrp-1}]}"),
                );
            }
            None
        }
    }
}

fn hmac(text: &AuthenticationText, span: Span, context: &mut Context<'_, '_>) -> Option<Authentication> {
    for (absent, key) in [(text.mode.is_absent(), "mode"), (text.keys.is_absent(), "keys")] {
        if absent {
            context.problems.push(missing_key(key, "`authentication`", span));
        }
    }
    let said = text.keys.given()?;
    let keys: Vec<AuthenticationKey> =
        said.value.0.iter().filter_map(|text| key(text, context.sources, context.problems)).collect();
    if said.value.0.is_empty() && !context.problems.any_within(said.span) {
        context.problems.push(
            Diagnostic::new(Code::AuthenticationKeys, said.span, "the list of keys is empty")
                .help("write [{id: 1, credential: vrrp-1}], or leave `authentication` out"),
        );
    }
    each_id_once(&said.value.0, context.problems);
    let mode = match text.mode.value()? {
        AuthenticationModeWord::Receive => AuthenticationMode::Receive,
        AuthenticationModeWord::Permissive => AuthenticationMode::Permissive,
        AuthenticationModeWord::Enforce => AuthenticationMode::Enforce,
    };
    (!keys.is_empty()).then_some(Authentication::Hmac { mode, keys })
}

fn key(
    text: &Spanned<AuthenticationKeyText>,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<AuthenticationKey> {
    let (file, credential) = (&text.value.file, &text.value.credential);
    if file.is_absent() == credential.is_absent() && !problems.any_within(text.span) {
        problems.push(
            Diagnostic::new(
                Code::AuthenticationKeys,
                text.span,
                "a key is in one place: a file, or a systemd credential",
            )
            .help("write {id: 1, file: PATH}, or {id: 1, credential: NAME}"),
        );
        return None;
    }
    let id = u8::try_from(text.value.id.value()?.0).ok()?;
    Some(AuthenticationKey { id, secret: place(file, credential, sources)? })
}

fn each_id_once(keys: &[Spanned<AuthenticationKeyText>], problems: &mut Problems) {
    let mut first: BTreeMap<u32, Span> = BTreeMap::new();
    for id in keys.iter().filter_map(|key| key.value.id.given()) {
        if let Some(span) = first.insert(id.value.0, id.span) {
            let message = format!("two keys have the id {}", id.value.0);
            problems.push(
                Diagnostic::new(Code::AuthenticationKeys, id.span, message)
                    .related(span, "the same id")
                    .help("number each key: advertisements say which one signed them"),
            );
        }
    }
}

fn password(
    text: &AuthenticationText,
    version: VrrpVersion,
    context: &mut Context<'_, '_>,
) -> Option<Authentication> {
    let said = text.v2_password.given()?;
    if version == VrrpVersion::V3 {
        let message = "version 3 has no password";
        context.problems.push(
            Diagnostic::new(Code::V2PasswordVersion, said.span, message)
                .help("write `version: 2`, or {mode: enforce, keys: [{id: 1, credential: vrrp-1}]}"),
        );
        return None;
    }
    let message = "version 2's password travels in clear text: it keeps out mistakes, and nobody else";
    context.problems.push(
        Diagnostic::new(Code::V2Password, said.span, message)
            .help("use it only beside another vendor's router, and keys when all are Tandem"),
    );
    secret(&said.value, context.sources).map(Authentication::V2Password)
}
