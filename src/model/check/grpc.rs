//! gRPC probes: the standard health protocol.

use super::TlsSpec;

/// A call of `grpc.health.v1.Health/Check`, which must answer SERVING.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GrpcSpec {
    /// The service that is asked for; empty: the server as a whole.
    pub service: String,
    /// `:authority`; `None`: the target's address and port.
    pub host: Option<String>,
    pub tls: Option<TlsSpec>,
    /// Whether the connection to a target stays open from one probe to the next.
    pub keep_connection: bool,
}

impl GrpcSpec {
    /// Bytes of a service's name at most: it fits a protobuf length of two bytes, and any name that a server has.
    pub const LONGEST_SERVICE: usize = 1024;
}
