//! The address thread against the running kernel, in a network namespace of its own. Needs root, `ip`, and for the frames
//! `tcpdump` and `tshark`; without them a case says so and passes.

mod virtual_mac;

use super::*;
use crate::floating::Wish;
use crate::floating::plan::{PlannedAddress, RouterPlan};
use crate::kernel::floating::{PacketSocket, frame};
use crate::model::{AnnouncementPolicy, Family};
use crate::vrrp::RouterId;
use nix::sched::{CloneFlags, unshare};
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

const WEB: RouterId = RouterId(0);
const VIPS: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
const FOREIGN: [u8; 6] = [2, 0, 0, 0, 0, 0x99];

/// A director's address thread on `v0`, with the other end of the cable beside it.
struct World {
    handle: Option<Handle>,
    clock: Clock,
    alive: Arc<AtomicU64>,
    lives: Arc<std::sync::atomic::AtomicBool>,
    reports: Arc<Mutex<Vec<Report>>>,
    events: mpsc::Receiver<Event>,
}

#[derive(Clone, Copy)]
struct Clock(std::time::Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the shell's test is a shell")]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn now(self) -> Instant {
        Instant::ZERO + self.0.elapsed()
    }
}

/// A namespace of the calling thread with a cable `v0` to `v1`; `None` where that is not permitted.
#[expect(clippy::print_stderr, reason = "why a case did not run")]
fn namespace() -> Option<()> {
    if unshare(CloneFlags::CLONE_NEWNET).is_err() {
        eprintln!("not run: a network namespace needs root");
        return None;
    }
    ip("link add v0 type veth peer name v1");
    for line in ["link set lo up", "link set v0 up", "link set v1 up", "addr add 192.0.2.200/24 dev v0"] {
        ip(line);
    }
    Some(())
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("ip runs");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The interface's entry for an address, as `ip -j` shows it.
fn shown(address: &str) -> Option<serde_json::Value> {
    let all: serde_json::Value = serde_json::from_str(&ip("-j addr show")).expect("JSON");
    let links = all.as_array().expect("a list").iter();
    let addresses = links.flat_map(|link| link["addr_info"].as_array().cloned().unwrap_or_default());
    addresses.into_iter().find(|entry| entry["local"] == address)
}

fn plan(addresses: &[IpAddr]) -> Plan {
    let place = |address: &IpAddr| PlannedAddress { address: *address, interface: "v0".into() };
    let router = RouterPlan {
        name: "web".into(),
        interface: "v0".into(),
        vrid: NonZeroU8::new(51).expect("not 0"),
        virtual_mac: false,
        announcements: AnnouncementPolicy::default(),
        addresses: addresses.iter().map(place).collect(),
    };
    Plan { lifetimes: true, routers: vec![router] }
}

fn vips() -> Vec<IpAddr> {
    VIPS.iter().map(|vip| vip.parse().expect("an address")).collect()
}

impl World {
    /// In the calling thread's namespace, with an advert thread that lives.
    fn start(addresses: &[IpAddr]) -> Self {
        Self::of(&plan(addresses))
    }

    fn of(plan: &Plan) -> Self {
        let clock = Clock::start();
        let alive = Arc::new(AtomicU64::new(0));
        let reports = Arc::new(Mutex::new(Vec::new()));
        let (sender, events) = mpsc::channel();
        let heard = Arc::clone(&reports);
        let surroundings = Surroundings {
            clock: move || clock.now(),
            alive: Arc::clone(&alive),
            priority: None,
            reports: move |report| {
                heard.lock().expect("a lock").push(report);
                true
            },
            events: Box::new(move |event| drop(sender.send(event))),
        };
        let handle = Some(AddressThread::start(plan, &BTreeSet::new(), surroundings).expect("a thread"));
        let lives = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let world = Self { handle, clock, alive, lives, reports, events };
        world.keep_alive();
        world
    }

    /// The advert thread's pulse, every 50 ms until the world ends.
    fn keep_alive(&self) {
        let (clock, alive, lives) = (self.clock, Arc::downgrade(&self.alive), Arc::clone(&self.lives));
        thread::spawn(move || {
            while let Some(alive) = alive.upgrade() {
                if lives.load(Ordering::Relaxed) {
                    alive.store(clock.now().as_micros(), Ordering::Release);
                }
                drop(alive);
                thread::park_timeout(Duration::from_millis(50));
            }
        });
    }

    fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("running")
    }

    fn wish(&self, wish: Wish) {
        self.handle().order(Order::Wish { router: WEB, wish });
    }

    /// How long until the condition holds; fails after `limit`.
    fn until(&self, what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
        let start = self.clock.now();
        loop {
            let passed = self.clock.now().saturating_since(start);
            if holds() {
                return passed;
            }
            assert!(
                passed < limit,
                "{what}: not within {limit:?}; events: {:?}",
                self.events.try_iter().collect::<Vec<_>>()
            );
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Fails when the condition does not hold all the time.
    fn always(&self, what: &str, time: Duration, mut holds: impl FnMut() -> bool) {
        let start = self.clock.now();
        while self.clock.now().saturating_since(start) < time {
            assert!(holds(), "{what}: not after {:?}", self.clock.now().saturating_since(start));
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn was_reported(&self, report: &Report) -> bool {
        self.reports.lock().expect("a lock").contains(report)
    }

    fn finish(mut self) {
        assert!(self.handle.take().expect("running").finish(Duration::from_secs(2)), "the thread ends");
    }
}

const SOON: Duration = Duration::from_secs(2);

#[test]
fn addresses_are_held_with_a_lifetime_while_the_advert_thread_lives_and_come_back_with_it() {
    let Some(()) = namespace() else { return };
    let world = World::start(&vips());
    world.wish(Wish::Hold);
    world.until("both are held", SOON, || VIPS.iter().all(|vip| shown(vip).is_some()));
    for (vip, length, preferred) in [(VIPS[0], 32, 3), (VIPS[1], 128, 0)] {
        let entry = shown(vip).expect("held");
        assert_eq!(entry["prefixlen"], length);
        assert_eq!(entry["noprefixroute"], true);
        assert!(entry["preferred_life_time"].as_u64().expect("a number") <= preferred, "{entry}");
    }
    let renewed = || {
        VIPS.iter().all(|vip| {
            shown(vip).is_some_and(|entry| (1..=3).contains(&entry["valid_life_time"].as_u64().unwrap_or(0)))
        })
    };
    world.always("renewed", Duration::from_millis(4_500), renewed);
    world.lives.store(false, Ordering::Relaxed);
    world.until("gone", Duration::from_millis(4_500), || VIPS.iter().all(|vip| shown(vip).is_none()));
    let told: Vec<Event> = world.events.try_iter().collect();
    assert!(told.contains(&Event::AdvertThreadSilent), "{told:?}");
    world.lives.store(true, Ordering::Relaxed);
    world.until("back", SOON, || VIPS.iter().all(|vip| shown(vip).is_some()));
    world.wish(Wish::Drop);
    world.until("dropped", SOON, || VIPS.iter().all(|vip| shown(vip).is_none()));
    world.finish();
}

#[test]
fn the_thread_gives_signs_of_life_also_while_it_has_nothing_to_do() {
    let Some(()) = namespace() else { return };
    let world = World::start(&vips());
    let pulse = world.handle().pulse();
    assert!(pulse() > Instant::ZERO, "also before its first turn");
    for _ in 0..2 {
        let before = pulse();
        world.until("a sign of life", SOON, || pulse() > before);
    }
    world.finish();
}

#[test]
fn what_is_removed_by_hand_is_back_within_a_tenth_of_a_second() {
    let Some(()) = namespace() else { return };
    let world = World::start(&vips());
    world.wish(Wish::Hold);
    let both = Report::Held { router: WEB, held: 2, wanted: 2 };
    world.until("held", SOON, || world.was_reported(&both));
    for (vip, length) in [(VIPS[0], 32), (VIPS[1], 128)] {
        ip(&format!("addr del {vip}/{length} dev v0"));
        let time = world.until("back", SOON, || shown(vip).is_some());
        assert!(time < Duration::from_millis(100), "{vip}: {time:?}");
    }
    let taken = |event: &Event| matches!(event, Event::TakenAway { .. });
    let mut told: Vec<Event> = Vec::new();
    world.until("two told", SOON, || {
        told.extend(world.events.try_iter());
        told.iter().filter(|event| taken(event)).count() == 2
    });
    world.finish();
}

#[test]
fn an_interface_that_is_made_anew_gets_its_addresses_again() {
    let Some(()) = namespace() else { return };
    let world = World::start(&vips());
    world.wish(Wish::Hold);
    world.until("held", SOON, || VIPS.iter().all(|vip| shown(vip).is_some()));
    ip("link set v0 down");
    ip("link set v0 up");
    world.until("back after a fall", SOON, || VIPS.iter().all(|vip| shown(vip).is_some()));
    ip("link del v0");
    ip("link add v0 type veth peer name v1");
    ip("link set v0 up");
    ip("link set v1 up");
    world.until("back", SOON, || VIPS.iter().all(|vip| shown(vip).is_some()));
    world.until("heard", SOON, || {
        announce_as_foreign();
        world.reports.lock().expect("a lock").iter().any(|report| matches!(report, Report::Conflict { .. }))
    });
    world.finish();
}

/// Another machine at the other end of the cable claims both.
fn announce_as_foreign() {
    let index =
        ip("-o link show dev v1").split(':').next().and_then(|index| index.parse().ok()).expect("an index");
    for vip in vips() {
        let socket = PacketSocket::open(Family::of(vip), index).expect("a packet socket");
        socket.send(&frame::announcement(vip, FOREIGN)).expect("sent");
    }
}

#[test]
fn a_release_ends_when_another_machine_has_announced_and_a_conflict_is_told() {
    let Some(()) = namespace() else { return };
    let world = World::start(&vips());
    world.wish(Wish::Hold);
    world.until("held", SOON, || VIPS.iter().all(|vip| shown(vip).is_some()));
    announce_as_foreign();
    for address in vips() {
        let conflict = Report::Conflict { router: WEB, address, hardware_address: FOREIGN };
        world.until("a conflict", SOON, || world.was_reported(&conflict));
    }
    world.wish(Wish::Release { by: world.clock.now() + Duration::from_secs(60) });
    world.always("kept", Duration::from_secs(4), || VIPS.iter().all(|vip| shown(vip).is_some()));
    let announced = world.clock.now();
    announce_as_foreign();
    let released = Report::Released { router: WEB };
    world.until("released", SOON, || world.was_reported(&released));
    let time = world.clock.now().saturating_since(announced);
    assert!(time >= Duration::from_millis(30) && time < Duration::from_millis(500), "{time:?}");
    assert!(VIPS.iter().all(|vip| shown(vip).is_none()));
    world.finish();
}

#[test]
fn a_planned_restart_leaves_the_addresses_and_the_next_thread_adopts_them() {
    let Some(()) = namespace() else { return };
    let world = World::start(&vips());
    world.wish(Wish::Hold);
    world.until("held", SOON, || VIPS.iter().all(|vip| shown(vip).is_some()));
    world.handle.as_ref().expect("running").lengthen(Duration::from_secs(30));
    world.finish();
    let left = shown(VIPS[0]).expect("held")["valid_life_time"].as_u64().expect("a number");
    assert!((28..=30).contains(&left), "{left}");
    let next = World::start(&vips());
    next.wish(Wish::Release { by: next.clock.now() + Duration::from_secs(1) });
    next.until("adopted", SOON, || {
        shown(VIPS[0]).expect("held all the time")["valid_life_time"].as_u64().expect("a number") <= 3
    });
    next.until("released", SOON, || next.was_reported(&Report::Released { router: WEB }));
    next.finish();
}

#[test]
fn two_thousand_addresses_are_held_at_once_and_kept() {
    let Some(()) = namespace() else { return };
    let all: Vec<IpAddr> = (1..=2_000_u32).map(|n| IpAddr::from((0x0a01_0000 + n).to_be_bytes())).collect();
    let world = World::start(&all);
    world.wish(Wish::Hold);
    let held = |held, wanted| Report::Held { router: WEB, held, wanted };
    world.until("all are held", Duration::from_secs(5), || world.was_reported(&held(2_000, 2_000)));
    thread::park_timeout(Duration::from_secs(5));
    let told: Vec<Event> = world.events.try_iter().collect();
    assert_eq!(told, [], "nothing expired, nothing was taken away");
    assert_eq!(ip("-o -4 addr show dev v0").lines().count(), 2_001);
    world.wish(Wish::Drop);
    world.until("all are gone", Duration::from_secs(5), || world.was_reported(&held(0, 0)));
    assert_eq!(ip("-o -4 addr show dev v0").lines().count(), 1);
    world.finish();
}

/// What tshark says of each announcement that arrives at the other end within the time of a burst.
fn captured(world: &World) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("capture").to_string_lossy().into_owned();
    let arguments = ["-i", "v1", "-U", "--immediate-mode", "-w", &file, "arp or icmp6[0] == 136"];
    let mut tcpdump = Command::new("tcpdump").args(arguments).stderr(Stdio::null()).spawn().ok()?;
    world.until("tcpdump listens", Duration::from_secs(5), || std::fs::metadata(&file).is_ok());
    thread::park_timeout(Duration::from_millis(200));
    world.wish(Wish::Hold);
    thread::park_timeout(Duration::from_millis(1_500));
    tcpdump.kill().expect("it ends");
    tcpdump.wait().expect("it ends");
    let fields = "eth.dst eth.src arp.opcode arp.isgratuitous arp.src.proto_ipv4 arp.dst.proto_ipv4 ipv6.src ipv6.dst ipv6.hlim \
                  icmpv6.checksum.status icmpv6.nd.na.target_address icmpv6.nd.na.flag.r icmpv6.nd.na.flag.s \
                  icmpv6.nd.na.flag.o icmpv6.opt.linkaddr _ws.malformed _ws.expert.severity";
    let mut tshark = Command::new("tshark");
    tshark.args(["-r", &file, "-T", "fields", "-E", "separator=|"]);
    fields.split_whitespace().for_each(|field| {
        tshark.args(["-e", field]);
    });
    let output = tshark.stderr(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect())
}

#[test]
#[expect(clippy::print_stderr, reason = "why a case did not run")]
fn the_other_end_sees_well_formed_announcements() {
    let Some(()) = namespace() else { return };
    let world = World::start(&vips());
    let Some(lines) = captured(&world) else {
        eprintln!("not run: tcpdump and tshark are needed");
        return;
    };
    let mac = shown_mac();
    let arp = format!("ff:ff:ff:ff:ff:ff|{mac}|1|1|192.0.2.1|192.0.2.1||||||||||");
    let advertisement =
        format!("33:33:00:00:00:01|{mac}|||||2001:db8::1|ff02::1|255|1|2001:db8::1|1|0|1|{mac}||");
    let count = |expected: &str| lines.iter().filter(|line| line.starts_with(expected)).count();
    assert_eq!((count(&arp), count(&advertisement)), (5, 5), "{arp}\n{advertisement}\n{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("alformed")), "{lines:#?}");
    world.finish();
}

fn shown_mac() -> String {
    let all: serde_json::Value = serde_json::from_str(&ip("-j link show dev v0")).expect("JSON");
    all[0]["address"].as_str().expect("an address").to_owned()
}

/// The director must know at once: its addresses are renewed by nobody any more.
#[test]
fn a_thread_that_panics_has_ended() {
    let Some(()) = namespace() else { return };
    let clock = Clock::start();
    let surroundings = Surroundings {
        clock: move || clock.now(),
        alive: Arc::new(AtomicU64::new(clock.now().as_micros())),
        priority: None,
        reports: |_: Report| -> bool { panic!("on purpose") },
        events: Box::new(drop),
    };
    let handle = AddressThread::start(&plan(&vips()), &BTreeSet::new(), surroundings).expect("a thread");
    assert!(!handle.has_ended());
    handle.order(Order::Wish { router: WEB, wish: Wish::Hold });
    let begun = clock.now();
    while !handle.has_ended() {
        assert!(clock.now().saturating_since(begun) < Duration::from_secs(5), "it goes on");
        thread::park_timeout(Duration::from_millis(5));
    }
}
