//! Keywords of virtual servers, real servers and checkers.

use super::Row;
use crate::import::verdict::Verdict::{Near, None, Same};

const MAIL: &str = "a mail of on_event, of the pool and all its servers; what happens within 10s is one mail";
const SCRIPT: &str = "run by on_event with the same arguments, one event after the other and each awaited, killed after 60s; the event is JSON on its standard input and in variables: TANDEM_POOL, TANDEM_SERVER, TANDEM_EVENT_REASON and others";
const WARMUP: &str = "first probes are spread within a second by themselves";
const WHOLE: &str = "of the whole probe, not of the connection alone";

pub(super) const VIRTUAL_SERVER: &[Row] = &[
    ("lvs_sched lb_algo flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback ops", Same, ""),
    ("lvs_method lb_kind persistence_engine persistence_timeout persistence_granularity protocol", Same, ""),
    ("ha_suspend", Near, "both directors always check, so that a Backup that takes over knows its servers"),
    ("smtp_alert", Near, MAIL),
    ("virtualhost alpha ip_family quorum hysteresis sorry_server sorry_server_lvs_method", Same, ""),
    ("snmp_name", Near, "a label of the pool, in the metrics"),
    ("quorum_up quorum_down", Near, SCRIPT),
    (
        "omega",
        None,
        "no script is run for a server that is only left behind: director_stopping is the one event of a stop",
    ),
    ("sorry_server_inhibit", None, "the sorry server is in the table only while it stands in"),
    ("retry delay_before_retry delay_loop inhibit_on_failure real_server", Same, ""),
    ("connect_timeout", Near, WHOLE),
    ("warmup", Near, WARMUP),
];

pub(super) const REAL_SERVER: &[Row] = &[
    ("weight lvs_method lb_kind uthreshold lthreshold virtualhost alpha inhibit_on_failure", Same, ""),
    ("retry delay_before_retry delay_loop", Same, ""),
    ("connect_timeout", Near, WHOLE),
    ("warmup", Near, WARMUP),
    ("notify_up notify_down", Near, SCRIPT),
    ("smtp_alert", Near, MAIL),
    ("snmp_name", None, "a real server has no label: the metrics name its address"),
    ("HTTP_GET SSL_GET TCP_CHECK SMTP_CHECK DNS_CHECK MISC_CHECK UDP_CHECK PING_CHECK", Same, ""),
    ("FILE_CHECK", Near, "a file says up, down or a share such as 50%, not a number"),
    (
        "BFD_CHECK",
        None,
        "BFD says that a path works, not that a server does; a file that BIRD or FRR write is read by a file check",
    ),
];

/// What every checker takes.
pub(super) const CHECKER: &[Row] = &[
    ("connect_ip connect_port bindto bind_if fwmark retry delay_before_retry delay_loop", Same, ""),
    ("connect_timeout", Near, WHOLE),
    (
        "bind_port",
        None,
        "the kernel chooses the source port: with one port no connection could follow the one before",
    ),
    ("alpha", Near, "said for the pool, not for one checker"),
    ("warmup", Near, WARMUP),
    ("log_all_failures", Near, "failures are counted by reason, in tandem_check_runs_total"),
];

pub(super) const HTTP: &[Row] = &[
    ("url enable_sni sni_name", Same, ""),
    ("http_protocol", Near, "the request is HTTP/1.1, and closes its connection"),
    ("fast_recovery", Near, "each URL has an interval of its own"),
    ("tls_compliant", Near, "a session always ends as TLS wants it"),
    ("nb_get_retry", Same, ""),
    ("virtualhost", Same, ""),
];

pub(super) const URL: &[Row] = &[
    ("path status_code virtualhost", Same, ""),
    ("digest", Near, "MD5 can be forged: write {sha256: …} of the body; until then the status alone decides"),
    ("regex", Near, "the expressions are those of Rust's regex: no look-around, no back-references"),
    ("regex_options", Near, "options stand inside of the expression: (?is)"),
    ("regex_no_match", None, "say what a good answer holds: that something is missing proves little"),
    ("regex_stack", Near, "not needed: the search has no stack, and is bounded"),
    (
        "regex_min_offset regex_max_offset",
        None,
        "an expression is looked for in all of what is read; response_limit bounds that",
    ),
    ("tls_compliant", Near, "a session always ends as TLS wants it"),
];

pub(super) const UDP: &[Row] = &[
    ("payload require_reply", Same, ""),
    ("min_reply_length max_reply_length", Near, "said as an expression over the answer"),
];

pub(super) const DNS: &[Row] = &[("type name", Same, "")];

pub(super) const SMTP: &[Row] = &[("helo_name", Same, ""), ("host", Near, "one check each")];

pub(super) const MISC: &[Row] = &[
    ("misc_path misc_timeout user", Same, ""),
    (
        "misc_dynamic",
        Near,
        "an exit code of 2 to 255, less 2, is per cent of the configured weight: the same where that is 100",
    ),
];

pub(super) const FILE: &[Row] = &[
    ("track_file", Near, "a file says up, down or a share such as 50%, not a number"),
    ("dynamic weight", Near, "a share in the file, 50%, changes the weight"),
];

/// `SSL`.
pub(super) const TLS: &[Row] = &[
    ("ca", Near, "named; keepalived does not verify with it, and verify: false keeps that so"),
    ("certificate key", Same, ""),
    (
        "password",
        None,
        "a key that the director reads at its start cannot ask; a systemd credential is encrypted at rest",
    ),
];
