//! Real servers by the ten thousand: one nginx that answers on every address of `10.0.0.0/9`, which the kernel of its
//! namespace holds as local. What it was asked is counted by that kernel and by nginx, and not by who asks.

use crate::world::http;
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use crate::world::wait::until;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// All of it is local where nginx runs.
pub(crate) const NETWORK: &str = "10.0.0.0/9";
/// Where nginx tells its own count.
const COUNT_PORT: u16 = 8081;
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Servers {
    nginx: Process,
}

/// What the servers were asked since they started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// Connections that were accepted (`PassiveOpens` of the kernel).
    pub(crate) connections: u64,
    /// HTTP requests (nginx's `stub_status`).
    pub(crate) requests: u64,
}

/// The address of a real server: `10.1.0.0` and on.
pub(crate) fn address(number: usize) -> Ipv4Addr {
    let number = u32::try_from(number).expect("a number of servers");
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + number)
}

impl Servers {
    /// Makes the network local in `namespace` and starts nginx there.
    pub(crate) fn start(namespace: &Namespace, folder: &Path) -> Self {
        namespace.ip(&format!("route add local {NETWORK} dev lo"));
        namespace.sysctl(&[("net.core.somaxconn", "65535"), ("net.ipv4.tcp_max_syn_backlog", "65535")]);
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration(folder)).expect("a configuration");
        let arguments = ["-c", file.to_str().expect("a plain path"), "-p", "/tmp", "-e", "stderr"];
        let nginx = Process::start(namespace, "nginx", &arguments, &folder.join("nginx.log"));
        let servers = Self { nginx };
        until("web server", LIMIT, || {
            namespace.inside(|| http::connect((address(0), 80).into(), LIMIT)).map(drop)
        });
        servers
    }

    /// What was asked so far. The question itself is one connection and one request more.
    pub(crate) fn asked(&self, namespace: &Namespace) -> Asked {
        let text = namespace
            .inside(|| fs::read_to_string("/proc/thread-self/net/snmp"))
            .expect("the kernel's counters");
        let connections = counter(&text, "Tcp:", "PassiveOpens").expect("PassiveOpens");
        let place = SocketAddr::from((Ipv4Addr::LOCALHOST, COUNT_PORT));
        let status = namespace.fetch(place, "/").unwrap_or_else(|error| {
            panic!("nginx tells no count: {error}: {}", self.nginx.log());
        });
        // The third line: accepted, handled, requests.
        let numbers = status.lines().nth(2).expect("three numbers");
        let requests = numbers.split_whitespace().nth(2).and_then(|word| word.parse().ok());
        Asked { connections, requests: requests.expect("a number of requests") }
    }
}

impl Asked {
    /// What others asked from `earlier` on: the question before counts to neither, its own request to this one.
    pub(crate) const fn since(self, earlier: Self) -> Self {
        Self {
            connections: self.connections.saturating_sub(earlier.connections + 1),
            requests: self.requests.saturating_sub(earlier.requests + 1),
        }
    }
}

/// A value of `/proc/net/snmp`: a line of names, and below it a line of numbers.
fn counter(text: &str, protocol: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(protocol));
    let place = lines.next()?.split_whitespace().position(|word| word == name)?;
    lines.next()?.split_whitespace().nth(place)?.parse().ok()
}

/// One process; it keeps connections open as long as it is asked to.
fn configuration(folder: &Path) -> String {
    format!(
        "daemon off; master_process off; user root; error_log stderr error; pid {}/nginx.pid;
worker_rlimit_nofile 131072;
events {{ worker_connections 65536; multi_accept on; }}
http {{
    access_log off; default_type text/plain; tcp_nodelay on;
    keepalive_timeout 1h; keepalive_requests 1000000; reset_timedout_connection on;
    server {{ listen 80 backlog=65535; location / {{ return 200 'well\\n'; }} }}
    server {{ listen 127.0.0.1:{COUNT_PORT}; location / {{ stub_status; }} }}
}}
",
        folder.display()
    )
}
