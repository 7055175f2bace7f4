//! A pool that both directors judge: what one alone does not reach stays, and who has lost sight of most of it yields the VIP.

use crate::prometheus::pace;
use crate::site::Site;
use crate::world::wait::until;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);
const LABELS: &str = "labels: {team: shop}";
/// What drops the probes of one director, of one server or of all.
const FIREWALL: &str =
    "nft add table inet fault; nft add chain inet fault out '{type filter hook output priority 0;}';";

fn shell(site: &Site, director: usize, line: &str) {
    let output = site.machines[director].output(std::process::Command::new("sh").args(["-ec", line]));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn master(site: &Site, wanted: usize) {
    until("the Master", LIMIT * pace(), || {
        let roles = [0, 1].map(|director| {
            let status = site.json(director, &["status"]);
            let routers = status["routers"].as_array().cloned().unwrap_or_default();
            let roles: Vec<_> = routers.iter().map(|router| router["role"] == "master").collect();
            (!roles.is_empty() && roles.iter().all(|master| *master), roles.contains(&true))
        });
        let is_so = roles[wanted].0 && !roles[1 - wanted].1;
        if is_so { Ok(()) } else { Err(format!("{roles:?}\n{}", site.log(wanted))) }
    });
}

/// How many servers of the pool are in each director's table.
#[track_caller]
fn in_tables(site: &Site, wanted: [u64; 2]) {
    until("the tables", LIMIT * pace(), || {
        let found = [0, 1].map(|director| site.pool(director, "web")["in_rotation"].as_u64());
        if found == wanted.map(Some) {
            Ok(())
        } else {
            Err(format!("{found:?}, not {wanted:?}\n{}", site.log(0)))
        }
    });
}

fn explained(site: &Site, director: usize) -> String {
    String::from_utf8_lossy(&site.ask(director, &["explain", "web", "web1"]).stdout).into_owned()
}

#[test]
fn a_server_leaves_when_both_see_it_fail_and_who_is_blind_yields_the_vip() {
    let mut site = Site::new();
    for director in [0, 1] {
        let both = format!("{LABELS}\n    verdict: both");
        let taken = site.reload(director, LABELS, &both);
        assert!(taken.status.success(), "{taken:?}");
    }
    master(&site, 0);
    in_tables(&site, [2, 2]);

    // The Master alone does not reach one of two: the other's word keeps it, and the VIP stays.
    shell(
        &site,
        0,
        &format!("{FIREWALL} nft add rule inet fault out ip daddr 192.168.101.110 tcp dport 8080 drop"),
    );
    until("a dispute", LIMIT * pace(), || {
        let said = explained(&site, 0);
        if said.contains("and the other director sees it up") { Ok(()) } else { Err(said) }
    });
    in_tables(&site, [2, 2]);
    master(&site, 0);

    // It reaches none: whoever sees them takes the VIP, and nobody's table is emptied.
    shell(&site, 0, "nft add rule inet fault out tcp dport 8080 drop");
    master(&site, 1);
    in_tables(&site, [2, 2]);
    let events = site.ask(0, &["events"]);
    let events = String::from_utf8_lossy(&events.stdout).into_owned();
    assert!(events.contains("this director alone has lost sight of 2 of 2 servers"), "{events}");

    // One that is really dead leaves both tables, though one director is blind.
    site.set_server(1, false);
    in_tables(&site, [1, 1]);
    site.set_server(1, true);
    in_tables(&site, [2, 2]);

    // Its sight is back, and so is the preferred Master.
    shell(&site, 0, "nft delete table inet fault");
    master(&site, 0);
    in_tables(&site, [2, 2]);
}
