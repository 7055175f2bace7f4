//! The head of an HTTP/1 answer (RFC 9112, sections 2 to 6), read from what has come so far. Pure.

use super::framing::{Chunked, Framing};
use super::{HEADER_BYTES, HEADER_COUNT};
use crate::model::Failure;
use crate::probe::failure;
use httparse::{Header, ParserConfig, Status};
use hyper::Method;
use std::mem::MaybeUninit;

/// What matters of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Of a redirect: where it leads.
    pub(super) location: Option<String>,
    pub(super) framing: Framing,
    /// Whether another request may follow on the connection.
    pub(super) keeps: bool,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Not a whole head yet.
    More,
    /// An interim answer (RFC 9110, section 15.2) of so many bytes, after which the next one comes.
    Interim(usize),
    /// The answer, whose head takes so many bytes.
    Final(Head, usize),
}

/// Reads the head of the answer to a request of `method` at the beginning of `heard`.
///
/// # Errors
/// [`Failure::Malformed`]: it is none, or larger than [`HEADER_BYTES`] or [`HEADER_COUNT`] lines.
pub(super) fn read(heard: &[u8], method: &Method) -> Result<Heard, Failure> {
    let mut lines = [const { MaybeUninit::<Header<'_>>::uninit() }; HEADER_COUNT];
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, heard, &mut lines);
    let used = match parsed {
        Ok(Status::Complete(used)) => used,
        Ok(Status::Partial) if heard.len() < HEADER_BYTES => return Ok(Heard::More),
        Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => return Err(failure::header_too_large()),
        Err(error) => return Err(failure::not_http(error)),
    };
    let (status, minor) = (response.code.unwrap_or_default(), response.version.unwrap_or_default());
    if matches!(status, 100 | 102..=199) {
        return Ok(Heard::Interim(used));
    }
    let headers = Headers(response.headers);
    let framing = headers.framing(status, minor, method)?;
    let head = Head {
        status,
        location: headers.location(status),
        framing,
        keeps: headers.keeps(minor) && framing != Framing::UntilClose && status != 101,
    };
    Ok(Heard::Final(head, used))
}

struct Headers<'a>(&'a [Header<'a>]);

impl<'a> Headers<'a> {
    fn values(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let lines = self.0;
        lines.iter().filter(move |line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
    }

    /// The words of a list (RFC 9110, section 5.6.1).
    fn words(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let parts = self.values(name).flat_map(|value| value.split(|byte| *byte == b','));
        parts.map(<[u8]>::trim_ascii).filter(|word| !word.is_empty())
    }

    fn says(&self, name: &'static str, wanted: &str) -> bool {
        self.words(name).any(|word| word.eq_ignore_ascii_case(wanted.as_bytes()))
    }

    fn location(&self, status: u16) -> Option<String> {
        let value = (300..400).contains(&status).then(|| self.values("location").next()).flatten()?;
        std::str::from_utf8(value).ok().filter(|text| text.is_ascii()).map(str::to_owned)
    }

    /// RFC 9112, section 6.3.
    fn framing(&self, status: u16, minor: u8, method: &Method) -> Result<Framing, Failure> {
        let without = *method == Method::HEAD
            || matches!(status, 101 | 204 | 304)
            || (*method == Method::CONNECT && (200..300).contains(&status));
        if without {
            return Ok(Framing::NONE);
        }
        match self.words("transfer-encoding").last() {
            Some(_) if minor == 0 => Err(failure::not_http("HTTP/1.0 has no Transfer-Encoding")),
            Some(last) if last.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked(Chunked::Size)),
            Some(_) => Ok(Framing::UntilClose),
            None => self.length(),
        }
    }

    fn length(&self) -> Result<Framing, Failure> {
        let mut length = None;
        for word in self.words("content-length") {
            let number = number(word).filter(|number| length.is_none_or(|said| said == *number));
            length = Some(number.ok_or_else(|| failure::not_http("invalid Content-Length"))?);
        }
        Ok(length.map_or(Framing::UntilClose, Framing::Length))
    }

    /// RFC 9112, section 9.3. Who says how the body is framed in two ways is not heard a second time (section 6.3).
    fn keeps(&self, minor: u8) -> bool {
        let is_framed_twice =
            self.words("transfer-encoding").next().is_some() && self.words("content-length").next().is_some();
        let persists = if minor == 0 { self.says("connection", "keep-alive") } else { true };
        persists && !is_framed_twice && !self.says("connection", "close")
    }
}

/// Digits and nothing else: `parse` would take a sign.
fn number(word: &[u8]) -> Option<u64> {
    let digits = word.iter().all(u8::is_ascii_digit).then_some(word)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(head: &str, method: &Method) -> Result<Head, Failure> {
        match read(format!("{head}\r\n\r\n").as_bytes(), method)? {
            Heard::Final(head, _) => Ok(head),
            other => panic!("{other:?}"),
        }
    }

    fn framing(lines: &str) -> Result<Framing, Failure> {
        answer(&format!("HTTP/1.1 200 OK\r\nServer: a{lines}"), &Method::GET).map(|head| head.framing)
    }

    #[test]
    fn a_body_is_framed_as_rfc_9112_section_6_3_says() {
        assert_eq!(framing(""), Ok(Framing::UntilClose));
        assert_eq!(framing("\r\ncontent-length: 7"), Ok(Framing::Length(7)));
        assert_eq!(framing("\r\nContent-Length: 7, 7\r\nContent-Length: 7"), Ok(Framing::Length(7)));
        assert_eq!(framing("\r\nTransfer-Encoding: gzip, Chunked"), Ok(Framing::Chunked(Chunked::Size)));
        assert_eq!(
            framing("\r\nTransfer-Encoding: chunked\r\nContent-Length: 7"),
            Ok(Framing::Chunked(Chunked::Size))
        );
        assert_eq!(framing("\r\nTransfer-Encoding: gzip\r\nContent-Length: 7"), Ok(Framing::UntilClose));
        for wrong in ["7, 8", "+7", "7 7", "a", "99999999999999999999"] {
            let failure = framing(&format!("\r\nContent-Length: {wrong}")).expect_err("no length");
            assert_eq!(
                failure.to_string(),
                "malformed response: not HTTP (invalid Content-Length)",
                "{wrong}"
            );
        }
        let old = answer("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked", &Method::GET);
        assert_eq!(old.expect_err("it has none").reason(), "malformed");
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        for (status, method) in [
            (200, Method::HEAD),
            (204, Method::GET),
            (304, Method::GET),
            (101, Method::GET),
            (200, Method::CONNECT),
        ] {
            let head = answer(&format!("HTTP/1.1 {status} A\r\nContent-Length: 7"), &method).expect("a head");
            assert_eq!((head.status, head.framing), (status, Framing::NONE), "{method}");
        }
        let refused = answer("HTTP/1.1 403 No\r\nContent-Length: 7", &Method::CONNECT).expect("a head");
        assert_eq!(refused.framing, Framing::Length(7));
    }

    #[test]
    fn a_connection_is_kept_where_both_can_tell_the_end_of_an_answer() {
        for (head, keeps) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 7", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: foo, Close", false),
            ("HTTP/1.1 200 OK", false),
            ("HTTP/1.1 204 OK", true),
            ("HTTP/1.1 101 OK", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 7", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 7\r\nConnection: Keep-Alive", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked", false),
        ] {
            assert_eq!(answer(head, &Method::GET).expect("a head").keeps, keeps, "{head}");
        }
    }

    #[test]
    fn interim_answers_come_before_the_one_that_counts() {
        let both = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n";
        let Ok(Heard::Interim(used)) = read(both, &Method::GET) else { panic!("an interim answer") };
        let Ok(Heard::Final(head, rest)) = read(&both[used..], &Method::GET) else { panic!("an answer") };
        assert_eq!((head.status, head.location.as_deref(), used + rest), (302, Some("/a"), both.len()));
    }

    #[test]
    fn a_head_has_its_bounds() {
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nServer", &Method::GET), Ok(Heard::More));
        let long = [b"HTTP/1.1 200 OK\r\nServer: ".as_slice(), &[b'x'; HEADER_BYTES]].concat();
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(HEADER_COUNT + 1));
        for bytes in [long.as_slice(), many.as_bytes()] {
            assert_eq!(read(bytes, &Method::GET), Err(failure::header_too_large()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), start in "(HTTP/1\\.[01] [0-9]{3}( OK)?\r?\n)?") {
            let bytes = [start.as_bytes(), &bytes].concat();
            if let Ok(Heard::Final(_, used) | Heard::Interim(used)) = read(&bytes, &Method::GET) {
                prop_assert!(used <= bytes.len());
            }
        }
    }
}
