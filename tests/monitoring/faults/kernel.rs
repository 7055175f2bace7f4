//! Faults of the kernel: of its IPVS table, and of its connection tracking.

use super::{OTHER, PREFERRED, fire, fire_within, shell};
use crate::alerts::order;
use crate::memory::Fault;
use crate::site::Site;
use crate::world::namespace::Namespace;
use socket2::{Domain, Socket, Type};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tandem::kernel::{Conntrack, KernelError, KnownConnections, tracking_counts};
use tandem::model::{Connection, ConntrackEntry, Protocol};

/// Every change is refused, and the daemons of connection synchronisation are gone.
pub(super) const REFUSES: &[&str] =
    &["TandemKernelRefuses", "TandemReconcilePending", "TandemConnectionSyncMissing"];
/// For more than a minute.
pub(super) const FOR_LONG: &[&str] = &["TandemReconcileStuck"];
/// Another program takes a real server out.
pub(super) const FORGETS: &[&str] = &["TandemDrift"];
/// Connections that the kernel cannot tell from others.
pub(super) const CLASHES: &[&str] = &["TandemConntrackInsertFails"];
/// Nearly as many as the kernel can track.
pub(super) const TRACKED: &[&str] =
    &["TandemFullNatPortsLow", "TandemConntrackNearLimit", "TandemConntrackFull"];

const MINUTE: Duration = Duration::from_secs(90);
/// It is looked at every 15 s, and less often where that takes long.
const LOOKED_AT: Duration = Duration::from_secs(60);
/// Each is sent three times in 7 s.
const CONNECTIONS: usize = 200;
/// More than 95.
const FILL_PERCENT: u64 = 97;
const FIRST_PORT: u16 = 1_024;
const ESTABLISHED: u8 = 3;
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 101, 100));

/// The changes that the other director wants are refused from now on.
pub(super) fn refuses(site: &mut Site) {
    Fault::Forgets.begin(&site.folder_of(PREFERRED));
    fire(site, FORGETS);
    Fault::Refuses.begin(&site.folder_of(OTHER));
    order(site, OTHER, &["weight", "5", "--server", "web2", "--pool", "web"]);
    fire(site, REFUSES);
}

/// They have been for long, and no longer are.
pub(super) fn accepts_again(site: &mut Site) {
    fire_within(site, FOR_LONG, MINUTE, || {});
    Fault::end(&site.folder_of(OTHER));
    order(site, OTHER, &["clear", "--overrides"]);
}

pub(super) fn tracking(site: &mut Site) {
    let machine = &site.machines[OTHER];
    let clashing = clash(machine);
    fire_within(site, CLASHES, LOOKED_AT, || {});
    drop(clashing);
    shell(machine, "nft delete table inet clash; ip neigh del 192.168.101.99 dev eth0");
    fill(machine);
    // Another set of local addresses is looked at at once.
    look_again(site, "10.20.0.20-10.20.0.21", "10.20.0.20-10.20.0.22");
    fire_within(site, TRACKED, LOOKED_AT, || {});
    empty(machine);
    look_again(site, "10.20.0.20-10.20.0.22", "10.20.0.20-10.20.0.21");
}

#[track_caller]
fn look_again(site: &Site, from: &str, to: &str) {
    let output = site.reload(OTHER, from, to);
    assert!(output.status.success(), "{output:?}");
}

/// Connections to nobody, each packet of which is in a zone of its own: what is sent again is another connection, whose
/// answers would be those of the first.
fn clash(machine: &Namespace) -> Vec<Socket> {
    let rule = "tcp dport 9 ct original zone set numgen inc mod 200 offset 1";
    let lines = [
        "ip neigh add 192.168.101.99 lladdr 02:00:00:00:00:99 dev eth0",
        "nft add table inet clash",
        "nft add chain inet clash out '{type filter hook output priority raw;}'",
        &format!("nft add rule inet clash out {rule}"),
        "nft add chain inet clash tracked '{type filter hook postrouting priority 0;}'",
        "nft add rule inet clash tracked ct state new counter",
    ];
    shell(machine, &lines.join("\n"));
    let nobody = SocketAddr::new(IpAddr::from([192, 168, 101, 99]), 9);
    let connect = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        // It is on its way.
        let _ = socket.connect(&nobody.into());
        socket
    };
    machine.inside(|| (0..CONNECTIONS).map(connect).collect())
}

/// Puts connections into the table until the kernel is near its limit: of one local address, to as few real servers as can be.
fn fill(machine: &Namespace) {
    machine.inside(|| {
        let limit = tracking_counts().limit.expect("this kernel tracks connections");
        let wanted = usize::try_from(limit * FILL_PERCENT / 100).expect("a number");
        let ports = FIRST_PORT..=u16::MAX;
        let entries: Vec<_> = (1..=u8::MAX)
            .flat_map(|server| ports.clone().map(move |port| entry(port, server)))
            .take(wanted)
            .collect();
        let restored = Conntrack::open().and_then(|mut table| table.restore(&entries, |_| false));
        assert_eq!(restored.expect("a table").added, wanted);
    });
}

/// Takes them all out again.
fn empty(machine: &Namespace) {
    let nobody = || Ok::<_, KernelError>(KnownConnections::new());
    let ours = BTreeSet::from([VIP]);
    machine.inside(|| Conntrack::open()?.sweep(&ours, nobody)).expect("a table");
}

/// A connection of a client's port to a real server.
fn entry(port: u16, server: u8) -> ConntrackEntry {
    let connection = Connection {
        protocol: Protocol::Tcp,
        client: SocketAddr::new(IpAddr::from([192, 0, 2, 9]), port),
        virtual_service: SocketAddr::new(VIP, 80 + u16::from(server)),
        destination: SocketAddr::new(IpAddr::from([10, 20, 1, server]), 8080),
    };
    let source = IpAddr::from([10, 20, 0, 20]);
    ConntrackEntry { connection, source, tcp_state: Some(ESTABLISHED), timeout_s: 600 }
}
