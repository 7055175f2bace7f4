//! HAProxy's agent protocol: a server tells what it can take.

/// One TCP connection on which the server answers one line. For `weight_from`; it is no check.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AgentSpec {
    /// What is sent first (HAProxy's `agent-send`); empty: nothing.
    pub send: String,
}
