//! TLS of probes: rustls with ring, verified by default.
//!
//! Sessions are never resumed: a resumed session verifies no certificate, so an expired one would go unseen.

use super::progress::Progress;
use super::secret::Wanted;
use super::socket::SocketOptions;
use super::{PrepareError, failure};
use crate::model::{ClientCertificate, Failure, Findings, Phase, Secret, TlsSpec, Verify};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Configurations shared by the checks that say the same: files are read once for all of them, and all targets of a check
/// share one.
#[derive(Default)]
pub struct TlsProfiles(BTreeMap<Profile, Arc<ClientConfig>>);

/// What makes two TLS configurations differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Profile {
    trust: Trust,
    /// Certificate and key.
    client: Option<(Secret, Secret)>,
    alpn: Vec<Vec<u8>>,
}

/// Whose certificates are taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    System,
    Authorities(Secret),
    Anybody,
}

impl std::fmt::Debug for TlsProfiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl TlsProfiles {
    fn config(
        &mut self,
        check: &str,
        spec: &TlsSpec,
        protocols: &[&[u8]],
    ) -> Result<Arc<ClientConfig>, PrepareError> {
        let trust = match (spec.verify, &spec.ca) {
            (Verify::None, _) => Trust::Anybody,
            (Verify::Full, Some(place)) => Trust::Authorities(place.clone()),
            (Verify::Full, None) => Trust::System,
        };
        let client = spec.client.as_ref().map(|client| (client.certificate.clone(), client.key.clone()));
        let alpn = if spec.alpn.is_empty() {
            protocols.iter().map(|protocol| protocol.to_vec()).collect()
        } else {
            spec.alpn.iter().map(|protocol| protocol.clone().into_bytes()).collect()
        };
        let profile = Profile { trust, client, alpn };
        if let Some(config) = self.0.get(&profile) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(build(check, spec, &profile)?);
        self.0.insert(profile, Arc::clone(&config));
        Ok(config)
    }
}

/// The TLS side of one check.
pub(super) struct Tls {
    connector: TlsConnector,
    /// `None`: the target's address.
    name: Option<ServerName<'static>>,
    /// Whether the server must choose one of the protocols that the policy says.
    must_choose: bool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tls {
    /// Makes `spec` ready; `host` is the `Host` header, whose name is the next best for SNI; `protocols` are offered where
    /// the policy says none.
    pub(super) fn new(
        check: &str,
        spec: &TlsSpec,
        host: Option<&str>,
        protocols: &[&[u8]],
        profiles: &mut TlsProfiles,
    ) -> Result<Self, PrepareError> {
        let name = spec.server_name.as_deref().or_else(|| host.map(name_of_host));
        let name = name.map(|name| server_name(check, name)).transpose()?;
        let connector = profiles.config(check, spec, protocols)?.into();
        Ok(Self { connector, name, must_choose: !spec.alpn.is_empty() })
    }

    /// The handshake.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        target: SocketAddr,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let name = self.name.clone().unwrap_or_else(|| ServerName::IpAddress(target.ip().into()));
        let session = self.connector.connect(name, stream).await;
        let session = session.map_err(|error| failure::on_stream(&error, Phase::TlsHandshake))?;
        if self.must_choose && session.get_ref().1.alpn_protocol().is_none() {
            return Err(Failure::Tls("the server chooses none of the protocols in `alpn`".to_owned()));
        }
        Ok(session)
    }

    /// A probe that asks for no more than a session.
    pub(super) async fn probe(
        &self,
        socket: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<Findings, Failure> {
        let stream = socket.connect(target).await?;
        progress.enter(Phase::TlsHandshake);
        let session = self.connect(stream, target).await?;
        Ok(Findings { certificate_expires: expiry(&session), ..Findings::default() })
    }
}

/// When the certificate expires that the server has shown.
pub(super) fn expiry(session: &TlsStream<TcpStream>) -> Option<Duration> {
    certificate_expiry(session.get_ref().1.peer_certificates()?.first()?)
}

/// Unix time at which a certificate (DER, as a server shows it) expires; `None` for one without a date that can be read, or
/// before 1970.
#[must_use]
pub fn certificate_expiry(certificate: &[u8]) -> Option<Duration> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    u64::try_from(certificate.validity().not_after.timestamp()).ok().map(Duration::from_secs)
}

fn server_name(check: &str, name: &str) -> Result<ServerName<'static>, PrepareError> {
    let wrong = |_| PrepareError::ServerName { check: check.to_owned(), name: name.to_owned() };
    ServerName::try_from(name.to_owned()).map_err(wrong)
}

/// `shop.example.com:8443`, `[2001:db8::1]:443`, `2001:db8::1` without port and brackets.
fn name_of_host(host: &str) -> &str {
    if host.parse::<IpAddr>().is_ok() {
        return host;
    }
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn build(check: &str, spec: &TlsSpec, profile: &Profile) -> Result<ClientConfig, PrepareError> {
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = versions(check, provider)?;
    let builder = match &profile.trust {
        Trust::System => builder.with_root_certificates(system_authorities(check)?),
        Trust::Authorities(place) => builder.with_root_certificates(authorities(check, place)?),
        Trust::Anybody => unverified(builder, algorithms),
    };
    let mut config = match &spec.client {
        Some(client) => with_client(check, builder, client)?,
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols.clone_from(&profile.alpn);
    Ok(config)
}

/// The certificate and key that a server may ask for.
fn with_client(
    check: &str,
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    client: &ClientCertificate,
) -> Result<ClientConfig, PrepareError> {
    let wanted = |what, place| Wanted { check, what, place };
    let chain = certificates(wanted("its client certificate", &client.certificate))?;
    let unusable = |detail: String| PrepareError::ClientCertificate { check: check.to_owned(), detail };
    let pem = wanted("the key of its client certificate", &client.key).read_pem()?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| unusable(format!("the key cannot be read: {}", pem_words(&error))))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| unusable(failure::tls_words(&error)))
}

fn versions(
    check: &str,
    provider: Arc<CryptoProvider>,
) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, PrepareError> {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.map_err(|error| PrepareError::Tls { check: check.to_owned(), detail: error.to_string() })
}

fn unverified(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(algorithms)))
}

fn system_authorities(check: &str) -> Result<RootCertStore, PrepareError> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let detail = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(PrepareError::NoSystemAuthorities { check: check.to_owned(), detail });
    }
    Ok(store)
}

fn authorities(check: &str, place: &Secret) -> Result<RootCertStore, PrepareError> {
    let mut store = RootCertStore::empty();
    let wanted = Wanted { check, what: "the certificate authorities", place };
    for certificate in certificates(wanted)? {
        store.add(certificate).map_err(|error| wanted.unusable(&error.to_string()))?;
    }
    Ok(store)
}

/// All certificates of a PEM file, at least one.
fn certificates(wanted: Wanted<'_>) -> Result<Vec<CertificateDer<'static>>, PrepareError> {
    let pem = wanted.read_pem()?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = read.map_err(|error| wanted.unusable(&pem_words(&error)))?;
    if certificates.is_empty() {
        return Err(wanted.unusable("it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(certificates)
}

fn pem_words(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => failure::without_number(&error.to_string()),
        other => other.to_string(),
    }
}

/// Accepts any certificate, but only from a server that owns its key: the signature of the handshake is verified, so that
/// what is tested is at least a working TLS session.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_host_is_without_port_and_brackets() {
        for (host, name) in [
            ("shop.example.com", "shop.example.com"),
            ("shop.example.com:8443", "shop.example.com"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(name_of_host(host), name);
        }
    }
}
