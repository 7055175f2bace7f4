//! What happens between two directors reaches those who are to know: the hook of each runs in order, with the reasons, as
//! `tandem events` tells them; and what was before a crash is there after it.

use crate::stage::holders::Holders;
use crate::stage::program::{Member, Program};
use crate::stage::setting::{Checksum, Setting};
use crate::stage::{NAMES, OTHER, PREFERRED, Stage, vip};
use crate::world::wait::until_true;
use std::fs;
use std::time::Duration;

const START: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(3);
const SETTING: Setting = Setting { is_default: true, checksum: Checksum::Rfc9568, ..Setting::V3 };

/// A hook that writes the role and its reason, slowly: only one that is awaited keeps the order.
fn hook(stage: &Stage) -> String {
    let log = stage.folder().join("hook-$TANDEM_DIRECTOR");
    let script =
        format!("sleep 0.2; echo \"$TANDEM_STATE $TANDEM_ROUTER $TANDEM_EVENT_REASON\" >> {}", log.display());
    format!(
        "on_event:\n  - exec: [/bin/sh, -c, '{script}']\n    \
         kinds: [router_master, router_backup, router_fault, router_out]\n"
    )
}

fn told(stage: &Stage, director: usize) -> Vec<String> {
    let log = stage.folder().join(format!("hook-{}", NAMES[director]));
    fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The roles and reasons that `tandem events` tells.
fn roles(member: &Member, stage: &Stage) -> Vec<String> {
    let lines = member.events(stage, &["--json"]);
    let events = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an event"));
    let role = |event: serde_json::Value| {
        let word = match event["kind"].as_str().expect("a kind") {
            "router_master" => "MASTER",
            "router_backup" => "BACKUP",
            "router_fault" => "FAULT",
            "router_out" => "STOP",
            _ => return None,
        };
        let text = |name: &str| event[name].as_str().expect("a word").to_owned();
        Some(format!("{word} {} {}", text("router"), text("reason")))
    };
    events.filter_map(role).collect()
}

#[test]
fn the_hooks_of_both_are_told_of_a_failover_in_order_with_its_reasons() {
    let stage = Stage::new();
    let holders = Holders::watch(&stage, vip().of(SETTING.family), LOOK_EVERY);
    let more = hook(&stage);
    let start = |director| Member::start(&stage, Program::Tandem, director, &SETTING, &more);
    let mut pair = [PREFERRED, OTHER].map(start);
    until_true("Master", START, || holders.only_holder() == Some(PREFERRED));
    until_true("the other to hear it", START, || !told(&stage, OTHER).is_empty());

    pair[PREFERRED].release(&stage);
    until_true("the other as Master", START, || holders.only_holder() == Some(OTHER));
    let last = |director: usize| told(&stage, director).pop().unwrap_or_default();
    until_true("the hooks", SOON, || last(PREFERRED) == "BACKUP outside released");
    until_true("the hooks", SOON, || last(OTHER) == "MASTER outside master_resigned");
    for director in [PREFERRED, OTHER] {
        assert_eq!(roles(&pair[director], &stage), told(&stage, director), "{}", NAMES[director]);
    }
    let text = pair[OTHER].events(&stage, &["--since", "1h"]);
    assert!(text.lines().any(|line| line.contains("outside is Master: the Master ")), "{text}");
    assert!(
        told(&stage, PREFERRED).iter().any(|line| line.starts_with("MASTER outside")),
        "before the release"
    );

    let released = |member: &Member| {
        let orders = member.said(&stage, &["overrides"]);
        orders
            .lines()
            .any(|line| line.starts_with("outside ") && line.contains(" release ") && line.contains(" in 9m"))
    };
    assert!(released(&pair[PREFERRED]) && !released(&pair[OTHER]), "the release is among the orders");

    let before = roles(&pair[PREFERRED], &stage);
    pair[PREFERRED].kill();
    pair[PREFERRED].start_again(&stage);
    until_true("its first role", START, || told(&stage, PREFERRED).len() > before.len());
    // What an operator ordered outlives a crash.
    pair[PREFERRED].clear_release(&stage);
    until_true("Master again", START, || holders.only_holder() == Some(PREFERRED));
    assert!(!released(&pair[PREFERRED]), "it was cleared");
    let after = roles(&pair[PREFERRED], &stage);
    assert_eq!(after[..before.len()], before, "what was before the crash");
    assert!(after.len() > before.len(), "{after:?}");

    pair[PREFERRED].terminate();
    pair[PREFERRED].wait_until_ended();
    until_true("the hook of the end", SOON, || last(PREFERRED) == "BACKUP outside stopped");
}
