//! The way to a running director: a JSON API of version 1 over HTTP/1.1 on a Unix socket.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/status` | [`Status`]: the last published view; never asks the event loop |
//! | `POST /v1/release` with [`ReleaseBody`] | 202 and [`Answer`], or [`Refused`] |
//! | `POST /v1/clear` with [`ClearBody`] | the same |
//! | `POST /v1/reload` with [`ReloadBody`] | the same, when the policy is in force or refused |
//! | `POST /v1/confirm`, `POST /v1/rollback` | the same |
//! | `POST /v1/override` with [`OverrideBody`] | the same |
//! | `POST /v1/takeover` with [`TakeoverBody`] | the same, when another process serves or cannot; for root alone |
//! | `GET /v1/overrides` | [`OverrideList`] |
//! | `GET /v1/servers?pool=&server=` | [`ServerList`] |
//! | `GET /v1/history` | [`PolicyHistory`] |
//! | `GET /v1/events` with the parameters of [`EventQuery`] | [`EventList`] |
//! | `GET /v1/explain/{pool}` with `server=NAME` or not | [`Explanation`] |
//! | `GET /v1/events/stream` with the same | server-sent events, an [`EventRecord`] each, until the caller goes |
//! | `GET /v1/openapi.json` | all of this, by OpenAPI 3.1 |
//!
//! Every error is JSON too, [`ErrorBody`], under a matching status code. What is to be done goes to the event loop through a
//! bounded queue as a [`Request`]; the loop asks [`judge`], gives the command and answers. Whoever may write to the socket may
//! act: its owner and its group. The same API is served over TCP where the policy says so, with the status page ([`asset`]) and
//! `/metrics`; who may do what there is `access`'s to say. What a status is made of, and what is refused, is pure; socket,
//! server, TCP and client are shells.

mod access;
mod action;
mod caller;
mod client;
mod event;
mod event_server;
mod explain;
mod explain_server;
mod follower;
mod judgement;
mod openapi;
mod override_action;
mod page;
mod policy_action;
mod pool_status;
mod safety;
mod server;
mod servers;
mod socket;
pub mod sse;
mod status;
mod status_peer;
mod succession;
mod tcp;
mod tokens;
mod told;

pub use crate::serving::Visitors;
pub use action::*;
pub use caller::Caller;
pub use client::{Client, ClientError};
#[cfg(test)]
pub(crate) use event::tests::record as event_record;
pub use event::*;
pub use explain::*;
#[cfg(test)]
pub(crate) use explain_tests::explained;
pub use follower::Followed;
pub use judgement::{judge, unknown};
pub use openapi::openapi;
pub use override_action::*;
pub use page::{Asset, asset};
pub use policy_action::*;
pub use pool_status::*;
pub use safety::SafeToFailOver;
pub use server::{Control, MOST_WAITING, Request, Windows};
pub use servers::*;
pub use socket::{Socket, SocketError, SocketFile};
pub use status::*;
pub use status_peer::*;
pub use succession::{Candidate, TakeoverBody};
pub use tcp::{Api, ApiError, PROTECTION};

/// Where the socket is unless `--socket` says otherwise; systemd's `RuntimeDirectory=tandem`.
pub const SOCKET: &str = "/run/tandem/tandem.sock";

#[cfg(test)]
mod event_tests;
#[cfg(test)]
mod explain_tests;
#[cfg(test)]
pub(crate) mod tests;
