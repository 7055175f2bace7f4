//! Advertisements as tshark reads them.
//!
//! tshark verifies version 3's checksum over IPv4 in one of two readings, by a preference: with the pseudo-header
//! (RFC 5798, keepalived, FRR) or "as in version 2", without it (RFC 9568). So each capture is read twice. Over IPv6, and in
//! version 2, there is one reading, and both passes say the same.

use crate::stage::Stage;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

const FIELDS: [&str; 9] = [
    "eth.src",
    "ip.src",
    "ipv6.src",
    "ip.ttl",
    "ipv6.hlim",
    "vrrp.version",
    "vrrp.checksum.status",
    "_ws.malformed",
    "_ws.expert.message",
];
/// What tshark says of a good checksum, and of one that it does not verify.
const GOOD: &str = "1";
/// Remarks that are no complaint about the packet: a bad checksum in one of the two readings.
const CHECKSUM_REMARK: &str = "Bad checksum";

#[derive(Debug, Clone)]
pub(crate) struct Advertisement {
    pub(crate) source_link: String,
    pub(crate) source: IpAddr,
    /// TTL or hop limit.
    pub(crate) hops: u8,
    pub(crate) version: u8,
    pub(crate) good_with_pseudo_header: bool,
    pub(crate) good_without: bool,
    /// That it is malformed, or what else tshark remarks; empty: nothing.
    pub(crate) complaint: String,
}

/// All advertisements of a capture, in their order.
#[track_caller]
pub(crate) fn read(stage: &Stage, file: &Path) -> Vec<Advertisement> {
    let with = lines(stage, file, "FALSE");
    let without = lines(stage, file, "TRUE");
    assert_eq!(with.len(), without.len(), "the same packets in both readings");
    with.iter().zip(&without).map(|(with, without)| advertisement(with, without)).collect()
}

fn lines(stage: &Stage, file: &Path, as_in_version_2: &str) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r"]).arg(file);
    command.args(["-o", &format!("vrrp.v3_checksum_as_in_v2:{as_in_version_2}"), "-T", "fields"]);
    command.args(["-E", "separator=|", "-E", "occurrence=a", "-E", "aggregator=;"]);
    FIELDS.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    let output = stage.switch.output(&mut command);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {complaint}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

fn advertisement(with: &[String], without: &[String]) -> Advertisement {
    let [link, ipv4, ipv6, ttl, hop_limit, version, status, malformed, remarks] = with else {
        panic!("tshark's fields: {with:?}");
    };
    let other_remarks = remarks.split(';').filter(|remark| !remark.contains(CHECKSUM_REMARK));
    let complaint: Vec<&str> =
        [malformed.as_str()].into_iter().chain(other_remarks).filter(|text| !text.is_empty()).collect();
    let either = |ipv4: &str, ipv6: &str| if ipv4.is_empty() { ipv6.to_owned() } else { ipv4.to_owned() };
    Advertisement {
        source_link: link.clone(),
        source: either(ipv4, ipv6).parse().expect("a source address"),
        hops: either(ttl, hop_limit).parse().expect("a TTL"),
        version: version.parse().expect("a version"),
        good_with_pseudo_header: status == GOOD,
        good_without: without[6] == GOOD,
        complaint: complaint.join("; "),
    }
}
