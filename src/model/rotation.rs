//! The rules of a pool beyond its checks: how many servers are enough, what stands in when they are not, and how weights
//! move. They say what shall be; [`crate::rotation`] decides by them.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The rules of one pool; by default one server is enough, and nothing acts by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolRules {
    /// Who must see a server fail before it counts as failed.
    pub verdict: VerdictBy,
    /// When the servers are enough.
    pub quorum: Quorum,
    pub panic: Option<Panic>,
    pub slow_start: Option<SlowStart>,
    pub weight_from: WeightFrom,
    pub drain: Drain,
}

/// Whose eyes judge the servers of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerdictBy {
    /// Each director's own.
    #[default]
    Own,
    /// A server fails when every director that is heard sees it fail; one that alone has lost sight of most of the pool yields
    /// the pool's addresses.
    Both,
}

/// A share of a whole, 0..=100 percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u8);

impl Percent {
    /// Everything.
    pub const ALL: Self = Self(100);

    /// So many percent; `None` above 100.
    #[must_use]
    pub const fn new(percent: u8) -> Option<Self> {
        match percent {
            0..=100 => Some(Self(percent)),
            _ => None,
        }
    }

    /// The number, 0..=100.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether `part` of `whole` is less than this share. Nothing of nothing is everything.
    #[must_use]
    pub fn is_above(self, part: usize, whole: usize) -> bool {
        let (part, whole) = (part as u128, whole as u128);
        part * 100 < whole * u128::from(self.0)
    }
}

/// What a [`Quorum`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuorumUnit {
    /// Servers that are up and have a positive weight.
    Servers,
    /// The sum of their configured weights.
    Weight,
}

/// What happens to a pool without its quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLoss {
    /// The sorry server answers, where the pool has one; the servers that are left get no new connection.
    Sorry,
    /// The servers that are left go on.
    Keep,
}

/// How many servers are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    pub unit: QuorumUnit,
    /// With fewer the quorum is lost (1..).
    pub least: u32,
    /// With as many it is there again (`least`..).
    pub recover: u32,
    pub on_loss: OnLoss,
    /// Told and counted, not acted upon.
    pub shadow: bool,
}

impl Default for Quorum {
    /// One server is enough.
    fn default() -> Self {
        Self { unit: QuorumUnit::Servers, least: 1, recover: 1, on_loss: OnLoss::Sorry, shadow: false }
    }
}

/// What a pool does in a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanicAction {
    /// The servers serve that did before the failures that led here.
    KeepLast,
    /// Every server serves, whatever its check says.
    All,
    /// Only the sorry server does.
    Sorry,
    /// None does.
    None,
}

/// When so few servers are left that the checks, or what they ask, are doubted rather than the servers; or that those left
/// would break under the load of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panic {
    /// It begins when a smaller share of the servers is up (1..=100).
    pub below: Percent,
    /// It ends when as large a share is up again (`below`..).
    pub recover: Percent,
    /// Only failures so close together count: of the servers that were up so long ago. `None`: of all.
    pub within: Option<Duration>,
    pub action: PanicAction,
    /// Told and counted, not acted upon.
    pub shadow: bool,
}

/// How the weight grows in a [`SlowStart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// By as much at each step.
    Linear,
    /// Little at first, more later: with the square of the time.
    Quadratic,
}

/// A server that comes back gets its weight little by little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowStart {
    /// From its return to its full weight.
    pub duration: Duration,
    /// Of its weight, at first (1..=100).
    pub from: Percent,
    /// Changes of its weight up to the full one (1..).
    pub steps: u32,
    pub curve: Curve,
    /// Told and counted, not acted upon.
    pub shadow: bool,
}

/// What an expired answer of a weight's source leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSilence {
    /// The configured weight.
    Configured,
    /// The last share of it. A server that was told to be down or to drain comes back all the same: a source that died
    /// pins nobody.
    Keep,
}

/// How the answers of weights' sources are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightFrom {
    /// How long an answer holds.
    pub valid_for: Duration,
    pub after_silence: AfterSilence,
    /// Told and counted, not acted upon.
    pub shadow: bool,
}

impl Default for WeightFrom {
    fn default() -> Self {
        Self { valid_for: Duration::from_secs(30), after_silence: AfterSilence::Configured, shadow: false }
    }
}

/// How a server leaves that shall get no new connection: with weight 0 until its last connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// It leaves the table then, whatever connections are left.
    pub deadline: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(300) }
    }
}

/// What a server, or a source of its weight, says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// Share of the configured weight, in percent; more than 100 is allowed.
    pub weight_percent: Option<u16>,
    pub state: Option<AdvisedState>,
}

/// What a server asks to be treated as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdvisedState {
    /// As its check says.
    Up,
    /// No new connection; the old ones live on.
    Drain,
    /// As one that failed, on purpose.
    Maintenance,
    /// As one that failed.
    Down,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_compared_without_rounding() {
        let third = Percent::new(33).expect("a share");
        assert!(!third.is_above(1, 3) && third.is_above(0, 1) && third.is_above(32, 100));
        assert!(!Percent::ALL.is_above(3, 3) && Percent::ALL.is_above(2, 3));
        assert!(!Percent::ALL.is_above(0, 0), "a pool without servers has lost none");
        assert_eq!(Percent::new(101), None);
    }
}
