//! Synchronisation daemons ⇄ netlink attributes (`IPVS_CMD_ATTR_DAEMON`). Pure.
//!
//! Group, port, TTL and length of the messages are left to the kernel's defaults (224.0.0.81, 8848, 1, what fits 1,500 bytes):
//! what [`crate::connections`] sends by itself counts on them. The kernel stops a daemon by its state alone.

use super::constants::*;
use crate::kernel::netlink::{Attribute, Attributes, Message};
use crate::model::{SyncDaemon, SyncDaemonRole};

/// Appends a daemon: all that starting one needs.
pub(super) fn put_daemon(message: &mut Message, daemon: &SyncDaemon) {
    let state = match daemon.role {
        SyncDaemonRole::Master => IP_VS_STATE_MASTER,
        SyncDaemonRole::Backup => IP_VS_STATE_BACKUP,
    };
    message.nest(IPVS_CMD_ATTR_DAEMON, |inner| {
        inner.put_u32(IPVS_DAEMON_ATTR_STATE, state);
        inner.put_string(IPVS_DAEMON_ATTR_MCAST_IFN, &daemon.interface);
        inner.put_u32(IPVS_DAEMON_ATTR_SYNC_ID, daemon.sync_id.into());
    });
}

/// Reads one entry of the answer to `IPVS_CMD_GET_DAEMON`.
pub(in crate::kernel) fn read_daemon(message: Attributes<'_>) -> Option<SyncDaemon> {
    let daemon = message.find(IPVS_CMD_ATTR_DAEMON)?.nested();
    let number = |kind| daemon.find(kind).and_then(Attribute::u32);
    let role = match number(IPVS_DAEMON_ATTR_STATE)? {
        IP_VS_STATE_MASTER => SyncDaemonRole::Master,
        IP_VS_STATE_BACKUP => SyncDaemonRole::Backup,
        _ => return None,
    };
    Some(SyncDaemon {
        role,
        interface: daemon.find(IPVS_DAEMON_ATTR_MCAST_IFN)?.string(),
        // The kernel keeps the 32 bits that it was given and compares the lowest eight (`struct ip_vs_sync_mesg`).
        sync_id: number(IPVS_DAEMON_ATTR_SYNC_ID)?.to_le_bytes()[0],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attributes_of;

    #[test]
    fn a_daemon_reads_back_as_it_is_started() {
        for role in [SyncDaemonRole::Master, SyncDaemonRole::Backup] {
            let daemon = SyncDaemon { role, interface: "eth1".to_owned(), sync_id: 61 };
            let mut message = Message::new(0, 0);
            put_daemon(&mut message, &daemon);
            assert_eq!(read_daemon(Attributes(&attributes_of(&message, 0))), Some(daemon));
        }
        assert_eq!(read_daemon(Attributes(&[])), None);
    }
}
