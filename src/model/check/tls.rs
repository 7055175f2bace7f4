//! TLS of probes: how a session is made and verified.

use crate::model::Secret;
use std::time::Duration;

/// How a probe's TLS session is made and verified.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TlsSpec {
    /// Name for SNI and for verification; `None`: the `Host`'s name, else the target's address.
    pub server_name: Option<String>,
    /// Where the certificate authorities to trust are, in PEM; `None`: the system's.
    pub ca: Option<Secret>,
    pub verify: Verify,
    /// What the probe shows a server that asks who it is.
    pub client: Option<ClientCertificate>,
    /// Application protocols that are offered (RFC 7301), most preferred first; empty: those of the kind of probe.
    pub alpn: Vec<String>,
    /// A certificate that expires within this time is warned of, and the verdict stays as it is; zero: never.
    pub expiry_warning: Duration,
}

/// A client certificate with its chain, and its key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub certificate: Secret,
    pub key: Secret,
}

/// Whether a certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Verify {
    /// Chain, name and validity.
    #[default]
    Full,
    /// Nothing: only that a TLS session comes up. Said explicitly in the policy, warned of in `check`.
    None,
}
