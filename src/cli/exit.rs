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
}

impl ExitStatus {
    /// The number that the process ends with. 2 is wrong usage, and clap's.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 3,
        }
    }
}
