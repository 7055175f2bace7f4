//! A pair that probes many real servers, each director an nginx beside it: what the soak and the flood have in common.

use crate::director;
use crate::servers::{Servers, address};
use crate::stage::{NAMES, OTHER, PREFERRED, Stage, dip, vip};
use crate::world::process::Process;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of the advertisements.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// What a site is made of.
pub(crate) struct Site {
    pub(crate) servers: usize,
    pub(crate) pools: usize,
    /// Times and counts of the one check.
    pub(crate) check: &'static str,
}

impl Site {
    /// Writes the policy of both directors into a director's folder: `more` stands in it as it is.
    pub(crate) fn write(&self, folder: &Path, more: &str, weight: impl Fn(usize) -> u64) {
        let own = |director: usize| format!("{}: {{address: {}}}", NAMES[director], dip(director).ipv4);
        let mut text = format!(
            "policy_version: 1\ndirectors: {{{}, {}}}\nvirtual_routers:\n  outside: {{interface: eth0, vrid: 51, \
             advertisement_interval: {}ms, priority: {{{}: 200, {}: 100}}, virtual_addresses: [{}/24]}}\n{more}\
             checks: {{alive: {{tcp: {{}}, {}}}}}\n\
             defaults: {{pool: {{scheduler: wrr, forwarding: nat, check: alive}}}}\npools:\n",
            own(PREFERRED),
            own(OTHER),
            INTERVAL.as_millis(),
            NAMES[PREFERRED],
            NAMES[OTHER],
            vip().ipv4,
            self.check,
        );
        let size = self.servers / self.pools;
        for pool in 0..self.pools {
            let (vip, port) = (vip().ipv4, 1_000 + pool);
            let _ = writeln!(
                text,
                "  pool-{pool}:\n    virtual_services: [tcp://{vip}:{port}]\n    real_servers:"
            );
            for server in pool * size..(pool + 1) * size {
                let _ =
                    writeln!(text, "      - {{address: {}:80, weight: {}}}", address(server), weight(server));
            }
        }
        fs::write(folder.join(director::POLICY), text).expect("the policy file");
    }
}

/// Two directors with their servers.
pub(crate) struct Probing<'a> {
    pub(crate) stage: &'a Stage,
    running: [Process; 2],
    _servers: [Servers; 2],
}

impl<'a> Probing<'a> {
    /// `prepare` writes what a director needs into its folder.
    pub(crate) fn start(stage: &'a Stage, prepare: impl Fn(&Path, usize)) -> Self {
        let servers = [PREFERRED, OTHER].map(|director| {
            let folder = folder(stage, director);
            fs::create_dir_all(&folder).expect("a folder");
            prepare(&folder, director);
            Servers::start(&stage.directors[director], &folder)
        });
        let start = |director: usize| {
            director::start_as(&stage.directors[director], &folder(stage, director), NAMES[director])
        };
        Self { stage, running: [start(PREFERRED), start(OTHER)], _servers: servers }
    }

    pub(crate) fn pid(&self, director: usize) -> u32 {
        self.running[director].pid()
    }

    pub(crate) fn folder(&self, director: usize) -> PathBuf {
        folder(self.stage, director)
    }
}

fn folder(stage: &Stage, director: usize) -> PathBuf {
    stage.folder().join(NAMES[director])
}
