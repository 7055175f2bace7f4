//! HTTP probes: the request and the answer that counts.

use super::{authentication, tls};
use crate::model::{Content, HeaderText, HttpSpec, HttpVersion};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::node::Key;
use crate::policy::read::{Field, Spanned};
use crate::policy::scalar::Text;
use crate::policy::schema::{HeaderValueText, HeadersText, HttpText, HttpVersionWord, HttpsText};
use crate::policy::source::{Sources, Span};
use std::path::PathBuf;

/// The keys that http and https have in common, whichever of the two it is.
macro_rules! request {
    ($text:expr, $sources:expr, $problems:expr) => {{
        let text = $text;
        let content = content(&text.content, &text.content_type, $problems);
        let method = if content.is_some() { defaults::METHOD_WITH_CONTENT } else { defaults::METHOD };
        let version = match text.version.value() {
            None | Some(HttpVersionWord::Http1) => HttpVersion::Http1,
            Some(HttpVersionWord::Http2) => HttpVersion::Http2,
        };
        let path =
            word(&text.path, "a path", "begin it with `/`, and write blanks as %20", is_path, $problems);
        path_fits(&text.path, version, $problems);
        HttpSpec {
            version,
            method: word(
                &text.method,
                "an HTTP method",
                "write GET, HEAD or another method",
                is_token,
                $problems,
            )
            .unwrap_or_else(|| method.to_owned()),
            path: path.unwrap_or_else(|| defaults::PATH.to_owned()),
            host: host(&text.host, $problems),
            headers: headers(&text.headers, $sources, $problems),
            content,
            status: text.status.value().map_or_else(
                || vec![defaults::STATUS],
                |status| status.0.iter().map(|range| range.value.0.clone()).collect(),
            ),
            body: text.body.given().and_then(|body| super::body::rule(&body.value, body.span, $problems)),
            response_limit: text.response_limit.value().map_or(HttpSpec::RESPONSE_LIMIT, |limit| limit.0),
            redirects: text
                .redirects
                .value()
                .map_or(0, |redirects| u8::try_from(redirects.0).unwrap_or(HttpSpec::MOST_REDIRECTS)),
            keep_connection: text.keep_connection.value().is_some_and(|keep| keep.0),
            tls: None,
        }
    }};
}

/// A probe over plain HTTP.
pub(super) fn plain(text: &HttpText, sources: &Sources, problems: &mut Problems) -> HttpSpec {
    statuses_said(text.status.given().map(|status| (status.value.0.len(), status.span)), problems);
    request!(text, sources, problems)
}

/// A probe over TLS, and the files that it needs.
pub(super) fn secure(
    text: &HttpsText,
    span: Span,
    sources: &Sources,
    problems: &mut Problems,
) -> (HttpSpec, Vec<(PathBuf, Span)>) {
    statuses_said(text.status.given().map(|status| (status.value.0.len(), status.span)), problems);
    let spec = request!(text, sources, problems);
    let (tls, files) = tls::session(text.tls.value(), sources, problems);
    if text.host.is_absent() {
        tls::name_to_verify(&tls, "add `host: NAME`, or `tls: {server_name: NAME}`", span, problems);
    }
    (HttpSpec { tls: Some(tls), ..spec }, files)
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
pub(super) fn word(
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

/// A `Host`.
pub(super) fn host(field: &Field<Text>, problems: &mut Problems) -> Option<String> {
    word(field, "a host", "write a name, with `:port` if it is not the usual one", is_host, problems)
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

/// HTTP/2 has no `OPTIONS *` that hyper could write.
fn path_fits(path: &Field<Text>, version: HttpVersion, problems: &mut Problems) {
    let Some(star) = path.given().filter(|path| path.value.0 == "*" && version == HttpVersion::Http2) else {
        return;
    };
    problems.push(
        Diagnostic::new(Code::BadText, star.span, "the path `*` cannot be asked for in HTTP/2")
            .help("write a path that begins with `/`, or leave `version: http2` out"),
    );
}

fn content(text: &Field<Text>, content_type: &Field<Text>, problems: &mut Problems) -> Option<Content> {
    if let (true, Some(unused)) = (text.is_absent(), content_type.span()) {
        problems.push(
            Diagnostic::new(Code::CheckKeyUnused, unused, "`content_type` means nothing without `content`")
                .help("add `content`, or leave it out"),
        );
    }
    let text = text.value()?.0.clone();
    let content_type =
        content_type.value().map_or_else(|| defaults::CONTENT_TYPE.to_owned(), |kind| kind.0.clone());
    Some(Content { text, content_type })
}

fn headers(
    field: &Field<HeadersText>,
    sources: &Sources,
    problems: &mut Problems,
) -> Vec<(String, HeaderText)> {
    let mut headers = Vec::new();
    for (key, Spanned { value, .. }) in field.value().map(|texts| texts.0.as_slice()).unwrap_or_default() {
        if let Some(refused) = refused_header(key, value) {
            problems.push(refused);
        }
        let text = match value {
            HeaderValueText::Text(text) => Some(HeaderText::Text(text.0.clone())),
            HeaderValueText::Secret(secret) => {
                authentication::secret(secret, sources).map(HeaderText::Secret)
            }
        };
        headers.extend(text.map(|text| (key.name.clone(), text)));
    }
    headers
}

/// The diagnostic of a header that cannot be said here, or not as a text.
fn refused_header(key: &Key, value: &HeaderValueText) -> Option<Diagnostic> {
    let name = quoted(&key.name);
    let (code, message, help) = match key.name.to_ascii_lowercase().as_str() {
        "authorization" | "proxy-authorization" | "cookie" if matches!(value, HeaderValueText::Text(_)) => (
            Code::SecretLiteral,
            format!("the header {name} is a secret, and a policy holds none"),
            "write {file: PATH}, or {credential: NAME} for a systemd credential, with the whole value in it",
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
