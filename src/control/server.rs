//! Serves the control socket (shell). Status is read from what the event loop published; an action waits in a bounded queue
//! for the event loop, for a bounded time. Every answer is JSON.

use super::action::{Action, Answer, ClearBody, ErrorBody, RefusalCode, Refused, ReleaseBody};
use super::caller::Caller;
use super::event_server::{self, MOST_SUBSCRIBERS};
use super::openapi::openapi;
use super::override_action::{OverrideBody, OverrideList};
use super::policy_action::{ConfirmBody, PolicyAction, PolicyHistory, ReloadBody, RollbackBody};
use super::servers::{ServerList, ServerQuery};
use super::socket::{Socket, SocketFile};
use super::status::Status;
use super::succession::{self, Candidate};
use super::tcp::{Api, Tcp};
use super::told::Told;
use crate::director::chronicle::Book;
use crate::director::snapshot::Snapshot;
use crate::observe::View;
use crate::serving::{self, Limits, Visitors};
use crate::time::{Instant, milliseconds};
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use nix::unistd::{Uid, User};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::timeout;

/// Actions that wait for the event loop at the same time.
pub const MOST_WAITING: usize = 16;
/// Bytes of a request's body.
const BODY_BYTES: usize = 4 * 1024;
/// How long the name of a user is looked up.
const NAME_TIME: Duration = Duration::from_millis(500);
/// The event loop answers within this time, or the caller is told that it did not.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// The same for a policy, which is read, validated and made ready beside the loop first.
const POLICY_TIME: Duration = Duration::from_secs(60);

/// The same for a successor, which reads and makes ready a policy, too.
const TAKEOVER_TIME: Duration = Duration::from_secs(180);

/// An action on its way to the event loop. One that is dropped is answered as "the director stops".
#[derive(Debug)]
pub struct Request {
    pub action: Action,
    /// Who asks.
    pub caller: Caller,
    /// Their name on this host.
    pub by: String,
    pub answer: oneshot::Sender<Result<Answer, Refused>>,
}

/// The control socket as the event loop has it: where it publishes, and where requests come from.
#[derive(Debug)]
pub struct Control {
    /// What is asked of the event loop. Never closed.
    pub requests: mpsc::Receiver<Request>,
    /// Processes that want to go on in this one's place. Never closed.
    pub successors: mpsc::Receiver<Candidate>,
    status: Arc<ArcSwap<Told>>,
    history: Arc<ArcSwap<PolicyHistory>>,
    shared: Shared,
    tcp: Option<Tcp>,
    _senders: (mpsc::Sender<Request>, mpsc::Sender<Candidate>),
    /// Streams end with it.
    _alive: watch::Sender<()>,
    task: Option<Task>,
    limits: Limits,
}

/// The task that serves; it ends, and the file goes, when this is dropped.
#[derive(Debug)]
struct Task {
    abort: AbortHandle,
    _file: SocketFile,
}

