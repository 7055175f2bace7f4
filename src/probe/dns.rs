//! A question to a name server and what may come back for it, as bytes. It decides and does nothing: `name_server` sends and
//! receives.
//!
//! Source: RFC 1035 (messages, truncation), RFC 5452, section 9 (an answer must bear the identifier and the question). The
//! bytes are hickory-proto's work.

use super::PrepareError;
use super::failure;
use crate::model::{CheckName, DnsSpec, Failure, RecordType, ResponseCode};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{self, Name, RData};

/// A question made ready.
#[derive(Debug)]
pub(super) struct Asked {
    query: Query,
    /// Codes that count as success.
    rcode: Vec<ResponseCode>,
    /// Data that must be there, as [`comparable`] writes it.
    answer: Vec<String>,
}

/// What a message is to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// To another question, or no answer.
    Foreign,
    /// Cut off: it is to be asked again over TCP.
    Truncated,
    /// The verdict.
    Ended(Result<(), Failure>),
}

impl Asked {
    /// Makes `spec` ready.
    pub(super) fn new(check: &CheckName, spec: &DnsSpec) -> Result<Self, PrepareError> {
        let mut name = Name::from_ascii(&spec.name).map_err(|error| PrepareError::DnsName {
            check: check.to_string(),
            name: spec.name.clone(),
            detail: error.to_string(),
        })?;
        name.set_fqdn(true);
        let answer = spec.answer.iter().map(|data| comparable(data)).collect();
        Ok(Self { query: Query::query(name, record_type(spec.record)), rcode: spec.rcode.clone(), answer })
    }

    /// The question as it is sent, with the identifier `id`. Recursion is desired: a server that offers none ignores it.
    pub(super) fn question(&self, id: u16) -> Result<Vec<u8>, Failure> {
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(self.query.clone());
        message.to_vec().map_err(|error| Failure::Local(failure::bounded(error.to_string())))
    }

    /// What `bytes` are to the question with the identifier `id`.
    pub(super) fn judge(&self, id: u16, bytes: &[u8]) -> Answer {
        // Before anything is read of it: what bears another identifier is none of ours, however broken it is.
        if bytes.first_chunk() != Some(&id.to_be_bytes()) {
            return Answer::Foreign;
        }
        let message = match Message::from_vec(bytes) {
            Ok(message) => message,
            Err(error) => {
                return Answer::Ended(Err(Failure::Malformed(failure::bounded(format!(
                    "not DNS ({error})"
                )))));
            }
        };
        if message.metadata.message_type != MessageType::Response || !self.is_question(&message) {
            return Answer::Foreign;
        }
        if message.metadata.truncation {
            return Answer::Truncated;
        }
        Answer::Ended(self.verdict(&message))
    }

    /// Whether an answer repeats the question. One that reports an error may leave it out.
    fn is_question(&self, message: &Message) -> bool {
        match message.queries.as_slice() {
            [] => u16::from(message.metadata.response_code) != ResponseCode::NoError.number(),
            [query] => *query == self.query,
            [_, _, ..] => false,
        }
    }

    fn verdict(&self, message: &Message) -> Result<(), Failure> {
        let code = u16::from(message.metadata.response_code);
        if !self.rcode.iter().any(|accepted| accepted.number() == code) {
            let known = KNOWN_CODES.iter().find(|known| known.number() == code);
            let name = known.map_or_else(|| format!("response code {code}"), |known| known.name().to_owned());
            return Err(Failure::UnexpectedReply(name));
        }
        let records = message.answers.iter().filter(|record| record.record_type() == self.query.query_type);
        let found: Vec<String> = records.map(|record| comparable(&data_text(&record.data))).collect();
        match self.answer.iter().find(|wanted| !found.contains(wanted)) {
            None => Ok(()),
            Some(missing) => {
                let found = if found.is_empty() { "no such record".to_owned() } else { found.join(", ") };
                Err(Failure::UnexpectedReply(failure::bounded(format!("{found}, without {missing}"))))
            }
        }
    }
}

const KNOWN_CODES: [ResponseCode; 6] = [
    ResponseCode::NoError,
    ResponseCode::FormErr,
    ResponseCode::ServFail,
    ResponseCode::NxDomain,
    ResponseCode::NotImp,
    ResponseCode::Refused,
];

const fn record_type(record: RecordType) -> rr::RecordType {
    match record {
        RecordType::A => rr::RecordType::A,
        RecordType::Aaaa => rr::RecordType::AAAA,
        RecordType::Cname => rr::RecordType::CNAME,
        RecordType::Mx => rr::RecordType::MX,
        RecordType::Ns => rr::RecordType::NS,
        RecordType::Ptr => rr::RecordType::PTR,
        RecordType::Soa => rr::RecordType::SOA,
        RecordType::Srv => rr::RecordType::SRV,
        RecordType::Txt => rr::RecordType::TXT,
    }
}

/// A record's data as in a zone file. Texts are joined, without quotes.
fn data_text(data: &RData) -> String {
    // An OPT record has no text, and a malicious answer may hold one.
    let mut text = String::new();
    match std::fmt::write(&mut text, format_args!("{data}")) {
        Ok(()) => text,
        Err(_) => String::new(),
    }
}

/// Data in a form that can be compared: names differ neither by case nor by the dot at their end.
fn comparable(data: &str) -> String {
    let words: Vec<String> =
        data.split_whitespace().map(|word| word.trim_end_matches('.').to_ascii_lowercase()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests;
