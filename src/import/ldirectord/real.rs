//! `real = ADDRESS[->ADDRESS][:PORT] METHOD [WEIGHT] ["REQUEST", "RECEIVE"] [<l:N>] [<u:N>]`.

use crate::import::site::Forwarding;
use crate::import::verdict::{Judged, Origin, none};
use std::net::{IpAddr, Ipv4Addr};

/// Servers of one range at most.
const MOST_OF_A_RANGE: u32 = 256;
const MOST_WEIGHT: u32 = 65_535;
/// Ports by the names that such files have for them.
const PORTS: [(&str, u16); 16] = [
    ("ftp", 21),
    ("ssh", 22),
    ("smtp", 25),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("nntp", 119),
    ("imap", 143),
    ("imap2", 143),
    ("ldap", 389),
    ("https", 443),
    ("submission", 587),
    ("ldaps", 636),
    ("imaps", 993),
    ("pop3s", 995),
    ("mysql", 3306),
];

/// A real server.
#[derive(Clone, Debug)]
pub(super) struct Real {
    pub(super) at: Origin,
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) forwarding: Forwarding,
    pub(super) weight: u32,
    pub(super) request: Option<String>,
    pub(super) receive: Option<String>,
    pub(super) upper: Option<u32>,
    pub(super) lower: Option<u32>,
}

pub(super) fn method(word: &str) -> Option<Forwarding> {
    match word {
        "gate" => Some(Forwarding::Dr),
        "masq" => Some(Forwarding::Nat),
        "ipip" => Some(Forwarding::Tun("ipip", None, None)),
        _ => None,
    }
}

/// `ADDRESS` or `ADDRESS:PORT`, IPv6 in brackets.
pub(super) fn endpoint(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some((address, None));
    }
    let (address, port) = text.rsplit_once(':')?;
    let named = PORTS.iter().find(|(name, _)| *name == port).map(|(_, port)| *port);
    let port: u16 = named.or_else(|| port.parse().ok())?;
    let address = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some((address, Some(port).filter(|port| *port > 0)))
}

/// The servers of a line: several where it says a range.
pub(super) fn read(text: &str, at: Origin) -> Result<Vec<Real>, Judged> {
    let (before, quoted) = text.find('"').map_or((text, ""), |quote| text.split_at(quote));
    let mut words = before.split_whitespace();
    let (first, port, last) = range(words.next().unwrap_or_default())?;
    let forwarding = words.next().and_then(method).ok_or_else(|| none("the method is gate, masq or ipip"))?;
    let mut texts = quoted.split('"').skip(1).step_by(2).map(str::to_owned);
    let limit = |sign: &str| {
        let of = text.split(['<', '>']).find_map(|part| part.trim().strip_prefix(sign));
        of.and_then(|number| number.trim().parse().ok())
    };
    let weight = words.next().and_then(|weight| weight.parse::<u32>().ok()).unwrap_or(1).min(MOST_WEIGHT);
    let one = Real {
        at,
        address: first,
        port,
        forwarding,
        weight,
        request: texts.next(),
        receive: texts.next(),
        upper: limit("u:"),
        lower: limit("l:"),
    };
    let addresses = match (first, last) {
        (IpAddr::V4(first), Some(IpAddr::V4(last))) => {
            let count = last.to_bits().checked_sub(first.to_bits()).filter(|count| *count < MOST_OF_A_RANGE);
            let count = count.ok_or_else(|| none("this range ends before it begins, or is too long"))?;
            (0..=count).map(|step| IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() + step))).collect()
        }
        _ => vec![first],
    };
    Ok(addresses.into_iter().map(|address| Real { address, ..one.clone() }).collect())
}

type Range = (IpAddr, Option<u16>, Option<IpAddr>);

fn range(text: &str) -> Result<Range, Judged> {
    let by_name = || none("a server is named by its address: names are not resolved");
    let Some((first, rest)) = text.split_once("->") else {
        let (address, port) = endpoint(text).ok_or_else(by_name)?;
        return Ok((address, port, None));
    };
    let (last, port) = endpoint(rest).ok_or_else(by_name)?;
    Ok((first.parse().map_err(|_| by_name())?, port, Some(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_address_method_weight_texts_and_limits() {
        let at = Origin { file: 0, line: 1 };
        let reals =
            read("10.0.0.1->10.0.0.3:http masq 5 \"index.html\", \"Test\" <u:100>", at).expect("a line");
        let one = &reals[2];
        assert_eq!((one.address.to_string().as_str(), one.port, one.weight), ("10.0.0.3", Some(80), 5));
        assert_eq!((one.request.as_deref(), one.receive.as_deref()), (Some("index.html"), Some("Test")));
        assert_eq!((one.upper, one.lower), (Some(100), None));
        assert!(read("web1:80 gate", at).is_err() && read("10.0.0.1:80", at).is_err());
    }
}
