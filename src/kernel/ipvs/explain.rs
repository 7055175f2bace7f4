//! What the kernel's refusal of an IPVS change means, and what to do about it. Pure.
//!
//! Source: the `return -E…` of `net/netfilter/ipvs/ip_vs_ctl.c`; all but `EAFNOSUPPORT` and the
//! errors of the transport were provoked on a real kernel (`tests/lab/kernel/refusals.rs`).

use crate::kernel::KernelError;
use crate::kernel::netlink::NetlinkError;
use crate::model::{Destination, DestinationKey, Family, ServiceConfig, ServiceKey, SyncDaemon};
use crate::reconcile::{Change, Verb};

/// The error of a change: what could not be done, the errno in words, and the advice.
pub(super) fn explain(change: &Change, error: &NetlinkError) -> KernelError {
    let verb = match change.verb() {
        Verb::Add => "add",
        Verb::Edit => "change",
        Verb::Remove => "remove",
    };
    let advice = advice_for_any(error.errno).or_else(|| advice(change, error.errno));
    let advice = advice.map(|advice| format!(": {advice}")).unwrap_or_default();
    KernelError {
        errno: Some(error.errno),
        message: format!("cannot {verb} {}: {error}{advice}", change.object()),
    }
}

/// The error of reading a table.
pub(super) fn explain_reading(what: &str, error: &NetlinkError) -> KernelError {
    let advice = advice_for_any(error.errno).map(|advice| format!(": {advice}")).unwrap_or_default();
    KernelError { errno: Some(error.errno), message: format!("cannot read {what}: {error}{advice}") }
}

/// The error of a kernel that knows no family "IPVS".
pub(super) fn ipvs_is_missing() -> KernelError {
    KernelError {
        errno: Some(libc::ENOENT),
        message: "this kernel has no IPVS: load it with `modprobe ip_vs` (in a container: on the host). Where the module \
                  is missing, install the package of the running kernel that brings it: on Debian \
                  linux-image-$(uname -r), on Ubuntu linux-modules-$(uname -r) or linux-modules-extra-$(uname -r), on \
                  RHEL and its kin kernel-modules-core or kernel-modules"
            .to_owned(),
    }
}

/// Whether it is that error. Every other `ENOENT` is about an entry, and names it.
pub(crate) fn is_missing(error: &KernelError) -> bool {
    *error == ipvs_is_missing()
}

fn advice_for_any(errno: i32) -> Option<String> {
    let advice = match errno {
        libc::EPERM | libc::EACCES => {
            "it needs root or CAP_NET_ADMIN on the host itself: root of a user namespace (a rootless container) is not enough"
        }
        libc::EAFNOSUPPORT => "this kernel's IPVS was built without IPv6 (CONFIG_IP_VS_IPV6)",
        libc::ETIMEDOUT => "the kernel did not answer in time",
        libc::ENOBUFS => {
            "the kernel's answers did not fit the socket, so it is not known whether this was done"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

fn advice(change: &Change, errno: i32) -> Option<String> {
    match change {
        Change::AddService { service, config } => advice_for_service(service, config, errno),
        Change::EditService { service, to, .. } => advice_for_service(service, to, errno),
        Change::AddDestination { service, key, destination }
        | Change::EditDestination { service, key, to: destination, .. } => {
            advice_for_destination(service, key, destination, errno)
        }
        Change::RemoveService { .. } | Change::RemoveDestination { .. } => match errno {
            libc::ENOENT | libc::ESRCH => Some("it is gone already: another program removed it".to_owned()),
            _ => None,
        },
        Change::StartSyncDaemon { daemon } => advice_for_daemon(daemon, errno),
        Change::StopSyncDaemon { .. } => {
            (errno == libc::ESRCH).then(|| "it has ended already: another program stopped it".to_owned())
        }
        Change::SetTimeouts { .. } => (errno == libc::EINVAL).then(|| {
            "a timeout is longer than the kernel can count (2147483 s on a kernel of 1000 Hz)".to_owned()
        }),
        Change::ReplaceRuleset { .. }
        | Change::RemoveRuleset
        | Change::SetSysctl { .. }
        | Change::AddAddress { .. }
        | Change::RemoveAddress { .. } => None,
    }
}

fn advice_for_service(service: &ServiceKey, config: &ServiceConfig, errno: i32) -> Option<String> {
    let scheduler = &config.scheduler;
    match (errno, &config.persistence_engine) {
        (libc::ENOENT, None) => {
            Some(format!("its scheduler's module is missing; try `modprobe ip_vs_{scheduler}`"))
        }
        (libc::ENOENT, Some(engine)) => Some(format!(
            "the module of its scheduler or of its persistence engine is missing; try `modprobe ip_vs_{scheduler}` and \
             `modprobe ip_vs_pe_{engine}`"
        )),
        (libc::EEXIST, _) => Some("another program added it meanwhile".to_owned()),
        (libc::ESRCH, _) => Some("it is gone: another program removed it".to_owned()),
        (libc::EINVAL, _) if service.family() == Family::Ipv6 => {
            Some("a client prefix of IPv6 is 1 to 128 bits long".to_owned())
        }
        _ => None,
    }
}

fn advice_for_daemon(daemon: &SyncDaemon, errno: i32) -> Option<String> {
    let interface = &daemon.interface;
    let advice = match errno {
        libc::ENODEV => format!("there is no interface {interface} in this network namespace"),
        libc::ENETUNREACH | libc::EADDRNOTAVAIL | libc::ENETDOWN => {
            format!("{interface} has no address, or is down: it is tried again")
        }
        libc::EEXIST => "another program started one of the same role meanwhile".to_owned(),
        libc::EINVAL => "no destination may be of another address family than its service while connections are synchronised"
            .to_owned(),
        _ => return None,
    };
    Some(advice)
}

fn advice_for_destination(
    service: &ServiceKey,
    key: &DestinationKey,
    destination: &Destination,
    errno: i32,
) -> Option<String> {
    let advice = match errno {
        libc::EINVAL if Family::of(key.address) != service.family() => {
            "a real server of the other address family needs forwarding by tunnel, and no IPVS synchronisation daemon \
             running on this host"
        }
        libc::EINVAL => {
            "the kernel takes this RIP for none that it can send to: no address is up in this network namespace, or it is \
             a broadcast, multicast or link-local address"
        }
        libc::ERANGE if destination.thresholds.lower > destination.thresholds.upper => {
            "its lower threshold is above its upper one"
        }
        libc::ERANGE => "its weight is more than the kernel takes",
        libc::EEXIST => "another program added it meanwhile",
        libc::ESRCH => "its virtual service is not in the kernel",
        libc::ENOENT => "it is gone: another program removed it",
        _ => return None,
    };
    Some(advice.to_owned())
}
