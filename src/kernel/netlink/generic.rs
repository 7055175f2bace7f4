//! Generic netlink: the number of a family, found by its name, and the header of its messages.
//!
//! Source: `linux/genetlink.h`. Numbers of families are given out when a module is loaded, so none is a constant.

use super::{Attribute, Attributes, Message, Netlink, NetlinkError};

/// `struct genlmsghdr`: command, version, two reserved bytes.
pub(crate) const GENERIC_HEADER_BYTES: usize = 4;

/// The family that knows the others (`GENL_ID_CTRL`), and what it is asked.
const CONTROL_FAMILY: GenericFamily = GenericFamily { id: 0x10, version: 2 };
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// A generic netlink family: the type of its messages, and the version that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GenericFamily {
    pub(crate) id: u16,
    pub(crate) version: u8,
}

impl GenericFamily {
    /// A message of this family, still without attributes.
    pub(crate) fn message(self, command: u8, flags: u16) -> Message {
        Message::new(self.id, flags).header(&[command, self.version, 0, 0])
    }
}

/// Asks the kernel for the family's number. `ENOENT`: the kernel has no such family (its module is not loaded).
pub(crate) fn resolve_family(
    netlink: &mut Netlink,
    name: &str,
    version: u8,
) -> Result<GenericFamily, NetlinkError> {
    let mut message = CONTROL_FAMILY.message(CTRL_CMD_GETFAMILY, 0);
    message.put_string(CTRL_ATTR_FAMILY_NAME, name);
    let reply = netlink.request(&message)?;
    Attributes(reply.get(GENERIC_HEADER_BYTES..).unwrap_or_default())
        .find(CTRL_ATTR_FAMILY_ID)
        .and_then(Attribute::u16)
        .map(|id| GenericFamily { id, version })
        .ok_or(NetlinkError::from_errno(libc::ENOENT))
}
