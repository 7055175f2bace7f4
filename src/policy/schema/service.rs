//! Addresses and virtual services as they are written.

use crate::model::Protocol;
use crate::policy::address::{self, AddressRange, Endpoint, Kind, Malformed, ServicePattern};
use crate::policy::codes::Code;
use crate::policy::declare::{mapping, words};
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::node::Node;
use crate::policy::read::{OneOrMore, Read};
use crate::policy::scalar::Text;
use crate::policy::source::Span;
use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// Characters of an address, service or range at most; the longest legal one has about 100.
const MAX_ADDRESS_CHARACTERS: usize = 200;

/// The text of an address, or a report that there is none.
fn address_text(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = Text::read(node, problems)?.0;
    if text.len() <= MAX_ADDRESS_CHARACTERS {
        return Some(text);
    }
    let message = format!("{} is too long for an address", quoted(&text));
    problems
        .push(Diagnostic::new(Code::BadAddress, node.span, message).help("write one address a list item"));
    None
}

/// The diagnostic of a text that is no address.
fn refused(malformed: Malformed, span: Span) -> Diagnostic {
    let code = match malformed.kind {
        Kind::Address => Code::BadAddress,
        Kind::PortMissing => Code::PortMissing,
        Kind::RangeTooLarge => Code::RangeTooLarge,
    };
    Diagnostic::new(code, span, malformed.message).help(malformed.help)
}

/// Declares a leaf that is read from text by a function of [`address`].
macro_rules! address_leaf {
    ($(#[doc = $about:literal])+ $name:ident($type:ty) by $parse:path, $example:literal) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub(in crate::policy) struct $name(pub(in crate::policy) $type);

        impl Read for $name {
            fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
                let text = address_text(node, problems)?;
                match $parse(&text) {
                    Ok(value) => Some(Self(value)),
                    Err(malformed) => {
                        problems.push(refused(malformed, node.span));
                        None
                    }
                }
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": ["string", "integer"], "examples": [$example]})
            }
        }
    };
}

address_leaf! {
    /// An IP address.
    AddressText(IpAddr) by address::parse_address, "192.168.101.110"
}

address_leaf! {
    /// An IP address, with a port or without.
    EndpointText(Endpoint) by address::parse_endpoint, "192.168.101.110:8080"
}

address_leaf! {
    /// An address, or the first and the last of a range.
    RangeText(AddressRange) by address::parse_range, "10.20.0.20-10.20.0.23"
}

address_leaf! {
    /// An address with the length of its network's prefix.
    PrefixedAddressText(IpNet) by parse_prefixed, "192.168.101.100/24"
}

address_leaf! {
    /// A port, or the first and the last of a range; 0 is every port.
    PortsText(RangeInclusive<u16>) by address::parse_ports, "8000-8010"
}

address_leaf! {
    /// A firewall mark.
    MarkText(u32) by address::parse_mark, "0x10"
}

address_leaf! {
    /// A virtual service in one line.
    ServiceLine(ServicePattern) by address::parse_service, "tcp://192.168.101.100:80"
}

fn parse_prefixed(text: &str) -> Result<IpNet, Malformed> {
    let malformed = |message: String, help: String| Malformed { message, help, kind: Kind::Address };
    let Some((address, length)) = text.split_once('/') else {
        let address = address::parse_address(text)?;
        let length = if address.is_ipv4() { 24 } else { 64 };
        let message = format!("`{text}` does not say the length of its network's prefix");
        return Err(malformed(message, format!("write {text}/{length}, as `ip address add` wants it")));
    };
    let address = address::parse_address(address)?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.parse().ok().and_then(|length| IpNet::new(address, length).ok());
    length.ok_or_else(|| {
        malformed(
            format!("the prefix length of `{text}` is not between 0 and {most}"),
            format!("write {address}/{most} for the address alone"),
        )
    })
}

words! {
    /// Transport protocol of a virtual service.
    ProtocolWord { "tcp" => Tcp, "udp" => Udp, "sctp" => Sctp }
    later {}
}

impl From<ProtocolWord> for Protocol {
    fn from(word: ProtocolWord) -> Self {
        match word {
            ProtocolWord::Tcp => Self::Tcp,
            ProtocolWord::Udp => Self::Udp,
            ProtocolWord::Sctp => Self::Sctp,
        }
    }
}

mapping! {
    /// Virtual services of one protocol: each address with each port.
    ServiceMapping = "a virtual service" {
        /// tcp, udp or sctp.
        required protocol: ProtocolWord,
        /// The VIP, or a range of them.
        required address: RangeText,
        /// Ports and ranges of ports; 0 is every port.
        required ports: OneOrMore<PortsText>,
    }
    later { router }
}

/// A virtual service, or several of one pattern.
#[derive(Clone, Debug)]
pub(in crate::policy) struct ServiceText(pub(in crate::policy) ServicePattern);

impl Read for ServiceText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.entries().is_none() {
            return ServiceLine::read(node, problems).map(|line| Self(line.0));
        }
        let mapping = ServiceMapping::read(node, problems)?;
        let protocol = (*mapping.protocol.value()?).into();
        let ports = mapping.ports.value()?.0.iter().map(|ports| ports.value.0.clone()).collect();
        let range = mapping.address.value()?.0;
        Some(Self(ServicePattern::Addresses { protocol, range, ports }))
    }
}

impl JsonSchema for ServiceText {
    fn schema_name() -> Cow<'static, str> {
        "Service".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What clients reach: tcp://, udp:// or sctp:// with VIP and port, fwmark:// or fwmark6:// with a mark.",
            "anyOf": [
                {"type": "string", "pattern": "^((tcp|udp|sctp)://.+:[0-9]+|fwmark6?://[0-9a-fA-Fx]+)$"},
                generator.subschema_for::<ServiceMapping>(),
            ],
        })
    }
}
