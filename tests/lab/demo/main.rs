//! The demo, `tests/lab/run demo`: a pair of directors with four pools, one for each way of forwarding, under the policy that
//! is shipped as `conf/pair.yaml`. The Master is killed, cut off and released while clients run; a server stops and returns;
//! somebody else edits the table. Every figure is measured as it is shown; the exit status is 0 only if everything was as
//! expected.

#![allow(clippy::disallowed_methods, reason = "the lab lives in real time")]
#![allow(clippy::print_stdout, reason = "a demo prints")]
#![allow(dead_code, reason = "the world is a library for the lab's cases, and the demo uses a part of it")]

mod pools;
mod screen;
mod story;
mod takeover;
#[path = "../world/mod.rs"]
mod world;

use screen::Screen;
use std::process::ExitCode;
use story::Story;
use world::pair::Pair;
use world::site::{POLICY, Site};

const PICTURE: &str = "
  client .10     server .110    server .210           nginx on both
     │              │               │
 ────┴──────┬───────┴──┬────────────┴──────────  192.168.101.0/24   VIPs: .100 NAT   .101 DR
            │ .200     │ .201                                             .102 TUN   .103 full-NAT
          lb-a       lb-b
            │ .2       │ .3
 ───────────┴───────┬──┴────────────┬──────────  10.20.0.0/24       the servers' gateway: .1
                    │ .11           │ .12                           full-NAT's addresses: .20 to .23
               server .110    server .210        (the same two)
";

fn main() -> ExitCode {
    let mut screen = Screen::new();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    screen.title(&format!(
        "Tandem: a pair of directors, four ways of forwarding, on Linux {} with IPVS",
        kernel.trim()
    ));
    let site = Site::new();
    screen.step("A network of namespaces, each a machine with the kernel's defaults");
    screen.quote(PICTURE.trim_start_matches('\n'));
    screen.step("The policy of both directors: conf/pair.yaml, here without its comments");
    screen.quote(&without_comments(POLICY));
    let mut pair = Pair::launch(&site, POLICY);
    let story = Story::new(&site);
    screen.step("Both directors start");
    story.start(&mut screen, &pair);
    tell(&mut screen, &story, &mut pair)
}

/// Everything that happens to a running pair.
fn tell(screen: &mut Screen, story: &Story<'_>, pair: &mut Pair<'_>) -> ExitCode {
    screen.step("Each VIP answers, from both servers");
    story.ask_all(screen);
    screen.step("One holds the addresses, both have the table");
    story.show_pair(screen, pair);
    screen.step("The Master is killed, while clients make a new connection every 50 ms through each pool");
    story.kill(screen, pair);
    screen.step("It comes back with nothing, learns the connections, and takes over again");
    story.come_back(screen, pair);
    screen.step("The Master's cables are pulled, and put back");
    story.cut_off(screen, pair);
    screen.step("The Master is released for maintenance, and takes part again");
    story.release(screen, pair);
    screen.step("The connections that were opened before all this");
    story.count_survivors(screen);
    screen.step("A server is stopped, and leaves every pool on both directors; it is started, and returns");
    story.stop_and_start_server(screen);
    screen.step("Somebody edits the table by hand, and it is repaired");
    story.drift(screen, pair);
    screen.step("Some of the metrics");
    story.metrics(screen, pair);
    screen.step("Both directors are stopped: the last one's tables and addresses stay for a restart");
    story.stop(screen, pair);
    screen.summary()
}

fn without_comments(policy: &str) -> String {
    let bare = policy.lines().map(|line| line.split(" #").next().unwrap_or_default().trim_end());
    bare.filter(|line| !line.is_empty() && !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n")
}
