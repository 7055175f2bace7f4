//! An authority of a case's own, and the certificates that it signs.

use crate::host::Host;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Its certificate is `NAME.pem` in the host's folder.
    pub(crate) fn new(host: &Host, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        host.write(&format!("{name}.pem"), &authority.pem());
        Self(authority)
    }

    /// Signs a certificate for `name`: `NAME.pem` and `NAME.key` in the host's folder. It expires as `change` says.
    pub(crate) fn sign(&self, host: &Host, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        host.write(&format!("{name}.pem"), &certificate.pem());
        host.write(&format!("{name}.key"), &key.serialize_pem());
    }
}
