//! What becomes of policies, and of the director as a whole, as events. Pure.

use super::Draft;
use crate::model::EventKind;

/// Something about the policy or the director's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PolicyNews<'a> {
    Started {
        version: &'a str,
    },
    Ready,
    Stopping,
    /// Another process goes on; what it is, in words.
    HandsOn {
        to: &'a str,
    },
    /// `by` is what made it be taken over, in words.
    Taken {
        by: &'a str,
        reason: &'static str,
        message: &'a str,
    },
    RolledBack {
        by: &'a str,
        reason: &'static str,
        message: &'a str,
    },
    Refused {
        by: &'a str,
        reason: &'static str,
        message: &'a str,
    },
    Confirmed {
        generation: u64,
    },
    FilesDiffer,
}

/// Its event.
pub(crate) fn of_policy(news: &PolicyNews<'_>) -> Draft {
    match news {
        PolicyNews::Started { version } => {
            Draft::new(EventKind::DirectorStarted, "started", format!("tandem {version} has started"))
        }
        PolicyNews::Ready => Draft::new(EventKind::DirectorReady, "applied", "the tables are applied"),
        PolicyNews::Stopping => {
            Draft::new(EventKind::DirectorStopping, "asked", "the director was asked to stop")
        }
        PolicyNews::HandsOn { to } => {
            Draft::new(EventKind::DirectorStopping, "handed_on", format!("{to} goes on in this one's place"))
        }
        PolicyNews::Taken { by, reason, message } => {
            Draft::new(EventKind::PolicyTaken, *reason, format!("{by}: {message}"))
        }
        PolicyNews::RolledBack { by, reason, message } => {
            Draft::new(EventKind::PolicyRolledBack, *reason, format!("{by}: {message}"))
        }
        PolicyNews::Refused { by, reason, message } => {
            let message = format!("{by} was refused, and the policy in force stays: {message}");
            Draft::new(EventKind::PolicyRefused, *reason, message)
        }
        PolicyNews::Confirmed { generation } => {
            Draft::new(EventKind::PolicyConfirmed, "confirmed", format!("policy {generation} is kept"))
        }
        PolicyNews::FilesDiffer => Draft::new(
            EventKind::PolicyFilesDiffer,
            "files",
            "the policy's files are not what is in force: `tandem plan` shows what they would change",
        ),
    }
}
