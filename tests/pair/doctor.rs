//! `tandem doctor` on a director whose host is broken in one way after the other: each finding with its evidence and its remedy,
//! and gone when it is mended. No IPVS is needed. (Settings of IPVS and a clock that is set: tests/lab/doctor.rs.)

mod firewall;
mod network;
mod parts;
mod policy;

use crate::stage::{INTERFACE, NAMES, PREFERRED, Stage};
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// NAT on the directors' own network.
const POLICY: &str = "policy_version: 1
directors:
  lb-a: {address: 192.168.101.200}
  lb-b: {address: 192.168.101.201}
virtual_routers:
  outside: {interface: eth0, vrid: 51, prefer: [lb-a, lb-b], virtual_addresses: [192.168.101.100/24]}
connection_sync: {interface: eth0, sync_id: 61, role: {follow: outside}}
pools:
  web:
    virtual_services: [tcp://192.168.101.100:80]
    forwarding: nat
    check: none
    real_servers: [192.168.101.110:8080]
";
/// What depends on the machine that the cases run on. It is broken in cases of its own.
const OF_THE_MACHINE: [&str; 5] =
    ["clock", "module-missing", "module-not-loaded", "module-unknown", "stolen-time"];

/// A finding as it should be: its code, and words of its evidence and of its remedy.
type Expected<'a> = (&'a str, &'a str, &'a str);

/// One that is not good.
#[derive(Debug)]
struct Complaint {
    code: String,
    is_note: bool,
    evidence: String,
    remedy: String,
}

impl Complaint {
    fn new(finding: &serde_json::Value) -> Self {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let complaint = Self {
            code: text("code"),
            is_note: finding["mark"] == "note",
            evidence: text("evidence"),
            remedy: text("remedy"),
        };
        assert!(!complaint.evidence.is_empty() && !complaint.remedy.is_empty(), "{finding}");
        complaint
    }

    fn is(&self, (code, evidence, remedy): Expected<'_>) -> bool {
        self.code == code && self.evidence.contains(evidence) && self.remedy.contains(remedy)
    }
}

struct Visit {
    stage: Stage,
    policy: PathBuf,
}

impl Visit {
    /// A host that is well but for what it finds of [`OF_THE_MACHINE`].
    fn new() -> Self {
        let visit = Self::unprepared();
        visit.findings("", &["--fix"]);
        visit.assert_complaints(&[]);
        visit
    }

    fn unprepared() -> Self {
        let stage = Stage::new();
        let policy = stage.folder().join("tandem.yaml");
        let visit = Self { stage, policy };
        visit.write(POLICY);
        visit
    }

    fn write(&self, policy: &str) {
        fs::write(&self.policy, policy).expect("the policy");
    }

    fn host(&self) -> &Namespace {
        &self.stage.directors[PREFERRED]
    }

    /// What the doctor finds after `before`: lines of a shell in a mount namespace of its own, where files can be hidden. The
    /// last one may start the doctor by another program.
    #[track_caller]
    fn findings(&self, before: &str, more: &[&str]) -> Vec<serde_json::Value> {
        let mut command = Command::new("unshare");
        let script = format!("{PUT}\n{before} \"$@\"");
        command.args(["--mount", "sh", "-ec", &script, "sh", env!("CARGO_BIN_EXE_tandem"), "doctor"]);
        command.arg(&self.policy).args(["--director", NAMES[PREFERRED], "--json"]).args(more);
        let output = self.host().output(&mut command);
        let document: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let findings = document["findings"].as_array().expect("findings").clone();
        let is_bad = findings.iter().any(|finding| finding["mark"] == "look");
        assert_eq!(output.status.code(), Some(i32::from(is_bad)), "{findings:?}");
        findings
    }

    /// What is to be looked at, and what is noted.
    #[track_caller]
    fn complaints(&self, before: &str) -> Vec<Complaint> {
        let findings = self.findings(before, &[]);
        findings.iter().filter(|finding| finding["mark"] != "ok").map(Complaint::new).collect()
    }

