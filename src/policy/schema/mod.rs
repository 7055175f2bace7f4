//! The mirror of the policy file: every section as it is written, with places.
//!
//! Deliberately no meaning: references, defaults and the rules of the modes are [`super::validate`]'s. The doc comment of a
//! key is also what an editor shows for it.

mod api;
mod check;
mod condition;
mod dns;
mod event_hook;
mod exchange;
mod forwarding;
mod http;
mod pace;
mod pair;
mod pool;
mod rotation;
mod router;
mod server;
mod service;
mod tls;
mod weight_from;

pub(super) use api::*;
pub(super) use check::*;
pub(super) use condition::*;
pub(super) use dns::*;
pub(super) use event_hook::*;
pub(super) use exchange::*;
pub(super) use forwarding::*;
pub(super) use http::*;
pub(super) use pace::*;
pub(super) use pair::*;
pub(super) use pool::*;
pub(super) use rotation::*;
pub(super) use router::*;
pub(super) use server::*;
pub(super) use service::*;
pub(super) use tls::*;
pub(super) use weight_from::*;

use super::codes::Code;
use super::declare::{mapping, words};
use super::diagnostic::{Diagnostic, Problems, quoted};
use super::node::{Key, Node};
use super::read::{List, Named, Read, Spanned, entries_of};
use super::scalar::{Flag, Number, Seconds, Text};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// The kernel's bound of a time-out, as `ipvsadm` has it: 31 days.
pub(super) const MAX_KERNEL_SECONDS: u32 = 31 * 86_400;

mapping! {
    /// What one director shall do.
    PolicyText = "the policy" {
        /// Version of this format: 1.
        required policy_version: Number<0, 999_999>,
        /// More files with any of the sections, relative to this one; patterns such as `pools.d/*.yaml` are allowed.
        optional include: List<Text>,
        /// The machines that run this policy, by their host names (short or full).
        optional directors: Named<DirectorText>,
        /// The addresses that float between the directors, by the name of the router that holds them.
        optional virtual_routers: Named<VirtualRouterText>,
        /// Routers that move together.
        optional sync_groups: Named<SyncGroupText>,
        /// The kernel's connection synchronisation, so that connections live on when a router moves.
        optional connection_sync: ConnectionSyncText,
        /// The channel between the directors, at each one's own address.
        optional peer: PeerText,
        /// Checks by name, so that pools share them.
        optional checks: Named<CheckText>,
        /// Hosts by the name of their set, used by many pools.
        optional server_sets: Named<List<ServerText>>,
        /// What holds where nothing else is said.
        optional defaults: DefaultsText,
        /// Virtual services and the real servers behind them, by the name of the pool.
        optional pools: Named<PoolText>,
        /// What holds for the probes of all checks together.
        optional probes: ProbesText,
        /// Settings of the kernel's IPVS as a whole; what is not said here is left as it is.
        optional kernel: KernelText,
        /// The exporter of metrics.
        optional metrics: MetricsText,
        /// The API and the status page over TCP; without it they are at the control socket alone.
        optional api: ApiText,
        /// Addresses that this host holds while the director runs.
        optional virtual_addresses: List<VirtualAddressText>,
        /// What is run or called when something happens: a role changes, a server or pool goes down or up, a reload is refused.
        optional on_event: List<EventHookText>,
        /// What a stopped director leaves: `keep` (default), the table goes on serving; `remove`, everything of ours goes.
        optional on_stop: OnStopWord,
    }
    later {}
}

mapping! {
    /// What holds where nothing else is said.
    DefaultsText = "`defaults`" {
        /// For every pool: a key that the pool says itself replaces the whole value here.
        optional pool: DefaultPoolText,
    }
    later {}
}

mapping! {
    /// What holds for the probes of all checks together.
    ProbesText = "`probes`" {
        /// Probes that start in a second at most, by default 20000; what is due beyond them waits, and is late.
        optional per_second: Number<1, 1_000_000>,
    }
    later {}
}

