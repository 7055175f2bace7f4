//! How many connections and requests an address may have. Pure: time comes in. An IPv6 host has a whole /64 of addresses, so
//! that is what is counted there.

use crate::time::Instant;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Connections at the same time, of all addresses.
pub(super) const MOST_CONNECTIONS: usize = 256;
/// Those of one address.
pub(super) const MOST_OF_ONE: usize = 32;
/// Requests of one address that may come at once, after a pause.
pub(super) const BURST: u32 = 60;
/// In how much time an address earns one more request: some thirty a second.
pub(super) const EARNS: Duration = Duration::from_millis(33);
/// Addresses that are remembered at most; beyond it the one that has rested longest is forgotten.
const MOST_ADDRESSES: usize = 1024;

/// What is known of one address.
#[derive(Clone, Copy, Debug)]
struct Account {
    connections: usize,
    /// When every request that it made is paid for: at most [`BURST`] times [`EARNS`] ahead.
    paid_at: Instant,
}

/// All addresses that asked lately.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    accounts: BTreeMap<IpAddr, Account>,
    connections: usize,
}

impl Throttle {
    /// Whether another connection of `address` is taken. Each that is taken must be given back by [`Self::closed`].
    pub(super) fn opened(&mut self, address: IpAddr, now: Instant) -> bool {
        let key = key(address);
        if self.connections >= MOST_CONNECTIONS {
            return false;
        }
        self.make_room(key, now);
        let account = self.accounts.entry(key).or_insert(Account { connections: 0, paid_at: now });
        if account.connections >= MOST_OF_ONE {
            return false;
        }
        account.connections += 1;
        self.connections += 1;
        true
    }

    /// A connection has ended.
    pub(super) fn closed(&mut self, address: IpAddr) {
        if let Some(account) = self.accounts.get_mut(&key(address)) {
            account.connections = account.connections.saturating_sub(1);
        }
        self.connections = self.connections.saturating_sub(1);
    }

    /// Counts a request of an address that has a connection; when it may ask again, where it asks too much.
    pub(super) fn asks(&mut self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(account) = self.accounts.get_mut(&key(address)) else { return Ok(()) };
        let paid_at = account.paid_at.max(now) + EARNS;
        let ahead = paid_at.saturating_since(now);
        match ahead.checked_sub(EARNS * BURST) {
            Some(late) if !late.is_zero() => Err(late),
            _ => {
                account.paid_at = paid_at;
                Ok(())
            }
        }
    }

    /// Forgets somebody where a new one comes: those with connections are few, and stay.
    fn make_room(&mut self, newcomer: IpAddr, now: Instant) {
        if self.accounts.len() < MOST_ADDRESSES || self.accounts.contains_key(&newcomer) {
            return;
        }
        self.accounts.retain(|_, account| account.connections > 0 || account.paid_at > now);
        if self.accounts.len() < MOST_ADDRESSES {
            return;
        }
        let idle = self.accounts.iter().filter(|(_, account)| account.connections == 0);
        let rested = idle.min_by_key(|(_, account)| account.paid_at).map(|(address, _)| *address);
        rested.map(|address| self.accounts.remove(&address));
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

    fn client(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    #[test]
    fn connections_are_bounded_for_one_address_and_for_all() {
        let mut throttle = Throttle::default();
        let took = (0..1000).filter(|_| throttle.opened(client(1), START)).count();
        assert_eq!(took, MOST_OF_ONE);
        assert!(throttle.opened(client(2), START), "another address is served");
        throttle.closed(client(1));
        assert!(throttle.opened(client(1), START) && !throttle.opened(client(1), START));
        let others = (3..1000).filter(|number| throttle.opened(client(*number), START)).count();
        assert_eq!(others + MOST_OF_ONE + 1, MOST_CONNECTIONS);
    }

    #[test]
    fn requests_of_an_address_come_at_a_rate() {
        let mut throttle = Throttle::default();
        throttle.opened(client(1), START);
        let burst = (0..200).filter(|_| throttle.asks(client(1), START).is_ok()).count();
        assert_eq!(u32::try_from(burst), Ok(BURST));
        assert!(throttle.asks(client(1), START).expect_err("too much") <= EARNS);
        assert!(throttle.asks(client(1), START + EARNS).is_ok());
        assert!(throttle.asks(client(1), START + EARNS).is_err());
        throttle.opened(client(2), START);
        assert!(throttle.asks(client(2), START).is_ok());
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
            assert!(throttle.opened(client(number), START));
            throttle.asks(client(number), START).expect("the first");
            throttle.closed(client(number));
        }
        assert!(throttle.accounts.len() <= MOST_ADDRESSES);
    }
}
