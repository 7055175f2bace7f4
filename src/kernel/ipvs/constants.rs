//! Numbers of `linux/ip_vs.h`, under their own names. Only what is used.

/// Name and version of the generic netlink family.
pub(super) const IPVS_GENL_NAME: &str = "IPVS";
pub(super) const IPVS_GENL_VERSION: u8 = 1;

pub(super) const IPVS_CMD_NEW_SERVICE: u8 = 1;
pub(super) const IPVS_CMD_SET_SERVICE: u8 = 2;
pub(super) const IPVS_CMD_DEL_SERVICE: u8 = 3;
pub(super) const IPVS_CMD_GET_SERVICE: u8 = 4;
pub(super) const IPVS_CMD_NEW_DEST: u8 = 5;
pub(super) const IPVS_CMD_SET_DEST: u8 = 6;
pub(super) const IPVS_CMD_DEL_DEST: u8 = 7;
pub(super) const IPVS_CMD_GET_DEST: u8 = 8;
pub(super) const IPVS_CMD_NEW_DAEMON: u8 = 9;
pub(super) const IPVS_CMD_DEL_DAEMON: u8 = 10;
pub(super) const IPVS_CMD_GET_DAEMON: u8 = 11;
pub(super) const IPVS_CMD_SET_CONFIG: u8 = 12;
pub(super) const IPVS_CMD_GET_CONFIG: u8 = 13;
pub(super) const IPVS_CMD_GET_INFO: u8 = 15;

pub(super) const IPVS_CMD_ATTR_SERVICE: u16 = 1;
pub(super) const IPVS_CMD_ATTR_DEST: u16 = 2;
pub(super) const IPVS_CMD_ATTR_DAEMON: u16 = 3;
pub(super) const IPVS_CMD_ATTR_TIMEOUT_TCP: u16 = 4;
pub(super) const IPVS_CMD_ATTR_TIMEOUT_TCP_FIN: u16 = 5;
pub(super) const IPVS_CMD_ATTR_TIMEOUT_UDP: u16 = 6;

pub(super) const IPVS_SVC_ATTR_AF: u16 = 1;
pub(super) const IPVS_SVC_ATTR_PROTOCOL: u16 = 2;
pub(super) const IPVS_SVC_ATTR_ADDR: u16 = 3;
pub(super) const IPVS_SVC_ATTR_PORT: u16 = 4;
pub(super) const IPVS_SVC_ATTR_FWMARK: u16 = 5;
pub(super) const IPVS_SVC_ATTR_SCHED_NAME: u16 = 6;
pub(super) const IPVS_SVC_ATTR_FLAGS: u16 = 7;
pub(super) const IPVS_SVC_ATTR_TIMEOUT: u16 = 8;
pub(super) const IPVS_SVC_ATTR_NETMASK: u16 = 9;
pub(super) const IPVS_SVC_ATTR_STATS: u16 = 10;
pub(super) const IPVS_SVC_ATTR_PE_NAME: u16 = 11;
pub(super) const IPVS_SVC_ATTR_STATS64: u16 = 12;

pub(super) const IPVS_DEST_ATTR_ADDR: u16 = 1;
pub(super) const IPVS_DEST_ATTR_PORT: u16 = 2;
pub(super) const IPVS_DEST_ATTR_FWD_METHOD: u16 = 3;
pub(super) const IPVS_DEST_ATTR_WEIGHT: u16 = 4;
pub(super) const IPVS_DEST_ATTR_U_THRESH: u16 = 5;
pub(super) const IPVS_DEST_ATTR_L_THRESH: u16 = 6;
pub(super) const IPVS_DEST_ATTR_ACTIVE_CONNS: u16 = 7;
pub(super) const IPVS_DEST_ATTR_INACT_CONNS: u16 = 8;
pub(super) const IPVS_DEST_ATTR_PERSIST_CONNS: u16 = 9;
pub(super) const IPVS_DEST_ATTR_STATS: u16 = 10;
pub(super) const IPVS_DEST_ATTR_ADDR_FAMILY: u16 = 11;
pub(super) const IPVS_DEST_ATTR_STATS64: u16 = 12;
pub(super) const IPVS_DEST_ATTR_TUN_TYPE: u16 = 13;
pub(super) const IPVS_DEST_ATTR_TUN_PORT: u16 = 14;
pub(super) const IPVS_DEST_ATTR_TUN_FLAGS: u16 = 15;

pub(super) const IPVS_DAEMON_ATTR_STATE: u16 = 1;
pub(super) const IPVS_DAEMON_ATTR_MCAST_IFN: u16 = 2;
pub(super) const IPVS_DAEMON_ATTR_SYNC_ID: u16 = 3;

pub(super) const IP_VS_STATE_MASTER: u32 = 1;
pub(super) const IP_VS_STATE_BACKUP: u32 = 2;

/// One more than the last attribute of a service, of a destination and of the statistics that we read.
pub(super) const SERVICE_KINDS: usize = IPVS_SVC_ATTR_STATS64 as usize + 1;
pub(super) const DESTINATION_KINDS: usize = IPVS_DEST_ATTR_TUN_FLAGS as usize + 1;
pub(super) const STATS_KINDS: usize = IPVS_STATS_ATTR_OUTBYTES as usize + 1;

pub(super) const IPVS_STATS_ATTR_CONNS: u16 = 1;
pub(super) const IPVS_STATS_ATTR_INPKTS: u16 = 2;
pub(super) const IPVS_STATS_ATTR_OUTPKTS: u16 = 3;
pub(super) const IPVS_STATS_ATTR_INBYTES: u16 = 4;
pub(super) const IPVS_STATS_ATTR_OUTBYTES: u16 = 5;

pub(super) const IPVS_INFO_ATTR_VERSION: u16 = 1;
pub(super) const IPVS_INFO_ATTR_CONN_TAB_SIZE: u16 = 2;

/// Clients are persistent. The kernel adds `IP_VS_SVC_F_HASHED` (2) by itself: it is never sent, and ignored when read.
pub(super) const IP_VS_SVC_F_PERSISTENT: u32 = 0x01;
pub(super) const IP_VS_SVC_F_ONEPACKET: u32 = 0x04;
pub(super) const IP_VS_SVC_F_SCHED1: u32 = 0x08;
pub(super) const IP_VS_SVC_F_SCHED2: u32 = 0x10;
pub(super) const IP_VS_SVC_F_SCHED3: u32 = 0x20;

pub(super) const IP_VS_CONN_F_FWD_MASK: u32 = 7;
pub(super) const IP_VS_CONN_F_MASQ: u32 = 0;
pub(super) const IP_VS_CONN_F_LOCALNODE: u32 = 1;
pub(super) const IP_VS_CONN_F_TUNNEL: u32 = 2;
pub(super) const IP_VS_CONN_F_DROUTE: u32 = 3;
pub(super) const IP_VS_CONN_F_BYPASS: u32 = 4;

pub(super) const IP_VS_CONN_F_TUNNEL_TYPE_IPIP: u8 = 0;
pub(super) const IP_VS_CONN_F_TUNNEL_TYPE_GUE: u8 = 1;
pub(super) const IP_VS_CONN_F_TUNNEL_TYPE_GRE: u8 = 2;

pub(super) const IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM: u16 = 0;
pub(super) const IP_VS_TUNNEL_ENCAP_FLAG_CSUM: u16 = 1;
pub(super) const IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM: u16 = 2;
