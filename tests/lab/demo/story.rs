//! The steps of the demo: each does something to the world, shows what came of it, and says what was expected.

use crate::screen::Screen;
use crate::world::World;
use crate::world::addresses::near;
use crate::world::director::Director;
use crate::world::namespace::Namespace;
use crate::world::real_server::Encapsulation;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Longer than anything takes here; what takes longer is an expectation that did not come true.
const LIMIT: Duration = Duration::from_secs(15);
/// Figures that a reader of the demo would look at first.
const METRICS: [&str; 6] = [
    "tandem_pool_servers_up{",
    "tandem_server_transitions_total{pool=\"dr\",server=\"web1\"",
    "tandem_server_transitions_total{pool=\"dr\",to",
    "tandem_check_runs_total{",
    "tandem_ipvs_service_connections_total{",
    "tandem_drift_total{table=\"destinations\"}",
];

/// A pool of the policy, from the client's side.
struct Pool<'world> {
    what: &'static str,
    vip: IpAddr,
    client: &'world Namespace,
}

pub(crate) struct Story<'world> {
    world: &'world World,
    pools: [Pool<'world>; 4],
}

impl<'world> Story<'world> {
    pub(crate) fn new(world: &'world World) -> Self {
        let pool = |what, host, client| Pool { what, vip: near(host).ipv4.into(), client };
        let pools = [
            pool("DR", 100, &world.near_client),
            pool("TUN", 101, &world.near_client),
            pool("full-NAT", 102, &world.near_client),
            pool("NAT", 103, &world.far_client),
        ];
        Self { world, pools }
    }

    /// What the administrator of the real servers does, for three of the four methods.
    pub(crate) fn prepare_real_servers(&self) {
        let [dr, tun, _, _] = &self.pools;
        for server in &self.world.real_servers {
            server.set_up_dr(dr.vip);
            server.set_up_tun(tun.vip, Encapsulation::IpIp);
            server.set_up_nat(near(200));
        }
    }

