//! One director: its station, its kernel's addresses, its clock, and whether it stands still.

use crate::draw::Drawn;
use crate::faults::Still;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use tandem::floating::Report;
use tandem::floating::keeper::{Input, Keeper};
use tandem::model::RouterName;
use tandem::time::Instant;
use tandem::vrrp::SessionId;
use tandem::vrrp::authentication::{Mark, Sender};
use tandem::vrrp::role::Role;
use tandem::vrrp::station::Station;

/// What waits for a director's advert thread.
#[derive(Clone, Debug)]
pub enum Item {
    Datagram { session: SessionId, source: IpAddr, destination: IpAddr, bytes: Rc<[u8]> },
    Beat { bytes: Rc<[u8]>, apart: bool },
    Link { link: usize },
    Tracked { what: usize },
    Warm { since: Instant },
    Report(Report),
    StatePassed,
    HookDone { unit: usize },
    Release { until: Option<u64> },
    Clear,
    Stop,
}

/// Where a standstill stands.
#[derive(Clone, Copy, Debug)]
pub struct Standstill {
    pub how: Still,
    /// On the world's clock, µs.
    pub since: u64,
}

/// One director.
#[derive(Debug)]
pub struct Host {
    pub station: Option<Station>,
    /// The run of its process.
    pub run: u32,
    pub epoch: u64,
    pub marks: BTreeMap<Sender, Mark>,
    pub still: Option<Standstill>,
    /// How far its clock is behind the world's, µs.
    pub behind: u64,
    pub inbox: Vec<Item>,
    pub deadline: Option<Instant>,
    pub wake_at: Option<u64>,
    pub keeper: Option<Keeper>,
    pub keeper_run: u32,
    pub keeper_inbox: Vec<Input>,
    pub keeper_wake_at: Option<u64>,
    /// Until when the kernel holds each address: survives the process.
    pub kernel: Vec<Option<Instant>>,
    /// The election has stopped; the process ends when the keeper is quiet.
    pub ending: bool,
    pub router_of: Vec<usize>,
    pub links_up: Vec<bool>,
    pub path_up: bool,
    pub good: [bool; 3],
    pub names: Vec<RouterName>,
    pub roles: Vec<Role>,
    /// Since when each router is, or is not, Master here, on the own clock.
    pub since: Vec<Instant>,
    /// How long it may hold addresses from `since` on without being Master, µs.
    pub may_hold_for: Vec<u64>,
    /// On the world's clock: since when it runs without a standstill; when its process began.
    pub running_since: u64,
    pub began_at: u64,
    /// On the own clock.
    pub reloaded_at: Option<Instant>,
    pub stopping: bool,
    /// Whether it is to be started once it has stopped.
    pub start_again: bool,
    /// When it will have received what it was told last, on the world's clock.
    pub given_at: u64,
    /// On its own clock: the question to its pools that has no answer yet.
    pub cold_since: Option<Instant>,
    /// On the world's clock: when its pools' verdicts were last known anew.
    pub warm_at: u64,
    /// When a Master was last heard on each link, on the world's clock.
    pub heard_at: Vec<u64>,
    /// Since when its heartbeat path is whole.
    pub path_since: u64,
    /// The priority that was last advertised, for the transcript.
    pub told_priority: BTreeMap<SessionId, u8>,
}

impl Host {
    pub fn new(drawn: &Drawn) -> Self {
        let names: Vec<RouterName> = drawn.policy.pair.routers.keys().cloned().collect();
        let count = names.len();
        Self {
            station: None,
            run: 0,
            epoch: 0,
            marks: BTreeMap::new(),
            still: None,
            behind: 0,
            inbox: Vec::new(),
            deadline: None,
            wake_at: None,
            keeper: None,
            keeper_run: 0,
            keeper_inbox: Vec::new(),
            keeper_wake_at: None,
            kernel: vec![None; drawn.places.len()],
            ending: false,
            router_of: drawn.places.iter().map(|place| place.router).collect(),
            links_up: vec![true; drawn.links],
            path_up: true,
            good: [true; 3],
            names,
            roles: vec![Role::Initialize; count],
            since: vec![Instant::ZERO; count],
            may_hold_for: vec![0; count],
            running_since: 0,
            began_at: 0,
            reloaded_at: None,
            stopping: false,
            start_again: false,
            given_at: 0,
            cold_since: None,
            warm_at: 0,
            heard_at: vec![0; drawn.links],
            path_since: 0,
            told_priority: BTreeMap::new(),
        }
    }

    /// Its own clock.
    pub fn clock(&self, now: u64) -> Instant {
        let stopped = match self.still {
            Some(Standstill { how: Still::Machine { .. }, since }) => now - since,
            Some(Standstill { how: Still::Thread | Still::Process, .. }) | None => 0,
        };
        Instant::from_micros(now - self.behind - stopped)
    }

    /// Whether everything that is tracked is good there, and every link is up.
    pub fn is_fit(&self) -> bool {
        !self.good.contains(&false) && !self.links_up.contains(&false)
    }

    pub fn is_running(&self) -> bool {
        self.station.is_some() && self.still.is_none()
    }

    /// Whether its machine stands still.
    pub fn is_paused(&self) -> bool {
        matches!(self.still, Some(Standstill { how: Still::Machine { .. }, .. }))
    }

    /// Whether the keeper's thread runs.
    pub fn keeper_runs(&self) -> bool {
        self.keeper.is_some() && matches!(self.still, None | Some(Standstill { how: Still::Thread, .. }))
    }

    fn held(&self, router: usize, now: u64) -> impl Iterator<Item = bool> {
        let clock = self.clock(now);
        let own = self.kernel.iter().zip(&self.router_of).filter(move |(_, of)| **of == router);
        own.map(move |(until, _)| until.is_some_and(|until| until > clock))
    }

    /// Whether it has every address of a router.
    pub fn holds(&self, router: usize, now: u64) -> bool {
        self.held(router, now).all(|held| held)
    }

    /// Whether it has any.
    pub fn holds_any(&self, router: usize, now: u64) -> bool {
        self.held(router, now).any(|held| held)
    }

    /// Whether somebody who asks for the router's addresses gets an answer from it.
    pub fn answers(&self, router: usize, link: usize, now: u64) -> bool {
        self.links_up[link] && !self.is_paused() && self.holds(router, now)
    }

    pub fn is_master(&self, router: usize) -> bool {
        self.station.is_some() && self.roles[router] == Role::Master
    }
}
