//! Kernel settings of connection synchronisation, where the policy asks for it, and the one that needs no state at all.
//!
//! Source: `net/netfilter/ipvs/ip_vs_sync.c` (`ip_vs_sync_conn_needed`, `set_sock_size`, `ip_vs_proc_conn`), `ip_vs_ctl.c`
//! (`proc_do_sync_threshold`), `include/net/ip_vs.h` (`sysctl_backup_only`), Documentation/networking/ipvs-sysctl.rst.
//!
//! What is left as it is: `sync_qlen_max` (a 32nd of the free memory, plenty), and `net.core.rmem_max`, which belongs to
//! the whole machine.

use super::Situation;
use crate::model::{
    Forwarding, Policy, Pool, Protocol, Reach, RealServer, ServiceKey, SyncDaemonRole, Sysctl, VirtualService,
};
use std::collections::BTreeMap;

/// When a connection is told to the other directors: with its first packet in a state that counts (TCP: the one that ends
/// the handshake), then at most once in [`REFRESH_PERIOD`] while it is used.
///
/// With a period above 0 the kernel counts packets instead: `3 50`, its default, tells a connection with its third packet
/// and again with each fiftieth. A connection that rests after its handshake is then lost in a failover, and a busy one is
/// told hundreds of times a second. With a period of 0 and a refresh period the packets are not counted at all. Changes of
/// state but the one to ESTABLISHED are told at once in any case.
const SYNC_THRESHOLD: &str = "0 0";
/// Seconds. Short, for a director that has just come back hears of the connections in use within this time, and the
/// others' timers are right to this; long enough that 100,000 connections in use make 10,000 records a second, and not more.
const REFRESH_PERIOD: &str = "10";
/// Repetitions within a refresh period (after an eighth of it, if there are packets): a datagram may get lost, and nobody
/// acknowledges it.
const RETRIES: &str = "1";
/// Bytes of the daemons' socket buffers; the kernel takes no more than `net.core.rmem_max`, and then twice that. Read when
/// a daemon starts, which is why settings come before daemons. Its default holds about 90 datagrams.
const SOCKET_BYTES: &str = "4194304";

/// Takes TCP packets that are outside of the window which connection tracking knows.
///
/// A director that was Master before has old tracking of the connections that went on at the other. Back as Master it would
/// see acknowledgements of what it never saw, and call those packets invalid: they lose their tracking, and full-NAT its
/// source translation. NAT too: behind IPVS the packet is tracked anew, as a second connection with the same answers, so its
/// source port is changed, and the real server resets it. Full-NAT switches that tracking on for all pools.
///
/// Source: `net/netfilter/nf_conntrack_proto_tcp.c` (`tcp_in_window`), `nf_nat_core.c` (`get_unique_tuple`).
const LIBERAL_TRACKING: &str = "net/netfilter/nf_conntrack_tcp_be_liberal";

/// Adds what the policy's pair needs.
pub(super) fn add(wanted: &mut BTreeMap<Sysctl, String>, policy: &Policy, situation: Situation<'_>) {
    add_sloppiness(wanted, policy);
    let Some(sync) = &policy.pair.connection_sync else { return };
    let backup = sync
        .daemons(&policy.pair.groups, situation.roles)
        .iter()
        .all(|daemon| daemon.role == SyncDaemonRole::Backup);
    let backup_only = backup && serves_here_too(policy, situation);
    let mut set = |name: &str, value: &str| {
        wanted.insert(Sysctl::from_path(format!("net/ipv4/vs/{name}")), value.to_owned());
    };
    // Version 0 knows neither IPv6 nor firewall marks nor timeouts.
    set("sync_version", "1");
    // One thread and one port: what we send ourselves goes to the first.
    set("sync_ports", "1");
    // 1 would leave out connections of persistent services.
    set("sync_persist_mode", "0");
    set("sync_threshold", SYNC_THRESHOLD);
    set("sync_refresh_period", REFRESH_PERIOD);
    set("sync_retries", RETRIES);
    set("sync_sock_size", SOCKET_BYTES);
    set("backup_only", if backup_only { "1" } else { "0" });
}

/// Where the addresses of a pool that needs no state can come here in the middle of its connections, they may begin here.
fn add_sloppiness(wanted: &mut BTreeMap<Sysctl, String>, policy: &Policy) {
    if policy.pair.directors.len() < 2 {
        return;
    }
    for (protocol, name) in [(Protocol::Tcp, "sloppy_tcp"), (Protocol::Sctp, "sloppy_sctp")] {
        if policy.pools.values().any(|pool| needs_no_state(pool, protocol)) {
            wanted.insert(Sysctl::from_path(format!("net/ipv4/vs/{name}")), "1".to_owned());
        }
    }
    if policy.has_full_nat() {
        wanted.insert(Sysctl::from_path(LIBERAL_TRACKING), "1".to_owned());
    }
}

/// Whether one of the real servers is a director. There the Backup must not balance: the Master has chosen it, and with a
/// warm table it would choose again and send the packet on. The setting acts only while a backup daemon runs; on a director
/// that becomes Master it is 0 before its daemons change, since changing those takes a while.
fn serves_here_too(policy: &Policy, situation: Situation<'_>) -> bool {
    let directors = || policy.pair.directors.values();
    let is_director = |server: &RealServer| {
        let own = directors().any(|director| {
            director.ipv4.map(Into::into) == Some(server.address)
                || director.ipv6.map(Into::into) == Some(server.address)
        });
        own || situation.host.reach.get(&server.address) == Some(&Reach::Local)
    };
    policy.pools.values().flat_map(Pool::every_server).any(is_director)
}

/// Whether the pool's connections go on without an entry: `mh` chooses the same real server on each director, and with DR
/// and TUN the packet needs no translation. So one in the middle of a connection may be scheduled, if the kernel lets it.
pub(super) fn needs_no_state(pool: &Pool, protocol: Protocol) -> bool {
    let maglev = |service: &VirtualService| {
        let fits = |key: &ServiceKey| match key {
            ServiceKey::Address { protocol: found, .. } => *found == protocol,
            ServiceKey::FirewallMark { .. } => false,
        };
        // The protocol of an operator's own mark is not known: TCP is the likely one.
        let by_mark =
            service.joined.is_empty() && protocol == Protocol::Tcp && service.key.address().is_none();
        service.config.scheduler.0 == "mh" && (by_mark || service.keys().any(fits))
    };
    let direct = |server: &RealServer| {
        matches!(server.forwarding, Forwarding::DirectRouting | Forwarding::Tunnelling(_))
    };
    pool.services.iter().any(maglev) && pool.servers.iter().any(direct)
}
