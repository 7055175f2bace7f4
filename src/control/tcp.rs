//! The API and the status page over TCP (shell): made ready without changing anything, then served; a reload swaps tokens and
//! certificate under a listener that stays, or brings another listener before this one goes.
//!
//! Bounded: connections and requests in all and of one address, by `serving`; the times of a TLS handshake, a header and a
//! connection, and the sizes of header and body. It shares nothing with the control socket and the metrics listener but the
//! views that the event loop publishes, and with the latter the thread.

use super::access::{Asked, Shown, Way, Wish, judge};
use super::action::{RefusalCode, Refused};
use super::caller::Caller;
use super::page;
use super::server::{Shared, refuse, router};
use super::tokens::Tokens;
use crate::model::{ApiScope, ApiSettings, ApiTls, Secret};
use crate::observe::{View, routes};
use crate::secret;
use crate::serving::{self, Served, Visitor, Visitors, retry_after};
use arc_swap::ArcSwap;
use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Bytes of a file with certificates or a key, at most.
const LONGEST_PEM: usize = 1024 * 1024;
/// Bytes of a token's file, at most: beyond it nothing is a token, and its length is told.
const LONGEST_TOKEN: usize = 4096;

/// Why the API cannot be served over TCP. The sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("cannot serve the API at {address}: {advice}")]
    Listen { address: SocketAddr, advice: String, source: io::Error },
    #[error(
        "the API is served at {now}: another address with the same port needs a restart; or name another port"
    )]
    SamePort { now: SocketAddr },
    #[error("the API's {what}: {place}: {why}")]
    Unusable { what: String, place: String, why: String },
    #[error("the API's files could not be read: {0}")]
    Unread(#[from] tokio::task::JoinError),
}

/// What decides on requests; a reload swaps it whole.
struct Gate {
    tls: Option<TlsAcceptor>,
    tokens: Tokens,
    allowed: BTreeSet<String>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gate").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

/// An API that is ready to be served: its files are read, and its port is taken where it is a new one.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    gate: Gate,
    listener: Option<TcpListener>,
}

/// One that is served; it ends when this is dropped, but for the requests under way.
#[derive(Debug)]
pub(super) struct Tcp {
    address: SocketAddr,
    gate: Arc<ArcSwap<Gate>>,
    _served: Served,
}

impl Api {
    /// Makes ready what the policy asks for, beside one that is served at `now`. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// When a file cannot be used, or the port is taken.
    pub async fn prepare(
        settings: Option<&ApiSettings>,
        now: Option<SocketAddr>,
    ) -> Result<Option<Self>, ApiError> {
        let Some(settings) = settings.cloned() else { return Ok(None) };
        let address = settings.listen;
        let gate = spawn_blocking(move || Gate::read(&settings)).await??;
        let listener = match now {
            Some(now) if now == address => None,
            Some(now) if now.port() == address.port() => return Err(ApiError::SamePort { now }),
            Some(_) | None => Some(listen(address).await?),
        };
        Ok(Some(Self { address, gate, listener }))
    }

