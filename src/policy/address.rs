//! Addresses, endpoints and virtual services as text: `192.0.2.1:80`, `tcp://[2001:db8::1]:443`, `10.0.0.1-10.0.0.9`.
//!
//! Only the form is checked here. Whether an address makes sense where it stands is [`super::validate`]'s matter.

use crate::model::{Family, Protocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// Addresses of one range at most.
pub(super) const MAX_RANGE_ADDRESSES: u32 = 1024;

/// Why a text is no address, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) message: String,
    pub(super) help: String,
    pub(super) kind: Kind,
}

/// Which diagnostic a malformed text gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Address,
    PortMissing,
    RangeTooLarge,
}

fn malformed(message: impl Into<String>, help: impl Into<String>) -> Malformed {
    Malformed { message: message.into(), help: help.into(), kind: Kind::Address }
}

/// Addresses from `first` to `last`, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressRange {
    pub(super) first: IpAddr,
    pub(super) last: IpAddr,
}

impl AddressRange {
    /// Every address of the range, in ascending order.
    pub(super) fn addresses(self) -> Box<dyn Iterator<Item = IpAddr>> {
        match (self.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                Box::new((first.to_bits()..=last.to_bits()).map(|bits| Ipv4Addr::from_bits(bits).into()))
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                Box::new((first.to_bits()..=last.to_bits()).map(|bits| Ipv6Addr::from_bits(bits).into()))
            }
            _ => Box::new(std::iter::empty()),
        }
    }
}

/// What a virtual service's text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServicePattern {
    /// Each address with each port.
    Addresses {
        protocol: Protocol,
        range: AddressRange,
        ports: Vec<RangeInclusive<u16>>,
    },
    Mark {
        family: Family,
        mark: u32,
    },
}

/// An address with a port or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
}

/// One address, brackets allowed around IPv6.
pub(super) fn parse_address(text: &str) -> Result<IpAddr, Malformed> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    inner.parse().map_err(|_| malformed(format!("`{text}` is not an IP address"), address_help(inner)))
}

fn address_help(text: &str) -> String {
    if text.matches(':').count() > 1 {
        let (address, port) = text.rsplit_once(':').unwrap_or((text, "80"));
        match address.parse::<Ipv6Addr>() {
            Ok(_) => format!("a port goes behind brackets, and brackets need quotes: \"[{address}]:{port}\""),
            Err(_) => {
                "an IPv6 address has 8 groups of up to four hexadecimal digits, or `::` once".to_owned()
            }
        }
    } else if text.contains(|character: char| character.is_ascii_alphabetic()) {
        "write the address: names are not resolved, so that a policy means the same whatever DNS says"
            .to_owned()
    } else {
        "an IPv4 address is four numbers from 0 to 255, such as 192.168.101.110".to_owned()
    }
}

/// `ADDRESS` or `ADDRESS:PORT`; IPv6 with a port has brackets.
pub(super) fn parse_endpoint(text: &str) -> Result<Endpoint, Malformed> {
    let (address, port) = split_port(text)?;
    Ok(Endpoint { address: parse_address(address)?, port: port.map(|port| parse_port(port, 1)).transpose()? })
}

/// `FIRST` or `FIRST-LAST`.
pub(super) fn parse_range(text: &str) -> Result<AddressRange, Malformed> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let (first, last) = inner.split_once('-').unwrap_or((inner, inner));
    let trim = |part: &str| part.trim().trim_start_matches('[').trim_end_matches(']').to_owned();
    let range = AddressRange { first: parse_address(&trim(first))?, last: parse_address(&trim(last))? };
    bounded(range, text)
}

fn bounded(range: AddressRange, text: &str) -> Result<AddressRange, Malformed> {
    let steps = match (range.first, range.last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            u128::from(last.to_bits()).checked_sub(u128::from(first.to_bits()))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => last.to_bits().checked_sub(first.to_bits()),
        _ => {
            return Err(malformed(
                format!("the ends of the range `{text}` are of different families"),
                "write one range a family",
            ));
        }
    };
    match steps {
        None => Err(malformed(
            format!("the range `{text}` ends before it begins"),
            format!("write {}-{}", range.last, range.first),
        )),
        Some(steps) if steps >= u128::from(MAX_RANGE_ADDRESSES) => Err(Malformed {
            message: format!("the range `{text}` holds more than {MAX_RANGE_ADDRESSES} addresses"),
            help: "write several smaller ranges, or match the traffic in nftables and use fwmark://"
                .to_owned(),
            kind: Kind::RangeTooLarge,
        }),
        Some(_) => Ok(range),
    }
}

