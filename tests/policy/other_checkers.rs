//! The table of what keepalived's and HAProxy's options are called here: complete, and true of the schema.

use serde_json::Value;
use tandem::policy;

const TABLE: &str = include_str!("../../src/policy/other_checkers.md");

/// Every option of keepalived.conf(5), 2.2, that concerns checks.
const KEEPALIVED: [&str; 69] = [
    "HTTP_GET",
    "SSL_GET",
    "TCP_CHECK",
    "SMTP_CHECK",
    "DNS_CHECK",
    "UDP_CHECK",
    "MISC_CHECK",
    "FILE_CHECK",
    "PING_CHECK",
    "BFD_CHECK",
    "delay_loop",
    "retry",
    "delay_before_retry",
    "connect_timeout",
    "warmup",
    "alpha",
    "omega",
    "connect_ip",
    "connect_port",
    "bindto",
    "bind_if",
    "bind_port",
    "fwmark",
    "log_all_failures",
    "inhibit_on_failure",
    "notify_up",
    "notify_down",
    "quorum_up",
    "quorum_down",
    "smtp_alert",
    "snmp_name",
    "virtualhost",
    "quorum",
    "hysteresis",
    "sorry_server",
    "sorry_server_inhibit",
    "sorry_server_lvs_method",
    "weight",
    "uthreshold",
    "lthreshold",
    "http_protocol",
    "fast_recovery",
    "url",
    "path",
    "digest",
    "status_code",
    "regex",
    "regex_no_match",
    "regex_options",
    "regex_stack",
    "regex_min_offset",
    "regex_max_offset",
    "enable_sni",
    "password",
    "ca",
    "certificate",
    "key",
    "helo_name",
    "type",
    "name",
    "misc_path",
    "misc_timeout",
    "misc_dynamic",
    "user",
    "payload",
    "require_reply",
    "min_reply_length",
    "max_reply_length",
    "track_file",
];

/// Every keyword of HAProxy's configuration manual, 2.6, that concerns checks.
const HAPROXY: [&str; 75] = [
    "check",
    "no-check",
    "inter",
    "fastinter",
    "downinter",
    "rise",
    "fall",
    "timeout check",
    "spread-checks",
    "max-spread-checks",
    "addr",
    "port",
    "source",
    "check-ssl",
    "no-check-ssl",
    "check-sni",
    "check-alpn",
    "check-proto",
    "ca-file",
    "crt",
    "verify",
    "check-send-proxy",
    "check-via-socks4",
    "observe",
    "error-limit",
    "on-error",
    "on-marked-down",
    "on-marked-up",
    "track",
    "slowstart",
    "backup",
    "weight",
    "maxconn",
    "minconn",
    "disabled",
    "init-addr",
    "resolvers",
    "agent-check",
    "agent-port",
    "agent-addr",
    "agent-send",
    "agent-inter",
    "option external-check",
    "external-check command",
    "external-check path",
    "option httpchk",
    "http-check send",
    "http-check connect",
    "http-check expect",
    "http-check disable-on-404",
    "http-check send-state",
    "http-check set-var",
    "set-var-fmt",
    "unset-var",
    "min-recv",
    "ok-status",
    "error-status",
    "tout-status",
    "on-success",
    "status-code",
    "comment",
    "tcp-check connect",
    "tcp-check send",
    "tcp-check send-binary",
    "tcp-check send-lf",
    "send-binary-lf",
    "tcp-check expect",
    "tcp-check comment",
    "option redis-check",
    "option mysql-check",
    "option pgsql-check",
    "option smtpchk",
    "option ldap-check",
    "option ssl-hello-chk",
    "option spop-check",
];

/// The cells of each row: theirs, what it is, ours.
fn rows(part: &str) -> Vec<[&str; 3]> {
    let cells = part.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
        <[&str; 3]>::try_from(cells).ok()
    });
    let rows: Vec<_> =
        cells.filter(|[theirs, ..]| theirs.contains('`') || theirs.contains("several")).collect();
    assert!(rows.len() > 30, "a table of {} rows", rows.len());
    rows
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The schemas that a node may stand for: behind references, choices, and the items of lists.
fn meant<'a>(root: &'a Value, node: &'a Value) -> Vec<&'a Value> {
    if let Some(name) = node.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(name.trim_start_matches('#')).expect("a definition");
        return meant(root, target);
    }
    let choices = node.get("anyOf").and_then(Value::as_array).into_iter().flatten().chain(node.get("items"));
    let mut found: Vec<&Value> = choices.flat_map(|choice| meant(root, choice)).collect();
    found.push(node);
    found
}

/// Whether the schema has a key at a path.
fn has(root: &Value, node: &Value, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    meant(root, node).into_iter().any(|node| {
        let property = node.get("properties").and_then(|properties| properties.get(first));
        let named = node.get("additionalProperties").filter(|_| *first == "NAME");
        property.or(named).is_some_and(|node| has(root, node, rest))
    })
}

#[test]
fn the_walk_tells_keys_that_are_there_from_others() {
    let schema = policy::json_schema();
    let has = |path: &str| has(&schema, &schema, &path.split('.').collect::<Vec<_>>());
    assert!(has("checks.NAME.https.tls.ca.file") && has("pools.NAME.real_servers.weight"));
    assert!(!has("checks.NAME.http.tls") && !has("checks.http") && !has("pools.NAME.weight"));
}

#[test]
fn each_key_that_the_table_names_is_in_the_schema() {
    let schema = policy::json_schema();
    let mut keys = 0;
    for [theirs, _, ours] in rows(TABLE) {
        let paths: Vec<&str> = quoted(ours)
            .filter(|word| {
                ["checks.", "pools.", "kernel.", "on_event."].iter().any(|section| word.starts_with(section))
            })
            .collect();
        for path in &paths {
            assert!(
                has(&schema, &schema, &path.split('.').collect::<Vec<_>>()),
                "{theirs}: there is no `{path}`"
            );
        }
        keys += paths.len();
        let reason = ours.strip_prefix("none").is_some_and(|reason| reason.len() > 15);
        let said = ["always", "one check each", "a share"].iter().any(|start| ours.starts_with(start));
        assert!(!paths.is_empty() || reason || said, "{theirs} is told neither a key nor a reason: {ours}");
    }
    assert!(keys > 60, "{keys} keys");
}

#[test]
fn each_option_of_the_others_is_in_the_table() {
    let (keepalived, haproxy) = TABLE.split_once("# HAProxy").expect("two parts");
    for (part, options) in [(keepalived, &KEEPALIVED[..]), (haproxy, &HAPROXY[..])] {
        let theirs: Vec<&str> = rows(part).into_iter().flat_map(|[theirs, ..]| quoted(theirs)).collect();
        let missing: Vec<_> = options.iter().filter(|option| !theirs.contains(*option)).collect();
        assert!(missing.is_empty(), "the table does not say {missing:?}");
    }
}
