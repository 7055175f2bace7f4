//! `HTTP_GET`, `SSL_GET`, and the certificates of `SSL`.

use super::checker::{Defaults, Inherited, Target};
use super::checkers::common;
use super::context::{Authorities, Context};
use super::keywords::Place;
use super::tree::Statement;
use super::value::{bad, or_bad};
use crate::import::checks::{check, is_regex};
use crate::import::names;
use crate::import::site::Check;
use crate::import::verdict::{Judged, near, none, same};
use crate::import::yaml::{Entry, Yaml, entry, mapping, word, words};

const OF_HTTP: Defaults = Defaults { retry: 1, delay_before_retry: Some(3000) };
/// Options of PCRE that Rust's regex has too.
const OPTIONS: [(&str, char); 4] =
    [("caseless", 'i'), ("dotall", 's'), ("multiline", 'm'), ("extended", 'x')];

/// What one `url` asks for.
#[derive(Default)]
struct Url {
    path: Option<String>,
    statuses: Vec<String>,
    host: Option<String>,
    regex: Option<(String, crate::import::verdict::Origin)>,
    options: String,
    negated: bool,
    digest: Option<String>,
}

/// One check for each URL.
pub(super) fn checks(statement: &Statement, inherited: &Inherited, context: &mut Context<'_>) -> Vec<Check> {
    let (mut inherited, mut target) = (inherited.clone(), Target::default());
    let secure = statement.name() == "SSL_GET";
    let mut urls: Vec<Url> = Vec::new();
    let mut server_name = None;
    common(Some(Place::Http), statement.inside(), &mut inherited, &mut target, context, |context, inner| {
        match (inner.name(), inner.word(1)) {
            ("url", _) => urls.push(url(inner, context)),
            ("sni_name", Some(name)) if secure => match names::server(name) {
                Some(name) => server_name = Some(name.to_owned()),
                None => return Some(none("this cannot be the name of a server")),
            },
            ("http_protocol", Some("1.1")) => return Some(same()),
            ("enable_sni" | "sni_name", _) if !secure => {
                return Some(none("only SSL_GET has a session of TLS"));
            }
            _ => {}
        }
        None
    });
    if urls.is_empty() {
        urls.push(Url::default());
    }
    let pace = inherited.pace(OF_HTTP);
    let made = urls.into_iter().map(|url| {
        let todo = url.digest.as_ref().map(|digest| {
            format!("TODO: the body was compared with the MD5 digest {digest}; write body: {{sha256: …}}")
        });
        let mut keys = url.keys(&inherited, context);
        if secure {
            keys.push(entry("tls", session(server_name.as_ref(), &context.authorities)));
        }
        let (hint, kind) = if secure { ("https", "https") } else { ("http", "http") };
        let check = check(hint, kind, mapping(keys), pace);
        target.of(Check { todo: todo.into_iter().collect(), ..check })
    });
    made.collect()
}

fn url(statement: &Statement, context: &mut Context<'_>) -> Url {
    let mut url = Url::default();
    context.block(Place::Url, statement.inside(), |_, inner| {
        match inner.name() {
            "path" => match inner.word(1).map(path) {
                Some(path) => url.path = Some(path),
                None => return bad(inner),
            },
            "status_code" => {
                let good = inner.arguments().iter().all(|text| is_status(text));
                if !good || inner.arguments().is_empty() {
                    return bad(inner);
                }
                url.statuses.extend(inner.arguments().iter().cloned());
            }
            "virtualhost" => {
                url.host = Some(or_bad!(inner.word(1).and_then(names::host), inner).to_owned());
            }
            "digest" => url.digest = inner.word(1).map(str::to_owned),
            "regex" => url.regex = Some((or_bad!(inner.word(1), inner).to_owned(), inner.at)),
            "regex_options" => return options(inner, &mut url),
            "regex_no_match" => url.negated = true,
            _ => {}
        }
        None
    });
    url
}

/// A path as HTTP has it: from `/` on, without blanks.
fn path(text: &str) -> String {
    let slash = if text.starts_with('/') { "" } else { "/" };
    format!("{slash}{}", names::encoded(text))
}

fn is_status(text: &str) -> bool {
    let number = |text: &str| text.parse::<u16>().ok().filter(|status| (100..600).contains(status));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    number(first).zip(number(last)).is_some_and(|(first, last)| first <= last)
}

fn options(inner: &Statement, url: &mut Url) -> Option<Judged> {
    let letter = |word: &String| OPTIONS.iter().find(|(name, _)| name == word).map(|(_, letter)| *letter);
    url.options = inner.arguments().iter().filter_map(letter).collect();
    let left_out: Vec<&str> =
        inner.arguments().iter().filter(|word| letter(word).is_none()).map(String::as_str).collect();
    (!left_out.is_empty()).then(|| none(format!("Rust's regex has no {}", left_out.join(", "))))
}

impl Url {
    fn keys(&self, inherited: &Inherited, context: &mut Context<'_>) -> Vec<Entry> {
        let mut keys = vec![entry("path", word(self.path.as_deref().unwrap_or("/")))];
        let host = self.host.as_ref().or(inherited.virtualhost.as_ref());
        keys.extend(host.map(|host| entry("host", word(host))));
        if !self.statuses.is_empty() {
            keys.push(entry("status", words(&self.statuses)));
        }
        keys.extend(self.body(context));
        keys
    }

    fn body(&self, context: &mut Context<'_>) -> Option<Entry> {
        let (source, at) = self.regex.as_ref()?;
        let source =
            if self.options.is_empty() { source.clone() } else { format!("(?{}){source}", self.options) };
        if self.negated {
            context.ledger.note(*at, none("an expression that must not match cannot be said"));
            return None;
        }
        if !is_regex(&source) {
            context
                .ledger
                .note(*at, none("Rust's regex cannot read this expression, or everything matches it"));
            return None;
        }
        Some(entry("body", mapping([entry("regex", word(source))])))
    }
}

/// keepalived verifies nothing.
fn session(server_name: Option<&String>, authorities: &Authorities) -> Yaml {
    let file = |path: &String| mapping([entry("file", word(path))]);
    let mut keys: Vec<Entry> = server_name.map(|name| entry("server_name", word(name))).into_iter().collect();
    keys.push(entry("verify", Yaml::Flag(false)));
    keys.extend(authorities.ca.as_ref().map(|path| entry("ca", file(path))));
    // A key may stand in the file of its certificate.
    if let Some(certificate) = &authorities.certificate {
        let key = authorities.key.as_ref().unwrap_or(certificate);
        keys.extend([entry("certificate", file(certificate)), entry("key", file(key))]);
    }
    mapping(keys)
}

/// `SSL`.
pub(super) fn authorities(statement: &Statement, context: &mut Context<'_>) {
    context.block(Place::Tls, statement.inside(), |context, inner| {
        let path = inner.word(1).map(str::to_owned);
        match inner.name() {
            "ca" => context.authorities.ca = path,
            "certificate" => context.authorities.certificate = path,
            "key" => context.authorities.key = path,
            _ => return None,
        }
        None
    });
    if context.authorities.key.is_some() && context.authorities.certificate.is_none() {
        context.note(statement, near("a key without its certificate is left out"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_statuses() {
        assert_eq!(path("mrtg/a b"), "/mrtg/a%20b");
        assert_eq!(
            ["200", "200-299", "600", "299-200", "x"].map(is_status),
            [true, true, false, false, false]
        );
    }
}
