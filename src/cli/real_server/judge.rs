//! Whether a host is set up as a real server of a pool: judges what was read there. Pure.
//!
//! It judges effects and not the script: a host that somebody set up in another way is as good.

use super::setup::{Device, Setup, overhead};
use crate::cli::finding::Finding;
use crate::model::{AddressFacts, Family, Forwarding, InterfaceFacts, NetworkFacts, Sysctl};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What was read on the host.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) network: NetworkFacts,
    pub(super) sysctls: BTreeMap<Sysctl, String>,
    /// UDP ports where gue is unwrapped.
    pub(super) gue: BTreeSet<(Family, u16)>,
}

/// The settings of each interface that matter.
pub(super) const SETTINGS: [&str; 3] = ["arp_ignore", "arp_announce", "rp_filter"];

pub(super) fn sysctl(interface: &str, name: &str) -> Sysctl {
    Sysctl::from_path(format!("net/ipv4/conf/{interface}/{name}"))
}

/// The findings, in the order in which one would set it up.
pub(super) fn judge(setup: &Setup, seen: &Seen) -> Vec<Finding> {
    let own: Vec<&AddressFacts> = setup.rips.iter().flat_map(|rip| seen.network.holders(*rip)).collect();
    if own.is_empty() {
        return vec![unknown(setup)];
    }
    let judging = Judging { setup, seen, own };
    match &setup.forwarding {
        Forwarding::FullNat(_) => {
            vec![Finding::good(
                "full-nat",
                "full-NAT",
                "nothing is needed here: answers go to the director's address",
            )]
        }
        Forwarding::Nat => judging.gateways(),
        Forwarding::DirectRouting => judging.quiet().into_iter().chain(judging.vips()).collect(),
        Forwarding::Tunnelling(_) => {
            let found = judging.quiet().into_iter().chain(judging.unwrapping()).chain(judging.vips());
            found.chain(judging.segments()).collect()
        }
    }
}

fn unknown(setup: &Setup) -> Finding {
    let rips: Vec<String> = setup.rips.iter().map(ToString::to_string).collect();
    Finding::look(
        "not-a-real-server",
        format!("pool {}", setup.pool),
        format!("this host has none of the addresses of its real servers: {}", rips.join(", ")),
        "run it on a real server, or add the address to its interface",
    )
}

struct Judging<'a> {
    setup: &'a Setup,
    seen: &'a Seen,
    /// The RIPs that this host has.
    own: Vec<&'a AddressFacts>,
}

