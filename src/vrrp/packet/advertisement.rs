//! An advertisement that may be sent: the constructor refuses everything else, so the encoder cannot fail.

use crate::model::{Family, VrrpVersion};
use crate::time::Centiseconds;
use crate::vrrp::authentication::Password;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

/// The count of addresses is one byte.
pub const MOST_ADDRESSES: usize = u8::MAX as usize;

/// Time from one advertisement to the next, in the unit of its version, which it thereby names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// Version 2: 1..=255 seconds.
    Seconds(NonZeroU8),
    /// Version 3: 1..=4095 centiseconds.
    Centiseconds(Centiseconds),
}

impl Interval {
    /// Exactly this duration in the unit of a version; `None` where it does not fit: nothing is rounded.
    #[must_use]
    pub fn exactly(version: VrrpVersion, duration: Duration) -> Option<Self> {
        match version {
            VrrpVersion::V2 => {
                let seconds = NonZeroU8::new(u8::try_from(duration.as_secs()).ok()?)?;
                (duration.subsec_nanos() == 0).then_some(Self::Seconds(seconds))
            }
            VrrpVersion::V3 => Centiseconds::exactly(duration).map(Self::Centiseconds),
        }
    }

    #[must_use]
    pub const fn version(self) -> VrrpVersion {
        match self {
            Self::Seconds(_) => VrrpVersion::V2,
            Self::Centiseconds(_) => VrrpVersion::V3,
        }
    }

    #[must_use]
    pub const fn duration(self) -> Duration {
        match self {
            Self::Seconds(seconds) => Duration::from_secs(seconds.get() as u64),
            Self::Centiseconds(centiseconds) => centiseconds.duration(),
        }
    }
}

/// A VRRP advertisement (RFC 9568, section 5.2; RFC 3768, section 5.3), every field legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    vrid: NonZeroU8,
    priority: u8,
    interval: Interval,
    addresses: Vec<IpAddr>,
    password: Option<Password>,
}

impl Advertisement {
    /// `priority` 0..=255 (0: the Master stops; 255: it owns the addresses); `addresses` 1..=255 of one family, in order;
    /// the interval says the version; a password only with version 2.
    ///
    /// # Errors
    /// What the format cannot say.
    pub fn new(
        vrid: NonZeroU8,
        priority: u8,
        interval: Interval,
        addresses: Vec<IpAddr>,
        password: Option<Password>,
    ) -> Result<Self, Illegal> {
        let first = addresses.first().copied().ok_or(Illegal::NoAddress)?;
        let family = Family::of(first);
        if addresses.len() > MOST_ADDRESSES {
            return Err(Illegal::TooManyAddresses { count: addresses.len() });
        }
        if let Some(other) = addresses.iter().find(|address| Family::of(**address) != family) {
            return Err(Illegal::MixedFamilies { first, other: *other });
        }
        match interval.version() {
            VrrpVersion::V2 if family == Family::Ipv6 => Err(Illegal::Version2OverIpv6 { address: first }),
            VrrpVersion::V3 if password.is_some() => Err(Illegal::PasswordInVersion3),
            VrrpVersion::V2 | VrrpVersion::V3 => Ok(Self { vrid, priority, interval, addresses, password }),
        }
    }

    #[must_use]
    pub const fn version(&self) -> VrrpVersion {
        self.interval.version()
    }

    #[must_use]
    pub const fn vrid(&self) -> NonZeroU8 {
        self.vrid
    }

    /// 0..=255.
    #[must_use]
    pub const fn priority(&self) -> u8 {
        self.priority
    }

    /// The same advertisement at another priority, 0..=255: all are legal.
    pub const fn set_priority(&mut self, priority: u8) {
        self.priority = priority;
    }

    #[must_use]
    pub const fn interval(&self) -> Interval {
        self.interval
    }

    /// 1..=255 of them, of one family.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    #[must_use]
    pub fn family(&self) -> Family {
        self.addresses.first().map_or(Family::Ipv4, |address| Family::of(*address))
    }

    /// Version 2's simple password; `None` where its authentication type is 0, and with version 3.
    #[must_use]
    pub const fn password(&self) -> Option<&Password> {
        self.password.as_ref()
    }
}

/// What no advertisement can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    #[error("an advertisement names at least one address: give the virtual router one of this family")]
    NoAddress,
    #[error(
        "{count} addresses in one advertisement, which counts to {MOST_ADDRESSES}: spread them over more virtual routers"
    )]
    TooManyAddresses { count: usize },
    #[error("{first} and {other} in one advertisement: each family is a session of its own")]
    MixedFamilies { first: IpAddr, other: IpAddr },
    #[error("{address} in an advertisement of version 2, which knows IPv4 only: use version 3")]
    Version2OverIpv6 { address: IpAddr },
    #[error("a simple password in version 3, which has none: use version 2, or HMAC authentication")]
    PasswordInVersion3,
}
