//! Every set of names of a running director, by promtool; and by Prometheus itself, which asks for OpenMetrics.

use crate::prometheus::JOBS;
use crate::site::{DIRECTORS, Site, metrics_of};
use std::collections::BTreeSet;

/// promtool has nothing to say of the text format.
#[track_caller]
pub(crate) fn promtool_is_content(site: &Site) {
    for (director, name) in DIRECTORS.into_iter().enumerate() {
        for (_, names) in JOBS {
            let query = if names.is_empty() { String::new() } else { format!("?names={names}") };
            let text =
                site.monitor.fetch(metrics_of(director), &format!("/metrics{query}")).expect("metrics");
            let said = site.monitor.run_with_input("promtool", &["check", "metrics"], &text);
            assert_eq!(said, "", "of {names} at {name}");
        }
    }
}

/// Prometheus reads OpenMetrics of every set without complaint.
#[track_caller]
pub(crate) fn prometheus_is_content(site: &Site) {
    let targets = site.prometheus.targets(&site.monitor);
    assert_eq!(targets.len(), JOBS.len() * DIRECTORS.len());
    for (job, health, error) in targets {
        assert_eq!((health.as_str(), error.as_str()), ("up", ""), "{job}");
    }
    let refused = site.monitor.fetch(metrics_of(0), "/metrics?names=haproxy").expect_err("no such names");
    assert!(refused.starts_with("status 400: `haproxy` is no set of names"), "{refused}");
    let dashboards = [
        "keepalived_vrrp_state{iname=\"outside\",intf=\"eth0\",vrid=\"51\",ip_address=\"192.168.101.100/24\"} == 2",
        "rate(keepalived_advertisements_sent_total{iname=\"outside\"}[1m]) > 0",
        "keepalived_script_status{name=\"interface eth1\"} == 1",
        "node_ipvs_backend_weight{local_address=\"192.168.101.100\",local_port=\"80\",remote_address=\"192.168.101.110\",\
         remote_port=\"8080\",proto=\"TCP\",local_mark=\"\"} == 1",
        "node_ipvs_connections_total",
    ];
    let empty: BTreeSet<_> = dashboards
        .into_iter()
        .filter(|query| site.prometheus.query(&site.monitor, query).expect("a query").is_empty())
        .collect();
    assert!(empty.is_empty(), "{empty:?}");
}
