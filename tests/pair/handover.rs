//! One course of events for two programs, whichever they are: each takes over from the other in every way, and after each
//! takeover the client is where it should be. Every advertisement is judged at the end.

use crate::packets::{self, Advertisement};
use crate::stage::holders::Holders;
use crate::stage::pinger::Pinger;
use crate::stage::program::{Member, Program};
use crate::stage::setting::{Checksum, Setting, Transport, Version};
use crate::stage::{INTERFACE, NAMES, OTHER, PREFERRED, Stage, dip, frr, vip};
use crate::world::addresses::Family;
use crate::world::capture::Capture;
use crate::world::wait::{stays, until, until_true};
use std::thread::sleep;
use std::time::Duration;

/// FRR first brings its macvlan up by way of zebra, and over IPv6 that waits for duplicate address detection.
const FRR_SLACK: Duration = Duration::from_secs(4);
/// What a program may take beyond the protocol's own times: to start a process, to wake up, to be seen.
const SLACK: Duration = Duration::from_secs(1);
/// The same in an emulated machine, and for a program that starts.
const START: Duration = Duration::from_secs(20);
/// From the change of the holder until the client's neighbour cache is right.
const NEIGHBOUR_MAX: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(3);
const PING_EVERY: Duration = Duration::from_millis(5);
/// Pings long enough to see that the VIP answers.
const PINGS: Duration = Duration::from_millis(100);

/// Two programs on a stage, and what is looked at.
struct Course {
    setting: Setting,
    // Dropped in this order: the stage is the last.
    holders: Holders,
    preferred: Member,
    other: Member,
    stage: Stage,
}

/// Takeovers both ways between two programs; the preferred one has the higher priority.
#[track_caller]
pub(crate) fn both_ways(preferred: Program, other: Program, setting: Setting) {
    let stage = Stage::new();
    let filter = "ip proto 112 or ip6 proto 112";
    let capture = Capture::start(&stage.switch, NAMES[OTHER], filter, stage.folder());
    let target = vip().of(setting.family);
    let holders = Holders::watch(&stage, target, LOOK_EVERY);
    // The client has something to remember at all times.
    let background = Pinger::start(&stage.client, target, PING_EVERY);

    let other = Member::start(&stage, other, OTHER, &setting, "");
    until_held(&holders, OTHER, "the first Master", START);
    let preferred = Member::start(&stage, preferred, PREFERRED, &setting, "");
    let mut course = Course { setting, holders, preferred, other, stage };
    course.taken_over_by(PREFERRED, "preempting", START);
    course.stop();
    course.preferred.start_again(&course.stage);
    course.taken_over_by(PREFERRED, "preempting again", START);
    course.kill();
    course.preferred.start_again(&course.stage);
    course.taken_over_by(PREFERRED, "preempting a third time", START);
    course.stays_so(PREFERRED);

    background.finish();
    // Silence, so that the capture comes to its end.
    for member in [&mut course.preferred, &mut course.other] {
        member.terminate();
        member.wait_until_ended();
    }
    let file = capture.finish();
    course.judge(&packets::read(&course.stage, &file));
}

impl Course {
    /// The Master ends politely: an advertisement of priority 0 leaves only the skew.
    fn stop(&self) {
        self.preferred.terminate();
        // FRR takes its time to end.
        let mut end = Duration::ZERO;
        if self.preferred.program == Program::Frr {
            end = FRR_SLACK;
            until_true("FRR's end", FRR_SLACK, || self.preferred.has_ended());
            // Its last word to zebra, to take the interface down, is lost where zebra sees the end of vrrpd first.
            frr::take_away(&self.stage, PREFERRED);
        }
        self.taken_over_by(OTHER, "SIGTERM", end + self.setting.skew() + SLACK);
    }

    /// The Master dies, and with it what it held.
    fn kill(&self) {
        self.preferred.kill();
        match self.preferred.program {
            Program::Frr => frr::take_away(&self.stage, PREFERRED),
            Program::Tandem | Program::Keepalived => self.stage.take_vip_away(PREFERRED),
        }
        self.taken_over_by(OTHER, "SIGKILL", self.setting.master_down_interval() + SLACK);
    }

