//! Where weights come from, as it is written.

use super::{ExecText, FileText, Interval, Timeout};
use crate::policy::declare::{mapping, words};
use crate::policy::scalar::{Flag, Port, Text, Time};

mapping! {
    /// The source of each server's weight, beside its check: one of `agent`, `exec`, `file`. Its silence is no failure.
    WeightFromText = "`weight_from`" {
        /// HAProxy's agent on the server: one line such as `75%`, `drain`, `maint`, `down`, `up ready`.
        optional agent: AgentText,
        /// A program that is told the server in TANDEM_ADDRESS, and by default prints the same words as its last line.
        optional exec: ExecText,
        /// A file on the director with such a word.
        optional file: FileText,
        /// From one question to the next, by default 5s.
        optional interval: Interval,
        /// Bounds a question, by default 1s.
        optional timeout: Timeout,
        /// How long an answer holds, by default 30s.
        optional valid_for: Time<1_000, 86_400_000>,
        /// What holds afterwards: the `configured` weight (default), or `keep`, the last share of it. Nobody stays down or
        /// drained by a source that is silent.
        optional on_silence: AfterSilenceWord,
        /// Told and counted, not acted upon.
        optional shadow: Flag,
    }
    later {}
}

mapping! {
    /// HAProxy's agent protocol: one TCP connection, one line.
    AgentText = "an agent" {
        /// Where the agent listens, at the real server's address.
        required port: Port,
        /// What is sent first, by default nothing.
        optional send: Text,
    }
    later {}
}

words! {
    /// What holds when the source of weights is silent.
    AfterSilenceWord { "configured" => Configured, "keep" => Keep }
    later {}
}
