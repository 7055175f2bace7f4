//! `tandem top` without its terminal: what was seen, what is selected, and what a key does. Pure.

use super::seen::{History, Rates, Seen};
use crate::control::{PoolStatus, ServerStatus, Status};
use crate::time::Instant;
use std::cmp::Reverse;

/// Letters of a filter.
const LONGEST_FILTER: usize = 64;
/// Rows that a page has, whatever the terminal's height.
const PAGE: usize = 10;

/// A key, as far as it means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Letter(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Tab,
    Enter,
    Escape,
    Backspace,
    /// Control and C.
    Interrupt,
}

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// Those that are down, then those with the least share of servers up.
    #[default]
    Worst,
    Name,
    Connections,
    Bytes,
}

impl Sort {
    const fn next(self) -> Self {
        match self {
            Self::Worst => Self::Name,
            Self::Name => Self::Connections,
            Self::Connections => Self::Bytes,
            Self::Bytes => Self::Worst,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Worst => "worst first",
            Self::Name => "name",
            Self::Connections => "connections/s",
            Self::Bytes => "bytes/s",
        }
    }
}

/// Which list the arrows move in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Focus {
    #[default]
    Pools,
    Servers,
}

/// Everything that is shown.
#[derive(Debug, Default)]
pub(super) struct Top {
    pub(super) seen: Option<Seen>,
    /// When it came.
    seen_at: Instant,
    pub(super) now: Instant,
    pub(super) history: History,
    /// Why the last poll brought nothing.
    pub(super) trouble: Option<String>,
    pub(super) paused: bool,
    pub(super) sort: Sort,
    pub(super) reversed: bool,
    pub(super) filter: String,
    /// Whether letters go into the filter.
    pub(super) filtering: bool,
    pub(super) help: bool,
    pub(super) focus: Focus,
    /// A pool by its name: it stays selected wherever the order takes it.
    selected: Option<String>,
    selected_server: usize,
    pub(super) ended: bool,
}

impl Top {
    /// A poll has ended.
    pub(super) fn polled(&mut self, polled: Result<Seen, String>, now: Instant) {
        self.now = now;
        match polled {
            Err(trouble) => self.trouble = Some(trouble),
            Ok(seen) => {
                self.trouble = None;
                self.history.take(&seen.status);
                if !self.paused || self.seen.is_none() {
                    (self.seen, self.seen_at) = (Some(seen), now);
                }
            }
        }
    }

    /// How old that is what is shown, in milliseconds: since it came, and as old as it was then.
    pub(super) fn age_ms(&self) -> u64 {
        let since = self.now.saturating_since(self.seen_at).as_millis();
        let then = self.seen.as_ref().map_or(0, |seen| seen.status.age_ms);
        u64::try_from(since).unwrap_or(u64::MAX).saturating_add(then)
    }

    pub(super) fn status(&self) -> Option<&Status> {
        self.seen.as_ref().map(|seen| &seen.status)
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, key: Key) {
        match key {
            Key::Interrupt => self.ended = true,
            _ if self.filtering => self.filter_key(key),
            _ if self.help => self.help = false,
            Key::Letter(letter) => self.letter(letter),
            Key::Up => self.go(|place, _| place.saturating_sub(1)),
            Key::Down => self.go(|place, _| place + 1),
            Key::PageUp => self.go(|place, _| place.saturating_sub(PAGE)),
            Key::PageDown => self.go(|place, _| place + PAGE),
            Key::Home => self.go(|_, _| 0),
            Key::End => self.go(|_, last| last),
            Key::Tab | Key::Enter => {
                self.focus = match self.focus {
                    Focus::Pools => Focus::Servers,
                    Focus::Servers => Focus::Pools,
                };
            }
            Key::Escape => {
                self.filter.clear();
                self.focus = Focus::Pools;
            }
            Key::Backspace => {}
        }
    }

    fn letter(&mut self, letter: char) {
        match letter {
            'q' => self.ended = true,
            '?' | 'h' => self.help = true,
            '/' => self.filtering = true,
            's' => self.sort = self.sort.next(),
            'r' => self.reversed = !self.reversed,
            'p' | ' ' => self.paused = !self.paused,
            'k' => self.key(Key::Up),
            'j' => self.key(Key::Down),
            'g' => self.key(Key::Home),
            'G' => self.key(Key::End),
            _ => {}
        }
    }

