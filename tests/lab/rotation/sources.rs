//! Where a weight comes from beside the policy, and what holds while that says nothing.

use super::{FOUR, LIMIT, Stage};
use crate::world::asked::{Asked, Neighbour};
use crate::world::wait::until_true;

#[test]
fn an_agent_says_the_weight_and_its_silence_is_no_failure() {
    for (on_silence, left) in [("configured", 100), ("keep", 50)] {
        let stage = Stage::new();
        stage.up("a");
        // The agent is asked at the server's own address.
        let neighbour = Neighbour::of(&stage.host.machine);
        neighbour.add(&stage.host.machine, [192, 168, 101, 11].into());
        let agent = Asked::start(&neighbour, 9777, "50%\n");
        let keys = format!(
            "    weight_from: {{agent: {{port: 9777}}, interval: 1s, timeout: 900ms, valid_for: 4s, on_silence: {on_silence}}}\n"
        );
        let _director = stage.start(&keys, &FOUR[..1]);
        stage.wait_for(&[(11, 50)]);
        agent.say("drain\n");
        stage.wait_for(&[]);
        agent.say("ready 50%\n");
        stage.wait_for(&[(11, 50)]);
        drop(agent);
        stage.wait_for(&[(11, left)]);
        stage.stays(&[(11, left)]);
    }
}

#[test]
fn a_program_says_the_weight() {
    let stage = Stage::new();
    stage.up("a");
    let keys = "    weight_from: {exec: {command: [/bin/echo, '30%']}, interval: 1s, timeout: 900ms}\n";
    let _director = stage.start(keys, &FOUR[..1]);
    stage.wait_for(&[(11, 30)]);
}

#[test]
fn a_panic_has_every_server_serve_or_the_sorry_server_or_nobody() {
    let sorry = "    sorry_server: {address: 192.168.101.99, check: none}\n";
    let everyone: &[(u8, u32)] = &[(11, 100), (12, 100), (13, 100), (14, 100)];
    for (action, more, wanted) in [("all", "", everyone), ("sorry", sorry, &[(99, 1)]), ("none", "", &[])] {
        let stage = Stage::new();
        stage.up("a b c");
        let keys = format!("    panic: {{below: 50%, action: {action}}}\n{more}");
        let _director = stage.start(&keys, &FOUR);
        stage.wait_for(&[(11, 100), (12, 100), (13, 100)]);
        stage.down("b c");
        until_true(action, LIMIT, || stage.serving() == wanted.iter().copied().collect());
        stage.up("b c");
        stage.wait_for(&[(11, 100), (12, 100), (13, 100)]);
    }
}

#[test]
fn under_maglev_a_weight_comes_back_in_two_steps() {
    let stage = Stage::new();
    stage.up("a b");
    let keys = "    slow_start: {duration: 8s, from: 20%}\n";
    let _director = stage.start_scheduled("mh", keys, &FOUR[..2]);
    stage.wait_for(&[(11, 100), (12, 100)]);
    stage.down("b");
    // It stays in the table, so that nobody else's clients move.
    stage.wait_for(&[(11, 100), (12, 0)]);
    stage.up("b");
    assert_eq!(stage.weights_until_full(12).len(), 4, "none, from, one step, full");
}
