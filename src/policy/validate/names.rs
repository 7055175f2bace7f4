//! Names that the policy leaves out.

use std::net::{IpAddr, SocketAddr};

/// A real server's name where none is said: `RIP:port`, or the RIP where it has no port of its own.
pub(in crate::policy) fn automatic_name(address: IpAddr, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_string(), |port| SocketAddr::new(address, port).to_string())
}
