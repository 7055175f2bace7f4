//! `tandem check` and `tandem schema` as a person sees them.

use crate::golden::compare;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tandem::cli::check::{CheckOptions, check};
use tandem::cli::{ExitStatus, schema};
use tandem::model::{HostFacts, Reach};
use tandem::policy::Colour;

fn options(file: &str) -> CheckOptions {
    CheckOptions {
        file: PathBuf::from(file),
        director: None,
        host: "elsewhere".to_owned(),
        strict: false,
        resolved: false,
        offline: true,
        colour: Colour::Plain,
    }
}

/// Every address is reached by a gateway.
fn behind_a_gateway(addresses: &BTreeSet<IpAddr>) -> anyhow::Result<HostFacts> {
    let gateway = Reach::Gateway { interface: "eth0".into() };
    Ok(HostFacts {
        reach: addresses.iter().map(|address| (*address, gateway.clone())).collect::<BTreeMap<_, _>>(),
        kernel: None,
    })
}

#[track_caller]
fn run(options: &CheckOptions) -> (ExitStatus, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = check(options, &behind_a_gateway, &mut out, &mut err).expect("vectors can be written to");
    (status, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
}

#[test]
fn a_good_policy_is_one_line() {
    let (status, out, err) = run(&options("conf/dr.yaml"));
    assert_eq!(
        (status, out.as_str(), err.as_str()),
        (ExitStatus::Done, "", "conf/dr.yaml: 1 pool, 2 real servers: ok\n")
    );
}

#[test]
fn a_bad_policy_fails() {
    let (status, _, err) = run(&options("tests/policy/bad/dr-port.yaml"));
    assert_eq!(status, ExitStatus::Failed);
    assert!(err.ends_with("tests/policy/bad/dr-port.yaml: 1 error: refused\n"), "{err}");
}

#[test]
fn warnings_count_with_strict_only() {
    let file = "tests/policy/bad/vip-not-held.yaml";
    let (status, _, err) = run(&options(file));
    assert_eq!(status, ExitStatus::Done);
    assert!(err.ends_with("1 pool, 0 real servers: ok, with 2 warnings\n"), "{err}");
    let (status, _, err) = run(&CheckOptions { strict: true, ..options(file) });
    assert_eq!(status, ExitStatus::Failed);
    assert!(err.ends_with("1 pool, 0 real servers: 2 warnings: refused, since --strict\n"), "{err}");
}

#[test]
fn the_host_is_asked_unless_offline() {
    let (status, _, err) = run(&CheckOptions { offline: false, ..options("conf/dr.yaml") });
    assert_eq!(status, ExitStatus::Done);
    assert_eq!(err.matches("warning[dr-server-behind-gateway]").count(), 2, "{err}");
}

#[test]
fn a_host_that_does_not_answer_is_said_and_not_in_the_way() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let options = CheckOptions { offline: false, ..options("conf/dr.yaml") };
    let status = check(&options, &|_| anyhow::bail!("no netlink"), &mut out, &mut err).expect("written");
    assert_eq!(status, ExitStatus::Done);
    assert!(String::from_utf8_lossy(&err).contains("were not looked at: no netlink\n"));
}

#[test]
fn the_resolved_policy_is_the_only_output() {
    let (status, out, _) = run(&CheckOptions { resolved: true, ..options("conf/dr.yaml") });
    assert_eq!(status, ExitStatus::Done);
    assert!(out.starts_with("policy_version: 1\nchecks:\n  alive:\n    http:\n      method: GET\n"), "{out}");
}

#[test]
fn colours_are_for_terminals() {
    let (_, _, err) = run(&CheckOptions { colour: Colour::Ansi, ..options("tests/policy/bad/dr-port.yaml") });
    assert!(err.starts_with("\u{1b}[1;31merror[dr-cannot-map-ports]\u{1b}[0m"), "{err:?}");
}

#[test]
fn the_schema_knows_every_section_and_refuses_others() {
    let mut out = Vec::new();
    assert_eq!(schema::schema(&mut out).expect("written"), ExitStatus::Done);
    let schema: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["policy_version"]));
    for section in [
        "directors",
        "virtual_routers",
        "sync_groups",
        "connection_sync",
        "peer",
        "checks",
        "server_sets",
        "defaults",
        "pools",
        "kernel",
        "metrics",
        "api",
        "on_event",
        "virtual_addresses",
        "on_stop",
    ] {
        assert!(schema["properties"][section]["description"].is_string(), "{section}");
    }
    assert!(schema["properties"]["weather"].is_null());
}

/// The form is a contract with programs that others generate: a change here is a change for each of them.
#[test]
fn the_api_is_described_as_it_was() {
    let mut out = Vec::new();
    assert_eq!(schema::api(&mut out).expect("written"), ExitStatus::Done);
    let text = String::from_utf8(out).expect("text");
    assert_eq!(compare(&text, Path::new("tests/policy/generated/openapi.json")), None);
}

#[test]
fn a_pair_is_checked_anywhere_and_advised_only_at_home() {
    let anywhere = CheckOptions { offline: false, ..options("conf/pair.yaml") };
    let (status, _, err) = run(&anywhere);
    assert_eq!(status, ExitStatus::Done);
    assert!(err.starts_with("this host, elsewhere, is none of the directors: "), "{err}");
    assert!(err.ends_with("2 virtual routers on 2 directors: ok\n"), "{err}");
    let at_home = CheckOptions { host: "lb-b.example.com".to_owned(), ..anywhere };
    let (status, _, err) = run(&at_home);
    assert_eq!(status, ExitStatus::Done);
    assert!(err.contains("warning[dr-server-behind-gateway]"), "{err}");
}

#[test]
fn the_resolved_policy_is_that_of_the_director_that_was_named() {
    let file = "tests/policy/good/pair.yaml";
    let of = |name: &str| {
        let director = Some(name.to_owned());
        let (status, out, _) = run(&CheckOptions { resolved: true, director, ..options(file) });
        assert_eq!(status, ExitStatus::Done);
        out
    };
    assert!(of("lb-a").contains("listen: 192.168.101.200:9752"));
    assert!(of("lb-b").contains("listen: 192.168.101.201:9752"));
    let (status, _, err) = run(&CheckOptions { director: Some("lb-c".to_owned()), ..options(file) });
    assert_eq!(status, ExitStatus::Failed);
    assert!(err.contains("error[director-not-found]"), "{err}");
}