impl Judging<'_> {
    /// The interfaces by which the directors reach this host.
    fn receiving(&self) -> BTreeSet<&str> {
        self.own.iter().map(|own| own.interface.as_str()).collect()
    }

    fn value(&self, interface: &str, name: &str) -> u32 {
        let value = self.seen.sysctls.get(&sysctl(interface, name));
        value.and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// The kernel takes the larger of the interface's own value and that of `all`.
    fn effective(&self, interface: &str, name: &str) -> u32 {
        self.value(interface, name).max(self.value("all", name))
    }

    // --- ARP

    fn quiet(&self) -> Vec<Finding> {
        if !self.setup.has_ipv4_vips() {
            return Vec::new();
        }
        self.receiving()
            .into_iter()
            .flat_map(|interface| [self.ignores(interface), self.announces(interface)])
            .collect()
    }

    fn ignores(&self, interface: &str) -> Finding {
        let value = self.effective(interface, "arp_ignore");
        let what = format!("arp_ignore={value} on {interface}");
        // 3 leaves out addresses of host scope only; 4 to 7 are not defined.
        if matches!(value, 1 | 2 | 8) {
            return Finding::good(
                "arp-ignore",
                what,
                "ARP is answered for the interface's own addresses only",
            );
        }
        Finding::look(
            "arp-ignore",
            what,
            "this host answers ARP for the VIP, and takes clients away from the director",
            "set net.ipv4.conf.all.arp_ignore=1 (the larger of `all` and the interface counts; `lo` does not)",
        )
    }

    fn announces(&self, interface: &str) -> Finding {
        let value = self.effective(interface, "arp_announce");
        let what = format!("arp_announce={value} on {interface}");
        if value == 2 {
            return Finding::good("arp-announce", what, "ARP questions bear the interface's own address");
        }
        Finding::look(
            "arp-announce",
            what,
            "when this host answers a client it asks by ARP with the VIP as its own address, and neighbours believe it",
            "set net.ipv4.conf.all.arp_announce=2",
        )
    }

    // --- the VIPs

    fn vips(&self) -> Vec<Finding> {
        let vips: BTreeSet<IpAddr> = self.setup.vips.iter().map(|(vip, _)| *vip).collect();
        vips.into_iter().map(|vip| self.vip(vip)).collect()
    }

    fn vip(&self, vip: IpAddr) -> Finding {
        let holders: Vec<&AddressFacts> = self.seen.network.holders(vip).collect();
        let what = format!("VIP {vip}");
        let Some(first) = holders.first() else {
            let place = self.place(vip);
            return Finding::look(
                "vip-missing",
                what,
                "no interface holds it, so its packets are dropped",
                format!("add it: ip address add {vip}/{} dev {place}", Family::of(vip).bits()),
            );
        };
        if let Some(loud) = holders.iter().find(|holder| !self.is_silent(&holder.interface)) {
            return Finding::look(
                "vip-answers",
                what,
                format!("{} holds it, which tells its neighbours", loud.interface),
                format!("move it to {}, which does not", self.place(vip)),
            );
        }
        if first.tentative {
            return Finding::look(
                "vip-tentative",
                what,
                format!("{} holds it but does not use it: detection of duplicates", first.interface),
                "add it with `nodad`",
            );
        }
        Finding::good("vip-missing", what, format!("{} holds it", first.interface))
    }

    /// Where a VIP belongs.
    fn place(&self, vip: IpAddr) -> String {
        let outer = self.own.first().map_or(Family::of(vip), |own| Family::of(own.address.addr()));
        let devices = self.setup.device(vip, outer).map(|device| self.unwrapping_by(&device));
        let found = devices.and_then(|found| found.first().map(|found| found.name.clone()));
        found
            .or_else(|| self.setup.device(vip, outer).map(|device| device.name()))
            .unwrap_or_else(|| "lo".to_owned())
    }

    /// Whether an interface never tells a neighbour of its addresses.
    fn is_silent(&self, name: &str) -> bool {
        let kind = self.seen.network.interface(name).and_then(|interface| interface.kind.as_deref());
        name == "lo" || matches!(kind, Some("dummy" | "ipip" | "sit" | "ip6tnl" | "gre" | "ip6gre"))
    }

    // --- tunnels

    fn unwrapping(&self) -> Vec<Finding> {
        let of_family = |family| self.own.iter().any(|own| Family::of(own.address.addr()) == family);
        let devices: Vec<Device> =
            self.setup.devices().into_keys().filter(|device| of_family(device.outer)).collect();
        let ports: BTreeSet<Family> = devices.iter().map(|device| device.outer).collect();
        let ports = ports.into_iter().filter_map(|family| self.port(family));
        devices.iter().flat_map(|device| self.device(device)).chain(ports).collect()
    }

    /// The interfaces that take the outer header off for one of our RIPs.
    fn unwrapping_by(&self, device: &Device) -> Vec<&InterfaceFacts> {
        let is_ours = |local: IpAddr| self.own.iter().any(|own| own.address.addr() == local);
        let fits = |found: &&InterfaceFacts| {
            found.kind.as_deref() == Some(device.kind)
                && found.local.is_none_or(is_ours)
                && found.remote.is_none()
        };
        let mut found: Vec<&InterfaceFacts> = self.seen.network.interfaces.iter().filter(fits).collect();
        // The kernel takes the one that names the RIP before the one that takes any; one that is down takes nothing.
        found.sort_by_key(|found| (!found.up, found.local.is_none()));
        found
    }

    fn device(&self, device: &Device) -> Vec<Finding> {
        let what = format!("{} device", device.kind);
        let by_script = format!("run the script of `tandem real-server {}`", self.setup.pool);
        let Some(found) = self.unwrapping_by(device).first().copied() else {
            let evidence =
                "no interface takes the outer header off, so every packet of the director is dropped";
            return vec![Finding::look("tunnel-missing", what, evidence, by_script)];
        };
        if !found.up {
            let remedy = format!("ip link set {} up", found.name);
            return vec![Finding::look("tunnel-missing", what, format!("{} is down", found.name), remedy)];
        }
        let good =
            Finding::good("tunnel-missing", what, format!("{} takes the outer header off", found.name));
        let carries_ipv4 =
            self.setup.devices().get(device).is_some_and(|vips| vips.iter().any(IpAddr::is_ipv4));
        std::iter::once(good).chain(carries_ipv4.then(|| self.return_path(&found.name))).collect()
    }

    fn return_path(&self, device: &str) -> Finding {
        let value = self.effective(device, "rp_filter");
        let what = format!("rp_filter={value} on {device}");
        if value != 1 {
            return Finding::good(
                "rp-filter",
                what,
                "clients' packets are taken from it though answers leave elsewhere",
            );
        }
        let place = if self.value("all", "rp_filter") == 1 { "all" } else { device };
        Finding::look(
            "rp-filter",
            what,
            "the kernel drops clients' packets that come out of it, since the way back is another interface",
            format!("set net.ipv4.conf.{place}.rp_filter=0 (the larger of `all` and the device counts)"),
        )
    }

    fn port(&self, family: Family) -> Option<Finding> {
        let port = self.setup.gue_port()?;
        let what = format!("gue at UDP port {port}, {family}");
        if self.seen.gue.contains(&(family, port)) {
            return Some(Finding::good("gue-port", what, "the kernel takes the UDP header off"));
        }
        let option = if family == Family::Ipv6 { " -6" } else { "" };
        Some(Finding::look(
            "gue-port",
            what,
            "nothing takes the UDP header off",
            format!("ip{option} fou add port {port} gue"),
        ))
    }

    /// Whether a client's full packet still fits when it is wrapped. Links may be larger, so it is never wrong by itself.
    fn segments(&self) -> Vec<Finding> {
        let Forwarding::Tunnelling(encapsulation) = self.setup.forwarding else { return Vec::new() };
        let families: BTreeSet<Family> = self.setup.vips.iter().map(|(vip, _)| Family::of(*vip)).collect();
        let own = |own: &&AddressFacts| (own.interface.clone(), Family::of(own.address.addr()));
        let found = self.own.iter().map(own).flat_map(|(interface, outer)| {
            let takes = overhead(encapsulation, outer);
            families
                .iter()
                .filter_map(move |inner| self.segment(&interface, *inner, takes))
                .collect::<Vec<_>>()
        });
        found.collect()
    }

    fn segment(&self, interface: &str, inner: Family, takes: u32) -> Option<Finding> {
        let headers = if inner == Family::Ipv6 { 60 } else { 40 };
        let mtu = self.seen.network.interface(interface)?.mtu;
        let route = self.seen.network.default_routes.iter().find(|route| route.family == inner);
        let answers_by = route.and_then(|route| self.seen.network.interface(&route.interface));
        let asked = route.and_then(|route| route.segment);
        let asked = asked.unwrap_or_else(|| answers_by.map_or(mtu, |link| link.mtu).saturating_sub(headers));
        let fits = mtu.saturating_sub(headers + takes);
        let what = format!("segments of {inner} clients");
        if asked <= fits {
            let evidence =
                format!("this host asks for up to {asked} bytes, which fit {interface} when wrapped");
            return Some(Finding::good("segments", what, evidence));
        }
        Some(Finding::note(
            "segments",
            what,
            format!(
                "this host asks for up to {asked} bytes; wrapped ({takes} bytes more) only {fits} fit the {mtu} of {interface}"
            ),
            format!(
                "let the links from the directors carry {}, or add `advmss {fits}` to the route to the clients",
                mtu + takes
            ),
        ))
    }

    // --- the way back

    fn gateways(&self) -> Vec<Finding> {
        let families: BTreeSet<Family> = self.own.iter().map(|own| Family::of(own.address.addr())).collect();
        families.into_iter().map(|family| self.gateway(family)).collect()
    }

    fn gateway(&self, family: Family) -> Finding {
        let wanted = self.setup.gateways.get(&family).map(Vec::as_slice).unwrap_or_default();
        let what = format!("default gateway, {family}");
        let via = self.seen.network.default_routes.iter().filter(|route| route.family == family);
        let via = via.filter_map(|route| route.gateway).next();
        let words: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let remedy = match wanted.first() {
            Some(best) => format!("ip route replace default via {best}"),
            None => "make the director's address in this network the default gateway".to_owned(),
        };
        match via {
            None => {
                Finding::look("gateway", what, "there is none, so answers do not reach the director", remedy)
            }
            Some(via) if wanted.contains(&via) => {
                Finding::good("gateway", what, format!("{via} is the director's"))
            }
            Some(via) if self.setup.directors.contains(&via) => Finding::look(
                "gateway",
                what,
                format!("{via} is one director's own address: with the other as Master, answers are lost"),
                remedy,
            ),
            Some(via) if wanted.is_empty() => Finding::note(
                "gateway",
                what,
                format!("{via}; the policy does not say whether that is the director"),
                "look whether it is",
            ),
            Some(via) => Finding::look(
                "gateway",
                what,
                format!(
                    "{via} is no address of the director ({}): answers pass it by, and clients drop them",
                    words.join(", ")
                ),
                remedy,
            ),
        }
    }
}
