//! The http probe: what it sends, what it accepts, and what hostile servers cost.

use super::fixture::{TIMEOUT, answering, ask, body, check, flooding, get, request, server};
use crate::model::{Check, Failure, HeaderText, HttpSpec, Phase, ProbeSpec};
use crate::probe::http::{HEADER_BYTES, most_bytes};
use crate::probe::{PrepareError, Prober, TlsProfiles};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

/// What the kernel's socket buffers may swallow beyond what the probe reads.
const SOCKET_BUFFERS: usize = 8 * 1024 * 1024;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The request that `spec` sends.
async fn sent(spec: HttpSpec) -> (String, SocketAddr) {
    let (heads, mut head) = mpsc::unbounded_channel();
    let target = server(move |mut stream| {
        let heads = heads.clone();
        async move {
            let _ = heads.send(request(&mut stream).await);
            let _ = stream.write_all(OK.as_bytes()).await;
        }
    })
    .await;
    assert_eq!(ask(spec, target).await, Ok(()));
    (head.recv().await.expect("a request"), target)
}

#[tokio::test]
async fn the_request_is_as_the_policy_says_it() {
    let (head, target) = sent(get()).await;
    let version = env!("CARGO_PKG_VERSION");
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(lines[0], "GET /healthz?deep=1 HTTP/1.1");
    for line in
        [format!("Host: {target}"), format!("User-Agent: tandem/{version}"), "Connection: close".into()]
    {
        assert!(lines.contains(&line.as_str()), "{line} is not in {lines:?}");
    }
    let header = |name: &str, value: &str| (name.to_owned(), HeaderText::Text(value.to_owned()));
    let headers = vec![header("X-Probe", "a"), header("X-Probe", "b"), header("User-Agent", "other")];
    let spec =
        HttpSpec { method: "OPTIONS".into(), path: "*".into(), host: Some("shop".into()), headers, ..get() };
    let (head, _) = sent(spec).await;
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(lines[0], "OPTIONS * HTTP/1.1");
    for line in ["Host: shop", "X-Probe: a", "X-Probe: b", "User-Agent: other"] {
        assert!(lines.contains(&line), "{line} is not in {lines:?}");
    }
    assert!(!head.contains("tandem/"), "the policy's agent stands alone");
    assert!(!head.contains("Content-Length"), "there is none, and nobody expects any");
    let (head, _) = sent(HttpSpec { method: "POST".into(), ..get() }).await;
    assert!(head.contains("Content-Length: 0\r\n"), "a server may want to be told: {head}");
}

