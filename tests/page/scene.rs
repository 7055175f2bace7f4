//! What a director tells, as JSON of its API: scenes of one day at `lb-a`.

use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const MINUTE: u64 = 60_000;
const UPTIME: u64 = 40 * 24 * 60 * MINUTE + 7 * 60 * MINUTE;

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis())
        .expect("soon")
}

fn router(name: &str, role: &str, ago: u64, because: &str, addresses: &[&str]) -> Value {
    let held = if role == "master" { addresses.len() } else { 0 };
    json!({
        "name": name, "role": role, "since_ms": UPTIME - ago, "reason": "silence", "because": because, "priority": 150,
        "released": false, "addresses": addresses, "addresses_wanted": held, "addresses_held": held,
        "other_master": null, "trackers": [{"name": "interface eth1", "good": true}], "complaints": [],
    })
}

fn pool(name: &str, servers: &[Value]) -> Value {
    let (all, up) = (servers.len(), servers.iter().filter(|server| server["up"] == true).count());
    json!({
        "name": name, "up": up * 2 >= all, "servers": all, "servers_up": up, "weight": all, "weight_up": up,
        "in_rotation": up, "panic": false, "sorry": up == 0, "frozen": false, "virtual_services": [], "real_servers": servers,
    })
}

fn server(name: &str, address: &str, failure: Option<&str>) -> Value {
    json!({
        "name": name, "address": address, "up": failure.is_none(), "checked": true,
        "in_rotation": failure.is_none(), "decided_by": "verdict", "ordered": null, "weight_configured": 10,
        "weight_effective": if failure.is_none() { 10 } else { 0 }, "active_connections": if failure.is_none() { 214 } else { 0 },
        "last_change_ms": UPTIME - 3 * MINUTE, "reason": "the check fails", "last_failure": failure,
    })
}

fn peer(up: bool, roles: &[(&str, &str)]) -> Value {
    let routers: Vec<Value> = roles
        .iter()
        .map(|(name, role)| {
            let held = u32::from(*role == "master") * 2;
            json!({"name": name, "role": role, "addresses_wanted": held, "addresses_held": held})
        })
        .collect();
    let report = json!({"ready": true, "pools": 17, "pools_up": 15, "routers": routers});
    json!({
        "name": "lb-b", "up": up, "last_heard_ms_ago": if up { 40 } else { 252_000 },
        "channel": {"up": up, "fault": null, "policy_match": up.then_some(true), "table_match": up.then_some(true), "report": report},
    })
}

pub(crate) fn event(id: u64, ago: u64, severity: &str, director: &str, message: &str) -> Value {
    json!({
        "id": id, "unix_ms": now() - ago, "at_ms": UPTIME - ago, "kind": "server", "severity": severity, "director": director,
        "reason": "x", "message": message, "pool": null, "server": null, "router": null,
    })
}

fn healthy() -> Vec<Value> {
    let names = [
        "accounts", "assets", "auth", "billing", "blog", "cart", "docs", "feed", "mail", "media", "search",
        "stock", "taxes", "wiki",
    ];
    let servers: Vec<Value> =
        (1..=8).map(|n| server(&format!("s{n}"), &format!("10.20.4.{n}:80"), None)).collect();
    names.iter().map(|name| pool(name, &servers)).collect()
}

fn status(yes: bool, because: &str, routers: &[Value], peers: &[Value], pools: &[Value]) -> Value {
    json!({
        "status_version": 1, "version": "0.1.0", "director": "lb-a", "started_unix_ms": now() - UPTIME, "uptime_ms": UPTIME,
        "age_ms": 180, "policy_generation": 42, "ready": true, "awaits": null,
        "safe_to_fail_over": {"yes": yes, "because": because}, "routers": routers, "peers": peers, "pools": pools,
        "addresses": [], "overrides": [],
    })
}

