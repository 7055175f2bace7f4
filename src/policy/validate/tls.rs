//! TLS of probes: whom it trusts, what it shows, what it offers.

use super::{authentication, http};
use crate::model::{ClientCertificate, Secret, TlsSpec, Verify};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::Field;
use crate::policy::schema::{PemText, TlsText};
use crate::policy::source::{Sources, Span};
use std::net::IpAddr;
use std::path::PathBuf;

/// Bytes of a protocol's name at most, and names at most: they are sent in one message (RFC 7301, section 3.1).
const MOST_PROTOCOL_BYTES: usize = 255;
const MOST_PROTOCOLS: usize = 16;

/// How a session is made, with the files of certificates that it needs.
pub(super) fn session(
    text: Option<&TlsText>,
    sources: &Sources,
    problems: &mut Problems,
) -> (TlsSpec, Vec<(PathBuf, Span)>) {
    let Some(text) = text else {
        return (TlsSpec { expiry_warning: defaults::EXPIRY_WARNING, ..TlsSpec::default() }, Vec::new());
    };
    let spec = TlsSpec {
        server_name: server_name(text, problems),
        ca: pem(&text.ca, sources),
        verify: verify(text, problems),
        client: client(text, sources, problems),
        alpn: protocols(text, problems),
        expiry_warning: text.expiry_warning.value().map_or(defaults::EXPIRY_WARNING, |warning| warning.0),
    };
    let files = [&text.ca, &text.certificate].into_iter().filter_map(|field| match pem(field, sources) {
        Some(Secret::File(path)) => Some((path, field.value()?.0.file.span()?)),
        Some(Secret::Credential(_)) | None => None,
    });
    (spec, files.collect())
}

fn pem(field: &Field<PemText>, sources: &Sources) -> Option<Secret> {
    let place = &field.value()?.0;
    authentication::place(&place.file, &place.credential, sources)
}

fn server_name(tls: &TlsText, problems: &mut Problems) -> Option<String> {
    let good = |text: &str| {
        text.parse::<IpAddr>().is_ok()
            || text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    http::word(&tls.server_name, "the name of a server", "write a host name, without a port", good, problems)
}

fn verify(tls: &TlsText, problems: &mut Problems) -> Verify {
    let Some(flag) = tls.verify.given().filter(|flag| !flag.value.0) else { return Verify::Full };
    let message = "this check takes any certificate: an expired or a wrong one will not be noticed";
    problems.push(
        Diagnostic::new(Code::UnverifiedTls, flag.span, message)
            .help("leave `verify: false` out, and name the authority under `ca: {file: …}`"),
    );
    Verify::None
}

/// The client certificate: both parts, or none.
fn client(tls: &TlsText, sources: &Sources, problems: &mut Problems) -> Option<ClientCertificate> {
    let half = match (tls.certificate.is_absent(), tls.key.is_absent()) {
        (false, true) => tls.certificate.span().map(|span| (span, "certificate", "key")),
        (true, false) => tls.key.span().map(|span| (span, "key", "certificate")),
        (true, true) | (false, false) => None,
    };
    if let Some((span, said, missing)) = half {
        let message = format!("a client certificate is a pair: there is `{said}` and no `{missing}`");
        problems.push(
            Diagnostic::new(Code::ClientCertificate, span, message)
                .help(format!("add `{missing}: {{file: PATH}}`, or {{credential: NAME}}")),
        );
    }
    let certificate = pem(&tls.certificate, sources)?;
    Some(ClientCertificate { certificate, key: authentication::secret(tls.key.value()?, sources)? })
}

fn protocols(tls: &TlsText, problems: &mut Problems) -> Vec<String> {
    let Some(said) = tls.alpn.given() else { return Vec::new() };
    let names = &said.value.0;
    if names.is_empty() || names.len() > MOST_PROTOCOLS {
        let message = format!("`alpn` names {} protocols", names.len());
        problems.push(
            Diagnostic::new(Code::OutOfRange, said.span, message)
                .help(format!("name 1 to {MOST_PROTOCOLS}, or leave it out: [h2, http/1.1]")),
        );
    }
    for name in names.iter().filter(|name| name.value.0.len() > MOST_PROTOCOL_BYTES) {
        let message = format!("{} is too long for a protocol's name", quoted(&name.value.0));
        problems.push(
            Diagnostic::new(Code::BadText, name.span, message)
                .help(format!("write at most {MOST_PROTOCOL_BYTES} bytes: h2, http/1.1")),
        );
    }
    names.iter().take(MOST_PROTOCOLS).map(|name| name.value.0.clone()).collect()
}

/// Warns where a certificate would have to carry the server's address, which few do.
pub(super) fn name_to_verify(tls: &TlsSpec, help: &str, span: Span, problems: &mut Problems) {
    if tls.verify == Verify::Full && tls.server_name.is_none() {
        let message = "this check says no name: the certificate must carry the real server's address";
        problems.push(Diagnostic::new(Code::TlsNameMissing, span, message).help(help));
    }
}
