//! Asks a running director over its control socket (shell): one connection a request, all of it within a bounded time.

use super::action::{Answer, ClearBody, ErrorBody, RefusalCode, Refused, ReleaseBody};
use super::event::{EventList, EventQuery};
use super::explain::Explanation;
use super::override_action::{OverrideBody, OverrideList};
use super::policy_action::{ConfirmBody, PolicyHistory, ReloadBody, RollbackBody};
use super::servers::{ServerList, ServerQuery};
use super::status::Status;
use super::succession::{SUCCESSION, SUCCESSION_PATH, TakeoverBody};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::HeaderValue;
use hyper::upgrade::Upgraded;
use hyper::{Method, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// A request ends within this time: longer than the server waits for its event loop.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// The same for a policy.
const POLICY_TIME: Duration = Duration::from_secs(65);
/// The same for a takeover: longer than the director waits for its successor.
const TAKEOVER_TIME: Duration = Duration::from_secs(185);
/// Bytes of an answer: a status of a hundred thousand pools is some twenty megabytes.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Who asks, and what carries it.
type Connected = (http1::SendRequest<Full<Bytes>>, http1::Connection<TokioIo<UnixStream>, Full<Bytes>>);

/// Why there is no answer, or not the wanted one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no director answers at {path}: {reason}; start one, or name its socket with --socket")]
    NoDirector { path: PathBuf, reason: String },
    #[error("you may not use {path}: be root, or a member of the socket's group")]
    NotAllowed { path: PathBuf },
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("what answers at {path} is no director of this version: {reason}")]
    Strange { path: PathBuf, reason: String },
}

/// A way to one director.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
    within: Duration,
}

