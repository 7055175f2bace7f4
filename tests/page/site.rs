//! A site that serves the page's own files, under the headers of the real listener, and answers its questions with a scene.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tandem::control::{PROTECTION, asset};

#[derive(Debug, Default)]
struct Told {
    scene: Value,
    /// A token that may act.
    allowed: Option<String>,
    /// Whether nothing is told without it.
    demanded: bool,
    silent: bool,
    /// Events that streams tell; `None`: all places are taken.
    streamed: Option<Vec<Value>>,
    /// Questions that were asked, by their path.
    asked: Vec<String>,
    acted: VecDeque<(String, String, Value)>,
}

/// What is asked is answered on threads of their own until the test ends.
pub(crate) struct Site {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
}

impl Site {
    pub(crate) fn serve(scene: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let told = Arc::new(Mutex::new(Told { scene, streamed: Some(Vec::new()), ..Told::default() }));
        let shared = Arc::clone(&told);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = Arc::clone(&shared);
                thread::spawn(move || answer(stream, &told));
            }
        });
        Self { address, told }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn change(&self, work: impl FnOnce(&mut Told)) {
        work(&mut self.told.lock().expect("no panic"));
    }

    pub(crate) fn tell(&self, scene: Value) {
        self.change(|told| told.scene = scene);
    }

    pub(crate) fn allow(&self, token: &str) {
        self.change(|told| told.allowed = Some(token.to_owned()));
    }

    pub(crate) fn demand(&self, token: &str) {
        self.allow(token);
        self.change(|told| told.demanded = true);
    }

    pub(crate) fn fall_silent(&self) {
        self.change(|told| told.silent = true);
    }

    /// Answers again.
    pub(crate) fn speak(&self) {
        self.change(|told| told.silent = false);
    }

    /// An event happens: those who follow are told.
    pub(crate) fn happen(&self, event: Value) {
        self.change(|told| {
            if let Some(events) = told.scene["events"].as_array_mut() {
                events.push(event.clone());
            }
            told.streamed.iter_mut().for_each(|streamed| streamed.push(event.clone()));
        });
    }

    /// No place is left for those who want to follow, and those who do are let go.
    pub(crate) fn end_streams(&self) {
        self.change(|told| told.streamed = None);
    }

    /// There are places again.
    pub(crate) fn allow_streams(&self) {
        self.change(|told| told.streamed = Some(Vec::new()));
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let told = self.told.lock().expect("no panic");
        told.asked.iter().filter(|asked| asked.split('?').next() == Some(path)).count()
    }

    /// The next action that was asked for: path, `Authorization`, body.
    pub(crate) fn acted(&self) -> (String, String, Value) {
        self.told.lock().expect("no panic").acted.pop_front().expect("an action")
    }
}

/// A request, as far as this site looks at it.
struct Asked {
    acts: bool,
    path: String,
    authorization: String,
    body: Vec<u8>,
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut authorization, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => value.clone_into(&mut authorization),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    Some(Asked { acts: first.starts_with("POST"), path, authorization, body })
}

fn answer(mut stream: TcpStream, told: &Mutex<Told>) -> Option<()> {
    let asked = read(&stream)?;
    let mut now = told.lock().ok()?;
    now.asked.push(asked.path.clone());
    if now.silent {
        return None;
    }
    let own = now.allowed.as_ref().is_some_and(|token| asked.authorization == format!("Bearer {token}"));
    let barred = now.demanded && !own;
    if asked.path.starts_with("/v1/events/stream") && !barred && now.streamed.is_some() {
        drop(now);
        return follow(stream, told);
    }
    let (code, kind, text) = match asset(&asked.path) {
        Some(asset) => (200, asset.content_type, asset.text.to_owned()),
        None if barred => (
            401,
            "application/json",
            json!({"error": {"code": "unauthorized", "message": "a token is needed"}}).to_string(),
        ),
        None if asked.acts => {
            now.acted.push_back((asked.path, asked.authorization, serde_json::from_slice(&asked.body).ok()?));
            (202, "application/json", json!({"message": "done"}).to_string())
        }
        None => {
            let (code, value) = looked_up(&now.scene, &asked.path);
            (code, "application/json", value.to_string())
        }
    };
    drop(now);
    let head = head(code, kind, if own { "act" } else { "read" });
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes()).ok()
}

fn head(code: u16, kind: &str, may: &str) -> String {
    let mut head =
        format!("HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\nConnection: close\r\nTandem-May: {may}\r\n");
    for (name, value) in PROTECTION {
        head += &format!("{name}: {value}\r\n");
    }
    head
}

/// Tells what happens from now on, until nobody may follow.
fn follow(mut stream: TcpStream, told: &Mutex<Told>) -> Option<()> {
    let mut at = told.lock().ok()?.streamed.as_ref()?.len();
    stream
        .write_all(format!("{}\r\n: still here\n\n", head(200, "text/event-stream", "read")).as_bytes())
        .ok()?;
    loop {
        let events = {
            let told = told.lock().ok()?;
            let streamed = told.streamed.as_ref().filter(|_| !told.silent)?;
            streamed[at..].to_vec()
        };
        at += events.len();
        for event in events {
            stream.write_all(format!("id: {}\ndata: {event}\n\n", event["id"]).as_bytes()).ok()?;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn looked_up(scene: &Value, path: &str) -> (u16, Value) {
    let found = match path.split('?').next() {
        Some("/v1/status") => Some(scene["status"].clone()),
        Some("/v1/events") => scene.get("events").map(|events| json!({"events": events, "last_id": 1})),
        _ => None,
    };
    let nothing = if path.starts_with("/v1/events/stream") { 503 } else { 404 };
    found.map_or_else(
        || (nothing, json!({"error": {"code": "not_found", "message": "no such path"}})),
        |value| (200, value),
    )
}
