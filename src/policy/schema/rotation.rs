//! The rules of a pool beyond its checks, as they are written.

use crate::policy::declare::{mapping, words};
use crate::policy::scalar::{Flag, Number, Percent, Time};

/// Servers that a quorum may ask for.
type QuorumServers = Number<1, 100_000>;
/// Sum of weights that a quorum may ask for.
type QuorumWeight = Number<1, 1_000_000_000>;
/// A share that a rule may compare with.
pub(in crate::policy) type Share = Percent<1, 100>;

mapping! {
    /// How many servers are enough. Without a quorum the sorry server answers.
    QuorumText = "`quorum`" {
        /// So many servers that are up, by default 1; or `weight`.
        optional servers: QuorumServers,
        /// So much weight of servers that are up.
        optional weight: QuorumWeight,
        /// As many bring it back; by default one more than are needed, as far as the pool has them; of weight, as much.
        optional recover: QuorumWeight,
        /// Without it: `sorry` (default where the pool has a sorry server) or `keep`, those that are left go on.
        optional on_loss: OnLossWord,
        /// Told and counted, not acted upon.
        optional shadow: Flag,
    }
    later {}
}

words! {
    /// What happens without the quorum.
    OnLossWord { "sorry" => Sorry, "keep" => Keep }
    later {}
}

mapping! {
    /// When so few servers are left that the checks, or the way to the servers, are doubted.
    PanicText = "`panic`" {
        /// It begins when a smaller share of the servers is up.
        required below: Share,
        /// It ends when such a share is up again; by default 10% more than `below`.
        optional recover: Share,
        /// Count only failures so close together: of the servers that were up so long ago. By default all.
        optional within: Time<1_000, 3_600_000>,
        /// `keep_last` (default): those serve that did before; `all` servers; the `sorry` server; `none`.
        optional action: PanicWord,
        /// Told and counted, not acted upon.
        optional shadow: Flag,
    }
    later {}
}

words! {
    /// What a pool does in a panic.
    PanicWord { "keep_last" => KeepLast, "all" => All, "sorry" => Sorry, "none" => None }
    later {}
}

mapping! {
    /// A server that comes back beside others gets its weight in steps.
    SlowStartText = "`slow_start`" {
        /// From its return to its full weight.
        required duration: Time<1_000, 86_400_000>,
        /// Share of its weight at first, by default 10%.
        optional from: Share,
        /// Changes of its weight, by default 6; under `mh` 2, since each moves connections of others too.
        optional steps: Number<1, 100>,
        /// `linear` (default), or `quadratic`: little at first, more later.
        optional curve: CurveWord,
        /// Told and counted, not acted upon.
        optional shadow: Flag,
    }
    later {}
}

words! {
    /// How the weight grows.
    CurveWord { "linear" => Linear, "quadratic" => Quadratic }
    later {}
}

mapping! {
    /// How a server leaves that asks for no new connections.
    DrainText = "`drain`" {
        /// It leaves the table then, whatever connections are left; by default 5m.
        optional deadline: Time<0, 86_400_000>,
    }
    later {}
}