/// Splits off `:PORT`, where it is one.
fn split_port(text: &str) -> Result<(&str, Option<&str>), Malformed> {
    if text.starts_with('[') {
        let close = text.rfind(']').ok_or_else(|| {
            malformed(format!("`{text}` has no closing bracket"), "write \"[ADDRESS]:PORT\"")
        })?;
        let (address, rest) = text.split_at(close + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((address, Some(port))),
            None if rest.is_empty() => Ok((address, None)),
            None => Err(malformed(
                format!("`{rest}` behind the brackets of `{text}` is no port"),
                "write \"[ADDRESS]:PORT\"",
            )),
        };
    }
    match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => Ok((address, Some(port))),
        _ => Ok((text, None)),
    }
}

/// `HOST` or `HOST:PORT`: a name or an address, without its brackets, and the port where one is said.
pub(super) fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match parse_address(text) {
        Ok(address) => (address.to_string(), None),
        Err(_) => {
            let (host, port) = split_port(text).ok()?;
            let host = parse_address(host).map_or_else(|_| host.to_owned(), |address| address.to_string());
            (host, port)
        }
    };
    let port = port.map(|port| parse_port(port, 1)).transpose().ok()?;
    let is_name = |text: &str| {
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        (1..=253).contains(&text.len()) && text.bytes().all(byte)
    };
    (host.parse::<IpAddr>().is_ok() || is_name(&host)).then_some((host, port))
}

fn parse_port(text: &str, least: u16) -> Result<u16, Malformed> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port >= least);
    port.ok_or_else(|| {
        malformed(
            format!("`{text}` is not a port"),
            format!("a port is a whole number from {least} to 65535"),
        )
    })
}

/// `80` or `8000-8010`; 0 is every port.
pub(super) fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, Malformed> {
    let Some((first, last)) = text.split_once('-') else {
        return parse_port(text, 0).map(|port| port..=port);
    };
    let (first, last) = (parse_port(first.trim(), 1)?, parse_port(last.trim(), 1)?);
    if first > last {
        return Err(malformed(
            format!("the range of ports `{text}` ends before it begins"),
            format!("write {last}-{first}"),
        ));
    }
    Ok(first..=last)
}

/// `tcp://ADDRESS:PORT`, also with a range of addresses; `fwmark://MARK`, `fwmark6://MARK`.
pub(super) fn parse_service(text: &str) -> Result<ServicePattern, Malformed> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let guess = if parse_endpoint(text).is_ok() { text } else { "192.168.101.100:80" };
        return Err(malformed(format!("`{text}` does not say its protocol"), format!("write tcp://{guess}")));
    };
    let protocol = match scheme {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        "fwmark" => return parse_mark(rest).map(|mark| ServicePattern::Mark { family: Family::Ipv4, mark }),
        "fwmark6" => return parse_mark(rest).map(|mark| ServicePattern::Mark { family: Family::Ipv6, mark }),
        other => return Err(unknown_scheme(other, rest)),
    };
    let (addresses, port) = split_port(rest)?;
    let range = parse_range(addresses)?;
    let Some(port) = port else { return Err(port_missing(scheme, rest)) };
    let port = parse_port(port, 0)?;
    Ok(ServicePattern::Addresses { protocol, range, ports: vec![port..=port] })
}

fn unknown_scheme(scheme: &str, rest: &str) -> Malformed {
    let help = match scheme {
        "http" | "https" => format!("the director forwards packets, whatever they carry: write tcp://{rest}"),
        _ => "write tcp://, udp://, sctp://, fwmark:// or fwmark6://".to_owned(),
    };
    malformed(format!("`{scheme}` is not a protocol that a virtual service can have"), help)
}

