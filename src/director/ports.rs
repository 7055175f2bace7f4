//! The ports and the control socket of a director (shell): taken before anything is changed, so that one that is taken already ends
//! the start. Where another process has just let go of them, they are waited for.

use super::error::RunError;
use crate::control::{Api, Socket};
use crate::model::Policy;
use crate::observe::Listener;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Ports that are being let go of are looked at so often.
const AGAIN: Duration = Duration::from_millis(5);

/// What is served, and where.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) socket: Option<Socket>,
    pub(super) metrics: Option<Listener>,
    pub(super) api: Option<Api>,
}

impl Ports {
    /// Takes all of them. One that observes beside a running director finds the port of the metrics taken, and does without.
    pub(super) async fn take(policy: &Policy, socket: &Path, observes: bool) -> Result<Self, RunError> {
        let socket = Socket::chosen(socket)?;
        let metrics = match Listener::bind(policy.metrics.listen).await {
            Ok(listener) => Some(listener),
            Err(error) if observes => {
                tracing::warn!("{error}; observing without metrics");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let api = Api::prepare(policy.api.as_ref(), None).await?;
        Ok(Self { socket, metrics, api })
    }

    /// The same when another process has let go of them, or is about to: tried again for so long.
    pub(super) async fn take_within(
        policy: &Policy,
        socket: &Path,
        within: Duration,
    ) -> Result<Self, RunError> {
        let until = Instant::now() + within;
        loop {
            match Self::take(policy, socket, false).await {
                Err(_) if Instant::now() < until => sleep(AGAIN).await,
                taken => return taken,
            }
        }
    }
}
