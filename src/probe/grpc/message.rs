//! The two messages of the health protocol, in protobuf, and gRPC's frame around them.
//!
//! Source: grpc/health/v1/health.proto; the frame is a flag and a length of four bytes ("Length-Prefixed-Message" of gRPC
//! over HTTP/2). Each message has one field, so there is no code generator here.

use crate::model::Failure;

/// The flag and the length in front of a message.
const PREFIX_BYTES: usize = 5;
/// Wire types of protobuf: a varint, 8 bytes, bytes with their length, 4 bytes.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// A framed `HealthCheckRequest`: the field 1 is the service, left out where it is empty.
pub(super) fn request(service: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(service.len() + 4);
    if !service.is_empty() {
        message.push(0x0a);
        push_varint(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.append(&mut message);
    framed
}

/// A number in groups of seven bits, the lowest first; all but the last are marked.
fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// Judges a framed `HealthCheckResponse`.
pub(super) fn judge(framed: &[u8]) -> Result<(), Failure> {
    let malformed = |what: &str| Failure::Malformed(format!("the answer {what}"));
    let Some((prefix, rest)) = framed.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(malformed("has no message"));
    };
    let [flag, length @ ..] = *prefix;
    let message = rest.get(..u32::from_be_bytes(length) as usize);
    match (flag, message) {
        (0, Some(message)) => match serving_status(message) {
            Some(1) => Ok(()),
            Some(status) => Err(Failure::Grpc(serving_words(status))),
            None => Err(malformed("is no health message")),
        },
        (0, None) => Err(malformed("is cut off, or too long")),
        (_, _) => Err(malformed("is compressed, which was not asked for")),
    }
}

/// The field 1 of a `HealthCheckResponse`, 0 where it is left out; `None` where the bytes are no message. The last one
/// counts, and unknown fields are passed over, as protobuf has it.
fn serving_status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let tag = take_varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (0, _) => return None,
            (1, VARINT) => status = take_varint(&mut message)?,
            (_, VARINT) => drop(take_varint(&mut message)?),
            (_, FIXED64) => message = message.get(8..)?,
            (_, FIXED32) => message = message.get(4..)?,
            (_, BYTES) => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, _) => return None,
        }
    }
    Some(status)
}

/// A number in groups of seven bits, the lowest first: ten bytes at most.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// `ServingStatus` of the protocol.
fn serving_words(status: u64) -> String {
    match status {
        0 => "UNKNOWN".to_owned(),
        2 => "NOT_SERVING".to_owned(),
        3 => "SERVICE_UNKNOWN".to_owned(),
        other => format!("serving status {other}"),
    }
}

/// A status of gRPC with its name, what it means here, and the server's own words.
pub(super) fn status_words(code: &str, message: &str) -> String {
    let name = match code {
        "1" => "cancelled",
        "2" => "unknown",
        "4" => "deadline exceeded",
        "5" => "not found: the server knows no such service",
        "7" => "permission denied",
        "8" => "resource exhausted",
        "12" => "unimplemented: the server has no health service",
        "13" => "internal",
        "14" => "unavailable",
        "16" => "unauthenticated",
        _ => "see the status codes of gRPC",
    };
    match message {
        "" => format!("status {code} ({name})"),
        message => format!("status {code} ({name}): {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_framed_and_an_empty_service_is_left_out() {
        assert_eq!(request(""), [0, 0, 0, 0, 0]);
        assert_eq!(request("shop"), [0, 0, 0, 0, 6, 0x0a, 4, b's', b'h', b'o', b'p']);
        let long = request(&"x".repeat(300));
        assert_eq!(
            long.get(..8),
            Some(&[0, 0, 0, 1, 47, 0x0a, 0xac, 2][..]),
            "303 bytes, of them 300 of the name"
        );
    }

    #[test]
    fn only_serving_is_success() {
        assert_eq!(judge(&[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        assert_eq!(judge(&[0, 0, 0, 0, 5, 0x12, 1, b'x', 8, 1]), Ok(()), "unknown fields are passed over");
        for (framed, reason) in [
            (&[0, 0, 0, 0, 0][..], "gRPC: UNKNOWN"),
            (&[0, 0, 0, 0, 2, 8, 2], "gRPC: NOT_SERVING"),
            (&[0, 0, 0, 0, 2, 8, 3], "gRPC: SERVICE_UNKNOWN"),
            (&[0, 0, 0, 0, 3, 8, 0x80, 1], "gRPC: serving status 128"),
            (&[0, 0, 0, 0, 4, 8, 1, 8, 2], "gRPC: NOT_SERVING"),
            (&[1, 0, 0, 0, 2, 8, 1], "malformed response: the answer is compressed, which was not asked for"),
            (&[0, 0, 0, 0, 3, 8, 1], "malformed response: the answer is cut off, or too long"),
            (&[0, 0, 0, 0, 1, 7], "malformed response: the answer is no health message"),
            (&[0, 0, 0, 0, 2, 8, 0x80], "malformed response: the answer is no health message"),
            (&[0], "malformed response: the answer has no message"),
        ] {
            let failure = judge(framed).expect_err("it is not serving");
            assert_eq!(failure.to_string(), reason, "{framed:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_judged(framed in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = judge(&framed);
        }

        #[test]
        fn any_number_comes_back(number in any::<u64>()) {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, number);
            prop_assert_eq!(take_varint(&mut bytes.as_slice()), Some(number));
        }
    }
}