    /// The client finds the new Master, at once and by the right link-layer address.
    #[track_caller]
    fn taken_over_by(&self, director: usize, how: &str, limit: Duration) {
        let program = if director == PREFERRED { self.preferred.program } else { self.other.program };
        let limit = if program == Program::Frr { limit + FRR_SLACK } else { limit };
        until_held(&self.holders, director, how, limit);
        if program == Program::Frr {
            // FRR announces while its macvlan is still coming up, and that is often lost: its neighbours find out when they
            // ask again, which is not what is looked at here.
            self.stage.client.run(&format!("ip neigh flush dev {INTERFACE}"));
        }
        let expected = self.link_address(director);
        let family = self.setting.family;
        let limit = if program == Program::Frr { FRR_SLACK } else { NEIGHBOUR_MAX };
        until(&format!("neighbour of the client ({how})"), limit, || {
            let found = self.stage.neighbour_of_client(family);
            if found.as_ref() == Some(&expected) { Ok(()) } else { Err(format!("{found:?}, not {expected}")) }
        });
        let pinger = Pinger::start(&self.stage.client, vip().of(family), PING_EVERY);
        sleep(PINGS);
        let pings = pinger.finish();
        assert_eq!(pings.lost(), 0, "of {} pings after the takeover ({how})", pings.count());
    }

    fn link_address(&self, director: usize) -> String {
        let member = if director == PREFERRED { &self.preferred } else { &self.other };
        match member.program {
            Program::Frr => frr::virtual_mac(self.setting.family),
            Program::Tandem | Program::Keepalived => self.stage.link_address(director, INTERFACE),
        }
    }

    /// Nobody takes over when nothing happens.
    fn stays_so(&self, director: usize) {
        stays("mastership", self.setting.interval * 10, || {
            let holder = self.holders.only_holder();
            if holder == Some(director) { Ok(()) } else { Err(format!("holder is {holder:?}")) }
        });
    }

    /// Nothing malformed; each checksum good, and by the end in the form that both programs read.
    #[track_caller]
    fn judge(&self, adverts: &[Advertisement]) {
        for (number, advert) in adverts.iter().enumerate() {
            assert!(advert.complaint.is_empty(), "advertisement {number}: {advert:?}");
            // keepalived 2.2.7 sends unicast advertisements over IPv6 with the kernel's hop limit of 64.
            let is_free = self.setting.transport == Transport::Unicast && advert.source.is_ipv6();
            assert!(advert.hops == 255 || is_free, "advertisement {number}: {advert:?}");
            assert!(advert.good_with_pseudo_header || advert.good_without, "{number}: {advert:?}");
        }
        for member in [&self.preferred, &self.other] {
            let own = |advert: &&Advertisement| {
                member.program == Program::Frr && advert.source.is_ipv6()
                    || advert.source == dip(member.director).of(self.setting.family)
                    || advert.source_link == self.stage.link_address(member.director, INTERFACE)
            };
            let sent: Vec<&Advertisement> = adverts.iter().filter(own).collect();
            assert!(member.program != Program::Tandem || sent.iter().all(|advert| advert.hops == 255));
            let last = sent.last().unwrap_or_else(|| panic!("{} sent nothing", member.program));
            assert_eq!(last.version, if self.setting.version == Version::V2 { 2 } else { 3 }, "{last:?}");
            if self.setting.version == Version::V3 && self.setting.family == Family::Ipv4 {
                assert!(last.good_with_pseudo_header, "the peer's form is known by then: {last:?}");
                let all = sent.iter().all(|advert| advert.good_with_pseudo_header);
                assert!(all || self.setting.checksum == Checksum::Rfc9568, "{} was told so", member.program);
            }
        }
    }
}

#[track_caller]
fn until_held(holders: &Holders, director: usize, how: &str, limit: Duration) {
    until(&format!("{} as only holder ({how})", NAMES[director]), limit, || match holders.only_holder() {
        Some(found) if found == director => Ok(()),
        found => Err(format!("holder is {:?}", found.map(|found| NAMES[found]))),
    });
}
