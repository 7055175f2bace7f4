//! Keywords of routers, of what they track, and of BFD.

use super::Row;
use crate::import::verdict::Verdict::{Near, None, Same};

const MAIL: &str = "a mail of on_event; what happens within 10s is one mail";
const RUN: &str = "run by on_event with the same arguments, one event after the other and each awaited, killed after 60s; the event is JSON on its standard input and in variables: TANDEM_ROUTER, TANDEM_STATE, TANDEM_EVENT_REASON and others";
const NOTIFY: &str = "run by on_event through sh, which adds INSTANCE or GROUP, the name and the state, and not the priority; notify_stop says how a stop is told; the event is JSON on its standard input too, and in variables";
const STOP: &str = "run by on_event once when the director stops, not for each router, with TANDEM_STATE=STOP; what is not done within 3s is left";
const PRIORITY: &str = "no event tells a priority: it is in `tandem status` and the metrics";
const ROUTES: &str = "routes and rules do not move with a router";

pub(super) const INSTANCE: &[Row] = &[
    ("state interface virtual_router_id priority version advert_int", Same, ""),
    ("track_interface track_script track_process", Same, ""),
    ("track_file", Near, "a file says good or bad, not a number"),
    ("track_bfd", None, "there is no BFD; a file that BIRD or FRR write is followed by {file: PATH}"),
    ("virtual_ipaddress", Same, ""),
    ("virtual_ipaddress_excluded", Near, "these are advertised too, so every machine needs the same list"),
    ("unicast_peer unicast_src_ip check_unicast_src", Same, ""),
    ("mcast_src_ip", Near, "the address of the director; multicast bears the interface's own"),
    ("mcast_dst_ip", None, "the multicast group is that of the RFC"),
    (
        "track_src_ip",
        None,
        "the director's own address is not watched: a router is unfit when its interface is",
    ),
    ("unicast_fault_no_peer", Near, "unicast without another director is an error of the policy"),
    ("unicast_ttl", None, "advertisements have a TTL of 255"),
    ("nopreempt preempt preempt_delay", Same, ""),
    ("authentication", Near, "the password of version 2 stands in a file of its own"),
    ("auth_hmac", Same, ""),
    ("use_vmac", Same, ""),
    ("vmac_xmit_base", Near, "multicast advertisements come from the macvlan"),
    ("use_vmac_addr use_ipvlan", None, "a router's addresses live on its interface, or on one macvlan of it"),
    ("vrf", None, "a router is on an interface, and the director in one VRF"),
    ("native_ipv6", Same, ""),
    ("dont_track_primary", None, "a router is unfit while its own interface is down"),
    ("old_unicast_checksum", None, "checksums are those of the RFCs"),
    ("v3_checksum_as_v2", Same, ""),
    (
        "garp_master_delay garp_master_repeat garp_lower_prio_repeat garp_master_refresh garp_master_refresh_repeat",
        Same,
        "",
    ),
    ("garp_lower_prio_delay", Near, "no second burst follows at a Master of lower priority"),
    (
        "garp_extra_if",
        Near,
        "each interface has a router of its own, whose advertisements keep the switches from forgetting it",
    ),
    ("down_timer_adverts", None, "a Master is down after three intervals and the skew, as the RFC has it"),
    ("timer_expired_backup", None, "a Master that was late stays Master until it hears a better one"),
    ("lower_prio_no_advert strict_mode", Near, "the election goes by RFC 9568"),
    ("higher_prio_send_advert", None, "a Master that hears a better one becomes Backup without a last word"),
    ("no_virtual_ipaddress", None, "a router has at least one address"),
    ("promote_secondaries", Near, "not needed: addresses go in as /32 and /128"),
    ("virtual_routes virtual_rules", None, ROUTES),
    ("accept", Same, ""),
    ("no_accept", None, "the Master answers on its addresses; a packet filter of yours can forbid it"),
    (
        "skip_check_adv_addr",
        Near,
        "addresses are always compared; a difference is told, and drops nothing that shares one",
    ),
    ("debug", Near, "TANDEM_LOG sets the level of the log"),
    ("notify_master notify_backup notify_fault", Near, RUN),
    ("notify_stop", Near, STOP),
    ("notify_deleted", Near, "run by on_event where the router is taken out of the election, too"),
    ("notify", Near, NOTIFY),
    (
        "notify_master_rx_lower_pri",
        None,
        "no event tells it: an advertisement of lower priority changes nothing",
    ),
    ("notify_priority_changes", None, PRIORITY),
    ("smtp_alert", Near, MAIL),
    ("kernel_rx_buf_size", None, "buffers are not set by hand"),
    ("linkbeat_use_polling", Near, "links are as netlink tells them: nothing polls"),
    ("lvs_sync_daemon_interface", Same, ""),
];

pub(super) const SYNC_GROUP: &[Row] = &[
    ("group", Same, ""),
    ("track_interface track_script track_process", Same, ""),
    ("track_file", Near, "a file says good or bad, not a number"),
    ("track_bfd", None, "there is no BFD; a file that BIRD or FRR write is followed by {file: PATH}"),
    ("notify_master notify_backup notify_fault", Near, RUN),
    ("notify_stop", Near, STOP),
    (
        "notify_deleted",
        Near,
        "run by on_event where the group's first router is taken out of the election, too",
    ),
    ("notify", Near, NOTIFY),
    ("notify_priority_changes", None, PRIORITY),
    ("smtp_alert", Near, MAIL),
    (
        "global_tracking sync_group_tracking_weight",
        Near,
        "always: what one router of a group tracks moves all of them",
    ),
];

pub(super) const SCRIPT: &[Row] = &[
    ("script interval timeout weight rise fall user", Same, ""),
    ("init_fail", Near, "a check has no verdict before its first outcomes"),
];

pub(super) const TRACK_FILE: &[Row] = &[
    (
        "file",
        Near,
        "bad while the file begins with a negative number, or is not there: write -1 where keepalived wants 1",
    ),
    ("weight", Near, "a fixed change of the priority while the file is bad, not a multiple of its number"),
    ("init_file", Near, "a line of tmpfiles.d makes the file at boot"),
];

pub(super) const TRACK_PROCESS: &[Row] = &[
    ("process weight", Same, ""),
    ("quorum", None, "one process of the name is enough"),
    ("quorum_max param_match full_command", None, "a process is known by its name alone"),
    ("fork_delay terminate_delay delay", None, "a process that ends counts at once"),
];

pub(super) const BFD: &[Row] = &[
    (
        "neighbor_ip neighbour_ip source_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit",
        None,
        "there is no BFD",
    ),
    ("max_hops multihop weight vrrp checker", None, "there is no BFD"),
];

pub(super) const GARP_GROUP: &[Row] = &[
    ("garp_interval", Near, "said in each router's garp"),
    ("gna_interval", Near, "one interval holds for gratuitous ARP and neighbour advertisements"),
    ("interface", Same, ""),
    ("interfaces", Near, "each interface keeps the interval by itself"),
];

pub(super) const PASSWORD: &[Row] = &[
    ("auth_type", Same, ""),
    ("auth_pass", Near, "a policy holds no secret: write the password into the file that the policy names"),
];

pub(super) const HMAC: &[Row] = &[
    ("key active_key mode", Same, ""),
    ("anti_replay time_window", Near, "numbers only grow; the clocks need not agree"),
];