    fn filter_key(&mut self, key: Key) {
        match key {
            Key::Letter(letter) if self.filter.chars().count() < LONGEST_FILTER => self.filter.push(letter),
            Key::Backspace => drop(self.filter.pop()),
            Key::Enter => self.filtering = false,
            Key::Escape => {
                self.filter.clear();
                self.filtering = false;
            }
            Key::Letter(_)
            | Key::Up
            | Key::Down
            | Key::PageUp
            | Key::PageDown
            | Key::Home
            | Key::End
            | Key::Tab
            | Key::Interrupt => {}
        }
    }

    fn go(&mut self, to: impl Fn(usize, usize) -> usize) {
        match self.focus {
            Focus::Pools => {
                let pools = self.pools();
                let last = pools.len().saturating_sub(1);
                let place = to(self.selected_pool().unwrap_or_default(), last).min(last);
                self.selected = pools.get(place).map(|pool| pool.name.clone());
                self.selected_server = 0;
            }
            Focus::Servers => {
                let last = self.servers().len().saturating_sub(1);
                self.selected_server = to(self.selected_server.min(last), last).min(last);
            }
        }
    }

    /// The pools that the filter lets through, in their order. A pool stays for a server's sake, too.
    pub(super) fn pools(&self) -> Vec<&PoolStatus> {
        let wanted = |pool: &&PoolStatus| {
            self.passes(&pool.name) || pool.real_servers.iter().any(|server| self.passes(&server.name))
        };
        let mut pools: Vec<&PoolStatus> =
            self.status().into_iter().flat_map(|status| &status.pools).filter(wanted).collect();
        let rates = |pool: &PoolStatus| self.history.rates(&pool.name, None).unwrap_or_default();
        let share = |pool: &PoolStatus| pool.servers_up.saturating_mul(1_000_000) / pool.servers.max(1);
        match self.sort {
            Sort::Worst => pools.sort_by_key(|pool| (pool.up, share(pool), pool.name.clone())),
            Sort::Name => pools.sort_by_key(|pool| pool.name.clone()),
            Sort::Connections | Sort::Bytes => {
                pools.sort_by_key(|pool| (Reverse(self.weigh(rates(pool))), pool.name.clone()));
            }
        }
        if self.reversed {
            pools.reverse();
        }
        pools
    }

    /// The servers of the selected pool. Where the filter names some of them, only those.
    pub(super) fn servers(&self) -> Vec<&ServerStatus> {
        let Some(pool) = self.pool() else { return Vec::new() };
        let named: Vec<&ServerStatus> =
            pool.real_servers.iter().filter(|server| self.passes(&server.name)).collect();
        let mut servers = if named.is_empty() { pool.real_servers.iter().collect() } else { named };
        let rates =
            |server: &ServerStatus| self.history.rates(&pool.name, Some(&server.name)).unwrap_or_default();
        match self.sort {
            Sort::Worst => servers.sort_by_key(|server| (server.up, server.in_rotation, server.name.clone())),
            Sort::Name => servers.sort_by_key(|server| server.name.clone()),
            Sort::Connections | Sort::Bytes => {
                servers.sort_by_key(|server| (Reverse(self.weigh(rates(server))), server.name.clone()));
            }
        }
        if self.reversed {
            servers.reverse();
        }
        servers
    }

    /// A rate as a number that can be sorted by: in thousandths.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are not negative, and one that is too large is the largest"
    )]
    fn weigh(&self, rates: Rates) -> u64 {
        let rate = match self.sort {
            Sort::Bytes => rates.incoming_bytes + rates.outgoing_bytes,
            Sort::Worst | Sort::Name | Sort::Connections => rates.connections,
        };
        (rate * 1_000.0) as u64
    }

    fn passes(&self, name: &str) -> bool {
        self.filter.is_empty() || name.to_lowercase().contains(&self.filter.to_lowercase())
    }

    /// The place of the selected pool among [`Self::pools`]: the first, where it is gone.
    pub(super) fn selected_pool(&self) -> Option<usize> {
        let pools = self.pools();
        let selected = self.selected.as_ref();
        let found = pools.iter().position(|pool| Some(&pool.name) == selected);
        found.or((!pools.is_empty()).then_some(0))
    }

    /// The selected pool.
    pub(super) fn pool(&self) -> Option<&PoolStatus> {
        self.pools().get(self.selected_pool()?).copied()
    }

    /// The place of the selected server among [`Self::servers`].
    pub(super) fn selected_server(&self) -> Option<usize> {
        let last = self.servers().len().checked_sub(1)?;
        (self.focus == Focus::Servers).then(|| self.selected_server.min(last))
    }
}
