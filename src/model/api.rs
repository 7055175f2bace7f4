//! Where the API is served over TCP, and who may do what there.

use super::Secret;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// The API over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSettings {
    pub listen: SocketAddr,
    /// `None`: plain HTTP, which is for loopback alone.
    pub tls: Option<ApiTls>,
    /// In the order of the policy; no name is there twice.
    pub tokens: Vec<ApiToken>,
    /// What a request may call this host, beside its own addresses: names in small letters, and addresses.
    pub allowed_hosts: BTreeSet<String>,
}

/// What the API shows of itself over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiTls {
    /// The certificate with its chain, PEM.
    pub certificate: Secret,
    /// Its key, PEM.
    pub key: Secret,
}

/// Somebody who may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Who it is, for the log and for the overrides that it sets.
    pub name: String,
    pub scope: ApiScope,
    /// Where the token is.
    pub token: Secret,
}

/// What a token allows; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiScope {
    Read,
    Act,
}

impl ApiScope {
    /// Its word in the policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Act => "act",
        }
    }
}
