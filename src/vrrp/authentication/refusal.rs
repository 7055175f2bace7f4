//! Why a message is not believed: a closed list, one word each for the metric's label.

/// Why a message was refused. It is counted and otherwise as if it had not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refusal {
    /// No trailer (or, with version 2's password, none) where one is demanded.
    #[error("carries no authentication, which is demanded")]
    Missing,
    /// Bytes behind the message that are not a trailer of this format.
    #[error("what stands behind the message is no authentication trailer")]
    BadTrailer,
    #[error("signed with a key that is not configured here")]
    UnknownKey,
    /// Another key under this id, another router, family or source, or changed bytes.
    #[error("its signature does not fit")]
    BadMac,
    /// Of the sender's present run, but not newer than what was accepted.
    #[error("was accepted before, or is older than what was")]
    Replayed,
    /// Of an earlier run of the sender than one that was accepted.
    #[error("of an earlier run of its sender")]
    StaleEpoch,
    /// Version 2's simple password is another one, or came where none is configured.
    #[error("its simple password is not the configured one")]
    WrongPassword,
}

impl Refusal {
    /// Every kind, for metrics that start at zero.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::BadTrailer,
        Self::UnknownKey,
        Self::BadMac,
        Self::Replayed,
        Self::StaleEpoch,
        Self::WrongPassword,
    ];

    /// The closed list of the label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::BadTrailer => "bad_trailer",
            Self::UnknownKey => "unknown_key",
            Self::BadMac => "bad_mac",
            Self::Replayed => "replayed",
            Self::StaleEpoch => "stale_epoch",
            Self::WrongPassword => "wrong_password",
        }
    }
}
