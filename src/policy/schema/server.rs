//! Real servers as they are written.

use super::{CheckUse, EndpointText, ForwardingText};
use crate::policy::address::port_lookalike;
use crate::policy::codes::Code;
use crate::policy::declare::{mapping, missing_key};
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::node::Node;
use crate::policy::read::{Field, List, Read, Spanned};
use crate::policy::scalar::{Flag, Number, Port, Text};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// A weight of the kernel; 0 gets no new connection.
pub(in crate::policy) type Weight = Number<0, 65535>;

mapping! {
    /// A machine that answers.
    ServerMapping = "a real server" {
        /// Its name in metrics and commands, by default its address and port.
        optional name: Text,
        /// The RIP, with a port or without.
        optional address: EndpointText,
        /// The RIPs of a host with both families: each service takes that of its own.
        optional addresses: List<EndpointText>,
        /// Its port, by default that of the virtual service; DR and TUN cannot have another.
        optional port: Port,
        /// Its share of new connections, 0 to 65535, by default 1; 0 gets none.
        optional weight: Weight,
        /// Connection limits.
        optional thresholds: ThresholdsText,
        /// Its own check instead of the pool's.
        optional check: CheckUse,
        /// Its own forwarding method instead of the pool's.
        optional forwarding: ForwardingText,
        /// Serves only while the others are fewer than the quorum.
        optional backup: Flag,
    }
    later { slow_start, weight_from, drain }
}

/// The kernel refuses a larger one: it counts connections in an `int`.
const MAX_THRESHOLD: u32 = i32::MAX.unsigned_abs();

mapping! {
    /// Connection limits: at `upper` a server gets no new connection until it is below `lower` again.
    ThresholdsText = "`thresholds`" {
        /// Connections at which no new one comes.
        required upper: Number<1, MAX_THRESHOLD>,
        /// Connections below which new ones come again; by default the kernel takes three quarters of `upper`.
        optional lower: Number<0, MAX_THRESHOLD>,
    }
    later {}
}

/// A real server: `RIP`, `RIP:port`, or a mapping.
#[derive(Clone, Debug)]
pub(in crate::policy) struct ServerText {
    /// Never empty.
    pub(in crate::policy) endpoints: Vec<Spanned<EndpointText>>,
    pub(in crate::policy) options: Option<Box<ServerMapping>>,
}

impl Read for ServerText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.entries().is_none() {
            let endpoint = EndpointText::read(node, problems)?;
            lookalike(node, problems);
            return Some(Self {
                endpoints: vec![Spanned { value: endpoint, span: node.span }],
                options: None,
            });
        }
        let mapping = ServerMapping::read(node, problems)?;
        let mut endpoints: Vec<_> = mapping.address.given().into_iter().cloned().collect();
        if let Field::Given(list) = &mapping.addresses {
            endpoints.extend(list.value.0.iter().cloned());
        }
        if endpoints.is_empty() {
            if !problems.any_within(node.span) {
                problems.push(missing_key("address", "a real server", node.span));
            }
            return None;
        }
        if mapping.port.is_absent() {
            node.get("address").iter().for_each(|address| lookalike(address, problems));
        }
        Some(Self { endpoints, options: Some(Box::new(mapping)) })
    }
}

/// Warns of `2001:db8::1:80`, which is an address and not an address with a port.
fn lookalike(node: &Node, problems: &mut Problems) {
    let Some((text, (address, port))) = node.scalar().and_then(|text| Some((text, port_lookalike(text)?)))
    else {
        return;
    };
    let message = format!("{} is one IPv6 address: its last group `{port}` is no port", quoted(text));
    let help = format!(
        "if {port} is the port, write \"[{address}]:{port}\"; if not, write the address without `::`"
    );
    problems.push(Diagnostic::new(Code::Ipv6PortLookalike, node.span, message).help(help));
}

impl JsonSchema for ServerText {
    fn schema_name() -> Cow<'static, str> {
        "RealServer".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A machine that answers: its address, with a port or without, or a mapping.",
            "anyOf": [{"type": "string"}, generator.subschema_for::<ServerMapping>()],
        })
    }
}

mapping! {
    /// The hosts of a server set, with the port that they have in this pool.
    SetUse = "`real_servers`" {
        /// Name under `server_sets`.
        required set: Text,
        /// Their port, by default that of the virtual service; DR and TUN cannot have another.
        optional port: Port,
    }
    later {}
}

/// The real servers of a pool.
#[derive(Clone, Debug)]
pub(in crate::policy) enum ServersText {
    List(List<ServerText>),
    Set(Box<SetUse>),
}

impl Read for ServersText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.entries().is_some() {
            return SetUse::read(node, problems).map(|set| Self::Set(Box::new(set)));
        }
        List::read(node, problems).map(Self::List)
    }
}

impl JsonSchema for ServersText {
    fn schema_name() -> Cow<'static, str> {
        "RealServers".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A list of real servers, or {set: NAME, port: PORT}.",
            "anyOf": [generator.subschema_for::<List<ServerText>>(), generator.subschema_for::<SetUse>()],
        })
    }
}
