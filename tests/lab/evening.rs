//! A newcomer's evening: two machines that run keepalived become a pair of Tandem, and what README shows of it is typed there and
//! answered as it says.
//!
//! The block under README's heading is a console: `HOST# COMMAND` is typed on that machine by a shell, and what follows is what it
//! prints there, on either stream. `…` stands for anything within a line, or alone in a line for any number of lines. Three
//! programs of the surroundings are played: `systemctl` starts and stops the real programs by the unit's own words, `scp`
//! copies a file to the other machine.

mod console;
mod machine;

use crate::world::load::Load;
use crate::world::site::{Pool, Site};
use crate::world::wait::until;
use console::steps;
use machine::Machine;
use std::time::Duration;

const README: &str = include_str!("../../README.md");
const HEADING: &str = "## An evening: from keepalived.conf to a running pair";
/// Longer than two machines take to elect, with version 2 and a second.
const LIMIT: Duration = Duration::from_secs(60);
/// From one line to the next.
const MOMENT: Duration = Duration::from_millis(1500);
/// The commands with which a running pair was made.
const TO_A_PAIR: usize = 5;

fn only_master(machines: &[Machine<'_>; 2], wanted: usize) {
    until("the VIP", LIMIT, || {
        let held = [0, 1].map(|number| machines[number].holds(Pool::Dr.vip()));
        let logs = || machines.each_ref().map(Machine::log).join("\n");
        if held == [wanted == 0, wanted == 1] { Ok(()) } else { Err(format!("{held:?}\n{}", logs())) }
    });
}

#[test]
fn what_readme_shows_of_an_evening_is_what_happens() {
    let steps = steps(README, HEADING);
    assert!(steps.len() > TO_A_PAIR, "{steps:?}");
    let site = Site::new();
    let mut machines = [0, 1].map(|number| Machine::new(&site, number));
    machines.iter_mut().for_each(Machine::start_keepalived);
    only_master(&machines, 0);
    site.curl(Pool::Dr).expect("keepalived serves");

    let mut differences = Vec::new();
    let mut transcript = String::new();
    let mut load = None;
    for (number, step) in steps.iter().enumerate() {
        if number == TO_A_PAIR {
            only_master(&machines, 0);
            until("both ready", LIMIT, || machines.iter().try_for_each(Machine::is_ready));
            std::thread::sleep(MOMENT * 2);
            load = Some(Load::start(&site.client, Pool::Dr.service(), "/", 20));
        }
        let host = usize::from(step.host == machine::NAMES[1]);
        let printed = machine::typed(&mut machines, host, &step.command);
        transcript += &format!("{}# {}\n{printed}", step.host, step.command);
        if let Err(why) = step.compare(&printed) {
            differences.push(format!("{}# {}: {why}", step.host, step.command));
        }
        // Nobody types faster, and what is shown of a director is up to a second old.
        std::thread::sleep(MOMENT);
        if step.command.starts_with("tandem release") {
            only_master(&machines, 1);
            std::thread::sleep(MOMENT);
        }
    }
    let report = load.expect("a pair").finish();
    println!("{transcript}\n{} requests", report.requests.len());
    assert!(differences.is_empty(), "{}\n--- all of it:\n{transcript}", differences.join("\n"));
    assert!(report.requests.len() > 20, "the load went on");
    report.assert_no_failure();
}
