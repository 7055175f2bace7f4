//! `tandem status --check`: a status as the one line and the exit status of a monitoring plug-in (Monitoring Plugins'
//! development guidelines: text, a bar, performance data). Pure.
//!
//! Critical: clients are not served as they should be, or the director does not answer. Warning: they are, and one more
//! failure could change that. Unknown: this program could not find out.

use super::exit::Level;
use super::status_text::{STALE_MS, worst_first};
use super::words::{counted, time};
use crate::control::{RouterStatus, Status};

/// The line, without its end, and its level.
pub(super) fn check(status: &Status) -> (Level, String) {
    let problems = problems(status);
    let level = problems.iter().map(|(level, _)| *level).max().unwrap_or(Level::Ok);
    let mut sentences: Vec<String> = Vec::new();
    for wanted in [Level::Critical, Level::Warning] {
        let found = problems.iter().filter(|(level, _)| *level == wanted);
        sentences.extend(found.map(|(_, sentence)| sentence.clone()));
    }
    if sentences.is_empty() {
        sentences.push(all_is_well(status));
    }
    (level, line(level, &sentences.join("; "), &performance(status)))
}

/// The line of a director that does not answer, or was not understood.
pub(super) fn line(level: Level, text: &str, performance: &str) -> String {
    // A bar would begin the performance data, and a line's end the long text.
    let clean = |letter: char| if letter == '|' || letter.is_control() { ' ' } else { letter };
    let text: String = text.chars().map(clean).collect();
    let bar = if performance.is_empty() { "" } else { " | " };
    format!("TANDEM {} - {text}{bar}{performance}", level.word())
}

fn problems(status: &Status) -> Vec<(Level, String)> {
    let mut problems = Vec::new();
    if status.age_ms > STALE_MS {
        let sentence = format!("the event loop has made no progress for {}", time(status.age_ms));
        problems.push((Level::Critical, sentence));
    }
    problems.extend(status.routers.iter().filter_map(router));
    problems.extend(pools(status));
    if !status.ready {
        let awaited = status.awaits.as_deref().unwrap_or("it is starting");
        problems.push((Level::Warning, format!("not ready: {awaited}")));
    }
    if !status.routers.is_empty() && !status.safe_to_fail_over.yes {
        let because = &status.safe_to_fail_over.because;
        problems.push((Level::Warning, format!("not safe to fail over: {because}")));
    }
    problems
}

fn router(router: &RouterStatus) -> Option<(Level, String)> {
    let RouterStatus { name, role, addresses_held: held, addresses_wanted: wanted, .. } = router;
    if role == "master" && held < wanted {
        return Some((Level::Critical, format!("{name} is master and holds {held} of {wanted} addresses")));
    }
    let bad: Vec<&str> =
        router.trackers.iter().filter(|tracker| !tracker.good).map(|tracker| &*tracker.name).collect();
    if role == "fault" {
        let because = router.because.as_deref().unwrap_or("no reason known");
        return Some((Level::Warning, format!("{name} is in fault: {because}")));
    }
    if router.released {
        return Some((Level::Warning, format!("{name} is released")));
    }
    (!bad.is_empty()).then(|| (Level::Warning, format!("{name}: bad: {}", bad.join(", "))))
}

/// Most pools that the line names.
const MOST_NAMED: usize = 5;

fn pools(status: &Status) -> Vec<(Level, String)> {
    let worst = worst_first(&status.pools);
    let down: Vec<&str> = worst.iter().filter(|pool| !pool.up).map(|pool| &*pool.name).collect();
    let partly: Vec<&str> = worst
        .iter()
        .filter(|pool| pool.up && pool.servers_up < pool.servers)
        .map(|pool| &*pool.name)
        .collect();
    let sentence = |names: &[&str], what: &str| {
        let more = names.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = &names[..names.len().min(MOST_NAMED)];
        format!("{} {what}: {}{more}", counted(names.len(), "pool"), named.join(", "))
    };
    let mut problems = Vec::new();
    if !down.is_empty() {
        problems.push((Level::Critical, sentence(&down, "down")));
    }
    if !partly.is_empty() {
        problems.push((Level::Warning, sentence(&partly, "with servers down")));
    }
    problems
}

fn all_is_well(status: &Status) -> String {
    let roles = status.routers.iter().map(|router| format!("{} {}", router.name, router.role));
    let pools = format!("{} up", counted(status.pools.len(), "pool"));
    roles.chain([pools]).collect::<Vec<_>>().join(", ")
}

fn performance(status: &Status) -> String {
    let pools_up = status.pools.iter().filter(|pool| pool.up).count();
    let servers: usize = status.pools.iter().map(|pool| pool.servers).sum();
    let servers_up: usize = status.pools.iter().map(|pool| pool.servers_up).sum();
    let masters = status.routers.iter().filter(|router| router.role == "master").count();
    format!(
        "pools={} pools_up={pools_up} servers={servers} servers_up={servers_up} routers={} routers_master={masters}",
        status.pools.len(),
        status.routers.len()
    )
}
