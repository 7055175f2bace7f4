//! Advertisements while a Master of a large site reloads: how late each comes after the one before, less the interval, as a client
//! hears them. Beside it a bare real-time sleeper, which tells how late the machine itself was.

use super::{director, large, report};
use crate::stage::adverts::Adverts;
use crate::stage::canary::Canary;
use crate::stage::{PREFERRED, Stage, dip, vip};
use crate::world::wait::until_true;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(100);
/// An advertisement later than the sleeper by more than this breaks the promise.
const LATER: Duration = Duration::from_millis(5);
const CANARY_PERIOD: Duration = Duration::from_millis(1);
const START: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(300);

fn policy(weight: usize) -> String {
    let (own, vip) = (dip(PREFERRED).ipv4, vip().ipv4);
    // The director finds itself by the name of this machine.
    let name = nix::unistd::gethostname().expect("a host name").to_string_lossy().into_owned();
    let pair = format!(
        "directors: {{{name}: {{address: {own}}}}}\nvirtual_routers:\n  outside: {{interface: eth0, vrid: 51, \
         priority: {{{name}: 200}}, virtual_addresses: [{vip}/24]}}\n\
         defaults: {{pool: {{scheduler: wrr, forwarding: nat, check: none}}}}\n",
    );
    large::policy(&pair, weight)
}

/// Whether the promise was kept.
pub(crate) fn measure(rounds: usize) -> bool {
    let stage = Stage::new();
    let adverts = Adverts::listen(&stage);
    fs::write(stage.folder().join(director::POLICY), policy(1)).expect("the policy file");
    let running = director::start(&stage.directors[PREFERRED], stage.folder());
    until_true("an advertisement", START, || adverts.next_of(PREFERRED, INTERVAL * 5).is_some());
    std::thread::sleep(Duration::from_secs(3));
    let canary = Canary::start(CANARY_PERIOD);
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(5));
    let mut at_rest = lateness(&adverts, begun, Instant::now());
    let (mut reloads, since) = (Vec::new(), Instant::now());
    for round in 0..rounds {
        fs::write(stage.folder().join(director::POLICY), policy(round + 2)).expect("the policy file");
        let asked = Instant::now();
        reload(&stage, stage.folder());
        reloads.push(asked.elapsed());
        std::thread::sleep(PAUSE);
    }
    let mut late = lateness(&adverts, since, Instant::now());
    let (machine, real_time) = (canary.worst_since(since), canary.finish());
    drop(running);
    println!("advertisements every {INTERVAL:?} of a Master with {} real servers", large::SERVERS);
    report("late at rest", &mut at_rest);
    report("late during reloads", &mut late);
    report("each reload, from the command to its end", &mut reloads);
    println!(
        "  the sleeper: late by {machine:.1?} at most{}",
        if real_time { "" } else { ", without real time" }
    );
    let worst = late.last().copied().unwrap_or(Duration::MAX);
    let kept = worst <= machine + LATER;
    println!("  {} {worst:.1?}, promised: at most {LATER:?} later than the sleeper", verdict(kept));
    kept
}

fn verdict(kept: bool) -> &'static str {
    if kept { "kept:" } else { "BROKEN:" }
}

fn lateness(adverts: &Adverts, since: Instant, until: Instant) -> Vec<Duration> {
    let times = adverts.times_of(PREFERRED, since, until);
    times.windows(2).map(|pair| (pair[1] - pair[0]).saturating_sub(INTERVAL)).collect()
}

fn reload(stage: &Stage, folder: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command.args(["reload", "--socket"]).arg(folder.join("tandem.sock"));
    let output = stage.directors[PREFERRED].output(&mut command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
