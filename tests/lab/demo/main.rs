//! The demo, `tests/lab/run demo`: one director with four pools, one for each way of forwarding, and what becomes of them
//! when a server stops, when it starts, and when somebody else edits the table. Every figure is measured as it is shown;
//! the exit status is 0 only if everything was as expected.

#![allow(clippy::disallowed_methods, reason = "the lab lives in real time")]
#![allow(clippy::print_stdout, reason = "a demo prints")]
#![allow(dead_code, reason = "the world is a library for the lab's cases, and the demo uses a part of it")]

mod screen;
mod story;
#[path = "../world/mod.rs"]
mod world;

use screen::Screen;
use std::process::ExitCode;
use story::Story;
use world::World;
use world::director::Director;

const POLICY: &str = include_str!("policy.yaml");

const PICTURE: &str = "
  client .10           server .110          server .210       nginx on both
     │                     │                    │
 ────┴──────────┬──────────┴────────────────────┴─────────── 192.168.101.0/24
                │ .200
            director      VIPs: .100 DR   .101 TUN   .102 full-NAT   .103 NAT
                │ .1
 ───────────────┴──────────────┬──────────────────────────── 192.168.102.0/24
                               │
                           client .10     asks the NAT pool: its answers come
                                          back through the director
";

fn main() -> ExitCode {
    let mut screen = Screen::new();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    screen.title(&format!(
        "Tandem: one director, four ways of forwarding, on Linux {} with IPVS",
        kernel.trim()
    ));
    let world = World::new();
    let story = Story::new(&world);
    story.prepare_real_servers();
    screen.step("A network of namespaces, each a machine with the kernel's defaults");
    screen.quote(PICTURE.trim_start_matches('\n'));
    screen.step("The policy");
    screen.quote(POLICY);
    screen.step("The director starts");
    let director = story.start(&mut screen, POLICY);
    tell(&mut screen, &story, director)
}

/// Everything that happens to a running director.
fn tell(screen: &mut Screen, story: &Story<'_>, mut director: Director<'_>) -> ExitCode {
    screen.step("Each VIP answers, by both servers in turn");
    story.ask_in_turn(screen);
    screen.step("The kernel's table, as ipvsadm shows it");
    story.show_table(screen);
    screen.step("A server is stopped, and leaves every pool");
    story.stop_server(screen);
    screen.step("It is started, and returns");
    story.start_server(screen);
    screen.step("The table is what the policy asks for");
    story.plan(screen, &director);
    screen.step("Somebody edits the table by hand, and it is repaired");
    story.drift(screen, &director);
    screen.step("Some of the metrics");
    story.metrics(screen, &director);
    screen.step("The director is stopped, and the table goes on serving (on_stop: keep)");
    story.stop(screen, &mut director);
    screen.summary()
}
