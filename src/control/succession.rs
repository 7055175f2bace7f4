//! Another process goes on in this one's place (shell): who may ask for it, and the connection over which the two talk, which
//! leaves HTTP behind (RFC 9110, section 7.8). What they say is [`crate::director::succession`]'s.
//!
//! Only root may, and the director's own user: whoever takes over holds the addresses.

use super::action::{Action, RefusalCode, Refused};
use super::caller::Caller;
use super::server::{Connection, Shared, act, refuse};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use nix::unistd::geteuid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is spoken on that connection, and where it begins. Not part of the API: it is between two processes of this program.
pub(super) const SUCCESSION: &str = "tandem-succession";
pub(super) const SUCCESSION_PATH: &str = "/v1/succession";

/// Body of `POST /v1/takeover`: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeoverBody {}

impl TryFrom<TakeoverBody> for Action {
    type Error = Refused;

    fn try_from(_: TakeoverBody) -> Result<Self, Refused> {
        Ok(Self::Takeover)
    }
}

/// A process that wants to go on.
#[derive(Debug)]
pub struct Candidate {
    pub caller: Caller,
    pub stream: TokioIo<Upgraded>,
}

pub(super) fn routes() -> Router<Connection> {
    Router::new().route("/v1/takeover", post(takeover)).route(SUCCESSION_PATH, get(succeed))
}

async fn takeover(state: State<Connection>, body: Result<Bytes, BytesRejection>) -> Response {
    match judge(&state.0.caller) {
        Ok(()) => act::<TakeoverBody>(state, body).await,
        Err(refused) => refuse(refused),
    }
}

async fn succeed(State(connection): State<Connection>, mut request: Request) -> Response {
    if let Err(refused) = judge(&connection.caller) {
        return refuse(refused);
    }
    let asks = request.headers().get(header::UPGRADE).is_some_and(|what| what == SUCCESSION);
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>().filter(|_| asks) else {
        let message = format!("this is for `tandem run --takeover`, which asks to speak {SUCCESSION}");
        return refuse(Refused::new(RefusalCode::BadRequest, message));
    };
    let Connection { shared, caller } = connection;
    tokio::spawn(introduce(shared, caller, upgrade));
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static(SUCCESSION)),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

/// Whoever went away meanwhile is not missed.
async fn introduce(shared: Shared, caller: Caller, upgrade: OnUpgrade) {
    let (Ok(stream), Some(successors)) = (upgrade.await, shared.successors.upgrade()) else { return };
    // One that finds no room is let go: another is just being introduced.
    let _ = successors.try_send(Candidate { caller, stream: TokioIo::new(stream) });
}

fn judge(caller: &Caller) -> Result<(), Refused> {
    let own = geteuid().as_raw();
    if caller.uid.is_some_and(|uid| uid == 0 || uid == own) {
        return Ok(());
    }
    let message = "only root, or the user that the director runs as, may have another process go on in its place, and only \
                   over the control socket";
    Err(Refused::new(RefusalCode::Forbidden, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_directors_own_user_may_and_nobody_else() {
        let own = geteuid().as_raw();
        let user = |uid| Caller { uid, ..Caller::default() };
        for may in [Some(0), Some(own)] {
            assert_eq!(judge(&user(may)), Ok(()));
        }
        for other in [Some(own + 1), None] {
            assert_eq!(judge(&user(other)).expect_err("not allowed").code, RefusalCode::Forbidden);
        }
        let token = Caller::over_tcp([127, 0, 0, 1].into(), Some("ops".into()));
        assert!(judge(&token).is_err(), "whatever a token allows");
    }
}
