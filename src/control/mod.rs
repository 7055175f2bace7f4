//! The way to a running director: a JSON API of version 1 over HTTP/1.1 on a Unix socket.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/status` | [`Status`]: the last published view; never asks the event loop |
//! | `POST /v1/release` with [`ReleaseBody`] | 202 and [`Answer`], or [`Refused`] |
//! | `POST /v1/clear` with [`ClearBody`] | the same |
//! | `POST /v1/reload` with [`ReloadBody`] | the same, when the policy is in force or refused |
//! | `POST /v1/confirm`, `POST /v1/rollback` | the same |
//! | `GET /v1/history` | [`PolicyHistory`] |
//!
//! Every error is JSON too, [`ErrorBody`], under a matching status code. What is to be done goes to the event loop through a
//! bounded queue as a [`Request`]; the loop asks [`judge`], gives the command and answers. Whoever may write to the socket may
//! act: its owner and its group. What a status is made of, and what is refused, is pure; socket, server and client are shells.

mod action;
mod client;
mod judgement;
mod policy_action;
mod safety;
mod server;
mod socket;
mod status;
mod status_peer;

pub use action::*;
pub use client::{Client, ClientError};
pub use judgement::judge;
pub use policy_action::*;
pub use safety::SafeToFailOver;
pub use server::{Caller, Control, MOST_WAITING, Request};
pub use socket::{Socket, SocketError, SocketFile};
pub use status::*;
pub use status_peer::*;

/// Where the socket is unless `--socket` says otherwise; systemd's `RuntimeDirectory=tandem`.
pub const SOCKET: &str = "/run/tandem/tandem.sock";

#[cfg(test)]
pub(crate) mod tests;
