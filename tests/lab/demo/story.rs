//! The story's beginning and its end. Each step does something to the site, shows what came of it, and says what was expected.

use crate::screen::Screen;
use crate::world::clients::Clients;
use crate::world::pair::Pair;
use crate::world::site::{A, B, DESTINATIONS, FLOATING, NAMES, POOLS, Pool, Site};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// Longer than anything takes here; what takes longer is an expectation that did not come true.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// Connections through each pool that rest during the whole story.
const RESTING: usize = 25;

pub(crate) struct Story<'site> {
    pub(crate) site: &'site Site,
    resting: RefCell<Vec<(Pool, Clients)>>,
}

impl<'site> Story<'site> {
    pub(crate) fn new(site: &'site Site) -> Self {
        Self { site, resting: RefCell::default() }
    }

    pub(crate) fn start(&self, screen: &mut Screen, pair: &Pair<'_>) {
        for name in NAMES {
            screen.command(&format!("tandem run --config pair.yaml --director {name}"));
        }
        let started = Instant::now();
        let master = within(|| pair.watch.only_holder() == Some(A));
        let text = format!("lb-a, which is preferred, holds all {FLOATING} addresses {}", after(started));
        screen.expect(master, &text);
        let complete = self.wait_for_destinations(DESTINATIONS);
        let all = "both servers passed both directors' checks and joined the four pools";
        screen.expect(complete, &format!("{all} {}", after(started)));
    }

    pub(crate) fn ask_all(&self, screen: &mut Screen) {
        let wanted = self.greetings();
        for pool in POOLS {
            let answers = self.ask(screen, pool);
            let both = wanted.iter().all(|server| answers.contains(server));
            screen.expect(both, &format!("{pool}: both servers answer"));
        }
    }

    pub(crate) fn show_pair(&self, screen: &mut Screen, pair: &Pair<'_>) {
        for director in [A, B] {
            screen.command(&format!("ip -4 -brief address      # on {}", NAMES[director]));
            screen.quote(&wrapped(&self.site.directors[director].run("ip -4 -brief address")));
        }
        screen.expect(pair.watch.only_holder() == Some(A), "every floating address is on lb-a alone");
        screen.command("ipvsadm -Ln               # on lb-b, the Backup");
        screen.quote(&self.site.directors[B].run("ipvsadm -Ln"));
        let [mut here, mut there] = [A, B].map(|director| self.site.directors[director].ipvs_saved());
        here.sort();
        there.sort();
        screen.expect(here == there, "lb-a has the same table: a takeover has only to move the addresses");
        let open = |pool: Pool| (pool, Clients::open(&self.site.client, pool.service(), 0, RESTING));
        let resting: Vec<_> = POOLS.into_iter().map(open).collect();
        let opened = within(|| resting.iter().all(|(_, clients)| clients.all_open()));
        self.resting.replace(resting);
        let told = within(|| self.synchronised(B) >= POOLS.len() * RESTING);
        let text = format!("{RESTING} connections through each pool are opened, and lb-b knows them all");
        screen.expect(opened && told, &text);
    }

    /// The connections that have been there from the beginning are asked whether they are alive.
    pub(crate) fn count_survivors(&self, screen: &mut Screen) {
        for (pool, clients) in self.resting.take() {
            let lost = clients.finish().len();
            let text = format!("{pool}: {} of {RESTING} answer", RESTING - lost.min(RESTING));
            screen.expect(lost == 0, &text);
        }
    }

    pub(crate) fn stop(&self, screen: &mut Screen, pair: &mut Pair<'_>) {
        let first = pair.directors[A].stop().success();
        let moved = within(|| pair.watch.only_holder() == Some(B));
        screen.expect(first && moved, "SIGTERM to lb-a: it hands over to lb-b and ends with exit status 0");
        let second = pair.directors[B].stop().success();
        screen.expect(second, "SIGTERM to lb-b: it ends with exit status 0");
        std::thread::sleep(Duration::from_secs(4));
        let stays = pair.watch.held(B).len() == FLOATING;
        screen.expect(stays, "4 s later lb-b's addresses are still there: they live for 10 s");
        for pool in POOLS {
            let answer = self.site.curl(pool);
            screen.expect(answer.is_ok(), &format!("{pool} answers, and no director runs"));
        }
    }

    /// Four answers, each to a connection of its own, shown in one line.
    pub(crate) fn ask(&self, screen: &Screen, pool: Pool) -> [String; 4] {
        screen.command(&format!("curl http://{}/      # {pool}, four times", pool.vip()));
        let answers = [(); 4].map(|()| self.site.curl(pool).unwrap_or_else(|error| error));
        screen.quote(&answers.each_ref().map(|answer| answer.trim()).join("   "));
        answers
    }

    pub(crate) fn greetings(&self) -> [String; 2] {
        [0, 1].map(|number: usize| self.site.real_servers[number].greeting())
    }

    /// Whether both tables come to have so many destinations.
    pub(crate) fn wait_for_destinations(&self, count: usize) -> bool {
        within(|| self.site.directors.iter().all(|director| director.ipvs_destinations() == count))
    }

    /// Established connections in a director's table.
    fn synchronised(&self, director: usize) -> usize {
        let read = || std::fs::read_to_string("/proc/thread-self/net/ip_vs_conn").unwrap_or_default();
        let table = self.site.directors[director].inside(read);
        table.lines().filter(|line| line.contains("ESTABLISHED")).count()
    }
}

/// Four addresses a line, under each other.
fn wrapped(listing: &str) -> String {
    let mut text = String::new();
    for line in listing.lines().filter(|line| !line.starts_with("lo")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (head, addresses) = words.split_at(words.len().min(2));
        for (number, some) in addresses.chunks(5).enumerate() {
            let head = if number == 0 { head.join(" ") } else { String::new() };
            text += &format!("{head:<14} {}\n", some.join(" "));
        }
    }
    text
}

pub(crate) fn after(start: Instant) -> String {
    format!("{:.1} s after the start", start.elapsed().as_secs_f64())
}

pub(crate) fn within(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
