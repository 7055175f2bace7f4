//! The invariants, looked at after every event. Each bound is derived where it is used.

use crate::draw::{Drawn, micros};
use crate::faults::Still;
use crate::host::Standstill;
use crate::world::World;
use std::time::Duration;
use tandem::model::{BothUnfit, Preempt};
use tandem::time::Instant;
use tandem::vrrp::RouterId;
use tandem::vrrp::role::{Cause, Role};
use tandem::vrrp::transfer::PREEMPT_BOUND;
use tandem::vrrp::unit::RELEASE_BOUND;

/// Delays of the network (0.4 ms), of threads (0.2 ms) and between threads (0.1 ms), with room, µs.
const SLACK: u64 = 5_000;
/// From the wish for an address to the address: the longest that the rtnl lock is held in this world, with room, µs.
const ADDED_WITHIN: u64 = 250_000;
/// The kernel takes an address away so long after its last renewal, at most; and one second more, as the issue has it, µs.
const EXPIRES_WITHIN: u64 = 4_000_000;

/// A duplicate comes so much later than its original, at most, with the delay of both, µs.
const LATEST_DUPLICATE: u64 = 35_000;
/// By how much one datagram may overtake another on a wire that is well (`Network::carry`), µs.
const OVERTAKES_BY: u64 = 300;

/// Beats that were lost so long ago count for nothing: four of the longest interval, and room, µs.
const LEFT_ALONE: u64 = 5_000_000;

/// What the last director has left is gone by then, and another has started, µs.
const LEFT_FOR: u64 = 35_000_000;

/// What the invariants need to remember.
#[derive(Debug)]
pub struct Judge {
    pub broken: Option<String>,
    pub idle_turns: u32,
    /// The last unplanned fault (or its end).
    pub unplanned_at: u64,
    /// Since when each link loses and delays nothing.
    healthy_since: Vec<u64>,
    link_up_since: Vec<Vec<u64>>,
    /// Since when each director has been fit.
    fit_since: Vec<u64>,
    /// Who resigned as the only Master of each router when asked to, and when; nobody has followed yet.
    resigned: Vec<Option<(usize, u64)>>,
    /// Since when each director is Backup of each router.
    backup_since: Vec<Vec<u64>>,
    /// When a packet may last have come twice.
    doubled_at: u64,
    /// When each director last advertised that it is Master, of whatever router.
    pub advertised_at: Vec<u64>,
    /// When a Master had passed its state, to whomever.
    pub state_passed_at: u64,
    was_fit: Vec<bool>,
    /// Whether somebody answered for each router since the last unplanned fault was overcome.
    pub covered: Vec<bool>,
    interval: u64,
    down: u64,
    converged_after: u64,
    converged_at: u64,
    quiet_at: u64,
    /// Nothing but a pool that all see die.
    pools_only_from: Option<u64>,
    pub may_adopt_for: u64,
    pub may_hold_usually: u64,
    may_offer_for: u64,
    /// Until when nobody need answer: nobody was there to take over, or nobody was allowed to.
    nobody_until: u64,
    releases: bool,
}

impl Judge {
    pub fn new(drawn: &Drawn) -> Self {
        let (down, release) = (drawn.longest_down(), micros(RELEASE_BOUND));
        let converged_after = drawn.converged_after();
        let postponed = if drawn.heartbeat { micros(drawn.interval * 10) } else { 0 };
        let releases = drawn.policy.pair.groups.values().any(|group| group.both_unfit == BothUnfit::Release);
        Self {
            broken: None,
            idle_turns: 0,
            unplanned_at: 0,
            healthy_since: vec![0; drawn.links],
            link_up_since: vec![vec![0; drawn.links]; drawn.hosts],
            fit_since: vec![0; drawn.hosts],
            resigned: vec![None; drawn.link_of.len()],
            backup_since: vec![vec![0; drawn.link_of.len()]; drawn.hosts],
            doubled_at: 0,
            advertised_at: vec![0; drawn.hosts],
            state_passed_at: 0,
            was_fit: vec![true; drawn.hosts],
            covered: vec![false; drawn.link_of.len()],
            interval: micros(drawn.interval),
            down,
            converged_after,
            converged_at: drawn.over_at + converged_after,
            quiet_at: drawn.over_at + drawn.quiet_after(),
            pools_only_from: drawn.pools_only_from,
            // Start delay, the wait for links, a down interval, a release.
            may_adopt_for: converged_after + release,
            may_hold_usually: EXPIRES_WITHIN.max(release),
            // Nobody takes over: a down interval at priority 1, and what postpones; then another does.
            may_offer_for: down + postponed + release + ADDED_WITHIN + EXPIRES_WITHIN,
            nobody_until: 0,
            releases,
        }
    }

