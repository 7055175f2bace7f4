//! Redis, and the preset for it.

use crate::host::Host;
use crate::world::process::Process;
use nix::sys::signal::Signal;
use std::time::Duration;

const PORT: u16 = 6379;
const STOP_LIMIT: Duration = Duration::from_secs(10);

fn server(host: &Host, options: &[&str]) -> Process {
    let folder = host.text("");
    let own = ["--port", "6379", "--dir", &folder, "--protected-mode", "no", "--enable-debug-command", "yes"];
    host.start("redis-server", &[&own, options].concat())
}

/// Runs a command of the server's own client.
#[track_caller]
fn command(host: &Host, line: &str) {
    host.namespace().run(&format!("redis-cli -h {} {line}", crate::host::ADDRESS));
}

#[test]
fn a_redis_that_answers_is_up_and_one_that_has_stopped_is_down() {
    let host = Host::new();
    host.fails("tcp: {redis: {}}", PORT, "connection_refused", "refused");
    let mut server = server(&host, &["--save", ""]);
    host.comes_up("tcp: {redis: {}}", PORT);
    host.succeeds("tcp: {send: \"PING\\r\\n\", expect: \"+PONG\"}", PORT);
    host.succeeds("tcp: {send: {hex: \"50 49 4e 47 0d 0a\"}, expect: {regex: \"^.PONG\\r\\n$\"}}", PORT);
    host.fails(
        "tcp: {send: \"ECHO\\r\\n\", expect: \"+PONG\"}",
        PORT,
        "unexpected_reply",
        "-ERR wrong number of arguments",
    );
    server.signal(Signal::SIGSTOP);
    host.comes_to_fail("tcp: {redis: {}}", PORT, "timeout", "waiting for the reply");
    server.signal(Signal::SIGCONT);
    host.comes_up("tcp: {redis: {}}", PORT);
    server.stop(STOP_LIMIT);
    host.fails("tcp: {redis: {}}", PORT, "connection_refused", "refused");
}

#[test]
fn a_redis_that_still_loads_its_data_is_down_in_its_own_words() {
    let host = Host::new();
    let mut first = server(&host, &["--save", ""]);
    host.comes_up("tcp: {redis: {}}", PORT);
    command(&host, "debug populate 2000");
    command(&host, "save");
    first.stop(STOP_LIMIT);
    // 2,000 keys of 5 ms each: ten seconds. It answers in between, every 1 KiB that it has read.
    let slowly = ["--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024"];
    let _second = server(&host, &slowly);
    host.comes_to_fail("tcp: {redis: {}}", PORT, "server_error", "LOADING");
    host.comes_up("tcp: {redis: {}}", PORT);
}

#[test]
fn a_replica_that_has_lost_its_master_and_says_so_is_down() {
    let host = Host::new();
    let _server = server(&host, &["--save", "", "--replica-serve-stale-data", "no"]);
    host.comes_up("tcp: {redis: {}}", PORT);
    command(&host, "replicaof 192.168.101.110 9");
    host.comes_to_fail("tcp: {redis: {}}", PORT, "server_error", "MASTERDOWN");
    command(&host, "replicaof no one");
    host.comes_up("tcp: {redis: {}}", PORT);
}

#[test]
fn a_redis_with_a_password_wants_it_from_a_file() {
    let host = Host::new();
    let _server = server(&host, &["--save", "", "--requirepass", "s3cret word"]);
    host.write("password", "s3cret word\n");
    host.write("wrong", "another\n");
    host.comes_up("tcp: {redis: {password: {file: password}}}", PORT);
    host.fails("tcp: {redis: {}}", PORT, "server_error", "NOAUTH");
    host.fails("tcp: {redis: {}}", PORT, "server_error", "`password`");
    host.fails("tcp: {redis: {password: {file: wrong}}}", PORT, "server_error", "WRONGPASS");
}
