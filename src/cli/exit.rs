//! Exit statuses: the contract with scripts.

/// What a command's end tells its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Done; of `check`: it would start; of `plan`: nothing would change.
    Done,
    /// Failed, or the policy is invalid.
    Failed,
    /// `plan` found changes.
    Changes,
    /// A deadline has passed with connections left.
    DeadlinePassed,
    /// No director answers.
    NoDirector,
    /// A guard refused it.
    Refused,
    /// The answer of `status --check`, which has numbers of its own.
    Monitoring(Level),
}

/// What a monitoring plug-in answers (Monitoring Plugins' development guidelines, "Plugin Return Codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Level {
    /// The word that the line begins with.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl ExitStatus {
    /// The number that the process ends with. 2 is wrong usage, and clap's.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done | Self::Monitoring(Level::Ok) => 0,
            Self::Failed | Self::Monitoring(Level::Warning) => 1,
            Self::Monitoring(Level::Critical) => 2,
            Self::Changes | Self::Monitoring(Level::Unknown) => 3,
            Self::DeadlinePassed => 4,
            Self::NoDirector => 5,
            Self::Refused => 6,
        }
    }
}
