//! Errors of the system, of hyper and of rustls as the closed list of [`Failure`], in words for an operator.

use crate::model::{Failure, Phase};
use rustls::{CertificateError, InvalidMessage};
use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind};

/// The longest detail that a failure carries; a server's certificate may name a thousand hosts.
const LONGEST_DETAIL: usize = 200;

/// An error of `connect`.
pub(super) fn connecting(error: &io::Error) -> Failure {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => Failure::ConnectionRefused,
        Some(libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE) => Failure::ConnectionLost(Phase::Connect),
        Some(libc::ETIMEDOUT) => Failure::Timeout(Phase::Connect),
        Some(code) if is_unreachable(code) => Failure::Unreachable(words(error)),
        Some(_) | None => Failure::Local(words(error)),
    }
}

/// An error on a connection that was up: of the transport, or of TLS below it.
pub(super) fn on_stream(error: &io::Error, phase: Phase) -> Failure {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return Failure::Tls(tls_words(tls));
    }
    if let Some(overrun) = error.get_ref().and_then(|inner| inner.downcast_ref::<Overrun>()) {
        return Failure::Malformed(overrun.to_string());
    }
    match error.raw_os_error() {
        Some(libc::ETIMEDOUT) => Failure::Timeout(phase),
        Some(code) if is_unreachable(code) => Failure::Unreachable(words(error)),
        Some(libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE) => Failure::ConnectionLost(phase),
        Some(_) => Failure::Local(words(error)),
        None if error.kind() == ErrorKind::InvalidData => Failure::Malformed(bounded(error.to_string())),
        None => Failure::ConnectionLost(phase),
    }
}

/// An error of an exchange in HTTP/2. `first_byte` of the answer, where there was no TLS: it gives another language away.
pub(super) fn of_http2(error: &hyper::Error, phase: Phase, first_byte: Option<u8>) -> Failure {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return on_stream(inner, phase);
        }
        if let Some(inner) = inner.downcast_ref::<h2::Error>() {
            return of_frames(inner, phase, first_byte);
        }
        cause = inner.source();
    }
    if error.is_closed() || error.is_canceled() {
        Failure::ConnectionLost(phase)
    } else if error.is_user() {
        Failure::Local(bounded(error.to_string()))
    } else {
        Failure::Malformed(bounded(error.to_string()))
    }
}

/// The answer is no HTTP/1.
pub(super) fn not_http(detail: impl Display) -> Failure {
    Failure::Malformed(bounded(format!("not HTTP ({detail})")))
}

/// The head of an answer goes beyond its bounds.
pub(super) fn header_too_large() -> Failure {
    Failure::Malformed("the response header is too large".to_owned())
}

/// What the first byte of an answer that is no HTTP gives away.
pub(super) fn of_another_language(first_byte: Option<u8>) -> Option<Failure> {
    matches!(first_byte, Some(TLS_ALERT | TLS_HANDSHAKE))
        .then(|| Failure::Malformed("the server answers in TLS: this port wants https".to_owned()))
}

/// First bytes of TLS records (RFC 8446, section 5.1).
const TLS_ALERT: u8 = 0x15;
const TLS_HANDSHAKE: u8 = 0x16;

/// An error of HTTP/2 itself. It keeps the kind of a system's error and its words, not its number.
fn of_frames(error: &h2::Error, phase: Phase, first_byte: Option<u8>) -> Failure {
    if let Some(inner) = error.get_io() {
        return match inner.kind() {
            ErrorKind::TimedOut => Failure::Timeout(phase),
            ErrorKind::Other | ErrorKind::InvalidData => Failure::Malformed(bounded(inner.to_string())),
            _ => Failure::ConnectionLost(phase),
        };
    }
    let shutting_down = matches!(error.reason(), Some(h2::Reason::NO_ERROR | h2::Reason::REFUSED_STREAM));
    match first_byte {
        _ if error.is_remote() && shutting_down => Failure::ConnectionLost(phase),
        Some(b'H') => {
            Failure::Malformed("the server answers in HTTP/1: it does not speak HTTP/2 here".to_owned())
        }
        other => of_another_language(other)
            .unwrap_or_else(|| Failure::Malformed(bounded(format!("not HTTP/2 ({error})")))),
    }
}

/// The server sent more than any answer needs.
#[derive(Debug, thiserror::Error)]
#[error("the response goes on beyond {0} bytes")]
pub(super) struct Overrun(pub(super) usize);

/// The network's word that the target cannot be reached, from a route, a neighbour or an ICMP message.
const fn is_unreachable(code: i32) -> bool {
    matches!(
        code,
        libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EACCES
            | libc::EHOSTDOWN
            | libc::ENETDOWN
            | libc::ENONET
            | libc::ENOPROTOOPT
            | libc::EINVAL
    )
}

/// An errno in words, with what to do where that is known.
pub(super) fn words(error: &io::Error) -> String {
    let known = match error.raw_os_error() {
        Some(libc::EHOSTUNREACH) => "no route to the host, or nobody answers for its address",
        Some(libc::ENETUNREACH) => "no route to the network",
        Some(libc::EACCES) => "a route of this host prohibits it, or it is a broadcast address",
        Some(libc::ENETDOWN) => "the network interface is down",
        Some(libc::EINVAL) => "a blackhole route of this host, or an address that cannot be connected to",
        Some(libc::EMFILE | libc::ENFILE) => "too many open files: raise the limit (LimitNOFILE=)",
        Some(libc::EADDRNOTAVAIL) => "not an address of this host, or no free port on it",
        Some(libc::ENODEV) => "there is no such interface",
        Some(libc::EPERM) => "not permitted: it needs the capabilities CAP_NET_ADMIN and CAP_NET_RAW",
        _ => return without_number(&error.to_string()),
    };
    known.to_owned()
}

