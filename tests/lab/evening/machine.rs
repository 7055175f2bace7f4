//! A machine of the evening: a network and a host name of its own, and its own `/etc/tandem`, `/etc/keepalived`, `/run/tandem` and
//! `/var/lib/tandem`. Programs run there as they would on a real one, with their default places.

use crate::world::director::binary;
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use crate::world::site::Site;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(super) use crate::world::site::NAMES;

const CONFIGURATIONS: [&str; 2] = [include_str!("lb-a.conf"), include_str!("lb-b.conf")];
/// As the packages install it.
const POLICY: &str = include_str!("../../../packaging/tandem.yaml");
const UNIT: &str = include_str!("../../../packaging/systemd/tandem.service");
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9752);
const STOP: Duration = Duration::from_secs(30);
/// Makes the places, and keeps them until it ends.
const PLACES: &str = "hostname \"$0\"
for place in /etc/tandem /etc/keepalived /run/tandem /var/lib/tandem; do
    mkdir -p $place && mount -t tmpfs tmpfs $place
done
exec sleep infinity";

#[derive(Debug)]
pub(super) struct Machine<'site> {
    namespace: &'site Namespace,
    folder: PathBuf,
    places: Process,
    keepalived: Option<Process>,
    tandem: Option<Process>,
}

impl<'site> Machine<'site> {
    /// A machine on which keepalived and Tandem are installed, and the other's configuration was copied to.
    pub(super) fn new(site: &'site Site, number: usize) -> Self {
        let folder = site.folder().join(NAMES[number]);
        fs::create_dir_all(&folder).expect("a folder");
        let namespace = &site.directors[number];
        let arguments = ["--mount", "--uts", "--propagation", "private", "sh", "-c", PLACES, NAMES[number]];
        let places = Process::start(namespace, "unshare", &arguments, &folder.join("places.log"));
        let mut machine = Self { namespace, folder, places, keepalived: None, tandem: None };
        let mounted = || machine.shell("mountpoint --quiet /var/lib/tandem").0;
        crate::world::wait::until_true("a machine", STOP, mounted);
        machine.write("/etc/keepalived/keepalived.conf", CONFIGURATIONS[number]);
        machine.write(&format!("/etc/keepalived/{}.conf", NAMES[1 - number]), CONFIGURATIONS[1 - number]);
        machine.write("/etc/tandem/tandem.yaml", POLICY);
        machine.start_tandem();
        machine
    }

    /// A command on this machine.
    fn entered<'words>(&self, words: &[&'words str]) -> Vec<String>
    where
        Self: 'words,
    {
        let pid = self.places.pid().to_string();
        let enter = ["--target", &pid, "--mount", "--uts", "--wdns=/etc/keepalived", "--"];
        enter.iter().chain(words).map(|word| (*word).to_owned()).collect()
    }

    /// A line of a shell: whether it succeeded, and what it printed.
    pub(super) fn shell(&self, line: &str) -> (bool, String) {
        let binary = binary();
        let programs = Path::new(&binary).parent().expect("a folder").display().to_string();
        let line = format!("exec 2>&1; PATH={programs}:$PATH; {line}");
        let mut command = Command::new("nsenter");
        command.args(self.entered(&["sh", "-c", &line]));
        let output = self.namespace.output(&mut command);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn write(&self, path: &str, text: &str) {
        let arguments = self.entered(&["sh", "-c", "cat > \"$0\"", path]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.namespace.run_with_input("nsenter", &arguments, text);
    }

    fn start(&self, words: &[&str], log: &str) -> Process {
        let arguments = self.entered(words);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Process::start(self.namespace, "nsenter", &arguments, &self.folder.join(log))
    }

    pub(super) fn start_keepalived(&mut self) {
        let words = ["keepalived", "--dont-fork", "--log-console", "--no-syslog"];
        let places = ["--pid=/run/tandem/k", "--vrrp_pid=/run/tandem/v", "--checkers_pid=/run/tandem/c"];
        let words = [&words[..], &places[..], &["--use-file=/etc/keepalived/keepalived.conf"]].concat();
        self.keepalived = Some(self.start(&words, "keepalived.log"));
    }

    pub(super) fn holds(&self, address: IpAddr) -> bool {
        self.namespace.has_address(address)
    }

    pub(super) fn is_ready(&self) -> Result<(), String> {
        self.namespace.fetch(METRICS, "/readyz").map(|_| ())
    }

    pub(super) fn log(&self) -> String {
        let log = |process: &Option<Process>| process.as_ref().map(Process::log).unwrap_or_default();
        [log(&self.keepalived), log(&self.tandem)].concat()
    }

    /// What systemd does of `systemctl WORDS`.
    fn systemctl(&mut self, words: &[&str]) {
        match words {
            ["disable", "--now", "keepalived"] => stop(self.keepalived.take()),
            // It is enabled, and runs with the policy that it has read.
            ["enable", "tandem"] => {}
            ["restart", "tandem"] => {
                stop(self.tandem.take());
                self.start_tandem();
            }
            other => panic!("nobody plays {other:?}"),
        }
    }

    fn start_tandem(&mut self) {
        let start = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("the unit");
        let binary = binary();
        let words = start.split(' ').map(|word| if word == "/usr/sbin/tandem" { &binary } else { word });
        self.tandem = Some(self.start(&words.collect::<Vec<_>>(), "tandem.log"));
    }
}

fn stop(process: Option<Process>) {
    let mut process = process.expect("it runs");
    assert!(process.stop(STOP).success(), "{}", process.log());
}

/// Types a line on a machine; what it prints.
pub(super) fn typed(machines: &mut [Machine<'_>; 2], host: usize, line: &str) -> String {
    for part in line.split(" && ") {
        let words: Vec<&str> = part.split_whitespace().collect();
        match words[..] {
            ["systemctl", ref rest @ ..] => machines[host].systemctl(rest),
            ["scp", path, to] => {
                let (name, place) = to.split_once(':').expect("a machine and a place");
                assert_eq!(name, NAMES[1 - host]);
                let text = machines[host].shell(&format!("cat {path}")).1;
                let file = Path::new(place).join(Path::new(path).file_name().expect("a file"));
                machines[1 - host].write(file.to_str().expect("a plain path"), &text);
            }
            _ => return machines[host].shell(line).1,
        }
    }
    String::new()
}
