//! Directors, sync groups and what the directors share, as they are written.

use super::{AddressText, InterfaceText};
use crate::policy::codes::Code;
use crate::policy::declare::{mapping, words};
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::node::Node;
use crate::policy::read::{List, Read, entries_of};
use crate::policy::scalar::{Number, Port, Text};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// The sections that `directors.NAME` may say anew for one director. [`super::super::view`] merges them.
pub(in crate::policy) const DIFFERENCES: [&str; 7] =
    ["virtual_routers", "checks", "pools", "connection_sync", "metrics", "api", "peer"];

mapping! {
    /// One of the machines that run this policy. Beside its address: what differs on it from the common sections of the same
    /// names, merged into them key by key.
    DirectorText = "a director" {
        /// Its own address, at which the others reach it; for both families {ipv4: …, ipv6: …}.
        required address: DirectorAddressText,
        /// What differs in `virtual_routers` on this director.
        optional virtual_routers: Difference,
        /// What differs in `checks` on this director.
        optional checks: Difference,
        /// What differs in `pools` on this director.
        optional pools: Difference,
        /// What differs in `connection_sync` on this director.
        optional connection_sync: Difference,
        /// What differs in `metrics` on this director.
        optional metrics: Difference,
        /// What differs in `api` on this director.
        optional api: Difference,
        /// What differs in `peer` on this director.
        optional peer: Difference,
    }
    later {}
}

/// A part of a section. It is read as a whole after the merge, so only its shape is looked at here.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Difference;

impl Read for Difference {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        entries_of(node, "a mapping of what differs", problems).map(|_| Self)
    }
}

impl JsonSchema for Difference {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Difference".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object"})
    }
}

mapping! {
    /// The addresses of a director.
    DirectorFamilies = "the address of a director" {
        /// Its IPv4 address.
        optional ipv4: AddressText,
        /// Its IPv6 address.
        optional ipv6: AddressText,
    }
    later {}
}

/// The address of a director, or one a family.
#[derive(Clone, Debug)]
pub(in crate::policy) enum DirectorAddressText {
    One(AddressText),
    Families(Box<DirectorFamilies>),
}

impl Read for DirectorAddressText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.entries().is_none() {
            return AddressText::read(node, problems).map(Self::One);
        }
        DirectorFamilies::read(node, problems).map(Box::new).map(Self::Families)
    }
}

impl JsonSchema for DirectorAddressText {
    fn schema_name() -> Cow<'static, str> {
        "DirectorAddress".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [generator.subschema_for::<AddressText>(), generator.subschema_for::<DirectorFamilies>()],
        })
    }
}

mapping! {
    /// Routers that move together: all of them are Master, or none is.
    SyncGroupText = "a sync group" {
        /// Names under `virtual_routers`.
        required routers: List<Text>,
        /// When every director is in Fault: `keep_best` (default), the least unfit keeps the addresses; `release`, none does.
        optional both_unfit: BothUnfitWord,
    }
    later {}
}

words! {
    /// What happens when every director is in Fault.
    BothUnfitWord { "keep_best" => KeepBest, "release" => Release }
    later {}
}

mapping! {
    /// The kernel's connection synchronisation.
    ConnectionSyncText = "`connection_sync`" {
        /// The interface that it is multicast on.
        required interface: InterfaceText,
        /// Number that both directors say, 1 to 255, unlike any other pair's on that network.
        required sync_id: Number<1, 255>,
        /// {follow: NAME}: as the sync group (or router) of that name is, Master sends and Backup receives; `both`: each
        /// director does both, where routers are spread over the directors.
        required role: SyncRoleText,
    }
    later {}
}

mapping! {
    /// Whose role the synchronisation has.
    FollowText = "`role`" {
        /// Name of a sync group, or of a router.
        required follow: Text,
    }
    later {}
}

words! {
    /// Both roles at once.
    BothWord { "both" => Both }
    later {}
}

/// Which of the kernel's sync daemons run.
#[derive(Clone, Debug)]
pub(in crate::policy) enum SyncRoleText {
    Both,
    Follow(Box<FollowText>),
}

impl Read for SyncRoleText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.entries().is_none() {
            return BothWord::read(node, problems).map(|BothWord::Both| Self::Both);
        }
        FollowText::read(node, problems).map(Box::new).map(Self::Follow)
    }
}

impl JsonSchema for SyncRoleText {
    fn schema_name() -> Cow<'static, str> {
        "SyncRole".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [generator.subschema_for::<BothWord>(), generator.subschema_for::<FollowText>()],
        })
    }
}

mapping! {
    /// The channel between the directors, at each one's own address.
    PeerText = "`peer`" {
        /// Port, by default 9751: UDP for beats, TCP for the channel.
        optional port: Port,
        /// The same secret on every director, 16 to 64 bytes. It proves that a beat comes from another director, and
        /// encrypts the channel; without it there is no channel, and beats can postpone a takeover but prove nothing.
        optional key: SecretText,
    }
    later {}
}

mapping! {
    /// Where a secret is.
    SecretPlace = "a secret" {
        /// A file, relative to the policy file that names it.
        optional file: Text,
        /// Name of a systemd credential.
        optional credential: Text,
    }
    later {}
}

/// Where a secret is; never the secret itself.
#[derive(Clone, Debug)]
pub(in crate::policy) struct SecretText(pub(in crate::policy) SecretPlace);

impl Read for SecretText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.scalar().is_some() {
            let message = "a secret must not stand in the policy, which others may read";
            problems.push(
                Diagnostic::new(Code::SecretLiteral, node.span, message)
                    .help("write {file: PATH}, or {credential: NAME} for a systemd credential"),
            );
            return None;
        }
        let place = SecretPlace::read(node, problems)?;
        if place.file.is_absent() == place.credential.is_absent() {
            let message = "a secret is in one place: a file, or a systemd credential";
            problems.push(
                Diagnostic::new(Code::WrongType, node.span, message)
                    .help("write {file: PATH}, or {credential: NAME}"),
            );
            return None;
        }
        Some(Self(place))
    }
}

impl JsonSchema for SecretText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<SecretPlace>()
    }
}
