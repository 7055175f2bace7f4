//! What goes wrong, and when: each fault is one or several acts, of which the last one puts it right again.

use crate::random::Random;
use std::time::Duration;

/// The first fault, and the last moment at which one begins, µs.
const FIRST: u64 = 500_000;
const LAST: u64 = 24_000_000;
/// No fault lasts longer, µs.
const LONGEST: u64 = 7_000_000;

/// Every kind of fault, as it is counted.
pub const KINDS: [&str; 22] = [
    "loss",
    "duplicates",
    "delay and reordering",
    "one-way partition",
    "full partition",
    "partition of every link",
    "link down",
    "heartbeat path lost",
    "stall of the advert thread",
    "stall of the process",
    "pause of the machine, packets queued",
    "pause of the machine, packets lost",
    "kill",
    "stop and start",
    "reload",
    "clock step",
    "release and clear",
    "tracker of one director",
    "tracker of all directors",
    "pool dies for all",
    "pool dies for all, nothing else",
    "split brain, one without gateway",
];

/// How a director stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Still {
    /// Its advert thread only.
    Thread,
    /// All its threads; the kernel goes on.
    Process,
    /// The machine, with its clock; whether what is sent to it waits for it.
    Machine { queued: bool },
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Loss {
        link: usize,
        permille: u64,
    },
    Duplicates {
        link: usize,
        permille: u64,
    },
    /// So many packets in a thousand are late by up to so long, µs.
    Late {
        link: usize,
        permille: u64,
        by: u64,
    },
    Cut {
        link: usize,
        from: usize,
        to: usize,
        cut: bool,
    },
    Link {
        host: usize,
        link: usize,
        up: bool,
    },
    /// The heartbeat path of a director.
    Path {
        host: usize,
        up: bool,
    },
    Still {
        host: usize,
        how: Still,
        lasts: u64,
    },
    Kill {
        host: usize,
    },
    Start {
        host: usize,
    },
    Stop {
        host: usize,
    },
    Reload {
        host: usize,
    },
    ClockStep {
        host: usize,
    },
    /// Something tracked (a place in [`crate::draw::tracked`]).
    Tracked {
        host: usize,
        what: usize,
        good: bool,
    },
    Release {
        host: usize,
        lasts: Option<u64>,
    },
    Clear {
        host: usize,
    },
    /// Nothing is wrong any more.
    Healed,
}

impl Act {
    pub fn lasts(&self) -> u64 {
        match self {
            Self::Still { lasts, .. } => *lasts,
            Self::Release { lasts, .. } => lasts.unwrap_or_default(),
            _ => 0,
        }
    }

    /// Whether it can leave an address without a director that answers for it, however well they do.
    pub fn is_unplanned(&self) -> bool {
        match self {
            Self::Loss { .. }
            | Self::Late { .. }
            | Self::Cut { .. }
            | Self::Link { .. }
            | Self::Still { .. }
            | Self::Healed
            | Self::Kill { .. } => true,
            Self::Duplicates { .. }
            | Self::Path { .. }
            | Self::Start { .. }
            | Self::Stop { .. }
            | Self::Reload { .. }
            | Self::ClockStep { .. }
            | Self::Tracked { .. }
            | Self::Release { .. }
            | Self::Clear { .. } => false,
        }
    }
}

/// What a world is about: many faults at once test survival, few test what is promised without any.
#[derive(Clone, Copy)]
enum Theme {
    Everything,
    Planned,
    Pools,
    SplitBrain,
    Last,
}