impl Task {
    fn serve(Socket { listener, file }: Socket, shared: &Shared, limits: Limits) -> Self {
        let shared = shared.clone();
        let router_of = move |stream: &UnixStream| router(shared.clone(), Caller::of(stream));
        let serve = serving::serve(listener, "control socket", limits, router_of);
        Self { abort: tokio::spawn(serve).abort_handle(), _file: file }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl Control {
    /// Serves `socket` in a task of its own until this value is dropped, which removes the socket's file. `started` is the
    /// moment of [`Instant::ZERO`]; without a socket nothing is served, and no request ever comes.
    #[must_use]
    pub fn serve(
        socket: Option<Socket>,
        first: Status,
        started: tokio::time::Instant,
        windows: Windows,
    ) -> Self {
        Self::serve_within(socket, first, started, windows, Limits::default())
    }

    pub(super) fn serve_within(
        socket: Option<Socket>,
        first: Status,
        started: tokio::time::Instant,
        windows: Windows,
        limits: Limits,
    ) -> Self {
        let (sender, requests) = mpsc::channel(MOST_WAITING);
        let (candidate, successors) = mpsc::channel(1);
        let status = Arc::new(ArcSwap::from_pointee(Told::from(first)));
        let history = Arc::new(ArcSwap::from_pointee(PolicyHistory::default()));
        let (alive, is_alive) = watch::channel(());
        let shared = Shared {
            status: Arc::clone(&status),
            history: Arc::clone(&history),
            started,
            windows,
            alive: is_alive,
            subscribers: Arc::new(Semaphore::new(MOST_SUBSCRIBERS)),
            requests: sender.downgrade(),
            successors: candidate.downgrade(),
        };
        let task = socket.map(|socket| Task::serve(socket, &shared, limits));
        Self {
            requests,
            successors,
            status,
            history,
            shared,
            tcp: None,
            _senders: (sender, candidate),
            _alive: alive,
            task,
            limits,
        }
    }

    /// Serves nobody any more, and takes the socket's file away: another process goes on. What was asked already is answered.
    pub fn close(&mut self) {
        (self.task, self.tcp) = (None, None);
    }

    /// Serves at a socket again.
    pub fn open(&mut self, socket: Option<Socket>) {
        self.task = socket.map(|socket| Task::serve(socket, &self.shared, self.limits));
    }

    /// Serves over TCP what the policy says now: where it is the same address, its connections go on; `None` ends it.
    /// `metrics` are served there too.
    pub fn renew_api(&mut self, api: Option<Api>, metrics: View, visitors: &Visitors) {
        self.tcp = api.and_then(|api| api.serve(self.tcp.take(), (&self.shared, metrics), visitors));
    }

    /// What `GET /v1/status` answers from now on.
    pub fn publish(&self, status: Status) {
        self.status.store(Arc::new(status.into()));
    }

    /// The same, made by the first who asks, and not here.
    pub fn publish_when_asked(&self, make: impl Fn() -> Status + Send + Sync + 'static) {
        self.status.store(Arc::new(Told::when_asked(make)));
    }

    /// What `GET /v1/history` answers from now on.
    pub fn publish_history(&self, history: PolicyHistory) {
        self.history.store(Arc::new(history));
    }
}

/// What those who only look see past the event loop: events, and everything that it published.
#[derive(Clone, Debug)]
pub struct Windows {
    pub book: Book,
    pub snapshot: Arc<ArcSwap<Snapshot>>,
}

/// What every connection is answered from.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    status: Arc<ArcSwap<Told>>,
    history: Arc<ArcSwap<PolicyHistory>>,
    pub(super) started: tokio::time::Instant,
    pub(super) windows: Windows,
    /// Closed when the director goes.
    pub(super) alive: watch::Receiver<()>,
    /// Places of those who follow the events.
    pub(super) subscribers: Arc<Semaphore>,
    /// Weak, so that a director that has gone is noticed.
    requests: mpsc::WeakSender<Request>,
    pub(super) successors: mpsc::WeakSender<Candidate>,
}

#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) shared: Shared,
    pub(super) caller: Caller,
}

/// What there is to ask.
const PATHS: &str = "GET /v1/status, /v1/servers, /v1/overrides, /v1/history, /v1/events, /v1/events/stream, /v1/explain/POOL and /v1/openapi.json, POST /v1/override, /v1/release, /v1/clear, /v1/reload, /v1/confirm, /v1/rollback and /v1/takeover";

