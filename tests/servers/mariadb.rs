//! MariaDB, and the preset for it.

use crate::host::{ADDRESS, Host};
use crate::world::process::Process;
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

const PORT: u16 = 3306;
const STOP_LIMIT: Duration = Duration::from_secs(30);
const CHECK: &str = "tcp: {mysql: {user: check}}";
const NAMELESS: &str = "tcp: {mysql: {}}";

/// A new database with a user `check`; and these options.
fn server(host: &Host, options: &[&str]) -> Process {
    let data = host.text("data");
    let data = format!("--datadir={data}");
    host.namespace().run(&format!(
        "mariadb-install-db --no-defaults {data} --auth-root-authentication-method=normal --skip-test-db --user=root"
    ));
    let socket = format!("--socket={}", host.text("socket"));
    let own = ["--no-defaults", &data, "--user=root", "--port=3306", &socket, "--log-warnings=2"];
    let process = host.start("mariadbd", &[&own, options].concat());
    // A server greets before anybody may enter; the first probe that is answered at all says that it has started.
    host.comes_to_fail(CHECK, PORT, "server_error", "is not allowed to connect to this MariaDB server");
    statement(host, "create user 'check'@'%'");
    process
}

/// Runs SQL as the database's administrator; what it answers.
#[track_caller]
fn statement(host: &Host, statement: &str) -> String {
    let socket = format!("--socket={}", host.text("socket"));
    let options = ["--no-defaults", &socket, "--user=root", "--skip-column-names", "--batch"];
    host.namespace().run_with_input("mariadb", &options, statement)
}

/// Connections that the server gave up before they were in.
fn aborted(host: &Host) -> String {
    statement(host, "show global status like 'Aborted_connects%'")
}

#[test]
fn a_mariadb_that_lets_the_user_in_is_up_and_counts_no_error() {
    let host = Host::new();
    let mut server = server(&host, &["--max-connect-errors=2"]);
    host.fails("tcp: {mysql: {user: nobody}}", PORT, "server_error", "Access denied for user 'nobody'");
    let (before, logged) = (aborted(&host), host.log().len());
    for _ in 0..6 {
        host.succeeds(CHECK, PORT);
    }
    assert_eq!(aborted(&host), before, "each probe was a whole session");
    let log = host.log();
    assert!(!log[logged..].contains("Aborted connection"), "{log}");
    server.signal(Signal::SIGSTOP);
    host.comes_to_fail(CHECK, PORT, "timeout", "waiting for the greeting");
    server.signal(Signal::SIGCONT);
    host.comes_up(CHECK, PORT);
    server.stop(STOP_LIMIT);
    host.fails(CHECK, PORT, "connection_refused", "refused");
}

#[test]
fn a_probe_without_a_user_is_blocked_in_time_as_the_warning_says() {
    // The server keeps account of hosts that have a name, and the lab has no name server.
    let mut names = File::options().append(true).open("/etc/hosts").expect("the lab's own file");
    writeln!(names, "{ADDRESS} director.example.com").expect("a line more");
    let host = Host::new();
    let _server = server(&host, &["--max-connect-errors=2"]);
    host.succeeds(NAMELESS, PORT);
    host.comes_to_fail(NAMELESS, PORT, "server_error", "is blocked because of many connection errors");
    host.fails(CHECK, PORT, "server_error", "(error 1129)");
}

#[test]
fn a_mariadb_without_a_place_left_is_down_in_its_own_words() {
    let host = Host::new();
    let _server = server(&host, &["--max-connections=10"]);
    host.succeeds(CHECK, PORT);
    let connect = || TcpStream::connect((ADDRESS, PORT)).expect("a connection");
    let places: Vec<TcpStream> = host.namespace().inside(|| (0..12).map(|_| connect()).collect());
    host.comes_to_fail(CHECK, PORT, "server_error", "Too many connections (error 1040)");
    drop(places);
    host.comes_up(CHECK, PORT);
}
