//! HTTP probes: the request and the answer that counts.

use crate::model::{HttpSpec, TlsSpec, Verify};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::node::Key;
use crate::policy::read::{Field, Spanned};
use crate::policy::scalar::Text;
use crate::policy::schema::{HttpText, HttpsText, Texts, TlsText};
use crate::policy::source::{Sources, Span};
use std::net::IpAddr;
use std::path::PathBuf;

/// The keys that http and https have in common, whichever of the two it is.
macro_rules! request {
    ($text:expr, $problems:expr) => {{
        let text = $text;
        HttpSpec {
            method: word(
                &text.method,
                "an HTTP method",
                "write GET, HEAD or another method",
                is_token,
                $problems,
            )
            .unwrap_or_else(|| defaults::METHOD.to_owned()),
            path: word(
                &text.path,
                "a path",
                "begin it with `/`, and write blanks as %20",
                is_path,
                $problems,
            )
            .unwrap_or_else(|| defaults::PATH.to_owned()),
            host: word(
                &text.host,
                "a host",
                "write a name, with `:port` if it is not the usual one",
                is_host,
                $problems,
            ),
            headers: headers(&text.headers, $problems),
            status: text.status.value().map_or_else(
                || vec![defaults::STATUS],
                |status| status.0.iter().map(|range| range.value.0.clone()).collect(),
            ),
            body: text.body.value().map(|body| body.0.clone()),
            tls: None,
        }
    }};
}

/// A probe over plain HTTP.
pub(super) fn plain(text: &HttpText, problems: &mut Problems) -> Option<HttpSpec> {
    statuses_said(text.status.given().map(|status| (status.value.0.len(), status.span)), problems);
    Some(request!(text, problems))
}

/// A probe over TLS, and the file of certificate authorities that it needs.
pub(super) fn secure(
    text: &HttpsText,
    span: Span,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<(HttpSpec, Option<(PathBuf, Span)>)> {
    statuses_said(text.status.given().map(|status| (status.value.0.len(), status.span)), problems);
    let spec = request!(text, problems);
    let authority = text.tls.value().and_then(|tls| authority(tls, sources));
    let tls = TlsSpec {
        server_name: text.tls.value().and_then(|tls| server_name(tls, problems)),
        ca: authority.as_ref().map(|(path, _)| path.clone()),
        verify: text.tls.value().map_or(Verify::Full, |tls| verify(tls, problems)),
    };
    name_to_verify(&spec, &tls, text.host.is_absent(), span, problems);
    Some((HttpSpec { tls: Some(tls), ..spec }, authority))
}

fn statuses_said(status: Option<(usize, Span)>, problems: &mut Problems) {
    if let Some((0, span)) = status
        && !problems.any_within(span)
    {
        let diagnostic = Diagnostic::new(Code::OutOfRange, span, "no status at all counts as success here");
        problems.push(diagnostic.help("write the statuses that do: [200-299]"));
    }
}

/// A word with a form of its own; what does not have it is reported.
fn word(
    field: &Field<Text>,
    what: &str,
    help: &str,
    good: fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<String> {
    let text = field.given()?;
    if good(&text.value.0) {
        return Some(text.value.0.clone());
    }
    problems.push(
        Diagnostic::new(Code::BadText, text.span, format!("{} is not {what}", quoted(&text.value.0)))
            .help(help),
    );
    None
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_path(text: &str) -> bool {
    (text == "*" || text.starts_with('/')) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

fn headers(field: &Field<Texts>, problems: &mut Problems) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for (key, Spanned { value: Text(value), .. }) in
        field.value().map(|texts| texts.0.as_slice()).unwrap_or_default()
    {
        if let Some(refused) = refused_header(key) {
            problems.push(refused);
        }
        headers.push((key.name.clone(), value.clone()));
    }
    headers
}

/// The diagnostic of a header that cannot be said here.
fn refused_header(key: &Key) -> Option<Diagnostic> {
    let name = quoted(&key.name);
    let (code, message, help) = match key.name.to_ascii_lowercase().as_str() {
        "authorization" | "proxy-authorization" | "cookie" => (
            Code::SecretLiteral,
            format!("the header {name} is a secret, and a policy holds none"),
            "probe a path that needs none: headers from a file belong to a later version",
        ),
        "host" => {
            (Code::BadText, format!("{name} cannot be a header here"), "write it as `host:` beside `path:`")
        }
        "content-length" | "transfer-encoding" | "connection" => {
            (Code::BadText, format!("{name} cannot be a header here"), "the probe sets it: leave it out")
        }
        _ if !is_token(&key.name) => (
            Code::BadText,
            format!("{name} is not the name of a header"),
            "a header's name has letters, digits and `-`",
        ),
        _ => return None,
    };
    Some(Diagnostic::new(code, key.span, message).help(help))
}

fn authority(tls: &TlsText, sources: &Sources) -> Option<(PathBuf, Span)> {
    let file = tls.ca.value()?.file.given()?;
    Some((sources.folder(file.span).join(&file.value.0), file.span))
}

fn server_name(tls: &TlsText, problems: &mut Problems) -> Option<String> {
    let good = |text: &str| {
        text.parse::<IpAddr>().is_ok()
            || text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    word(&tls.server_name, "the name of a server", "write a host name, without a port", good, problems)
}

fn verify(tls: &TlsText, problems: &mut Problems) -> Verify {
    let Some(flag) = tls.verify.given().filter(|flag| !flag.value.0) else { return Verify::Full };
    let message = "this check takes any certificate: an expired or a wrong one will not be noticed";
    problems.push(
        Diagnostic::new(Code::UnverifiedTls, flag.span, message)
            .help("leave `verify: false` out, and name the authority under `ca: {file: …}`"),
    );
    Verify::None
}

/// Warns where a certificate would have to carry the server's address, which few do.
fn name_to_verify(spec: &HttpSpec, tls: &TlsSpec, host_absent: bool, span: Span, problems: &mut Problems) {
    if tls.verify == Verify::Full && tls.server_name.is_none() && spec.host.is_none() && host_absent {
        let message = "this check says no name: the certificate must carry the real server's address";
        problems.push(
            Diagnostic::new(Code::TlsNameMissing, span, message)
                .help("add `host: NAME`, or `tls: {server_name: NAME}`"),
        );
    }
}
