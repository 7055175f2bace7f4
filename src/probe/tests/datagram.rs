//! The udp and dns probes on the loopback: answers, silence, refusal, and answers that are none. Real servers are in
//! tests/servers.

use super::fixture::{TIMEOUT, check, probe};
use crate::model::{
    Check, DnsSpec, DnsTransport, Failure, OnSilence, Pattern, Phase, ProbeSpec, RecordType, ResponseCode,
    UdpSpec,
};
use std::net::{SocketAddr, UdpSocket as StdSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

fn udp(send: &[u8], expect: Option<&str>, on_silence: OnSilence) -> Check {
    let expect = expect.map(|text| Pattern::Bytes(text.as_bytes().to_vec()));
    check(ProbeSpec::Udp(UdpSpec { send: send.to_vec(), expect, on_silence }))
}

fn dns(transport: DnsTransport) -> Check {
    check(ProbeSpec::Dns(DnsSpec {
        name: "www.example.com".to_owned(),
        record: RecordType::A,
        transport,
        rcode: vec![ResponseCode::NoError],
        answer: vec!["192.0.2.1".to_owned()],
    }))
}

/// Answers each datagram with what `answer` makes of it.
async fn server<F>(answer: F) -> SocketAddr
where
    F: Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
{
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            for datagram in answer(&buffer[..length]) {
                let _ = socket.send_to(&datagram, client).await;
            }
        }
    });
    address
}

fn closed_port() -> SocketAddr {
    StdSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port")
}

/// The answer 192.0.2.1 to a question, with these flags.
fn address_answer(question: &[u8], flags: u16) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2..4].copy_from_slice(&flags.to_be_bytes());
    answer[7] = 1;
    answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01");
    answer
}

/// A response, authoritative.
const RESPONSE: u16 = 0x8500;
/// Cut off.
const TRUNCATED: u16 = 0x8700;

#[tokio::test]
async fn an_answer_is_compared_and_silence_means_what_was_said() {
    let echo = server(|question| vec![question.to_vec()]).await;
    assert_eq!(probe(&udp(b"ping", Some("pin"), OnSilence::Down), echo).await.result.map(drop), Ok(()));
    assert_eq!(
        probe(&udp(b"pong", Some("ping"), OnSilence::Up), echo).await.result.map(drop),
        Err(Failure::UnexpectedReply("pong".to_owned()))
    );
    assert_eq!(
        probe(&udp(b"", None, OnSilence::Down), echo).await.result.map(drop),
        Ok(()),
        "an empty answer"
    );
    let silent = server(|_| Vec::new()).await;
    let down = probe(&udp(b"ping", None, OnSilence::Down), silent).await;
    assert_eq!(down.result.map(drop), Err(Failure::Timeout(Phase::Reply)));
    let up = probe(&udp(b"ping", None, OnSilence::Up), silent).await;
    assert_eq!(up.result.map(drop), Ok(()));
    assert!(up.duration < TIMEOUT, "it is a success, and no time-out: {:?}", up.duration);
}

#[tokio::test]
async fn a_closed_port_is_refused_whatever_silence_means() {
    for on_silence in [OnSilence::Up, OnSilence::Down] {
        let outcome = probe(&udp(b"ping", None, on_silence), closed_port()).await;
        assert_eq!(outcome.result.map(drop), Err(Failure::ConnectionRefused));
        assert!(outcome.duration < TIMEOUT);
    }
    assert_eq!(
        probe(&dns(DnsTransport::Udp), closed_port()).await.result.map(drop),
        Err(Failure::ConnectionRefused)
    );
}

#[tokio::test]
async fn an_answer_to_another_question_is_waited_past() {
    let target = server(|question| {
        let mut foreign = address_answer(question, RESPONSE);
        foreign[0] ^= 1;
        let mut other = address_answer(question, RESPONSE);
        other[13] ^= 0x03;
        vec![foreign, other, question.to_vec(), address_answer(question, RESPONSE)]
    })
    .await;
    assert_eq!(probe(&dns(DnsTransport::Udp), target).await.result.map(drop), Ok(()));
}

#[tokio::test]
async fn a_flood_of_other_answers_ends() {
    let target = server(|question| {
        let mut foreign = question.to_vec();
        foreign[0] ^= 1;
        vec![foreign; 100]
    })
    .await;
    let outcome = probe(&dns(DnsTransport::Udp), target).await;
    assert_eq!(outcome.result.map(drop).expect_err("none was ours").reason(), "malformed");
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_asked_for_again_over_tcp() {
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let target = udp.local_addr().expect("it is bound");
    let tcp = TcpListener::bind(target).await.expect("the same port");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, client)) = udp.recv_from(&mut buffer).await {
            let _ = udp.send_to(&address_answer(&buffer[..length], TRUNCATED), client).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let length = stream.read_u16().await.expect("a length");
            let mut question = vec![0; usize::from(length)];
            stream.read_exact(&mut question).await.expect("a question");
            let answer = address_answer(&question, RESPONSE);
            let length = u16::try_from(answer.len()).expect("a short answer").to_be_bytes();
            // In two pieces, in the middle of the length.
            let whole = [&length[..], &answer].concat();
            let _ = stream.write_all(&whole[..1]).await;
            let _ = stream.flush().await;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            let _ = stream.write_all(&whole[1..]).await;
            let _ = stream.read_u8().await;
        }
    });
    assert_eq!(probe(&dns(DnsTransport::Udp), target).await.result.map(drop), Ok(()));
    assert_eq!(probe(&dns(DnsTransport::Tcp), target).await.result.map(drop), Ok(()));
}

#[tokio::test]
async fn a_truncated_answer_of_a_server_without_tcp_says_so() {
    let target = server(|question| vec![address_answer(question, TRUNCATED)]).await;
    assert_eq!(
        probe(&dns(DnsTransport::Udp), target).await.result.map(drop),
        Err(Failure::ConnectionRefused)
    );
}
