//! Signs of life of the director's other threads, which a Master cannot do without (shell).

use super::Driver;
use crate::advert::thread::Notice;
use crate::stillness::Stillness;
use crate::time::Instant;
use crate::vrrp::election::Part;
use crate::vrrp::station::Input;
use std::time::Duration;

/// An address thread without a sign of life for so long stands still: soon the kernel takes the addresses away.
const KEEPER_SILENT: Duration = Duration::from_secs(2);
/// The loop of the pools wakes twice a second; on a busy machine a turn of a large site takes seconds.
const POOLS_SILENT: Duration = Duration::from_secs(5);

/// What tells, and what it told last.
pub(super) struct Signs {
    keeper_pulse: Box<dyn Fn() -> Instant + Send>,
    keeper_stands: bool,
    pools_turns: Box<dyn Fn() -> u64 + Send>,
    pools: Stillness,
    pools_stand: bool,
}

impl Signs {
    pub(super) fn new(
        keeper_pulse: Box<dyn Fn() -> Instant + Send>,
        pools_turns: Box<dyn Fn() -> u64 + Send>,
    ) -> Self {
        Self {
            keeper_pulse,
            keeper_stands: false,
            pools_turns,
            pools: Stillness::default(),
            pools_stand: false,
        }
    }
}

impl Driver {
    pub(super) fn look_for_signs(&mut self, at: Instant) {
        self.look_at_keeper(at);
        self.look_at_pools(at);
    }

    /// A Master whose address thread hangs would go on advertising without its addresses.
    fn look_at_keeper(&mut self, at: Instant) {
        let silent_for = at.saturating_since((self.signs.keeper_pulse)());
        let still = silent_for > KEEPER_SILENT;
        if std::mem::replace(&mut self.signs.keeper_stands, still) == still {
            return;
        }
        self.station.handle(Input::Stands { at, part: Part::Addresses, still });
        self.notice(Notice::Trouble(match still {
            true => format!(
                "the address thread has given no sign of life for {silent_for:?}: this director is unfit until it does; \
                 look for a program that holds the kernel's network lock, and restart the director if this lasts"
            ),
            false => "the address thread is alive again".to_owned(),
        }));
    }

    /// A Master whose pools hang would go on leading clients to servers that are no more. Its log is the pools' own: what
    /// there is to tell stands in the reason of the role.
    fn look_at_pools(&mut self, at: Instant) {
        let silent_for = self.signs.pools.look((self.signs.pools_turns)(), at);
        let still = silent_for > POOLS_SILENT;
        if std::mem::replace(&mut self.signs.pools_stand, still) != still {
            self.station.handle(Input::Stands { at, part: Part::Pools, still });
        }
    }
}
