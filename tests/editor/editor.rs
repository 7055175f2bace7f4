//! An editor that speaks with the language server over its standard input and output: JSON-RPC in frames.
//!
//! Source: Language Server Protocol 3.17, "Base Protocol".

use serde_json::{Value, json};
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Where the program is; `tests/lab/run editor` says so.
const SERVER: &str = "TANDEM_LAB_LANGUAGE_SERVER";
/// For one answer of a server that has just begun on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where the cursor stands in a text.
const CURSOR: char = '│';

/// The server, in a folder with the schema. It ends with its handle.
#[derive(Debug)]
pub(crate) struct Editor {
    server: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    /// Numbers of questions, and of documents.
    last: u64,
    folder: tempfile::TempDir,
}

impl Editor {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let schema = Command::new(env!("CARGO_BIN_EXE_tandem")).arg("schema").output().expect("the schema");
        fs::write(folder.path().join("policy.schema.json"), schema.stdout).expect("the schema");
        let program =
            env::var(SERVER).unwrap_or_else(|_| panic!("{SERVER} is not set: start `tests/lab/run editor`"));
        let mut command = Command::new("node");
        command.arg(program).arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().expect("node");
        let (sender, messages) = channel();
        let mut output = BufReader::new(server.stdout.take().expect("a pipe"));
        thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let input = server.stdin.take().expect("a pipe");
        let mut editor = Self { server, input, messages, last: 0, folder };
        let able = json!({"textDocument": {"completion": {}, "hover": {}, "publishDiagnostics": {}}});
        editor.ask("initialize", json!({"processId": null, "rootUri": null, "capabilities": able}));
        editor.tell("initialized", json!({}));
        editor
    }

    /// What is offered where the cursor stands.
    pub(crate) fn completions(&mut self, text: &str) -> Vec<String> {
        let answer = self.at_cursor("textDocument/completion", text);
        let items = answer["items"].as_array().expect("a list of offers");
        items.iter().map(|item| item["label"].as_str().expect("a label").to_owned()).collect()
    }

    /// What is told of the word where the cursor stands.
    pub(crate) fn hover(&mut self, text: &str) -> String {
        let answer = self.at_cursor("textDocument/hover", text);
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// What is marked: its line, from 0, and why.
    pub(crate) fn diagnostics(&mut self, text: &str) -> Vec<(u64, String)> {
        let document = self.open(text);
        let marks = self.wait(|message| {
            message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == document
        });
        let mark = |mark: &Value| {
            // The line with the schema's name is in front.
            let line = mark["range"]["start"]["line"].as_u64().expect("a line") - 1;
            (line, mark["message"].as_str().expect("words").to_owned())
        };
        marks["params"]["diagnostics"].as_array().expect("a list").iter().map(mark).collect()
    }

    fn at_cursor(&mut self, method: &str, text: &str) -> Value {
        let (before, after) = text.split_once(CURSOR).expect("a cursor");
        let document = self.open(&format!("{before}{after}"));
        let (line, column) = (before.matches('\n').count() + 1, before.lines().last().map_or(0, str::len));
        let column = if before.ends_with('\n') { 0 } else { column };
        self.ask(
            method,
            json!({"textDocument": {"uri": document}, "position": {"line": line, "character": column}}),
        )
    }

    /// Opens a new document whose first line names the schema; its address.
    fn open(&mut self, text: &str) -> String {
        self.last += 1;
        let file = self.folder.path().join(format!("{}.yaml", self.last));
        let uri = format!("file://{}", file.display());
        let text = format!("# yaml-language-server: $schema=policy.schema.json\n{text}");
        let document = json!({"uri": uri, "languageId": "yaml", "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
        uri
    }

    // --- messages

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}));
        let answer = self.wait(|message| message["id"] == id && message["method"].is_null());
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn tell(&mut self, method: &str, parameters: Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": parameters}));
    }

    /// The next message of a kind. What the server itself asks on the way is answered: of every setting, that there is none.
    fn wait(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("a message of the language server");
            if is_wanted(&message) {
                return message;
            }
            if !message["method"].is_null() && !message["id"].is_null() {
                let items = message["params"]["items"].as_array().map_or(0, Vec::len);
                self.write(
                    &json!({"jsonrpc": "2.0", "id": message["id"], "result": vec![Value::Null; items]}),
                );
            }
        }
    }

    fn write(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("a server that reads");
        self.input.flush().expect("a server that reads");
    }
}

/// `None` at the end.
fn read(output: &mut BufReader<ChildStdout>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut bytes = vec![0; length];
    output.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

impl Drop for Editor {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
