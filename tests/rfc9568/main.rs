//! One test for each normative statement of RFC 9568 that packets, states, timers, receiving and sending must meet; the
//! section is in the test's name. Verified errata (8298 to 8301) are followed. Version 2's differences are RFC 3768's.
//!
//! Met elsewhere, and tested there:
//!
//! | section | statement | where |
//! |---|---|---|
//! | 5.1.1.2, 5.1.2.2 | routers do not forward the groups | the kernel: link-local groups are never forwarded |
//! | 5.1.1.3, 5.1.2.3, 7.2 | TTL or hop limit 255, protocol 112 are sent | `advert`: options of the sockets; the lab reads them |
//! | 6.4.1 to 6.4.3, 8.1.2, 8.2.2, 8.2.3 | gratuitous ARP, neighbour advertisements, answers to ARP and ND, solicited-node groups | `floating`: keeper and thread; the kernel answers for the addresses it holds |
//! | 6.1, 6.4.2, 6.4.3 | what is accepted and forwarded in each state; `Accept_Mode` | addresses are the kernel's: there as Active, not there as Backup; `Accept_Mode` is always true (a director serves on its VIPs) |
//! | 7.2, 7.3, 8.1.2 | frames from the virtual MAC | `floating` with `virtual_mac: true`; without, the addresses move by announcement |
//! | 7.4 | interface identifiers | the kernel's own |
//! | 8.1.1, 8.2.1, 8.1.3, 8.2.3 | redirects, proxy ARP, router advertisements | not ours: a director is no router for its clients |
//! | 8.3.1 | no forwarding loop to a virtual address | the kernel: an address that is held is local |
//! | 8.4.2 | both versions at once | not offered: a Master speaks one version and accepts both during a change-over |
//!
//! Active, Backup and Initialize are Master, Backup and Initialize in the code.

#![allow(unreachable_pub, reason = "the modules of a test have no other reader")]

mod bench;
mod packets;
mod states;
mod timers;
