//! The site of the soak: its policy, and servers that refuse now and then.

use crate::director;
use crate::servers::address;
use crate::stage::{NAMES, OTHER, PREFERRED, Stage, dip, vip};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

pub(crate) const SERVERS: usize = 2_000;
pub(crate) const POOLS: usize = 40;
/// Of the advertisements.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);
/// Servers that change sides at a time.
const AT_ONCE: usize = 20;
const TABLE: &str = "table ip soak {
    set dead { type ipv4_addr; }
    chain out { type filter hook output priority 0; ip daddr @dead tcp dport 80 reject with tcp reset; }
}";

/// Writes the policy of both directors into a director's folder; `weight` is that of the first server.
pub(crate) fn write(folder: &Path, weight: u64) {
    let own = |director: usize| format!("{}: {{address: {}}}", NAMES[director], dip(director).ipv4);
    let mut text = format!(
        "policy_version: 1\ndirectors: {{{}, {}}}\nvirtual_routers:\n  outside: {{interface: eth0, vrid: 51, \
         advertisement_interval: {}ms, priority: {{{}: 200, {}: 100}}, virtual_addresses: [{}/24]}}\n\
         checks: {{alive: {{tcp: {{}}, interval: 4s, timeout: 1s, fall: 1, rise: 1}}}}\n\
         defaults: {{pool: {{scheduler: wrr, forwarding: nat, check: alive}}}}\npools:\n",
        own(PREFERRED),
        own(OTHER),
        INTERVAL.as_millis(),
        NAMES[PREFERRED],
        NAMES[OTHER],
        vip().ipv4,
    );
    for pool in 0..POOLS {
        let (vip, port) = (vip().ipv4, 1_000 + pool);
        let _ =
            writeln!(text, "  pool-{pool}:\n    virtual_services: [tcp://{vip}:{port}]\n    real_servers:");
        let size = SERVERS / POOLS;
        for server in pool * size..(pool + 1) * size {
            let weight = if server == 0 { weight } else { 1 };
            let _ = writeln!(text, "      - {{address: {}:80, weight: {weight}}}", address(server));
        }
    }
    fs::write(folder.join(director::POLICY), text).expect("the policy file");
}

/// Which servers refuse: the same for both directors.
pub(crate) struct Flapping<'a> {
    stage: &'a Stage,
    dead: BTreeSet<usize>,
    random: u64,
    /// How often a server changed sides.
    pub(crate) count: usize,
}

impl<'a> Flapping<'a> {
    pub(crate) fn begin(stage: &'a Stage) -> Self {
        let flapping = Self { stage, dead: BTreeSet::new(), random: 7, count: 0 };
        flapping.tell(TABLE);
        flapping
    }

    /// Some servers change sides.
    pub(crate) fn flap(&mut self) {
        let mut lines = String::new();
        let chosen: BTreeSet<usize> = (0..AT_ONCE).map(|_| self.next()).collect();
        for server in chosen {
            let verb = if self.dead.remove(&server) { "delete" } else { "add" };
            if verb == "add" {
                self.dead.insert(server);
            }
            let _ = writeln!(lines, "{verb} element ip soak dead {{ {} }}", address(server));
            self.count += 1;
        }
        self.tell(&lines);
    }

    fn tell(&self, lines: &str) {
        for director in &self.stage.directors {
            director.run_with_input("nft", &["-f", "-"], lines);
        }
    }

    /// A server: a linear congruence is random enough here, and the same in each run.
    fn next(&mut self) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).expect("31 bits") % SERVERS
    }
}
