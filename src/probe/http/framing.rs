//! How the body of an HTTP/1 answer is framed (RFC 9112, sections 6 and 7), read from what has come so far. Pure.

use crate::model::Failure;
use crate::probe::failure;
use crate::probe::http::HEADER_BYTES;

/// The line before a chunk, with what a server adds to its size, is never longer.
const CHUNK_LINE_BYTES: usize = 1024;

/// Where a body ends, and how much of it is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    Chunked(Chunked),
    /// Where the server closes.
    UntilClose,
}

/// What comes next of a body in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunked {
    Size,
    Data(u64),
    /// The end of the line behind a chunk.
    DataEnd,
    /// Lines up to an empty one.
    Trailer,
}

/// What the bytes that were heard begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many bytes of the body, at least one.
    Content(usize),
    /// So many bytes that frame it.
    Frame(usize),
    /// Nothing that can be told yet.
    More,
    /// The body has ended before them.
    End,
}

impl Framing {
    /// There is no body.
    pub(super) const NONE: Self = Self::Length(0);

    /// Reads the next step from `heard`, what was used up before left out. A body that ends where the server closes has no
    /// [`Step::End`].
    ///
    /// # Errors
    /// [`Failure::Malformed`]: this is no framing.
    pub(super) fn next(&mut self, heard: &[u8]) -> Result<Step, Failure> {
        match self {
            Self::Length(0) => Ok(Step::End),
            Self::Length(left) => Ok(part(left, heard)),
            Self::Chunked(Chunked::Data(left)) => {
                let step = part(left, heard);
                if *left == 0 {
                    *self = Self::Chunked(Chunked::DataEnd);
                }
                Ok(step)
            }
            Self::UntilClose => Ok(content(heard.len())),
            Self::Chunked(chunked) => {
                let (step, next) = chunked.next(heard)?;
                *self = next;
                Ok(step)
            }
        }
    }
}

/// What was heard of the `left` bytes that are still to come.
fn part(left: &mut u64, heard: &[u8]) -> Step {
    let length = usize::try_from(*left).map_or(heard.len(), |left| left.min(heard.len()));
    *left -= length as u64;
    content(length)
}

const fn content(length: usize) -> Step {
    if length == 0 { Step::More } else { Step::Content(length) }
}

impl Chunked {
    fn next(self, heard: &[u8]) -> Result<(Step, Framing), Failure> {
        match self {
            Self::Size => size(heard),
            Self::Data(_) | Self::DataEnd => data_end(heard),
            Self::Trailer => trailer(heard),
        }
    }
}

fn size(heard: &[u8]) -> Result<(Step, Framing), Failure> {
    match httparse::parse_chunk_size(heard) {
        Ok(httparse::Status::Complete((used, 0))) => {
            Ok((Step::Frame(used), Framing::Chunked(Chunked::Trailer)))
        }
        Ok(httparse::Status::Complete((used, size))) => {
            Ok((Step::Frame(used), Framing::Chunked(Chunked::Data(size))))
        }
        Ok(httparse::Status::Partial) if heard.len() <= CHUNK_LINE_BYTES => {
            Ok((Step::More, Framing::Chunked(Chunked::Size)))
        }
        Ok(httparse::Status::Partial) | Err(_) => Err(failure::not_http("invalid chunk size")),
    }
}

fn data_end(heard: &[u8]) -> Result<(Step, Framing), Failure> {
    match heard {
        [b'\r', b'\n', ..] => Ok((Step::Frame(2), Framing::Chunked(Chunked::Size))),
        [] | [b'\r'] => Ok((Step::More, Framing::Chunked(Chunked::DataEnd))),
        _ => Err(failure::not_http("a chunk is longer than its size")),
    }
}

fn trailer(heard: &[u8]) -> Result<(Step, Framing), Failure> {
    match heard.iter().position(|byte| *byte == b'\n') {
        None if heard.len() <= HEADER_BYTES => Ok((Step::More, Framing::Chunked(Chunked::Trailer))),
        None => Err(failure::header_too_large()),
        Some(end) => {
            let is_empty = matches!(heard.get(..end), Some([] | [b'\r']));
            let next = if is_empty { Framing::NONE } else { Framing::Chunked(Chunked::Trailer) };
            Ok((Step::Frame(end + 1), next))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All content of `pieces` that come one after the other, and whether the body ended; what is left of them.
    fn read(mut framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, Vec<u8>), Failure> {
        let (mut heard, mut body) = (Vec::new(), Vec::new());
        for piece in pieces {
            heard.extend_from_slice(piece);
            loop {
                match framing.next(&heard)? {
                    Step::Content(length) => body.extend(heard.drain(..length)),
                    Step::Frame(length) => drop(heard.drain(..length)),
                    Step::More => break,
                    Step::End => return Ok((body, true, heard)),
                }
            }
        }
        Ok((body, false, heard))
    }

    fn chunked(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, Vec<u8>), Failure> {
        read(Framing::Chunked(Chunked::Size), pieces)
    }

    #[test]
    fn a_length_ends_where_it_says() {
        assert_eq!(
            read(Framing::Length(5), &[b"he", b"lloHTTP"]),
            Ok((b"hello".to_vec(), true, b"HTTP".to_vec()))
        );
        assert_eq!(read(Framing::Length(5), &[b"he"]), Ok((b"he".to_vec(), false, Vec::new())));
        assert_eq!(read(Framing::NONE, &[b"x"]), Ok((Vec::new(), true, b"x".to_vec())));
        assert_eq!(read(Framing::UntilClose, &[b"he", b"llo"]), Ok((b"hello".to_vec(), false, Vec::new())));
    }

    #[test]
    fn chunks_end_with_an_empty_one_and_what_follows_it() {
        let body: &[u8] = b"4;name=value\r\nabcd\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\nX: 2\r\n\r\nrest";
        let whole = Ok((b"abcd0123456789".to_vec(), true, b"rest".to_vec()));
        assert_eq!(chunked(&[body]), whole);
        assert_eq!(chunked(&[b"0\r\n\r\n"]), Ok((Vec::new(), true, Vec::new())));
        assert_eq!(
            chunked(&[b"2\r\nok\r\n0\r\n"]),
            Ok((b"ok".to_vec(), false, Vec::new())),
            "an empty line is missing"
        );
    }

    #[test]
    fn what_is_no_chunk_is_malformed() {
        let long_line = [b"1;".as_slice(), &[b'x'; CHUNK_LINE_BYTES]].concat();
        let long_trailer = [b"0\r\n".as_slice(), &[b'x'; HEADER_BYTES + 1]].concat();
        for bytes in [
            b"xyz\r\n".as_slice(),
            b"-1\r\n",
            b"2\r\nokay\r\n",
            b"fffffffffffffffff\r\n",
            &long_line,
            &long_trailer,
        ] {
            assert_eq!(chunked(&[bytes]).expect_err("no chunks").reason(), "malformed", "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_body_is_the_same_in_whatever_pieces_it_comes(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6), size in 1_usize..9
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            prop_assert_eq!(chunked(&pieces), Ok((chunks.concat(), true, Vec::new())));
        }

        #[test]
        fn any_bytes_are_read_or_refused(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 0..6)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _ = chunked(&pieces);
        }
    }
}
