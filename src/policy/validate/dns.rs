//! The dns probe: a name that can be asked for, and answers of the type that is asked for.

use crate::model::{DnsSpec, DnsTransport, RecordType, ResponseCode};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Field, Spanned};
use crate::policy::scalar::Text;
use crate::policy::schema::{DnsProtocolWord, DnsText, RecordTypeWord, ResponseCodeWord};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes of a name without its last dot, and of one label of it (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;
/// Data that one answer is compared with, at most.
const MOST_ANSWERS: usize = 64;

/// A question and its answer; `None` after a problem.
pub(super) fn dns(text: &DnsText, problems: &mut Problems) -> Option<DnsSpec> {
    let name = name(text.name.given()?, problems)?;
    let record = match &text.r#type {
        Field::Absent => RecordType::A,
        Field::Bad => return None,
        Field::Given(word) => record_type(word.value),
    };
    let transport = match text.protocol.value() {
        Some(DnsProtocolWord::Tcp) => DnsTransport::Tcp,
        Some(DnsProtocolWord::Udp) | None => DnsTransport::Udp,
    };
    let rcode = match text.rcode.given() {
        None => vec![ResponseCode::NoError],
        Some(said) if said.value.0.is_empty() => {
            if !problems.any_within(said.span) {
                let message = "no response code at all counts as success here";
                problems.push(
                    Diagnostic::new(Code::OutOfRange, said.span, message)
                        .help("write those that do: NOERROR"),
                );
            }
            return None;
        }
        Some(said) => said.value.0.iter().map(|word| response_code(word.value)).collect(),
    };
    let answers = text.answer.given();
    let said = answers.map(|said| said.value.0.as_slice()).unwrap_or_default();
    if let Some(span) = answers.map(|said| said.span).filter(|_| said.len() > MOST_ANSWERS) {
        let message = format!("{} answers are expected here, and {MOST_ANSWERS} are the most", said.len());
        problems.push(Diagnostic::new(Code::OutOfRange, span, message).help("expect those that matter"));
        return None;
    }
    let answer: Vec<Option<String>> = said.iter().map(|said| answer(said, record, problems)).collect();
    let answer: Option<Vec<String>> = answer.into_iter().collect();
    Some(DnsSpec { name, record, transport, rcode, answer: answer? })
}

/// The name without a dot at its end; the root is a dot.
fn name(said: &Spanned<Text>, problems: &mut Problems) -> Option<String> {
    let text = &said.value.0;
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*/".contains(&byte))
    };
    if text == "." {
        return Some(text.clone());
    }
    if name.len() <= LONGEST_NAME && name.split('.').all(is_label) {
        return Some(name.to_ascii_lowercase());
    }
    let message = format!("{} is not a name that a name server can be asked for", quoted(text));
    problems.push(
        Diagnostic::new(Code::DnsName, said.span, message)
            .help("write labels of letters, digits, `-` and `_`, at most 63 each; other scripts as xn--…"),
    );
    None
}

/// An expected answer; an address is written as everybody writes it.
fn answer(said: &Spanned<Text>, record: RecordType, problems: &mut Problems) -> Option<String> {
    let text = &said.value.0;
    let (address, what) = match record {
        RecordType::A => (text.parse::<Ipv4Addr>().map(|address| address.to_string()), "an IPv4 address"),
        RecordType::Aaaa => (text.parse::<Ipv6Addr>().map(|address| address.to_string()), "an IPv6 address"),
        RecordType::Cname
        | RecordType::Mx
        | RecordType::Ns
        | RecordType::Ptr
        | RecordType::Soa
        | RecordType::Srv
        | RecordType::Txt => return Some(text.clone()),
    };
    if address.is_err() {
        let message = format!("{} is not {what}, which {} records hold", quoted(text), record.name());
        problems.push(
            Diagnostic::new(Code::BadAddress, said.span, message)
                .help(format!("write {what}, or ask for another `type`")),
        );
    }
    address.ok()
}

const fn record_type(word: RecordTypeWord) -> RecordType {
    match word {
        RecordTypeWord::A => RecordType::A,
        RecordTypeWord::Aaaa => RecordType::Aaaa,
        RecordTypeWord::Cname => RecordType::Cname,
        RecordTypeWord::Mx => RecordType::Mx,
        RecordTypeWord::Ns => RecordType::Ns,
        RecordTypeWord::Ptr => RecordType::Ptr,
        RecordTypeWord::Soa => RecordType::Soa,
        RecordTypeWord::Srv => RecordType::Srv,
        RecordTypeWord::Txt => RecordType::Txt,
    }
}

const fn response_code(word: ResponseCodeWord) -> ResponseCode {
    match word {
        ResponseCodeWord::NoError => ResponseCode::NoError,
        ResponseCodeWord::FormErr => ResponseCode::FormErr,
        ResponseCodeWord::ServFail => ResponseCode::ServFail,
        ResponseCodeWord::NxDomain => ResponseCode::NxDomain,
        ResponseCodeWord::NotImp => ResponseCode::NotImp,
        ResponseCodeWord::Refused => ResponseCode::Refused,
    }
}
