//! Who may ask for what. Pure: the rules alone; sockets and headers are read elsewhere.
//!
//! | way | reads | acts |
//! |---|---|---|
//! | the control socket | its owner and its group | the same |
//! | TCP on a loopback address | everybody | a token of the scope `act` |
//! | TCP beyond it (TLS) | a token | a token of the scope `act` |
//!
//! The page itself, which holds no data, is for everybody. A browser is a caller that others can lead: so a request over TCP
//! must name this host (DNS rebinding), must not come from a page of another site, and may act only as JSON, which no form
//! sends (RFC 9110, section 7.2; RFC 6454; Fetch Metadata of the W3C). There are no cookies, so nothing is sent unasked.

use super::action::{RefusalCode, Refused};
use crate::model::ApiScope;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// How a request came over TCP. At the control socket its mode has let the caller in, and no browser gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The address that was called.
    pub(super) own: IpAddr,
    /// Whether it came from this host itself, by a loopback address at both ends: an address alone can be translated.
    pub(super) near: bool,
    /// Whether it came over TLS.
    pub(super) tls: bool,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The page's own files.
    Page,
    Read,
    Act,
}

/// What the request says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    /// One that is none of the policy's.
    Unknown,
    Known(ApiScope),
}

/// A request, as far as the rules look at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) way: Way,
    pub(super) wish: Wish,
    pub(super) token: Shown,
    /// `Host`, or what stands for it.
    pub(super) host: Option<&'a str>,
    pub(super) origin: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub(super) fetch_site: Option<&'a str>,
    pub(super) content_type: Option<&'a str>,
}

/// Whether it may be answered; `allowed` are the names of the policy.
///
/// # Errors
/// The first rule against it.
pub(super) fn judge(asked: &Asked<'_>, allowed: &BTreeSet<String>) -> Result<(), Refused> {
    let Way { own, near, tls } = asked.way;
    calls_this_host(asked.host, own, allowed)?;
    if asked.wish != Wish::Page {
        is_of_this_site(asked, tls)?;
    }
    has_the_scope(asked, near)?;
    if asked.wish == Wish::Act {
        is_json(asked.content_type)?;
    }
    Ok(())
}

fn calls_this_host(host: Option<&str>, own: IpAddr, allowed: &BTreeSet<String>) -> Result<(), Refused> {
    let name = host.map(without_port).unwrap_or_default().to_ascii_lowercase();
    let address: Option<IpAddr> = name.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let known = match address {
        Some(address) => address == own || allowed.contains(&address.to_string()),
        None => (name == "localhost" && own.is_loopback()) || allowed.contains(&name),
    };
    if known {
        return Ok(());
    }
    let message = format!(
        "this API is not called {name:?}: use {own}, or add the name to `api: {{allowed_hosts: […]}}` of the policy"
    );
    Err(Refused::new(RefusalCode::Misdirected, message))
}

/// `lb-a:9750`, `[::1]:9750` and `10.0.0.1` without the port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

fn is_of_this_site(asked: &Asked<'_>, tls: bool) -> Result<(), Refused> {
    let fetched_here = asked.fetch_site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let scheme = if tls { "https" } else { "http" };
    let same = |origin: &str| {
        let own = origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
        own.zip(asked.host).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host))
    };
    if fetched_here && asked.origin.is_none_or(same) {
        return Ok(());
    }
    Err(Refused::new(
        RefusalCode::Forbidden,
        "this request comes from a page of another site; nothing was done: use the status page of this API itself",
    ))
}

fn has_the_scope(asked: &Asked<'_>, near: bool) -> Result<(), Refused> {
    let needed = match asked.wish {
        Wish::Page => return Ok(()),
        Wish::Read if near => None,
        Wish::Read => Some(ApiScope::Read),
        Wish::Act => Some(ApiScope::Act),
    };
    match (asked.token, needed) {
        // A wrong token is never taken for none: who sends one wants to be somebody.
        (Shown::Unknown, _) => Err(Refused::new(
            RefusalCode::Unauthorized,
            "this token is none of `api: {tokens: […]}` of the policy",
        )),
        (Shown::Nothing, Some(scope)) => Err(Refused::new(
            RefusalCode::Unauthorized,
            format!(
                "a token of the scope {} is needed here: send it as `Authorization: Bearer …`",
                scope.name()
            ),
        )),
        (Shown::Known(has), Some(scope)) if has < scope => Err(Refused::new(
            RefusalCode::Forbidden,
            format!("this token may {}; to {} another one is needed", has.name(), scope.name()),
        )),
        (Shown::Nothing | Shown::Known(_), _) => Ok(()),
    }
}

