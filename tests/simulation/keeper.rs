//! A stand-in for the keeper of floating addresses: the contract of `tandem::floating`, with all addresses of a router as one.

use crate::draw::micros;
use crate::faults::Still;
use crate::host::Item;
use crate::world::{Event, World};
use std::time::Duration;
use tandem::floating::{Order, Report, Wish};
use tandem::time::Instant;
use tandem::vrrp::RouterId;

/// The kernel takes an address away so long after its last renewal (3 s, and what it was seen to need longer).
pub const LIFETIME: Duration = Duration::from_millis(3_200);
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// The keeper goes on renewing so long after the advert thread's last sign of life.
const ALIVE_WITHIN: u64 = 1_000_000;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// From another's announcement to the removal.
const GRACE: Duration = Duration::from_millis(50);
/// From a takeover to each of its announcements, µs.
const ROUNDS: [u64; 6] = [0, 20_000, 100_000, 300_000, 1_000_000, 5_000_000];

impl World<'_> {
    pub fn order(&mut self, host: usize, order: Order) {
        let Order::Wish { router, wish } = order else { return };
        let clock = self.hosts[host].clock(self.now);
        let place = &mut self.hosts[host].places[router.0];
        let before = place.wish.replace(wish);
        let again = before == Some(wish) && wish == Wish::Hold;
        match wish {
            Wish::Hold => (place.leaves_at, place.reports_end) = (None, false),
            Wish::Release { by } => {
                let runs = matches!(before, Some(Wish::Release { .. }));
                let ends = if runs { place.leaves_at.unwrap_or(by).min(by) } else { by };
                (place.leaves_at, place.reports_end) = (Some(ends), true);
            }
            Wish::Drop => place.reports_end &= matches!(before, Some(Wish::Release { .. })),
        }
        if again {
            return;
        }
        let _ = clock;
        place.turn += 1;
        // The rtnl lock is somebody else's now and then.
        let latency = match self.random.chance(5) {
            true => self.random.between(5_000, 80_000),
            false => self.random.between(60, 1_500),
        };
        self.step_in(host, router.0, Duration::from_micros(latency));
    }

    fn step_in(&mut self, host: usize, router: usize, after: Duration) {
        let (turn, run) = (self.hosts[host].places[router].turn, self.hosts[host].run);
        self.at(self.now + micros(after), Event::Keeper { host, router, turn, run });
    }

    /// Brings the kernel nearer to the wish.
    pub fn keeper_step(&mut self, host: usize, router: usize, turn: u32, run: u32) {
        let now = self.now;
        let this = &mut self.hosts[host];
        if this.run != run || this.places[router].turn != turn || this.station.is_none() {
            return;
        }
        if !this.keeper_runs() {
            return self.step_in(host, router, LOOK_AGAIN);
        }
        let alive = this.still.is_none_or(|still| still.how != Still::Thread || still.since + ALIVE_WITHIN > now);
        let (clock, held) = (this.clock(now), this.holds(router, now));
        let place = &mut this.places[router];
        match place.wish {
            None => {}
            Some(Wish::Hold) if !alive => self.step_in(host, router, LOOK_AGAIN),
            Some(Wish::Hold) => {
                place.held_until = Some(clock + LIFETIME);
                self.expiry(host, router);
                self.step_in(host, router, RENEW_EVERY);
                if !held {
                    let report = Report::Held { router: RouterId(router), held: 1, wanted: 1 };
                    self.give(host, Item::Report(report));
                }
                self.announced_once(host, router, turn);
            }
            Some(Wish::Release { .. }) => {
                let ends = place.leaves_at.unwrap_or(clock);
                if ends <= clock || !held {
                    return self.remove(host, router);
                }
                if alive {
                    place.held_until = Some(clock + LIFETIME);
                    self.expiry(host, router);
                }
                let next = ends.saturating_since(clock).min(RENEW_EVERY);
                self.step_in(host, router, next);
            }
            Some(Wish::Drop) => self.remove(host, router),
        }
    }

    /// The announcements of a turn, at its first step.
    fn announced_once(&mut self, host: usize, router: usize, turn: u32) {
        if self.announced.insert((host, router, self.hosts[host].run, turn)) {
            for round in ROUNDS {
                self.at(self.now + round, Event::Announce { host, router, turn });
            }
        }
    }

    fn remove(&mut self, host: usize, router: usize) {
        let place = &mut self.hosts[host].places[router];
        place.held_until = None;
        place.wish = Some(Wish::Drop);
        if std::mem::take(&mut place.reports_end) {
            self.give(host, Item::Report(Report::Released { router: RouterId(router) }));
        }
        self.say(|| format!("{host}: addresses of {router} removed"));
    }

    /// Looks again when the kernel would take the address away.
    fn expiry(&mut self, host: usize, _router: usize) {
        self.at(self.now + micros(LIFETIME), Event::Look);
    }

    pub fn announce(&mut self, host: usize, router: usize, turn: u32) {
        let this = &self.hosts[host];
        let valid = this.places[router].turn == turn && this.keeper_runs();
        if valid && this.holds(router, self.now) {
            self.cast(host, self.drawn.link_of[router], |to| Event::Seen { host: to, router });
        }
    }

    /// Another machine announced the router's addresses.
    pub fn seen(&mut self, host: usize, router: usize) {
        let this = &mut self.hosts[host];
        let clock = this.clock(self.now);
        if !this.keeper_runs() {
            return;
        }
        let place = &mut this.places[router];
        if !matches!(place.wish, Some(Wish::Release { .. })) {
            return;
        }
        let ends = clock + GRACE;
        if place.leaves_at.is_none_or(|leaves| leaves > ends) {
            place.leaves_at = Some(ends);
            place.turn += 1;
            self.step_in(host, router, GRACE);
        }
    }

    /// The addresses are left to whoever comes next.
    pub fn lengthen(&mut self, host: usize, lifetime: Duration) {
        let now = self.now;
        let this = &mut self.hosts[host];
        let until: Instant = this.clock(now) + lifetime;
        for router in 0..this.places.len() {
            if this.holds(router, now) && this.places[router].wish != Some(Wish::Drop) {
                this.places[router].held_until = Some(until);
                this.may_hold_for[router] = micros(lifetime) + 1_000_000;
            }
        }
        self.at(now + micros(lifetime), Event::Look);
    }
}
