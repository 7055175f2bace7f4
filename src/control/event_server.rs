//! Events over the control API (shell): a list, a stream of server-sent events, and why things are as they are.
//!
//! A stream holds nothing but its place in the chronicle: it reads on from there when its reader has taken what came before.
//! Bounded: the streams at the same time, the events read at once, and how long a reader may take nothing. What a slow reader
//! has missed is told by an event `lost` with the number.

use super::action::{RefusalCode, Refused};
use super::event::{EventList, EventQuery, EventRecord, MOST_EVENTS};
use super::explain::explain;
use super::server::{Connection, Windows, beside, json, refuse, understood};
use crate::director::chronicle::Book;
use crate::peer::PeersView;
use crate::serving::Patience;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

/// Streams at the same time.
pub(super) const MOST_SUBSCRIBERS: usize = 8;
/// Events that a stream reads at once.
const AT_ONCE: usize = 64;
/// Without an event a comment is sent so often: a reader that hears nothing for longer has lost its director.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// A reader that takes nothing for so long is let go.
const LONGEST_STALL: Duration = Duration::from_secs(60);
/// The header of a reader that comes back (Server-sent events, HTML Living Standard, section 9.2.4).
const LAST_EVENT_ID: &str = "last-event-id";

pub(super) fn routes() -> Router<Connection> {
    Router::new()
        .route("/v1/events", get(events))
        .route("/v1/events/stream", get(stream))
        .route("/v1/explain/{pool}", get(why))
}

type Asked = Result<Query<EventQuery>, QueryRejection>;

async fn events(State(connection): State<Connection>, query: Asked) -> Response {
    let asked = understood(query).and_then(|query| query.limit().map(|limit| (query, limit)));
    let (query, limit) = match asked {
        Ok(asked) => asked,
        Err(refused) => return refuse(refused),
    };
    let Windows { book, snapshot } = connection.shared.windows;
    // Ten thousand events are some megabytes of text.
    beside(move || {
        let others = told_by_others(&snapshot.load().peers, &query, limit);
        json(StatusCode::OK, &EventList { others, ..book.find(&query, limit).told() })
    })
    .await
}

/// The newest events of the other directors that a query asks for, the oldest first.
fn told_by_others(peers: &PeersView, query: &EventQuery, limit: usize) -> Vec<EventRecord> {
    let all = peers.channels.iter().flat_map(|channel| channel.happened.events());
    let mut events: Vec<EventRecord> =
        all.filter(|event| query.takes(event)).map(|event| EventRecord::clone(event)).collect();
    events.sort_by_key(|event| event.unix_ms);
    events.split_off(events.len().saturating_sub(limit))
}

/// Parameters of `GET /v1/explain/{pool}`.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyQuery {
    /// The real server, by its name; missing: the pool as a whole.
    server: Option<String>,
}

async fn why(
    State(connection): State<Connection>,
    Path(pool): Path<String>,
    query: Result<Query<WhyQuery>, QueryRejection>,
) -> Response {
    let WhyQuery { server } = match understood(query) {
        Ok(query) => query,
        Err(refused) => return refuse(refused),
    };
    let Windows { book, snapshot } = connection.shared.windows;
    beside(move || {
        let query = EventQuery { pool: Some(pool.clone()), ..EventQuery::default() };
        let events = book.find(&query, MOST_EVENTS).events;
        match explain(&snapshot.load(), &events, &pool, server.as_deref()) {
            Ok(explanation) => json(StatusCode::OK, &explanation),
            Err(refused) => refuse(refused),
        }
    })
    .await
}

async fn stream(
    State(connection): State<Connection>,
    Extension(patience): Extension<Patience>,
    headers: HeaderMap,
    query: Asked,
) -> Response {
    let query = match understood(query) {
        Ok(query) => query,
        Err(refused) => return refuse(refused),
    };
    let Ok(place) = Arc::clone(&connection.shared.subscribers).try_acquire_owned() else {
        let message =
            format!("{MOST_SUBSCRIBERS} follow the events already; ask for /v1/events now and then");
        return refuse(Refused::new(RefusalCode::Unavailable, message));
    };
    let book = connection.shared.windows.book;
    let came_back = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let alive = connection.shared.alive.clone();
    let reader = Reader::new(book, query, came_back, Bounds { patience, alive, _place: place });
    Sse::new(reader.events()).into_response()
}

/// One stream.
#[derive(Debug)]
struct Reader {
    book: Book,
    newest: watch::Receiver<u64>,
    query: EventQuery,
    /// The number of the last event that was read.
    at: u64,
    /// Whether the first look goes back as far as there is anything.
    from_the_oldest: bool,
    read: VecDeque<Arc<EventRecord>>,
    lost: u64,
    bounds: Bounds,
}

/// What a stream lives by.
#[derive(Debug)]
struct Bounds {
    patience: Patience,
    /// Closed when the director goes.
    alive: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    fn new(book: Book, query: EventQuery, came_back: Option<u64>, bounds: Bounds) -> Self {
        let newest = book.follow();
        // Who says nothing of the past gets what comes from now on.
        let at = came_back.or(query.after).unwrap_or(match query.since_ms {
            Some(_) => 0,
            None => book.last_id(),
        });
        let (from_the_oldest, read, lost) = (at == 0, VecDeque::new(), 0);
        Self { book, newest, query, at, from_the_oldest, read, lost, bounds }
    }

    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, |mut reader| async move {
            let event = reader.next().await?;
            Some((Ok(event), reader))
        })
    }

    /// `None`: the director goes.
    async fn next(&mut self) -> Option<Event> {
        // The reader has taken what came before.
        self.bounds.patience.lengthen(LONGEST_STALL);
        loop {
            if self.lost > 0 {
                let lost = std::mem::take(&mut self.lost);
                return Some(Event::default().event("lost").data(lost.to_string()));
            }
            while let Some(event) = self.read.pop_front() {
                if self.query.takes(&event) {
                    return Some(told(&event));
                }
            }
            self.newest.borrow_and_update();
            self.read_on();
            if !self.read.is_empty() || self.lost > 0 {
                continue;
            }
            tokio::select! {
                news = timeout(HEARTBEAT, self.newest.changed()) => if news.is_err() {
                    return Some(Event::default().comment("still here"));
                },
                _ = self.bounds.alive.changed() => return None,
            }
        }
    }

    fn read_on(&mut self) {
        let page = self.book.after(self.at, AT_ONCE);
        // Who asks from 0 on gets what there is: that is no loss.
        self.lost = if std::mem::take(&mut self.from_the_oldest) { 0 } else { page.lost };
        self.at = page.events.last().map_or_else(|| self.at.min(self.book.last_id()), |event| event.id);
        self.read = page.events.into();
    }
}

fn told(event: &EventRecord) -> Event {
    let id = event.id.to_string();
    match serde_json::to_string(event) {
        Ok(text) => Event::default().id(id).data(text),
        Err(_) => Event::default().id(id).comment("an event that cannot be written"),
    }
}
