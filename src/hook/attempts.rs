//! Attempts to hand something over to a server (shell): a few, with growing waits.

use std::time::Duration;
use tokio::time::sleep;

/// Waits between the attempts, which are one more.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Taken,
    /// Another may do better.
    Failed(String),
    Refused(String),
}

/// Those that are left.
#[derive(Debug)]
pub(super) struct Attempts(std::array::IntoIter<Duration, 3>);

impl Attempts {
    pub(super) fn begin() -> Self {
        Self(WAITS.into_iter())
    }

    /// Waits for the next one, after one that failed.
    ///
    /// # Errors
    /// That was the last.
    pub(super) async fn again(&mut self, name: &str, reason: String) -> Result<(), String> {
        let Some(wait) = self.0.next() else {
            return Err(format!("{reason}, in {} attempts", WAITS.len() + 1));
        };
        tracing::debug!("{name}: {reason}; tried again in {wait:?}");
        sleep(wait).await;
        Ok(())
    }
}
