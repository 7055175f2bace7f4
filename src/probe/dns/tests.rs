//! Answers of name servers, as bytes.

use super::{Answer, Asked, comparable};
use crate::model::{DnsSpec, DnsTransport, Failure, RecordType, ResponseCode};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode as Code};
use hickory_proto::rr::rdata::{A, CNAME, MX, TXT};
use hickory_proto::rr::{Name, RData, Record};
use proptest::prelude::*;
use std::str::FromStr;

const ID: u16 = 0x1234;

fn asked(record: RecordType, rcode: &[ResponseCode], answer: &[&str]) -> Asked {
    let spec = DnsSpec {
        name: "www.example.com".to_owned(),
        record,
        transport: DnsTransport::Udp,
        rcode: rcode.to_vec(),
        answer: answer.iter().map(ToString::to_string).collect(),
    };
    Asked::new(&"alive".into(), &spec).expect("a good name")
}

fn addresses(answer: &[&str]) -> Asked {
    asked(RecordType::A, &[ResponseCode::NoError], answer)
}

fn name(text: &str) -> Name {
    Name::from_str(text).expect("a name")
}

/// The answer to `asked` with this data.
fn answer(asked: &Asked, code: Code, data: Vec<RData>) -> Message {
    let mut message = Message::new(ID, MessageType::Response, OpCode::Query);
    message.metadata.response_code = code;
    message.add_query(asked.query.clone());
    message.add_answers(data.into_iter().map(|data| Record::from_rdata(name("www.example.com."), 60, data)));
    message
}

fn judged(asked: &Asked, message: &Message) -> Answer {
    asked.judge(ID, &message.to_vec().expect("a message"))
}

fn address(last: u8) -> RData {
    RData::A(A::new(192, 0, 2, last))
}

#[test]
fn a_question_is_what_rfc_1035_draws() {
    let question = addresses(&[]).question(ID).expect("a question");
    let expected = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
    assert_eq!(question, expected);
}

#[test]
fn every_expected_answer_must_be_there_and_more_may() {
    let asked = addresses(&["192.0.2.1", "192.0.2.2"]);
    let all = answer(&asked, Code::NoError, vec![address(3), address(2), address(1)]);
    assert_eq!(judged(&asked, &all), Answer::Ended(Ok(())));
    let one = answer(&asked, Code::NoError, vec![address(1)]);
    let words = "192.0.2.1, without 192.0.2.2".to_owned();
    assert_eq!(judged(&asked, &one), Answer::Ended(Err(Failure::UnexpectedReply(words))));
    let other = answer(&asked, Code::NoError, vec![RData::CNAME(CNAME(name("a.example.net.")))]);
    let words = "no such record, without 192.0.2.1".to_owned();
    assert_eq!(judged(&asked, &other), Answer::Ended(Err(Failure::UnexpectedReply(words))));
}

#[test]
fn names_are_compared_without_case_and_without_their_last_dot() {
    let asked = asked(RecordType::Mx, &[ResponseCode::NoError], &["10 Mail.example.com"]);
    let message = answer(&asked, Code::NoError, vec![RData::MX(MX::new(10, name("mail.EXAMPLE.com.")))]);
    assert_eq!(judged(&asked, &message), Answer::Ended(Ok(())));
    assert_eq!(comparable(" 10  A.B. "), "10 a.b");
}

#[test]
fn a_text_is_compared_without_quotes() {
    let asked = asked(RecordType::Txt, &[ResponseCode::NoError], &["v=spf1 -all"]);
    let message = answer(&asked, Code::NoError, vec![RData::TXT(TXT::new(vec!["v=spf1 -all".to_owned()]))]);
    assert_eq!(judged(&asked, &message), Answer::Ended(Ok(())));
}

#[test]
fn another_response_code_is_named() {
    let asked = addresses(&[]);
    for (code, words) in
        [(Code::ServFail, "SERVFAIL"), (Code::Refused, "REFUSED"), (Code::NotAuth, "response code 9")]
    {
        let message = answer(&asked, code, Vec::new());
        assert_eq!(judged(&asked, &message), Answer::Ended(Err(Failure::UnexpectedReply(words.to_owned()))));
    }
    let absent = super::tests::asked(RecordType::A, &[ResponseCode::NxDomain], &[]);
    assert_eq!(judged(&absent, &answer(&absent, Code::NXDomain, Vec::new())), Answer::Ended(Ok(())));
}

#[test]
fn only_the_answer_to_this_question_counts() {
    let asked = addresses(&[]);
    let good = answer(&asked, Code::NoError, vec![address(1)]);
    let bytes = good.to_vec().expect("a message");
    assert_eq!(asked.judge(ID + 1, &bytes), Answer::Foreign, "another identifier");
    assert_eq!(
        asked.judge(ID, &asked.question(ID).expect("a question")),
        Answer::Foreign,
        "the question itself"
    );
    let mut other = good.clone();
    other.queries = vec![Query::query(name("mail.example.com."), hickory_proto::rr::RecordType::A)];
    assert_eq!(judged(&asked, &other), Answer::Foreign, "another name");
    other.queries = Vec::new();
    assert_eq!(judged(&asked, &other), Answer::Foreign, "no question in a success");
    let mut refused = answer(&asked, Code::FormErr, Vec::new());
    refused.queries = Vec::new();
    assert!(matches!(judged(&asked, &refused), Answer::Ended(Err(_))), "an error may leave it out");
}

#[test]
fn a_truncated_answer_is_no_verdict() {
    let asked = addresses(&["192.0.2.1"]);
    let mut cut = answer(&asked, Code::NoError, Vec::new());
    cut.metadata.truncation = true;
    assert_eq!(judged(&asked, &cut), Answer::Truncated);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200), ours in any::<bool>()) {
        let id = if ours { bytes.first_chunk().map_or(ID, |id| u16::from_be_bytes(*id)) } else { ID };
        prop_assert_ne!(addresses(&["192.0.2.1"]).judge(id, &bytes), Answer::Ended(Ok(())));
    }

    #[test]
    fn a_changed_answer_is_judged(place in 0_usize..60, value in any::<u8>(), cut in 0_usize..80) {
        let asked = addresses(&["192.0.2.1"]);
        let mut bytes = answer(&asked, Code::NoError, vec![address(1)]).to_vec().expect("a message");
        if let Some(byte) = bytes.get_mut(place) {
            *byte = value;
        }
        bytes.truncate(cut);
        asked.judge(ID, &bytes);
    }
}