const OUTSIDE: [&str; 2] = ["192.168.101.100/24", "2001:db8::100/64"];
const INSIDE: [&str; 1] = ["10.20.0.1/24"];

fn both_routers() -> [Value; 2] {
    [
        router("outside", "master", 3 * MINUTE, "no Master was heard for a down interval", &OUTSIDE),
        router("inside", "master", 3 * MINUTE, "no Master was heard for a down interval", &INSIDE),
    ]
}

/// All is well.
pub(crate) fn calm() -> Value {
    let peers = [peer(true, &[("outside", "backup"), ("inside", "backup")])];
    let status = status(true, "lb-b was heard 40 ms ago", &both_routers(), &peers, &healthy());
    json!({"status": status, "events": [event(1, 4 * MINUTE, "info", "lb-b", "policy 42 is in force")]})
}

/// A switch of a rack has died: a rack of servers is gone, and the directors do not hear each other on the inside.
pub(crate) fn incident() -> Value {
    let refused = Some("no answer to the connection: timed out after 1 s");
    let shop: Vec<Value> =
        (1..=12).map(|n| server(&format!("shop{n}"), &format!("10.20.1.{n}:8080"), refused)).collect();
    let web: Vec<Value> = (1..=40)
        .map(|n| {
            server(
                &format!("web{n}"),
                &format!("10.20.{}.{}:8080", if n <= 28 { 1 } else { 2 }, 100 + n),
                refused.filter(|_| n <= 28),
            )
        })
        .collect();
    let api: Vec<Value> = (1..=4)
        .map(|n| {
            server(
                &format!("api{n}"),
                &format!("10.20.3.{n}:443"),
                (n == 2).then_some("HTTP status 503 instead of 200-299"),
            )
        })
        .collect();
    let pools = [vec![pool("api", &api), pool("shop", &shop), pool("web", &web)], healthy()].concat();
    let peers = [peer(true, &[("outside", "backup"), ("inside", "master")])];
    let because = "another Master is heard for inside, which does not give way";
    let mut status = status(false, because, &both_routers(), &peers, &pools);
    status["overrides"] = json!([
        {"id": "7", "kind": "drain", "pool": null, "server": "web3", "weight": null, "by": "token ops at 10.0.0.9",
         "reason": "disk is swapped", "director": "lb-a", "set_unix_ms": now() - 47 * MINUTE, "until_unix_ms": now() + 73 * MINUTE},
        {"id": "5", "kind": "freeze", "pool": "billing", "server": null, "weight": null, "by": "user 1000, process 4711",
         "reason": null, "director": "lb-b", "set_unix_ms": now() - 26 * 60 * MINUTE, "until_unix_ms": null},
    ]);
    let events = [
        event(31, 20_000, "warning", "lb-a", "api/api2 is down: HTTP status 503 instead of 200-299"),
        event(
            30,
            2 * MINUTE,
            "error",
            "lb-a",
            "shop is down: 0 of 12 servers are up; the sorry server answers",
        ),
        event(29, 2 * MINUTE + 400, "error", "lb-a", "web is below its quorum: 12 of 40 servers are up"),
        event(12, 3 * MINUTE, "error", "lb-b", "inside: another Master is heard from 10.20.0.2"),
        event(
            28,
            3 * MINUTE,
            "warning",
            "lb-a",
            "inside becomes Master: no Master was heard for a down interval",
        ),
        event(
            27,
            3 * MINUTE,
            "warning",
            "lb-a",
            "outside becomes Master: no Master was heard for a down interval",
        ),
        event(26, 4 * MINUTE, "info", "lb-a", "web/web7 is up"),
        event(11, 12 * MINUTE, "info", "lb-b", "policy 42 is in force: reload"),
        event(25, 12 * MINUTE, "info", "lb-a", "policy 42 is in force: reload"),
    ];
    json!({"status": status, "events": events})
}

