//! What an administrator without Tandem would type on the director: it proves the world itself, and is what Tandem's own
//! work is compared with.

use std::net::{IpAddr, SocketAddr};

use super::World;
use super::addresses::{Family, family, host_length};

impl World {
    /// Forwards packets and holds the VIP, deprecated: else IPv6 would take the VIP as source of tunnelled packets, and a real
    /// server, which holds it too, drops those as its own.
    pub(crate) fn prepare_director_by_hand(&self, vip: IpAddr) {
        self.director().sysctl(&[
            ("net.ipv4.ip_forward", "1"),
            ("net.ipv6.conf.all.forwarding", "1"),
            ("net.ipv4.conf.all.send_redirects", "0"),
            ("net.ipv4.conf.eth0.send_redirects", "0"),
        ]);
        let without_dad = if vip.is_ipv6() { "nodad" } else { "" };
        self.director()
            .ip(&format!("addr add {vip}/{} dev eth0 {without_dad} preferred_lft 0", host_length(vip)));
    }

    /// One virtual service with all real servers, in turn. `protocol` and `method` are options of ipvsadm: `-t`, `-m`.
    pub(crate) fn balance_by_hand(&self, protocol: &str, service: SocketAddr, method: &str) {
        let mut lines = format!("-A {protocol} {service} -s rr\n");
        for server in &self.real_servers {
            let destination = SocketAddr::new(server.addresses.of(family(service.ip())), service.port());
            lines += &format!("-a {protocol} {service} -r {destination} {method}\n");
        }
        self.director().ipvsadm(&lines);
    }

    /// Full-NAT: real servers see the director as their client. The port must follow a match of the protocol in the same rule.
    pub(crate) fn translate_sources_by_hand(&self, protocol: &str, service: SocketAddr) {
        self.director().sysctl(&[("net.ipv4.vs.conntrack", "1")]);
        let (kind, ip, director) = match family(service.ip()) {
            Family::Ipv4 => ("ipv4_addr", "ip", "192.168.101.200"),
            Family::Ipv6 => ("ipv6_addr", "ip6", "fd00:192:168:101::200"),
        };
        self.director().nft(&format!(
            "table inet by_hand {{
                set services {{ type {kind} . inet_service; elements = {{ {} . {} }} }}
                chain postrouting {{
                    type nat hook postrouting priority srcnat;
                    meta l4proto {protocol} ct original {ip} daddr . ct original proto-dst @services snat {ip} to {director} fully-random
                }}
            }}",
            service.ip(),
            service.port(),
        ));
    }
}
