//! Events over a real socket: the list, the stream, and those who follow it.

use super::tests::{status, windows};
use super::*;
use crate::director::chronicle::{Draft, Stamp};
use crate::model::EventKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

struct Served {
    _control: Control,
    windows: Windows,
    client: Client,
    path: PathBuf,
    _place: tempfile::TempDir,
}

fn served() -> Served {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("tandem.sock");
    let socket = Socket::bind(&path).expect("a socket");
    let windows = windows();
    let control = Control::serve(Some(socket), status(), tokio::time::Instant::now(), windows.clone());
    Served { _control: control, windows, client: Client::new(&path), path, _place: place }
}

impl Served {
    fn happens(&self, pool: &str, number: u64) {
        let subject = Subject { pool: Some(pool.to_owned()), ..Subject::default() };
        let draft = Draft::new(EventKind::PoolDown, "quorum", format!("number {number}")).about(subject);
        self.windows.book.write(draft, Stamp { unix_ms: number, at_ms: number, director: None });
    }

    /// A stream in its own words, after its header.
    async fn stream(&self, more: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.path).await.expect("it listens");
        let request = format!("GET /v1/events/stream HTTP/1.1\r\nHost: x\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        stream
    }
}

/// Reads until what came holds `end`.
async fn until(stream: &mut UnixStream, end: &str) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    let read = async {
        while !text.contains(end) {
            let length = stream.read(&mut buffer).await.expect("it is there");
            assert!(length > 0, "it ended: {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), read).await;
    assert!(in_time.is_ok(), "no {end:?} in {text}");
    text
}

#[tokio::test]
async fn a_list_has_what_is_asked_for() {
    let served = served();
    (1..=3).for_each(|number| served.happens("web", number));
    served.happens("api", 4);
    let query = EventQuery { pool: Some("web".to_owned()), limit: Some(2), ..EventQuery::default() };
    let list = served.client.events(&query).await.expect("a list");
    let numbers: Vec<u64> = list.events.iter().map(|event| event.id).collect();
    assert_eq!((numbers, list.last_id, list.lost), (vec![2, 3], 4, 0));
    let strange = EventQuery { limit: Some(0), ..EventQuery::default() };
    let refused = served.client.events(&strange).await.expect_err("out of range");
    assert!(
        matches!(refused, ClientError::Refused(Refused { code: RefusalCode::BadRequest, .. })),
        "{refused}"
    );
}

#[tokio::test]
async fn a_stream_tells_what_happens_and_resumes_by_the_number_of_the_last() {
    let served = served();
    served.happens("web", 1);
    let mut stream = served.stream("").await;
    until(&mut stream, "\r\n\r\n").await;
    served.happens("web", 2);
    let text = until(&mut stream, "\n\n").await;
    assert!(text.contains("id: 2\n") && text.contains("number 2"), "the first is past: {text}");
    drop(stream);
    served.happens("web", 3);
    let mut again = served.stream("Last-Event-ID: 2\r\n").await;
    let text = until(&mut again, "number 3").await;
    assert!(text.contains("id: 3\n") && !text.contains("number 2"), "{text}");
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_what_was_lost_and_goes_on() {
    let served = served();
    served.happens("web", 1);
    let mut slow = served.stream("Last-Event-ID: 1\r\n").await;
    until(&mut slow, "text/event-stream").await;
    // More than the chronicle keeps, while the server has no turn; and more than any socket buffers.
    let last = MOST_EVENTS as u64 + 500;
    (2..=last).for_each(|number| served.happens("web", number));
    let text = until(&mut slow, "number 600\"").await;
    let lost = text.split("event: lost\ndata: ").nth(1).and_then(|rest| rest.lines().next());
    assert_eq!(lost, Some("499"), "{}", &text[..500]);
    assert!(
        text.contains("id: 501\n") && !text.contains("id: 500\n"),
        "it goes on at the oldest that is kept"
    );
}

#[tokio::test]
async fn followers_are_few_and_a_place_is_free_again_when_one_goes() {
    let served = served();
    let mut all = Vec::new();
    for _ in 0..event_server::MOST_SUBSCRIBERS {
        let mut stream = served.stream("").await;
        until(&mut stream, "200 OK").await;
        all.push(stream);
    }
    until(&mut served.stream("").await, "503 ").await;
    assert!(served.client.status().await.is_ok(), "others are served");
    all.pop();
    let mut free = false;
    for _ in 0..100 {
        served.happens("web", 1);
        let mut stream = served.stream("").await;
        free |= until(&mut stream, "HTTP/1.1 ").await.contains("200 OK");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(free, "the place of one that went");
}

#[tokio::test]
async fn a_follower_gets_each_event_once_until_the_director_goes() {
    let served = served();
    served.happens("web", 1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (client, noted) = (served.client.clone(), Arc::clone(&seen));
    let follower = tokio::spawn(async move {
        let query = EventQuery { after: Some(0), pool: Some("web".to_owned()), ..EventQuery::default() };
        let each = |followed| {
            noted.lock().expect("one writer").push(followed);
            Ok::<(), ClientError>(())
        };
        client.follow(&query, each).await
    });
    let numbers = || {
        let seen = seen.lock().expect("one writer");
        let number = |followed: &Followed| match followed {
            Followed::Event(event) => event.id,
            Followed::Lost(lost) => panic!("{lost} were lost"),
        };
        seen.iter().map(number).collect::<Vec<_>>()
    };
    for wanted in [vec![1], vec![1, 3]] {
        let all = async {
            while numbers() != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), all).await.expect("they come");
        served.happens("api", 2);
        served.happens("web", 3);
    }
    drop(served);
    let ended = follower.await.expect("no panic").expect_err("the director is gone");
    assert!(matches!(ended, ClientError::NoDirector { .. }), "{ended}");
}
