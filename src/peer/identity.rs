//! The keys that both ends of a channel show, and TLS with them.
//!
//! From the shared secret each end derives an Ed25519 key for its role in the connection and its name (RFC 8032; the seed is
//! HMAC-SHA256 of both). It shows it as a raw public key (RFC 7250), and expects the one that the other end must have: who
//! cannot sign with it does not know the secret, or is not whom it says it is. TLS 1.3 only, no tickets, no early data, so that
//! nothing of one connection is good for another.

use super::settings::{ChannelSecret, Settings};
use crate::model::DirectorName;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::ring::{default_provider, sign::any_eddsa_type};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands before the 32 bytes of a seed in a PKCS #8 document of Ed25519 (RFC 8410, section 7).
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Which end of a connection: what one says is never good for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Connects,
    Accepts,
}

impl Role {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Connects => b"connects\0",
            Self::Accepts => b"accepts\0",
        }
    }
}

/// TLS for the end that connects to `other`.
///
/// # Errors
/// Never in practice: rustls refuses its own keys.
pub fn connecting(settings: &Settings, other: &DirectorName) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(default_provider());
    let expected = Expected::new(&provider, settings, Role::Accepts, [other])?;
    let own = Arc::new(key(&settings.secret, Role::Connects, &settings.own)?);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(expected))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(own)));
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// TLS for the end that accepts, and who the others are by the key that they show.
///
/// # Errors
/// Never in practice: rustls refuses its own keys.
pub fn accepting(settings: &Settings) -> Result<(Arc<ServerConfig>, Names), Error> {
    let provider = Arc::new(default_provider());
    let others = settings.others.keys().filter(|other| !settings.connects_to(other));
    let expected = Expected::new(&provider, settings, Role::Connects, others)?;
    let names = Names(Arc::clone(&expected.names));
    let own = Arc::new(key(&settings.secret, Role::Accepts, &settings.own)?);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(expected))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own)));
    config.send_tls13_tickets = 0;
    Ok((Arc::new(config), names))
}

/// Who shows which key.
#[derive(Clone, Debug)]
pub struct Names(Arc<BTreeMap<Vec<u8>, DirectorName>>);

impl Names {
    /// The director that showed these keys in a handshake that was accepted.
    #[must_use]
    pub fn of(&self, shown: Option<&[CertificateDer<'_>]>) -> Option<&DirectorName> {
        self.0.get(shown?.first()?.as_ref())
    }
}

fn key(secret: &ChannelSecret, role: Role, name: &DirectorName) -> Result<CertifiedKey, Error> {
    let mut hasher = Hmac::<Sha256>::new_from_slice(&secret.0)
        .map_err(|_| Error::General("a key of no length".to_owned()))?;
    hasher.update(role.label());
    hasher.update(name.as_bytes());
    let seed = hasher.finalize().into_bytes();
    let document = [&PKCS8_HEAD[..], &seed].concat();
    let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(document))?;
    let public = key.public_key().ok_or_else(|| Error::General("a key without a public half".to_owned()))?;
    let public = CertificateDer::from(public.to_vec());
    Ok(CertifiedKey::new(vec![public], key))
}

/// Accepts the keys that the other ends must show, and no others.
#[derive(Debug)]
struct Expected {
    names: Arc<BTreeMap<Vec<u8>, DirectorName>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Expected {
    fn new<'a>(
        provider: &CryptoProvider,
        settings: &Settings,
        role: Role,
        others: impl IntoIterator<Item = &'a DirectorName>,
    ) -> Result<Self, Error> {
        let mut names = BTreeMap::new();
        for other in others {
            let key = key(&settings.secret, role, other)?;
            names.extend(key.cert.first().map(|public| (public.to_vec(), other.clone())));
        }
        Ok(Self { names: Arc::new(names), algorithms: provider.signature_verification_algorithms })
    }

    fn judge(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        let known = self.names.contains_key(shown.as_ref());
        known.then_some(()).ok_or(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn signed(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let public = SubjectPublicKeyInfoDer::from(shown.as_ref());
        verify_tls13_signature_with_raw_key(message, &public, signature, &self.algorithms)
    }
}

impl ServerCertVerifier for Expected {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Expected {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
