//! Headless Chromium, driven by chromedriver: W3C WebDriver, JSON over HTTP on loopback.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// A viewport in CSS pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) width: u64,
    pub(crate) height: u64,
}

pub(crate) const PHONE: Size = Size { width: 390, height: 844 };
pub(crate) const DESK: Size = Size { width: 1440, height: 900 };

/// Keys by their characters of WebDriver.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const ESCAPE: &str = "\u{e00c}";
/// Until something is on the page that comes with the next look, or the one after it.
const SOON: Duration = Duration::from_secs(8);

/// An element's box, in the viewport.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Size {
    /// Whether a box is wholly inside, and is one.
    #[allow(clippy::cast_precision_loss, reason = "a screen is not so large")]
    pub(crate) fn holds(self, place: &Place) -> bool {
        let Place { left, top, right, bottom } = *place;
        let inside = left >= 0.0 && top >= 0.0 && right <= self.width as f64 && bottom <= self.height as f64;
        inside && right > left && bottom > top
    }
}

/// One browser with one page; both programs end with it.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let path = format!("/session/{}", self.session);
        let _ = exchange(self.port, "DELETE", &path, &json!({}));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    pub(crate) fn start() -> Self {
        let mut command = Command::new("chromedriver");
        command.args(["--port=0", "--log-level=WARNING"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut driver =
            command.stderr(Stdio::null()).spawn().expect("chromedriver, of Debian's chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = lines.find_map(|line| port_of(&line.ok()?)).expect("chromedriver says its port");
        // It must be able to go on writing.
        thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().expect("a folder for the browser");
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            &folder,
        ];
        let options = json!({"binary": "/usr/bin/chromium", "args": arguments});
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let answer = exchange(port, "POST", "/session", &wanted);
        let session =
            answer["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {answer}")).to_owned();
        Self { driver, port, session, _profile: profile }
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        exchange(self.port, method, &format!("/session/{}{path}", self.session), body)
    }

    fn protocol(&self, command: &str, parameters: &Value) {
        self.command("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    pub(crate) fn look_like(&self, size: Size, dark: bool) {
        let Size { width, height } = size;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.protocol("Emulation.setDeviceMetricsOverride", &metrics);
        let value = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.protocol("Emulation.setEmulatedMedia", &media);
    }

    pub(crate) fn open(&self, address: &str) {
        self.command("POST", "/url", &json!({"url": address}));
    }

    /// Opens a page, if anybody serves it.
    pub(crate) fn can_open(&self, address: &str) -> bool {
        TcpStream::connect(address.trim_start_matches("http://").trim_end_matches('/')).is_ok() && {
            self.open(address);
            true
        }
    }

    /// Runs a script in the page; what it returns.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Polls a script until it returns true.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, limit: Duration, script: &str) {
        let begun = Instant::now();
        loop {
            let answer = self.run(script);
            if answer == json!(true) {
                return;
            }
            if begun.elapsed() > limit {
                self.screenshot("failed");
                panic!(
                    "{what} did not come within {limit:?}: {answer}; {}",
                    self.run("return document.body.innerText")
                );
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Until a part of the page says some words.
    #[track_caller]
    pub(crate) fn until_says(&self, selector: &str, words: &str) {
        let script = format!(
            "const e = document.querySelector({selector:?}); return !!e && e.textContent.replace(/\\s+/g, ' ').includes({words:?})"
        );
        self.until(&format!("{words:?} in {selector}"), SOON, &script);
    }

    /// Until something outside of the page is so.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, limit: Duration, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < limit, "{what} did not come within {limit:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn place(&self, selector: &str) -> Option<Place> {
        let script = format!(
            "const e = document.querySelector({selector:?}); if (!e) return null; const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]"
        );
        let sides: Vec<f64> = serde_json::from_value(self.run(&script)).ok()?;
        let [left, top, right, bottom] = sides.try_into().ok()?;
        Some(Place { left, top, right, bottom })
    }

    /// Presses one key, by its character of WebDriver.
    pub(crate) fn press(&self, key: &str) {
        let keys = [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        self.command(
            "POST",
            "/actions",
            &json!({"actions": [{"type": "key", "id": "keys", "actions": keys}]}),
        );
    }

    pub(crate) fn write(&self, text: &str) {
        text.chars().for_each(|key| self.press(&key.to_string()));
    }

    /// Into the lab's folder, where there is one.
    pub(crate) fn screenshot(&self, name: &str) {
        let Ok(folder) = env::var("TANDEM_LAB_OUT") else { return };
        let image = self.command("GET", "/screenshot", &json!({}));
        let bytes = decoded(image.as_str().unwrap_or_default());
        fs::write(Path::new(&folder).join(format!("page-{name}.png")), bytes)
            .expect("the folder can be written");
    }

    /// The automated check of accessibility; every rule that it has.
    #[track_caller]
    pub(crate) fn axe(&self, what: &str) {
        let path =
            env::var("TANDEM_LAB_AXE").expect("TANDEM_LAB_AXE names axe.min.js: tests/lab/run page does");
        let axe = fs::read_to_string(path).expect("axe");
        let script = format!(
            "{axe}\n;const done = arguments[arguments.length - 1]; axe.run(document, {{resultTypes: ['violations']}}).then((found) => done(found.violations.map((one) => one.id + ': ' + one.help + ' at ' + one.nodes.map((node) => node.target + ' ' + node.html.slice(0, 120) + ' ' + (node.any[0] || {{}}).message).join('; '))), (error) => done(['axe: ' + error]))"
        );
        let found = self.command("POST", "/execute/async", &json!({"script": script, "args": []}));
        assert_eq!(found, json!([]), "{what}");
    }
}

fn port_of(line: &str) -> Option<u16> {
    line.split("on port ").nth(1)?.trim_end_matches('.').trim().parse().ok().filter(|port| *port != 0)
}

/// One command; its value.
#[track_caller]
fn exchange(port: u16, method: &str, path: &str, body: &Value) -> Value {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("chromedriver listens");
    let body = if method == "GET" { String::new() } else { body.to_string() };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer).expect("an answer");
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert!(answer["value"]["error"].is_null(), "{method} {path}: {}", answer["value"]);
    answer["value"].clone()
}

/// Base64 (RFC 4648, section 4), as a screenshot comes.
fn decoded(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::with_capacity(text.len() / 4 * 3));
    for letter in text.bytes() {
        let Some(value) = ALPHABET.iter().position(|known| *known == letter) else { continue };
        bits = bits << 6 | u32::try_from(value).unwrap_or_default();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
        }
    }
    bytes
}