    pub(crate) fn start(&self, screen: &mut Screen, policy: &str) -> Director<'world> {
        screen.command("tandem run --config demo.yaml");
        let started = Instant::now();
        let director = Director::start(self.world.director(), self.world.folder(), policy);
        let ready = started.elapsed();
        let complete = self.wait_for_destinations(8);
        screen.say(&format!("/readyz says yes after {}.", seconds(ready)));
        let all = "both servers passed their checks and joined the four pools";
        screen.expect(complete.is_some(), &format!("{all}, {} after the start", seconds(started.elapsed())));
        director
    }

    pub(crate) fn ask_in_turn(&self, screen: &mut Screen) {
        let mut wanted = self.greetings();
        wanted.sort();
        for pool in &self.pools {
            let answers = pool.ask(screen);
            let mut both = [answers[0].clone(), answers[1].clone()];
            both.sort();
            let in_turn = answers[0] == answers[2] && answers[1] == answers[3];
            screen.expect(in_turn && both == wanted, &format!("{}: both servers in turn", pool.what));
        }
    }

    pub(crate) fn show_table(&self, screen: &mut Screen) {
        screen.command("ipvsadm -Ln");
        screen.quote(&self.world.director().run("ipvsadm -Ln"));
        let table = self.world.director().ipvs();
        let complete = table.len() == 4 && table.iter().all(|service| service.destinations.len() == 2);
        screen.expect(complete, "four services with two destinations each");
    }

    pub(crate) fn stop_server(&self, screen: &mut Screen) {
        let [stopped, other] = &self.world.real_servers[..] else { panic!("two real servers") };
        let start = Instant::now();
        stopped.stop();
        let after = self.wait_for_destinations(4).unwrap_or_else(|| start.elapsed());
        let gone = self.destinations().iter().all(|address| !address.starts_with("192.168.101.110"));
        let text = format!("192.168.101.110 left all four pools {} after it was stopped", seconds(after));
        screen.expect(gone, &format!("{text} (three failed probes, one every 500 ms)"));
        for pool in &self.pools {
            let answers = pool.ask(screen);
            let only = answers.iter().all(|answer| *answer == other.greeting());
            screen.expect(only, &format!("{}: no request fails", pool.what));
        }
    }

    pub(crate) fn start_server(&self, screen: &mut Screen) {
        let server = &self.world.real_servers[0];
        server.start();
        server.wait_until_serving();
        let start = Instant::now();
        let after = self.wait_for_destinations(8).unwrap_or_else(|| start.elapsed());
        let back = self.destinations().len() == 8;
        let text =
            format!("192.168.101.110 is back in all four pools {} after it served again", seconds(after));
        screen.expect(back, &format!("{text} (two good probes)"));
        self.ask_in_turn(screen);
    }

    pub(crate) fn plan(&self, screen: &mut Screen, director: &Director<'_>) {
        screen.command("tandem plan demo.yaml");
        let output = director.plan();
        screen.quote(&String::from_utf8_lossy(&output.stdout));
        screen.expect(output.status.code() == Some(0), "exit status 0: no changes");
    }

    pub(crate) fn drift(&self, screen: &mut Screen, director: &Director<'_>) {
        let edit = "ipvsadm -e -t 192.168.101.100:80 -r 192.168.101.210:80 -g -w 7";
        let weights =
            || self.world.director().ipvs().iter().flat_map(|s| &s.destinations).all(|d| d.weight == 1);
        screen.command(edit);
        let start = Instant::now();
        self.world.director().run(edit);
        let repaired = within(|| director.log().contains("drift, repaired by") && weights());
        let line =
            director.log().lines().rfind(|line| line.contains("drift, repaired by")).map(str::to_owned);
        screen.say("The director's log:");
        screen.quote(&line.unwrap_or_default());
        let text = format!("the weight is right again, {} after the edit", seconds(start.elapsed()));
        screen.expect(repaired, &text);
    }

    pub(crate) fn metrics(&self, screen: &mut Screen, director: &Director<'_>) {
        screen.command("curl http://127.0.0.1:9752/metrics");
        let counted = within(|| director.metric("tandem_drift_total{table=\"destinations\"}") == Some(1.0));
        let metrics = director.metrics();
        let shown = |line: &&str| METRICS.iter().any(|name| line.starts_with(name));
        screen.quote(&metrics.lines().filter(shown).collect::<Vec<_>>().join("\n"));
        screen.expect(counted, "the edit by hand was counted as drift");
    }

    pub(crate) fn stop(&self, screen: &mut Screen, director: &mut Director<'_>) {
        let status = director.stop();
        screen.expect(status.success(), "SIGTERM ends it with exit status 0");
        self.ask_in_turn(screen);
    }

    fn greetings(&self) -> [String; 2] {
        [0, 1].map(|number: usize| self.world.real_servers[number].greeting())
    }

    fn destinations(&self) -> Vec<String> {
        let table = self.world.director().ipvs();
        table.into_iter().flat_map(|service| service.destinations).map(|held| held.address).collect()
    }

    /// How long it took until the table had so many destinations; `None`: too long.
    fn wait_for_destinations(&self, count: usize) -> Option<Duration> {
        let start = Instant::now();
        within(|| self.destinations().len() == count).then(|| start.elapsed())
    }
}

impl Pool<'_> {
    /// Four answers, each to a connection of its own, shown in one line.
    fn ask(&self, screen: &Screen) -> [String; 4] {
        let url = format!("http://{}/", self.vip);
        screen.command(&format!("curl {url}      # {}, four times", self.what));
        let answers = [(); 4].map(|()| self.client.curl(&url).unwrap_or_else(|error| error));
        screen.quote(&answers.each_ref().map(|answer| answer.trim()).join("   "));
        answers
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn within(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
