//! The director is killed (SIGKILL) at random moments, again and again, under traffic through all four ways of forwarding, on a
//! real IPVS kernel: no request fails, no download is cut off, the table never lacks a server that is well, and what a start
//! leaves is what was there before.
//!
//! `KILLS=100 tests/lab/run kills` kills as often as it says; the seed is printed, and `SEED=7` draws the same moments again.

use crate::random::Random;
use crate::restart::{Download, MODES, POLICY, start, vip};
use crate::world::World;
use crate::world::load::Load;
use crate::world::namespace::Namespace;
use crate::world::wait::until;
use nix::sys::time::{TimeSpec, TimeValLike as _};
use nix::time::{ClockId, clock_gettime, clock_settime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Kills of an ordinary run: an emulated machine takes seconds for a start.
const USUAL: u64 = 6;
/// Of each way of forwarding.
const PER_SECOND: u32 = 5;
const SERVERS: usize = 8;
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The promise.
const HEALED: Duration = Duration::from_secs(5);

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}: no number: {value}")))
}

/// Looks at the table again and again: the fewest destinations that it ever had.
struct Fewest {
    stop: Arc<AtomicBool>,
    fewest: Arc<AtomicUsize>,
    thread: JoinHandle<usize>,
}

impl Fewest {
    fn watch(director: &Namespace) -> Self {
        let (stop, fewest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(usize::MAX)));
        let (stopped, least, enter) = (Arc::clone(&stop), Arc::clone(&fewest), director.entrance());
        let thread = spawn(move || {
            enter();
            let mut looks = 0;
            while !stopped.load(Ordering::Relaxed) {
                least.fetch_min(destinations(), Ordering::Relaxed);
                looks += 1;
                sleep(LOOK_EVERY);
            }
            looks
        });
        Self { stop, fewest, thread }
    }

    fn finish(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let looks = self.thread.join().expect("no panic");
        (self.fewest.load(Ordering::Relaxed), looks)
    }
}

/// Those of the calling thread's namespace that get new connections.
fn destinations() -> usize {
    use std::io::Read as _;
    let mut table = vec![0; 65_536];
    let length =
        std::fs::File::open("/proc/thread-self/net/ip_vs").and_then(|mut file| file.read(&mut table));
    let text = String::from_utf8_lossy(&table[..length.expect("IPVS in this kernel")]).into_owned();
    let weight = |line: &str| line.split_whitespace().nth(3)?.parse::<u32>().ok();
    text.lines().filter_map(weight).filter(|weight| *weight > 0).count()
}

/// Everything that a director may have changed, as other programs tell it.
fn picture(host: &Namespace) -> Vec<String> {
    let mut lines = host.ipvs_saved();
    lines.sort();
    lines.push(format!("{:?}", host.nft_table("inet", "tandem")));
    lines.push(host.run("ip -o addr show dev eth0"));
    lines
}

#[test]
fn kills_at_random_moments_lose_no_request_no_download_and_no_server() {
    let times = number("KILLS").unwrap_or(USUAL);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let seed = number("SEED").unwrap_or_else(now);
    println!("SEED={seed} KILLS={times}");
    let mut random = Random::new(seed);
    let world = World::new();
    let mut director = start(&world, POLICY);
    let before = picture(world.director());
    let downloads: Vec<_> =
        (0..).zip(MODES).map(|(index, mode)| Download::start(&world, index, mode)).collect();
    let loads: Vec<_> = (0..)
        .zip(MODES)
        .map(|(index, mode)| Load::start(mode.client(&world), (vip(index), 80).into(), "/", PER_SECOND))
        .collect();
    let fewest = Fewest::watch(world.director());
    let mut killed = 0;
    while killed < times {
        sleep(Duration::from_millis(random.below(1_000)));
        director.kill();
        killed += 1;
        while random.chance(300) {
            director.launch_again();
            sleep(Duration::from_millis(random.below(1_500)));
            director.kill();
            killed += 1;
        }
        sleep(Duration::from_millis(random.below(1_000)));
        director.start_again();
        until("a table as it was", HEALED, || {
            let found = picture(world.director());
            if found == before { Ok(()) } else { Err(format!("{found:#?}, not {before:#?}")) }
        });
    }
    downloads.iter().for_each(Download::assert_goes_on);
    let mut requests = 0;
    for load in loads {
        let report = load.finish();
        report.assert_no_failure();
        requests += report.requests.len();
    }
    let (fewest, looks) = fewest.finish();
    println!(
        "{killed} kills, {requests} requests, none failed; {fewest} servers in the table at the least, of {looks} looks"
    );
    assert_eq!(fewest, SERVERS, "a server that was well was out of the table");
    downloads.into_iter().for_each(Download::assert_complete);
}

/// The clock of the machine is set ahead and back while requests come: nothing that counts goes by it.
#[test]
fn a_clock_that_is_set_moves_nothing() {
    if std::env::var("TANDEM_LAB_PLACE").as_deref() != Ok("vm") {
        return println!("left out: this would set the clock of the machine itself");
    }
    let set = |seconds| {
        let now = clock_gettime(ClockId::CLOCK_REALTIME).expect("the clock");
        clock_settime(ClockId::CLOCK_REALTIME, now + TimeSpec::seconds(seconds)).expect("root may");
    };
    let world = World::new();
    let director = start(&world, POLICY);
    let before = picture(world.director());
    let load = Load::start(MODES[1].client(&world), (vip(1), 80).into(), "/", PER_SECOND);
    let fewest = Fewest::watch(world.director());
    for step in [3_600, -7_200, 86_400 * 400, -86_400 * 400 + 3_600] {
        set(step);
        sleep(Duration::from_secs(2));
    }
    assert_eq!(picture(world.director()), before);
    load.finish().assert_no_failure();
    assert_eq!(fewest.finish().0, SERVERS);
    let log = director.log();
    assert!(!log.contains("stood still") && !log.contains("no sign of life"), "{log}");
}