/// `last`: a world of its own kind, apart from the drawing of kinds, so that all others mean what they meant.
pub fn draw(
    random: &mut Random,
    last: bool,
    hosts: usize,
    links: usize,
    interval: Duration,
) -> (Vec<(u64, Act)>, Vec<&'static str>, bool) {
    let theme = match random.below(100) {
        _ if last => Theme::Last,
        0..60 => Theme::Everything,
        60..82 => Theme::Planned,
        82..90 => Theme::Pools,
        _ => Theme::SplitBrain,
    };
    let mut drawing = Drawing { random, hosts, links, interval, acts: Vec::new(), kinds: Vec::new() };
    match theme {
        Theme::Everything => drawing.several(|random| random.below(20)),
        Theme::Planned => drawing.several(|random| random.between(13, 19)),
        Theme::Pools => drawing.pools_only(),
        Theme::SplitBrain => drawing.split_brain(),
        Theme::Last => drawing.last_one(),
    }
    let mut last = drawing.acts.iter().map(|(at, act)| at + act.lasts()).max().unwrap_or_default();
    if matches!(theme, Theme::Everything | Theme::SplitBrain | Theme::Last) {
        last += 100_000;
        drawing.acts.push((last, Act::Healed));
    }
    for host in 0..hosts {
        drawing.acts.push((last, Act::Start { host }));
        if drawing.random.chance(700) {
            drawing.acts.push((last, Act::Clear { host }));
            (0..3).for_each(|what| drawing.acts.push((last, Act::Tracked { host, what, good: true })));
        }
    }
    drawing.acts.sort_by_key(|(at, _)| *at);
    (drawing.acts, drawing.kinds, matches!(theme, Theme::Pools))
}

struct Drawing<'a> {
    random: &'a mut Random,
    hosts: usize,
    links: usize,
    interval: Duration,
    acts: Vec<(u64, Act)>,
    kinds: Vec<&'static str>,
}

