//! When the first probe of each target falls: spread by a seed, so that ten thousand targets don't start at once.
//!
//! Those of one moment start together, at a beat: waking up for each alone costs more than the probe does.
//!
//! The offset is a function of the seed and the target alone: adding a server moves no other, and a simulation repeats.
//! The second probe follows after a part of the interval that is spread likewise, and from then on every machine keeps its
//! cadence: so ten thousand targets with an interval of 10 s are a thousand probes a second, and not ten thousand in one.

use crate::hash::{fnv1a, mix};
use crate::model::TargetKey;
use crate::time::Instant;
use std::net::IpAddr;
use std::time::Duration;

/// The first probes fall within this time at most, however long the interval: a director that starts knows its servers
/// soon.
pub const SPREAD: Duration = Duration::from_secs(1);

/// First probes a second, at most: more targets than fit into [`SPREAD`] are spread over a longer time.
const FIRST_A_SECOND: usize = 10_000;

/// From one beat to the next where intervals are long.
pub const BEAT: Duration = Duration::from_millis(32);

/// A beat is this part of an interval at most, so that a start which waits for it hardly shows in the cadence.
const PART_OF_INTERVAL: u32 = 32;

/// The first beat at or after `due`: multiples of a millisecond, two, four, up to [`BEAT`], as an interval allows. So every beat
/// of a long one is a beat of all shorter ones, too. Under an interval of less than 32 ms there is none to wait for.
#[must_use]
pub fn beat(due: Instant, interval: Duration) -> Instant {
    let most = interval.min(BEAT * PART_OF_INTERVAL) / PART_OF_INTERVAL;
    let Some(power) = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).checked_ilog2() else { return due };
    let beat = 1_000_u64 << power;
    Instant::from_micros(due.as_micros().checked_next_multiple_of(beat).unwrap_or(u64::MAX))
}

/// By how much `count` targets stretch the time that their first probes are spread over, where so many may start in a second.
#[must_use]
pub fn stretch(count: usize, per_second: u32) -> u32 {
    let most = usize::try_from(per_second).unwrap_or(usize::MAX).clamp(1, FIRST_A_SECOND);
    u32::try_from(count.div_ceil(most)).unwrap_or(u32::MAX).max(1)
}

/// A number of the target's own, from which all of its spreading follows.
#[must_use]
pub fn seed_of(seed: u64, target: &TargetKey) -> u64 {
    mix(seed ^ digest(target))
}

/// How long after the start the first probe of a target falls: 0 to the smaller of `interval` and [`SPREAD`], that
/// excluded. `seed` is the target's own, here and below ([`seed_of`]).
#[must_use]
pub fn first_probe_after(seed: u64, interval: Duration) -> Duration {
    part_of(interval.min(SPREAD), seed)
}

/// How long after its first probe the second of a target falls: 0 to `interval`, that excluded.
#[must_use]
pub fn second_probe_after(seed: u64, interval: Duration) -> Duration {
    part_of(interval, mix(seed))
}

/// How long after its place in the cadence a probe starts: 0 to `most`, that excluded.
#[must_use]
pub fn jitter(seed: u64, place: Instant, most: Duration) -> Duration {
    part_of(most, mix(seed.rotate_left(32) ^ place.as_micros()))
}

/// The share of `window` that `hash` has in all 64-bit numbers.
fn part_of(window: Duration, hash: u64) -> Duration {
    let window = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
    let share = (u128::from(hash) * u128::from(window)) >> 64;
    Duration::from_micros(u64::try_from(share).unwrap_or(0))
}