#[test]
fn a_request_that_cannot_be_sent_is_an_error_when_it_is_made_ready() {
    let header = |name: &str| vec![(name.to_owned(), HeaderText::Text("1".to_owned()))];
    for (spec, what) in [
        (HttpSpec { method: "GE T".into(), ..get() }, "method"),
        (HttpSpec { path: "/a b".into(), ..get() }, "path"),
        (HttpSpec { host: Some("a\nb".into()), ..get() }, "host"),
        (HttpSpec { headers: header("a b"), ..get() }, "header"),
        (HttpSpec { headers: header("Content-Length"), ..get() }, "header"),
    ] {
        let made = Prober::new(&check(ProbeSpec::Http(spec)), &mut TlsProfiles::default());
        match made.expect_err("it cannot be sent") {
            PrepareError::Request { what: found, .. } => assert_eq!(found, what),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn answers_are_judged_by_status_and_body() {
    let wrong_place = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    let continued: &[&str] = &["HTTP/1.1 100 Continue\r\n\r\n", OK];
    let chunked: &[&str] = &[
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "4\r\nxxhe\r\n",
        "3\r\nllo\r\n",
        "0\r\n\r\n",
    ];
    let until_close: &[&str] = &["HTTP/1.0 200 OK\r\n\r\n", "say hel", "lo"];
    let unavailable: &[&str] = &["HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nhello"];
    for (pieces, spec, expected) in [
        (&[OK] as &'static [&'static str], get(), Ok(())),
        (&[OK], body("ok"), Ok(())),
        (&[OK], body("nok"), Err(Failure::Body)),
        (continued, body("ok"), Ok(())),
        (chunked, body("hello"), Ok(())),
        (chunked, body("hello!"), Err(Failure::Body)),
        (until_close, body("hello"), Ok(())),
        (until_close, body("bye"), Err(Failure::Body)),
        (unavailable, body("hello"), Err(Failure::Status(503))),
        (unavailable, HttpSpec { status: vec![200..=200, 500..=503], ..get() }, Ok(())),
        (&["HTTP/1.1 204 No Content\r\n\r\n"], get(), Ok(())),
        (&["HTTP/1.1 200 OK\nContent-Length: 0\n\n"], get(), Ok(())),
    ] {
        let target = answering(pieces).await;
        assert_eq!(ask(spec.clone(), target).await, expected, "{pieces:?} to {spec:?}");
    }
    let target = answering(Box::leak(Box::new([wrong_place]))).await;
    assert_eq!(ask(get(), target).await, Err(Failure::Status(302)), "redirects are not followed");
}

#[tokio::test]
async fn head_ends_with_the_header_whatever_length_it_announces() {
    let target = answering(&["HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"]).await;
    assert_eq!(ask(HttpSpec { method: "HEAD".into(), ..get() }, target).await, Ok(()));
}

#[tokio::test]
async fn a_broken_connection_says_where_it_broke() {
    use Phase::{ResponseBody, ResponseHeaders};
    for (pieces, phase) in [
        (&[] as &'static [&'static str], ResponseHeaders),
        (&["HTTP/1.1 200 OK\r\nContent-Le"], ResponseHeaders),
        (&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"], ResponseBody),
        (&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort"], ResponseBody),
    ] {
        let target = answering(pieces).await;
        assert_eq!(ask(body("text"), target).await, Err(Failure::ConnectionLost(phase)), "{pieces:?}");
    }
}

#[tokio::test]
async fn a_reset_at_any_moment_is_a_lost_connection() {
    for answer in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"] {
        let target = server(move |mut stream| async move {
            request(&mut stream).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        })
        .await;
        let failure = ask(body("text"), target).await.expect_err("it was reset");
        assert_eq!(failure.reason(), "connection_lost", "after {answer:?}: {failure}");
    }
    let at_once = server(|stream| async move {
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    })
    .await;
    assert_eq!(ask(get(), at_once).await.expect_err("a reset").reason(), "connection_lost");
}

#[tokio::test]
async fn what_is_not_http_is_malformed_and_named_where_it_can_be() {
    for (pieces, words) in [
        (&["\0\u{1}\u{2}garbage\r\n\r\n"] as &'static [&'static str], "not HTTP"),
        (&["SSH-2.0-OpenSSH_9.9\r\n"], "not HTTP"),
        (&["HTTP/1.1 2x0 OK\r\n\r\n"], "not HTTP"),
        (&["HTTP/1.1 200 OK\r\nno colon\r\n\r\n"], "not HTTP"),
        (&["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"], "not HTTP"),
        (&["\u{15}\u{3}\u{3}\0\u{2}\u{2}\n"], "this port wants https"),
    ] {
        let target = answering(pieces).await;
        match ask(get(), target).await {
            Err(Failure::Malformed(detail)) => assert!(detail.contains(words), "{pieces:?}: {detail}"),
            other => panic!("{pieces:?}: {other:?}"),
        }
    }
}

/// The failure of a probe against a server that never stops, and what the server got rid of.
async fn flooded(spec: HttpSpec, start: &'static [u8], again: &'static [u8]) -> (Result<(), Failure>, usize) {
    let (target, written) = flooding(start, again).await;
    let result = ask(spec, target).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    (result, written.load(Ordering::Relaxed))
}

#[tokio::test]
async fn headers_without_end_cost_no_more_than_their_bound() {
    let too_large = Err(Failure::Malformed("the response header is too large".to_owned()));
    let (result, written) = flooded(get(), b"HTTP/1.1 200 OK\r\n", b"X-More: of the same\r\n").await;
    assert_eq!(result, too_large);
    assert!(written < HEADER_BYTES + SOCKET_BUFFERS, "{written} bytes");
    let (result, _) = flooded(get(), b"HTTP/1.1 200 OK\r\nX: ", &[b'x'; 4096]).await;
    assert_eq!(result, too_large, "one line without end");
    let many: &'static [&'static str] = Box::leak(Box::new([
        "HTTP/1.1 200 OK\r\n",
        Box::leak("a: b\r\n".repeat(101).into_boxed_str()),
        "\r\n",
    ]));
    assert_eq!(ask(get(), answering(many).await).await, too_large, "more lines than the bound, few bytes");
}

