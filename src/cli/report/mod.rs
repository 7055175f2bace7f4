//! `tandem report`: what somebody needs who helps with a director, as one archive (shell).
//!
//! Each part is asked for within a bounded time and is of bounded size; one that fails is named in the listing, and hides no
//! other. Nothing is changed. Secrets are left out: see `redact`.

mod archive;
mod kernel;
mod redact;

use super::ask::wait_for;
use super::doctor::Options;
use super::{ExitStatus, doctor, host_name, loader::Loader};
use crate::control::Client;
use crate::director::core::Core;
use crate::director::host_look::addresses;
use crate::director::loading::PolicyLoader as _;
use crate::kernel::{Kernel as _, LinuxKernel, every_table, host_facts, network_facts};
use crate::model::{Observed, Policy};
use crate::policy::{self, Colour};
use crate::reconcile::Ownership;
use anyhow::Context as _;
use archive::{MODE, Part};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{Read as _, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The exporter is given so long for each step.
const METRICS_TIME: Duration = Duration::from_secs(5);
/// Bytes of its answer.
const METRICS_BYTES: u64 = 16 * 1024 * 1024;

/// What a report is made of, and where it goes.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) config: PathBuf,
    pub(super) director: Option<String>,
    pub(super) socket: PathBuf,
    /// A file, a folder, or `-` for standard output; `None`: a file in the current folder.
    pub(super) output: Option<PathBuf>,
}

/// Writes the report, and what is in it: on `out`, or on `err` where the report itself goes to `out`.
///
/// # Errors
/// When the archive cannot be written.
pub(super) fn report(
    wanted: &Wanted,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    #[expect(clippy::disallowed_methods, reason = "the archive is named by the wall clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let host = host_name();
    let folder = format!("tandem-report-{}-{}", host.split('.').next().unwrap_or_default(), stamp(now));
    let parts = parts(wanted, &host, now);
    let listing = archive::listing(&folder, &parts);
    if wanted.output.as_deref() == Some(Path::new("-")) {
        archive::write(out, &folder, now, &listing, &parts).context("the report could not be written")?;
        err.write_all(listing.as_bytes())?;
        return Ok(ExitStatus::Done);
    }
    let name = format!("{folder}.tar.gz");
    let path = match &wanted.output {
        None => PathBuf::from(name),
        Some(place) if place.is_dir() => place.join(name),
        Some(file) => file.clone(),
    };
    let opened = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path);
    let mut file = opened.with_context(|| format!("{}: the report could not be made", path.display()))?;
    let written = archive::write(&mut file, &folder, now, &listing, &parts);
    written.with_context(|| format!("{}: the report could not be written", path.display()))?;
    out.write_all(listing.as_bytes())?;
    writeln!(err, "{}", path.display())?;
    Ok(ExitStatus::Done)
}

fn parts(wanted: &Wanted, host: &str, now: u64) -> Vec<Part> {
    let loaded = Loader::new(wanted.config.clone(), wanted.director.clone(), Colour::Plain).read_files();
    let policy = loaded.as_ref().map(|found| &found.policy).map_err(Clone::clone);
    let part = |name, about, text| Part { name, about, text };
    let asked = |path: &str| {
        let answer = wait_for(Client::new(&wanted.socket).value(path)).map_err(|error| error.to_string())?;
        pretty(&answer.map_err(|error| error.to_string())?)
    };
    let good = policy.clone().map_err(|_| "the policy is not good: see policy.yaml".to_owned());
    let of_policy = |make: fn(&Policy) -> Result<String, String>| make(good.clone()?);
    let observed = good.clone().and_then(observe);
    let of_kernel = |make: fn(&Observed) -> Value| {
        observed.as_ref().map_err(Clone::clone).and_then(|found| pretty(&make(found)))
    };
    vec![
        part(
            "versions.json",
            "versions of program and kernel, this host",
            pretty(&versions(wanted, host, now)),
        ),
        part(
            "policy.yaml",
            "the policy with every default, secrets as their references",
            policy.and_then(resolved),
        ),
        part(
            "policy-warnings.txt",
            "what validation says of it",
            loaded.as_ref().map(|found| found.warnings.concat()).map_err(Clone::clone),
        ),
        part("status.json", "what the running director tells of itself", asked("/v1/status")),
        part("history.json", "the policies that it took over", asked("/v1/history")),
        part("events.json", "what happened", asked("/v1/events")),
        part("doctor.json", "what this host lacks", of_policy(diagnose)),
        part("metrics.txt", "what Prometheus would read", of_policy(metrics)),
        part("kernel/ipvs.json", "the IPVS table of this network namespace", of_kernel(kernel::ipvs)),
        part("kernel/sysctls.json", "the settings that the policy needs", of_kernel(kernel::sysctls)),
        part(
            "kernel/network.json",
            "interfaces, addresses, routes to the policy's addresses",
            of_policy(network),
        ),
        part(
            "kernel/nftables.json",
            "every rule of nftables",
            every_table().map_err(|error| error.message).and_then(|found| pretty(&found)),
        ),
    ]
}

fn pretty(value: &Value) -> Result<String, String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| error.to_string())
}

