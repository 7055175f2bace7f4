//! Reads a capture of netlink messages (`nlmon`): what programs asked of the kernel.
//!
//! Sources: pcap-savefile(5); LINKTYPE_NETLINK of tcpdump.org; `linux/netlink.h`, `rtnetlink.h`, `ip_vs.h`, `nf_tables.h`.

use std::fs;
use std::path::Path;

/// A message from a program to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// `NETLINK_ROUTE` 0, `NETLINK_NETFILTER` 12, `NETLINK_GENERIC` 16.
    pub(crate) protocol: u16,
    pub(crate) kind: u16,
    /// The first byte behind the header: the command of a generic message.
    pub(crate) command: u8,
}

const ROUTE: u16 = 0;
const NETFILTER: u16 = 12;
const GENERIC: u16 = 16;
const GENERIC_CONTROL: u16 = 16;
const NFNL_SUBSYS_NFTABLES: u16 = 10;

impl Request {
    pub(crate) const fn is_ipvs(self) -> bool {
        self.protocol == GENERIC && self.kind != GENERIC_CONTROL
    }

    pub(crate) const fn is_route(self) -> bool {
        self.protocol == ROUTE
    }

    /// Whether it only asks. Of the generic families only IPVS and the controller are known here.
    pub(crate) const fn is_get(self) -> bool {
        match self.protocol {
            // Kinds come in fours: new, delete, get, set.
            ROUTE => self.kind >= 16 && self.kind % 4 == 2,
            // The controller: CTRL_CMD_GETFAMILY. IPVS: GET_SERVICE, GET_DEST, GET_DAEMON, GET_CONFIG, GET_INFO.
            GENERIC if self.kind == GENERIC_CONTROL => self.command == 3,
            GENERIC => matches!(self.command, 4 | 8 | 11 | 13 | 15),
            // NFT_MSG_GET* of tables, chains, rules, sets, elements, the generation, objects, flow tables.
            NETFILTER => {
                self.kind >> 8 == NFNL_SUBSYS_NFTABLES
                    && matches!(self.kind & 0xff, 1 | 4 | 7 | 10 | 13 | 16 | 19 | 23)
            }
            _ => false,
        }
    }
}

/// All requests in a capture file, in their order.
pub(crate) fn requests(file: &Path) -> Vec<Request> {
    let bytes = fs::read(file).expect("the capture");
    let mut rest = bytes.get(24..).expect("a file header");
    let mut requests = Vec::new();
    while let Some((header, behind)) = rest.split_at_checked(16) {
        let length = number(&header[8..12]);
        let Some((packet, behind)) = behind.split_at_checked(length) else { break };
        // A header of 16 bytes, whose last two are the protocol, most significant byte first.
        let protocol = u16::from_be_bytes([packet[14], packet[15]]);
        take(protocol, &packet[16..], &mut requests);
        rest = behind;
    }
    requests
}

/// The requests among the messages of one packet, which may be a batch.
fn take(protocol: u16, mut messages: &[u8], requests: &mut Vec<Request>) {
    const NLM_F_REQUEST: u16 = 1;
    while messages.len() > 16 {
        let length = number(&messages[0..4]);
        let [kind, flags] = [4, 6].map(|at| u16::from_ne_bytes([messages[at], messages[at + 1]]));
        if flags & NLM_F_REQUEST != 0 {
            requests.push(Request { protocol, kind, command: messages[16] });
        }
        let step = length.max(16).next_multiple_of(4);
        messages = messages.get(step..).unwrap_or_default();
    }
}

/// Four bytes as this machine (and so its tcpdump) writes them.
fn number(bytes: &[u8]) -> usize {
    let bytes: [u8; 4] = bytes.try_into().expect("four bytes");
    usize::try_from(u32::from_ne_bytes(bytes)).expect("a length")
}
