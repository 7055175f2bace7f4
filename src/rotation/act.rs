//! What a pool's rules do by themselves, each told once. The words are a closed list that log and metrics share.

use std::fmt;
use std::time::Duration;

/// An automatic act: it began, or it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    pub kind: ActKind,
    /// Whether it began; false: it ended.
    pub begins: bool,
    /// Only told: the policy has the rule in shadow.
    pub shadow: bool,
}

/// The rules that act by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActKind {
    /// The quorum is lost.
    QuorumLost { found: u64, wanted: u32 },
    /// The sorry server answers.
    Sorry,
    /// Too few servers are left to believe it.
    Panic { up: usize, of: usize },
    /// The backup servers join.
    Backup,
    /// A server (its place in the pool) gets its weight in steps.
    SlowStart { server: usize },
    /// A server (its place in the pool) gets no new connection; it ends when it has left the table, or is wanted again.
    Drain { server: usize },
    /// A server (its place in the pool) fails here, and stays for what another director sees.
    Disputed { server: usize },
    /// This director alone has lost sight of most of the servers that the directors see together.
    SightLost { lost: usize, of: usize },
    /// The answer of a server's weight source (its place in the pool) has expired.
    Silence { server: usize, after: Duration },
}

impl ActKind {
    /// The closed list of the `act` label.
    pub const NAMES: [&'static str; 9] = [
        "quorum_lost",
        "sorry",
        "panic",
        "backup",
        "slow_start",
        "drain",
        "disputed",
        "sight_lost",
        "silence",
    ];

    /// Its word in the `act` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QuorumLost { .. } => "quorum_lost",
            Self::Sorry => "sorry",
            Self::Panic { .. } => "panic",
            Self::Backup => "backup",
            Self::SlowStart { .. } => "slow_start",
            Self::Drain { .. } => "drain",
            Self::Disputed { .. } => "disputed",
            Self::SightLost { .. } => "sight_lost",
            Self::Silence { .. } => "silence",
        }
    }

    /// The server it is about, as its place in the pool.
    #[must_use]
    pub const fn server(self) -> Option<usize> {
        match self {
            Self::SlowStart { server }
            | Self::Drain { server }
            | Self::Disputed { server }
            | Self::Silence { server, .. } => Some(server),
            Self::QuorumLost { .. }
            | Self::Sorry
            | Self::Panic { .. }
            | Self::Backup
            | Self::SightLost { .. } => None,
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.begins) {
            (ActKind::QuorumLost { found, wanted }, true) => {
                write!(formatter, "the quorum is lost: {found} of the {wanted} that it needs")
            }
            (ActKind::QuorumLost { found, .. }, false) => {
                write!(formatter, "the quorum is there again, with {found}")
            }
            (ActKind::Sorry, true) => formatter.write_str("the sorry server answers"),
            (ActKind::Sorry, false) => formatter.write_str("the sorry server is no longer needed"),
            (ActKind::Panic { up, of }, true) => {
                write!(formatter, "panic: only {up} of {of} servers are up, which is not believed")
            }
            (ActKind::Panic { up, of }, false) => {
                write!(formatter, "the panic is over: {up} of {of} servers are up")
            }
            (ActKind::Backup, true) => formatter.write_str("the backup servers join"),
            (ActKind::Backup, false) => formatter.write_str("the backup servers are no longer needed"),
            (ActKind::SlowStart { .. }, true) => formatter.write_str("slow start begins"),
            (ActKind::SlowStart { .. }, false) => formatter.write_str("slow start is over"),
            (ActKind::Drain { .. }, true) => formatter.write_str("drains: it gets no new connection"),
            (ActKind::Drain { .. }, false) => formatter.write_str("is drained"),
            (ActKind::Disputed { .. }, true) => {
                formatter.write_str("fails here and not for the other director: it stays")
            }
            (ActKind::Disputed { .. }, false) => formatter.write_str("the directors agree on it again"),
            (ActKind::SightLost { lost, of }, true) => {
                write!(formatter, "this director alone has lost sight of {lost} of {of} servers")
            }
            (ActKind::SightLost { .. }, false) => {
                formatter.write_str("this director no longer is alone in what it does not see")
            }
            (ActKind::Silence { after, .. }, true) => {
                write!(formatter, "the source of its weight has been silent for {} s", after.as_secs())
            }
            (ActKind::Silence { .. }, false) => formatter.write_str("the source of its weight answers again"),
        }
    }
}
