//! Beats as bytes: what directors tell each other beside VRRP, in one small datagram. The peer key seals it, where the policy
//! has one: without, a beat can postpone a takeover for a bounded time and ask for state, nothing else.
//!
//! All numbers are in network byte order: magic 4, format 1, length of the director's name 1, the name, epoch 8, sequence 8,
//! interval in milliseconds 4, request 4, served request 4, the run of another director that is refused 8, the higher one
//! that was accepted 8 (both 0: none is), count of units 1, then for each: FNV-1a of its name 8, role 1, fit 1, reach 1,
//! priority 1. Behind it the trailer of [`super::authentication`].

use super::authentication::{Keys, Mark, Marks, Refusal, Stale, TRAILER_LENGTH, open, seal};
use super::election::{Beat, UnitBeat};
use super::fitness::Reach;
use super::role::Role;
use super::transfer::Said;
use crate::model::DirectorName;
use std::time::Duration;

/// Bytes of a beat at most: 255 units and the longest name.
pub const MOST_BYTES: usize = 4096;
const MAGIC: [u8; 4] = *b"TNDB";
const FORMAT: u8 = 2;
/// What the HMAC covers beside the bytes: no other datagram's trailer fits.
const USE: &[u8] = b"tandem beat 1";
/// Directors whose newest beat is remembered.
const DIRECTORS: usize = 16;
const UNIT_BYTES: usize = 12;

/// Why a beat is not believed; the name is the metric's `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadBeat {
    Malformed,
    Refused(Refusal),
    /// The policy has no such director, or it is this one.
    UnknownDirector,
}

impl BadBeat {
    /// The word in the metric.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Refused(refusal) => refusal.name(),
            Self::UnknownDirector => "unknown_director",
        }
    }
}

/// Writes and reads beats.
#[derive(Debug)]
pub struct Beats {
    keys: Option<Keys>,
    newest: Marks<DirectorName>,
}

impl Beats {
    #[must_use]
    pub fn new(keys: Option<Keys>) -> Self {
        Self { keys, newest: Marks::new(DIRECTORS) }
    }

    /// The keys of another policy; what was accepted stays known.
    pub fn take_keys(&mut self, fresh: Self) {
        self.keys = fresh.keys;
    }

    /// Whether what is read proves that it comes from a director: there is a key.
    #[must_use]
    pub fn are_sealed(&self) -> bool {
        self.keys.is_some()
    }

    /// The datagram of a beat.
    #[must_use]
    pub fn encode(&self, beat: &Beat) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + beat.units.len() * UNIT_BYTES + TRAILER_LENGTH);
        let name = &beat.director.as_bytes()[..beat.director.len().min(usize::from(u8::MAX))];
        let milliseconds = u32::try_from(beat.interval.as_millis()).unwrap_or(u32::MAX);
        let units = &beat.units[..beat.units.len().min(usize::from(u8::MAX))];
        bytes.extend(MAGIC);
        bytes.extend([FORMAT, u8::try_from(name.len()).unwrap_or(u8::MAX)]);
        bytes.extend(name);
        bytes.extend(beat.epoch.to_be_bytes());
        bytes.extend(beat.sequence.to_be_bytes());
        for number in [milliseconds, beat.said.wants, beat.said.passed] {
            bytes.extend(number.to_be_bytes());
        }
        let stale = beat.stale.map_or([0, 0], |stale| [stale.run, stale.known]);
        stale.into_iter().for_each(|number| bytes.extend(number.to_be_bytes()));
        bytes.push(u8::try_from(units.len()).unwrap_or(u8::MAX));
        for unit in units {
            bytes.extend(unit.name.to_be_bytes());
            bytes.extend([unit.role as u8, u8::from(unit.is_fit), unit.reach as u8, unit.priority]);
        }
        if let Some(keys) = &self.keys {
            let mark = Mark { epoch: beat.epoch, counter: beat.sequence };
            let trailer = seal(keys.first(), &[USE], &bytes, mark);
            bytes.extend(trailer);
        }
        bytes
    }

    /// Reads a datagram. With a key it must be sealed, and newer than what was read from that director or as new: the same
    /// beat travels on several paths.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Beat, BadBeat> {
        let (message, trailer) = match &self.keys {
            Some(_) => bytes.split_at(bytes.len().saturating_sub(TRAILER_LENGTH)),
            None => (bytes, &[][..]),
        };
        let beat = read(message).ok_or(BadBeat::Malformed)?;
        if let Some(keys) = &self.keys {
            let opened = open(keys, &[USE], message, trailer).map_err(BadBeat::Refused)?;
            if opened.mark != (Mark { epoch: beat.epoch, counter: beat.sequence }) {
                return Err(BadBeat::Malformed);
            }
            match self.newest.accept(beat.director.clone(), opened.mark) {
                Ok(()) => {}
                Err(Refusal::Replayed) if self.is_newest(&beat.director, opened.mark) => {}
                Err(refusal) => return Err(BadBeat::Refused(refusal)),
            }
        }
        Ok(beat)
    }

    /// Nothing that is older is believed of this director: another process has heard it.
    pub fn remember(&mut self, director: DirectorName, mark: Mark) {
        self.newest.remember(director, mark);
    }

    /// The last beat that was refused for its run since this was asked.
    pub fn take_stale(&mut self) -> Option<Stale> {
        self.newest.take_stale()
    }

    fn is_newest(&self, director: &DirectorName, mark: Mark) -> bool {
        self.newest.iter().any(|(known, newest)| known == director && newest == mark)
    }
}

