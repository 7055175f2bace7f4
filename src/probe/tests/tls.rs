//! The https probe: whom it trusts, and what it says of those it doesn't.

use super::fixture::{TIMEOUT, ask, body, check, get, probe, request, server};
use crate::model::{
    Check, ClientCertificate, Failure, HttpSpec, HttpVersion, Phase, ProbeSpec, Secret, TlsSpec, Verify,
};
use crate::probe::{PrepareError, Prober, TlsProfiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, crypto::ring};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

const NAME: &str = "shop.example.com";

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    authority_named("Example Authority")
}

fn authority_named(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

fn leaf(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).expect("names")
}

/// An HTTPS server that says "ok", with a certificate of `authority`.
async fn https(authority: &CertifiedIssuer<'static, KeyPair>, params: CertificateParams) -> SocketAddr {
    choosy(authority, params, None, &[]).await
}

/// One that wants a client certificate of `clients`, and chooses among `protocols`.
async fn choosy(
    authority: &CertifiedIssuer<'static, KeyPair>,
    params: CertificateParams,
    clients: Option<&CertifiedIssuer<'static, KeyPair>>,
    protocols: &[&str],
) -> SocketAddr {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).expect("an authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).expect("a configuration");
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            request(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

fn file(pem: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), pem).expect("it is written");
    file
}

fn spec(ca: Option<&Path>, host: Option<&str>) -> HttpSpec {
    let ca = ca.map(|path| Secret::File(path.to_owned()));
    let tls = TlsSpec { ca, ..TlsSpec::default() };
    HttpSpec { host: host.map(str::to_owned), tls: Some(tls), ..body("ok") }
}

fn tls_words(result: Result<(), Failure>) -> String {
    match result {
        Err(Failure::Tls(words)) => words,
        other => panic!("{other:?} instead of a TLS failure"),
    }
}

