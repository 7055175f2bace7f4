//! The two other sets of names, word for word: dashboards of other people read them.

use super::*;
use crate::advert::thread::Published;
use crate::director::host_snapshot::RouterSnapshot;
use crate::model::Family;
use crate::observe::{Names, render_as};
use crate::vrrp::picture::Picture;
use crate::vrrp::role::Role;

/// Master of `outside`, Backup of `inside`; a service by address with two servers and one by mark.
fn pair() -> Snapshot {
    let mut picture: Picture = crate::control::tests::picture();
    picture.routers[1].trackers.push(("check upstream".into(), false));
    let counts = &mut picture.routers[0].counts;
    (counts.sent, counts.received, counts.masterships_ended) = (600, 7, 1);
    (counts.resignations_sent, counts.resignations_received) = (1, 2);
    counts.transitions =
        [((Role::Master, "silence"), 1), ((Role::Master, "preempts"), 1), ((Role::Backup, "started"), 9)]
            .into();
    counts.errors = [
        ("too_short", 1),
        ("interval_differs", 2),
        ("ttl", 3),
        ("wrong_type", 4),
        ("address_list", 5),
        ("unknown_authentication_type", 6),
        ("password_not_expected", 7),
        ("bad_mac", 8),
        ("password", 1),
        ("equal_priority", 99),
    ]
    .into();
    let router = |name: &str, vrid, address: &str| RouterSnapshot {
        name: name.into(),
        interface: "eth0".to_owned(),
        vrid,
        addresses: vec![address.parse().expect("a network")],
        announcement_delay: Duration::from_secs(5),
    };
    let mut both = pool("web", vec![server("web1"), server("web2")]);
    let mark = ServiceSnapshot {
        name: "fwmark://7".into(),
        key: ServiceKey::FirewallMark { family: Family::Ipv6, mark: 0x1a7 },
        counters: Some(Counters { connections: 40, outgoing_bytes: 9, ..Counters::default() }),
        destinations: [destination(1)].into(),
        counts: [counted(PLACE)].into_iter().collect(),
    };
    let [mut one, mut other] = both.services[0].destinations[..] else { panic!("two destinations") };
    (one.key.port, other.key.address) = (0, "2001:db8::1".parse().expect("an address"));
    both.services[0].destinations = [one, other].into();
    let keys = [one.key, other.key];
    both.services[0].counts = keys.map(counted).into_iter().collect();
    both.services[0].counters = Some(Counters { connections: 2, incoming_packets: 3, ..Counters::default() });
    both.services.push(mark);
    Snapshot {
        pools: vec![both],
        pair: Some(Arc::new(Published { picture, ..Published::default() })),
        routers: vec![router("inside", 52, "10.20.0.1/24"), router("outside", 51, "192.168.101.100/24")],
        ..Snapshot::starting(Instant::from_millis(9_500), EPOCH)
    }
}