impl Client {
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), within: REQUEST_TIME }
    }

    #[cfg(test)]
    pub(super) fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// The director's status as it was last published.
    ///
    /// # Errors
    /// When nothing answers, or something else does.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.ask(Method::GET, "/v1/status", Bytes::new()).await
    }

    /// Whatever a path answers, as it is: a later director may say more than this program knows.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn value(&self, path: &str) -> Result<serde_json::Value, ClientError> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Has mastership handed over.
    ///
    /// # Errors
    /// When nothing answers, or the director refuses.
    pub async fn release(&self, body: &ReleaseBody) -> Result<Answer, ClientError> {
        self.ask(Method::POST, "/v1/release", self.text(body)?).await
    }

    /// Orders something of servers or of a pool; the answer comes when it is kept.
    ///
    /// # Errors
    /// When nothing answers, or the director refuses.
    pub async fn order(&self, body: &OverrideBody) -> Result<Answer, ClientError> {
        self.ask(Method::POST, "/v1/override", self.text(body)?).await
    }

    /// What operators ordered.
    ///
    /// # Errors
    /// When nothing answers, or something else does.
    pub async fn overrides(&self) -> Result<OverrideList, ClientError> {
        self.ask(Method::GET, "/v1/overrides", Bytes::new()).await
    }

    /// The servers of pools.
    ///
    /// # Errors
    /// When nothing answers, or something else does.
    pub async fn servers(&self, query: &ServerQuery) -> Result<ServerList, ClientError> {
        self.ask(Method::GET, &query.path(), Bytes::new()).await
    }

    /// Has releases or overrides ended.
    ///
    /// # Errors
    /// When nothing answers, or the director refuses.
    pub async fn clear(&self, body: &ClearBody) -> Result<Answer, ClientError> {
        self.ask(Method::POST, "/v1/clear", self.text(body)?).await
    }

    /// Has the policy's file taken over; the answer comes when it is in force.
    ///
    /// # Errors
    /// When nothing answers, or the director refuses: the policy before stays in force.
    pub async fn reload(&self, body: &ReloadBody) -> Result<Answer, ClientError> {
        self.patient().ask(Method::POST, "/v1/reload", self.text(body)?).await
    }

    /// Has the policy kept that is to be confirmed.
    ///
    /// # Errors
    /// When nothing answers, or nothing is to be confirmed.
    pub async fn confirm(&self) -> Result<Answer, ClientError> {
        self.ask(Method::POST, "/v1/confirm", self.text(&ConfirmBody {})?).await
    }

    /// Has the policy before put in force again.
    ///
    /// # Errors
    /// When nothing answers, or there is none.
    pub async fn rollback(&self) -> Result<Answer, ClientError> {
        self.patient().ask(Method::POST, "/v1/rollback", self.text(&RollbackBody {})?).await
    }

    /// The policies that were taken over.
    ///
    /// # Errors
    /// When nothing answers, or something else does.
    pub async fn history(&self) -> Result<PolicyHistory, ClientError> {
        self.ask(Method::GET, "/v1/history", Bytes::new()).await
    }

    /// What has happened.
    ///
    /// # Errors
    /// When nothing answers, or the director refuses.
    pub async fn events(&self, query: &EventQuery) -> Result<EventList, ClientError> {
        self.ask(Method::GET, &self.path_of("/v1/events", query)?, Bytes::new()).await
    }

    /// Has the installed program go on in the running one's place; the answer comes when it serves.
    ///
    /// # Errors
    /// When nothing answers, or the director goes on itself: nothing has changed then.
    pub async fn takeover(&self) -> Result<Answer, ClientError> {
        let longer = Self { within: self.within.max(TAKEOVER_TIME), ..self.clone() };
        longer.ask(Method::POST, "/v1/takeover", self.text(&TakeoverBody {})?).await
    }

    /// A conversation with the running director about going on in its place.
    ///
    /// # Errors
    /// When nothing answers, or the director refuses.
    pub async fn succeed(&self) -> Result<TokioIo<Upgraded>, ClientError> {
        let opened = async {
            let (mut sender, connection) = self.connect().await?;
            tokio::spawn(connection.with_upgrades());
            let mut request = self.request(Method::GET, SUCCESSION_PATH, Bytes::new())?;
            let headers = request.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static(SUCCESSION));
            let response = sender.send_request(request).await.map_err(|error| self.strange(error))?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let upgraded = hyper::upgrade::on(response).await.map_err(|error| self.strange(error))?;
                return Ok(TokioIo::new(upgraded));
            }
            Err(self.refusal(response).await)
        };
        let late = || self.strange(format!("no answer within {} ms", self.within.as_millis()));
        timeout(self.within, opened).await.unwrap_or_else(|_| Err(late()))
    }

    /// Why a pool, or one of its real servers, is as it is.
    ///
    /// # Errors
    /// When nothing answers, or there is no such pool or server.
    pub async fn explain(&self, pool: &str, server: Option<&str>) -> Result<Explanation, ClientError> {
        // A name has no other characters, so one that has is none, and changes no path.
        let is_plain = |name: &str| {
            name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-'))
        };
        if pool.is_empty() || !is_plain(pool) {
            let message = format!("{pool:?} cannot be the name of a pool; `tandem status` lists the pools");
            return Err(Refused::new(RefusalCode::BadRequest, message).into());
        }
        let query: Vec<_> = server.map(|server| ("server", server)).into_iter().collect();
        let path = self.path_of(&format!("/v1/explain/{pool}"), &query)?;
        self.ask(Method::GET, &path, Bytes::new()).await
    }

    /// A path with its parameters.
    pub(super) fn path_of(&self, path: &str, query: &impl Serialize) -> Result<String, ClientError> {
        let query = serde_urlencoded::to_string(query).map_err(|error| self.strange(error))?;
        Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
    }

    /// The same way, for what takes longer.
    fn patient(&self) -> Self {
        Self { within: self.within.max(POLICY_TIME), ..self.clone() }
    }

    fn text(&self, body: &impl Serialize) -> Result<Bytes, ClientError> {
        serde_json::to_vec(body).map(Bytes::from).map_err(|error| self.strange(error))
    }

    async fn ask<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<A, ClientError> {
        match timeout(self.within, self.exchange(method, path, body)).await {
            Ok(Ok((status, body))) => self.understood(status, &body),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(self.no_director(format!("no answer within {} ms", self.within.as_millis()))),
        }
    }

    /// Asks for what has no end; its connection is driven by a task.
    pub(super) async fn open(&self, path: &str) -> Result<Incoming, ClientError> {
        let opened = async {
            let (mut sender, connection) = self.connect().await?;
            tokio::spawn(connection);
            let request = self.request(Method::GET, path, Bytes::new())?;
            let response = sender.send_request(request).await.map_err(|error| self.no_director(error))?;
            if response.status().is_success() {
                return Ok(response.into_body());
            }
            Err(self.refusal(response).await)
        };
        let late = || self.no_director(format!("no answer within {} ms", self.within.as_millis()));
        timeout(self.within, opened).await.unwrap_or_else(|_| Err(late()))
    }

    /// A connection; its second half has to be driven.
    async fn connect(&self) -> Result<Connected, ClientError> {
        let stream = UnixStream::connect(&self.path).await.map_err(|error| self.cannot_connect(&error))?;
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.no_director(error))
    }

    /// An answer with all of its body.
    async fn whole(&self, response: Response<Incoming>) -> Result<(StatusCode, Bytes), ClientError> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        Ok((head.status, body.map_err(|error| self.strange(error))?.to_bytes()))
    }

    /// What an answer says that is not the one that was asked for.
    async fn refusal(&self, response: Response<Incoming>) -> ClientError {
        match self.whole(response).await {
            Ok((status, body)) => match self.understood::<()>(status, &body) {
                Ok(()) => self.strange(format!("HTTP status {status}")),
                Err(error) => error,
            },
            Err(error) => error,
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<hyper::Request<Full<Bytes>>, ClientError> {
        hyper::Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| self.strange(error))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let (mut sender, connection) = self.connect().await?;
        let request = self.request(method, path, body)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| self.no_director(error))?;
            self.whole(response).await
        };
        // The exchange tells of every error; the connection only has to be driven along.
        let driven = async {
            let _ = connection.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = exchange => answer,
            () = driven => Err(self.no_director("the connection ended")),
        }
    }

    fn understood<A: DeserializeOwned>(&self, status: StatusCode, body: &[u8]) -> Result<A, ClientError> {
        if status.is_success() {
            return serde_json::from_slice(body).map_err(|error| self.strange(error));
        }
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) => Err(body.error.into()),
            Err(_) => Err(self.strange(format!("HTTP status {status}"))),
        }
    }

    fn cannot_connect(&self, error: &io::Error) -> ClientError {
        match error.kind() {
            ErrorKind::PermissionDenied => ClientError::NotAllowed { path: self.path.clone() },
            ErrorKind::NotFound => self.no_director("there is no such socket"),
            ErrorKind::ConnectionRefused => self.no_director("nobody listens there any more"),
            _ => self.no_director(error),
        }
    }

    pub(super) fn no_director(&self, reason: impl ToString) -> ClientError {
        ClientError::NoDirector { path: self.path.clone(), reason: reason.to_string() }
    }

    pub(super) fn strange(&self, reason: impl ToString) -> ClientError {
        ClientError::Strange { path: self.path.clone(), reason: reason.to_string() }
    }
}
