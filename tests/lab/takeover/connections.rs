//! A hundred connections through each pool, half of them active and half at rest, in each kind of takeover and return. The
//! first director comes back with nothing: its connection table is emptied while it is down.
//!
//! NAT, DR and TUN: none may be lost. Full-NAT's second state, connection tracking, is not passed on: the other director makes
//! it again by the same rule, from the client's address and port. What survives of it is counted and printed.

use super::*;
use crate::world::clients::Clients;
use crate::world::director::Director;
use crate::world::site::{A, B, POLICY, Pool};
use nix::sys::signal::Signal;

const ACTIVE: usize = 50;
const RESTING: usize = 50;
/// Resting connections that speak for the first time after each step.
const SPEAKERS: usize = 8;
/// The kernel sends what is not a full datagram after two seconds.
const SYNCHRONISED_WITHIN: Duration = Duration::from_secs(20);
/// Answers to all who speak: a packet lost in a blackout is sent again after up to 3 s.
const SPOKEN_WITHIN: Duration = Duration::from_secs(20);
const OPEN_WITHIN: Duration = Duration::from_secs(30);

/// The connections of a case.
pub(super) struct Crowd<'site> {
    site: &'site Site,
    pub(super) clients: Vec<(Pool, Clients)>,
    steps: usize,
}

impl<'site> Crowd<'site> {
    /// Opens them and waits until the other director knows all.
    pub(super) fn open(site: &'site Site) -> Self {
        let open = |pool: Pool| (pool, Clients::open(&site.client, pool.service(), ACTIVE, RESTING));
        let clients: Vec<_> = POOLS.into_iter().map(open).collect();
        let crowd = Self { site, clients, steps: 0 };
        until("open connections", OPEN_WITHIN, || {
            let closed: Vec<_> = crowd.clients.iter().filter(|(_, clients)| !clients.all_open()).collect();
            if closed.is_empty() { Ok(()) } else { Err(format!("{closed:?}")) }
        });
        crowd.until_known_to(B);
        crowd
    }

    /// Entries whose connection is established, in a director's table.
    #[track_caller]
    fn until_known_to(&self, director: usize) {
        let wanted = POOLS.len() * (ACTIVE + RESTING);
        let start = Instant::now();
        until("synchronised connections", SYNCHRONISED_WITHIN, || {
            let read = || std::fs::read_to_string("/proc/thread-self/net/ip_vs_conn");
            let table = self.site.directors[director].inside(read).expect("IPVS");
            let found = table.lines().filter(|line| line.contains("ESTABLISHED")).count();
            if found >= wanted { Ok(()) } else { Err(format!("{found} of {wanted}")) }
        });
        println!("{wanted} connections known to the other director after {:.1?}", start.elapsed());
    }

    /// Some of those that rest speak; nobody may be lost but through full-NAT.
    #[track_caller]
    pub(super) fn lives_after(&mut self, what: &str) {
        self.steps += 1;
        for (_, clients) in &self.clients {
            clients.let_speak(SPEAKERS);
        }
        let wanted = self.steps * SPEAKERS;
        until(&format!("answers after {what}"), SPOKEN_WITHIN, || {
            let spoken: Vec<_> = self.clients.iter().map(|(_, clients)| clients.spoken()).collect();
            if spoken.iter().all(|count| *count >= wanted) { Ok(()) } else { Err(format!("{spoken:?}")) }
        });
        for (pool, clients) in &self.clients {
            self.judge(*pool, what, &clients.lost());
        }
    }

    /// Each one speaks a last time.
    #[track_caller]
    pub(super) fn finish(mut self) {
        for (pool, clients) in std::mem::take(&mut self.clients) {
            self.judge(pool, "all", &clients.finish());
        }
    }

    #[track_caller]
    fn judge(&self, pool: Pool, what: &str, lost: &[String]) {
        println!("{what}: {pool} lost {} of {}", lost.len(), ACTIVE + RESTING);
        let few: Vec<_> = lost.iter().take(5).collect();
        few.iter().for_each(|lost| self.tell_what_is_known_of(lost));
        assert!(pool == Pool::FullNat || lost.is_empty(), "{what}: {pool} lost {}: {few:#?}", lost.len());
    }

