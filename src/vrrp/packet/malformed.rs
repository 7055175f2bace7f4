//! What can be wrong with received bytes: a closed list, one word each for the metric's label.

/// Why bytes are no advertisement. They are counted by kind and otherwise ignored (RFC 9568, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Malformed {
    /// Not even the eight bytes of the header.
    #[error("shorter than a VRRP header of 8 bytes")]
    TooShort,
    #[error("neither version 2 nor version 3")]
    WrongVersion,
    /// Version 2 knows IPv4 only.
    #[error("version 2 over IPv6: only version 3 knows it")]
    Version2OverIpv6,
    #[error("not of type 1, advertisement")]
    WrongType,
    /// RFC 9568, section 5.2.5: a count of 0 must be ignored.
    #[error("a count of 0 addresses")]
    NoAddress,
    /// The count says more addresses (with version 2: and authentication data) than there are bytes.
    #[error("cut off: fewer bytes than its count of addresses needs")]
    AddressListLength,
    #[error("wrong checksum")]
    Checksum,
    #[error("VRID 0: only 1 to 255 exist")]
    VridZero,
    /// Version 2 only: neither none nor simple password.
    #[error("an authentication type of version 2 other than 0 and 1")]
    UnknownAuthenticationType,
    /// A Master that never advertises: no master-down interval could be computed.
    #[error("an advertisement interval of 0")]
    IntervalZero,
}

impl Malformed {
    /// Every kind, for metrics that start at zero.
    pub const ALL: [Self; 10] = [
        Self::TooShort,
        Self::WrongVersion,
        Self::Version2OverIpv6,
        Self::WrongType,
        Self::NoAddress,
        Self::AddressListLength,
        Self::Checksum,
        Self::VridZero,
        Self::UnknownAuthenticationType,
        Self::IntervalZero,
    ];

    /// The closed list of the `kind` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::WrongVersion => "wrong_version",
            Self::Version2OverIpv6 => "version_2_over_ipv6",
            Self::WrongType => "wrong_type",
            Self::NoAddress => "no_address",
            Self::AddressListLength => "address_list_length",
            Self::Checksum => "checksum",
            Self::VridZero => "vrid_zero",
            Self::UnknownAuthenticationType => "unknown_authentication_type",
            Self::IntervalZero => "interval_zero",
        }
    }
}
