//! A hook that is called (shell): a POST of the event as JSON, tried again a few times with growing waits. One event is in one
//! attempt at a time, and the next waits for it: what is received is in order.
//!
//! Every attempt for one event has the same Idempotency-Key; with a secret the header `Tandem-Signature: sha256=…` is the
//! HMAC-SHA256 of the body, in hex.

use super::Message;
use super::attempts::{Attempt, Attempts};
use super::trust::{LONGEST_SECRET, authorities, read};
use crate::model::{HookUrl, Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Client, StatusCode, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const SIGNATURE: HeaderName = HeaderName::from_static("tandem-signature");

#[derive(Debug)]
pub(super) struct Webhook {
    /// Its host: the rest of its address may be a secret.
    name: String,
    url: Url,
    client: Client,
    key: Option<Key>,
}

/// Never shown.
struct Key(Vec<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key")
    }
}

impl Webhook {
    pub(super) fn new(
        url: &HookUrl,
        key: Option<&Secret>,
        ca: Option<&Secret>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let text = match url {
            HookUrl::Plain(url) => url.clone(),
            HookUrl::Secret(place) => String::from_utf8(read(place, LONGEST_SECRET)?)
                .map_err(|_| "its address is no text".to_owned())?,
        };
        let url = Url::parse(text.trim()).map_err(|error| format!("its address cannot be used: {error}"))?;
        let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https"));
        let host = host.ok_or("its address is neither https:// nor http://")?;
        let name = format!("webhook at {host}");
        let config = tls(ca, url.scheme() == "https")?;
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|error| without_address(&error))?;
        let key = key.map(|place| read(place, LONGEST_SECRET)).transpose()?.map(Key);
        Ok(Self { name, url, client, key })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends an event, more than once where that may help.
    pub(super) async fn call(&self, message: &Message<'_>) -> Result<(), String> {
        let body = message.text()?;
        let mut attempts = Attempts::begin();
        loop {
            match self.attempt(message, &body).await {
                Attempt::Taken => return Ok(()),
                Attempt::Refused(reason) => return Err(reason),
                Attempt::Failed(reason) => attempts.again(&self.name, reason).await?,
            }
        }
    }

    async fn attempt(&self, message: &Message<'_>, body: &[u8]) -> Attempt {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(IDEMPOTENCY_KEY, message.idempotency_key())
            .body(body.to_vec());
        if let Some(signature) = self.key.as_ref().and_then(|key| signature(key, body)) {
            request = request.header(SIGNATURE, signature);
        }
        match request.send().await {
            Ok(response) => judge(response.status()),
            Err(error) => Attempt::Failed(without_address(&error)),
        }
    }
}

fn judge(status: StatusCode) -> Attempt {
    let again = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    match (status.is_success(), again) {
        (true, _) => Attempt::Taken,
        (false, true) => Attempt::Failed(format!("it answered {status}")),
        (false, false) => Attempt::Refused(format!("it answered {status}: it is not tried again")),
    }
}

/// An error with its causes; never the address, which may be a secret.
fn without_address(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let words: Vec<String> = causes.map(ToString::to_string).collect();
    match words.last() {
        _ if error.is_timeout() => "no answer in time".to_owned(),
        Some(last) => last.clone(),
        None => "the request failed".to_owned(),
    }
}

fn signature(key: &Key, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).ok()?;
    mac.update(body);
    let sum = mac.finalize().into_bytes();
    let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("sha256={digits}"))
}

fn tls(ca: Option<&Secret>, is_needed: bool) -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    if is_needed || ca.is_some() {
        store.add_parsable_certificates(authorities(ca)?);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = builder.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn the_signature_is_the_hmac_of_the_body() {
        let signed = signature(&Key(b"Jefe".to_vec()), b"what do ya want for nothing?");
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signed.as_deref(), Some(expected));
    }

    #[test]
    fn what_may_pass_by_itself_is_tried_again() {
        let again =
            |status| matches!(judge(StatusCode::from_u16(status).expect("a status")), Attempt::Failed(_));
        assert!(again(503) && again(500) && again(429) && again(408));
        assert!(!again(404) && !again(401) && !again(301) && !again(204));
    }
}