#[tokio::test]
async fn interim_answers_without_end_are_cut_off() {
    // Many at a time: a busy machine must reach the bound before the time-out.
    let interim: &'static [u8] = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(200).leak();
    let (result, written) = flooded(get(), b"", interim).await;
    let most = most_bytes(HttpSpec::RESPONSE_LIMIT);
    let words = format!("the response goes on beyond {most} bytes");
    assert_eq!(result, Err(Failure::Malformed(words)));
    assert!(written < most + SOCKET_BUFFERS, "{written} bytes");
}

#[tokio::test]
async fn a_body_without_end_is_read_to_its_bound_and_only_if_a_text_is_looked_for() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n";
    let (result, written) = flooded(body("needle"), head, &[b'x'; 4096]).await;
    assert_eq!(result, Err(Failure::Body));
    assert!(written < HttpSpec::RESPONSE_LIMIT as usize + SOCKET_BUFFERS, "{written} bytes");
    let (result, _) = flooded(get(), head, &[b'x'; 4096]).await;
    assert_eq!(result, Ok(()), "nobody asked for the body");
}

#[tokio::test]
async fn a_text_counts_up_to_the_limit_of_the_body_and_not_a_byte_beyond() {
    let answer = |before: usize| -> &'static [&'static str] {
        let text =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}needle", before + 6, "x".repeat(before));
        Box::leak(Box::new([&*text.leak()]))
    };
    let limit = HttpSpec::RESPONSE_LIMIT as usize;
    assert_eq!(ask(body("needle"), answering(answer(limit - 6)).await).await, Ok(()));
    assert_eq!(ask(body("needle"), answering(answer(limit - 5)).await).await, Err(Failure::Body));
}

#[tokio::test]
async fn a_silent_or_dripping_server_times_out_where_it_hangs() {
    let silent = server(|mut stream| async move {
        request(&mut stream).await;
        tokio::time::sleep(TIMEOUT * 9).await;
    });
    let drip = |head: &'static str| {
        server(move |mut stream| async move {
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    };
    let (silent, header, text) =
        tokio::join!(silent, drip("HTTP/1.1 200 OK\r\nX: "), drip("HTTP/1.1 200 OK\r\n\r\n"));
    let (silent, header, text) =
        tokio::join!(ask(get(), silent), ask(get(), header), ask(body("needle"), text));
    assert_eq!(silent, Err(Failure::Timeout(Phase::ResponseHeaders)));
    assert_eq!(header, Err(Failure::Timeout(Phase::ResponseHeaders)), "a byte now and then buys no time");
    assert_eq!(text, Err(Failure::Timeout(Phase::ResponseBody)));
}

#[tokio::test]
async fn an_answer_ends_with_a_reset_too() {
    use tokio::io::AsyncReadExt;
    let (ends, mut end) = mpsc::unbounded_channel();
    let target = server(move |mut stream| {
        let ends = ends.clone();
        async move {
            request(&mut stream).await;
            let _ = stream.write_all(OK.as_bytes()).await;
            let _ = ends.send(stream.read_u8().await.map_err(|error| error.kind()));
        }
    })
    .await;
    let spec = Check { timeout: TIMEOUT, ..check(ProbeSpec::Http(body("ok"))) };
    assert_eq!(super::fixture::probe(&spec, target).await.result, Ok(()));
    assert_eq!(end.recv().await, Some(Err(std::io::ErrorKind::ConnectionReset)));
}