/// The fields, in their order; `None` where bytes are missing, left over or not legal.
fn read(bytes: &[u8]) -> Option<Beat> {
    let mut rest = Rest(bytes);
    (rest.take::<4>()? == MAGIC && rest.byte()? == FORMAT).then_some(())?;
    let length = usize::from(rest.byte()?);
    let name = std::str::from_utf8(rest.slice(length)?).ok()?;
    let (epoch, sequence) = (u64::from_be_bytes(rest.take()?), u64::from_be_bytes(rest.take()?));
    let interval = Duration::from_millis(u64::from(u32::from_be_bytes(rest.take()?)));
    let said = Said { wants: u32::from_be_bytes(rest.take()?), passed: u32::from_be_bytes(rest.take()?) };
    let [run, known] = [u64::from_be_bytes(rest.take()?), u64::from_be_bytes(rest.take()?)];
    let stale = (run != 0 || known != 0).then_some(Stale { run, known });
    let count = rest.byte()?;
    let units = (0..count).map(|_| unit(&mut rest)).collect::<Option<Vec<UnitBeat>>>()?;
    rest.0.is_empty().then(|| Beat { director: name.into(), epoch, sequence, interval, said, stale, units })
}

fn unit(rest: &mut Rest<'_>) -> Option<UnitBeat> {
    let name = u64::from_be_bytes(rest.take()?);
    let [role, is_fit, reach, priority] = rest.take()?;
    let role = Role::ALL.into_iter().find(|known| *known as u8 == role)?;
    let reach =
        [Reach::Untracked, Reach::Reached, Reach::Lost].into_iter().find(|known| *known as u8 == reach)?;
    Some(UnitBeat { name, role, is_fit: is_fit != 0, reach, priority })
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.slice(LENGTH)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }
}

#[cfg(test)]
mod tests {
    use super::super::authentication::Key;
    use super::*;
    use proptest::prelude::*;

    fn beat(sequence: u64) -> Beat {
        let unit = UnitBeat { name: 7, role: Role::Master, is_fit: true, reach: Reach::Lost, priority: 200 };
        Beat {
            director: "lb-a".into(),
            epoch: 3,
            sequence,
            interval: Duration::from_millis(100),
            said: Said { wants: 5, passed: 0 },
            stale: Some(Stale { run: 3, known: 9 }),
            units: vec![unit, UnitBeat { name: 8, role: Role::Fault, is_fit: false, ..unit }],
        }
    }

    fn keyed(secret: u8) -> Beats {
        Beats::new(Some(Keys::new(vec![Key::new(1, &[secret; 32]).expect("a key")]).expect("keys")))
    }

    #[test]
    fn a_beat_comes_back_as_it_was_with_and_without_a_key() {
        for mut beats in [Beats::new(None), keyed(1)] {
            let bytes = beats.encode(&beat(9));
            assert_eq!(beats.decode(&bytes), Ok(beat(9)));
        }
    }

    #[test]
    fn with_a_key_an_unsealed_a_foreign_and_an_older_beat_are_refused_and_the_newest_may_come_twice() {
        let mut beats = keyed(1);
        assert!(beats.decode(&Beats::new(None).encode(&beat(1))).is_err());
        assert_eq!(beats.decode(&keyed(2).encode(&beat(1))), Err(BadBeat::Refused(Refusal::BadMac)));
        let (old, new) = (beats.encode(&beat(1)), beats.encode(&beat(2)));
        assert!(beats.decode(&new).is_ok() && beats.decode(&new).is_ok());
        assert_eq!(beats.decode(&old), Err(BadBeat::Refused(Refusal::Replayed)));
    }

    #[test]
    fn with_other_keys_and_in_another_process_nothing_older_is_believed() {
        let mut beats = keyed(1);
        let (old, new) = (beats.encode(&beat(1)), beats.encode(&beat(2)));
        beats.decode(&new).expect("it is the newest");

        let mut successor = keyed(1);
        successor.remember("lb-a".into(), Mark { epoch: 3, counter: 2 });
        assert_eq!(successor.decode(&old), Err(BadBeat::Refused(Refusal::Replayed)));
        assert_eq!(successor.decode(&new), Ok(beat(2)));

        beats.take_keys(keyed(2));
        assert_eq!(beats.decode(&new), Err(BadBeat::Refused(Refusal::BadMac)));
        assert_eq!(beats.decode(&keyed(2).encode(&beat(1))), Err(BadBeat::Refused(Refusal::Replayed)));
        assert_eq!(beats.decode(&keyed(2).encode(&beat(3))), Ok(beat(3)));
    }

    #[test]
    fn another_magic_another_format_and_bytes_that_are_missing_or_left_over_are_malformed() {
        let good = Beats::new(None).encode(&beat(1));
        let malformed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            Beats::new(None).decode(&bytes) == Err(BadBeat::Malformed)
        };
        assert!(!malformed(&|_| ()));
        assert!(malformed(&|bytes| bytes[0] = b'X'));
        assert!(malformed(&|bytes| bytes[4] = 1));
        assert!(malformed(&|bytes| bytes.push(0)));
        assert!(malformed(&|bytes| bytes.truncate(bytes.len() - 1)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Beats::new(None).decode(&bytes);
            let _ = keyed(1).decode(&bytes);
        }

        #[test]
        fn a_changed_byte_of_a_sealed_beat_is_refused(place in 0_usize..100, change in 1_u8..) {
            let mut bytes = keyed(1).encode(&beat(1));
            let place = place % bytes.len();
            bytes[place] ^= change;
            // The trailer's two reserved bytes are part of what is sealed, too.
            prop_assert!(keyed(1).decode(&bytes).is_err());
        }
    }
}
