//! Pools as they are written.

use super::{
    CheckUse, DrainText, ForwardingText, MAX_KERNEL_SECONDS, PanicText, QuorumText, SchedulerText,
    ServerText, ServersText, ServiceText, SlowStartText, Texts, WeightFromText,
};
use crate::policy::declare::{mapping, words};
use crate::policy::read::List;
use crate::policy::scalar::{Flag, Number, Seconds};

/// A pool, and the same without what makes it this pool: what `defaults` may say.
macro_rules! pool_mapping {
    ($(#[doc = $about:literal])+ $name:ident = $what:literal { $($own:tt)* }) => {
        mapping! {
            $(#[doc = $about])+
            $name = $what {
                $($own)*
                /// How packets reach the real servers: nat, dr, tun or full-nat.
                optional forwarding: ForwardingText,
                /// The kernel's rule for choosing a real server, by default wlc.
                optional scheduler: SchedulerText,
                /// How the real servers are checked: a name under `checks`, a check in place, or none.
                optional check: CheckUse,
                /// What happens to a server that is down: `remove` (default), or `quiesce` (weight 0; default of mh).
                optional on_failure: OnFailureWord,
                /// A server before its first probe: `down` (default) joins after its first successes, `up` serves at once.
                optional initial: InitialWord,
                /// A client stays on its real server.
                optional persistence: PersistenceText,
                /// Each datagram is scheduled alone (UDP only).
                optional one_packet: Flag,
                /// All ports of the pool are one service, so that a client's connections to them reach one real server.
                optional join_ports: Flag,
                /// The pool's packets bypass connection tracking (not with full-NAT).
                optional untracked: Flag,
                /// Who must see a server fail: `own` (default), each director alone; `both`, every director that is heard.
                optional verdict: VerdictWord,
                /// How many servers are enough; by default one.
                optional quorum: QuorumText,
                /// Answers while the quorum is lost: an address, or a mapping as a real server's.
                optional sorry_server: ServerText,
                /// What happens when most servers fail.
                optional panic: PanicText,
                /// A server that comes back beside others gets its weight in steps.
                optional slow_start: SlowStartText,
                /// Where weights come from, beside the checks: the servers themselves, a program, a file.
                optional weight_from: WeightFromText,
                /// How a server leaves that asks for no new connections.
                optional drain: DrainText,
                /// Carried to metrics.
                optional labels: Texts,
            }
            later {}
        }
    };
}

pool_mapping! {
    /// Virtual services and the real servers behind them.
    PoolText = "a pool" {
        /// What clients reach.
        required virtual_services: List<ServiceText>,
        /// The machines that answer.
        required real_servers: ServersText,
    }
}

pool_mapping! {
    /// For every pool: a key that the pool says itself replaces the whole value here.
    DefaultPoolText = "`defaults.pool`" {}
}

words! {
    /// What happens to a server that is down.
    OnFailureWord { "remove" => Remove, "quiesce" => Quiesce }
    later {}
}

words! {
    /// A server before its first probe.
    InitialWord { "down" => Down, "up" => Up }
    later {}
}

words! {
    /// Who must see a server fail.
    VerdictWord { "own" => Own, "both" => Both }
    later {}
}

words! {
    /// What persistence is kept by, beside the client's address.
    EngineWord { "sip" => Sip }
    later {}
}

mapping! {
    /// A client (or its network) stays on its real server.
    PersistenceText = "`persistence`" {
        /// For how long after its last connection, in whole seconds up to 31 days, by default 5m.
        optional timeout: Seconds<MAX_KERNEL_SECONDS>,
        /// Which clients count as one, by the length of their addresses' prefix; by default each address for itself.
        optional prefix: PrefixText,
        /// `sip`: by the SIP Call-ID instead of the address (UDP only).
        optional engine: EngineWord,
    }
    later {}
}

mapping! {
    /// Lengths of clients' prefixes.
    PrefixText = "`persistence.prefix`" {
        /// Of IPv4 clients, 0 to 32, by default 32.
        optional ipv4: Number<0, 32>,
        /// Of IPv6 clients, 1 to 128, by default 128.
        optional ipv6: Number<1, 128>,
    }
    later {}
}
