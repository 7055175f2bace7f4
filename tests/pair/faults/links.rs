//! Links that flap, interfaces that are removed and made again, and more news of them than anybody can read.

use super::{GAP_MAX, GONE_MAX, Pair, RIGHT_MAX, assert_gap};
use crate::random::Random;
use crate::stage::{INTERFACE, NAMES, OTHER, PREFERRED, dip};
use crate::world::wait::{until, until_true};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const FLAPS: usize = 12;
/// While the link of the preferred one comes and goes: it is missed, takes over again, and is missed again.
const FLAPPING_GAP_MAX: Duration = Duration::from_millis(1_500);
/// Far more than the sockets of a director that does not read can hold.
const NEWS: usize = 600;
const SOON: Duration = Duration::from_secs(3);

#[test]
fn a_link_that_flaps_settles_where_it_ends() {
    let pair = Pair::new();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let pinger = pair.ping();
    for _ in 0..FLAPS {
        for plugged in [false, true] {
            pair.stage.set_cable(PREFERRED, plugged);
            sleep(Duration::from_millis(random.between(1, 500)));
        }
    }
    pair.wait_until_right(RIGHT_MAX);
    assert_gap(&pinger.finish(), FLAPPING_GAP_MAX, "flaps");
}

/// Both ends of the cable go with it.
#[test]
fn an_interface_that_is_removed_and_made_again_is_taken_up_again() {
    let pair = Pair::new();
    let (machine, role) = (&pair.stage.directors[PREFERRED], NAMES[PREFERRED]);
    for round in 0..3 {
        let pinger = pair.ping();
        machine.ip(&format!("link del {INTERFACE}"));
        pair.wait_for_holder(OTHER, SOON);
        sleep(Duration::from_millis(300 * round));
        let name = machine.name();
        pair.stage.switch.ip(&format!(
            "link add {role} type veth peer name {INTERFACE} netns {name}\nlink set {role} master br0 up\n"
        ));
        machine.configure(&[(INTERFACE, dip(PREFERRED))], None);
        pair.wait_until_right(RIGHT_MAX);
        assert_gap(&pinger.finish(), GAP_MAX, "an interface removed and made again");
    }
}

/// The last of the news, which nobody could be told any more, is that the link is down.
#[test]
fn what_the_kernel_could_not_tell_is_looked_up() {
    let pair = Pair::new();
    let machine = &pair.stage.directors[OTHER];
    machine.ip("link add noise type bridge");
    pair.members[OTHER].freeze(true);
    let begun = Instant::now();
    let mut lines = String::new();
    for number in 0..NEWS {
        lines += if number % 2 == 0 { "link set noise up\n" } else { "link set noise down\n" };
        lines += &format!("addr add 10.1.{}.{}/32 dev noise\n", number / 250, number % 250 + 1);
    }
    machine.ip(&lines);
    machine.ip(&format!("link set {INTERFACE} down"));
    println!("{} news in {:.1?}", 2 * NEWS, begun.elapsed());
    pair.members[OTHER].freeze(false);
    let role = || pair.router(OTHER).map(|router| router["role"].as_str().unwrap_or_default().to_owned());
    until("a Backup that knows its link", SOON, || match role() {
        Some(role) if role == "fault" => Ok(()),
        role => Err(format!("{role:?}")),
    });
    machine.ip(&format!("link set {INTERFACE} up"));
    pair.wait_until_right(RIGHT_MAX);
    // And it still takes over.
    let pinger = pair.ping();
    pair.members[PREFERRED].kill();
    pair.wait_for_holder(OTHER, GONE_MAX);
    assert_gap(&pinger.finish(), GAP_MAX, "a takeover after an overrun");
    assert!(!pair.log(OTHER).contains("a panic"), "{}", pair.log(OTHER));
}

/// Under a flood that does not end, the Master advertises in time and the Backup stays one.
#[test]
fn a_flood_of_news_delays_no_advertisement() {
    let pair = Pair::new();
    let begun = Instant::now();
    let pinger = pair.ping();
    std::thread::scope(|scope| {
        for director in [PREFERRED, OTHER] {
            let machine = &pair.stage.directors[director];
            scope.spawn(move || {
                machine.ip("link add noise type bridge");
                let lines = "link set noise up\nlink set noise down\n".repeat(500);
                while begun.elapsed() < Duration::from_secs(5) {
                    machine.ip(&lines);
                }
            });
        }
    });
    assert_eq!(pair.holders.takings_since(OTHER, begun), 0, "the Backup took over");
    until_true("a Master", SOON, || pair.holders.only_holder() == Some(PREFERRED));
    assert_gap(&pinger.finish(), GAP_MAX, "a flood of news");
}