fn is_json(content_type: Option<&str>) -> Result<(), Refused> {
    let essence = content_type.and_then(|text| text.split(';').next()).map(str::trim).unwrap_or_default();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refused::new(
        RefusalCode::UnsupportedMedia,
        "actions are sent as JSON: add the header `Content-Type: application/json`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: Option<&str> = Some("application/json");

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn loopback() -> Way {
        Way { own: address("127.0.0.1"), near: true, tls: false }
    }

    fn remote() -> Way {
        Way { own: address("10.0.0.1"), near: false, tls: true }
    }

    /// From another host, to a loopback address: a rule of the firewall has sent it there.
    fn translated() -> Way {
        Way { own: address("127.0.0.1"), near: false, tls: false }
    }

    /// A request that nothing speaks against but, perhaps, its token.
    fn asked(way: Way, wish: Wish, token: Shown) -> Asked<'static> {
        let host = if way.own.is_loopback() { "localhost:9750" } else { "10.0.0.1:9750" };
        Asked { way, wish, token, host: Some(host), origin: None, fetch_site: None, content_type: JSON }
    }

    fn judged(asked: &Asked<'_>) -> Option<RefusalCode> {
        let allowed = ["lb.example.com".to_owned(), "192.0.2.1".to_owned()].into();
        judge(asked, &allowed).err().map(|refused| refused.code)
    }

    /// Each way, with each token, for each wish.
    #[test]
    fn the_matrix_of_ways_tokens_and_wishes() {
        use RefusalCode::{Forbidden, Unauthorized};
        use Shown::{Known, Nothing, Unknown};
        let tokens = [Nothing, Unknown, Known(ApiScope::Read), Known(ApiScope::Act)];
        let (no, low) = (Some(Unauthorized), Some(Forbidden));
        let matrix = [
            (loopback(), Wish::Page, [None, None, None, None]),
            (loopback(), Wish::Read, [None, no, None, None]),
            (loopback(), Wish::Act, [no, no, low, None]),
            (remote(), Wish::Page, [None, None, None, None]),
            (remote(), Wish::Read, [no, no, None, None]),
            (remote(), Wish::Act, [no, no, low, None]),
            (translated(), Wish::Read, [no, no, None, None]),
            (translated(), Wish::Act, [no, no, low, None]),
        ];
        for (way, wish, expected) in matrix {
            for (token, expected) in tokens.into_iter().zip(expected) {
                assert_eq!(judged(&asked(way, wish, token)), expected, "{way:?} {wish:?} {token:?}");
            }
        }
    }

    #[test]
    fn a_request_must_call_this_host_by_a_name_that_it_has() {
        let called = |way, host| judged(&Asked { host, ..asked(way, Wish::Page, Shown::Nothing) });
        for host in
            ["localhost", "LOCALHOST:9750", "127.0.0.1", "127.0.0.1:80", "lb.example.com:9750", "192.0.2.1"]
        {
            assert_eq!(called(loopback(), Some(host)), None, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:9750",
            "127.0.0.2",
            "10.0.0.1",
            "",
            "localhost.evil.example",
            ":9750",
        ] {
            assert_eq!(called(loopback(), Some(host)), Some(RefusalCode::Misdirected), "{host}");
        }
        assert_eq!(called(loopback(), None), Some(RefusalCode::Misdirected));
        assert_eq!(called(remote(), Some("localhost:9750")), Some(RefusalCode::Misdirected));
        let six = Way { own: address("::1"), near: true, tls: false };
        for host in ["[::1]:9750", "[::1]", "localhost"] {
            assert_eq!(called(six, Some(host)), None, "{host}");
        }
        assert_eq!(called(six, Some("[::2]:9750")), Some(RefusalCode::Misdirected));
    }

    /// With a token that would do: so that nothing but the page's origin speaks.
    #[test]
    fn a_page_of_another_site_gets_nothing_and_does_nothing() {
        let from = |way, wish, origin, fetch_site| {
            judged(&Asked { origin, fetch_site, ..asked(way, wish, Shown::Known(ApiScope::Act)) })
        };
        for wish in [Wish::Read, Wish::Act] {
            for (origin, site) in [
                (None, None),
                (None, Some("same-origin")),
                (None, Some("none")),
                (Some("http://localhost:9750"), Some("same-origin")),
            ] {
                assert_eq!(from(loopback(), wish, origin, site), None, "{wish:?} {origin:?} {site:?}");
            }
            for (origin, site) in [
                (None, Some("cross-site")),
                (None, Some("same-site")),
                (Some("https://localhost:9750"), None),
                (Some("http://localhost:9751"), None),
                (Some("http://evil.example"), None),
                (Some("null"), None),
                (Some(""), None),
                (Some("http://localhost:9750"), Some("cross-site")),
            ] {
                let found = from(loopback(), wish, origin, site);
                assert_eq!(found, Some(RefusalCode::Forbidden), "{wish:?} {origin:?} {site:?}");
            }
            assert_eq!(from(remote(), wish, Some("https://10.0.0.1:9750"), None), None);
            assert_eq!(
                from(remote(), wish, Some("http://10.0.0.1:9750"), None),
                Some(RefusalCode::Forbidden)
            );
        }
        assert_eq!(from(loopback(), Wish::Page, None, Some("cross-site")), None, "a link leads to the page");
    }

    #[test]
    fn actions_are_json_which_no_form_sends() {
        let sent = |way, content_type| {
            judged(&Asked { content_type, ..asked(way, Wish::Act, Shown::Known(ApiScope::Act)) })
        };
        for good in ["application/json", "Application/JSON; charset=utf-8"] {
            assert_eq!(sent(loopback(), Some(good)), None, "{good}");
        }
        for bad in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data"),
            Some("text/plain; application/json"),
        ] {
            assert_eq!(sent(loopback(), bad), Some(RefusalCode::UnsupportedMedia), "{bad:?}");
        }
    }
}
