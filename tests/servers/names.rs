//! dnsmasq and Unbound, and the dns probe.

use crate::host::{ADDRESS, Host};
use crate::world::process::Process;
use nix::sys::signal::Signal;
use std::time::Duration;

const PORT: u16 = 53;
const LIMIT: Duration = Duration::from_secs(10);

/// dnsmasq, which answers for these names and knows nobody else to ask.
fn dnsmasq(host: &Host, names: &[&str]) -> Process {
    let own = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--user=root",
        "--pid-file=",
    ];
    host.start("dnsmasq", &[&own, names].concat())
}

#[test]
fn a_dnsmasq_that_gives_the_right_address_is_up() {
    let host = Host::new();
    host.fails("dns: {name: www.example.com}", PORT, "connection_refused", "refused");
    let mut server = dnsmasq(
        &host,
        &[
            "--address=/www.example.com/192.0.2.1",
            "--address=/www.example.com/2001:db8::1",
            "--local=/example.com/",
            "--mx-host=example.com,mail.example.com,10",
            "--txt-record=example.com,v=spf1 -all",
        ],
    );
    host.comes_up("dns: {name: www.example.com}", PORT);
    for kind in [
        "dns: {name: WWW.example.com., answer: 192.0.2.1}",
        "dns: {name: www.example.com, protocol: tcp, answer: [192.0.2.1]}",
        "dns: {name: www.example.com, type: AAAA, answer: \"2001:db8::1\"}",
        "dns: {name: example.com, type: MX, answer: \"10 Mail.Example.com.\"}",
        "dns: {name: example.com, type: TXT, answer: \"v=spf1 -all\"}",
        "dns: {name: gone.example.com, rcode: NXDOMAIN}",
    ] {
        host.succeeds(kind, PORT);
    }
    let wrong = "dns: {name: www.example.com, answer: [192.0.2.2]}";
    host.fails(wrong, PORT, "unexpected_reply", "192.0.2.1, without 192.0.2.2");
    host.fails("dns: {name: gone.example.com}", PORT, "unexpected_reply", "NXDOMAIN");
    host.fails("dns: {name: www.example.org}", PORT, "unexpected_reply", "REFUSED");
    server.signal(Signal::SIGSTOP);
    host.comes_to_fail("dns: {name: www.example.com}", PORT, "timeout", "waiting for the reply");
    host.fails("dns: {name: www.example.com, protocol: tcp}", PORT, "timeout", "waiting for the reply");
    server.signal(Signal::SIGCONT);
    server.stop(LIMIT);
    // Awake again it has begun a process for the connection that waited, and that one has the port for a moment longer.
    host.comes_to_fail("dns: {name: www.example.com, protocol: tcp}", PORT, "connection_refused", "refused");
}

#[test]
fn an_answer_that_does_not_fit_a_datagram_is_had_over_tcp() {
    let host = Host::new();
    let text = |letter: &str| letter.repeat(240);
    let records: Vec<String> =
        ["a", "b", "c"].map(|letter| format!("--txt-record=big.example.com,{}", text(letter))).into();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let _server = dnsmasq(&host, &records);
    for letter in ["a", "b", "c"] {
        host.comes_up(&format!("dns: {{name: big.example.com, type: TXT, answer: {}}}", text(letter)), PORT);
    }
}

#[test]
fn an_unbound_that_cannot_resolve_says_so() {
    let host = Host::new();
    let configuration = host.write(
        "unbound.conf",
        &format!(
            "server:\n  interface: {ADDRESS}\n  username: \"\"\n  chroot: \"\"\n  directory: \"{}\"\n  pidfile: \"{}\"\n  \
             use-syslog: no\n  do-daemonize: no\n  module-config: \"iterator\"\n  access-control: 0.0.0.0/0 allow\n  \
             do-not-query-localhost: no\n  local-zone: \"example.com.\" static\n  local-data: \"www.example.com. A 192.0.2.1\"\n\
             forward-zone:\n  name: \".\"\n  forward-addr: {ADDRESS}@9\n",
            host.text(""),
            host.text("unbound.pid"),
        ),
    );
    let _server = host.start("unbound", &["-d", "-c", &configuration]);
    host.comes_up("dns: {name: www.example.com, answer: 192.0.2.1}", PORT);
    host.succeeds("dns: {name: www.example.com, protocol: tcp, answer: 192.0.2.1}", PORT);
    host.succeeds("dns: {name: gone.example.com, rcode: [NXDOMAIN]}", PORT);
    // Nobody answers where it would ask.
    host.comes_to_fail("dns: {name: www.example.org}", PORT, "unexpected_reply", "SERVFAIL");
    host.succeeds("dns: {name: www.example.org, rcode: [NOERROR, SERVFAIL]}", PORT);
}
