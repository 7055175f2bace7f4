//! TLS of probes as it is written.

use super::SecretText;
use crate::policy::codes::Code;
use crate::policy::declare::mapping;
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::node::Node;
use crate::policy::read::{List, Read};
use crate::policy::scalar::{Flag, Text, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

/// Ten years, in milliseconds: no certificate that is verified lives longer.
const TEN_YEARS_MS: u64 = 3_652 * 86_400_000;

/// How long before its end a certificate is warned of.
pub(in crate::policy) type ExpiryWarning = Time<0, TEN_YEARS_MS>;

mapping! {
    /// How a probe's TLS session is made and verified.
    TlsText = "`tls`" {
        /// Certificate authorities to trust, by default the system's.
        optional ca: PemText,
        /// Name for SNI and for verification, by default that of `host`.
        optional server_name: Text,
        /// Whether chain, name and validity are verified, by default true.
        optional verify: Flag,
        /// The certificate, with its chain, that the probe shows a server that asks for one.
        optional certificate: PemText,
        /// The key of `certificate`.
        optional key: SecretText,
        /// Application protocols that are offered, most preferred first, of which the server must choose one; by default those
        /// of the kind of probe.
        optional alpn: List<Text>,
        /// How long before the server's certificate expires that is warned of, daily, by default 7d; 0s for never.
        optional expiry_warning: ExpiryWarning,
    }
    later {}
}

/// Where certificates in PEM are.
#[derive(Clone, Debug)]
pub(in crate::policy) struct PemText(pub(in crate::policy) PemPlace);

mapping! {
    /// Where certificates in PEM are: a file or a systemd credential.
    PemPlace = "a place of certificates" {
        /// PEM file, relative to the policy file that names it.
        optional file: Text,
        /// Name of a systemd credential.
        optional credential: Text,
    }
    later {}
}

impl Read for PemText {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let place = PemPlace::read(node, problems)?;
        if place.file.is_absent() != place.credential.is_absent() {
            return Some(Self(place));
        }
        if !problems.any_within(node.span) {
            problems.push(
                Diagnostic::new(
                    Code::WrongType,
                    node.span,
                    "certificates are in one place: a file, or a credential",
                )
                .help("write {file: PATH}, or {credential: NAME}"),
            );
        }
        None
    }
}

impl JsonSchema for PemText {
    fn schema_name() -> Cow<'static, str> {
        "Pem".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<PemPlace>()
    }
}
