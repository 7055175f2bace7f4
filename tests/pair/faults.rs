//! What can go wrong with a director or under it, one fault a case; `tests/PROMISES.md` says what is promised of each.

mod edits;
mod hangs;
mod limits;
mod links;
mod state;

use crate::stage::holders::Holders;
use crate::stage::pinger::{Pinger, Pings};
use crate::stage::program::{Member, Program};
use crate::stage::setting::{Checksum, Setting};
use crate::stage::{NAMES, OTHER, PREFERRED, Stage, vip};
use crate::world::wait::until;
use serde_json::Value;
use std::time::Duration;

const START: Duration = Duration::from_secs(20);
/// From the end of a fault until both are what they should be: the preferred one preempts.
const RIGHT_MAX: Duration = Duration::from_secs(8);
const LOOK_EVERY: Duration = Duration::from_millis(3);
const PING_EVERY: Duration = Duration::from_millis(5);
/// The lifetime of an address, and a second for the kernel to take it.
const GONE_MAX: Duration = Duration::from_secs(4);
/// Three intervals and the skew are 0.34 s; the rest is this machine's, whose cores are shared.
const GAP_MAX: Duration = Duration::from_millis(700);
const SETTING: Setting = Setting { is_default: true, checksum: Checksum::Rfc9568, ..Setting::V3 };

/// Two directors of whom the preferred one is Master, and what is looked at.
struct Pair {
    holders: Holders,
    members: [Member; 2],
    stage: Stage,
}

impl Pair {
    fn new() -> Self {
        Self::on(Stage::new())
    }

    fn on(stage: Stage) -> Self {
        let holders = Holders::watch(&stage, vip().of(SETTING.family), LOOK_EVERY);
        let start = |director| Member::start(&stage, Program::Tandem, director, &SETTING, "");
        let members = [PREFERRED, OTHER].map(start);
        let pair = Self { holders, members, stage };
        pair.wait_until_right(START);
        pair
    }

    /// Pings the VIP until it is finished.
    fn ping(&self) -> Pinger {
        Pinger::start(&self.stage.client, vip().of(SETTING.family), PING_EVERY)
    }

    /// What `tandem status` says of a director's router; `None` where nobody answers.
    fn router(&self, director: usize) -> Option<Value> {
        let text = self.members[director].tries_to_say(&self.stage, &["status", "--json"])?;
        let status: Value = serde_json::from_str(&text).expect("JSON");
        Some(status["routers"][0].clone())
    }

    /// The preferred one is Master and alone holds the VIP, the other is Backup.
    fn is_right(&self) -> Result<(), String> {
        let roles =
            [PREFERRED, OTHER].map(|director| self.router(director).map(|router| router["role"].clone()));
        let wanted = ["master", "backup"].map(|role| Some(Value::from(role)));
        match self.holders.only_holder() {
            Some(PREFERRED) if roles == wanted => Ok(()),
            holder => Err(format!("the holder is {holder:?}, the roles are {roles:?}")),
        }
    }

    #[track_caller]
    fn wait_until_right(&self, limit: Duration) {
        until("a pair that is right", limit, || self.is_right());
    }

    #[track_caller]
    fn wait_for_holder(&self, director: usize, limit: Duration) {
        until(&format!("{} as only holder", NAMES[director]), limit, || match self.holders.only_holder() {
            Some(found) if found == director => Ok(()),
            found => Err(format!("it is {found:?}")),
        });
    }

    /// The log of a director, from the beginning.
    fn log(&self, director: usize) -> String {
        let folder = self.stage.folder().join(format!("Tandem-{}", NAMES[director]));
        std::fs::read_to_string(folder.join("tandem.log")).expect("a log")
    }
}

#[track_caller]
fn assert_gap(pings: &Pings, most: Duration, what: &str) {
    let gap = pings.blackout();
    println!("{what}: {} of {} pings lost, longest gap {gap:.0?}", pings.lost(), pings.count());
    assert!(gap <= most, "{what}: the VIP was silent for {gap:?}");
}