/// A hash of everything that tells one target from another.
fn digest(target: &TargetKey) -> u64 {
    let address = match target.address.ip() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let port = target.address.port().to_be_bytes();
    let mark = target.real_path.map(u32::to_be_bytes);
    let bytes = target.check.bytes().chain(address.octets()).chain(port).chain(mark.into_iter().flatten());
    fnv1a(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(number: u16) -> TargetKey {
        let [high, low] = number.to_be_bytes();
        TargetKey { check: "alive".into(), address: ([10, 0, high, low], 80).into(), real_path: None }
    }

    #[test]
    fn a_start_waits_for_a_beat_of_a_thirty_second_of_its_interval_at_most() {
        let beat_ms = |due_us, interval_ms| {
            beat(Instant::from_micros(due_us), Duration::from_millis(interval_ms)).as_micros() / 1_000
        };
        assert_eq!([1, 32_000, 32_001].map(|due| beat_ms(due, 5_000)), [32, 32, 64]);
        assert_eq!(
            [100, 200, 300, 512, 1_024, 3_600_000].map(|interval| beat_ms(32_001, interval)),
            [34, 36, 40, 48, 64, 64]
        );
        assert_eq!([1, 31].map(|interval| beat_ms(16_001, interval)), [16, 16]);
        assert_eq!(beat(Instant::from_micros(16_001), Duration::from_millis(31)).as_micros(), 16_001);
        let latest = Instant::from_micros(u64::MAX);
        assert_eq!(beat(latest, Duration::from_secs(5)), latest);
    }

    #[test]
    fn the_jitter_of_any_target_differs_from_place_to_place() {
        for seed in [0, 1, 7, u64::MAX] {
            let of =
                |place| jitter(seed, Instant::from_micros(place * 1_000_000), Duration::from_millis(100));
            let all: std::collections::BTreeSet<_> = (0..1_000_u64).map(of).collect();
            assert!(all.len() > 900, "{} of 1,000 for {seed}", all.len());
        }
    }

    #[test]
    fn ten_thousand_targets_spread_evenly_over_the_window() {
        for (interval, window_ms) in [(Duration::from_secs(2), 1_000), (Duration::from_millis(100), 100)] {
            let mut tenths = [0_u32; 10];
            for number in 0..10_000 {
                let after = first_probe_after(seed_of(7, &target(number)), interval);
                let tenth = after.as_micros() * 10 / (window_ms * 1_000);
                tenths[usize::try_from(tenth).expect("a tenth")] += 1;
            }
            assert!(tenths.iter().all(|count| (850..1_150).contains(count)), "{tenths:?}");
        }
    }

    #[test]
    fn targets_are_spread_whatever_the_seed_and_each_seed_spreads_them_otherwise() {
        let interval = Duration::from_secs(2);
        let spread = |seed, number| {
            let seed = seed_of(seed, &target(number));
            [first_probe_after, second_probe_after].map(|after| after(seed, interval))
        };
        for seed in [0, 7, u64::MAX] {
            for which in [0, 1] {
                let offsets: std::collections::BTreeSet<_> =
                    (0..100).map(|number| spread(seed, number)[which]).collect();
                assert!(offsets.len() > 90, "{seed}: {} of 100", offsets.len());
            }
        }
        assert_ne!(spread(7, 1)[0], spread(8, 1)[0]);
        assert_ne!(spread(7, 1)[1], spread(8, 1)[1]);
    }

    #[test]
    fn second_probes_spread_over_the_whole_interval() {
        let interval = Duration::from_secs(10);
        let mut tenths = [0_u32; 10];
        for number in 0..10_000 {
            let first = first_probe_after(seed_of(7, &target(number)), interval);
            let second = first + second_probe_after(seed_of(7, &target(number)), interval);
            let tenth = second.as_secs() % 10;
            tenths[usize::try_from(tenth).expect("a tenth")] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1_150).contains(count)), "{tenths:?}");
    }

    #[test]
    fn more_targets_take_longer_and_never_more_than_so_many_start_in_a_second() {
        let of = |per_second| [0, 1, 10_000, 10_001, 50_000].map(|count| stretch(count, per_second));
        assert_eq!(of(20_000), [1, 1, 1, 2, 5]);
        assert_eq!(of(5_000), [1, 1, 2, 3, 10]);
    }

    #[test]
    fn the_offset_depends_on_seed_check_address_and_port_and_on_nothing_else() {
        let second = Duration::from_secs(1);
        let after = |seed, target: &TargetKey| first_probe_after(seed_of(seed, target), second);
        let base = after(7, &target(1));
        assert_eq!(first_probe_after(seed_of(7, &target(1)), second * 60), base);
        assert_ne!(after(8, &target(1)), base);
        assert_ne!(after(7, &target(2)), base);
        let other_check = TargetKey { check: "deep".into(), ..target(1) };
        assert_ne!(after(7, &other_check), base);
        let other_port = TargetKey { address: ([10, 0, 0, 1], 81).into(), ..target(1) };
        assert_ne!(after(7, &other_port), base);
        let other_path = TargetKey { real_path: Some(1), ..target(1) };
        assert_ne!(after(7, &other_path), base);
        assert_eq!(first_probe_after(seed_of(7, &target(1)), Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn jitter_spreads_the_probes_of_one_target_and_is_the_same_each_time() {
        let most = Duration::from_millis(200);
        let seed = seed_of(7, &target(1));
        let at = |number: u64| jitter(seed, Instant::from_millis(number * 2_000), most);
        let offsets: std::collections::BTreeSet<_> = (0..100).map(at).collect();
        assert!(offsets.len() > 90 && offsets.iter().all(|offset| *offset < most), "{offsets:?}");
        assert!(
            offsets.first() < Some(&(most / 10)) && offsets.last() > Some(&(most * 9 / 10)),
            "{offsets:?}"
        );
        assert_eq!(at(1), at(1));
        assert_eq!(jitter(seed, Instant::ZERO, Duration::ZERO), Duration::ZERO);
    }
}
