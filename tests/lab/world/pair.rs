//! Tandem on both directors of a [`Site`], with `conf/pair.yaml`.

use super::director::{Director, folder_of};
use super::installed::{Edition, install};
use super::site::{A, B, DESTINATIONS, NAMES, Site};
use super::wait::{until, until_true};
use super::watch::Watch;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Longer than a director takes from its start to mastership, in an emulated machine too.
const START_LIMIT: Duration = Duration::from_secs(40);

/// Both directors and the watch over their addresses.
#[derive(Debug)]
pub(crate) struct Pair<'site> {
    pub(crate) watch: Watch,
    pub(crate) directors: [Director<'site>; 2],
    site: &'site Site,
}

impl<'site> Pair<'site> {
    /// Starts both and waits until the first is Master, and both tables are warm.
    #[track_caller]
    pub(crate) fn start(site: &'site Site, policy: &str) -> Self {
        let pair = Self::launch(site, policy);
        pair.settle();
        pair
    }

    /// The same with another program than this build's.
    #[track_caller]
    pub(crate) fn start_edition(site: &'site Site, policy: &str, edition: Edition) -> Self {
        for director in &site.directors {
            install(&folder_of(site.folder(), director), edition);
        }
        Self::start(site, policy)
    }

    /// Starts both.
    pub(crate) fn launch(site: &'site Site, policy: &str) -> Self {
        let launch = |number: usize| {
            Director::launch(&site.directors[number], site.folder(), policy, Some(NAMES[number]))
        };
        Self { watch: Watch::start(&site.directors), directors: [launch(A), launch(B)], site }
    }

    /// Waits until the first director is Master again, both are ready and both tables complete.
    #[track_caller]
    pub(crate) fn settle(&self) {
        until("complete tables", START_LIMIT, || {
            let found = [A, B].map(|director| self.site.directors[director].ipvs_destinations());
            if found == [DESTINATIONS; 2] { Ok(()) } else { Err(format!("{found:?} destinations")) }
        });
        self.wait_for_holder(A, START_LIMIT);
    }

    /// Waits until a director alone holds every address.
    #[track_caller]
    pub(crate) fn wait_for_holder(&self, director: usize, limit: Duration) {
        until(&format!("{} as only holder", NAMES[director]), limit, || match self.watch.only_holder() {
            Some(found) if found == director => Ok(()),
            _ => Err(format!("{:?}", [A, B].map(|director| self.watch.held(director)))),
        });
    }

    /// Waits until a director holds every address, whatever the other holds: when that was.
    #[track_caller]
    pub(crate) fn wait_until_holds(&self, director: usize, limit: Duration) -> Instant {
        let all = super::site::FLOATING;
        until_true(&format!("{} with all addresses", NAMES[director]), limit, || {
            self.watch.held(director).len() == all
        });
        Instant::now()
    }

    /// `tandem release` or `tandem clear` on a director: it must succeed.
    #[track_caller]
    pub(crate) fn ask(&self, director: usize, arguments: &[&str]) -> String {
        let output = self.directors[director].ask(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "tandem {arguments:?} on {}: {said}", NAMES[director]);
        said
    }

    /// What a director tells of itself.
    #[track_caller]
    pub(crate) fn status(&self, director: usize) -> Value {
        let output = self.directors[director].ask(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).expect("JSON of tandem status")
    }

    /// SIGSTOP or SIGCONT.
    pub(crate) fn freeze(&self, director: usize, frozen: bool) {
        self.directors[director].signal(if frozen { Signal::SIGSTOP } else { Signal::SIGCONT });
    }

    /// What a machine without power has lost: its IPVS table with all connections, its addresses, what it tracked. For a
    /// director whose process has ended.
    pub(crate) fn forget_all(&self, director: usize) {
        let machine = &self.site.directors[director];
        machine.run("ipvsadm -C");
        for role in ["master", "backup"] {
            // There is at most one of them.
            let mut stop = std::process::Command::new("ipvsadm");
            let _ = machine.output(stop.args(["--stop-daemon", role]));
        }
        // An empty table is an error for some versions.
        let _ = machine.output(std::process::Command::new("conntrack").arg("-F"));
        for address in self.watch.held(director) {
            machine.ip(&format!("addr flush to {address}/32"));
        }
    }
}