mapping! {
    /// Settings of the kernel's IPVS as a whole.
    KernelText = "`kernel`" {
        /// Idle times of connections.
        optional timeouts: TimeoutsText,
        /// Whether a connection ends at once when its real server has left the table (`net.ipv4.vs.expire_nodest_conn`); by default true.
        optional expire_nodest_conn: Flag,
        /// Whether a persistent client leaves a server of weight 0 (`net.ipv4.vs.expire_quiescent_template`); by default true
        /// where a pool with persistence quiesces its failed servers, else false, so that a drained server keeps its clients.
        optional expire_quiescent_template: Flag,
        /// Whether a SYN from a port that was used before is scheduled anew (`net.ipv4.vs.conn_reuse_mode`, 0 to 3); by default 1,
        /// and 0 (it goes to the same real server) where connections are tracked, with full-NAT, under Linux 5.16 or newer: with 1
        /// the kernel would drop it there first, and the client wait a second.
        optional conn_reuse_mode: Number<0, 3>,
    }
    later {}
}

mapping! {
    /// Idle times of connections, in whole seconds.
    TimeoutsText = "`kernel.timeouts`" {
        /// Of an established TCP connection.
        optional tcp: Seconds<MAX_KERNEL_SECONDS>,
        /// Of a TCP connection after a FIN was seen.
        optional tcp_fin: Seconds<MAX_KERNEL_SECONDS>,
        /// Of UDP.
        optional udp: Seconds<MAX_KERNEL_SECONDS>,
    }
    later {}
}

mapping! {
    /// The exporter of metrics.
    MetricsText = "`metrics`" {
        /// Address and port to listen on, by default 127.0.0.1:9752.
        optional listen: EndpointText,
        /// Whether families with a `server` label are shown, by default true; false keeps a very large site's series few.
        optional per_server: Flag,
    }
    later { tls }
}

mapping! {
    /// An address that this host holds while the director runs.
    VirtualAddressText = "a virtual address" {
        /// Address and length of its network's prefix, such as 192.168.101.100/24.
        required address: PrefixedAddressText,
        /// The interface that gets it.
        required interface: InterfaceText,
    }
    later { router, virtual_mac }
}

words! {
    /// What a stopped director leaves behind.
    OnStopWord { "keep" => Keep, "remove" => Remove }
    later {}
}

/// Texts by name: labels.
#[derive(Clone, Debug)]
pub(super) struct Texts(pub(super) Vec<(Key, Spanned<Text>)>);

impl Read for Texts {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let entries = entries_of(node, "a mapping of names to texts", problems)?;
        let read = |(key, value): &(Key, Node)| {
            Some((key.clone(), Spanned { value: Text::read(value, problems)?, span: value.span }))
        };
        Some(Self(entries.iter().filter_map(read).collect()))
    }
}

impl JsonSchema for Texts {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Texts".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": generator.subschema_for::<Text>()})
    }
}

/// Name of a network interface, as the kernel allows it: 1 to 15 bytes, no blank, no slash.
#[derive(Clone, Debug)]
pub(super) struct InterfaceText(pub(super) String);

/// Bytes of an interface's name at most (`IFNAMSIZ` without its terminator).
const MAX_INTERFACE_BYTES: usize = 15;

impl Read for InterfaceText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let name = Text::read(node, problems)?.0;
        let allowed = |character: char| !character.is_whitespace() && character != '/' && character != ':';
        if name.len() <= MAX_INTERFACE_BYTES && name.chars().all(allowed) && name != "." && name != ".." {
            return Some(Self(name));
        }
        let message = format!("{} cannot be the name of an interface", quoted(&name));
        problems.push(
            Diagnostic::new(Code::BadName, node.span, message)
                .help("write a name of `ip link`, at most 15 bytes"),
        );
        None
    }
}

impl JsonSchema for InterfaceText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Interface".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[^ /:]{1,15}$"})
    }
}
