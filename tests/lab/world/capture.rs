//! Packet captures: of a link, or of a machine's netlink messages (through a monitoring device).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::namespace::Namespace;
use super::process::Process;
use super::wait::until_true;

const START_LIMIT: Duration = Duration::from_secs(10);
/// The capture is at its end when its file has not grown for so many polls.
const QUIET_POLLS: u32 = 10;

/// A capture under way.
#[derive(Debug)]
pub(crate) struct Capture {
    process: Process,
    file: PathBuf,
}

impl Capture {
    /// Captures what matches a filter of tcpdump on an interface; when it returns, no later packet is missed.
    pub(crate) fn start(namespace: &Namespace, interface: &str, filter: &str, folder: &Path) -> Self {
        let file = folder.join(format!("{}-{interface}.pcap", namespace.name()));
        let log = file.with_extension("log");
        let arguments = [
            "-i",
            interface,
            "-n",
            "-U",
            "--immediate-mode",
            "-Z",
            "root",
            "-w",
            file.to_str().expect("a plain path"),
            filter,
        ];
        let process = Process::start(namespace, "tcpdump", &arguments, &log);
        until_true("capture", START_LIMIT, || process.log().contains("listening on"));
        Self { process, file }
    }

    /// Captures the netlink messages of a machine.
    pub(crate) fn start_netlink(namespace: &Namespace, folder: &Path) -> Self {
        namespace.ip("link add nlmon0 type nlmon\nlink set nlmon0 up");
        Self::start(namespace, "nlmon0", "", folder)
    }

    /// Ends the capture; its file, for a reader of pcap files. tcpdump leaves what it has not read yet, so it gets time to.
    pub(crate) fn finish(mut self) -> PathBuf {
        let mut last = (0, 0);
        until_true("silence", START_LIMIT, || {
            let length = fs::metadata(&self.file).map_or(0, |file| file.len());
            last = if length == last.0 { (length, last.1 + 1) } else { (length, 0) };
            last.1 >= QUIET_POLLS
        });
        self.process.signal(Signal::SIGINT);
        self.process.wait_until_ended(START_LIMIT);
        self.file.clone()
    }

    /// Ends the capture; one line of text a packet, as tcpdump prints it.
    pub(crate) fn lines(self, namespace: &Namespace) -> Vec<String> {
        let file = self.finish();
        let text = namespace.run(&format!("tcpdump -Z root -n -tt -e -r {}", file.display()));
        text.lines().map(str::to_owned).collect()
    }
}