/// Without help and type, which are not what dashboards read.
fn samples(snapshot: Snapshot, names: Names, format: Format) -> String {
    let text = render_as(&Arc::new(snapshot), names, format).expect("a string takes everything");
    text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

const KEEPALIVED: &str = r#"keepalived_exporter_build_info{version="VERSION"} 1
keepalived_up 1
keepalived_vrrp_state{iname="outside",intf="eth0",vrid="51",ip_address="192.168.101.100/24"} 2
keepalived_vrrp_state{iname="inside",intf="eth0",vrid="52",ip_address="10.20.0.1/24"} 1
keepalived_advertisements_received_total{OUTSIDE} 7
keepalived_advertisements_received_total{INSIDE} 0
keepalived_advertisements_sent_total{OUTSIDE} 600
keepalived_advertisements_sent_total{INSIDE} 0
keepalived_become_master_total{OUTSIDE} 2
keepalived_become_master_total{INSIDE} 0
keepalived_release_master_total{OUTSIDE} 1
keepalived_release_master_total{INSIDE} 0
keepalived_packet_length_errors_total{OUTSIDE} 1
keepalived_packet_length_errors_total{INSIDE} 0
keepalived_advertisements_interval_errors_total{OUTSIDE} 2
keepalived_advertisements_interval_errors_total{INSIDE} 0
keepalived_ip_ttl_errors_total{OUTSIDE} 3
keepalived_ip_ttl_errors_total{INSIDE} 0
keepalived_invalid_type_received_total{OUTSIDE} 4
keepalived_invalid_type_received_total{INSIDE} 0
keepalived_address_list_errors_total{OUTSIDE} 5
keepalived_address_list_errors_total{INSIDE} 0
keepalived_authentication_invalid_total{OUTSIDE} 6
keepalived_authentication_invalid_total{INSIDE} 0
keepalived_authentication_mismatch_total{OUTSIDE} 7
keepalived_authentication_mismatch_total{INSIDE} 0
keepalived_authentication_failure_total{OUTSIDE} 9
keepalived_authentication_failure_total{INSIDE} 0
keepalived_priority_zero_received_total{OUTSIDE} 2
keepalived_priority_zero_received_total{INSIDE} 0
keepalived_priority_zero_sent_total{OUTSIDE} 1
keepalived_priority_zero_sent_total{INSIDE} 0
keepalived_gratuitous_arp_delay_total{OUTSIDE} 5.0
keepalived_gratuitous_arp_delay_total{INSIDE} 5.0
keepalived_script_status{name="check upstream"} 0
keepalived_script_status{name="interface eth1"} 1
keepalived_script_state{name="check upstream"} 0
keepalived_script_state{name="interface eth1"} 0
"#;

#[test]
fn keepalived_exporters_names_labels_and_values() {
    let expected = KEEPALIVED
        .replace("VERSION", env!("CARGO_PKG_VERSION"))
        .replace("OUTSIDE", r#"iname="outside",intf="eth0",vrid="51""#)
        .replace("INSIDE", r#"iname="inside",intf="eth0",vrid="52""#);
    for format in [Format::Text, Format::OpenMetrics] {
        assert_eq!(samples(pair(), Names::Keepalived, format), expected);
    }
    let alone = samples(Snapshot { pair: None, ..pair() }, Names::Keepalived, Format::Text);
    assert!(alone.ends_with("keepalived_up 1\n"), "{alone}");
}

const NODE_EXPORTER: &str = r#"node_ipvs_connections_total 42
node_ipvs_incoming_packets_total 3
node_ipvs_outgoing_packets_total 0
node_ipvs_incoming_bytes_total 0
node_ipvs_outgoing_bytes_total 9
node_ipvs_backend_connections_active{MARK} 5
node_ipvs_backend_connections_active{FOUR} 5
node_ipvs_backend_connections_active{SIX} 5
node_ipvs_backend_connections_inactive{MARK} 1
node_ipvs_backend_connections_inactive{FOUR} 1
node_ipvs_backend_connections_inactive{SIX} 1
node_ipvs_backend_weight{MARK} 2
node_ipvs_backend_weight{FOUR} 2
node_ipvs_backend_weight{SIX} 2
"#;

#[test]
fn node_exporters_names_labels_and_values() {
    let local = r#"local_address="192.168.101.100",local_port="80""#;
    let tcp = r#"proto="TCP",local_mark="""#;
    let expected = NODE_EXPORTER
        .replace("FOUR", &format!(r#"{local},remote_address="192.168.101.110",remote_port="0",{tcp}"#))
        .replace("SIX", &format!(r#"{local},remote_address="2001:db8::1",remote_port="8080",{tcp}"#))
        .replace(
            "MARK",
            r#"local_address="",local_port="0",remote_address="192.168.101.110",remote_port="8080",proto="FWM",local_mark="000001A7""#,
        );
    for format in [Format::Text, Format::OpenMetrics] {
        assert_eq!(samples(pair(), Names::NodeExporter, format), expected);
    }
    let few = samples(Snapshot { per_server: false, ..pair() }, Names::NodeExporter, Format::Text);
    assert_eq!(few.lines().count(), 5, "{few}");
}

/// Two services that the exporter's labels do not tell apart are one series of it, with the sum.
#[test]
fn what_the_labels_do_not_tell_apart_is_summed() {
    let mut snapshot = pair();
    let again = snapshot.pools[0].services[0].clone();
    snapshot.pools[0].services.push(again);
    let text = samples(snapshot, Names::NodeExporter, Format::Text);
    let found = text
        .lines()
        .find(|line| line.starts_with("node_ipvs_backend_weight{local_address=\"192"))
        .expect("a weight");
    assert!(found.ends_with(" 4"), "{found}");
}