impl Drawing<'_> {
    fn several(&mut self, kind: impl Fn(&mut Random) -> u64) {
        // A first calm, so that there is something to disturb.
        let first = if self.random.chance(700) { FIRST + 8_000_000 } else { FIRST };
        for _ in 0..self.random.between(1, 6) {
            let at = self.random.between(first, LAST);
            let kind = kind(self.random);
            self.fault(at, kind);
        }
    }

    fn push(&mut self, at: u64, act: Act) {
        self.acts.push((at, act));
    }

    fn length(&mut self) -> u64 {
        match self.random.below(3) {
            0 => self.random.between(1_000, 400_000),
            1 => self.random.between(100_000, 2_000_000),
            _ => self.random.between(1_000_000, LONGEST),
        }
    }

    fn fault(&mut self, at: u64, kind: u64) {
        let host = self.random.index(self.hosts);
        let other = (host + 1 + self.random.index(self.hosts - 1)) % self.hosts;
        let link = self.random.index(self.links);
        let end = at + self.length();
        let name = match kind {
            0 => {
                let permille = self.random.between(50, 700);
                self.push(at, Act::Loss { link, permille });
                self.push(end, Act::Loss { link, permille: 0 });
                "loss"
            }
            1 => {
                let permille = self.random_permille();
                self.push(at, Act::Duplicates { link, permille });
                self.push(end, Act::Duplicates { link, permille: 0 });
                "duplicates"
            }
            2 => {
                let by =
                    self.random.between(1_000, 3_000 * u64::from(self.interval.subsec_millis().max(100)));
                let permille = self.random_permille();
                self.push(at, Act::Late { link, permille, by });
                self.push(end, Act::Late { link, permille: 0, by: 0 });
                "delay and reordering"
            }
            3 => {
                self.push(at, Act::Cut { link, from: host, to: other, cut: true });
                self.push(end, Act::Cut { link, from: host, to: other, cut: false });
                "one-way partition"
            }
            4 => {
                self.part(at, end, host, link);
                "full partition"
            }
            5 => {
                (0..self.links).for_each(|link| self.part(at, end, host, link));
                if self.random.chance(500) {
                    self.push(at, Act::Path { host, up: false });
                    self.push(end, Act::Path { host, up: true });
                }
                "partition of every link"
            }
            6 => {
                self.push(at, Act::Link { host, link, up: false });
                self.push(end, Act::Link { host, link, up: true });
                "link down"
            }
            7 => {
                self.push(at, Act::Path { host, up: false });
                self.push(end, Act::Path { host, up: true });
                "heartbeat path lost"
            }
            8 => self.still(at, host, Still::Thread, "stall of the advert thread"),
            9 => self.still(at, host, Still::Process, "stall of the process"),
            10 => {
                self.still(at, host, Still::Machine { queued: true }, "pause of the machine, packets queued")
            }
            11 => {
                self.still(at, host, Still::Machine { queued: false }, "pause of the machine, packets lost")
            }
            12 => {
                self.push(at, Act::Kill { host });
                self.push(end, Act::Start { host });
                "kill"
            }
            _ => self.planned(at, end, host, kind),
        };
        self.kinds.push(name);
    }

    fn planned(&mut self, at: u64, end: u64, host: usize, kind: u64) -> &'static str {
        match kind {
            13 => {
                self.push(at, Act::Stop { host });
                self.push(end, Act::Start { host });
                "stop and start"
            }
            14 => {
                self.push(at, Act::Reload { host });
                "reload"
            }
            15 => {
                self.push(at, Act::ClockStep { host });
                "clock step"
            }
            16 => {
                let lasts = self.random.chance(500).then_some(end - at);
                self.push(at, Act::Release { host, lasts });
                if lasts.is_none() {
                    self.push(end, Act::Clear { host });
                }
                "release and clear"
            }
            17 => {
                let what = self.random.pick(&[0, 2]);
                self.push(at, Act::Tracked { host, what, good: false });
                self.push(end, Act::Tracked { host, what, good: true });
                "tracker of one director"
            }
            18 => {
                let what = self.random.pick(&[0, 2]);
                for host in 0..self.hosts {
                    let apart = self.random.below(600_000);
                    self.push(at + apart, Act::Tracked { host, what, good: false });
                    self.push(end + apart, Act::Tracked { host, what, good: true });
                }
                "tracker of all directors"
            }
            _ => {
                self.pool_dies(at, end);
                "pool dies for all"
            }
        }
    }

    fn random_permille(&mut self) -> u64 {
        self.random.between(100, 900)
    }

    fn part(&mut self, at: u64, end: u64, host: usize, link: usize) {
        for other in (0..self.hosts).filter(|other| *other != host) {
            for (from, to) in [(host, other), (other, host)] {
                self.push(at, Act::Cut { link, from, to, cut: true });
                self.push(end, Act::Cut { link, from, to, cut: false });
            }
        }
    }

    fn still(&mut self, at: u64, host: usize, how: Still, name: &'static str) -> &'static str {
        let lasts = self.length();
        self.push(at, Act::Still { host, how, lasts });
        name
    }

    /// All see it, less than a hold-down apart; and see it return.
    fn pool_dies(&mut self, at: u64, end: u64) {
        for host in 0..self.hosts {
            let (dies, returns) = (self.random.below(800_000), self.random.below(500_000));
            self.push(at + dies, Act::Tracked { host, what: 1, good: false });
            self.push(end.max(at + dies + 1_000) + returns, Act::Tracked { host, what: 1, good: true });
        }
    }

    fn pools_only(&mut self) {
        let mut at = self.random.between(3_000_000, 6_000_000);
        for _ in 0..self.random.between(1, 2) {
            let end = at + self.random.between(100_000, 4_000_000);
            self.pool_dies(at, end);
            self.kinds.push("pool dies for all, nothing else");
            at = end + 3_000_000;
        }
    }

    /// The directors hear each other on the heartbeat path only, and one loses the gateway.
    fn split_brain(&mut self) {
        let (host, at) = (self.random.index(self.hosts), self.random.between(9_000_000, 16_000_000));
        let end = at + self.random.between(1_000_000, 9_000_000);
        let early = self.random.below(3_000_000);
        (0..self.links).for_each(|link| self.part(at, end, host, link));
        let blind = self.random.index(self.hosts);
        self.push(at + early, Act::Tracked { host: blind, what: 0, good: false });
        self.push(end + early, Act::Tracked { host: blind, what: 0, good: true });
        self.kinds.push("split brain, one without gateway");
        if self.random.chance(300) {
            let kind = self.random.below(20);
            let at = at + self.random.below(3_000_000);
            self.fault(at, kind);
        }
    }

    /// One director alone: an operator releases it and nobody takes over, or it loses its links and is stopped.
    fn last_one(&mut self) {
        let (host, at) = (self.random.index(self.hosts), self.random.between(9_000_000, 12_000_000));
        (0..self.hosts).filter(|other| *other != host).for_each(|host| self.push(at, Act::Kill { host }));
        let released = at + self.random.between(4_000_000, 6_000_000);
        self.push(released, Act::Release { host, lasts: None });
        self.kinds.push("the last one is released");
        let down = released + self.random.between(6_000_000, 8_000_000);
        (0..self.links).for_each(|link| self.push(down, Act::Link { host, link, up: false }));
        let stopped = down + self.random.between(200_000, 2_000_000);
        self.push(stopped, Act::Stop { host });
        self.kinds.push("stop in Fault");
    }
}
