//! How a pair is set up, in words that every program's configuration is written from.

use crate::world::addresses::Family;
use std::time::Duration;

/// VRID of the pair on stage.
pub(crate) const VRID: u8 = 51;
/// Priority of the preferred director and of the other: with 100, the skew is 156/256 of the interval.
pub(crate) const PRIORITIES: [u8; 2] = [150, 100];
/// Version 2's password, where one is used (at most eight characters).
pub(crate) const PASSWORD: &str = "lab-pass";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V2,
    V3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Multicast,
    Unicast,
}

/// The reading of version 3's checksum over IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// Without the pseudo-header. keepalived and FRR know only the other.
    Rfc9568,
    /// With it.
    Rfc5798,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) version: Version,
    /// What each program does when it is not told: version and interval are then left out of its configuration.
    pub(crate) is_default: bool,
    pub(crate) interval: Duration,
    pub(crate) family: Family,
    pub(crate) transport: Transport,
    pub(crate) password: bool,
    /// What Tandem sends before it has heard a peer.
    pub(crate) checksum: Checksum,
}

impl Setting {
    pub(crate) const V2: Self = Self {
        version: Version::V2,
        is_default: false,
        interval: Duration::from_secs(1),
        family: Family::Ipv4,
        transport: Transport::Multicast,
        password: false,
        checksum: Checksum::Rfc5798,
    };
    pub(crate) const V3: Self =
        Self { version: Version::V3, interval: Duration::from_millis(100), ..Self::V2 };
    pub(crate) const V3_IPV6: Self = Self { family: Family::Ipv6, ..Self::V3 };

    pub(crate) const fn with_password(self) -> Self {
        Self { password: true, ..self }
    }

    pub(crate) const fn unicast(self) -> Self {
        Self { transport: Transport::Unicast, ..self }
    }

    /// Time from the last advertisement until the other director takes over: three intervals and the skew of priority 100.
    pub(crate) fn master_down_interval(&self) -> Duration {
        self.interval * 3 + self.skew()
    }

    /// Time from a resignation until the other director takes over: the skew of priority 100 (RFC 9568, section 6.1), which
    /// version 2 takes of a second (RFC 3768, section 6.1).
    pub(crate) fn skew(&self) -> Duration {
        let of = match self.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => self.interval,
        };
        of * (256 - u32::from(PRIORITIES[super::OTHER])) / 256
    }
}
