//! What the commands have in common that ask a running director: a small runtime, and errors as exit statuses.

use super::ExitStatus;
use crate::control::{ClientError, RefusalCode};
use anyhow::Context as _;
use std::io::Write;

/// Waits for `question` on this thread.
///
/// # Errors
/// When the host gives no descriptors for it.
pub(super) fn wait_for<T>(question: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("cannot ask the director")?.block_on(question))
}

/// The sentence of an error on `err`, and its exit status.
///
/// # Errors
/// The writer fails.
pub(super) fn failed(error: &ClientError, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    writeln!(err, "tandem: {error}")?;
    Ok(status_of(error))
}

fn status_of(error: &ClientError) -> ExitStatus {
    match error {
        ClientError::NoDirector { .. } => ExitStatus::NoDirector,
        ClientError::NotAllowed { .. } | ClientError::Strange { .. } => ExitStatus::Failed,
        ClientError::Refused(refused) => match refused.code {
            RefusalCode::Guard => ExitStatus::Refused,
            // It is there, and does not answer.
            RefusalCode::TimedOut | RefusalCode::Unavailable => ExitStatus::NoDirector,
            RefusalCode::BadRequest
            | RefusalCode::NotFound
            | RefusalCode::MethodNotAllowed
            | RefusalCode::UnknownRouter
            | RefusalCode::UnknownPool
            | RefusalCode::UnknownServer
            | RefusalCode::TooLarge
            | RefusalCode::Unauthorized
            | RefusalCode::Forbidden
            | RefusalCode::Misdirected
            | RefusalCode::UnsupportedMedia
            | RefusalCode::TooManyRequests
            | RefusalCode::Invalid => ExitStatus::Failed,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Refused;

    #[test]
    fn a_guard_is_six_a_silent_director_five_and_a_wrong_name_one() {
        let refused = |code| status_of(&Refused::new(code, "").into()).code();
        assert_eq!(refused(RefusalCode::Guard), 6);
        assert_eq!(refused(RefusalCode::TimedOut), 5);
        assert_eq!(refused(RefusalCode::UnknownRouter), 1);
        assert_eq!(status_of(&ClientError::NotAllowed { path: "/run".into() }).code(), 1);
    }
}
