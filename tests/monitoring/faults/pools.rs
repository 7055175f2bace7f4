//! Faults of real servers, of what is known of them, and of what was ordered.

use super::{OTHER, PREFERRED, ROLES, fire, shell};
use crate::alerts::order;
use crate::prometheus::pace;
use crate::site::Site;
use crate::world::certificates;
use crate::world::wait::until;

/// An order of long ago, and a certificate that expires tomorrow.
pub(super) const OLD: &[&str] =
    &["TandemOverrideOld", "TandemCertificateExpiring", "TandemCertificateAboutToExpire"];
/// One director does not reach a server.
pub(super) const UNSEEN: &[&str] = &["TandemTablesDiffer"];
/// A server goes up and down, and in the end most of a pool is gone.
pub(super) const FLAPS: &[&str] = &["TandemServerFlapping", "TandemPoolPanic"];

/// Each is one down and one up.
const FLAPS_OF_A_SERVER: usize = 4;

pub(super) fn old_things(site: &mut Site) {
    let expires_tomorrow = certificates::of_one_day();
    site.certify(&expires_tomorrow);
    order(site, PREFERRED, &["weight", "5", "--server", "web2", "--pool", "web"]);
    fire(site, OLD);
    order(site, PREFERRED, &["clear", "--overrides"]);
    site.certify(certificates::shared());
}

pub(super) fn unseen(site: &mut Site) {
    let firewall = "
nft add table inet fault
nft add chain inet fault out '{type filter hook output priority 0;}'
nft add rule inet fault out ip daddr 192.168.101.210 tcp dport 8080 drop
";
    shell(&site.machines[OTHER], firewall);
    fire(site, UNSEEN);
    shell(&site.machines[OTHER], "nft delete table inet fault");
}

pub(super) fn flaps(site: &mut Site) {
    for _ in 0..FLAPS_OF_A_SERVER {
        site.set_server(1, false);
        in_rotation(site, 1);
        site.set_server(1, true);
        in_rotation(site, 2);
    }
    site.set_server(1, false);
    fire(site, FLAPS);
    site.set_server(1, true);
    in_rotation(site, 2);
}

/// Waits until the pool has so many servers.
#[track_caller]
fn in_rotation(site: &Site, wanted: u64) {
    until("a verdict", ROLES * pace(), || match site.pool(PREFERRED, "web")["in_rotation"].as_u64() {
        Some(found) if found == wanted => Ok(()),
        found => Err(format!("{found:?}")),
    });
}
