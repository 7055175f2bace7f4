//! How many connections an address may have, and how often it may come. Pure: time comes in. An IPv6 host has a whole /64 of
//! addresses, so that is what is counted there.
//!
//! A connection is one request. Who comes too often is told so, and of what it asks as much is answered as it may ask; who
//! comes far too often is not let in at all, since an answer (a handshake before it, above all) is what it would cost.

use crate::time::Instant;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Connections at the same time, of all addresses.
const MOST_CONNECTIONS: usize = 256;
/// Those of one address.
pub(crate) const MOST_OF_ONE: usize = 32;
/// An address has this part of the places that are free, and one in any case: a dozen addresses that take what they can leave
/// some for who comes after them.
const PART: usize = 4;
/// Requests of one address: some thirty a second are answered.
const REQUESTS: Pace = Pace { burst: BURST, earns: Duration::from_millis(33) };
/// Requests of one address that may come at once, after a pause.
pub(crate) const BURST: u32 = 60;
/// Connections of one address: of more than a hundred a second none is let in.
const CONNECTIONS: Pace = Pace { burst: 120, earns: Duration::from_millis(10) };
/// What is remembered of those that came too often: so many times the burst. Who floods is let in again some time after it
/// has ended.
const LONGEST_MEMORY: u32 = 2;
/// Addresses that are remembered at most; beyond it the one that has rested longest is forgotten.
const MOST_ADDRESSES: usize = 1024;

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// So often at once, after a pause.
    burst: u32,
    /// In how much time once more may be earned.
    earns: Duration,
}

impl Pace {
    /// How long to wait for once more, where everything is paid for at `paid_at`.
    fn wait(self, paid_at: Instant, now: Instant) -> Duration {
        (paid_at.max(now) + self.earns).saturating_since(now).saturating_sub(self.earns * self.burst)
    }

    /// When everything is paid for after once more.
    fn after(self, paid_at: Instant, now: Instant) -> Instant {
        (paid_at.max(now) + self.earns).min(now + self.earns * self.burst * LONGEST_MEMORY)
    }
}

/// What is known of one address.
#[derive(Clone, Copy, Debug)]
struct Account {
    connections: usize,
    /// When all that it was answered is paid for, by [`REQUESTS`].
    answers_paid_at: Instant,
    /// When each of its connections is paid for, by [`CONNECTIONS`]: those too that were not let in.
    connections_paid_at: Instant,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is closed.
    Closed,
    /// It has a place and is told to come again after so long.
    TooOften(Duration),
    /// It has a place.
    Welcome,
}

/// All addresses that came lately.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    accounts: BTreeMap<IpAddr, Account>,
    connections: usize,
}

impl Throttle {
    /// Whether another connection of `address` is taken. Each that is taken must be given back by [`Self::closed`].
    pub(super) fn opened(&mut self, address: IpAddr, now: Instant) -> Admission {
        let key = key(address);
        let free = MOST_CONNECTIONS - self.connections;
        self.make_room(key, now);
        let new = Account { connections: 0, answers_paid_at: now, connections_paid_at: now };
        let account = self.accounts.entry(key).or_insert(new);
        let floods = !CONNECTIONS.wait(account.connections_paid_at, now).is_zero();
        account.connections_paid_at = CONNECTIONS.after(account.connections_paid_at, now);
        if floods || free == 0 || account.connections >= MOST_OF_ONE.min((free / PART).max(1)) {
            return Admission::Closed;
        }
        account.connections += 1;
        self.connections += 1;
        let wait = REQUESTS.wait(account.answers_paid_at, now);
        if !wait.is_zero() {
            return Admission::TooOften(wait);
        }
        account.answers_paid_at = REQUESTS.after(account.answers_paid_at, now);
        Admission::Welcome
    }

    /// A connection has ended.
    pub(super) fn closed(&mut self, address: IpAddr) {
        if let Some(account) = self.accounts.get_mut(&key(address)) {
            account.connections = account.connections.saturating_sub(1);
        }
        self.connections = self.connections.saturating_sub(1);
    }