/// The other director is gone.
pub(crate) fn survivor() -> Value {
    let status =
        status(false, "lb-b was last heard 252000 ms ago", &both_routers(), &[peer(false, &[])], &healthy());
    json!({"status": status, "events": [event(9, 4 * MINUTE, "error", "lb-a", "lb-b is not heard any more")]})
}

/// Nobody holds the addresses.
pub(crate) fn nobody() -> Value {
    let routers = [
        router("outside", "fault", MINUTE, "bad: interface eth1", &OUTSIDE),
        router("inside", "backup", MINUTE, "10.20.0.2 is Master with priority 200", &INSIDE),
    ];
    let peers = [peer(true, &[("outside", "fault"), ("inside", "master")])];
    let status =
        status(false, "outside is in Fault here (bad: interface eth1)", &routers, &peers, &healthy());
    json!({"status": status, "events": []})
}

/// The event loop stands still.
pub(crate) fn old() -> Value {
    let mut scene = calm();
    scene["status"]["age_ms"] = json!(64_000);
    scene
}

/// This director has just taken over as it was planned; the last word of the Master before it is still in the air.
pub(crate) fn handed_over() -> Value {
    let mut scene = calm();
    let router = &mut scene["status"]["routers"][0];
    router["since_ms"] = json!(UPTIME - 900);
    router["other_master"] = json!({"address": "192.168.101.201", "heard_ms_ago": 800});
    scene
}

/// A director that is alone with its addresses, one of which cannot be added.
pub(crate) fn lone() -> Value {
    let held = |address: &str, interface: &str, because: Option<&str>| {
        json!({
            "address": address, "interface": interface, "held": because.is_none(), "since_ms": UPTIME - 2 * MINUTE,
            "because": because,
        })
    };
    let mut scene = bare();
    scene["status"]["addresses"] = json!([
        held("192.168.101.100/24", "eth0", None),
        held("192.168.101.101/24", "eth0", None),
        held(
            "10.20.0.1/24",
            "eth9",
            Some(
                "address 10.20.0.1/24: there is no interface eth9 in this network namespace; there are lo, eth0"
            )
        ),
    ]);
    scene
}

/// Fifty pools of forty servers, half of which have a failure.
pub(crate) fn large() -> Value {
    let failure = "HTTP status 503 instead of 200-299";
    let servers = |pool: u64| -> Vec<Value> {
        let fails = |n: u64| (pool % 2 == 0 && n % 20 == 0).then_some(failure);
        (1..=40).map(|n| server(&format!("s{n}"), &format!("10.{pool}.{n}.1:80"), fails(n))).collect()
    };
    let pools: Vec<Value> = (0..50).map(|n| pool(&format!("pool{n:02}"), &servers(n))).collect();
    let mut scene = calm();
    scene["status"]["pools"] = json!(pools);
    scene
}

/// A director that is alone, of a version without events.
pub(crate) fn bare() -> Value {
    let mut status =
        status(false, "this director has no virtual routers: it holds its addresses alone", &[], &[], &[]);
    status["director"] = Value::Null;
    let fields = status.as_object_mut().expect("an object");
    fields.remove("overrides");
    fields.remove("addresses");
    json!({"status": status})
}

/// Every text that comes from somebody else wants to be markup.
pub(crate) fn hostile() -> Value {
    let evil = "<img src=x onerror=\"window.harmed=1\"><b>x</b><script>window.harmed=1</script>";
    let mut scene = incident();
    let status = &mut scene["status"];
    status["safe_to_fail_over"]["because"] = json!(evil);
    status["routers"][0]["because"] = json!(evil);
    status["overrides"][0]["reason"] = json!(evil);
    status["overrides"][0]["by"] = json!(evil);
    for server in status["pools"][1]["real_servers"].as_array_mut().expect("servers") {
        server["last_failure"] = json!(evil);
    }
    scene["events"][0]["message"] = json!(evil);
    scene
}