    /// What both directors' tables have of a connection that was lost.
    fn tell_what_is_known_of(&self, lost: &str) {
        let port = lost.split("port ").nth(1).and_then(|rest| rest.split(':').next()?.parse::<u16>().ok());
        let Some(port) = port else { return };
        let (decimal, hexadecimal) = (format!("port={port} "), format!(" {port:04X} "));
        for director in &self.site.directors {
            for table in ["conntrack -L", "cat /proc/net/ip_vs_conn_sync"] {
                let listing = director.run(table);
                let of_it = |line: &&str| line.contains(&decimal) || line.contains(&hexadecimal);
                let lines = listing.lines().filter(of_it);
                lines.for_each(|line| println!("{}: {line}", director.name()));
            }
        }
    }
}

/// Brings the first director back, as after a loss of power.
fn return_with_nothing(pair: &mut Pair<'_>) {
    pair.directors[A].wait_until_ended();
    pair.forget_all(A);
    Director::launch_again(&mut pair.directors[A]);
    pair.settle();
}

#[test]
fn connections_live_on_through_a_stop_and_a_return_with_nothing() {
    let site = Site::new();
    let mut pair = Pair::start(&site, POLICY);
    let mut crowd = Crowd::open(&site);
    takes_over(&site, &pair, "SIGTERM", B, RETURN_LIMIT, || pair.directors[A].signal(Signal::SIGTERM));
    crowd.lives_after("SIGTERM");
    return_with_nothing(&mut pair);
    crowd.lives_after("return with nothing");
    crowd.finish();
}

#[test]
fn connections_live_on_through_a_release_and_its_end() {
    let site = Site::new();
    let pair = Pair::start(&site, POLICY);
    let mut crowd = Crowd::open(&site);
    takes_over(&site, &pair, "release", B, RETURN_LIMIT, || drop(pair.ask(A, &["release"])));
    crowd.lives_after("release");
    takes_over(&site, &pair, "clear", A, RETURN_LIMIT, || drop(pair.ask(A, &["clear"])));
    crowd.lives_after("clear");
    crowd.finish();
}

#[test]
fn connections_live_on_through_a_kill_and_a_return_with_nothing() {
    let site = Site::new();
    let mut pair = Pair::start(&site, POLICY);
    let mut crowd = Crowd::open(&site);
    takes_over(&site, &pair, "SIGKILL", B, SERVES_WITHIN, || pair.directors[A].signal(Signal::SIGKILL));
    crowd.lives_after("SIGKILL");
    return_with_nothing(&mut pair);
    crowd.lives_after("return with nothing");
    crowd.finish();
}

#[test]
fn connections_live_on_through_cuts_of_links() {
    let site = Site::new();
    let pair = Pair::start(&site, POLICY);
    let mut crowd = Crowd::open(&site);
    takes_over(&site, &pair, "cut of the outside link", B, SERVES_WITHIN, || site.set_outside(A, false));
    crowd.lives_after("cut of the outside link");
    takes_over(&site, &pair, "its return", A, RETURN_LIMIT, || site.set_outside(A, true));
    crowd.lives_after("its return");
    let set_both = |plugged| {
        site.set_outside(A, plugged);
        site.set_inside(A, plugged);
    };
    takes_over(&site, &pair, "cut of both links", B, SERVES_WITHIN, || set_both(false));
    crowd.lives_after("cut of both links");
    takes_over(&site, &pair, "their return", A, RETURN_LIMIT, || set_both(true));
    crowd.lives_after("their return");
    crowd.finish();
}

#[test]
fn connections_live_on_through_a_stopped_master() {
    let site = Site::new();
    let pair = Pair::start(&site, POLICY);
    let mut crowd = Crowd::open(&site);
    takes_over(&site, &pair, "SIGSTOP", B, SERVES_WITHIN, || pair.freeze(A, true));
    crowd.lives_after("SIGSTOP");
    takes_over(&site, &pair, "SIGCONT", A, RETURN_LIMIT, || pair.freeze(A, false));
    crowd.lives_after("SIGCONT");
    crowd.finish();
}
