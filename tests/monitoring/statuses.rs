//! The exit statuses of commands that ask a director, of the real binary: done, failed, drained too late, refused by a guard; and
//! the four of a monitoring plug-in. (Those that need no director: tests/statuses.rs.)

use crate::prometheus::pace;
use crate::site::Site;
use crate::world::wait::until;
use std::process::Output;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);
const WEB1: [&str; 2] = ["--server", "web1"];

/// Asks the first director.
#[track_caller]
fn assert_ends(site: &Site, arguments: &[&str], status: i32, word: &str) {
    let output = site.ask(0, arguments);
    assert_output(&output, arguments, status, word);
}

#[track_caller]
fn assert_output(output: &Output, arguments: &[&str], status: i32, word: &str) {
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    assert!(said.contains(word), "{arguments:?}: {word} in {said}");
}

/// Waits for the answer of the plug-in.
#[track_caller]
fn answers(site: &Site, status: i32, word: &str) {
    until(&format!("{word} of status --check"), LIMIT * pace(), || {
        let output = site.ask(0, &["status", "--check"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let fits = output.status.code() == Some(status) && said.starts_with(&format!("TANDEM {word} - "));
        if fits { Ok(()) } else { Err(said) }
    });
}

#[test]
fn orders_end_with_what_came_of_them() {
    let site = Site::new();
    for arguments in [&["weight", "5"][..], &["force-up"], &["disable"], &["drain"]] {
        assert_ends(&site, &[arguments, &WEB1].concat(), 0, "web1");
    }
    for arguments in [&["overrides"][..], &["clear", "--overrides"], &["clear"]] {
        assert_ends(&site, arguments, 0, "");
    }
    assert_ends(&site, &["freeze", "web"], 0, "web");
    assert_ends(&site, &["clear", "--pool", "web"], 0, "");
    for arguments in [
        &["freeze", "unknown"][..],
        &["disable", "--server", "unknown"],
        &["clear", "--id", "unknown"],
        &["explain", "unknown"],
        &["release", "unknown"],
    ] {
        assert_ends(&site, arguments, 1, "unknown");
    }
    for arguments in [&["drain"][..], &["disable"]] {
        assert_ends(&site, &[arguments, &["--pool", "web"]].concat(), 6, "web");
    }
    // Connections that never end; a server that the kernel does not have yet has none.
    until("both servers in the table", Duration::from_secs(20), || {
        let web = site.pool(0, "web");
        let servers = web["real_servers"].as_array().into_iter().flatten();
        let held = servers.filter(|server| server["weight_in_kernel"].as_u64() > Some(0)).count();
        if held == 2 { Ok(()) } else { Err(format!("{held} of them")) }
    });
    assert_ends(&site, &["drain", "--wait", "--pool", "web", WEB1[0], WEB1[1]], 4, "connections left");
    assert_ends(&site, &["disable", "--pool", "web", "--force"], 0, "");
    for arguments in
        [&["status"][..], &["status", "--json"], &["events"], &["explain", "web", "web1"], &["history"]]
    {
        assert_ends(&site, arguments, 0, "");
    }
}

#[test]
fn reloads_end_with_what_came_of_them() {
    let site = Site::new();
    assert_ends(&site, &["confirm"], 6, "no policy waits to be confirmed");
    assert_ends(&site, &["rollback"], 6, "no policy to go back to");
    let output = site.reload(0, "policy_version: 1", "policy_version: one");
    assert_output(&output, &["reload"], 1, "policy_version");
    // Every server of a pool that serves would be new, and down to begin with.
    let output = site.reload(0, "policy_version: one", "policy_version: 1\n# as before");
    assert_output(&output, &["reload"], 0, "");
    let output = site.reload(
        0,
        "real_servers: [192.168.101.110:8443]\n    check: pay",
        "real_servers: [192.168.101.99:8443]\n    check: pay",
    );
    assert_output(&output, &["reload"], 6, "api");
    assert_ends(&site, &["reload", "--force"], 0, "");
    assert_ends(&site, &["rollback"], 0, "");
    assert_ends(&site, &["reload", "--force", "--confirm", "30s"], 0, "");
    assert_ends(&site, &["confirm"], 0, "");
}

#[test]
fn a_release_ends_with_who_is_master_and_a_monitoring_system_is_told_how_it_stands() {
    let mut site = Site::new();
    answers(&site, 0, "OK");
    site.set_server(1, false);
    answers(&site, 1, "WARNING");
    site.set_server(0, false);
    answers(&site, 2, "CRITICAL");
    [0, 1].into_iter().for_each(|server| site.set_server(server, true));
    answers(&site, 0, "OK");
    assert_ends(&site, &["release"], 0, "handed over; 192.168.101.201 is Master");
    answers(&site, 1, "WARNING");
    assert_ends(&site, &["clear"], 0, "");
    answers(&site, 0, "OK");
    // A user who may not ask learns nothing of the director.
    let forbidden = site.ask_as_nobody(0, &["status", "--check"]);
    assert_output(&forbidden, &["status", "--check"], 3, "TANDEM UNKNOWN - ");
    assert_output(&site.ask_as_nobody(0, &["status"]), &["status"], 1, "");
    // Nobody is left who could take over.
    site.directors[1] = None;
    answers(&site, 1, "WARNING");
    assert_ends(&site, &["release"], 6, "");
}
