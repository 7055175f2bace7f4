//! `tandem release`: has mastership handed over, waits until it is, and says what became of it.

use super::ExitStatus;
use super::ask::{failed, wait_for};
use crate::control::{Client, ClientError, ReleaseBody, RouterStatus, Status};
use crate::time::milliseconds;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A hand-over is waited for so long: the connection table is passed on before, and the addresses are kept until another
/// director was seen with them.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How often the status is looked at; a director publishes it a few times a second.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What became of one router.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is still Master.
    Master,
    /// It is not Master any more and still holds so many addresses: nobody was seen with them yet.
    Offered { held: usize },
    /// It was no Master, and the release is not in force yet.
    NotYetReleased,
    /// Another director has it.
    HandedOver { to: Option<IpAddr> },
    /// It was no Master, and will be none.
    StaysOut { role: String },
    /// It is Master again.
    CameBack { because: String },
    /// The policy does not name it any more.
    Gone,
}

impl Outcome {
    fn of(before: Option<&RouterStatus>, now: Option<&RouterStatus>, uptime_ms: u64) -> Self {
        let Some(now) = now else { return Self::Gone };
        let was_master = before.is_some_and(|before| before.role == MASTER);
        let has_changed = before.is_none_or(|before| before.since_ms != now.since_ms);
        match (was_master, now.role == MASTER) {
            (_, true) if has_changed => Self::CameBack { because: now.because.clone().unwrap_or_default() },
            (_, true) => Self::Master,
            (true, false) if now.addresses_held > 0 => Self::Offered { held: now.addresses_held },
            (true, false) => Self::HandedOver { to: successor(now, uptime_ms) },
            (false, false) if now.released => Self::StaysOut { role: now.role.clone() },
            (false, false) => Self::NotYetReleased,
        }
    }

    fn is_final(&self) -> bool {
        match self {
            Self::Master | Self::Offered { .. } | Self::NotYetReleased => false,
            Self::HandedOver { .. } | Self::StaysOut { .. } | Self::CameBack { .. } | Self::Gone => true,
        }
    }

    fn status(&self) -> ExitStatus {
        match self {
            Self::Master | Self::Offered { .. } | Self::NotYetReleased => ExitStatus::Failed,
            Self::CameBack { .. } => ExitStatus::Refused,
            Self::HandedOver { .. } | Self::StaysOut { .. } | Self::Gone => ExitStatus::Done,
        }
    }

    fn words(&self) -> String {
        let seconds = LONGEST_WAIT.as_secs();
        match self {
            Self::Master => format!("still Master after {seconds} s; the director's log says why"),
            Self::Offered { held } => format!(
                "Backup, but after {seconds} s it still holds {held} addresses: nobody was seen to take them over"
            ),
            Self::NotYetReleased => {
                format!("the release is not in force after {seconds} s; the director's log says why")
            }
            Self::HandedOver { to: Some(address) } => format!("handed over; {address} is Master"),
            Self::HandedOver { to: None } => "given up; no other Master was heard yet".to_owned(),
            Self::StaysOut { role } => format!("{role} here as before, and stays out of mastership"),
            Self::CameBack { because } => format!("Master again: {because}"),
            Self::Gone => "the policy does not name it any more".to_owned(),
        }
    }
}

const MASTER: &str = "master";

/// Who was heard as Master since the router's role changed.
fn successor(router: &RouterStatus, uptime_ms: u64) -> Option<IpAddr> {
    let for_ms = uptime_ms.saturating_sub(router.since_ms);
    router.other_master.as_ref().filter(|other| other.heard_ms_ago <= for_ms).map(|other| other.address)
}

/// Releases `router`, or every one, for a time or until `tandem clear`; what happened is told on `err`.
///
/// # Errors
/// The writer fails, or the host gives no descriptors.
pub fn release(
    socket: &Path,
    router: Option<String>,
    for_time: Option<Duration>,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let for_ms = for_time.map(milliseconds);
    let body = ReleaseBody { router, for_ms };
    let mut say = |sentence: &str| writeln!(err, "{sentence}");
    let outcomes = match wait_for(hand_over(&Client::new(socket), &body, &mut say))? {
        Ok(outcomes) => outcomes,
        Err(error) => return failed(&error, err),
    };
    for (name, outcome) in &outcomes {
        writeln!(err, "{name}: {}", outcome.words())?;
    }
    Ok(worst(outcomes.iter().map(|(_, outcome)| outcome.status())))
}

/// Not handed over in time is worse than refused: nobody knows how it will end.
fn worst(all: impl Iterator<Item = ExitStatus> + Clone) -> ExitStatus {
    let has = |wanted| all.clone().any(|status| status == wanted);
    match (has(ExitStatus::Failed), has(ExitStatus::Refused)) {
        (true, _) => ExitStatus::Failed,
        (false, true) => ExitStatus::Refused,
        (false, false) => ExitStatus::Done,
    }
}

/// Asks for it, says the answer, and looks until each router's outcome is final or the time is over.
async fn hand_over(
    client: &Client,
    body: &ReleaseBody,
    say: &mut dyn FnMut(&str) -> std::io::Result<()>,
) -> Result<Vec<(String, Outcome)>, ClientError> {
    let before = client.status().await?;
    let answer = client.release(body).await?;
    // Nobody may listen; the release goes on.
    let _ = say(&answer.message);
    let end = Instant::now() + LONGEST_WAIT;
    loop {
        let now = client.status().await?;
        let outcomes = outcomes(&before, &now, &answer.routers);
        if outcomes.iter().all(|(_, outcome)| outcome.is_final()) || Instant::now() >= end {
            return Ok(outcomes);
        }
        sleep(LOOK_EVERY).await;
    }
}

fn outcomes(before: &Status, now: &Status, routers: &[String]) -> Vec<(String, Outcome)> {
    let of = |name: &String| {
        let outcome = Outcome::of(before.router(name), now.router(name), now.uptime_ms);
        (name.clone(), outcome)
    };
    routers.iter().map(of).collect()
}
