//! Tandem on stage. Each director has its own host name and its own `/run/tandem`, as on a machine of its own: the command
//! line finds its socket there.

use super::setting::{Checksum, PASSWORD, PRIORITIES, Setting, Transport, VRID, Version};
use super::{INTERFACE, NAMES, Stage, dip, vip};
use crate::world::addresses::Family;
use crate::world::director::binary;
use crate::world::installed;
use crate::world::process::Process;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The virtual router's name in the policy.
pub(super) const ROUTER: &str = "outside";
const POLICY: &str = "tandem.yaml";
const PASSWORD_FILE: &str = "password";
/// What a machine of its own would have: run by a shell, which becomes the program.
const OWN_MACHINE: &str =
    "hostname \"$0\" && mkdir -p /run/tandem && mount -t tmpfs tmpfs /run/tandem && exec \"$@\"";

pub(super) fn prepare(folder: &Path, setting: &Setting, more: &str) {
    fs::create_dir_all(folder.join("state")).expect("a state directory");
    fs::write(folder.join(PASSWORD_FILE), PASSWORD).expect("a file with the password");
    fs::write(folder.join(POLICY), policy(setting, more)).expect("the policy");
}

pub(super) fn spawn(stage: &Stage, folder: &Path, director: usize) -> Process {
    let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let name = NAMES[director];
    let (program, config, state) = (installed::program(folder), path(POLICY), path("state"));
    let own_machine = ["--mount", "--uts", "--propagation", "private", "sh", "-c", OWN_MACHINE, name];
    let run = [&program, "run", "--config", &config, "--director", name, "--state-directory", &state];
    let arguments: Vec<&str> = own_machine.into_iter().chain(run).collect();
    Process::start(&stage.directors[director], "unshare", &arguments, &folder.join("tandem.log"))
}

/// A second process on the machine of a running director.
pub(super) fn spawn_beside(
    stage: &Stage,
    folder: &Path,
    (director, pid): (usize, u32),
    more: &[&str],
) -> Process {
    let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let (program, config, state, target) =
        (installed::program(folder), path(POLICY), path("state"), pid.to_string());
    let there = ["--target", &target, "--mount", "--uts", "--", &program];
    let run = ["run", "--config", &config, "--director", NAMES[director], "--state-directory", &state];
    let arguments: Vec<&str> = there.into_iter().chain(run).chain(more.iter().copied()).collect();
    Process::start(&stage.directors[director], "nsenter", &arguments, &folder.join("beside.log"))
}

/// Runs a subcommand on the director's own machine; it must succeed. What it prints on stdout.
#[track_caller]
pub(super) fn command(stage: &Stage, director: usize, pid: u32, arguments: &[&str]) -> String {
    let output = asked(stage, director, pid, arguments);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tandem {arguments:?}: {}: {complaint}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A subcommand on the director's own machine, as a line of a shell.
pub(super) fn command_line(pid: u32, arguments: &[&str]) -> String {
    format!("nsenter --target {pid} --mount --uts -- {} {}", binary(), arguments.join(" "))
}

/// The same, whatever comes of it.
pub(super) fn asked(stage: &Stage, director: usize, pid: u32, arguments: &[&str]) -> Output {
    asked_by(&binary(), stage, director, pid, arguments)
}

/// The same by the command line of another program.
pub(super) fn asked_by(
    program: &str,
    stage: &Stage,
    director: usize,
    pid: u32,
    arguments: &[&str],
) -> Output {
    let mut command = Command::new("nsenter");
    command.args(["--target", &pid.to_string(), "--mount", "--uts", "--", program]).args(arguments);
    stage.directors[director].output(&mut command)
}

/// Changes a place of the policy, which must be there once.
#[track_caller]
pub(super) fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join(POLICY);
    let text = fs::read_to_string(&path).expect("the policy");
    assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
    fs::write(&path, text.replace(from, to)).expect("the policy");
}

fn policy(setting: &Setting, more: &str) -> String {
    let mut text = "policy_version: 1\ndirectors:\n".to_owned();
    for (number, name) in NAMES.iter().enumerate() {
        let own = dip(number);
        text += &format!("  {name}: {{address: {{ipv4: {}, ipv6: \"{}\"}}}}\n", own.ipv4, own.ipv6);
    }
    text += &format!(
        "virtual_routers:\n  {ROUTER}:\n    interface: {INTERFACE}\n    vrid: {VRID}\n    \
         priority: {{{}: {}, {}: {}}}\n",
        NAMES[0], PRIORITIES[0], NAMES[1], PRIORITIES[1]
    );
    text += &match setting.family {
        Family::Ipv4 => format!("    virtual_addresses: [{}/24]\n", vip().ipv4),
        Family::Ipv6 => {
            format!("    virtual_addresses: [\"{}/64\", \"{}/64\"]\n", super::LINK_LOCAL_VIP, vip().ipv6)
        }
    };
    text + &election(setting) + more
}

/// Lines of the virtual router that are left out when the defaults are measured.
fn election(setting: &Setting) -> String {
    let mut text = String::new();
    if !setting.is_default {
        let version = if setting.version == Version::V2 { 2 } else { 3 };
        text += &format!(
            "    version: {version}\n    advertisement_interval: {}ms\n",
            setting.interval.as_millis()
        );
    }
    if setting.transport == Transport::Unicast {
        text += "    transport: unicast\n";
    }
    let has_both_readings = setting.version == Version::V3 && setting.family == Family::Ipv4;
    if has_both_readings && setting.checksum == Checksum::Rfc5798 {
        text += "    checksum: rfc5798\n";
    }
    if setting.password {
        text += &format!("    authentication: {{v2_password: {{file: {PASSWORD_FILE}}}}}\n");
    }
    text
}
