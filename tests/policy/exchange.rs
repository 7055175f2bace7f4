//! What checks that exchange bytes mean: both forms of a dialogue, and the defaults of datagrams and names.

use crate::Memory;
use std::path::Path;
use tandem::model::{DnsTransport, OnSilence, Pattern, ProbeSpec, ResponseCode, Step};
use tandem::policy::{self, View};

const POLICY: &str = r#"
policy_version: 1
checks:
  short: {tcp: {send: "PING\r\n", expect: "+PONG"}}
  long: {tcp: {dialogue: [{send: {hex: "5049 4e470D0a"}}, {expect: {hex: 2b504f4e47}}]}}
  quiet: {udp: {send: a}}
  strict: {udp: {expect: {regex: a}}}
  root: {dns: {name: .}}
  name: {dns: {name: WWW.Example.com., type: AAAA, answer: "2001:DB8:0:0::1"}}
pools:
  web:
    virtual_services: [tcp://192.0.2.1:80]
    forwarding: nat
    real_servers:
      - {address: 192.0.2.11, check: short}
      - {address: 192.0.2.12, check: long}
      - {address: 192.0.2.13, check: quiet}
      - {address: 192.0.2.14, check: strict}
      - {address: 192.0.2.15, check: name}
      - {address: 192.0.2.16, check: root}
    check: none
"#;

fn probe(check: &str) -> ProbeSpec {
    let loaded = policy::load(Path::new("policy.yaml"), &Memory::of(POLICY.as_bytes()), View::First);
    let policy = loaded.policy.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    policy.checks[check].probe.clone()
}

#[test]
fn a_dialogue_is_the_same_in_its_short_form_and_in_digits() {
    assert_eq!(probe("short"), probe("long"));
    let ProbeSpec::Dialogue(spec) = probe("short") else { panic!("no dialogue") };
    let (sent, expected) = (b"PING\r\n".to_vec(), Pattern::Bytes(b"+PONG".to_vec()));
    assert_eq!(spec.steps, [Step::Send(sent), Step::Expect(expected)]);
}

#[test]
fn silence_is_failure_where_an_answer_is_expected() {
    let silence = |check: &str| match probe(check) {
        ProbeSpec::Udp(spec) => spec.on_silence,
        other => panic!("{other:?}"),
    };
    assert_eq!((silence("quiet"), silence("strict")), (OnSilence::Up, OnSilence::Down));
}

#[test]
fn names_and_addresses_are_written_in_one_way() {
    let ProbeSpec::Dns(spec) = probe("name") else { panic!("not dns") };
    assert_eq!((spec.name.as_str(), spec.answer), ("www.example.com", vec!["2001:db8::1".to_owned()]));
    assert_eq!((spec.rcode.as_slice(), spec.transport), (&[ResponseCode::NoError][..], DnsTransport::Udp));
    let ProbeSpec::Dns(spec) = probe("root") else { panic!("not dns") };
    assert_eq!(spec.name, ".");
}
