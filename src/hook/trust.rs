//! Secrets of hooks, and whom they believe (shell).

use crate::model::Secret;
use crate::secret;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Bytes of a password, a key or an address at most.
pub(super) const LONGEST_SECRET: usize = 16 * 1024;
/// Bytes of a file of certificates at most.
const LONGEST_PEM: usize = 1024 * 1024;

/// The bytes of a secret.
///
/// # Errors
/// Where it is not there, empty, or too large; never what it is.
pub(super) fn read(place: &Secret, longest: usize) -> Result<Vec<u8>, String> {
    let path = secret::path_of(place).map_err(|none| none.to_string())?;
    let content = secret::read(&path, longest).map_err(|error| format!("{}: {error}", path.display()))?;
    let content = content.ok_or_else(|| format!("{}: it is larger than {longest} bytes", path.display()))?;
    let content = secret::without_newline(content);
    (!content.is_empty()).then_some(content).ok_or_else(|| format!("{}: it is empty", path.display()))
}

/// The certificate authorities of a hook: those that it names, else the system's, of which one that cannot be used is passed over.
///
/// # Errors
/// Where there is none, or one that is named cannot be used.
pub(super) fn authorities(ca: Option<&Secret>) -> Result<Vec<CertificateDer<'static>>, String> {
    let Some(place) = ca else {
        let mut all = rustls_native_certs::load_native_certs().certs;
        all.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        if all.is_empty() {
            return Err(
                "no certificate authority to trust: install the package ca-certificates, or say `ca`"
                    .to_owned(),
            );
        }
        return Ok(all);
    };
    let pem = read(place, LONGEST_PEM)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = read.map_err(|error| format!("its authorities: {error:?}"))?;
    for certificate in &all {
        RootCertStore::empty()
            .add(certificate.clone())
            .map_err(|error| format!("its authorities: {error}"))?;
    }
    if all.is_empty() {
        return Err("its authorities: there is no certificate in the file of `ca`".to_owned());
    }
    Ok(all)
}
