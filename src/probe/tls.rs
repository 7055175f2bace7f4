//! TLS of the https probe: rustls with ring, verified by default.
//!
//! Sessions are never resumed: a resumed session verifies no certificate, so an expired one would go unseen.

use super::{PrepareError, failure};
use crate::model::{Failure, Phase, TlsSpec, Verify};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Configurations shared by the checks that trust the same authorities: files are read once for all of them.
#[derive(Default)]
pub struct TlsProfiles(BTreeMap<Profile, Arc<ClientConfig>>);

/// What makes two TLS configurations differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Profile {
    SystemAuthorities,
    Authorities(PathBuf),
    Unverified,
}

impl std::fmt::Debug for TlsProfiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl TlsProfiles {
    fn config(&mut self, check: &str, spec: &TlsSpec) -> Result<Arc<ClientConfig>, PrepareError> {
        let profile = match (spec.verify, &spec.ca) {
            (Verify::None, _) => Profile::Unverified,
            (Verify::Full, Some(path)) => Profile::Authorities(path.clone()),
            (Verify::Full, None) => Profile::SystemAuthorities,
        };
        if let Some(config) = self.0.get(&profile) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(build(check, &profile)?);
        self.0.insert(profile, Arc::clone(&config));
        Ok(config)
    }
}

/// The TLS side of one check.
pub(super) struct Tls {
    connector: TlsConnector,
    /// `None`: the target's address.
    name: Option<ServerName<'static>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tls {
    /// Makes `spec` ready; `host` is the `Host` header, whose name is the next best for SNI.
    pub(super) fn new(
        check: &str,
        spec: &TlsSpec,
        host: Option<&str>,
        profiles: &mut TlsProfiles,
    ) -> Result<Self, PrepareError> {
        let name = spec.server_name.as_deref().or_else(|| host.map(name_of_host));
        let name = name.map(|name| server_name(check, name)).transpose()?;
        Ok(Self { connector: profiles.config(check, spec)?.into(), name })
    }

    /// The handshake.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        target: SocketAddr,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let name = self.name.clone().unwrap_or_else(|| ServerName::IpAddress(target.ip().into()));
        let session = self.connector.connect(name, stream).await;
        session.map_err(|error| failure::on_stream(&error, Phase::TlsHandshake))
    }
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

fn build(check: &str, profile: &Profile) -> Result<ClientConfig, PrepareError> {
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = versions(check, provider)?;
    let builder = match profile {
        Profile::SystemAuthorities => builder.with_root_certificates(system_authorities(check)?),
        Profile::Authorities(path) => builder.with_root_certificates(authorities(check, path)?),
        Profile::Unverified => unverified(builder, algorithms),
    };
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
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

fn authorities(check: &str, path: &Path) -> Result<RootCertStore, PrepareError> {
    let wrong =
        |detail: String| PrepareError::Authorities { check: check.to_owned(), path: path.to_owned(), detail };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(pem_words(&error)))? {
        let certificate = certificate.map_err(|error| wrong(pem_words(&error)))?;
        store.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(wrong("it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)".to_owned()));
    }
    Ok(store)
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
