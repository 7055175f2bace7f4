//! The API over TCP: nothing beyond loopback without TLS and a token.

use super::{authentication, listen};
use crate::model::{ApiScope, ApiSettings, ApiTls, ApiToken};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Field, List, Spanned, bad_name, is_name};
use crate::policy::scalar::Text;
use crate::policy::schema::{ApiText, ApiTlsText, ApiTokenText, ScopeWord};
use crate::policy::source::{Sources, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Tokens of one API at most: each request is compared with all of them.
const MOST_TOKENS: usize = 64;
/// Bytes of a host name at most (RFC 1035, section 2.3.4).
const MOST_HOST_BYTES: usize = 253;

/// The API that the policy asks for.
pub(super) fn settings(
    field: &Field<ApiText>,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<ApiSettings> {
    let said = field.given()?;
    let text = &said.value;
    let listen = match text.listen.is_absent() {
        true => Some(defaults::API_LISTEN),
        false => listen(&text.listen, defaults::API_LISTEN, problems),
    };
    let tls = text.tls.value().and_then(|tls| certificate(tls, sources));
    let tokens = tokens(&text.tokens, sources, problems);
    let settings =
        ApiSettings { listen: listen?, tls, tokens, allowed_hosts: hosts(&text.allowed_hosts, problems) };
    beyond_loopback(&settings, text, said.span, problems);
    Some(settings)
}

fn certificate(text: &ApiTlsText, sources: &Sources) -> Option<ApiTls> {
    let place = &text.certificate.value()?.0;
    let certificate = authentication::place(&place.file, &place.credential, sources)?;
    Some(ApiTls { certificate, key: authentication::secret(text.key.value()?, sources)? })
}

fn tokens(field: &Field<List<ApiTokenText>>, sources: &Sources, problems: &mut Problems) -> Vec<ApiToken> {
    let Some(said) = field.given() else { return Vec::new() };
    if said.value.0.len() > MOST_TOKENS {
        let message = format!("the API has {} tokens", said.value.0.len());
        problems.push(
            Diagnostic::new(Code::ApiToken, said.span, message)
                .help(format!("name at most {MOST_TOKENS}: those who do the same may share one")),
        );
    }
    let mut names = BTreeMap::new();
    said.value.0.iter().filter_map(|text| token(&text.value, &mut names, sources, problems)).collect()
}

fn token(
    text: &ApiTokenText,
    names: &mut BTreeMap<String, Span>,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<ApiToken> {
    let name = text.name.given()?;
    let Text(word) = &name.value;
    if !is_name(word) {
        problems.push(bad_name(word, name.span));
        return None;
    }
    if let Some(first) = names.insert(word.clone(), name.span) {
        let message = format!("two tokens have the name {}", quoted(word));
        problems.push(
            Diagnostic::new(Code::ApiToken, name.span, message)
                .related(first, "the same name")
                .help("give each its own name: the log says by it who acted"),
        );
        return None;
    }
    let scope = match text.scope.value()? {
        ScopeWord::Read => ApiScope::Read,
        ScopeWord::Act => ApiScope::Act,
    };
    Some(ApiToken { name: word.clone(), scope, token: authentication::secret(text.token.value()?, sources)? })
}

fn hosts(field: &Field<List<Text>>, problems: &mut Problems) -> BTreeSet<String> {
    let said = field.value().map(|list| list.0.as_slice()).unwrap_or_default();
    said.iter().filter_map(|host| self::host(host, problems)).collect()
}

/// A name in small letters, or an address as it prints itself.
fn host(said: &Spanned<Text>, problems: &mut Problems) -> Option<String> {
    let Text(text) = &said.value;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if text.len() <= MOST_HOST_BYTES && text.bytes().all(allowed) {
        return Some(text.to_ascii_lowercase());
    }
    let message = format!("{} cannot be the host of a request", quoted(text));
    problems.push(
        Diagnostic::new(Code::ApiHost, said.span, message)
            .help("write a name or an address, without scheme and port: lb.example.com"),
    );
    None
}

fn beyond_loopback(settings: &ApiSettings, text: &ApiText, span: Span, problems: &mut Problems) {
    if settings.listen.ip().is_loopback() {
        return;
    }
    // What is there and is wrong was reported.
    let no_token = text.tokens.is_absent() || text.tokens.value().is_some_and(|tokens| tokens.0.is_empty());
    let missing = match (text.tls.is_absent(), no_token) {
        (false, false) => return,
        (false, true) => "a token",
        (true, false) => "TLS",
        (true, true) => "TLS and a token",
    };
    let message = format!(
        "{} can be reached from other hosts, and the API there has not got {missing}",
        settings.listen
    );
    problems.push(
        Diagnostic::new(Code::ApiBeyondLoopback, text.listen.span().unwrap_or(span), message).help(
            "add `tls: {certificate: {file: PATH}, key: {file: PATH}}` and `tokens: [{name: ops, scope: act, token: {file: PATH}}]`, or listen on 127.0.0.1",
        ),
    );
}
