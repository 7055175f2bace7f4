//! Memcached and a time server, and the udp probe.

use crate::host::{ADDRESS, Host};
use nix::sys::signal::Signal;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);
/// A frame of memcached's UDP protocol (request 1, datagram 0 of 1) and the command in it.
const VERSION: &str = "{hex: \"0001 0000 0001 0000 76657273696f6e 0d0a\"}";
/// Mode 3 (client), version 4: conf/tandem.yaml shows the same.
fn time_request() -> String {
    format!("{{hex: 23{}}}", "00".repeat(47))
}

#[test]
fn a_memcached_that_answers_a_datagram_is_up() {
    const PORT: u16 = 11_211;
    let host = Host::new();
    let known = format!("udp: {{send: {VERSION}, expect: \"VERSION 1.\"}}");
    let wrong = format!("udp: {{send: {VERSION}, expect: {{regex: \"VERSION 0\"}}}}");
    let kindly = format!("udp: {{send: {VERSION}, on_silence: up}}");
    // Nothing listens: the kernel's ICMP error counts, whatever silence means.
    for kind in [known.as_str(), "udp: {}", &kindly] {
        host.fails(kind, PORT, "connection_refused", "refused");
    }
    let mut server = host.start("memcached", &["-u", "nobody", "-l", ADDRESS, "-p", "11211", "-U", "11211"]);
    host.comes_up(&known, PORT);
    host.succeeds("tcp: {send: \"version\\r\\n\", expect: {regex: \"^VERSION [0-9.]+\\r\\n$\"}}", PORT);
    host.fails(&wrong, PORT, "unexpected_reply", "bytes 00 01 00 00 00 01 00 00 56 45");
    server.signal(Signal::SIGSTOP);
    host.comes_to_fail(&known, PORT, "timeout", "waiting for the reply");
    host.succeeds(&kindly, PORT);
    server.signal(Signal::SIGCONT);
    host.comes_up(&known, PORT);
    server.stop(LIMIT);
    host.fails(&kindly, PORT, "connection_refused", "refused");
}

#[test]
fn a_time_server_is_up_when_its_clock_is_synchronised() {
    const PORT: u16 = 123;
    let kind =
        format!("udp: {{send: {}, expect: {{regex: \"(?-u)^[\\\\x24\\\\x64\\\\xa4]\"}}}}", time_request());
    let server = |host: &Host, line: &str| {
        let configuration = format!(
            "{line}\nallow\ncmdport 0\nbindcmdaddress {}\npidfile {}\n",
            host.text("command"),
            host.text("chronyd.pid")
        );
        let path = host.write("chrony.conf", &configuration);
        host.start("chronyd", &["-x", "-d", "-u", "root", "-f", &path])
    };
    let host = Host::new();
    let _server = server(&host, "local stratum 8");
    host.comes_up(&kind, PORT);
    let host = Host::new();
    let _server = server(&host, "");
    host.comes_to_fail(&kind, PORT, "unexpected_reply", "bytes e4");
}

#[test]
fn a_routers_word_that_the_server_cannot_be_reached_is_no_silence() {
    let (host, _router) = Host::behind_a_lost_router();
    for kind in ["udp: {}", "udp: {send: \"ping\", on_silence: up}", "dns: {name: www.example.com}"] {
        // A router says it a few times a second at most.
        host.comes_to_fail(kind, 53, "unreachable", "no route to the host");
    }
}
