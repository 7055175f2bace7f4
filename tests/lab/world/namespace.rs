//! A network namespace: a machine of the world, or the switch between them.

use std::fs::{self, File};
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use super::addresses::{Addresses, host_length};

/// A namespace with a name of its own, deleted at the end.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
    role: &'static str,
}

impl Namespace {
    /// Does what `ip netns add` does, without starting a program: in an emulated machine that takes a tenth of a second.
    pub(crate) fn new(role: &'static str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("lab{}-{}-{role}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let namespace = Self { name, role };
        File::create_new(namespace.path()).expect("a name for the namespace");
        thread::scope(|scope| scope.spawn(|| pin_new_namespace(&namespace.path())).join())
            .expect("a new namespace");
        // Addresses are usable at once: nobody else can hold them, so nobody needs to be asked.
        namespace.sysctl(&[("net.ipv6.conf.all.accept_dad", "0"), ("net.ipv6.conf.default.accept_dad", "0")]);
        namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// Makes this a switch that connects machines by the named interface of theirs. It forwards at once and never holds
    /// multicast back. Its end of each cable bears the machine's role.
    pub(crate) fn connect(&self, machines: &[&Self], interface: &str) {
        let mut lines =
            "link add br0 type bridge forward_delay 0 mcast_snooping 0\nlink set br0 up\n".to_owned();
        for Self { name, role } in machines {
            lines += &format!("link add {role} type veth peer name {interface} netns {name}\n");
            lines += &format!("link set {role} master br0 up\n");
        }
        self.ip(&lines);
    }

    /// Gives addresses to interfaces and starts them, the loopback too; then the default gateway, if there is one.
    pub(crate) fn configure(&self, interfaces: &[(&str, Addresses)], gateway: Option<Addresses>) {
        let mut lines = "link set lo up\n".to_owned();
        for (interface, Addresses { ipv4, ipv6 }) in interfaces {
            lines +=
                &format!("addr add {ipv4}/24 dev {interface}\naddr add {ipv6}/64 dev {interface} nodad\n");
            lines += &format!("link set {interface} up\n");
        }
        if let Some(Addresses { ipv4, ipv6 }) = gateway {
            lines += &format!("route replace default via {ipv4}\nroute replace default via {ipv6}\n");
        }
        self.ip(&lines);
    }

    /// Pulls this machine's cable out of the switch, or puts it back.
    pub(crate) fn set_cable(&self, switch: &Self, plugged: bool) {
        switch.ip(&format!("link set {} {}", self.role, if plugged { "up" } else { "down" }));
    }

    /// An address for this host alone (/32 or /128).
    pub(crate) fn add_address(&self, address: IpAddr, interface: &str) {
        let without_dad = if address.is_ipv6() { "nodad" } else { "" };
        self.ip(&format!("addr add {address}/{} dev {interface} {without_dad}", host_length(address)));
    }

    pub(crate) fn has_address(&self, address: IpAddr) -> bool {
        self.run("ip -o addr show").contains(&format!(" {address}/"))
    }

    /// Commands of `ip`, one a line, in one call of it.
    pub(crate) fn ip(&self, lines: &str) {
        self.run_with_input("ip", &["-batch", "-"], lines);
    }

    /// Sets kernel parameters, as dotted names.
    pub(crate) fn sysctl(&self, settings: &[(&str, &str)]) {
        self.inside(|| {
            for (name, value) in settings {
                let path = format!("/proc/sys/{}", name.replace('.', "/"));
                fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        });
    }

    /// Reads a kernel parameter.
    pub(crate) fn read_sysctl(&self, name: &str) -> String {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        self.inside(|| fs::read_to_string(&path))
            .unwrap_or_else(|error| panic!("{path}: {error}"))
            .trim()
            .to_owned()
    }

    /// Runs a command line (words between blanks), which must succeed, and hands back what it prints.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().expect("a program"));
        let output = self.output(command.args(words));
        text(&command, output)
    }

    /// Runs any command to its end.
    #[track_caller]
    pub(crate) fn output(&self, command: &mut Command) -> Output {
        command.stdin(Stdio::null());
        self.inside(|| command.output()).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Runs a program, which must succeed, with `input`.
    #[track_caller]
    pub(crate) fn run_with_input(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            self.inside(|| command.spawn()).unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let written = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("an exit status");
        assert!(written.is_ok() || !output.status.success(), "{command:?} did not read all of its input");
        text(&format_args!("{command:?} with input:\n{input}\n"), output)
    }

    /// Runs Rust code with this namespace's network. Sockets and programs that it starts stay there, whoever uses them.
    pub(crate) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        let _back = Return(File::open("/proc/thread-self/ns/net").expect("the present namespace"));
        self.entrance()();
        work()
    }

    /// Moves the thread that calls it into this namespace, for good: for threads that a tool starts for itself.
    pub(crate) fn entrance(&self) -> impl FnOnce() + Send + 'static {
        let file = File::open(self.path()).expect("the namespace");
        move || setns(file, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered")
    }
}

/// Brings the thread back to the namespace where it was, also when a case fails inside.
struct Return(File);

impl Drop for Return {
    fn drop(&mut self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).expect("the way back");
    }
}

/// Moves the calling thread into a new namespace and makes a file stand for it.
fn pin_new_namespace(path: &Path) {
    unshare(CloneFlags::CLONE_NEWNET).expect("a new namespace");
    let none: Option<&str> = None;
    mount(Some("/proc/thread-self/ns/net"), path, none, MsFlags::MS_BIND, none)
        .expect("a file for the namespace");
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing to be done if it fails: the lab's end deletes all.
        let _ = umount2(&self.path(), MntFlags::MNT_DETACH);
        let _ = fs::remove_file(self.path());
    }
}

#[track_caller]
fn text(what: &dyn std::fmt::Debug, output: Output) -> String {
    let Output { status, stdout, stderr } = output;
    assert!(status.success(), "{what:?} failed, {status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}
