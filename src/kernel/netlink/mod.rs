//! Netlink: messages as bytes ([`codec`], pure) and the blocking conversation with the kernel ([`socket`]).
//!
//! Two things are done here that the ready-made connections don't do: many changes travel in one system call, and each of
//! them gets its own result.

mod codec;
mod generic;
mod listener;
mod socket;

pub(crate) use codec::{Attribute, Attributes, ByKind, Message};
pub(crate) use generic::{GENERIC_HEADER_BYTES, GenericFamily, resolve_family};
pub(crate) use listener::Listener;
pub(crate) use socket::{Netlink, NetlinkError};

#[cfg(test)]
pub(crate) use codec::attributes_of;