#[tokio::test]
async fn a_certificate_of_our_own_authority_is_trusted_under_its_name() {
    let authority = authority();
    let ca = file(&authority.pem());
    let named = https(&authority, leaf(&[NAME])).await;
    let host = format!("{NAME}:8443");
    assert_eq!(ask(spec(Some(ca.path()), Some(&host)), named).await, Ok(()), "by the Host's name");
    let mut by_name = spec(Some(ca.path()), Some("other.example.com"));
    by_name.tls.as_mut().expect("tls").server_name = Some(NAME.to_owned());
    assert_eq!(ask(by_name, named).await, Ok(()), "the server's name comes first");
    let by_address = https(&authority, leaf(&["127.0.0.1"])).await;
    assert_eq!(ask(spec(Some(ca.path()), None), by_address).await, Ok(()), "by the target's address");
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_is_named_in_plain_words() {
    let authority = authority();
    let ca = file(&authority.pem());
    let named = https(&authority, leaf(&[NAME, "www.example.com"])).await;
    let words = tls_words(ask(spec(Some(ca.path()), Some("pay.example.com")), named).await);
    assert!(words.starts_with("the certificate is not for pay.example.com but for "), "{words}");
    let words = tls_words(ask(spec(Some(ca.path()), None), named).await);
    assert!(words.starts_with("the certificate is not for 127.0.0.1 but for "), "{words}");

    let mut expired = leaf(&[NAME]);
    expired.not_after = date_time_ymd(2020, 1, 2);
    expired.not_before = date_time_ymd(2020, 1, 1);
    let expired = https(&authority, expired).await;
    let words = tls_words(ask(spec(Some(ca.path()), Some(NAME)), expired).await);
    assert!(words.starts_with("the certificate expired ") && words.ends_with(" days ago"), "{words}");

    let mut early = leaf(&[NAME]);
    early.not_before = date_time_ymd(2090, 1, 1);
    early.not_after = date_time_ymd(2091, 1, 1);
    let early = https(&authority, early).await;
    let words = tls_words(ask(spec(Some(ca.path()), Some(NAME)), early).await);
    assert!(words.starts_with("the certificate is not valid yet"), "{words}");

    let stranger = https(&authority_named("Stranger"), leaf(&[NAME])).await;
    let words = tls_words(ask(spec(Some(ca.path()), Some(NAME)), stranger).await);
    assert_eq!(words, "the certificate is signed by an unknown authority");
    let namesake = https(&self::authority(), leaf(&[NAME])).await;
    let words = tls_words(ask(spec(Some(ca.path()), Some(NAME)), namesake).await);
    assert_eq!(words, "the certificate is not signed by the authority that it names");
}

#[tokio::test]
async fn without_verification_any_certificate_will_do() {
    let mut expired = leaf(&[NAME]);
    expired.not_after = date_time_ymd(2020, 1, 2);
    expired.not_before = date_time_ymd(2020, 1, 1);
    let target = https(&authority(), expired).await;
    let mut spec = spec(None, None);
    spec.tls.as_mut().expect("tls").verify = Verify::None;
    assert_eq!(ask(spec, target).await, Ok(()));
}

#[tokio::test]
async fn a_port_that_speaks_the_other_language_is_told_apart() {
    let authority = authority();
    let ca = file(&authority.pem());
    let plain = super::fixture::answering(&["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"]).await;
    // The server waits for the end of a request that never comes, so this one answers at once.
    let eager = server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        request(&mut stream).await;
    })
    .await;
    let words = tls_words(ask(spec(Some(ca.path()), None), eager).await);
    assert_eq!(words, "the server does not speak TLS on this port");
    let hangs = ask(spec(Some(ca.path()), None), plain).await;
    assert_eq!(hangs, Err(Failure::Timeout(Phase::TlsHandshake)));

    let tls = https(&authority, leaf(&[NAME])).await;
    match ask(get(), tls).await {
        Err(Failure::Malformed(detail)) => assert!(detail.contains("wants https"), "{detail}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_or_breaks_says_so() {
    let ca = file(&authority().pem());
    let stalls = server(|stream| async move {
        tokio::time::sleep(TIMEOUT * 9).await;
        drop(stream);
    })
    .await;
    let result = ask(spec(Some(ca.path()), None), stalls).await;
    assert_eq!(result, Err(Failure::Timeout(Phase::TlsHandshake)));
    for reset in [true, false] {
        let breaks = server(move |mut stream| async move {
            use tokio::io::AsyncReadExt;
            let _ = stream.read(&mut [0; 4096]).await;
            if reset {
                let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
        })
        .await;
        let result = ask(spec(Some(ca.path()), None), breaks).await;
        assert_eq!(result, Err(Failure::ConnectionLost(Phase::TlsHandshake)), "reset: {reset}");
    }
    // A fatal alert, as a server sends it that knows no such name.
    let refuses = server(|mut stream| async move {
        use tokio::io::AsyncReadExt;
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 112]).await;
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    let words = tls_words(ask(spec(Some(ca.path()), None), refuses).await);
    assert_eq!(words, "the server refused the session: unrecognised name");
}

#[test]
fn files_that_hold_no_authority_are_errors_when_the_check_is_made_ready() {
    let empty = file("no certificate here\n");
    let broken = file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (path, words) in [
        (Path::new("/nonexistent/ca.pem"), "No such file or directory"),
        (empty.path(), "it holds no certificate"),
        (broken.path(), "cannot use"),
    ] {
        let made = Prober::new(&check(ProbeSpec::Http(spec(Some(path), None))), &mut TlsProfiles::default());
        let error = made.expect_err("no authority").to_string();
        assert!(error.starts_with("check alive: cannot use ") && error.contains(words), "{error}");
    }
    let made = Prober::new(&check(ProbeSpec::Http(spec(None, Some("a name")))), &mut TlsProfiles::default());
    assert!(matches!(made.expect_err("no name"), PrepareError::ServerName { .. }));
}

#[test]
fn checks_that_trust_the_same_share_one_configuration() {
    let ca = file(&authority().pem());
    let mut profiles = TlsProfiles::default();
    for host in [Some("a"), Some("b"), None] {
        Prober::new(&check(ProbeSpec::Http(spec(Some(ca.path()), host))), &mut profiles).expect("ready");
    }
    assert_eq!(format!("{profiles:?}").matches("Authorities").count(), 1);
}

/// A check that asks for a session only, and trusts `authority`.
fn session(authority: &NamedTempFile, tls: TlsSpec) -> Check {
    let ca = Some(Secret::File(authority.path().to_owned()));
    check(ProbeSpec::Tls(TlsSpec { ca, server_name: Some(NAME.to_owned()), ..tls }))
}

#[tokio::test]
async fn a_session_alone_says_when_the_certificate_expires() {
    let authority = authority();
    let ca = file(&authority.pem());
    let mut params = leaf(&[NAME]);
    params.not_after = date_time_ymd(2090, 1, 2);
    let target = https(&authority, params).await;
    let outcome = probe(&session(&ca, TlsSpec::default()), target).await;
    let expires = outcome.findings.certificate_expires.map(|expires| expires.as_secs());
    assert_eq!((outcome.result, expires), (Ok(()), Some(3_786_998_400)), "2090-01-02");
    let https = probe(&check(ProbeSpec::Http(spec(Some(ca.path()), Some(NAME)))), target).await;
    assert_eq!(https.findings, outcome.findings);
    let stranger = https_of_stranger().await;
    let words = tls_words(probe(&session(&ca, TlsSpec::default()), stranger).await.result);
    assert_eq!(words, "the certificate is signed by an unknown authority");
}

async fn https_of_stranger() -> SocketAddr {
    https(&authority_named("Stranger"), leaf(&[NAME])).await
}

#[tokio::test]
async fn a_server_that_asks_who_we_are_gets_the_client_certificate() {
    let (authority, clients) = (authority(), authority_named("Clients"));
    let ca = file(&authority.pem());
    let target = choosy(&authority, leaf(&[NAME]), Some(&clients), &[]).await;
    let key = KeyPair::generate().expect("a key");
    let certificate = leaf(&["director"]).signed_by(&key, &clients).expect("a certificate");
    let (certificate, key) = (file(&certificate.pem()), file(&key.serialize_pem()));
    let place = |file: &NamedTempFile| Secret::File(file.path().to_owned());
    let client = ClientCertificate { certificate: place(&certificate), key: place(&key) };
    let mut known = spec(Some(ca.path()), Some(NAME));
    known.tls.as_mut().expect("tls").client = Some(client.clone());
    assert_eq!(ask(known, target).await, Ok(()));
    let unknown = ask(spec(Some(ca.path()), Some(NAME)), target).await;
    assert_eq!(tls_words(unknown), "the server refused the session: certificate required");

    let other = file(&KeyPair::generate().expect("a key").serialize_pem());
    for (key, words) in [(&other, "cannot use its client certificate"), (&ca, "the key cannot be read")] {
        let client = Some(ClientCertificate { key: place(key), ..client.clone() });
        let check = session(&ca, TlsSpec { client, ..TlsSpec::default() });
        let error = Prober::new(&check, &mut TlsProfiles::default()).expect_err("no pair").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_protocol_that_the_policy_names_must_be_chosen() {
    let authority = authority();
    let ca = file(&authority.pem());
    let offering = |protocols: &[&str]| {
        session(
            &ca,
            TlsSpec { alpn: protocols.iter().map(|name| (*name).to_owned()).collect(), ..TlsSpec::default() },
        )
    };
    let (mail, any) = tokio::join!(
        choosy(&authority, leaf(&[NAME]), None, &["imap"]),
        choosy(&authority, leaf(&[NAME]), None, &[])
    );
    assert_eq!(probe(&offering(&["smtp", "imap"]), mail).await.result, Ok(()));
    let words = tls_words(probe(&offering(&["smtp"]), mail).await.result);
    assert_eq!(words, "the server refused the session: no application protocol");
    let words = tls_words(probe(&offering(&["smtp"]), any).await.result);
    assert_eq!(words, "the server chooses none of the protocols in `alpn`");
    let mut second = spec(Some(ca.path()), Some(NAME));
    second.version = HttpVersion::Http2;
    assert_eq!(tls_words(ask(second, any).await), "the server does not choose HTTP/2 (ALPN h2)");
}
