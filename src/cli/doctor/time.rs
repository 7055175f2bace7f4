//! The clock, the machine's own standstills, and the priority of the advertisements. Pure.
//!
//! Advertisements and timers run by the monotonic clock, which nobody sets; sealed messages and certificates by the calendar.
//!
//! Source: adjtimex(2); proc(5), `/proc/stat`.

use super::facts::{Clock, Facts, Stolen};
use crate::advert::realtime::ADVERT_PRIORITY;
use crate::cli::finding::Finding;
use crate::model::Policy;

/// More than what reading two clocks one after the other explains.
const JUMP_MS: i64 = 100;
/// Thousandths of the processors' time: from here on a takeover may come without a failure.
const STOLEN_LOOK: u64 = 100;
/// From here on it is worth knowing.
const STOLEN_NOTE: u64 = 10;

pub(super) fn judge(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let in_a_pair = policy.pair.directors.len() > 1;
    let mut findings: Vec<Finding> = clock(&facts.clock, in_a_pair).into_iter().collect();
    if in_a_pair {
        findings.extend(facts.stolen.map(stolen));
    }
    findings.extend(priority(facts));
    findings
}

fn clock(clock: &Clock, in_a_pair: bool) -> Option<Finding> {
    if clock.jump_ms.abs() > JUMP_MS {
        return Some(Finding::look(
            "clock-jump",
            "clock",
            format!("it was set by {} ms while the doctor looked", clock.jump_ms),
            "let one time service keep it, by small steps (chrony, systemd-timesyncd), and nothing else",
        ));
    }
    let (synchronised, error_us) = clock.state?;
    if synchronised {
        let evidence = format!("synchronised, to {} ms", error_us.div_euclid(1000) + 1);
        return Some(Finding::good("clock", "clock", evidence));
    }
    let (what, remedy) = ("clock", "run a time service (chrony, systemd-timesyncd)");
    Some(if in_a_pair {
        let evidence =
            "nobody keeps it right: a director whose clock was ahead and is set back is refused by the other";
        Finding::look("clock", what, evidence, remedy)
    } else {
        Finding::note("clock", what, "nobody keeps it right: certificates are judged by it", remedy)
    })
}

fn stolen(stolen: Stolen) -> Finding {
    let (what, worst) = ("processor time", stolen.while_looking.max(stolen.since_boot));
    let share = |thousandths: u64| format!("{}.{}%", thousandths / 10, thousandths % 10);
    let evidence = format!(
        "the machine below this virtual one kept {} of it just now, {} since boot",
        share(stolen.while_looking),
        share(stolen.since_boot)
    );
    let remedy = "give it processors of its own, or a longer advertisement_interval";
    match worst {
        STOLEN_LOOK.. => Finding::look(
            "stolen-time",
            what,
            evidence + ": a standstill of three intervals is a takeover",
            remedy,
        ),
        STOLEN_NOTE.. => Finding::note("stolen-time", what, evidence, remedy),
        _ => Finding::good("stolen-time", what, evidence),
    }
}

/// Whether this process would get what the advert thread wants.
fn priority(facts: &Facts) -> Vec<Finding> {
    let Some(refused) = &facts.refused_priority else { return Vec::new() };
    let what = "priority of the advertisements";
    if refused.is_empty() {
        let evidence = format!("SCHED_FIFO {ADVERT_PRIORITY} is permitted to this user");
        return vec![Finding::good("advert-priority", what, evidence)];
    }
    let finding = |why: &String| {
        let remedy = "run it by packaging/systemd/tandem.service, or with CAP_SYS_NICE";
        Finding::look("advert-priority", what, why.clone(), remedy)
    };
    refused.iter().map(finding).collect()
}
