//! Panic: so few servers are left that the checks, or the way to the servers, are doubted rather than the servers.

use crate::model::Panic;
use crate::time::Instant;
use std::time::Duration;

/// What a panic looks at: one entry a server that shall serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Episode {
    pub(super) up: bool,
    /// Whether probes stand behind the verdict, or it was taken over.
    pub(super) known: bool,
    /// When it went down; `None`: it is up, or has not been up since the start.
    pub(super) down_since: Option<Instant>,
}

impl Episode {
    /// Whether it went down at `since` or later.
    fn fell_since(self, since: Instant) -> bool {
        self.down_since.is_some_and(|at| at >= since)
    }
}

/// With `within`, so many servers must have failed together: the last server's death alone is a failure like any other.
const FEWEST_TOGETHER: usize = 2;

/// Whether a pool is in a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panicking {
    rules: Panic,
    since: Option<Instant>,
}

impl Panicking {
    pub(super) const fn new(rules: Panic) -> Self {
        Self { rules, since: None }
    }

    /// The same panic by other rules.
    pub(super) const fn by(self, rules: Panic) -> Self {
        Self { rules, since: self.since }
    }

    /// The same as it began elsewhere.
    pub(super) const fn from(self, since: Option<Instant>) -> Self {
        Self { rules: self.rules, since }
    }

    /// What it decides by.
    pub(super) const fn rules(&self) -> Panic {
        self.rules
    }

    /// When it began; `None` while there is none.
    pub(super) const fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Takes in how the servers are at `at`.
    pub(super) fn look(&mut self, at: Instant, servers: &[Episode]) {
        let up = servers.iter().filter(|server| server.up).count();
        match self.since {
            Some(_) if !self.rules.recover.is_above(up, servers.len()) => self.since = None,
            None if self.begins(at, up, servers) => self.since = Some(at),
            Some(_) | None => {}
        }
    }

    fn begins(&self, at: Instant, up: usize, servers: &[Episode]) -> bool {
        let of = match self.rules.within {
            None => servers.len(),
            Some(within) => match fallen(servers, at - within) {
                together if together >= FEWEST_TOGETHER => up + together,
                _ => return false,
            },
        };
        servers.iter().all(|server| server.known) && self.rules.below.is_above(up, of)
    }

    /// Whether a server belongs to those that served before the failures that led here: it is up, or went down shortly
    /// before the panic, or in it. `window`: how long failures of one cause take to show, where the policy does not say it.
    pub(super) fn keeps(&self, server: Episode, window: Duration) -> bool {
        let window = self.rules.within.unwrap_or(window);
        server.up || self.since.is_some_and(|since| server.fell_since(since - window))
    }
}

fn fallen(servers: &[Episode], since: Instant) -> usize {
    servers.iter().filter(|server| server.fell_since(since)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PanicAction, Percent};

    const WITHIN: Duration = Duration::from_secs(10);
    const UP: Episode = Episode { up: true, known: true, down_since: None };

    fn fell(at: u64) -> Episode {
        Episode { up: false, known: true, down_since: Some(Instant::from_millis(at * 1000)) }
    }

    fn panicking(within: Option<Duration>) -> Panicking {
        let share = |percent| Percent::new(percent).expect("a share");
        let (below, recover) = (share(50), share(75));
        Panicking::new(Panic { below, recover, within, action: PanicAction::KeepLast, shadow: false })
    }

    fn begins(within: Option<Duration>, now: u64, servers: &[Episode]) -> bool {
        let mut panicking = panicking(within);
        panicking.look(Instant::from_millis(now * 1000), servers);
        panicking.since().is_some()
    }

    #[test]
    fn it_begins_below_one_share_and_ends_at_another() {
        let mut panicking = panicking(None);
        let mut after = |up: usize| {
            let servers: Vec<_> = (0..4).map(|place| if place < up { UP } else { fell(1) }).collect();
            panicking.look(Instant::from_millis(2_000), &servers);
            panicking.since().is_some()
        };
        assert_eq!([4, 2, 1, 2, 3, 2].map(&mut after), [false, false, true, true, false, false]);
    }

    #[test]
    fn it_waits_for_every_first_verdict() {
        let unknown = Episode { up: false, known: false, down_since: None };
        assert!(!begins(None, 1, &[fell(0), fell(0), unknown]));
        assert!(begins(None, 1, &[fell(0), fell(0), fell(0)]));
    }

    #[test]
    fn failures_that_are_far_apart_are_believed() {
        assert!(begins(Some(WITHIN), 100, &[fell(95), fell(99), fell(100), UP]));
        assert!(!begins(Some(WITHIN), 100, &[fell(10), fell(40), fell(99), UP]), "one an age");
        assert!(!begins(Some(WITHIN), 100, &[fell(10), fell(100)]), "the last one's death is no wonder");
        assert!(begins(None, 100, &[fell(10), fell(40), fell(99), UP]));
    }

    #[test]
    fn those_are_kept_that_served_before() {
        let mut panicking = panicking(None);
        let now = Instant::from_millis(100_000);
        panicking.look(now, &[fell(100), fell(99), fell(10), UP]);
        let kept = |server| panicking.keeps(server, Duration::from_secs(5));
        assert!(kept(fell(100)) && kept(fell(95)) && kept(UP));
        assert!(!kept(fell(94)), "it had failed long before");
        assert!(kept(fell(120)), "what fails in a panic is kept too");
        assert!(!kept(Episode { down_since: None, ..fell(0) }), "it never served");
    }
}
