//! Lets the acts of a world happen.

use crate::faults::{Act, Still};
use crate::host::{Item, Standstill};
use crate::world::{Event, World};
use tandem::vrrp::station::Station;

impl World<'_> {
    pub fn act(&mut self, act: &Act) {
        self.say(|| format!("-- {act:?}"));
        self.narrate(|| format!("-- {}", crate::script::act(act)));
        if act.is_unplanned() {
            self.judge.unplanned_at = self.now;
        }
        match *act {
            Act::Loss { link, permille } => self.network.set_loss(link, permille),
            Act::Duplicates { link, permille } => self.network.set_duplicates(link, permille),
            Act::Late { link, permille, by } => {
                self.network.set_late(link, permille, by);
                // What is under way arrives later still.
                self.judge.troubled(link, self.now + by);
            }
            Act::Cut { link, from, to, cut } => self.network.set_cut(link, from, to, cut),
            Act::Link { host, link, up } => {
                if self.hosts[host].links_up[link] != up {
                    self.hosts[host].links_up[link] = up;
                    self.give(host, Item::Link { link });
                    self.keeper_link(host, link);
                }
            }
            Act::Path { host, up } => {
                self.hosts[host].path_up = up;
                self.hosts[host].path_since = self.now;
            }
            Act::Still { host, how, lasts } => self.stand_still(host, how, lasts),
            Act::Kill { host } => self.kill(host),
            Act::Start { host } => self.start(host),
            Act::Stop { host } => {
                self.hosts[host].stopping = true;
                self.give(host, Item::Stop);
            }
            Act::Reload { host } => self.reload(host),
            // No input of the station carries the wall clock: there is nothing to tell it.
            Act::ClockStep { .. } => {}
            Act::Tracked { host, what, good } => {
                if self.hosts[host].good[what] != good {
                    self.hosts[host].good[what] = good;
                    self.give(host, Item::Tracked { what });
                }
            }
            Act::Release { host, lasts } => self.give(host, Item::Release { until: lasts }),
            Act::Clear { host } => self.give(host, Item::Clear),
            Act::Healed => {
                self.network.heal();
                for host in 0..self.hosts.len() {
                    self.hosts[host].path_up = true;
                    for link in 0..self.drawn.links {
                        self.act(&Act::Link { host, link, up: true });
                    }
                }
            }
        }
    }

    fn stand_still(&mut self, host: usize, how: Still, lasts: u64) {
        if self.hosts[host].still.is_some() {
            return;
        }
        self.hosts[host].still = Some(Standstill { how, since: self.now });
        self.at(self.now + lasts, Event::Resume { host });
    }

    fn kill(&mut self, host: usize) {
        if self.hosts[host].station.is_none() || self.hosts[host].is_paused() {
            return;
        }
        self.hosts[host].still = None;
        if self.random.chance(500) {
            // The file of marks was written a moment ago; or it was not.
            self.hosts[host].marks =
                self.hosts[host].station.as_ref().map(Station::marks).unwrap_or_default();
        }
        self.end_process(host);
    }

    fn reload(&mut self, host: usize) {
        if !self.hosts[host].is_running() || self.hosts[host].stopping {
            return;
        }
        // In the middle of a hand-over it forgets whom it has asked to take over.
        let routers = 0..self.drawn.link_of.len();
        if routers
            .into_iter()
            .any(|r| self.hosts[host].holds_any(r, self.now) && !self.hosts[host].is_master(r))
        {
            self.judge.unplanned_at = self.now;
        }
        self.hosts[host].marks = self.hosts[host].station.as_ref().map(Station::marks).unwrap_or_default();
        self.hosts[host].run += 1;
        self.hosts[host].reloaded_at = Some(self.hosts[host].clock(self.now));
        self.begin(host);
    }
}