fn versions(wanted: &Wanted, host: &str, now: u64) -> Value {
    let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
    let distribution = read("/etc/os-release").and_then(|text| {
        let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=").map(str::to_owned))?;
        Some(name.trim_matches('"').to_owned())
    });
    json!({
        "report_version": 1,
        "tandem": env!("CARGO_PKG_VERSION"),
        "kernel": read("/proc/sys/kernel/osrelease"),
        "kernel_build": read("/proc/sys/kernel/version"),
        "distribution": distribution,
        "architecture": std::env::consts::ARCH,
        "processors": std::thread::available_parallelism().ok().map(usize::from),
        "uptime_s": read("/proc/uptime").and_then(|text| text.split('.').next().map(str::to_owned)),
        "memory": read("/proc/meminfo").and_then(|text| text.lines().next().map(str::to_owned)),
        "host": host,
        "made_unix_s": now,
        "policy": wanted.config.display().to_string(),
    })
}

fn resolved(policy: &Policy) -> Result<String, String> {
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    Ok(policy::resolved(policy, &here))
}

fn diagnose(policy: &Policy) -> Result<String, String> {
    let mut text = Vec::new();
    doctor::doctor(policy, Options { fix: false, json: true }, &mut text)
        .map_err(|error| error.to_string())?;
    String::from_utf8(text).map_err(|error| error.to_string())
}

fn observe(policy: &Policy) -> Result<Observed, String> {
    let host = host_facts(&addresses(policy)).map_err(|error| error.message)?;
    let scope = Core::first_scope(policy, &host, &Ownership::default());
    LinuxKernel::new().observe(&scope).map_err(|error| error.message)
}

fn network(policy: &Policy) -> Result<String, String> {
    let host = host_facts(&addresses(policy)).map_err(|error| error.message)?;
    pretty(&kernel::network(&network_facts().map_err(|error| error.message)?, &host))
}

/// One plain request: the exporter is on this host, and may not answer.
fn metrics(policy: &Policy) -> Result<String, String> {
    let listen = policy.metrics.listen;
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    let at = SocketAddr::new(address, listen.port());
    let failed = |error: std::io::Error| format!("{at}: {error}");
    let mut stream = TcpStream::connect_timeout(&at, METRICS_TIME).map_err(failed)?;
    stream.set_read_timeout(Some(METRICS_TIME)).map_err(failed)?;
    stream.set_write_timeout(Some(METRICS_TIME)).map_err(failed)?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(METRICS_BYTES).read_to_end(&mut answer).map_err(failed)?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.lines().next().is_some_and(|line| line.contains(" 200")) => {
            Ok(body.to_owned())
        }
        Some((head, _)) => Err(format!("{at}: {}", head.lines().next().unwrap_or_default())),
        None => Err(format!("{at}: no answer of HTTP")),
    }
}

/// `20261129T061500Z`. Source of the calendar: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn stamp(unix_s: u64) -> String {
    let (days, seconds) = (unix_s / 86_400 + 719_468, unix_s % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March, so that the leap day is their last.
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_report_is_named_by_its_time() {
        assert_eq!(stamp(0), "19700101T000000Z");
        assert_eq!(stamp(951_782_400), "20000229T000000Z");
        assert_eq!(stamp(1_795_930_685), "20261129T053805Z");
    }

    /// Whatever answers here and does not: there is a report, and the secret is not in it.
    #[test]
    fn a_secret_of_the_policy_is_in_no_report() {
        let place = tempfile::tempdir().expect("a folder");
        let file = |name: &str| place.path().join(name);
        std::fs::write(file("secret"), "hunter2").expect("written");
        let policy = "policy_version: 1\n\
            checks:\n  alive: {http: {path: /x, headers: {Authorization: {file: secret}, X-Token: hunter2}}, interval: 1s, timeout: 500ms}\n\
            pools:\n  web: {virtual_services: [tcp://192.0.2.1:80], forwarding: nat, check: alive, real_servers: [192.0.2.2:80]}\n\
            metrics: {listen: 127.0.0.1:1}\n";
        std::fs::write(file("tandem.yaml"), policy).expect("written");
        let wanted = Wanted {
            config: file("tandem.yaml"),
            director: None,
            socket: file("none.sock"),
            output: Some(file("report.tar.gz")),
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert_eq!(report(&wanted, &mut out, &mut err).expect("a report"), ExitStatus::Done);
        let mode = std::fs::metadata(file("report.tar.gz")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        let mut all = String::new();
        let bytes = std::fs::read(file("report.tar.gz")).expect("the archive");
        GzDecoder::new(&bytes[..]).read_to_string(&mut all).expect("text");
        assert!(all.contains("tcp://192.0.2.1:80"), "the policy is in it");
        assert!(!all.contains("hunter2"));
        let listing = String::from_utf8(out).expect("text");
        assert!(listing.contains("status.json: MISSING"), "{listing}");
        assert!(listing.contains("policy.yaml: the policy with every default"), "{listing}");
        assert!(report(&wanted, &mut Vec::new(), &mut Vec::new()).is_err(), "nothing is written over");
    }
}
