//! When servers' certificates expire: kept for the metrics, and warned of before. Pure.
//!
//! A certificate is known from the probes that saw it; one that has expired fails them, and its last date stays.

use super::targets::TargetId;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// From one warning of a certificate to the next.
const AGAIN_AFTER: Duration = Duration::from_secs(86_400);

/// The certificates that were seen.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    seen: BTreeMap<TargetId, Seen>,
    /// Unix time of [`Instant::ZERO`]; without it nothing can be said of the time that is left.
    epoch: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Unix time.
    expires: Duration,
    told: Option<Instant>,
}

impl Certificates {
    /// What the wall clock says now.
    pub(super) const fn set_epoch(&mut self, epoch: Duration) {
        self.epoch = Some(epoch);
    }

    /// A probe saw a certificate that expires then, in Unix time. How long that still is, if it is worth telling: it is less
    /// than `warning`, and was not told for a day.
    pub(super) fn note(
        &mut self,
        target: TargetId,
        expires: Duration,
        warning: Duration,
        at: Instant,
    ) -> Option<Duration> {
        let seen = self.seen.entry(target).or_insert(Seen { expires, told: None });
        if seen.expires != expires {
            *seen = Seen { expires, told: None };
        }
        let now = self.epoch?.saturating_add(at.saturating_since(Instant::ZERO));
        let left = expires.saturating_sub(now);
        let quiet = seen.told.is_some_and(|told| at < told + AGAIN_AFTER);
        if left >= warning || quiet {
            return None;
        }
        seen.told = Some(at);
        Some(left)
    }

    /// These targets are no more.
    pub(super) fn forget(&mut self, ended: &BTreeSet<TargetId>) {
        self.seen.retain(|target, _| !ended.contains(target));
    }

    /// Every target whose certificate was seen, and the Unix time at which it expires.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TargetId, Duration)> {
        self.seen.iter().map(|(target, seen)| (*target, seen.expires))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const SITE: TargetId = TargetId(7);

    fn day(number: u32) -> Instant {
        Instant::ZERO + DAY * number
    }

    #[test]
    fn a_certificate_is_warned_of_daily_from_the_warning_on_until_it_is_renewed() {
        let mut certificates = Certificates::default();
        assert_eq!(
            certificates.note(SITE, DAY * 30, DAY * 7, day(29)),
            None,
            "what day it is is not known yet"
        );
        certificates.set_epoch(DAY * 10);
        assert_eq!(certificates.note(SITE, DAY * 30, DAY * 7, day(13)), None, "a week is left");
        assert_eq!(certificates.note(SITE, DAY * 30, DAY * 7, day(14)), Some(DAY * 6));
        assert_eq!(
            certificates.note(SITE, DAY * 30, DAY * 7, day(14) + DAY / 2),
            None,
            "told half a day ago"
        );
        assert_eq!(certificates.note(SITE, DAY * 30, DAY * 7, day(15)), Some(DAY * 5));
        assert_eq!(certificates.note(SITE, DAY * 90, DAY * 7, day(15)), None, "renewed");
        assert_eq!(
            certificates.note(SITE, DAY * 26, DAY * 7, day(15)),
            Some(DAY),
            "another one, told at once"
        );
        assert_eq!(
            certificates.note(SITE, DAY * 26, DAY * 7, day(17)),
            Some(Duration::ZERO),
            "it has expired"
        );
        assert_eq!(certificates.note(SITE, DAY * 26, Duration::ZERO, day(30)), None, "zero is never");
        assert_eq!(certificates.iter().collect::<Vec<_>>(), [(SITE, DAY * 26)]);
    }
}
