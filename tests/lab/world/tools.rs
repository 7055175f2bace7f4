//! The programs that an administrator would use, on any machine of the world.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::certificates;
use super::http;
use super::namespace::Namespace;

/// Longer than any answer takes here, shorter than a case's patience.
const ANSWER_LIMIT: &str = "5";
const FETCH_LIMIT: Duration = Duration::from_secs(5);
/// The status of an answer to who asks too often, and what is done then.
const TOO_OFTEN: u16 = 429;
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
const MOST_REFUSALS: usize = 20;

impl Namespace {
    /// What a URL answers, or curl's reason. HTTPS is checked against the lab's own authority.
    pub(crate) fn curl(&self, url: &str) -> Result<String, String> {
        self.curl_with(&[], url)
    }

    pub(crate) fn curl_with(&self, arguments: &[&str], url: &str) -> Result<String, String> {
        let mut command = Command::new("curl");
        command.args([
            "-q",
            "--silent",
            "--show-error",
            "--fail",
            "--noproxy",
            "*",
            "--max-time",
            ANSWER_LIMIT,
        ]);
        if url.starts_with("https:") {
            command.arg("--cacert").arg(&certificates::shared().authority);
        }
        self.attempt(command.args(arguments).arg(url))
    }

    /// The TXT record of `who.lab` at a name server: which real server answered.
    pub(crate) fn dig_who(&self, server: IpAddr) -> Result<String, String> {
        let server = format!("@{server}");
        let answer = self.attempt(
            Command::new("dig").args(["+short", "+time=2", "+tries=1", &server, "who.lab", "TXT"]),
        )?;
        Ok(answer.trim().trim_matches('"').to_owned())
    }

    /// Hands a ruleset in nft's own language to the kernel.
    pub(crate) fn nft(&self, ruleset: &str) {
        self.run_with_input("nft", &["-f", "-"], ruleset);
    }

    /// One table of nftables as `nft -j` shows it, without handles; `None` if there is no such table.
    pub(crate) fn nft_table(&self, family: &str, name: &str) -> Option<Vec<Value>> {
        let output = self.output(Command::new("nft").args(["-j", "list", "table", family, name]));
        let mut listing: Value = serde_json::from_slice(&output.stdout).ok()?;
        let mut entries = std::mem::take(listing["nftables"].as_array_mut()?);
        entries.retain(|entry| entry.get("metainfo").is_none());
        for entry in entries.iter_mut().filter_map(Value::as_object_mut).flat_map(|entry| entry.values_mut())
        {
            entry.as_object_mut()?.remove("handle");
        }
        Some(entries)
    }

    /// Runs a command that may fail: its output, or its complaint.
    fn attempt(&self, command: &mut Command) -> Result<String, String> {
        let output = self.output(command);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr) + &text(&output.stdout))
        }
    }

    /// A page over plain HTTP by the lab's own client: what curl does, without the time that a program takes to start. A case
    /// that waits for something may ask more often than a director answers one address, and then comes again, as it is told.
    pub(crate) fn fetch(&self, address: SocketAddr, path: &str) -> Result<String, String> {
        let get = || self.inside(|| http::get(address, path, FETCH_LIMIT));
        let mut answer = get();
        for _ in 0..MOST_REFUSALS {
            match &answer {
                Ok(response) if response.status == TOO_OFTEN => thread::sleep(AFTER_REFUSAL),
                _ => break,
            }
            answer = get();
        }
        match answer {
            Ok(response) if response.status == 200 => Ok(response.body),
            Ok(response) => Err(format!("status {}: {}", response.status, response.body)),
            Err(error) => Err(error.to_string()),
        }
    }
}
