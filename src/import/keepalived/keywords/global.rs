//! Keywords of the whole file and of `global_defs`.

use super::Row;
use crate::import::verdict::Verdict::{Near, None, Same};

/// What stands outside of any block.
pub(super) const ROOT: &[Row] = &[
    (
        "global_defs virtual_server virtual_server_group vrrp_instance vrrp_script vrrp_track_process SSL",
        Same,
        "",
    ),
    ("include includer includem includew includeb includea", Same, ""),
    ("vrrp_sync_group", Same, ""),
    ("track_file vrrp_track_file", Near, "a file says good or bad, not a number"),
    (
        "static_ipaddress",
        Near,
        "a lone director holds them as virtual_addresses while it runs; in a pair they are the host's own",
    ),
    (
        "static_routes static_rules",
        None,
        "routes and rules that stay are the host's own network configuration",
    ),
    ("track_group", None, "routes and rules are not watched"),
    ("garp_group", Near, "the interval is said in each router's garp"),
    (
        "bfd_instance",
        None,
        "BFD is spoken by BIRD or FRR; a file that they write is followed by {file: PATH}",
    ),
    ("linkbeat_interfaces", Near, "links are as netlink tells them: nothing polls"),
    ("interface_up_down_delays", None, "a link counts as netlink tells it, at once"),
    ("net_namespace", Near, "NetworkNamespacePath= of the systemd unit"),
    ("net_namespace_ipvs namespace_with_ipsets", None, "checks and table are in one network namespace"),
    (
        "instance use_pid_dir",
        Near,
        "there are no pid files: --socket and --state-directory keep several directors apart",
    ),
    ("linkbeat_use_polling", Near, "links are as netlink tells them: nothing polls"),
    ("child_wait_time", Near, "TimeoutStopSec= of the systemd unit"),
];

const MAIL: &str = "a mail of on_event; what happens within 10s is one mail";
const FIFO: &str = "no fifo is written: `tandem events --follow --json` tells each event as it happens, and a program of on_event gets it";
const UNIT: &str = "the systemd unit says it, for the whole process";

