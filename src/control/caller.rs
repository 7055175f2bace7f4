//! Who asks (shell): a process at the other end of the control socket, or somebody who came over TCP.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::UnixStream;

/// Who asks. Over the socket the process (`SO_PEERCRED`, unix(7)), as it was when it connected; over TCP its address, and the
/// name of the token that it showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    pub uid: Option<u32>,
    pub pid: Option<i32>,
    /// Name of a token of the policy.
    pub token: Option<Arc<str>>,
    /// Where it came from over TCP.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// The process behind a connection of the control socket.
    pub(super) fn of(stream: &UnixStream) -> Self {
        let found = stream.peer_cred().ok();
        Self {
            uid: found.as_ref().map(tokio::net::unix::UCred::uid),
            pid: found.and_then(|found| found.pid()),
            ..Self::default()
        }
    }

    /// Somebody who came over TCP.
    pub(super) fn over_tcp(address: IpAddr, token: Option<Arc<str>>) -> Self {
        Self { token, address: Some(address), ..Self::default() }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.token, self.address, self.uid) {
            (Some(token), Some(address), _) => write!(formatter, "token {token} at {address}"),
            (_, Some(address), _) => write!(formatter, "somebody at {address}"),
            (_, None, Some(uid)) => write!(formatter, "user {uid}"),
            (_, None, None) => formatter.write_str("somebody at the control socket"),
        }?;
        self.pid.map_or(Ok(()), |pid| write!(formatter, ", process {pid}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_named_by_what_is_known_of_it() {
        let address = "10.0.0.9".parse().expect("an address");
        assert_eq!(Caller::over_tcp(address, Some("ops".into())).to_string(), "token ops at 10.0.0.9");
        assert_eq!(Caller::over_tcp(address, None).to_string(), "somebody at 10.0.0.9");
        let process = Caller { uid: Some(1000), pid: Some(42), ..Caller::default() };
        assert_eq!(process.to_string(), "user 1000, process 42");
        assert_eq!(Caller::default().to_string(), "somebody at the control socket");
    }
}
