//! The site of the soak: its policy, and servers that refuse now and then.

use crate::probed::Site;
use crate::servers::address;
use crate::stage::Stage;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

pub(crate) const SITE: Site =
    Site { servers: 2_000, pools: 40, check: "interval: 4s, timeout: 1s, fall: 1, rise: 1" };
/// Servers that change sides at a time.
const AT_ONCE: usize = 20;
const TABLE: &str = "table ip soak {
    set dead { type ipv4_addr; }
    chain out { type filter hook output priority 0; ip daddr @dead tcp dport 80 reject with tcp reset; }
}";

/// Writes the policy of both directors into a director's folder; `weight` is that of the first server.
pub(crate) fn write(folder: &Path, weight: u64) {
    SITE.write(folder, "", |server| if server == 0 { weight } else { 1 });
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
        usize::try_from(self.random >> 33).expect("31 bits") % SITE.servers
    }
}
