//! A pair on its stage, and one measurement on it.

use crate::PING_EVERY;
use crate::stage::adverts::Adverts;
use crate::stage::canary::Canary;
use crate::stage::holders::Holders;
use crate::stage::pinger::Pinger;
use crate::stage::program::{Member, Program};
use crate::stage::setting::Setting;
use crate::stage::{OTHER, PREFERRED, Stage, vip};
use crate::world::wait::until_true;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often the directors' addresses are looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(3);
/// Longer than any program takes to start, in an emulated machine too.
const START_LIMIT: Duration = Duration::from_secs(40);
/// Pings before the fault: the client knows its neighbour then.
const LEAD: Duration = Duration::from_millis(60);
/// Pings after the change: a second blackout would be seen.
const TRAIL: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) program: Program,
    pub(crate) setting: Setting,
    // Dropped in this order: the stage is the last.
    pub(crate) holders: Holders,
    pub(crate) adverts: Adverts,
    pub(crate) members: [Member; 2],
    pub(crate) stage: Stage,
}

/// What a client lived through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) blackout: Duration,
    pub(crate) lost: usize,
    /// The worst that the machine itself was late meanwhile.
    pub(crate) canary: Duration,
    /// How long both held the VIP, and whether they still did at the end.
    pub(crate) both: Option<(Duration, bool)>,
}

impl Pair {
    /// Starts both, and waits until the preferred one is Master. `more` goes to their configurations.
    pub(crate) fn start(program: Program, setting: Setting, more: &str) -> Self {
        Self::start_on(Stage::new(), program, setting, more)
    }

    /// The same on a stage that is there already.
    pub(crate) fn start_on(stage: Stage, program: Program, setting: Setting, more: &str) -> Self {
        let members =
            [PREFERRED, OTHER].map(|director| Member::start(&stage, program, director, &setting, more));
        let holders = Holders::watch(&stage, vip().of(setting.family), LOOK_EVERY);
        let adverts = Adverts::listen(&stage);
        let pair = Self { program, setting, holders, adverts, members, stage };
        pair.settle();
        pair
    }

    /// Waits until the preferred director alone holds the VIP, and has for some intervals.
    pub(crate) fn settle(&self) {
        self.wait_for_holder(PREFERRED);
        sleep(self.setting.interval * 3 + TRAIL);
        self.wait_for_holder(PREFERRED);
    }

    pub(crate) fn wait_for_holder(&self, director: usize) {
        let name = format!("only holder {director} of the VIP ({})", self.program);
        let limit = START_LIMIT + self.setting.master_down_interval() * 2;
        until_true(&name, limit, || self.holders.only_holder() == Some(director));
    }

    /// Pings, makes `event` happen at a phase (0 to 1) of the Master's interval, and goes on until `done`.
    pub(crate) fn measure(
        &mut self,
        phase: f64,
        event: impl FnOnce(&mut Self),
        done: impl FnOnce(&Self, Instant),
    ) -> Outcome {
        let canary = Canary::start(PING_EVERY);
        let pinger = Pinger::start(&self.stage.client, vip().of(self.setting.family), PING_EVERY);
        sleep(LEAD);
        self.wait_for_phase(phase);
        let start = Instant::now();
        event(self);
        done(self, start);
        sleep(TRAIL);
        let pings = pinger.finish().since(start);
        let late = canary.worst_since(start);
        canary.finish();
        Outcome { blackout: pings.blackout(), lost: pings.lost(), canary: late, both: None }
    }

    fn wait_for_phase(&self, phase: f64) {
        let master = self.holders.only_holder().unwrap_or(PREFERRED);
        let advert = self.adverts.next_of(master, self.setting.interval * 3 + START_LIMIT);
        let at = advert.expect("a Master advertises") + self.setting.interval.mul_f64(phase);
        sleep(at.saturating_duration_since(Instant::now()));
    }
}
