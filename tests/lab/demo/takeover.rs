//! What happens to the Master, and what clients see of it.

use crate::screen::Screen;
use crate::story::{Story, within};
use crate::world::load::{Account, Load};
use crate::world::pair::Pair;
use crate::world::site::{A, B, NAMES, POOLS, Pool};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const PER_SECOND: u32 = 20;
const PERIOD: Duration = Duration::from_millis(50);
/// Clients run for so long before and after.
const LEAD: Duration = Duration::from_millis(400);
const TRAIL: Duration = Duration::from_millis(1200);
/// 344 ms is promised; an emulated machine now and then stands still.
const BLACKOUT_MAX: Duration = Duration::from_millis(800);
/// Two good probes a second apart: a director whose checks have failed while it was cut off preempts before they pass again,
/// which is to be mended (the lab's ignored case of takeover::fitness).
const RETURN_MAX: Duration = Duration::from_millis(2500);
/// Connections that had just been made when the addresses moved: the kernel tells the other director of one some time after
/// its handshake, and nothing can be told of it before.
const YOUNG_MAX: usize = 3;
/// The lifetime of an address, a second for the kernel to take it, and some to see it.
const GONE_MAX: Duration = Duration::from_millis(4500);

/// What the clients of a pool lived through, and why connections failed.
struct Lived {
    pool: Pool,
    account: Account,
    reasons: BTreeMap<String, usize>,
}

impl Story<'_> {
    pub(crate) fn kill(&self, screen: &mut Screen, pair: &mut Pair<'_>) {
        screen.command("kill -KILL lb-a's tandem");
        let start = Instant::now();
        let kill = |pair: &mut Pair<'_>| pair.directors[A].signal(Signal::SIGKILL);
        let accounts = self.measure(pair, B, kill);
        unplanned(screen, &accounts);
        let gone = pair.watch.emptied(A, start).map(|at| at - start);
        let text =
            format!("the kernel took the dead director's addresses after {:.1?}", gone.unwrap_or_default());
        screen.expect(gone.is_some_and(|gone| gone <= GONE_MAX), &text);
    }

    pub(crate) fn come_back(&self, screen: &mut Screen, pair: &mut Pair<'_>) {
        pair.directors[A].wait_until_ended();
        pair.forget_all(A);
        screen.command("ipvsadm -C; tandem run --config pair.yaml --director lb-a");
        let accounts = self.measure(pair, A, |pair| pair.directors[A].launch_again());
        planned(screen, &accounts);
        let complete = self.wait_for_destinations(crate::world::site::DESTINATIONS);
        screen.expect(complete, "lb-a's table is complete again");
    }

    pub(crate) fn cut_off(&self, screen: &mut Screen, pair: &mut Pair<'_>) {
        let site = self.site;
        let set = |plugged| {
            site.set_outside(A, plugged);
            site.set_inside(A, plugged);
        };
        screen.say("Both cables of lb-a are pulled.");
        unplanned(screen, &self.measure(pair, B, |_| set(false)));
        screen.say("They are put back, and lb-a preempts.");
        let lived = self.measure(pair, A, |_| set(true));
        within_bound(screen, &lived, RETURN_MAX);
    }

    pub(crate) fn release(&self, screen: &mut Screen, pair: &mut Pair<'_>) {
        for (command, holder) in [("release", B), ("clear", A)] {
            screen.command(&format!("tandem {command}      # on lb-a"));
            let mut said = String::new();
            let accounts = self.measure(pair, holder, |pair| said = pair.ask(A, &[command]));
            screen.quote(&said);
            planned(screen, &accounts);
        }
    }

    /// Clients run while something happens, until one director alone holds every address and a bit longer.
    fn measure(&self, pair: &mut Pair<'_>, holder: usize, act: impl FnOnce(&mut Pair<'_>)) -> Vec<Lived> {
        let mut loads =
            POOLS.map(|pool| (pool, Load::start(&self.site.client, pool.service(), "/", PER_SECOND)));
        std::thread::sleep(LEAD);
        let starts = loads.each_ref().map(|(_, load)| load.elapsed());
        act(pair);
        assert!(within(|| pair.watch.only_holder() == Some(holder)), "{} does not take over", NAMES[holder]);
        std::thread::sleep(TRAIL);
        loads.iter_mut().for_each(|(_, load)| load.end());
        let lived = |((pool, load), start): ((Pool, Load), Duration)| {
            let report = load.finish();
            Lived { pool, account: report.account(start, PERIOD), reasons: report.reasons(start) }
        };
        loads.into_iter().zip(starts).map(lived).collect()
    }
}

fn unplanned(screen: &mut Screen, lived: &[Lived]) {
    within_bound(screen, lived, BLACKOUT_MAX);
}

fn within_bound(screen: &mut Screen, lived: &[Lived], bound: Duration) {
    for Lived { pool, account, .. } in lived {
        let Account { connections, failed, blackout, .. } = account;
        let text = format!(
            "{pool:<8}  {:>4.0} ms without service ({failed} of {connections} connections failed)",
            blackout.as_secs_f64() * 1000.0
        );
        screen.expect(*blackout <= bound, &text);
    }
}

fn planned(screen: &mut Screen, lived: &[Lived]) {
    for Lived { pool, account, reasons } in lived {
        let Account { connections, failed, late, blackout } = account;
        let mut text = format!("{pool:<8}  {failed} of {connections} connections failed");
        if *late + *failed > 0 {
            text +=
                &format!(", {late} were delayed; {:.0} ms without service", blackout.as_secs_f64() * 1000.0);
        }
        if *failed > 0 {
            text += &format!(" ({reasons:?})");
        }
        screen.expect(*failed <= YOUNG_MAX, &text);
    }
}
