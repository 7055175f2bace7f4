//! Where a redirect leads (RFC 9110, section 15.4; RFC 3986, section 5).
//!
//! The rule: a probe is of one server, so every hop goes to the target's own address and port, and over the same scheme.
//! What may change is the path, and the host that the request names. Secrets stay with the policy's own host.

use super::request::Ask;
use crate::model::Failure;
use crate::probe::failure::bounded;
use hyper::header::HeaderValue;
use hyper::http::uri::Scheme;
use hyper::{Method, Uri};

/// The request that `location` asks for, in answer to `ask`.
pub(super) fn follow(ask: &Ask, status: u16, location: &str, scheme: &Scheme) -> Result<Ask, Failure> {
    let refuse = |why: &str| Failure::Redirect(bounded(format!("to {location}, {why}")));
    let reference = location.split('#').next().unwrap_or_default();
    let (host, path) = match parted(reference) {
        Reference::Whole { scheme: named, .. } if !named.eq_ignore_ascii_case(scheme.as_str()) => {
            return Err(refuse(&format!("which is not {scheme}: a probe follows only to the same port")));
        }
        Reference::Whole { host, .. } if host.is_empty() || host.contains('@') => {
            return Err(refuse("which names no host"));
        }
        Reference::Whole { host, path, .. } => {
            let host = HeaderValue::from_str(host).map_err(|_| refuse("which names no host"))?;
            (host, if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
        }
        Reference::Path(path) => (ask.host.clone(), merged(&ask.path, path)),
    };
    let path: Uri = path.parse().map_err(|_| refuse("which cannot be read"))?;
    let keeps_method = matches!(status, 307 | 308) || matches!(ask.method, Method::GET | Method::HEAD);
    Ok(Ask {
        method: if keeps_method { ask.method.clone() } else { Method::GET },
        is_own_host: ask.is_own_host && host == ask.host,
        has_content: ask.has_content && keeps_method,
        path,
        host,
    })
}

enum Reference<'a> {
    /// `http://host/path`, `//host/path`.
    Whole { scheme: &'a str, host: &'a str, path: &'a str },
    /// `/path`, `path`, `?query`.
    Path(&'a str),
}

fn parted(reference: &str) -> Reference<'_> {
    let (scheme, rest) = match reference.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => (scheme, rest),
        Some(_) | None => match reference.strip_prefix("//") {
            Some(rest) => ("", rest),
            None => return Reference::Path(reference),
        },
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    Reference::Whole { scheme, host, path }
}

/// A reference without scheme and host, beside the path that it is relative to.
fn merged(base: &Uri, reference: &str) -> String {
    if reference.starts_with('/') {
        return reference.to_owned();
    }
    let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
    if path.is_empty() {
        return format!("{}{query}", base.path());
    }
    let mut parts: Vec<&str> = folder.split('/').skip(1).collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    format!("/{}{query}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask(method: Method) -> Ask {
        Ask {
            method,
            path: Uri::from_static("/a/b?c=1"),
            host: HeaderValue::from_static("shop.example.com"),
            has_content: true,
            is_own_host: true,
        }
    }

    fn to(location: &str) -> Result<Ask, Failure> {
        follow(&ask(Method::GET), 302, location, &Scheme::HTTP)
    }

    #[test]
    fn a_location_is_relative_to_the_path_that_was_asked_for() {
        for (location, path) in [
            ("/x?y#z", "/x?y"),
            ("x", "/a/x"),
            ("./x/../y/", "/a/y/"),
            ("../../../x", "/x"),
            ("?d=2", "/a/b?d=2"),
            ("http://shop.example.com", "/"),
            ("http://shop.example.com?x", "/?x"),
            ("x?to=http://elsewhere/", "/a/x?to=http://elsewhere/"),
        ] {
            let next = to(location).expect("it can be followed");
            assert_eq!((next.path.to_string(), next.is_own_host), (path.to_owned(), true), "{location}");
        }
    }

    #[test]
    fn another_host_gets_no_secrets_and_another_scheme_is_not_followed() {
        let next = to("http://pay.example.com:8080/x").expect("it can be followed");
        assert!(next.host == "pay.example.com:8080" && !next.is_own_host, "{next:?}");
        let back = follow(&next, 302, "http://shop.example.com/", &Scheme::HTTP).expect("it can be followed");
        assert!(!back.is_own_host, "once away, it stays away");
        for location in ["https://shop.example.com/", "ftp://x/", "http://user@x/", "http://", "/\u{1}"] {
            let failure = to(location).expect_err("it is not followed");
            assert_eq!(failure.reason(), "redirect", "{location}");
        }
    }

    #[test]
    fn a_redirected_post_becomes_a_get_unless_the_status_forbids_it() {
        for (status, method, has_content) in [
            (301, Method::GET, false),
            (303, Method::GET, false),
            (307, Method::POST, true),
            (308, Method::POST, true),
        ] {
            let next = follow(&ask(Method::POST), status, "/x", &Scheme::HTTP).expect("it can be followed");
            assert_eq!((next.method, next.has_content), (method, has_content), "{status}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_location_is_followed_or_refused(location in "\\PC{0,40}") {
            if let Ok(next) = to(&location) {
                prop_assert!(next.path.to_string().starts_with('/'), "{}", next.path);
            }
        }
    }
}
