//! VRRP, versions 2 and 3 (RFC 3768, RFC 9568), as pure machines: bytes, reports and time go in; bytes to send, wishes for
//! the addresses and roles come out. No socket, no clock: [`crate::advert`] is the shell.

pub mod authentication;
pub mod beat;
pub mod complaint;
pub mod election;
pub mod event;
pub mod fitness;
pub mod handed;
pub mod machine;
pub mod packet;
pub mod picture;
pub mod role;
pub mod station;
pub mod timing;
pub mod tracking;
pub mod transfer;
pub mod unit;

use crate::model::Family;

/// Identity of a virtual router: its place in [`crate::model::Pair::routers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterId(pub usize);

/// Identity of a VRRP session: one family of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    pub router: RouterId,
    pub family: Family,
}