/// `Connection refused (os error 111)` without its end.
pub(super) fn without_number(text: &str) -> String {
    text.split(" (os error").next().unwrap_or(text).to_owned()
}

/// A TLS error in plain words.
pub(super) fn tls_words(error: &rustls::Error) -> String {
    bounded(match error {
        rustls::Error::InvalidCertificate(error) => certificate_words(error),
        rustls::Error::AlertReceived(alert) => {
            format!("the server refused the session: {}", spaced(&format!("{alert:?}")))
        }
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS on this port".to_owned()
        }
        rustls::Error::PeerIncompatible(why) => {
            format!("no version or cipher in common: {}", spaced(&format!("{why:?}")))
        }
        rustls::Error::NoCertificatesPresented => "the server shows no certificate".to_owned(),
        other => other.to_string(),
    })
}

fn certificate_words(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            let days = time.as_secs().saturating_sub(not_after.as_secs()) / 86_400;
            format!("the certificate expired {days} days ago")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet (is a clock wrong?)".to_owned()
        }
        CertificateError::UnknownIssuer => "the certificate is signed by an unknown authority".to_owned(),
        CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("the certificate is not for {} but for {}", expected.to_str(), presented.join(", "))
        }
        CertificateError::BadSignature => {
            "the certificate is not signed by the authority that it names".to_owned()
        }
        CertificateError::Revoked => "the certificate is revoked".to_owned(),
        other => format!("the certificate is invalid: {other}"),
    }
}

/// `HandshakeFailure` as `handshake failure`.
fn spaced(camel: &str) -> String {
    let mut words = String::with_capacity(camel.len() + 4);
    let mut after_small = false;
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() && after_small {
            words.push(' ');
        }
        after_small = letter.is_ascii_lowercase();
        words.push(letter.to_ascii_lowercase());
    }
    words
}

/// Cut to [`LONGEST_DETAIL`] characters, without control characters: it may hold bytes from outside.
pub(super) fn bounded(text: String) -> String {
    let clean = text.chars().filter(|letter| !letter.is_control());
    let mut cut: String = clean.take(LONGEST_DETAIL + 1).collect();
    if cut.chars().count() > LONGEST_DETAIL {
        cut.pop();
        cut.push('…');
    }
    cut
}

/// Bytes of an answer that are shown where they are no text.
const SHOWN_BYTES: usize = 16;

/// What a server sent, for a person: text in one line, or the first bytes as hexadecimal digits.
pub(super) fn shown(bytes: &[u8]) -> String {
    let start = bytes.get(..4 * LONGEST_DETAIL).unwrap_or(bytes);
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // Cut in the middle of a letter.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(start.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return digits(start),
    };
    if text.chars().any(|letter| letter.is_control() && !matches!(letter, '\r' | '\n' | '\t')) {
        return digits(start);
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() { "nothing that can be read".to_owned() } else { bounded(words.join(" ")) }
}

fn digits(bytes: &[u8]) -> String {
    let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
    let digits: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    let more = if shown.len() < bytes.len() { "…" } else { "" };
    format!("bytes {}{more}", digits.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_sent_is_shown_as_text_or_as_digits() {
        assert_eq!(shown(b"-ERR unknown\tcommand\r\n"), "-ERR unknown command");
        assert_eq!(shown(b"\xff\x10\x04"), "bytes ff 10 04");
        assert_eq!(shown(&[0; 20]), format!("bytes {}…", ["00"; 16].join(" ")));
        assert_eq!(shown(b"\r\n"), "nothing that can be read");
        assert_eq!(shown("é".repeat(900).as_bytes()).chars().count(), LONGEST_DETAIL + 1);
        assert_eq!(shown(b"a\xc3"), "a");
    }

    fn errno(code: i32) -> io::Error {
        io::Error::from_raw_os_error(code)
    }

    #[test]
    fn errors_of_connect_say_whose_fault_it_is() {
        assert_eq!(connecting(&errno(libc::ECONNREFUSED)), Failure::ConnectionRefused);
        assert_eq!(connecting(&errno(libc::ETIMEDOUT)), Failure::Timeout(Phase::Connect));
        for code in [libc::EHOSTUNREACH, libc::ENETUNREACH, libc::EACCES, libc::EINVAL] {
            assert_eq!(connecting(&errno(code)).reason(), "unreachable");
        }
        for code in [libc::EMFILE, libc::EADDRNOTAVAIL, libc::EPERM, libc::ENOBUFS] {
            assert_eq!(connecting(&errno(code)).reason(), "local");
        }
    }

    #[test]
    fn an_unknown_errno_keeps_the_systems_words_without_the_number() {
        assert_eq!(words(&errno(libc::ENOBUFS)), "No buffer space available");
    }

    #[test]
    fn details_from_outside_are_cut_and_cleaned() {
        let text = bounded("a\u{1b}[31m\n".repeat(100));
        assert_eq!(text.chars().count(), LONGEST_DETAIL + 1);
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn alerts_read_like_english() {
        assert_eq!(spaced("HandshakeFailure"), "handshake failure");
        assert_eq!(spaced("UnknownCA"), "unknown ca");
    }
}
