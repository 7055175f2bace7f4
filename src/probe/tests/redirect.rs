//! Redirects: how many, how far, and with what.

use super::fixture::{ask, get, request, server};
use crate::model::{Content, Failure, HeaderText, HttpSpec, Secret};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;

/// A server that answers by path, and the heads of the requests that came.
async fn site() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let target = server(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let head = request(&mut stream).await;
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            seen.lock().expect("nobody panics here").push(head);
            let to = |status: &str, location: &str| {
                format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
            };
            let answer = match path.as_str() {
                "/healthz?deep=1" => to("302", "/second"),
                "/second" => to("307", "third?x=1"),
                "/third?x=1" => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
                "/loop" => to("301", "/loop"),
                "/away" => to("302", "http://other.example.com/third?x=1"),
                "/secure" => to("301", "https://shop.example.com/"),
                "/post" => to("303", "/third?x=1"),
                _ => "HTTP/1.1 302 Go\r\nContent-Length: 0\r\n\r\n".to_owned(),
            };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    (target, heads)
}

fn following(path: &str, redirects: u8) -> HttpSpec {
    HttpSpec { path: path.to_owned(), redirects, ..get() }
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_the_policy_says() {
    let (target, heads) = site().await;
    let path = get().path;
    assert_eq!(ask(following(&path, 2), target).await, Ok(()));
    assert_eq!(heads.lock().expect("heads").len(), 3);
    assert_eq!(
        ask(following(&path, 1), target).await.expect_err("one too many").to_string(),
        "redirected more than 1 times"
    );
    assert_eq!(ask(following(&path, 0), target).await, Err(Failure::Status(302)));
    let accepted = HttpSpec { status: vec![302..=302], ..following(&path, 5) };
    assert_eq!(ask(accepted, target).await, Ok(()), "a status that counts as success is the end");
    let round = ask(following("/loop", 10), target).await.expect_err("a loop");
    assert_eq!(round.to_string(), "redirected more than 10 times");
    let nowhere = ask(following("/nowhere", 1), target).await.expect_err("no location");
    assert_eq!(nowhere.to_string(), "redirected without saying where to (status 302)");
    let secure = ask(following("/secure", 1), target).await.expect_err("another scheme");
    assert!(
        secure.to_string().starts_with("redirected to https://shop.example.com/, which is not http"),
        "{secure}"
    );
}

#[tokio::test]
async fn another_host_is_asked_at_the_same_address_and_without_secrets() {
    let secret = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(secret.path(), "Bearer abc\n").expect("it is written");
    let place = HeaderText::Secret(Secret::File(secret.path().to_owned()));
    let spec = HttpSpec { headers: vec![("Authorization".to_owned(), place)], ..following("/away", 1) };
    let (target, heads) = site().await;
    assert_eq!(ask(spec, target).await, Ok(()));
    let heads = heads.lock().expect("heads");
    assert!(heads[0].contains("Authorization: Bearer abc\r\n"), "{}", heads[0]);
    assert!(heads[1].contains("Host: other.example.com\r\n") && !heads[1].contains("Bearer"), "{}", heads[1]);
}

#[tokio::test]
async fn content_goes_where_the_policy_says_and_not_behind_a_303() {
    let content = Content { text: "x=1".to_owned(), content_type: "text/x".to_owned() };
    let spec = HttpSpec { method: "POST".to_owned(), content: Some(content), ..following("/post", 1) };
    let (target, heads) = site().await;
    assert_eq!(ask(spec, target).await, Ok(()));
    let heads = heads.lock().expect("heads");
    assert!(
        heads[0].contains("Content-Type: text/x\r\n") && heads[0].contains("Content-Length: 3\r\n"),
        "{}",
        heads[0]
    );
    assert!(heads[1].starts_with("GET /third?x=1 ") && !heads[1].contains("Content-"), "{}", heads[1]);
}