pub(super) const GLOBAL: &[Row] = &[
    ("router_id lvs_id", Same, ""),
    ("net_namespace", Near, "NetworkNamespacePath= of the systemd unit"),
    ("net_namespace_ipvs namespace_with_ipsets", None, "checks and table are in one network namespace"),
    (
        "instance use_pid_dir",
        Near,
        "there are no pid files: --socket and --state-directory keep several directors apart",
    ),
    ("linkbeat_use_polling", Near, "links are as netlink tells them: nothing polls"),
    ("child_wait_time", Near, "TimeoutStopSec= of the systemd unit"),
    ("tmp_config_directory", Near, "one process reads the policy, once: no copy is needed"),
    ("config_save_dir", None, "no copies of the policy are kept"),
    (
        "process_names process_name vrrp_process_name checker_process_name bfd_process_name",
        Near,
        "there is one process, tandem",
    ),
    ("use_symlink_paths", Near, "paths are taken as they are written"),
    ("set_supplementary_groups", None, "the groups of a program are not chosen"),
    ("startup_script startup_script_timeout", Near, "ExecStartPre= of the systemd unit"),
    ("shutdown_script shutdown_script_timeout", Near, "ExecStopPost= of the systemd unit"),
    ("notification_email", Near, MAIL),
    ("notification_email_from smtp_helo_name", Same, ""),
    ("smtp_server", Near, "not sealed, as keepalived's mail is not; starttls is Tandem's default"),
    ("smtp_connect_timeout", Near, "of a whole attempt, 60s at most; there are four"),
    ("smtp_alert smtp_alert_vrrp smtp_alert_checker", Near, MAIL),
    ("no_email_faults", Near, "a Fault is told too: take router_fault out of the kinds"),
    ("no_checker_emails", Same, ""),
    ("checker_log_all_failures", Near, "failures are counted by reason, in tandem_check_runs_total"),
    ("vrrp_mcast_group4 vrrp_mcast_group6", None, "the multicast group is that of the RFC"),
    ("default_interface", Same, ""),
    ("lvs_sync_daemon lvs_timeouts", Same, ""),
    ("lvs_flush", Near, "a service of the policy is made as it says, whoever made it; others are left alone"),
    ("lvs_flush_on_stop", Near, "on_stop: remove; it takes away what the director made"),
    ("vrrp_garp_master_repeat vrrp_garp_master_delay vrrp_garp_lower_prio_repeat", Same, ""),
    ("vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat vrrp_garp_interval vrrp_min_garp", Same, ""),
    ("vrrp_gna_interval", Near, "one interval holds for gratuitous ARP and neighbour advertisements"),
    ("vrrp_garp_lower_prio_delay", Near, "no second burst follows at a Master of lower priority"),
    (
        "vrrp_garp_extra_if",
        Near,
        "each interface has a router of its own, whose advertisements keep the switches from forgetting it",
    ),
    (
        "vrrp_down_timer_adverts",
        None,
        "a Master is down after three intervals and the skew, as the RFC has it",
    ),
    ("vrrp_lower_prio_no_advert vrrp_strict", Near, "the election goes by RFC 9568"),
    (
        "vrrp_higher_prio_send_advert",
        None,
        "a Master that hears a better one becomes Backup without a last word",
    ),
    ("vrrp_version v3_checksum_as_v2", Same, ""),
    (
        "nftables nftables_priority vrrp_iptables vrrp_ipsets",
        Near,
        "what needs a packet filter goes into the table inet tandem, which the director makes itself",
    ),
    ("nftables_counters nftables_ifindex", None, "the director's own nftables table takes no options"),
    (
        "nftables_ipvs",
        Near,
        "each service stands in the kernel's table; join_ports: true makes one of those of a pool",
    ),
    (
        "nftables_ipvs_priority nftables_ipvs_start_fwmark",
        None,
        "the marks of join_ports are chosen by the director",
    ),
    ("disable_local_igmp", None, "the kernel's IGMP reports are left as they are"),
    ("vrrp_check_unicast_src", Same, ""),
    (
        "vrrp_skip_check_adv_addr",
        Near,
        "addresses are always compared; a difference is told, and drops nothing that shares one",
    ),
    (
        "vrrp_notify_priority_changes",
        None,
        "no event tells a priority: it is in `tandem status` and the metrics",
    ),
    (
        "max_auto_priority min_auto_priority_delay vrrp_priority vrrp_rt_priority",
        Near,
        "the thread of the advertisements always runs at real-time priority",
    ),
    ("vrrp_rlimit_rttime", Near, "LimitRTTIME= of the systemd unit"),
    ("vrrp_no_swap checker_no_swap", Near, "the memory is always locked, where LimitMEMLOCK= allows it"),
    ("checker_priority", Near, "Nice= of the systemd unit"),
    (
        "vrrp_cpu_affinity checker_cpu_affinity",
        Near,
        "CPUAffinity= of the systemd unit, for the whole process",
    ),
    ("checker_rlimit_rttime", Near, "LimitRTTIME= of the systemd unit, for the whole process"),
    (
        "checker_rt_priority",
        None,
        "checks run at ordinary priority, so that they cannot delay advertisements",
    ),
    ("bfd_priority bfd_no_swap bfd_cpu_affinity bfd_rt_priority bfd_rlimit_rttime", None, "there is no BFD"),
    (
        "snmp_socket enable_snmp_vrrp enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3",
        None,
        "there is no SNMP: metrics are Prometheus's",
    ),
    (
        "enable_traps enable_snmp_keepalived snmp_vs_stats_update_interval snmp_rs_stats_update_interval",
        None,
        "there is no SNMP: metrics are Prometheus's",
    ),
    (
        "enable_dbus dbus_service_name dbus_no_interface_name",
        None,
        "there is no D-Bus: `tandem status --json` asks the control socket",
    ),
    ("script_user", Near, "each exec check says its user; the group is the user's"),
    ("enable_script_security", Same, ""),
    ("notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script", None, FIFO),
    ("lvs_notify_fifo lvs_notify_fifo_script fifo_write_vrrp_states_on_reload rs_init_notifies", None, FIFO),
    (
        "dynamic_interfaces",
        Near,
        "always: an interface that is not there makes its routers unfit until it comes",
    ),
    (
        "vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force",
        None,
        "buffers are not set by hand",
    ),
    (
        "lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force",
        None,
        "buffers are not set by hand",
    ),
    (
        "process_monitor_rcv_bufs process_monitor_rcv_bufs_force vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier",
        None,
        "buffers are not set by hand",
    ),
    ("umask", Near, UNIT),
    ("vrrp_startup_delay", Same, ""),
    ("vrrp_delay_after_boot", Near, "start_delay counts from the start of the director"),
    (
        "log_unknown_vrids",
        Near,
        "advertisements of other routers are counted in the metrics, as unknown_vrid",
    ),
    ("vmac_prefix vmac_addr_prefix", Near, "the macvlan has a name of its own, after its VRID: vrrp4-51"),
    ("random_seed", Near, "a policy holds no random numbers"),
    ("reload_check_config", Near, "`tandem check` does it, for every director"),
    ("include_check", Near, "always: a file that is missing is an error, a pattern without match a warning"),
    (
        "reload_time_file reload_repeat reload_file",
        None,
        "this version cannot reload: restart it, the table and its connections stay",
    ),
    (
        "data_use_instance state_file_location stats_file_location json_file_location json_version",
        Near,
        "`tandem status --json` prints the state; no files are written",
    ),
    ("iproute_usr_dir iproute_etc_dir", None, "no routes are made"),
];