    /// How long the addresses may stay on a director that has left Master for this cause.
    pub fn may_hold_after(&self, cause: &Cause) -> u64 {
        match cause {
            Cause::Released | Cause::Stopped | Cause::Unfit { .. } => self.may_offer_for,
            _ => self.may_hold_usually,
        }
    }

    /// A role changed or an order was given: not in a quiet world.
    pub fn moved(&mut self, now: u64, what: impl FnOnce() -> String) {
        // Where nobody unfit holds the addresses, all of them leave the election for as long as the pool is dead.
        let in_vain = !self.releases && self.pools_only_from.is_some_and(|from| now > from);
        if self.broken.is_none() && (now > self.quiet_at || in_vain) {
            let why = if in_vain { "they chase each other for a pool" } else { "the world was quiet" };
            self.broken = Some(format!("{}, but {why}", what()));
        }
    }

    pub fn troubled(&mut self, link: usize, until: u64) {
        self.healthy_since[link] = self.healthy_since[link].max(until);
        self.unplanned_at = self.unplanned_at.max(until);
    }
}

impl World<'_> {
    pub fn judge(&mut self) {
        self.look_at_links();
        for router in 0..self.drawn.link_of.len() {
            self.two_masters(router);
            self.masters_hold(router);
            self.others_do_not(router);
            self.somebody_answers(router);
            self.one_is_master(router);
        }
    }

    fn broken(&mut self, sentence: String) {
        self.judge.broken.get_or_insert(sentence);
    }

    fn look_at_links(&mut self) {
        for link in 0..self.drawn.links {
            if self.network.doubles(link) {
                self.judge.doubled_at = self.now + LATEST_DUPLICATE;
            }
            if !self.network.is_healthy(link) {
                self.judge.healthy_since[link] = self.judge.healthy_since[link].max(self.now);
            }
            for host in 0..self.hosts.len() {
                if !self.hosts[host].links_up[link] {
                    self.judge.link_up_since[host][link] = self.now;
                }
            }
        }
        for (host, this) in self.hosts.iter().enumerate() {
            if !(std::mem::replace(&mut self.judge.was_fit[host], this.is_fit()) && this.is_fit()) {
                self.judge.fit_since[host] = self.now;
            }
        }
        let present = |host: &crate::host::Host| host.station.is_some() && !host.stopping;
        let bad = self.hosts.iter().any(|host| host.good.contains(&false));
        let began = self.hosts.iter().any(|host| host.run > 0);
        if began && !self.hosts.iter().any(present) {
            // What the last one has left stays for the lengthened lifetime.
            self.judge.nobody_until = self.now + LEFT_FOR;
        } else if self.judge.releases && bad {
            self.judge.nobody_until = self.now + self.judge.converged_after;
        }
    }

    /// For how long a director has run on a link that loses nothing, µs.
    fn undisturbed_for(&self, host: usize, link: usize) -> u64 {
        if self.hosts[host].is_running() { self.calm_for(host, link) } else { 0 }
    }

    /// The same of one whose station is in hands, because it speaks.
    fn calm_for(&self, host: usize, link: usize) -> u64 {
        let this = &self.hosts[host];
        let since =
            [this.running_since, self.judge.healthy_since[link], self.judge.link_up_since[host][link]];
        self.now.saturating_sub(since.into_iter().max().unwrap_or_default())
    }

    fn role_for(&self, host: usize, router: usize) -> u64 {
        let this = &self.hosts[host];
        micros(this.clock(self.now).saturating_since(this.since[router]))
    }

    /// Two Masters that hear each other: each advertises once an interval, and whoever hears the better one follows it.
    /// A director that has left Master and keeps the addresses until the other was seen is no Master. And it keeps them no
    /// longer than `RELEASE_BOUND` after it has heard the other.
    fn two_masters(&mut self, router: usize) {
        let link = self.drawn.link_of[router];
        // Between equal priorities the first session decides; where it is disturbed, the others do after three
        // advertisements without a word on it.
        let elsewhere = (0..self.drawn.links).filter(|other| *other != link);
        let all_well = elsewhere.flat_map(|link| (0..self.hosts.len()).map(move |host| (host, link)));
        let tight = all_well.map(|(host, link)| self.undisturbed_for(host, link)).min();
        let tight = tight.is_none_or(|time| time > self.judge.interval * 4);
        // A Master whose machine was paused is silent for a while, and listens whether another has taken over.
        let paused = self.hosts.iter().any(|host| host.behind > 0);
        let listens = if paused { self.judge.interval / 2 } else { 0 };
        let heard_within =
            if tight { self.judge.interval + listens } else { self.judge.interval * 5 } + SLACK;
        let gone_within = heard_within + micros(RELEASE_BOUND) + ADDED_WITHIN;
        for one in 0..self.hosts.len() {
            for other in 0..self.hosts.len() {
                if one == other || !self.hosts[one].is_master(router) {
                    continue;
                }
                let calm =
                    [one, other].map(|host| self.undisturbed_for(host, link)).into_iter().min().unwrap_or(0);
                let roles = self.role_for(one, router).min(self.role_for(other, router));
                if one < other && self.hosts[other].is_master(router) && calm.min(roles) > heard_within {
                    self.broken(format!("router {router}: {one} and {other} are Master"));
                }
                let both =
                    self.hosts[one].holds(router, self.now) && self.hosts[other].holds_any(router, self.now);
                if both && !self.hosts[other].is_master(router) && calm.min(roles) > gone_within {
                    self.broken(format!(
                        "router {router}: {one} is Master, and {other} still has the addresses"
                    ));
                }
            }
        }
    }

    /// Every live link's addresses, as fast as the kernel does it. After its link came back, a session of a Master first
    /// waits a down interval.
    fn masters_hold(&mut self, router: usize) {
        let link = self.drawn.link_of[router];
        for host in 0..self.hosts.len() {
            let this = &self.hosts[host];
            if !this.is_master(router) || !this.is_running() || this.holds(router, self.now) {
                continue;
            }
            let link_up_for = self.now - self.judge.link_up_since[host][link];
            let time = self.role_for(host, router).min(self.now - this.running_since);
            if time > ADDED_WITHIN && link_up_for > ADDED_WITHIN + self.judge.converged_after {
                self.broken(format!("router {router}: {host} is Master without the addresses"));
            }
        }
    }

    fn others_do_not(&mut self, router: usize) {
        for host in 0..self.hosts.len() {
            let this = &self.hosts[host];
            let may = this.may_hold_for[router].max(self.judge.may_hold_usually) + SLACK;
            if !this.is_master(router)
                && this.holds_any(router, self.now)
                && self.role_for(host, router) > may
            {
                self.broken(format!("router {router}: {host} is not Master and has the addresses"));
            }
        }
    }

    /// Once the last unplanned fault is overcome, nothing that is planned leaves an instant without an answer.
    fn somebody_answers(&mut self, router: usize) {
        let link = self.drawn.link_of[router];
        let recovered = self.judge.unplanned_at + self.judge.converged_after + 4_000_000;
        if self.now < recovered || self.now < self.judge.nobody_until {
            self.judge.covered[router] = false;
            return;
        }
        let answered = self.hosts.iter().any(|host| host.answers(router, link, self.now));
        if !answered && self.judge.covered[router] {
            self.broken(format!("router {router}: nobody answers for the addresses"));
        }
        self.judge.covered[router] = answered;
    }

    fn one_is_master(&mut self, router: usize) {
        let excused = self.judge.releases && self.hosts.iter().any(|host| host.good.contains(&false));
        let late = self.now > self.judge.converged_at && !excused;
        if late && !self.hosts.iter().any(|host| host.is_master(router)) {
            self.broken(format!("router {router}: nobody is Master"));
        }
    }

    /// Of silence on the links a Backup makes nothing for ten intervals while it hears a fit Master on another path.
    pub fn takes_over_from_silence(&mut self, host: usize, router: usize) {
        let long = (self.judge.interval * 8).max(2_500_000);
        let steady = |host: usize| {
            let this = &self.hosts[host];
            let since = this.path_since.max(this.running_since).max(this.began_at);
            // The station itself is in hands while it speaks.
            this.keeper.is_some() && this.still.is_none() && this.path_up && self.now > since + long
        };
        let mut others = (0..self.hosts.len()).filter(|other| *other != host);
        let master = others.find(|other| {
            let this = &self.hosts[*other];
            // The news has to travel: a thread of its own there, the path, a thread here.
            let fit = this.is_fit() && self.now > self.judge.fit_since[*other] + SLACK;
            steady(*other) && fit && this.is_master(router) && self.role_for(*other, router) > long
        });
        if !self.drawn.heartbeat || master.is_none() || !steady(host) {
            return;
        }
        self.tally.fault("(takeover against a heartbeat, watched)");
        let heard_at = &self.hosts[host].heard_at;
        let alone = self.drawn.policy.pair.groups.is_empty();
        // A group waits for the last of its sessions.
        let heard = if alone {
            heard_at[self.drawn.link_of[router]]
        } else {
            heard_at.iter().max().copied().unwrap_or(0)
        };
        if self.now < heard + self.judge.interval * 13 {
            self.broken(format!(
                "router {router}: {host} takes over though it hears {master:?} on another path"
            ));
        }
    }

    /// Who resigns is followed after the longest skew time, and no down interval is waited for.
    pub fn followed_soon(&mut self, host: usize, router: usize, was_master: bool, cause: &Cause) {
        let others = || (0..self.hosts.len()).filter(|other| *other != host);
        let alone = !others().any(|other| self.hosts[other].is_master(router));
        if self.hosts[host].roles[router] != Role::Master {
            self.judge.backup_since[host][router] = self.now;
            if was_master && matches!(cause, Cause::Released | Cause::Stopped) {
                // What was sent just before can arrive just behind it: the wire keeps no order, and then a Master was heard.
                let overtakes = self.now - self.judge.advertised_at[host] <= OVERTAKES_BY;
                self.judge.resigned[router] = (alone && !overtakes).then_some((host, self.now));
            }
            return;
        }
        let Some((from, at)) = self.judge.resigned[router].take().filter(|(from, _)| *from != host) else {
            return;
        };
        // Every session of a group has heard it, and nothing after it: all links were well, and who follows was there, some
        // time before. An advertisement of before that comes a second time makes a Master of the one that has resigned.
        let links = (0..self.drawn.links).flat_map(|link| [(host, link), (from, link)]);
        let calm = links.map(|(host, link)| self.calm_for(host, link)).min().unwrap_or_default();
        let (waited, skew) = (self.now - at, self.judge.down - 3 * self.judge.interval);
        let was_there = self.judge.backup_since[host][router] <= at && self.judge.doubled_at < at;
        if was_there && calm > waited + self.judge.converged_after && waited > skew + SLACK {
            let waited = Duration::from_micros(waited);
            self.broken(format!("router {router}: {host} follows {from}, which resigned, after {waited:?}"));
        }
    }

    /// Nobody preempts without tables and verdicts, and nobody a fit Master without the connections that this one has: they are
    /// asked for when the director is warm, so they were passed since; or the bound is over. Who hears no beat is alone.
    pub fn preempts_warm(&mut self, host: usize, router: usize, cause: &Cause) {
        let of_fit_master = match cause {
            Cause::Preempts { .. } => true,
            Cause::MasterUnfit { .. } => false,
            _ => return,
        };
        // A Master that is unfit is not left at it for long.
        let clock = self.hosts[host].clock(self.now);
        let long = |since: Instant| !of_fit_master && clock.saturating_since(since) >= Duration::from_secs(3);
        if self.hosts[host].cold_since.is_some_and(|since| !long(since)) {
            return self.broken(format!("router {router}: {host} preempts though it is cold"));
        }
        let warm_at = self.hosts[host].warm_at;
        let others = (0..self.hosts.len()).filter(|other| *other != host);
        let calm = others.map(|other| self.undisturbed_for(other, 0)).min().unwrap_or_default();
        let waited = self.now - warm_at > micros(PREEMPT_BOUND);
        let alone = calm.min(self.now.saturating_sub(self.judge.healthy_since[0])) < LEFT_ALONE;
        let passed = self.judge.state_passed_at > warm_at;
        if of_fit_master && self.drawn.synchronised && !waited && !alone && !passed {
            self.broken(format!("router {router}: {host} preempts without the Master's connections"));
        }
    }

    /// In a quiet world whoever may preempt has done it: no other fit director has a higher priority than the Master.
    pub fn best_is_master(&mut self) {
        let router = self.drawn.policy.pair.routers.values().next().expect("a router");
        if router.preempt == Preempt::Never {
            return;
        }
        for router in 0..self.drawn.link_of.len() {
            let priority = |host: &crate::host::Host| {
                host.station.as_ref().map_or(0, |station| station.election().priority(RouterId(router)))
            };
            let best = self.hosts.iter().map(priority).max().unwrap_or_default();
            let masters = self.hosts.iter().filter(|host| host.is_master(router)).map(priority).max();
            if masters.is_some_and(|master| master < best) {
                self.broken(format!("router {router}: the Master has priority {masters:?}, another {best}"));
            }
        }
    }

    /// Who stood still for longer than the others wait does not go on as Master: its own clock shows it. Whose machine stood
    /// still hears it from the one that has taken over: then they are two Masters until it has.
    pub fn after_standstill(&mut self, host: usize, still: Standstill, was_master: &[bool]) {
        let stood = self.now - still.since;
        for (router, was_master) in was_master.iter().enumerate() {
            if !was_master || !self.hosts[host].is_master(router) {
                continue;
            }
            let slept = match still.how {
                Still::Thread | Still::Process => stood > self.judge.down + self.judge.interval,
                Still::Machine { .. } => false,
            };
            if slept {
                let stood = Duration::from_micros(stood);
                self.broken(format!(
                    "router {router}: {host} goes on as Master after {stood:?} of standstill"
                ));
            }
        }
    }
}
