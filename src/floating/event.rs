//! What the keeper and its thread tell the log: one value a decision, with the objects and the reason. Pure.

use super::keeper::OperationKind;
use crate::model::RouterName;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Something that an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Another program removed addresses that this Master holds; they are put back, after a back-off where it goes on.
    TakenAway { router: RouterName, addresses: Vec<IpAddr> },
    /// The kernel removed addresses at the end of their lifetime: they were not renewed in time.
    Expired { router: RouterName, addresses: Vec<IpAddr> },
    /// The kernel refused an operation; it is tried again. Told once for each address and errno.
    Refused { router: RouterName, addresses: Vec<IpAddr>, kind: OperationKind, errno: i32 },
    /// The interface holds the address with another prefix length: that one is another program's, is neither changed nor
    /// removed, and does not float. For IPv6 the kernel takes both for the same.
    Obstructed { router: RouterName, address: IpAddr, interface: Arc<str>, prefix_length: u8 },
    /// An interface that floating addresses live on is not there, with all it held.
    InterfaceGone { interface: Arc<str> },
    /// It is there again.
    InterfaceReturned { interface: Arc<str> },
    /// The advert thread gave no sign of life for a second: nothing is renewed, the kernel will take the addresses away.
    AdvertThreadSilent,
    /// It is alive again.
    AdvertThreadReturned,
    /// The thread could not do a part of its work (a socket, the priority); the sentence says what and what follows.
    Trouble { message: String },
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakenAway { router, addresses } => write!(
                formatter,
                "{router}: another program removed {}; put back (does it manage this interface? let it leave these alone)",
                list(addresses)
            ),
            Self::Expired { router, addresses } => {
                write!(
                    formatter,
                    "{router}: the kernel removed {}, which were not renewed in time",
                    list(addresses)
                )
            }
            Self::Refused { router, addresses, kind, errno } => {
                let words = std::io::Error::from_raw_os_error(*errno);
                write!(
                    formatter,
                    "{router}: cannot {} {}: {words}; it is tried again",
                    kind.verb(),
                    list(addresses)
                )
            }
            Self::Obstructed { router, address, interface, prefix_length } if address.is_ipv4() => write!(
                formatter,
                "{router}: {interface} holds {address}/{prefix_length}, which is another program's and does not float: this \
                 director answers for it in every role, beside the Master; remove it"
            ),
            Self::Obstructed { router, address, interface, prefix_length } => write!(
                formatter,
                "{router}: {interface} holds {address}/{prefix_length} already, which is in the way of {address}/128: remove it"
            ),
            Self::InterfaceGone { interface } => {
                write!(formatter, "interface {interface} is not there: its floating addresses wait for it")
            }
            Self::InterfaceReturned { interface } => {
                write!(formatter, "interface {interface} is there again")
            }
            Self::AdvertThreadSilent => formatter.write_str(
                "the advert thread gave no sign of life for a second: the floating addresses are not renewed",
            ),
            Self::AdvertThreadReturned => formatter.write_str("the advert thread is alive again"),
            Self::Trouble { message } => formatter.write_str(message),
        }
    }
}

/// Addresses shown of one event.
const SHOWN_MAX: usize = 5;

fn list(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses.iter().take(SHOWN_MAX).map(IpAddr::to_string).collect();
    match addresses.len().saturating_sub(SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut() {
        let addresses = (1..=7).map(|last| IpAddr::from([192, 0, 2, last])).collect();
        let event = Event::Expired { router: "web".into(), addresses };
        assert_eq!(
            event.to_string(),
            "web: the kernel removed 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5 and 2 more, which were not \
             renewed in time"
        );
    }

    #[test]
    fn a_refusal_says_the_errno_in_words() {
        let (router, addresses) = ("web".into(), vec![IpAddr::from([192, 0, 2, 1])]);
        let event = Event::Refused { router, addresses, kind: OperationKind::Add, errno: 1 };
        assert_eq!(
            event.to_string(),
            "web: cannot add 192.0.2.1: Operation not permitted (os error 1); it is tried again"
        );
    }
}
