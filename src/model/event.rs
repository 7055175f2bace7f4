//! Kinds of events and how grave they are: closed lists that the event stream, the hooks and the policy's filters share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much an event matters. The order is the order of gravity.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// What is meant to be.
    #[default]
    Info,
    /// Something is to be looked at; clients are still served.
    Warning,
    /// Clients are not served as they should be, or the director cannot do its work.
    Error,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Error];

    /// Its word in the policy and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

macro_rules! kinds {
    ( $( $severity:ident $kind:ident $name:literal $about:literal, )* ) => {
        /// What happened: the closed list of the field `kind`.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum EventKind {
            $( #[doc = $about] $kind, )*
            /// Something that only a later version knows.
            #[serde(other)]
            Other,
        }

        impl EventKind {
            /// Every kind that this version tells.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Its word in the policy and in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                    Self::Other => "other",
                }
            }

            /// One sentence for the documentation.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$kind => $about,)*
                    Self::Other => "Something that only a later version knows.",
                }
            }

            /// How grave it is, unless the event says otherwise (a rule that is in shadow, say).
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$kind => Severity::$severity,)*
                    Self::Other => Severity::Info,
                }
            }
        }
    };
}

kinds! {
    // The director.
    Info DirectorStarted "director_started" "The director runs and has looked at the kernel.",
    Info DirectorReady "director_ready" "Its tables are applied for the first time.",
    Info DirectorStopping "director_stopping" "The director was asked to stop.",

    // The policy.
    Info PolicyTaken "policy_taken" "Another policy is in force.",
    Error PolicyRefused "policy_refused" "A policy was refused; the one in force stays.",
    Warning PolicyRolledBack "policy_rolled_back" "The policy before is in force again.",
    Info PolicyConfirmed "policy_confirmed" "A policy that waited to be confirmed is kept.",
    Warning PolicyFilesDiffer "policy_files_differ" "The policy's files are not what is in force.",

    // Real servers.
    Info ServerUp "server_up" "A real server passed its check.",
    Warning ServerDown "server_down" "A real server failed its check.",
    Warning ServerNotProbed "server_not_probed" "A probe cannot be made on this host; the verdict stays.",
    Warning ServerUnusable "server_unusable" "A real server that is up cannot be used for a reason of this host's.",
    Info ServerUsable "server_usable" "It can be used again.",
    Warning CertificateExpires "certificate_expires" "A real server's certificate expires soon.",

    // Pools.
    Info PoolUp "pool_up" "A pool has its quorum.",
    Error PoolDown "pool_down" "A pool has lost its quorum.",
    Warning RuleBegan "rule_began" "A rule of a pool acts by itself: sorry server, panic, backup, slow start, drain.",
    Info RuleEnded "rule_ended" "It acts no more.",

    // What operators order.
    Warning OverrideSet "override_set" "An operator gave an override: drain, disable, weight, force-up, freeze.",
    Info OverrideCleared "override_cleared" "An override was cleared.",
    Warning OverrideExpired "override_expired" "The time of an override is over.",

    // What a director that only observes would do.
    Warning DifferenceAppeared "difference_appeared" "An observing director would do otherwise than the live table is.",
    Info DifferenceEnded "difference_ended" "It would no longer.",

    // The kernel's tables.
    Info TableAdopted "table_adopted" "A table was found at the start, and what is right in it is left alone.",
    Info TableChanged "table_changed" "The kernel accepted changes.",
    Warning TableDrifted "table_drifted" "Somebody else changed what is the director's; it is repaired.",
    Error ChangeRefused "change_refused" "The kernel refused a change; it is tried again.",
    Info ChangeAccepted "change_accepted" "What was refused is accepted.",
    Error TableUnreadable "table_unreadable" "A table of the kernel cannot be read.",
    Info TableReadable "table_readable" "All tables can be read again.",

    // Virtual routers. The role is the last word.
    Warning RouterMaster "router_master" "This director is Master of a virtual router.",
    Info RouterBackup "router_backup" "This director is Backup of a virtual router.",
    Error RouterFault "router_fault" "A virtual router is in Fault here.",
    Info RouterOut "router_out" "A virtual router is out of the election here.",
    Warning RouterContested "router_contested" "Another Master is heard that has to give way; the addresses are announced anew.",
    Info TrackerGood "tracker_good" "Something that a virtual router tracks is good again.",
    Warning TrackerBad "tracker_bad" "Something that a virtual router tracks is bad.",

    // The other director.
    Info PeerUp "peer_up" "Another director is heard.",
    Warning PeerDown "peer_down" "Another director is not heard any more.",
    Warning PeerDiffers "peer_differs" "Another director is set up differently.",
    Warning AdvertisementsDropped "advertisements_dropped" "Advertisements are not believed.",
    Warning BeatsDropped "beats_dropped" "Beats of another director are not believed.",
    Warning RunRenumbered "run_renumbered" "This director's number of its run was behind what the others had accepted.",

    // Floating addresses.
    Warning AddressConflict "address_conflict" "Another machine answers for an address that is held here.",
    Warning AddressesTakenAway "addresses_taken_away" "Another program removed floating addresses; they are put back.",
    Warning AddressesExpired "addresses_expired" "The kernel removed floating addresses that were not renewed in time.",
    Error AddressRefused "address_refused" "The kernel refused to add or remove a floating address.",
    Warning AddressObstructed "address_obstructed" "An address that stands already is in the way of a floating one, or answers in its place.",
    Warning InterfaceGone "interface_gone" "An interface of floating addresses is not there.",
    Info InterfaceReturned "interface_returned" "It is there again.",
    Error AdvertThreadSilent "advert_thread_silent" "The thread of the advertisements gave no sign of life.",
    Info AdvertThreadReturned "advert_thread_returned" "It is alive again.",
    Warning Trouble "trouble" "A part of the pair's work could not be done.",
}

impl EventKind {
    /// The kind of this word.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// keepalived's word for what a notify script is told of: MASTER, BACKUP, FAULT or STOP.
    #[must_use]
    pub const fn notify_state(self) -> Option<&'static str> {
        match self {
            Self::RouterMaster => Some("MASTER"),
            Self::RouterBackup => Some("BACKUP"),
            Self::RouterFault => Some("FAULT"),
            Self::RouterOut | Self::DirectorStopping => Some("STOP"),
            _ => None,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_word_of_a_kind_is_the_same_in_json() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.name());
            assert_eq!(EventKind::of_name(kind.name()), Some(*kind));
            assert!(kind.about().ends_with('.'), "{kind}");
        }
        let names: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), EventKind::ALL.len());
        for severity in Severity::ALL {
            assert_eq!(serde_json::to_value(severity).expect("JSON"), severity.name());
        }
        assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Error);
    }

    #[test]
    fn a_kind_of_a_later_version_can_be_read() {
        assert_eq!(serde_json::from_str::<EventKind>(r#""moon_rose""#).expect("a word"), EventKind::Other);
    }
}
