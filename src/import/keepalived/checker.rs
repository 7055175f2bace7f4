//! What virtual servers, real servers and checkers have in common: pace, and whom a checker asks.

use super::tree::Statement;
use super::value::{bad, mark, number, switch, time};
use crate::import::checks::{Pace, time as duration};
use crate::import::names;
use crate::import::site::Check;
use crate::import::verdict::Judged;
use crate::import::yaml::{entry, number as yaml_number, word};
use std::net::IpAddr;

/// `delay_loop` where nothing is said, in milliseconds.
const DELAY_LOOP: u64 = 60_000;
const CONNECT_TIMEOUT: u64 = 5_000;

/// What goes down from a virtual server to its real servers, and from these to their checkers.
#[derive(Clone, Debug, Default)]
pub(super) struct Inherited {
    pub(super) delay_loop: Option<u64>,
    retry: Option<u32>,
    delay_before_retry: Option<u64>,
    pub(super) connect_timeout: Option<u64>,
    pub(super) virtualhost: Option<String>,
    pub(super) alpha: bool,
}

/// What a kind of checker takes where nothing is said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub(super) retry: u32,
    /// `None`: as `delay_loop`.
    pub(super) delay_before_retry: Option<u64>,
}

impl Inherited {
    /// Takes a statement that is one of these; the outer `None`: it is none of them.
    pub(super) fn read(&mut self, inner: &Statement) -> Option<Option<Judged>> {
        Some(match inner.name() {
            "delay_loop" => read_into(&mut self.delay_loop, time(inner, 1), inner),
            "delay_before_retry" => read_into(&mut self.delay_before_retry, time(inner, 1), inner),
            "connect_timeout" => read_into(&mut self.connect_timeout, time(inner, 1), inner),
            "retry" | "nb_get_retry" => read_into(&mut self.retry, number(inner, 1), inner),
            "virtualhost" => {
                let host = inner.word(1).and_then(names::host).map(str::to_owned);
                read_into(&mut self.virtualhost, host, inner)
            }
            "alpha" => {
                self.alpha = switch(inner);
                None
            }
            _ => return None,
        })
    }

    pub(super) fn interval(&self) -> u64 {
        self.delay_loop.unwrap_or(DELAY_LOOP)
    }

    /// One success brings a server back, and one failure more than `retry` takes it out.
    pub(super) fn pace(&self, defaults: Defaults) -> Pace {
        let interval = self.interval();
        let fall = self.retry.unwrap_or(defaults.retry).saturating_add(1);
        let changing = self.delay_before_retry.or(defaults.delay_before_retry);
        Pace {
            interval,
            changing: changing.filter(|_| fall > 1),
            timeout: self.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
            rise: 1,
            fall,
        }
    }
}

/// Takes a value that can be read.
fn read_into<T>(field: &mut Option<T>, read: Option<T>, inner: &Statement) -> Option<Judged> {
    match read {
        Some(value) => {
            *field = Some(value);
            None
        }
        None => bad(inner),
    }
}

/// Whom a checker asks, and from where.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) port: Option<u16>,
    address: Option<IpAddr>,
    source: Option<IpAddr>,
    interface: Option<String>,
    mark: Option<u32>,
}

impl Target {
    /// Takes a statement that is one of these; the outer `None`: it is none of them.
    pub(super) fn read(&mut self, inner: &Statement) -> Option<Option<Judged>> {
        let taken = match inner.name() {
            "connect_port" => {
                self.port = number(inner, 1).filter(|port| *port > 0);
                self.port.is_some()
            }
            "connect_ip" => {
                self.address = inner.word(1).and_then(|address| address.parse().ok());
                self.address.is_some()
            }
            "bindto" => {
                self.source = inner.word(1).and_then(|address| address.parse().ok());
                self.source.is_some()
            }
            "bind_if" => {
                self.interface = inner.word(1).and_then(names::interface);
                self.interface.is_some()
            }
            "fwmark" => {
                self.mark = inner.word(1).and_then(mark);
                self.mark.is_some()
            }
            _ => return None,
        };
        Some(if taken { None } else { bad(inner) })
    }

    /// The check with whom it asks.
    pub(super) fn of(&self, check: Check) -> Check {
        let port = self.port.map(|port| entry("port", yaml_number(port)));
        let address = self.address.map(|address| entry("address", word(address)));
        let source = self.source.map(|source| entry("source", word(source)));
        let interface = self.interface.as_ref().map(|name| entry("interface", word(name)));
        let mark = self.mark.map(|mark| entry("mark", yaml_number(mark)));
        let keys = [port, address, source, interface, mark].into_iter().flatten();
        Check { port: self.port, ..check.with(keys) }
    }
}

/// The time of one thing as YAML, for checkers with a time-out of their own.
pub(super) fn timeout_of(check: Check, milliseconds: u64) -> Check {
    let keys = check.keys.into_iter().map(|key| match key.key.as_str() {
        "timeout" => entry("timeout", duration(milliseconds.clamp(10, 300_000))),
        _ => key,
    });
    Check { keys: keys.collect(), ..check }
}
