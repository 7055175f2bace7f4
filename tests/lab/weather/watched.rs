//! What the operator's instruments see: metrics that promtool likes, health and readiness that say why.

use super::policy;
use crate::lone::Lone;
use crate::world::director::Director;
use crate::world::wait::until;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// Every family that a director with checks, drift and a refusal has.
#[test]
fn promtool_has_nothing_to_say_of_the_metrics() {
    if Command::new("promtool").arg("--version").output().is_err() {
        return println!("left out: there is no promtool");
    }
    let host = Lone::new();
    let pool = "  odd:
    virtual_services: [tcp://192.168.101.100:81]
    real_servers: [192.168.101.255, 192.168.101.111]
    check: {tcp: {}, interval: 300ms, timeout: 200ms}
    initial: up
    labels: {team: 'shop \"one\"'}
";
    let director = host.start(&policy("", pool));
    host.machine.run("ipvsadm -d -t 192.168.101.100:80 -r 192.168.101.110:80");
    until("drift", LIMIT, || {
        let drift = director.metric("tandem_drift_total{table=\"destinations\"}");
        if drift >= Some(1.0) { Ok(()) } else { Err(format!("{drift:?}")) }
    });
    let said = host.machine.run_with_input("promtool", &["check", "metrics"], &director.metrics());
    assert_eq!(said, "");
    let accept = ["-H", "Accept: application/openmetrics-text; version=1.0.0"];
    let open = host.machine.curl_with(&accept, "http://127.0.0.1:9752/metrics").expect("metrics");
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE tandem_drift counter"), "{open}");
}

#[test]
fn readiness_waits_for_a_verdict_and_says_so_while_health_is_good() {
    let host = Lone::new();
    // It accepts and never answers, so that the first probe takes its whole time-out.
    let _silent = host.machine.inside(|| TcpListener::bind(("127.0.0.1", 8100))).expect("a port");
    let pool = "  slow:
    virtual_services: [tcp://192.168.101.100:81]
    real_servers: [192.168.101.111]
    check: {http: {path: /}, address: 127.0.0.1, port: 8100, interval: 4s, timeout: 3s, fall: 1}
";
    let mut director = Director::launch(&host.machine, host.folder(), &policy("", pool), None);
    let ask = |path: &str| host.machine.curl_with(&["--no-fail"], &format!("http://127.0.0.1:9752{path}"));
    until("word of the pool", LIMIT, || match ask("/readyz") {
        Ok(text) if text == "not ready: pool slow: no server has a verdict yet\n" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(ask("/healthz"), Ok("ok\n".to_owned()));
    director.wait_until_ready();
    assert_eq!(ask("/readyz"), Ok("ready\n".to_owned()));
}
