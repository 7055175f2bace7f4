//! A finding of `tandem doctor` and of `tandem real-server --check`, and how findings are printed.
//!
//! Its code is stable: scripts and dashboards may depend on it.

use super::ExitStatus;
use serde_json::{Value, json};
use std::io::Write;

/// Every code. A finding that bears another one is a fault of this program; tests/tidy.rs wants a case of the lab for each.
const CODES: [&str; 52] = [
    "accept-local",
    "advert-priority",
    "arp-announce",
    "arp-ignore",
    "clock",
    "clock-jump",
    "conn-reuse-mode",
    "conntrack-liberal",
    "encapsulation",
    "expire-nodest-conn",
    "expire-quiescent-template",
    "failover",
    "firewall",
    "firewall-legacy",
    "firewall-unread",
    "fixed",
    "full-nat",
    "gateway",
    "gue-port",
    "interface",
    "interface-down",
    "interface-missing",
    "interface-no-carrier",
    "ip-forward",
    "module-missing",
    "module-not-loaded",
    "module-unknown",
    "modules",
    "nft",
    "not-a-real-server",
    "not-fixed",
    "other-program",
    "own-address",
    "rp-filter",
    "run-estimation",
    "segments",
    "send-redirects",
    "server-gateway",
    "server-link",
    "server-unreachable",
    "settings",
    "shared-destination",
    "stolen-time",
    "tunnel-missing",
    "tunnel-mtu",
    "vip-answers",
    "vip-missing",
    "vip-tentative",
    "vs-conntrack",
    "vs-expire",
    "vs-setting",
    "vs-sync",
];

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// As it should be.
    Good,
    /// Worth knowing; not wrong by itself.
    Note,
    /// To be looked at: the exit status is 1.
    Look,
}

impl Mark {
    /// What its line begins with.
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Look => "look",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Kebab case, stable.
    pub(super) code: &'static str,
    pub(super) mark: Mark,
    pub(super) what: String,
    /// What was seen, and what follows from it.
    pub(super) evidence: String,
    /// What to do; `None` where nothing is to be done.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn good(code: &'static str, what: impl Into<String>, evidence: impl Into<String>) -> Self {
        debug_assert!(CODES.contains(&code), "{code} is in no list of codes");
        Self { code, mark: Mark::Good, what: what.into(), evidence: evidence.into(), remedy: None }
    }

    pub(super) fn look(
        code: &'static str,
        what: impl Into<String>,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { mark: Mark::Look, remedy: Some(remedy.into()), ..Self::good(code, what, evidence) }
    }

    pub(super) fn note(
        code: &'static str,
        what: impl Into<String>,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { mark: Mark::Note, ..Self::look(code, what, evidence, remedy) }
    }

    fn json(&self) -> Value {
        json!({
            "code": self.code,
            "mark": self.mark.word(),
            "what": self.what,
            "evidence": self.evidence,
            "remedy": self.remedy,
        })
    }
}

/// Prints findings, one a line: `look  WHAT: EVIDENCE; REMEDY [CODE]`.
///
/// # Errors
/// The writer fails.
pub(super) fn print_text(findings: &[Finding], out: &mut dyn Write) -> std::io::Result<()> {
    for Finding { code, mark, what, evidence, remedy } in findings {
        let remedy = remedy.as_deref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        writeln!(out, "{:<4}  {what}: {evidence}{remedy} [{code}]", mark.word())?;
    }
    Ok(())
}

/// The same as JSON: `{"findings_version": 1, "findings": […]}`.
///
/// # Errors
/// The writer fails.
pub(super) fn print_json(findings: &[Finding], out: &mut dyn Write) -> anyhow::Result<()> {
    let findings: Vec<Value> = findings.iter().map(Finding::json).collect();
    serde_json::to_writer_pretty(&mut *out, &json!({ "findings_version": 1, "findings": findings }))?;
    writeln!(out)?;
    Ok(())
}

/// Done where nothing is to be looked at.
pub(super) fn status(findings: &[Finding]) -> ExitStatus {
    let look = findings.iter().any(|finding| finding.mark == Mark::Look);
    if look { ExitStatus::Failed } else { ExitStatus::Done }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_with_its_remedy_and_its_code() {
        let findings = [
            Finding::good("clock", "clock", "synchronised"),
            Finding::note("tunnel-mtu", "MTU of eth0", "1500", "raise it"),
            Finding::look("ip-forward", "net.ipv4.ip_forward=0", "answers are not routed", "set it to 1"),
        ];
        let mut out = Vec::new();
        print_text(&findings, &mut out).expect("written");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            text,
            "ok    clock: synchronised [clock]\n\
             note  MTU of eth0: 1500; raise it [tunnel-mtu]\n\
             look  net.ipv4.ip_forward=0: answers are not routed; set it to 1 [ip-forward]\n"
        );
        assert_eq!(status(&findings), ExitStatus::Failed);
        assert_eq!(status(&findings[..2]), ExitStatus::Done, "a note is no failure");
        let mut out = Vec::new();
        print_json(&findings, &mut out).expect("written");
        let json: Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(
            (&json["findings"][2]["code"], &json["findings"][0]["remedy"]),
            (&json!("ip-forward"), &Value::Null)
        );
    }
}
