//! Every keyword of keepalived.conf with its verdict, block by block.
//!
//! A row holds names that share a verdict. The verdict is that of the keyword as such; a value that Tandem cannot say makes it
//! worse where it is read. Source: keepalived.conf(5) of version 2.4, and names of older versions that 2.4 still takes.

mod global;
mod lvs;
mod vrrp;

use crate::import::verdict::{Judged, Verdict, near, none, same};

/// Names, the verdict that they share, and how it differs.
pub(super) type Row = (&'static str, Verdict, &'static str);

/// The block that a keyword stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    Global,
    Instance,
    SyncGroup,
    Script,
    TrackFile,
    TrackProcess,
    Bfd,
    GarpGroup,
    Password,
    Hmac,
    VirtualServer,
    RealServer,
    Checker,
    Http,
    Url,
    Udp,
    Dns,
    Smtp,
    Misc,
    File,
    Tls,
}

impl Place {
    const ALL: [Self; 22] = [
        Self::Root,
        Self::Global,
        Self::Instance,
        Self::SyncGroup,
        Self::Script,
        Self::TrackFile,
        Self::TrackProcess,
        Self::Bfd,
        Self::GarpGroup,
        Self::Password,
        Self::Hmac,
        Self::VirtualServer,
        Self::RealServer,
        Self::Checker,
        Self::Http,
        Self::Url,
        Self::Udp,
        Self::Dns,
        Self::Smtp,
        Self::Misc,
        Self::File,
        Self::Tls,
    ];

    const fn rows(self) -> &'static [Row] {
        match self {
            Self::Root => global::ROOT,
            Self::Global => global::GLOBAL,
            Self::Instance => vrrp::INSTANCE,
            Self::SyncGroup => vrrp::SYNC_GROUP,
            Self::Script => vrrp::SCRIPT,
            Self::TrackFile => vrrp::TRACK_FILE,
            Self::TrackProcess => vrrp::TRACK_PROCESS,
            Self::Bfd => vrrp::BFD,
            Self::GarpGroup => vrrp::GARP_GROUP,
            Self::Password => vrrp::PASSWORD,
            Self::Hmac => vrrp::HMAC,
            Self::VirtualServer => lvs::VIRTUAL_SERVER,
            Self::RealServer => lvs::REAL_SERVER,
            Self::Checker => lvs::CHECKER,
            Self::Http => lvs::HTTP,
            Self::Url => lvs::URL,
            Self::Udp => lvs::UDP,
            Self::Dns => lvs::DNS,
            Self::Smtp => lvs::SMTP,
            Self::Misc => lvs::MISC,
            Self::File => lvs::FILE,
            Self::Tls => lvs::TLS,
        }
    }
}

/// What becomes of a keyword in a block; `None`: keepalived has no such keyword there.
pub(super) fn find(place: Place, name: &str) -> Option<Judged> {
    let row = place.rows().iter().find(|(names, ..)| names.split_whitespace().any(|known| known == name))?;
    Some(judged(row))
}

fn judged((_, verdict, how): &Row) -> Judged {
    match verdict {
        Verdict::Same => same(),
        Verdict::Near => near(*how),
        Verdict::None => none(*how),
    }
}

/// The best verdict that a keyword has in any block; `None`: there is no such keyword.
pub(in crate::import) fn anywhere(name: &str) -> Option<Verdict> {
    Place::ALL.iter().filter_map(|place| find(*place, name)).map(|judged| judged.verdict).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_keyword_is_there_once_a_block_and_says_how_it_differs() {
        for place in Place::ALL {
            let mut seen = BTreeSet::new();
            for (names, verdict, how) in place.rows() {
                assert_eq!(*verdict == Verdict::Same, how.is_empty(), "{place:?}: {names}");
                for name in names.split_whitespace() {
                    assert!(seen.insert(name), "{place:?}: {name} twice");
                }
            }
        }
    }
}
