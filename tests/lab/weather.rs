//! Bad input and bad weather: what cannot work is said in a sentence and touches nothing, what fails on the way holds up
//! nothing else and heals.

mod kernel;
mod servers;
mod start;
mod watched;

use crate::lone::Lone;
use crate::world::director::Director;
use crate::world::wait::until;
use std::time::Duration;

/// Longer than the longest wait between two tries of what the kernel refused.
const HEAL_LIMIT: Duration = Duration::from_secs(20);

/// A pool `web` that works, with more lines before and behind it.
fn policy(before: &str, behind: &str) -> String {
    format!(
        "policy_version: 1
virtual_addresses: [{{address: 192.168.101.100/24, interface: eth0}}{before}]
defaults: {{pool: {{check: none, forwarding: dr, scheduler: rr}}}}
pools:
  web: {{virtual_services: [tcp://192.168.101.100:80], real_servers: [192.168.101.110]}}
{behind}"
    )
}

fn has(host: &Lone, line: &str) -> bool {
    host.machine.ipvs_saved().iter().any(|it| it.trim() == line)
}

/// The pool `web` is in the table.
fn web_is_there(host: &Lone) -> bool {
    has(host, "-a -t 192.168.101.100:80 -r 192.168.101.110:80 -g -w 1")
}

/// Waits until the log holds these words, and hands back the line.
#[track_caller]
fn logged(director: &Director<'_>, words: &str) -> String {
    until("line in the log", HEAL_LIMIT, || {
        let log = director.log();
        log.lines()
            .find(|line| line.contains(words))
            .map(str::to_owned)
            .ok_or(format!("no {words:?} in\n{log}"))
    })
}
