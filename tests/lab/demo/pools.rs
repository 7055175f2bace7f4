//! What happens to the pools: a real server fails and returns, and the table is edited by somebody else.

use crate::screen::Screen;
use crate::story::{Story, within};
use crate::world::director::Director;
use crate::world::pair::Pair;
use crate::world::site::{A, DESTINATIONS, POOLS};
use std::time::Instant;

/// Figures that a reader of the demo would look at first.
const METRICS: [&str; 7] = [
    "tandem_vrrp_state{",
    "tandem_vrrp_transitions_total{",
    "tandem_pool_servers_up{",
    "tandem_server_transitions_total{pool=\"dr\",server=\"192.168.101.110\"",
    "tandem_connection_sync_entries{",
    "tandem_ipvs_service_connections_total{",
    "tandem_drift_total{table=\"destinations\"}",
];
const EDIT: &str = "ipvsadm -e -t 192.168.101.101:80 -r 192.168.101.210:80 -g -w 7";

impl Story<'_> {
    pub(crate) fn stop_and_start_server(&self, screen: &mut Screen) {
        let [server, other] = &self.site.real_servers[..] else { panic!("two real servers") };
        let start = Instant::now();
        server.stop();
        let gone = self.wait_for_destinations(DESTINATIONS / 2);
        let text =
            format!("it left all four pools on both {:.1} s after its stop", start.elapsed().as_secs_f64());
        screen.expect(gone, &format!("{text} (three failed probes, one a second)"));
        for pool in POOLS {
            let answers = self.ask(screen, pool);
            let only = answers.iter().all(|answer| *answer == other.greeting());
            screen.expect(only, &format!("{pool}: no request fails"));
        }
        server.start();
        server.wait_until_serving();
        let start = Instant::now();
        let back = self.wait_for_destinations(DESTINATIONS);
        let text = format!("it is back {:.1} s after it served again", start.elapsed().as_secs_f64());
        screen.expect(back, &format!("{text} (two good probes)"));
    }

    pub(crate) fn drift(&self, screen: &mut Screen, pair: &Pair<'_>) {
        let machine = &self.site.directors[A];
        let weights = || machine.ipvs().iter().flat_map(|s| &s.destinations).all(|d| d.weight == 1);
        let repair = |director: &Director<'_>| {
            director.log().lines().rfind(|line| line.contains("drift, repaired by")).map(str::to_owned)
        };
        screen.command(EDIT);
        let start = Instant::now();
        machine.run(EDIT);
        let repaired = within(|| repair(&pair.directors[A]).is_some() && weights());
        let seconds = start.elapsed().as_secs_f64();
        screen.say("The director's log:");
        screen.quote(&repair(&pair.directors[A]).unwrap_or_default());
        screen.expect(repaired, &format!("the weight is right again, {seconds:.1} s after the edit"));
        screen.command("tandem plan pair.yaml");
        let output = pair.directors[A].plan();
        screen.quote(&String::from_utf8_lossy(&output.stdout));
        screen
            .expect(output.status.code() == Some(0), "exit status 0: the table is what the policy asks for");
    }

    pub(crate) fn metrics(&self, screen: &mut Screen, pair: &Pair<'_>) {
        screen.command("curl http://127.0.0.1:9752/metrics      # on lb-a");
        let director = &pair.directors[A];
        let counted = within(|| director.metric("tandem_drift_total{table=\"destinations\"}") == Some(1.0));
        let metrics = director.metrics();
        let shown = |line: &&str| METRICS.iter().any(|name| line.starts_with(name));
        screen.quote(&metrics.lines().filter(shown).collect::<Vec<_>>().join("\n"));
        screen.expect(counted, "the edit by hand was counted as drift");
    }
}
