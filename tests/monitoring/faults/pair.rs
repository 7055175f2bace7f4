//! Faults between the directors, and about the addresses that they hold.

use super::{OTHER, PREFERRED, fire, fire_within, master, masters, shell};
use crate::alerts::{SEEN, order};
use crate::site::Site;
use crate::world::namespace::Namespace;

/// They do not hear each other.
pub(super) const APART: &[&str] = &["TandemTwoMasters"];
/// The preferred one hears the other, who is Master as well.
pub(super) const HEARD: &[&str] = &["TandemMasterContested"];
/// Again and again.
pub(super) const OFTEN: &[&str] = &["TandemVrrpFlapping"];
/// Another machine has a virtual address.
pub(super) const CLAIMED: &[&str] = &["TandemAddressConflict"];
/// The link of a router is down.
pub(super) const UNPLUGGED: &[&str] = &["TandemVrrpFault"];
/// Somebody has put an address onto the interface by hand.
pub(super) const IN_THE_WAY: &[&str] = &["TandemAddressesMissing"];
/// On both directors.
pub(super) const NOBODY: &[&str] = &["TandemNoMaster"];

/// Nothing of the preferred director reaches the other, nor the other way.
const PARTITION: &str = "
nft add table inet fault
nft add chain inet fault in '{type filter hook input priority 0;}'
nft add rule inet fault in ip saddr 192.168.101.200 drop
nft add rule inet fault in ip6 saddr fd00:192:168:101::200 drop
nft add rule inet fault in meta l4proto 112 drop
nft add chain inet fault out '{type filter hook output priority 0;}'
nft add rule inet fault out ip daddr 192.168.101.200 drop
nft add rule inet fault out ip6 daddr fd00:192:168:101::200 drop
nft add rule inet fault out meta l4proto 112 drop
";
const VIP: &str = "192.168.101.100/32";
const VIP_BY_HAND: &str = "fd00:192:168:101::100/64";

pub(super) fn faults(site: &mut Site) {
    master(site, PREFERRED);
    let machine = &site.machines[OTHER];
    shell(machine, PARTITION);
    fire(site, APART);
    // The other way first: else it may give way before it is heard.
    shell(machine, "nft flush chain inet fault out");
    fire(site, HEARD);
    shell(machine, "nft delete table inet fault");
    master(site, PREFERRED);
    shell(machine, PARTITION);
    masters(site, &[PREFERRED, OTHER]);
    shell(machine, "nft delete table inet fault");
    master(site, PREFERRED);
    fire(site, OFTEN);
    claimed(site);
    machine.ip("link set eth1 down\n");
    fire(site, UNPLUGGED);
    site.machines[PREFERRED].ip("link set eth1 down\n");
    fire(site, NOBODY);
    site.machines.iter().for_each(|machine| machine.ip("link set eth1 up\n"));
    master(site, PREFERRED);
    in_the_way(site, machine);
}

/// The other machine asks for a neighbour as the one whose address it is.
fn claimed(site: &Site) {
    site.servers.ip(&format!("addr add {VIP} dev eth0\n"));
    let claim = "ip neigh flush dev eth0; ping -c 1 -W 1 -I 192.168.101.100 192.168.101.10 || true";
    fire_within(site, CLAIMED, SEEN, || shell(&site.servers, claim));
    site.servers.ip(&format!("addr del {VIP} dev eth0\n"));
}

fn in_the_way(site: &Site, machine: &Namespace) {
    machine.ip(&format!("addr add {VIP_BY_HAND} dev eth0 nodad\n"));
    order(site, PREFERRED, &["release"]);
    fire(site, IN_THE_WAY);
    machine.ip(&format!("addr del {VIP_BY_HAND} dev eth0\n"));
    order(site, PREFERRED, &["clear"]);
    master(site, PREFERRED);
}
