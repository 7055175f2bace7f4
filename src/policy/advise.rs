//! Advice: what only the director's own host can tell of a policy. Never an error: a route may come up after boot.

use super::codes::{Code, Severity};
use super::diagnostic::Diagnostic;
use super::load::Loaded;
use super::source::Files;
use super::validate::Places;
use crate::model::{Forwarding, HostFacts, Policy, Pool, Reach, RealServer, ServiceKey};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

/// The addresses that [`advise`] wants to know the reach of: VIPs, RIPs and local addresses.
#[must_use]
pub fn addresses_of_interest(policy: &Policy, places: &Places) -> BTreeSet<IpAddr> {
    let vips = places.services.keys().filter_map(ServiceKey::address);
    let rips = policy.pools.values().flat_map(Pool::every_server).map(|server| server.address);
    vips.chain(rips).chain(places.local_addresses.keys().copied()).collect()
}

/// Warnings of what this host cannot do as the policy wants it, in the order of the files.
#[must_use]
pub fn advise(policy: &Policy, places: &Places, facts: &HostFacts) -> Vec<Diagnostic> {
    let held: BTreeSet<IpAddr> = policy.virtual_addresses.iter().map(|held| held.address.addr()).collect();
    let servers = policy.pools.values().flat_map(|pool| {
        pool.servers.iter().filter_map(move |server| {
            let span = *places.servers.get(&(pool.name.clone(), server.name.clone()))?;
            let (code, message, help) = of_server(pool, server, facts.reach.get(&server.address)?)?;
            Some(Diagnostic::new(code, span, message).help(help))
        })
    });
    let local = places.local_addresses.iter().filter(|(address, _)| !held.contains(address)).filter_map(
        |(address, span)| {
            let missing = facts.reach.get(address).is_some_and(|reach| *reach != Reach::Local);
            let message =
                format!("this host does not hold the local address {address}: answers to it will not arrive");
            missing.then(|| {
                Diagnostic::new(Code::LocalAddressNotHeld, *span, message)
                    .help("add it to `virtual_addresses`, or to the interface")
            })
        },
    );
    let mut advice: Vec<Diagnostic> = servers.chain(local).collect();
    advice.sort();
    advice.dedup();
    advice
}

fn of_server(pool: &Pool, server: &RealServer, reach: &Reach) -> Option<(Code, String, &'static str)> {
    let (rip, pool) = (server.address, &pool.name);
    match (reach, &server.forwarding) {
        (Reach::Gateway { interface }, Forwarding::Nat) => Some((
            Code::NatServerNotOnLink,
            format!(
                "the real server {rip} of `{pool}` is behind a gateway on {interface}: its answers may not come back through this director"
            ),
            "NAT wants the director as the real servers' gateway, on one network with them; full-nat needs neither",
        )),
        (Reach::Gateway { interface }, Forwarding::DirectRouting) => Some((
            Code::DrServerBehindGateway,
            format!(
                "the real server {rip} of `{pool}` is behind a gateway on {interface}: DR reaches only servers on its own link"
            ),
            "put the director and the server on one link, or forward with tun",
        )),
        (Reach::Unreachable, _) => Some((
            Code::ServerUnreachable,
            format!("no route of this host leads to the real server {rip} of `{pool}`"),
            "add the route or the interface's address",
        )),
        (Reach::Local, _) => Some((
            Code::ServerIsLocal,
            format!("the real server {rip} of `{pool}` is an address of this host"),
            "IPVS then delivers locally, whatever the forwarding method says",
        )),
        (Reach::OnLink { .. }, _)
        | (Reach::Gateway { .. }, Forwarding::Tunnelling(_) | Forwarding::FullNat(_)) => None,
    }
}

/// Warnings of files of certificates that cannot be read on this host.
#[must_use]
pub fn unreadable_authorities(places: &Places, files: &dyn Files) -> Vec<Diagnostic> {
    let unreadable = |path: &Path| files.read(path, 1).err();
    let warn = |(path, span): (&std::path::PathBuf, &super::source::Span)| {
        let message = format!("{} cannot be read on this host: {}", path.display(), unreadable(path)?);
        Some(
            Diagnostic::new(Code::CaUnreadable, *span, message)
                .help("the path is relative to the policy file that says it"),
        )
    };
    places.authorities.iter().filter_map(warn).collect()
}

/// Warnings of programs that are not on this host, or that cannot be read on it.
#[must_use]
pub fn unreadable_programs(places: &Places, files: &dyn Files) -> Vec<Diagnostic> {
    let warn = |help: &'static str| {
        move |(path, span): (&std::path::PathBuf, &super::source::Span)| {
            let message =
                format!("{} cannot be run on this host: {}", path.display(), files.read(path, 1).err()?);
            Some(Diagnostic::new(Code::ProgramUnreadable, *span, message).help(help))
        }
    };
    let of_checks = places.programs.iter().filter_map(warn(
        "until it is there, what the check decides stays as it is: servers that were never up stay out",
    ));
    let of_hooks =
        places.hooks.iter().filter_map(warn("until it is there, nobody is told of events by this hook"));
    of_checks.chain(of_hooks).collect()
}

impl Loaded {
    /// Whether the director would start with this policy; with `strict`, warnings count.
    #[must_use]
    pub fn is_good(&self, strict: bool) -> bool {
        self.policy.is_some()
            && !(strict && self.diagnostics.iter().any(|found| found.severity() == Severity::Warning))
    }

    /// Adds advice, and takes back the warnings of VIPs that this host holds by other means.
    pub fn add_advice(&mut self, facts: &HostFacts) {
        let Some(policy) = &self.policy else { return };
        let advice = advise(policy, &self.places, facts);
        let local = |address: IpAddr| facts.reach.get(&address) == Some(&Reach::Local);
        let held: BTreeSet<_> = self
            .places
            .services
            .iter()
            .filter(|(key, _)| key.address().is_some_and(local))
            .map(|(_, span)| *span)
            .collect();
        self.diagnostics.retain(|found| !(found.code == Code::VipNotHeld && held.contains(&found.span)));
        self.add(advice);
    }

    /// Adds diagnostics in their places.
    pub fn add(&mut self, diagnostics: Vec<Diagnostic>) {
        self.diagnostics.extend(diagnostics);
        self.diagnostics.sort();
        self.diagnostics.dedup();
    }
}
