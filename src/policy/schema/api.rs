//! The API over TCP as it is written.

use super::{EndpointText, PemText, SecretText};
use crate::policy::declare::{mapping, words};
use crate::policy::read::List;
use crate::policy::scalar::Text;

mapping! {
    /// The API and the status page over TCP. Who asks from this host itself may read; to act, and for anything from another
    /// host, a token is needed, and TLS for the latter.
    ApiText = "`api`" {
        /// Address and port to listen on, by default 127.0.0.1:9750.
        optional listen: EndpointText,
        /// The certificate that is shown; without it the API is plain HTTP, which is for loopback addresses alone.
        optional tls: ApiTlsText,
        /// Who may ask, and for what.
        optional tokens: List<ApiTokenText>,
        /// Host names, or addresses, by which this API may be called beside its own addresses (and `localhost` on a loopback
        /// address); a request for another host is refused.
        optional allowed_hosts: List<Text>,
    }
    later {}
}

mapping! {
    /// What the API shows of itself over TLS.
    ApiTlsText = "`tls` of the API" {
        /// The certificate with its chain, in PEM.
        required certificate: PemText,
        /// The key of `certificate`, in PEM.
        required key: SecretText,
    }
    later {}
}

mapping! {
    /// Somebody who may ask.
    ApiTokenText = "a token" {
        /// Who it is: the log and overrides name it.
        required name: Text,
        /// `read`: to look; `act`: to look and to change.
        required scope: ScopeWord,
        /// Where the token is, 16 to 256 visible characters: it is sent as `Authorization: Bearer …`.
        required token: SecretText,
    }
    later {}
}

words! {
    /// What a token allows.
    ScopeWord { "read" => Read, "act" => Act }
    later {}
}
