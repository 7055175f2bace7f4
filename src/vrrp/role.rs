//! Roles and the reasons of their changes: what log, metrics and `explain` share.

use super::machine::Heard;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Where a virtual router is on this director. The numbers are those of `tandem_vrrp_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Initialize = 0,
    Backup = 1,
    Master = 2,
    Fault = 3,
}

impl Role {
    /// Every role, in the order of its number.
    pub const ALL: [Self; 4] = [Self::Initialize, Self::Backup, Self::Master, Self::Fault];

    /// The word in log and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Backup => "backup",
            Self::Master => "master",
            Self::Fault => "fault",
        }
    }
}

/// Why a role changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The director has started, or its link has returned.
    Started,
    /// No Master was heard for a down interval.
    Silence,
    /// The Master resigned (priority 0).
    MasterResigned { source: IpAddr },
    /// The Master has a lower priority, and the policy says to preempt.
    Preempts { source: IpAddr, priority: u8 },
    /// The Master says by its priority that it is unfit.
    MasterUnfit { source: IpAddr, priority: u8 },
    /// We are the address owner.
    Owner,
    /// A Master of higher priority, or of the same and a higher address, was heard.
    HigherPriority { source: IpAddr, priority: u8 },
    /// The other Master reaches the tracked gateway and we don't.
    OtherReachesGateway,
    /// An operator released it.
    Released,
    /// It was released, and nobody took over.
    NobodyTookOver,
    /// The director stops.
    Stopped,
    /// We slept past our own down interval: somebody else has taken over meanwhile.
    Stalled,
    /// These trackers are bad and the policy says that nobody unfit holds the addresses.
    Unfit { trackers: Vec<Arc<str>> },
    /// Every interface of it is down.
    LinkDown,
}

impl Cause {
    /// Why a Master that was heard is followed.
    #[must_use]
    pub fn followed(heard: Heard) -> Self {
        Self::HigherPriority { source: heard.source, priority: heard.priority }
    }

    /// Why one became Master: whether the Master before is alive and knows that it is followed.
    #[must_use]
    pub const fn is_hand_over(&self) -> bool {
        matches!(self, Self::MasterResigned { .. } | Self::Preempts { .. } | Self::MasterUnfit { .. })
    }

    /// The closed list of the metric's label `reason`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Silence => "silence",
            Self::MasterResigned { .. } => "master_resigned",
            Self::Preempts { .. } => "preempts",
            Self::MasterUnfit { .. } => "master_unfit",
            Self::Owner => "owner",
            Self::HigherPriority { .. } => "higher_priority",
            Self::OtherReachesGateway => "other_reaches_gateway",
            Self::Released => "released",
            Self::NobodyTookOver => "nobody_took_over",
            Self::Stopped => "stopped",
            Self::Stalled => "stalled",
            Self::Unfit { .. } => "unfit",
            Self::LinkDown => "link_down",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => formatter.write_str("it takes part from now on"),
            Self::Silence => formatter.write_str("no Master was heard for a down interval"),
            Self::MasterResigned { source } => write!(formatter, "the Master {source} resigned"),
            Self::Preempts { source, priority } => {
                write!(formatter, "it preempts the Master {source}, which has priority {priority}")
            }
            Self::MasterUnfit { source, priority } => {
                write!(formatter, "the Master {source} says that it is unfit (priority {priority})")
            }
            Self::Owner => formatter.write_str("it owns the addresses (priority 255)"),
            Self::HigherPriority { source, priority } => {
                write!(formatter, "{source} is Master with priority {priority}")
            }
            Self::OtherReachesGateway => {
                formatter.write_str("the other Master reaches the tracked gateway, this director does not")
            }
            Self::Released => formatter.write_str("an operator released it"),
            Self::NobodyTookOver => formatter.write_str("it was released, but nobody took over"),
            Self::Stopped => formatter.write_str("the director stops"),
            Self::Stalled => {
                formatter.write_str("this director slept for longer than the others wait: another is Master")
            }
            Self::Unfit { trackers } => write!(formatter, "bad: {}", trackers.join(", ")),
            Self::LinkDown => formatter.write_str("its interface is down"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_cause_has_a_name_and_a_sentence_of_its_own_that_names_who_is_meant() {
        let source = IpAddr::from([192, 0, 2, 12]);
        let trackers = vec!["pool web".into(), "interface eth1".into()];
        let causes = [
            (Cause::Started, ""),
            (Cause::Silence, "down interval"),
            (Cause::MasterResigned { source }, "192.0.2.12"),
            (Cause::Preempts { source, priority: 90 }, "192.0.2.12, which has priority 90"),
            (Cause::MasterUnfit { source, priority: 9 }, "priority 9"),
            (Cause::Owner, "255"),
            (Cause::HigherPriority { source, priority: 200 }, "192.0.2.12 is Master with priority 200"),
            (Cause::OtherReachesGateway, "gateway"),
            (Cause::Released, "operator"),
            (Cause::NobodyTookOver, "nobody"),
            (Cause::Stopped, "stops"),
            (Cause::Stalled, "slept"),
            (Cause::Unfit { trackers }, "bad: pool web, interface eth1"),
            (Cause::LinkDown, "interface"),
        ];
        for (cause, says) in &causes {
            assert!(cause.to_string().contains(says), "{cause}");
        }
        let names: BTreeSet<_> = causes.iter().map(|(cause, _)| cause.name()).collect();
        let sentences: BTreeSet<_> = causes.iter().map(|(cause, _)| cause.to_string()).collect();
        assert_eq!((names.len(), sentences.len()), (causes.len(), causes.len()));
    }

    #[test]
    fn a_role_has_the_number_and_the_word_of_the_metric() {
        let told = Role::ALL.map(|role| (role as u8, role.name()));
        assert_eq!(told, [(0, "initialize"), (1, "backup"), (2, "master"), (3, "fault")]);
    }
}