    /// Forgets somebody where a new one comes: those with connections are few, and stay.
    fn make_room(&mut self, newcomer: IpAddr, now: Instant) {
        if self.accounts.len() < MOST_ADDRESSES || self.accounts.contains_key(&newcomer) {
            return;
        }
        self.accounts.retain(|_, account| account.connections > 0 || account.rests_at() > now);
        if self.accounts.len() < MOST_ADDRESSES {
            return;
        }
        let idle = self.accounts.iter().filter(|(_, account)| account.connections == 0);
        let rested = idle.min_by_key(|(_, account)| account.rests_at()).map(|(address, _)| *address);
        rested.map(|address| self.accounts.remove(&address));
    }
}

impl Account {
    /// When it is as good as a new one.
    fn rests_at(&self) -> Instant {
        self.answers_paid_at.max(self.connections_paid_at)
    }
}

fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_millis(1_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn client(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    impl Throttle {
        fn takes(&mut self, number: u32, now: Instant) -> bool {
            self.opened(client(number), now) != Admission::Closed
        }

        /// How many of `count` requests, one after the other within a second, were answered, refused and closed.
        fn second(&mut self, count: u32, begin: Instant) -> [u32; 3] {
            let mut came = [0; 3];
            for number in 0..count {
                let place = match self.opened(client(1), begin + SECOND / count * number) {
                    Admission::Welcome => 0,
                    Admission::TooOften(_) => 1,
                    Admission::Closed => 2,
                };
                came[place] += 1;
                if place < 2 {
                    self.closed(client(1));
                }
            }
            came
        }
    }

    #[test]
    fn connections_are_bounded_for_one_address_and_for_all() {
        let mut throttle = Throttle::default();
        let took = (0..100).filter(|_| throttle.takes(1, START)).count();
        assert_eq!(took, MOST_OF_ONE);
        assert!(throttle.takes(2, START), "another address is served");
        throttle.closed(client(1));
        let later = START + SECOND;
        assert!(throttle.takes(1, later) && !throttle.takes(1, later));
        let others = (3..1000).filter(|number| throttle.takes(*number, START)).count();
        assert_eq!(others + MOST_OF_ONE + 1, MOST_CONNECTIONS);
    }

    /// Each of them keeps as many open as it gets.
    #[test]
    fn a_dozen_greedy_addresses_leave_places_for_others() {
        let mut throttle = Throttle::default();
        for number in 0..12 {
            (0..100).filter(|_| throttle.takes(number, START)).count();
        }
        let others = (100..110).filter(|number| throttle.takes(*number, START)).count();
        assert_eq!(others, 10);
    }

    #[test]
    fn requests_of_an_address_come_at_a_rate() {
        let mut throttle = Throttle::default();
        let mut at = |now| {
            let admission = throttle.opened(client(1), now);
            throttle.closed(client(1));
            admission
        };
        let burst = (0..100).filter(|_| at(START) == Admission::Welcome).count();
        assert_eq!(u32::try_from(burst), Ok(BURST));
        let earned = START + REQUESTS.earns;
        assert!(matches!(at(START), Admission::TooOften(wait) if wait <= REQUESTS.earns));
        assert_eq!(at(earned), Admission::Welcome);
        assert!(matches!(at(earned), Admission::TooOften(_)));
        assert_eq!(throttle.opened(client(2), START), Admission::Welcome);
    }

    #[test]
    fn who_is_a_little_too_fast_is_told_so_and_who_floods_is_not_let_in() {
        let mut throttle = Throttle::default();
        throttle.second(90, START);
        let [answered, refused, closed] = throttle.second(90, START + SECOND);
        assert!((28..=32).contains(&answered) && closed == 0, "{answered} {refused} {closed}");
        throttle.second(10_000, START + SECOND * 2);
        assert_eq!(throttle.second(10_000, START + SECOND * 3), [0, 0, 10_000]);
        assert!(!throttle.takes(1, START + SECOND * 5), "it has only just ended");
        assert!(throttle.takes(1, START + SECOND * 6));
    }

    #[test]
    fn a_host_is_its_64_bits_of_ipv6_and_both_forms_of_ipv4() {
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(key(parse("2001:db8::1")), key(parse("2001:db8::ffff:2")));
        assert_ne!(key(parse("2001:db8::1")), key(parse("2001:db8:0:1::1")));
        assert_eq!(key(parse("::ffff:10.0.0.1")), parse("10.0.0.1"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut throttle = Throttle::default();
        for number in 0..10_000 {
            assert!(throttle.takes(number, START));
            throttle.closed(client(number));
        }
        assert!(throttle.accounts.len() <= MOST_ADDRESSES);
    }
}
