//! A real server: a machine with a web server (and a name server for UDP, when asked), and its set-up for each forwarding
//! method, as an administrator of real servers would do it.

use std::cell::RefCell;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, net::Ipv4Addr};

use nix::sys::signal::Signal;

use super::addresses::{Addresses, host_length, near};
use super::certificates;
use super::http;
use super::namespace::Namespace;
use super::process::Process;
use super::wait::{until, until_true};

const START_LIMIT: Duration = Duration::from_secs(10);
/// Every byte of `/slow` arrives in about this time.
pub(crate) const SLOW_SECONDS: usize = 60;
const SLOW_BYTES_A_SECOND: usize = 20 * 1024;

/// How packets to a TUN real server are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encapsulation {
    IpIp,
    Gue { port: u16 },
    Gre,
}

#[derive(Debug)]
pub(crate) struct RealServer {
    // Before the namespace, so that they end first.
    web: RefCell<Option<Process>>,
    dns: RefCell<Option<Process>>,
    pub(crate) namespace: Namespace,
    pub(crate) addresses: Addresses,
    folder: PathBuf,
}

impl RealServer {
    /// Sets the machine up and starts its web server; waiting for it is a step of its own, so that several may start at once.
    pub(crate) fn new(namespace: Namespace, host: u16, world: &Path) -> Self {
        let addresses = near(host);
        namespace.configure(&[("eth0", addresses)], None);
        let folder = world.join(host.to_string());
        fs::create_dir(&folder).expect("a folder for the server");
        fs::write(folder.join("slow"), slow_content()).expect("content");
        fs::write(folder.join("nginx.conf"), nginx_configuration(addresses.ipv4, &folder))
            .expect("a configuration");
        let server = Self { web: None.into(), dns: None.into(), namespace, addresses, folder };
        server.start();
        server
    }

    /// What this server answers on `/`.
    pub(crate) fn greeting(&self) -> String {
        format!("hello {}\n", self.addresses.ipv4)
    }

    // --- its web server

    pub(crate) fn start(&self) {
        let configuration = self.folder.join("nginx.conf");
        let configuration = configuration.to_str().expect("a plain path");
        let log = self.folder.join("nginx.log");
        let web = Process::start(
            &self.namespace,
            "nginx",
            &["-c", configuration, "-p", "/tmp", "-e", "stderr"],
            &log,
        );
        self.web.replace(Some(web));
    }

    pub(crate) fn wait_until_serving(&self) {
        until("web server", START_LIMIT, || {
            if let Some(status) = self.web.borrow_mut().as_mut().and_then(Process::ended) {
                panic!("nginx ended, {status}: {}", self.log("nginx.log"));
            }
            self.namespace.inside(|| http::connect((Ipv4Addr::LOCALHOST, 80).into(), START_LIMIT)).map(drop)
        });
    }

    /// Connections are refused from now on, open ones are reset.
    pub(crate) fn stop(&self) {
        self.web.replace(None);
    }

    /// Connections are accepted (by the kernel) but never answered, until `resume`.
    pub(crate) fn hang(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        self.web.borrow().as_ref().expect("the web server runs").signal(signal);
    }

    /// Its health page answers 503, while the rest goes on.
    pub(crate) fn set_sick(&self, sick: bool) {
        let file = self.folder.join("sick");
        if sick { fs::write(file, "").expect("a file") } else { fs::remove_file(file).expect("it was sick") }
    }

    /// The client addresses of all requests so far, oldest first.
    pub(crate) fn clients(&self) -> Vec<IpAddr> {
        self.log("access.log").lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
    }

    /// Requests so far: client, server address and port, request line, status.
    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    // --- its name server

    /// Starts a name server whose TXT record of `who.lab` is this server's IPv4 address.
    pub(crate) fn start_dns(&self) {
        let who = format!("--txt-record=who.lab,{}", self.addresses.ipv4);
        let arguments = [
            "--keep-in-foreground",
            "--no-resolv",
            "--no-hosts",
            "--user=root",
            "--pid-file",
            "--conf-file=/dev/null",
            &who,
        ];
        let dns = Process::start(&self.namespace, "dnsmasq", &arguments, &self.folder.join("dnsmasq.log"));
        self.dns.replace(Some(dns));
        until_true("name server", START_LIMIT, || self.namespace.run("ss -Hlnu sport = 53").contains(":53"));
    }

    pub(crate) fn stop_dns(&self) {
        self.dns.replace(None);
    }

    // --- its set-up for each forwarding method; full-NAT needs none

    /// NAT: answers go back through the director.
    pub(crate) fn set_up_nat(&self, director: Addresses) {
        let Addresses { ipv4, ipv6 } = director;
        self.namespace.ip(&format!("route replace default via {ipv4}\nroute replace default via {ipv6}"));
    }

