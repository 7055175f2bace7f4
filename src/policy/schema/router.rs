//! Virtual routers as they are written.

use super::{InterfaceText, PrefixedAddressText, SecretText};
use crate::policy::declare::{mapping, words};
use crate::policy::diagnostic::Problems;
use crate::policy::node::Node;
use crate::policy::read::{List, Named, OneOrMore, Read};
use crate::policy::scalar::{Change, Flag, Number, Text, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// An hour, in milliseconds: the bound of a router's waits.
const HOUR_MS: u64 = 3_600_000;
/// A day, in milliseconds.
const DAY_MS: u64 = 24 * HOUR_MS;

/// Version of the protocol.
pub(in crate::policy) type Version = Number<2, 3>;
/// Priority of a director.
pub(in crate::policy) type Priority = Number<1, 255>;
/// Bounds of an advertisement interval of any version, in milliseconds; each version has closer ones.
pub(in crate::policy) type AdvertisementInterval = Time<10, 255_000>;

mapping! {
    /// A VRID on one interface, and the addresses that its Master holds.
    VirtualRouterText = "a virtual router" {
        /// The interface on which the election is held, and which gets the addresses.
        required interface: InterfaceText,
        /// Number of the router on its network, 1 to 255.
        required vrid: Number<1, 255>,
        /// The directors, most preferred first: they get the priorities 200, 190, 180 and so on. By default, unless `priority`
        /// is said: as another router of its sync group, else as `directors` are listed.
        optional prefer: List<Text>,
        /// The priority of each director, 10 to 254; 255 for the one whose own address this is.
        optional priority: Named<Priority>,
        /// Addresses with the length of their network's prefix. Both families are allowed: the IPv4 and the IPv6 addresses move
        /// together. The link-local address that IPv6 needs is added where none is said.
        required virtual_addresses: OneOrMore<PrefixedAddressText>,
        /// Version of VRRP that is sent: 3 (default), or 2 (IPv4 only).
        optional version: Version,
        /// Versions that are listened to, by default that of `version` alone; [2, 3] for a change-over.
        optional accept_versions: List<Version>,
        /// From one advertisement to the next: by default 100ms with version 3 (10ms to 40950ms in steps of 10ms), 1s with
        /// version 2 (whole seconds).
        optional advertisement_interval: AdvertisementInterval,
        /// How advertisements travel: `multicast` (default), or `unicast` to the other directors' addresses.
        optional transport: TransportWord,
        /// Whether a preferred director takes the addresses back: true (default), false, or {after: 30s}.
        optional preempt: PreemptText,
        /// How long after its start a director stays out of the election, by default 0s.
        optional start_delay: Time<0, HOUR_MS>,
        /// Whether the addresses have the router's own MAC address instead of the interface's, by default false.
        optional virtual_mac: Flag,
        /// How a new Master tells its neighbours.
        optional garp: GarpText,
        /// What the router's fitness follows.
        optional track: List<TrackerText>,
        /// Further interfaces on which the other directors are heard.
        optional heartbeat: OneOrMore<InterfaceText>,
        /// Checksum of version 3 over IPv4: `rfc9568` (default), or `rfc5798` as keepalived makes it; both are accepted.
        optional checksum: ChecksumReadingWord,
        /// How advertisements prove where they come from.
        optional authentication: AuthenticationText,
        /// A program that is run when this director is about to become Master, before it holds the addresses.
        optional before_master: HookText,
    }
    later {}
}

words! {
    /// How advertisements travel.
    TransportWord { "multicast" => Multicast, "unicast" => Unicast }
    later {}
}

words! {
    /// Checksum of version 3 over IPv4.
    ChecksumReadingWord { "rfc9568" => Rfc9568, "rfc5798" => Rfc5798 }
    later {}
}

mapping! {
    /// A preferred director waits before it takes the addresses back.
    PreemptAfter = "`preempt`" {
        /// How long it hears a Master of lower priority first, up to a day.
        required after: Time<0, DAY_MS>,
    }
    later {}
}

/// Whether a preferred director takes the addresses back.
#[derive(Clone, Debug)]
pub(in crate::policy) enum PreemptText {
    Flag(Flag),
    After(Box<PreemptAfter>),
}

impl Read for PreemptText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.entries().is_none() {
            return Flag::read(node, problems).map(Self::Flag);
        }
        PreemptAfter::read(node, problems).map(Box::new).map(Self::After)
    }
}