pub(super) fn router(shared: Shared, caller: Caller) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/servers", get(servers))
        .route("/v1/overrides", get(overrides))
        .route("/v1/override", post(act::<OverrideBody>))
        .route("/v1/release", post(act::<ReleaseBody>))
        .route("/v1/clear", post(act::<ClearBody>))
        .route("/v1/reload", post(act::<ReloadBody>))
        .route("/v1/confirm", post(act::<ConfirmBody>))
        .route("/v1/rollback", post(act::<RollbackBody>))
        .route("/v1/history", get(history))
        .merge(succession::routes())
        .merge(event_server::routes())
        .route("/v1/openapi.json", get(document))
        .fallback(async || {
            refuse(Refused::new(RefusalCode::NotFound, format!("no such path; there are {PATHS}")))
        })
        .method_not_allowed_fallback(async || {
            let message = format!("no such method here; there are {PATHS}");
            refuse(Refused::new(RefusalCode::MethodNotAllowed, message))
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(Connection { shared, caller })
}

async fn status(State(connection): State<Connection>) -> Response {
    let told = connection.shared.status.load_full();
    let started = connection.shared.started;
    let answer = move || {
        let published = told.status();
        let now = Instant::ZERO + started.elapsed();
        let age = now.saturating_since(Instant::from_millis(published.uptime_ms));
        let age_ms = milliseconds(age);
        json(StatusCode::OK, &Status { age_ms, ..Status::clone(&published) })
    };
    beside(answer).await
}

/// The parameters of a request, or what is wrong with them.
pub(super) fn understood<Q>(query: Result<Query<Q>, QueryRejection>) -> Result<Q, Refused> {
    query.map(|Query(query)| query).map_err(|rejection| {
        Refused::new(RefusalCode::BadRequest, format!("the parameters are not understood: {rejection}"))
    })
}

/// Makes an answer that may be megabytes: not on the threads that everything else waits for.
pub(super) async fn beside(answer: impl FnOnce() -> Response + Send + 'static) -> Response {
    spawn_blocking(answer).await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn servers(
    State(connection): State<Connection>,
    query: Result<Query<ServerQuery>, QueryRejection>,
) -> Response {
    let query = match understood(query) {
        Ok(query) => query,
        Err(refused) => return refuse(refused),
    };
    let snapshot = connection.shared.windows.snapshot.load_full();
    beside(move || json(StatusCode::OK, &ServerList::of(&snapshot, &query))).await
}

async fn overrides(State(connection): State<Connection>) -> Response {
    let snapshot = connection.shared.windows.snapshot.load_full();
    json(StatusCode::OK, &OverrideList::of(&snapshot))
}

async fn history(State(connection): State<Connection>) -> Response {
    json(StatusCode::OK, &*connection.shared.history.load_full())
}

async fn document() -> Response {
    static DOCUMENT: LazyLock<serde_json::Value> = LazyLock::new(openapi);
    json(StatusCode::OK, &*DOCUMENT)
}

pub(super) async fn act<B>(
    State(connection): State<Connection>,
    body: Result<Bytes, BytesRejection>,
) -> Response
where
    B: DeserializeOwned,
    Action: TryFrom<B, Error = Refused>,
{
    let action = match read::<B>(body).and_then(Action::try_from) {
        Ok(action) => action,
        Err(refused) => return refuse(refused),
    };
    let asked = action.to_string();
    let answer = hand_over(&connection, action).await;
    let caller = &connection.caller;
    match answer {
        Ok(answer) => {
            tracing::info!("{asked}, asked by {caller}: {}", answer.message);
            json(StatusCode::ACCEPTED, &answer)
        }
        Err(refused) => {
            tracing::warn!("{asked}, asked by {caller}, was refused: {refused}");
            refuse(refused)
        }
    }
}

/// The body; none at all is one that says nothing.
fn read<B: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<B, Refused> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refused::new(
            RefusalCode::TooLarge,
            format!("the body is larger than {BODY_BYTES} bytes; no request is so large"),
        ),
        _ => Refused::new(RefusalCode::BadRequest, format!("the body cannot be read: {rejection}")),
    })?;
    let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    serde_json::from_slice(&body).map_err(|error| {
        Refused::new(RefusalCode::BadRequest, format!("the body is not what is asked for: {error}"))
    })
}

async fn hand_over(connection: &Connection, action: Action) -> Result<Answer, Refused> {
    let stops = || Refused::new(RefusalCode::Unavailable, "the director stops; nothing was done");
    let requests = connection.shared.requests.upgrade().ok_or_else(stops)?;
    let within = match action {
        Action::Policy(PolicyAction::Reload { .. } | PolicyAction::Rollback) => POLICY_TIME,
        Action::Policy(PolicyAction::Confirm) | Action::Election(_) | Action::Override(_) => ANSWER_TIME,
        Action::Takeover => TAKEOVER_TIME,
    };
    let (answer, answered) = oneshot::channel();
    let caller = connection.caller.clone();
    let by = name_of(&caller).await;
    requests.try_send(Request { action, caller, by, answer }).map_err(|error| match error {
        TrySendError::Full(_) => Refused::busy(),
        TrySendError::Closed(_) => stops(),
    })?;
    drop(requests);
    match timeout(within, answered).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(stops()),
        Err(_) => Err(Refused::new(
            RefusalCode::TimedOut,
            format!(
                "the event loop did not answer within {} s; it may still do it: look at `tandem status`",
                within.as_secs()
            ),
        )),
    }
}

/// The name of a token, or of a user; looking that up may ask a directory service, which may be out of order just now.
async fn name_of(caller: &Caller) -> String {
    let uid = match (&caller.token, caller.uid) {
        (Some(token), _) => return token.to_string(),
        (None, None) => return "unknown".to_owned(),
        (None, Some(uid)) => uid,
    };
    let look = spawn_blocking(move || User::from_uid(Uid::from_raw(uid)).ok().flatten());
    match timeout(NAME_TIME, look).await {
        Ok(Ok(Some(user))) => user.name,
        _ => format!("uid {uid}"),
    }
}

pub(super) fn refuse(refused: Refused) -> Response {
    let status =
        StatusCode::from_u16(refused.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, &ErrorBody { error: refused })
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(mut text) => {
            text.push(b'\n');
            (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