    /// DR: holds the VIP without telling anybody.
    pub(crate) fn set_up_dr(&self, vip: IpAddr) {
        self.keep_quiet_about_vips();
        self.namespace.add_address(vip, "lo");
    }

    /// Answers ARP only for addresses of the interface that is asked, and asks with such an address only. (IPv6 is so by itself.)
    fn keep_quiet_about_vips(&self) {
        for interface in ["all", "eth0"] {
            self.namespace.sysctl(&[
                (&format!("net.ipv4.conf.{interface}.arp_ignore"), "1"),
                (&format!("net.ipv4.conf.{interface}.arp_announce"), "2"),
            ]);
        }
    }

    /// TUN: unwraps what comes from the director, on a device that holds the VIP.
    pub(crate) fn set_up_tun(&self, vip: IpAddr, encapsulation: Encapsulation) {
        self.keep_quiet_about_vips();
        let device = if vip.is_ipv4() { "unwrap4" } else { "unwrap6" };
        let kind = match (encapsulation, vip) {
            (Encapsulation::IpIp | Encapsulation::Gue { .. }, IpAddr::V4(_)) => "ipip",
            (Encapsulation::IpIp | Encapsulation::Gue { .. }, IpAddr::V6(_)) => "ip6tnl mode ip6ip6",
            (Encapsulation::Gre, IpAddr::V4(_)) => "gre",
            (Encapsulation::Gre, IpAddr::V6(_)) => "ip6gre",
        };
        let own = if vip.is_ipv4() { IpAddr::V4(self.addresses.ipv4) } else { self.addresses.ipv6.into() };
        self.namespace
            .ip(&format!("link add {device} type {kind} local {own} remote any\nlink set {device} up"));
        if let Encapsulation::Gue { port } = encapsulation {
            let family = if vip.is_ipv4() { "" } else { "-6" };
            self.namespace.run(&format!("ip {family} fou add port {port} gue"));
        }
        self.allow_asymmetry(device);
        self.namespace.ip(&format!("addr add {vip}/{} dev {device}", host_length(vip)));
        self.leave_room_for_wrapping();
    }

    /// The unwrapped packet comes in by another device than answers leave by; the kernel takes the larger of the two values.
    fn allow_asymmetry(&self, device: &str) {
        for interface in ["all", device] {
            self.namespace.sysctl(&[(&format!("net.ipv4.conf.{interface}.rp_filter"), "0")]);
        }
    }

    /// Clients shall send segments that fit into a wrapped packet: the largest wrapping here takes 52 bytes.
    fn leave_room_for_wrapping(&self) {
        // The kernel's own IPv6 route can't be changed, but one of a smaller metric goes before it.
        self.namespace.ip(&format!(
            "route change 192.168.101.0/24 dev eth0 scope link src {own} advmss 1400\n\
             route add fd00:192:168:101::/64 dev eth0 metric 100 advmss 1380",
            own = self.addresses.ipv4,
        ));
    }
}

/// Content whose every part differs, so that a checksum finds a lost, doubled or foreign piece.
pub(crate) fn slow_content() -> Vec<u8> {
    (0..SLOW_SECONDS * SLOW_BYTES_A_SECOND / 8).flat_map(|line| format!("{line:07}\n").into_bytes()).collect()
}

/// One process without a master, so that a signal reaches the server itself.
fn nginx_configuration(own: Ipv4Addr, folder: &Path) -> String {
    let folder = folder.display();
    let tls = certificates::shared();
    format!(
        "daemon off; master_process off; user root; error_log stderr warn; pid {folder}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
    log_format lab '$remote_addr $server_addr:$server_port \"$request\" $status';
    access_log {folder}/access.log lab;
    default_type text/plain;
    reset_timedout_connection on;
    keepalive_timeout 1h; keepalive_requests 100000; client_header_timeout 1h;
    server {{
        listen 80; listen [::]:80; listen 8080; listen [::]:8080; listen 8081; listen [::]:8081;
        listen 443 ssl; listen [::]:443 ssl; listen 8443 ssl; listen [::]:8443 ssl;
        ssl_certificate {certificate}; ssl_certificate_key {key};
        location = / {{ return 200 'hello {own}\\n'; }}
        location = /healthz {{ if (-f {folder}/sick) {{ return 503 'sick\\n'; }} return 200 'well\\n'; }}
        location = /slow {{ alias {folder}/slow; limit_rate {SLOW_BYTES_A_SECOND}; }}
        location = /large {{ alias {folder}/slow; }}
    }}
}}
",
        certificate = tls.certificate.display(),
        key = tls.key.display(),
    )
}