impl JsonSchema for PreemptText {
    fn schema_name() -> Cow<'static, str> {
        "Preempt".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<Flag>(), generator.subschema_for::<PreemptAfter>()]})
    }
}

mapping! {
    /// How a new Master tells its neighbours: gratuitous ARP, unsolicited neighbour advertisements.
    GarpText = "`garp`" {
        /// Announcements of each address in one burst, 1 to 100, by default 5.
        optional repeat: Number<1, 100>,
        /// From the first burst to the second, by default 5s; 0s for no second burst.
        optional delay: Time<0, HOUR_MS>,
        /// Announcements of each address when a Master of lower priority was heard, 0 to 100, by default 5.
        optional lower_priority_repeat: Number<0, 100>,
        /// From one refresh to the next, by default 0s: never.
        optional refresh: Time<0, DAY_MS>,
        /// Announcements of each address in a refresh, 1 to 100, by default 1.
        optional refresh_repeat: Number<1, 100>,
        /// Least time between two announcements on one interface, by default 0s: as fast as they go.
        optional interval: Time<0, 10_000>,
    }
    later {}
}

mapping! {
    /// Something that a router's fitness follows: one of `interface`, `check`, `pool`, `process`, `file`.
    TrackerText = "a tracker" {
        /// Good while this interface is up and has carrier.
        optional interface: InterfaceText,
        /// Good while this check under `checks`, which says its own address and port, succeeds.
        optional check: Text,
        /// Good while this pool serves.
        optional pool: Text,
        /// Good while a process of this name runs, at most 15 bytes as the kernel keeps them.
        optional process: Text,
        /// Good while this file exists and does not begin with a negative number.
        optional file: Text,
        /// Added to the priority while it is bad, -253 to 253; by default a failure is Fault.
        optional priority_change: Change<-253, 253>,
    }
    later {}
}

mapping! {
    /// How advertisements prove where they come from: `mode` and `keys`, or `v2_password`.
    AuthenticationText = "`authentication`" {
        /// The step of the roll-out: `receive` sends without and accepts both, `permissive` sends with and accepts both,
        /// `enforce` accepts nothing without.
        optional mode: AuthenticationModeWord,
        /// Keys of HMAC-SHA256: the first signs, all are accepted.
        optional keys: List<AuthenticationKeyText>,
        /// The simple password of version 2, at most 8 bytes, which everybody on the network can read: for living beside
        /// keepalived while migrating.
        optional v2_password: SecretText,
    }
    later {}
}

words! {
    /// The step of the roll-out.
    AuthenticationModeWord { "receive" => Receive, "permissive" => Permissive, "enforce" => Enforce }
    later {}
}

mapping! {
    /// A key and where it is: in a file, or a systemd credential.
    AuthenticationKeyText = "a key" {
        /// Number of the key in advertisements, 1 to 255.
        required id: Number<1, 255>,
        /// A file, relative to the policy file that names it.
        optional file: Text,
        /// Name of a systemd credential.
        optional credential: Text,
    }
    later {}
}

mapping! {
    /// A program that is run at a decision.
    HookText = "a hook" {
        /// The program, with its whole path, and its arguments.
        required exec: List<Text>,
        /// How long it may take, 10ms to 10s, by default 500ms; then the decision goes on without it.
        optional timeout: Time<10, 10_000>,
    }
    later {}
}