    /// Where it listens: the port is the system's choice where 0 was asked for. `None`: where it is served already.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.listener.as_ref()?.local_addr().ok()
    }

    /// Has it served from now on, instead of `before`.
    pub(super) fn serve(
        self,
        before: Option<Tcp>,
        (shared, metrics): (&Shared, View),
        visitors: &Visitors,
    ) -> Option<Tcp> {
        let Self { address, gate, listener } = self;
        let Some(listener) = listener else {
            let before = before.filter(|before| before.address == address)?;
            before.gate.store(Arc::new(gate));
            return Some(before);
        };
        // Where port 0 was asked for it is another one.
        let address = listener.local_addr().unwrap_or(address);
        let gate = Arc::new(ArcSwap::from_pointee(gate));
        let reception =
            Reception { shared: shared.clone(), metrics: routes(metrics), gate: Arc::clone(&gate) };
        let _served = visitors.serve(listener, "API", move |stream, visitor| {
            let reception = reception.clone();
            async move { reception.receive(stream, visitor).await.unwrap_or_default() }
        });
        Some(Tcp { address, gate, _served })
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ApiError> {
    let advise = |source: io::Error| {
        let advice = match source.kind() {
            ErrorKind::AddrInUse => "another program holds this port; stop it, or choose another one in `api: {listen: …}`".to_owned(),
            ErrorKind::AddrNotAvailable => {
                "this is not an address of this host; use one that it has in `api: {listen: …}`".to_owned()
            }
            ErrorKind::PermissionDenied => {
                "a port below 1024 needs the capability CAP_NET_BIND_SERVICE; choose a higher one in `api: {listen: …}`".to_owned()
            }
            _ => source.to_string(),
        };
        ApiError::Listen { address, advice, source }
    };
    serving::bind(address).await.map_err(advise)
}

impl Gate {
    fn read(settings: &ApiSettings) -> Result<Self, ApiError> {
        let mut tokens = Tokens::default();
        for token in &settings.tokens {
            let what = || format!("token {}", token.name);
            let bytes = secret::without_newline(read(&token.token, LONGEST_TOKEN, &what)?);
            let added = tokens.add(&token.name, token.scope, &bytes);
            added.map_err(|error| unusable(&token.token, &what, error))?;
        }
        let tls = settings.tls.as_ref().map(acceptor).transpose()?;
        Ok(Self { tls, tokens, allowed: settings.allowed_hosts.clone() })
    }
}

fn read(place: &Secret, longest: usize, what: &dyn Fn() -> String) -> Result<Vec<u8>, ApiError> {
    let path = secret::path_of(place).map_err(|none| unusable(place, what, none))?;
    let content = secret::read(&path, longest).map_err(|error| {
        unusable(place, what, format!("{error}; the director's user must be able to read it"))
    })?;
    content.ok_or_else(|| unusable(place, what, format!("it is larger than {longest} bytes")))
}

fn unusable(place: &Secret, what: &dyn Fn() -> String, why: impl ToString) -> ApiError {
    let place = match place {
        Secret::File(path) => path.display().to_string(),
        Secret::Credential(name) => format!("the credential {name}"),
    };
    ApiError::Unusable { what: what(), place, why: why.to_string() }
}

fn acceptor(tls: &ApiTls) -> Result<TlsAcceptor, ApiError> {
    let (of_certificate, of_key) = (|| "certificate".to_owned(), || "key".to_owned());
    let pem = read(&tls.certificate, LONGEST_PEM, &of_certificate)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| unusable(&tls.certificate, &of_certificate, error))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&tls.key, LONGEST_PEM, &of_key)?);
    // What the library says of a key may show some of it.
    let key = key.map_err(|_| unusable(&tls.key, &of_key, "it is no private key in PEM"))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = builder
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| unusable(&tls.certificate, &of_certificate, error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Where each connection is answered.
#[derive(Clone)]
struct Reception {
    shared: Shared,
    metrics: Router,
    gate: Arc<ArcSwap<Gate>>,
}

impl Reception {
    async fn receive(&self, stream: TcpStream, visitor: Visitor) -> Option<()> {
        let own = stream.local_addr().ok()?.ip().to_canonical();
        let gate = self.gate.load_full();
        let near = own.is_loopback() && visitor.address.is_loopback();
        let way = Way { own, near, tls: gate.tls.is_some() };
        let service = service_fn(|mut request: Request<Incoming>| async {
            request.extensions_mut().insert(visitor.patience.clone());
            Ok::<_, Infallible>(self.answer(request, way, &visitor, &gate).await)
        });
        match &gate.tls {
            None => visitor.converse(stream, service).await,
            Some(tls) => {
                let session = timeout(visitor.limits.header, tls.accept(stream)).await.ok()?.ok()?;
                visitor.converse(session, service).await
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>, way: Way, visitor: &Visitor, gate: &Gate) -> Response {
        let (token, name) = gate.tokens.shown(bytes(request.headers(), &header::AUTHORIZATION));
        let allowed = within_its_rate(visitor).and_then(|()| self.judge(&request, way, token, gate));
        let mut response = match allowed {
            Err(refused) => refusal(refused, visitor),
            Ok(()) => match page::asset(request.uri().path()).filter(|_| is_look(request.method())) {
                Some(asset) => page::response(&asset),
                None => self.routed(request, Caller::over_tcp(visitor.address, name)).await,
            },
        };
        if let Some(scope) = scope(way, token) {
            response.headers_mut().insert(MAY, HeaderValue::from_static(scope.name()));
        }
        protect(response.headers_mut());
        response
    }

    fn judge(&self, request: &Request<Incoming>, way: Way, token: Shown, gate: &Gate) -> Result<(), Refused> {
        let headers = request.headers();
        let asked = Asked {
            way,
            wish: wish(request.method(), request.uri().path()),
            token,
            // An absolute request target stands for the header (RFC 9112, section 3.2.2).
            host: request
                .uri()
                .authority()
                .map(|authority| authority.as_str())
                .or(text(headers, &header::HOST)),
            origin: text(headers, &header::ORIGIN),
            fetch_site: text(headers, &HeaderName::from_static("sec-fetch-site")),
            content_type: text(headers, &header::CONTENT_TYPE),
        };
        judge(&asked, &gate.allowed)
    }

    async fn routed(&self, request: Request<Incoming>, caller: Caller) -> Response {
        let router = router(self.shared.clone(), caller).merge(self.metrics.clone());
        let Ok(response) = TowerToHyperService::new(router).call(request).await;
        response
    }
}

fn within_its_rate(visitor: &Visitor) -> Result<(), Refused> {
    visitor.pace.map_err(|_| {
        Refused::new(
            RefusalCode::TooManyRequests,
            "this address asks more often than any person or program needs to; ask again in a second",
        )
    })
}

/// What the caller may do; the page shows by it what can be clicked.
const MAY: HeaderName = HeaderName::from_static("tandem-may");

fn scope(way: Way, token: Shown) -> Option<ApiScope> {
    match token {
        Shown::Known(scope) => Some(scope),
        Shown::Nothing => way.near.then_some(ApiScope::Read),
        Shown::Unknown => None,
    }
}

const fn is_look(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn wish(method: &Method, path: &str) -> Wish {
    match is_look(method) {
        true if page::asset(path).is_some() => Wish::Page,
        true => Wish::Read,
        false => Wish::Act,
    }
}

fn bytes<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    headers.get(name).map(HeaderValue::as_bytes)
}

/// A header's text; one that is none is as good as a wrong one.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn refusal(refused: Refused, visitor: &Visitor) -> Response {
    let code = refused.code;
    let mut response = refuse(refused);
    let hint = match code {
        RefusalCode::Unauthorized => {
            Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tandem\"")))
        }
        RefusalCode::TooManyRequests => {
            visitor.pace.err().map(|wait| (header::RETRY_AFTER, retry_after(wait)))
        }
        _ => None,
    };
    if let Some((name, value)) = hint {
        response.headers_mut().insert(name, value);
    }
    response
}

/// What a browser is told of every answer: it runs nothing but the page's own files, is framed by nobody, guesses no types,
/// keeps nothing and tells nobody where it was.
pub const PROTECTION: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

fn protect(headers: &mut HeaderMap) {
    for (name, value) in PROTECTION {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
