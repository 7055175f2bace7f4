//! What is done to the pair, always from and back to the same state: the first director is Master, both run.

use crate::stage::canary::Canary;
use crate::world::load::{Account, Load};
use crate::world::pair::Pair;
use crate::world::site::{A, B, Pool, Site};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

const PER_SECOND: u32 = 100;
const PERIOD: Duration = Duration::from_millis(10);
/// Connections before the event: the client knows its neighbours then.
const LEAD: Duration = Duration::from_millis(500);
/// Connections after it: a second trouble would be seen.
const TRAIL: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(40);
/// Connections in trouble that are told one by one.
const SHOWN: usize = 12;
const CANARY_PERIOD: Duration = Duration::from_millis(2);

/// An event and the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cycle {
    Stop,
    Release,
    Kill,
    Link,
    BothLinks,
    Pause,
}

pub(crate) const CYCLES: [Cycle; 6] =
    [Cycle::Stop, Cycle::Release, Cycle::Kill, Cycle::Link, Cycle::BothLinks, Cycle::Pause];

/// One thing that clients live through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    Stop,
    Return,
    Release,
    Clear,
    Kill,
    ReturnAfterKill,
    LinkCut,
    LinkReturn,
    BothLinksCut,
    BothLinksReturn,
    Pause,
    ReturnAfterPause,
}

impl Event {
    /// Whether the Master had the time to hand over.
    pub(crate) const fn is_planned(self) -> bool {
        !matches!(self, Self::Kill | Self::LinkCut | Self::BothLinksCut | Self::Pause)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Stop => "SIGTERM",
            Self::Return => "preempting return",
            Self::Release => "release",
            Self::Clear => "return after release",
            Self::Kill => "SIGKILL",
            Self::ReturnAfterKill => "return, tables empty",
            Self::LinkCut => "link cut",
            Self::LinkReturn => "return of the link",
            Self::BothLinksCut => "both links cut",
            Self::BothLinksReturn => "return of both links",
            Self::Pause => "SIGSTOP",
            Self::ReturnAfterPause => "SIGCONT and return",
        })
    }
}

/// What the clients of one pool lived through, once.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) account: Account,
    pub(crate) reasons: BTreeMap<String, usize>,
    /// The first that failed or were late, with their times.
    pub(crate) troubled: Vec<String>,
    /// The worst that the machine itself was late meanwhile.
    pub(crate) canary: Duration,
}

pub(crate) type Results = BTreeMap<(Event, Pool), Vec<Outcome>>;

impl Cycle {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Release => "release",
            Self::Kill => "kill",
            Self::Link => "link",
            Self::BothLinks => "links",
            Self::Pause => "pause",
        }
    }

    /// One repetition, with clients of one pool.
    pub(crate) fn run(self, site: &Site, pair: &mut Pair<'_>, pool: Pool, results: &mut Results) {
        let mut take = |event, pair: &mut Pair<'_>, holder, act: &mut dyn FnMut(&mut Pair<'_>)| {
            let outcome = measure(site, pair, pool, holder, act);
            results.entry((event, pool)).or_default().push(outcome);
        };
        match self {
            Self::Stop => {
                take(Event::Stop, pair, B, &mut |pair| pair.directors[A].signal(Signal::SIGTERM));
                pair.directors[A].wait_until_ended();
                take(Event::Return, pair, A, &mut |pair| pair.directors[A].launch_again());
            }
            Self::Release => {
                take(Event::Release, pair, B, &mut |pair| drop(pair.ask(A, &["release"])));
                take(Event::Clear, pair, A, &mut |pair| drop(pair.ask(A, &["clear"])));
            }
            Self::Kill => {
                take(Event::Kill, pair, B, &mut |pair| pair.directors[A].signal(Signal::SIGKILL));
                pair.directors[A].wait_until_ended();
                pair.forget_all(A);
                take(Event::ReturnAfterKill, pair, A, &mut |pair| pair.directors[A].launch_again());
            }
            Self::Link => {
                take(Event::LinkCut, pair, B, &mut |_| site.set_outside(A, false));
                take(Event::LinkReturn, pair, A, &mut |_| site.set_outside(A, true));
            }
            Self::BothLinks => {
                let set = |plugged| {
                    site.set_outside(A, plugged);
                    site.set_inside(A, plugged);
                };
                take(Event::BothLinksCut, pair, B, &mut |_| set(false));
                take(Event::BothLinksReturn, pair, A, &mut |_| set(true));
            }
            Self::Pause => {
                take(Event::Pause, pair, B, &mut |pair| pair.freeze(A, true));
                take(Event::ReturnAfterPause, pair, A, &mut |pair| pair.freeze(A, false));
            }
        }
        pair.settle();
    }
}

/// Connections through a pool while something happens, until one director alone holds the addresses and a bit longer.
fn measure(
    site: &Site,
    pair: &mut Pair<'_>,
    pool: Pool,
    holder: usize,
    act: &mut dyn FnMut(&mut Pair<'_>),
) -> Outcome {
    let canary = Canary::start(CANARY_PERIOD);
    let load = Load::start(&site.client, pool.service(), "/", PER_SECOND);
    sleep(LEAD);
    let (start, load_start) = (Instant::now(), load.elapsed());
    act(pair);
    pair.wait_for_holder(holder, LIMIT);
    sleep(TRAIL);
    let late = canary.worst_since(start);
    canary.finish();
    let report = load.finish();
    Outcome {
        account: report.account(load_start, PERIOD),
        reasons: report.reasons(load_start),
        troubled: report.troubled(load_start).take(SHOWN).collect(),
        canary: late,
    }
}