    /// There are these, and no other but what depends on the machine.
    #[track_caller]
    fn assert_complaints(&self, expected: &[Expected<'_>]) {
        let mut found = self.complaints("");
        found.retain(|complaint| !OF_THE_MACHINE.contains(&&*complaint.code));
        let all = expected.iter().all(|expected| found.iter().any(|complaint| complaint.is(*expected)));
        assert!(all && found.len() == expected.len(), "{found:#?}, not {expected:#?}");
    }

    /// Breaks something, sees that it is found, mends it, and sees that it is well again.
    #[track_caller]
    fn broken(
        &self,
        expected: &[Expected<'_>],
        break_it: impl FnOnce(&Namespace),
        mend_it: impl FnOnce(&Namespace),
    ) {
        break_it(self.host());
        self.assert_complaints(expected);
        mend_it(self.host());
        self.assert_complaints(&[]);
    }

    /// Under `policy` it is found, and under another no more.
    #[track_caller]
    fn broken_by(&self, expected: &[Expected<'_>], policy: &str, mended: &str) {
        self.broken(expected, |_| self.write(policy), |_| self.write(mended));
    }

    /// The same where the machine itself cannot be broken, since others use it: `broken` and `mended` are for the doctor alone.
    #[track_caller]
    fn broken_for_the_doctor(&self, expected: Expected<'_>, broken: &str, mended: &str) {
        let found = self.complaints(broken);
        assert!(found.iter().any(|complaint| complaint.is(expected)), "{found:#?}, not {expected:?}");
        let found = self.complaints(mended);
        assert!(
            found.iter().all(|complaint| complaint.code != expected.0),
            "after it was mended: {found:#?}"
        );
    }
}

/// `put TEXT FILE`: the file has another content in this mount namespace.
const PUT: &str = r#"put() { file=$(mktemp); printf "$1" >"$file"; mount --bind "$file" "$2"; }"#;

#[test]
fn settings_that_tandem_would_set_are_found_and_fixed() {
    let visit = Visit::unprepared();
    let by_fix = "`tandem doctor --fix` does so now";
    let forward = ("ip-forward", "answers of NAT's and full-NAT's real servers are not forwarded", by_fix);
    let redirects = ("send-redirects", "told of a way past the director", by_fix);
    visit.assert_complaints(&[forward, redirects, redirects]);
    let may_not = "mount --bind /proc/sys/net /proc/sys/net; mount -o remount,bind,ro /proc/sys/net;";
    let refused = visit.findings(may_not, &["--fix"]);
    let refused = refused.iter().find(|finding| finding["code"] == "not-fixed").map(Complaint::new);
    assert!(
        refused.as_ref().is_some_and(|refused| refused.is(("not-fixed", "ead-only", "set it by hand"))),
        "{refused:?}"
    );
    let fixed: Vec<String> = visit
        .findings("", &["--fix"])
        .iter()
        .filter(|finding| finding["code"] == "fixed")
        .map(|finding| format!("{}: {}", finding["what"], finding["evidence"]).replace('"', ""))
        .collect();
    assert!(fixed.contains(&"net.ipv4.ip_forward=1: it was 0, and is set now".to_owned()), "{fixed:?}");
    assert_eq!(visit.host().read_sysctl("net.ipv4.ip_forward"), "1");
    visit.assert_complaints(&[]);
    visit.broken(
        &[forward],
        |host| host.sysctl(&[("net.ipv4.ip_forward", "0")]),
        |host| host.sysctl(&[("net.ipv4.ip_forward", "1")]),
    );
    let good: Vec<_> = visit.findings("", &[]).iter().map(|finding| finding["code"].clone()).collect();
    assert!(good.contains(&"settings".into()) && good.contains(&"interface".into()), "{good:?}");
}

#[test]
fn another_program_that_holds_vrrp_is_found_where_it_shares_the_network() {
    let visit = Visit::new();
    // The kernel knows a process by the name of its file.
    let program = visit.stage.folder().join("keepalived");
    fs::copy("/bin/sleep", &program).expect("a copy");
    let start = |host: &Namespace| {
        let log = visit.stage.folder().join("log");
        Process::start(host, program.to_str().expect("a plain path"), &["60"], &log)
    };
    let elsewhere = start(&visit.stage.client);
    visit.assert_complaints(&[]);
    drop(elsewhere);
    let here = start(visit.host());
    let stop = "stop keepalived on this host";
    visit.assert_complaints(&[("other-program", "it holds addresses or the IPVS table too", stop)]);
    drop(here);
    visit.assert_complaints(&[]);
}
