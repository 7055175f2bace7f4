//! PostgreSQL, and the preset for it.

use crate::host::{ADDRESS, Host};
use crate::world::process::Process;
use crate::world::wait::until_true;
use nix::sys::signal::Signal;
use std::fs;
use std::process::Command;
use std::time::Duration;

const PORT: u16 = 5432;
const LIMIT: Duration = Duration::from_secs(30);
/// A user that does not exist: the server asks for its password all the same, so as not to tell.
const STRANGER: &str = "tcp: {postgresql: {user: stranger}}";
/// A user that gets in without a password.
const TRUSTED: &str = "tcp: {postgresql: {user: trusted, database: postgres}}";

/// A program of the newest PostgreSQL here: Debian keeps each version in a folder of its own.
fn program(name: &str) -> String {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL");
    let paths = versions.map(|version| version.expect("a folder").path().join("bin").join(name));
    let newest = paths.filter(|path| path.exists()).max().expect("the program");
    newest.to_str().expect("a plain path").to_owned()
}

/// A new database.
fn prepare(host: &Host) -> String {
    let data = host.folder_of_nobody("data");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--", &program("initdb")]);
    command.args(["-D", &data, "--no-locale", "--encoding=UTF8", "--username=postgres", "--no-sync"]);
    command.args(["--auth-local=trust", "--auth-host=scram-sha-256"]).current_dir("/");
    let output = host.namespace().output(&mut command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let access = host.path("data/pg_hba.conf");
    let others = fs::read_to_string(&access).expect("the rules of access");
    let rules = format!("host all trusted all trust\nhost all all {ADDRESS}/32 scram-sha-256\n{others}");
    fs::write(&access, rules).expect("the rules of access");
    data
}

fn start(host: &Host, data: &str, settings: &[&str]) -> Process {
    let own = ["-D", data, "-h", ADDRESS, "-k", data, "-c", "log_connections=on"];
    let settings = settings.iter().flat_map(|setting| ["-c", *setting]);
    host.start_as_nobody(&program("postgres"), &own.into_iter().chain(settings).collect::<Vec<_>>())
}

/// A session that sleeps; it ends with its handle.
fn session(host: &Host, data: &str) -> Process {
    host.start(&program("psql"), &["-h", data, "-U", "postgres", "-c", "select pg_sleep(100)", "postgres"])
}

fn sessions(host: &Host) -> usize {
    host.log().matches("connection authorized: user=postgres").count()
}

#[test]
fn a_postgresql_that_asks_for_a_password_is_up_and_logs_no_error() {
    let host = Host::new();
    let data = prepare(&host);
    let mut server = start(&host, &data, &[]);
    host.comes_up(STRANGER, PORT);
    let to_database = ["-h", &data, "-U", "postgres", "postgres"];
    host.namespace().run_with_input(&program("psql"), &to_database, "create role trusted login;\n");
    for _ in 0..3 {
        host.succeeds(STRANGER, PORT);
        host.succeeds(TRUSTED, PORT);
    }
    host.fails(
        "tcp: {postgresql: {user: trusted, database: nowhere}}",
        PORT,
        "server_error",
        "FATAL: database \"nowhere\" does not exist",
    );
    let bad: Vec<String> = host
        .log()
        .lines()
        .filter(|line| {
            ["ERROR", "could not", "unexpected EOF", "reset"].iter().any(|word| line.contains(word))
        })
        .map(str::to_owned)
        .collect();
    assert!(bad.is_empty(), "the server complains of probes: {bad:?}");
    server.signal(Signal::SIGINT);
    server.wait_until_ended(LIMIT);
    host.fails(STRANGER, PORT, "connection_refused", "refused");
}

#[test]
fn a_postgresql_that_starts_up_is_down_in_its_own_words() {
    let host = Host::new();
    let data = prepare(&host);
    // A replica that waits for what its primary has written.
    fs::write(host.path("data/standby.signal"), "").expect("a file");
    let _server = start(&host, &data, &["restore_command=sleep 100; false", "hot_standby=on"]);
    host.comes_to_fail(STRANGER, PORT, "server_error", "FATAL: the database system is starting up");
}

#[test]
fn a_postgresql_without_a_place_left_is_down_in_its_own_words() {
    let host = Host::new();
    let data = prepare(&host);
    let settings = ["max_connections=2", "superuser_reserved_connections=0", "max_wal_senders=0"];
    let _server = start(&host, &data, &settings);
    host.comes_up(STRANGER, PORT);
    let places = [session(&host, &data), session(&host, &data)];
    host.comes_to_fail(STRANGER, PORT, "server_error", "FATAL: sorry, too many clients already");
    drop(places);
}

#[test]
fn a_postgresql_that_shuts_down_is_down_in_its_own_words() {
    let host = Host::new();
    let data = prepare(&host);
    let server = start(&host, &data, &[]);
    host.comes_up(STRANGER, PORT);
    let _session = session(&host, &data);
    until_true("a session", LIMIT, || sessions(&host) > 0);
    // It waits for the session, and lets nobody else in.
    server.signal(Signal::SIGTERM);
    host.comes_to_fail(STRANGER, PORT, "server_error", "FATAL: the database system is shutting down");
}
