//! A site that serves the page's own files, under the headers of the real listener, and answers its questions with a scene.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use tandem::control::{PROTECTION, asset};

#[derive(Debug, Default)]
struct Told {
    scene: Value,
    /// A token that may act.
    allowed: Option<String>,
    /// Whether nothing is told without it.
    demanded: bool,
    silent: bool,
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
        let told = Arc::new(Mutex::new(Told { scene, ..Told::default() }));
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

    /// The next action that was asked for: path, `Authorization`, body.
    pub(crate) fn acted(&self) -> (String, String, Value) {
        self.told.lock().expect("no panic").acted.pop_front().expect("an action")
    }
}

fn answer(stream: TcpStream, told: &Mutex<Told>) -> Option<()> {
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
    let mut told = told.lock().ok()?;
    if told.silent {
        return None;
    }
    let own = told.allowed.as_ref().is_some_and(|token| authorization == format!("Bearer {token}"));
    let (code, kind, text) = match asset(&path) {
        Some(asset) => (200, asset.content_type, asset.text.to_owned()),
        None if told.demanded && !own => (
            401,
            "application/json",
            json!({"error": {"code": "unauthorized", "message": "a token is needed"}}).to_string(),
        ),
        None if first.starts_with("POST") => {
            told.acted.push_back((path, authorization, serde_json::from_slice(&body).ok()?));
            (202, "application/json", json!({"message": "done"}).to_string())
        }
        None => {
            let (code, value) = looked_up(&told.scene, &path);
            (code, "application/json", value.to_string())
        }
    };
    drop(told);
    let may = if own { "act" } else { "read" };
    let mut head = format!(
        "HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\nTandem-May: {may}\r\n",
        text.len()
    );
    for (name, value) in PROTECTION {
        head += &format!("{name}: {value}\r\n");
    }
    let mut stream = stream;
    stream.write_all(format!("{head}\r\n{text}").as_bytes()).ok()
}

fn looked_up(scene: &Value, path: &str) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let found = match path {
        "/v1/status" => Some(scene["status"].clone()),
        "/v1/events" => scene.get("events").map(|events| json!({"events": events})),
        "/v1/servers" => {
            let pool = query.trim_start_matches("pool=");
            scene["servers"].get(pool).map(|servers| json!({"servers": servers}))
        }
        _ => None,
    };
    found.map_or_else(
        || (404, json!({"error": {"code": "not_found", "message": "no such path"}})),
        |value| (200, value),
    )
}
