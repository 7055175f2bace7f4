//! What ldirectord asks a server, by check type and service.

use super::Options;
use super::real::Real;
use crate::import::checks::{Pace, bare, check, exec, is_regex};
use crate::import::names;
use crate::import::site::Check;
use crate::import::verdict::{Ledger, near, none};
use crate::import::yaml::{Entry, Yaml, entry, mapping, word};
use crate::model::{MySqlSpec, PostgreSqlSpec};

/// Seconds, where nothing is said.
const INTERVAL: u64 = 10;
const CONNECT: u64 = 5;
const NEGOTIATE: u64 = 30;
/// An anonymous bind of LDAP, version 3 (RFC 4511).
const LDAP_BIND: &str = "300c020101600702010304008000";

/// What the servers of one virtual are asked.
pub(super) struct Probe<'a> {
    pub(super) options: &'a Options<'a>,
    /// Port of the virtual service.
    pub(super) port: Option<u16>,
    pub(super) vip: &'a str,
    pub(super) udp: bool,
}

impl Probe<'_> {
    /// The checks of a server, and whether it may serve at all.
    pub(super) fn checks(&self, real: &Real, ledger: &mut Ledger) -> (Vec<Check>, bool) {
        let kind = self.options.get("checktype").unwrap_or("negotiate");
        let check = match kind {
            "on" => return (Vec::new(), true),
            "off" => return (Vec::new(), false),
            "ping" => bare("ping", "ping", self.pace(false)),
            "connect" => self.connect(ledger),
            "external" | "external-perl" => self.external(real, kind, ledger),
            kind => {
                if kind.parse::<u32>().is_ok() {
                    self.options.note(
                        "checktype",
                        near("every check negotiates: none only connects"),
                        ledger,
                    );
                }
                self.negotiate(real, ledger)
            }
        };
        let port = self
            .options
            .number::<std::num::NonZeroU16>("checkport")
            .map(std::num::NonZeroU16::get)
            .filter(|_| check.needs_port && check.port.is_none());
        let check = match port {
            Some(port) => {
                Check { port: Some(port), ..check.with([entry("port", crate::import::yaml::number(port))]) }
            }
            None => check,
        };
        (vec![check], true)
    }

    fn pace(&self, negotiates: bool) -> Pace {
        let (own, other, default) = if negotiates {
            ("negotiatetimeout", "checktimeout", NEGOTIATE)
        } else {
            ("checktimeout", "negotiatetimeout", CONNECT)
        };
        let timeout = self.options.number(own).or_else(|| self.options.number(other)).unwrap_or(default);
        let seconds = |seconds: u64| seconds.min(86_400) * 1000;
        Pace {
            interval: seconds(self.options.number("checkinterval").unwrap_or(INTERVAL)),
            changing: None,
            timeout: seconds(timeout),
            rise: 1,
            fall: self.options.number("failurecount").unwrap_or(1),
        }
    }

    /// ldirectord pings where there is no connection to make.
    fn connect(&self, ledger: &mut Ledger) -> Check {
        if self.udp {
            self.options.note("checktype", near("a ping, as ldirectord makes for UDP"), ledger);
            return bare("ping", "ping", self.pace(false));
        }
        bare("tcp", "tcp", self.pace(false))
    }

    fn external(&self, real: &Real, kind: &str, ledger: &mut Ledger) -> Check {
        let command = self.options.get("checkcommand").unwrap_or("/bin/true");
        let perl = if kind == "external-perl" { "/usr/bin/perl " } else { "" };
        let vip = self.vip.rsplit_once(':').map_or(self.vip, |(address, _)| address);
        let port = |port: Option<u16>| port.map_or_else(|| "0".to_owned(), |port| port.to_string());
        let (vport, rport) = (port(self.port), port(real.port.or(self.port)));
        let line = format!("{perl}{command} {vip} {vport} {} {rport}", real.address);
        let (check, judged) = exec("external", &line, None, self.pace(false), false);
        self.options.note("checkcommand", judged, ledger);
        check
    }

    fn service(&self) -> &str {
        let by_port = match self.port.unwrap_or(0) {
            21 => "ftp",
            25 => "smtp",
            53 => "dns",
            80 => "http",
            110 => "pop",
            119 => "nntp",
            143 => "imap",
            389 => "ldap",
            443 => "https",
            587 => "submission",
            636 => "ldaps",
            993 => "imaps",
            995 => "pops",
            1521 => "oracle",
            1812 => "radius",
            3128 => "http_proxy",
            3306 => "mysql",
            5060 => "sip",
            5432 => "pgsql",
            _ => "none",
        };
        self.options.get("service").unwrap_or(by_port)
    }

    fn negotiate(&self, real: &Real, ledger: &mut Ledger) -> Check {
        let pace = self.pace(true);
        let service = self.service().to_owned();
        let tcp = |hint: &str, keys: Vec<Entry>| check(hint, "tcp", mapping(keys), pace);
        let greeting = |hint: &str, text: &str| tcp(hint, vec![entry("expect", word(text))]);
        let verify = || mapping([entry("verify", Yaml::Flag(false))]);
        match service.as_str() {
            "http" | "https" => self.http(&service, real, pace, ledger),
            "smtp" | "submission" => check("smtp", "smtp", mapping([]), pace),
            "dns" => self.dns(real, pace, ledger),
            "simpletcp" => self.simple(real, pace, ledger),
            "mysql" => self.login("mysql", MySqlSpec::LONGEST_USER, pace, ledger),
            "pgsql" => self.login("postgresql", PostgreSqlSpec::LONGEST_NAME, pace, ledger),
            "ldap" => tcp("ldap", vec![entry("send", hex(LDAP_BIND)), entry("expect", hex("0a0100"))]),
            "ftp" => greeting("ftp", "220"),
            "imap" => greeting("imap", "* OK"),
            "pop" => greeting("pop", "+OK"),
            "nntp" => tcp("nntp", vec![entry("expect", mapping([entry("regex", word("^20[01]"))]))]),
            "imaps" | "pops" | "ldaps" => {
                self.options.note(
                    "service",
                    near("the session of TLS comes up; nothing is said inside of it"),
                    ledger,
                );
                check(service, "tls", verify(), pace)
            }
            "none" if self.udp => bare("ping", "ping", pace),
            "none" => bare("tcp", "tcp", pace),
            other => {
                let how =
                    format!("there is no check of {other}: the server is pinged, or its port is opened");
                self.options.note("service", none(how), ledger);
                if self.udp { bare("ping", "ping", pace) } else { bare("tcp", "tcp", pace) }
            }
        }
    }

    fn text<'r>(&'r self, own: Option<&'r String>, name: &str) -> Option<&'r str> {
        own.map(String::as_str).or_else(|| self.options.get(name)).filter(|text| !text.is_empty())
    }

    fn regex(&self, real: &Real, ledger: &mut Ledger) -> Option<Yaml> {
        let source = self.text(real.receive.as_ref(), "receive")?;
        if is_regex(source) {
            return Some(mapping([entry("regex", word(source))]));
        }
        self.options.note(
            "receive",
            none("Rust's regex cannot read this expression, or everything matches it"),
            ledger,
        );
        None
    }

    fn http(&self, service: &str, real: &Real, pace: Pace, ledger: &mut Ledger) -> Check {
        let request = self.text(real.request.as_ref(), "request").unwrap_or("/");
        let mut path = request;
        if let Some((_, rest)) = request.split_once("://") {
            path = rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/");
            ledger.note(real.at, near("the path of the request alone: it goes to the server itself"));
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut keys = vec![entry("path", word(format!("{slash}{}", names::encoded(path))))];
        let host = self.options.get("virtualhost").and_then(names::host);
        if host.is_none() {
            self.options.note("virtualhost", none("this cannot be a host"), ledger);
        }
        keys.extend(host.map(|host| entry("host", word(host))));
        let head = self.options.get("httpmethod") == Some("HEAD");
        if head {
            keys.push(entry("method", word("HEAD")));
        }
        keys.extend(self.regex(real, ledger).filter(|_| !head).map(|body| entry("body", body)));
        if service == "https" {
            keys.push(entry("tls", mapping([entry("verify", Yaml::Flag(false))])));
        }
        check(service, service, mapping(keys), pace)
    }

    fn dns(&self, real: &Real, pace: Pace, ledger: &mut Ledger) -> Check {
        let name = self.text(real.request.as_ref(), "request").and_then(names::domain).unwrap_or(".");
        let mut keys = vec![entry("name", word(name))];
        if name == "." {
            keys.push(entry("type", word("NS")));
        }
        if let Some(answer) = self.text(real.receive.as_ref(), "receive") {
            if answer.parse::<std::net::Ipv4Addr>().is_ok() {
                keys.push(entry("answer", word(answer)));
            } else {
                self.options.note(
                    "receive",
                    near("any answer without an error: no expression looks into it"),
                    ledger,
                );
            }
        }
        if !self.udp {
            keys.push(entry("protocol", word("tcp")));
        }
        check("dns", "dns", mapping(keys), pace)
    }

    fn simple(&self, real: &Real, pace: Pace, ledger: &mut Ledger) -> Check {
        let Some(expect) = self.regex(real, ledger) else { return bare("tcp", "tcp", pace) };
        let send = self.text(real.request.as_ref(), "request").map(|text| text.replace("\\n", "\n"));
        let send = send.map(|text| entry("send", word(text)));
        check("text", "tcp", mapping(send.into_iter().chain([entry("expect", expect)])), pace)
    }

    /// The server knows the user; no query is made. A name of more than `longest` bytes is none that a server knows.
    fn login(&self, kind: &str, longest: usize, pace: Pace, ledger: &mut Ledger) -> Check {
        let mut named = |key: &'static str| {
            let name = self.options.get(key)?;
            if name.len() > longest || name.contains(char::is_control) {
                self.options.note(
                    key,
                    none(format!("a name has {longest} bytes at most, and no control characters")),
                    ledger,
                );
                return None;
            }
            Some(name)
        };
        let user = named("login").unwrap_or("check");
        let mut keys = vec![entry("user", word(user))];
        if kind == "postgresql" {
            keys.extend(named("database").map(|name| entry("database", word(name))));
        }
        check(kind, "tcp", mapping([entry(kind, mapping(keys))]), pace)
    }
}

fn hex(digits: &str) -> Yaml {
    mapping([entry("hex", word(digits))])
}