fn port_missing(scheme: &str, rest: &str) -> Malformed {
    let bare = rest.trim_start_matches('[').trim_end_matches(']');
    let lookalike = bare
        .rsplit_once(':')
        .filter(|(address, port)| address.parse::<Ipv6Addr>().is_ok() && port.parse::<u16>().is_ok());
    let help = match lookalike {
        Some((address, port)) => format!("if {port} is the port, write \"{scheme}://[{address}]:{port}\""),
        None if bare.contains(':') => format!("write \"{scheme}://[{bare}]:80\", or port 0 for every port"),
        None => format!("write {scheme}://{bare}:80, or port 0 for every port"),
    };
    Malformed {
        message: format!("the virtual service `{scheme}://{rest}` does not say its port"),
        help,
        kind: Kind::PortMissing,
    }
}

/// A firewall mark, decimal or hexadecimal with `0x`, not 0.
pub(super) fn parse_mark(text: &str) -> Result<u32, Malformed> {
    let mark = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')),
        None => text.parse().ok().filter(|_| !text.starts_with('+')),
    };
    mark.filter(|mark| *mark != 0).ok_or_else(|| {
        malformed(
            format!("`{text}` is not a firewall mark"),
            "a mark is a whole number from 1 to 4294967295, or hexadecimal with 0x",
        )
    })
}

/// Whether the last group of an IPv6 address, written without brackets, was probably meant as a port: it has only decimal
/// digits, and something stands between it and `::`. Returns the address and the port that were meant.
pub(super) fn port_lookalike(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('[') || text.parse::<Ipv6Addr>().is_err() {
        return None;
    }
    let (address, port) = text.rsplit_once(':')?;
    let decimal = port.len() >= 2 && port.bytes().all(|byte| byte.is_ascii_digit());
    let (_, tail) = address.split_once("::")?;
    (decimal && !tail.is_empty() && address.parse::<Ipv6Addr>().is_ok()).then_some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn endpoint(text: &str) -> (String, Option<u16>) {
        let endpoint = parse_endpoint(text).expect("an endpoint");
        (endpoint.address.to_string(), endpoint.port)
    }

    #[test]
    fn endpoints_have_a_port_or_none() {
        assert_eq!(endpoint("192.0.2.1:80"), ("192.0.2.1".to_owned(), Some(80)));
        assert_eq!(endpoint("192.0.2.1"), ("192.0.2.1".to_owned(), None));
        assert_eq!(endpoint("[2001:db8::1]:80"), ("2001:db8::1".to_owned(), Some(80)));
        assert_eq!(endpoint("2001:db8::1"), ("2001:db8::1".to_owned(), None));
        assert!(parse_endpoint("192.0.2.1:0").is_err());
        assert!(parse_endpoint("192.0.2.1:+80").is_err());
        assert!(parse_endpoint("[2001:db8::1]80").is_err());
        assert!(parse_endpoint("web1.example.com:80").is_err());
    }

    #[test]
    fn services_may_be_ranges_and_marks() {
        let service = parse_service("tcp://192.0.2.1-192.0.2.3:80").expect("a service");
        let ServicePattern::Addresses { range, ports, .. } = service else { panic!("not a mark") };
        assert_eq!(range.addresses().count(), 3);
        assert_eq!(ports, vec![80..=80]);
        let long = parse_service("udp://[2001:db8::1]-[2001:db8::4]:53").expect("a service");
        assert!(matches!(long, ServicePattern::Addresses { range, .. } if range.addresses().count() == 4));
        assert_eq!(
            parse_service("fwmark6://0x10"),
            Ok(ServicePattern::Mark { family: Family::Ipv6, mark: 16 })
        );
        assert!(parse_service("fwmark://0").is_err());
        assert_eq!(parse_service("tcp://192.0.2.1").map_err(|error| error.kind), Err(Kind::PortMissing));
        assert_eq!(
            parse_service("tcp://10.0.0.0-10.255.0.0:80").map_err(|error| error.kind),
            Err(Kind::RangeTooLarge)
        );
    }

    #[test]
    fn a_group_that_looks_like_a_port_is_seen() {
        assert_eq!(port_lookalike("2001:db8::1:80"), Some(("2001:db8::1", "80")));
        assert_eq!(port_lookalike("2001:db8::80"), None);
        assert_eq!(port_lookalike("2001:db8:0:0:0:0:1:80"), None);
        assert_eq!(port_lookalike("2001:db8::1:8f"), None);
    }
}
