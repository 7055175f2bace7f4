//! `tandem run --observe` beside a live keepalived: it reports each difference to the table that keepalived keeps, and
//! changes nothing. And the tables that keepalived builds of the files of tests/import are those beside them, which are what
//! their imports come to.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::lone::Lone;
use crate::world::World;
use crate::world::certificates;
use crate::world::director::binary;
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use crate::world::wait::{until, until_true};

const KEEPALIVED: &str = "
global_defs {
    router_id lb-a
}
vrrp_instance outside {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 1
    virtual_ipaddress {
        192.168.101.100 dev eth0
    }
}
virtual_server 192.168.101.100 80 {
    delay_loop 1
    lvs_sched wrr
    lvs_method NAT
    protocol TCP
    real_server 192.168.101.110 80 {
        weight 3
        TCP_CHECK {
            connect_timeout 1
        }
    }
    real_server 192.168.101.210 80 {
        weight 2
        TCP_CHECK {
            connect_timeout 1
        }
    }
}
";
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9752);
const START: Duration = Duration::from_secs(60);
/// A difference is reported within this.
const REPORT: Duration = Duration::from_secs(5);
/// keepalived looks at every server once in its own good time, and those of the files are not there: until then it has
/// built its table.
const BUILT: Duration = Duration::from_secs(30);

/// A file of tests/import that has a table beside it.
struct Built {
    name: &'static str,
    /// What keepalived is not given as it stands: what there is, and what it gets instead.
    instead: &'static [(&'static str, &'static str)],
    /// The destinations of keepalived's table that the import leaves out, and says so.
    left_out: &'static [&'static str],
}

const fn built(name: &'static str) -> Built {
    Built { name, instead: &[], left_out: &[] }
}

/// Every one of them.
const TABLES: [Built; 10] = [
    built("01-nat-web"),
    Built { left_out: &["-r [2001:db8:5::12]:443"], ..built("03-tunnel") },
    built("04-fwmark"),
    // It would join the addresses of a group by marks, which the import says that it does not.
    Built { instead: &[("nftables_ipvs keepalived_lvs", "")], ..built("05-virtual-server-group") },
    // It ends without the files.
    Built {
        instead: &[
            ("/etc/keepalived/ssl/ca.pem", "AUTHORITY"),
            ("/etc/keepalived/ssl/client.pem", "CERTIFICATE"),
            ("/etc/keepalived/ssl/client.key", "KEY"),
        ],
        ..built("07-ssl-digest")
    },
    built("18-sequences"),
    built("21-persistence"),
    built("22-udp-check"),
    // Its servers would be out until they answer, and here they are nowhere.
    Built { instead: &[("    alpha\n", "")], ..built("24-lvs-sync") },
    Built { left_out: &["-r 192.0.2.61:0"], ..built("30-dual-stack") },
];

impl Built {
    fn path(&self, extension: &str) -> PathBuf {
        imports().join(self.name).with_extension(extension)
    }

    /// Writes what keepalived is given.
    fn configuration(&self, folder: &Path) -> PathBuf {
        let text = fs::read_to_string(self.path("conf")).expect("keepalived's file");
        let text = self.instead.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{from} in {}", self.name);
            text.replace(from, to)
        });
        let files = certificates::shared();
        let text =
            [("AUTHORITY", &files.authority), ("CERTIFICATE", &files.certificate), ("KEY", &files.key)]
                .into_iter()
                .fold(text, |text, (name, path)| text.replace(name, path.to_str().expect("a plain path")));
        let path = folder.join("keepalived.conf");
        fs::write(&path, text).expect("keepalived's file");
        path
    }
}

fn imports() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import")
}

/// In the foreground; `part`: only its checkers, or both.
fn keepalived(machine: &Namespace, folder: &Path, file: &Path, part: &[&str]) -> Process {
    let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let (parent, vrrp, checkers) = (path("parent.pid"), path("vrrp.pid"), path("checkers.pid"));
    let file = file.to_str().expect("a plain path");
    let mut arguments =
        vec!["--dont-fork", "--log-console", "--log-detail", "--no-syslog", "--use-file", file];
    arguments.extend(["--pid", &parent, "--vrrp_pid", &vrrp, "--checkers_pid", &checkers]);
    arguments.extend(part);
    Process::start(machine, "keepalived", &arguments, &folder.join("keepalived.log"))
}

struct Observer<'world> {
    process: Process,
    machine: &'world Namespace,
    folder: PathBuf,
}

impl<'world> Observer<'world> {
    fn start(machine: &'world Namespace, folder: &Path, policy: &str) -> Self {
        let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
        fs::write(path("tandem.yaml"), policy).expect("the policy");
        let (config, state, socket) = (path("tandem.yaml"), path("observed"), path("observe.sock"));
        let arguments = [
            "run",
            "--observe",
            "--director",
            "lb-a",
            "--config",
            &config,
            "--state-directory",
            &state,
            "--socket",
            &socket,
        ];
        let process = Process::start(machine, &binary(), &arguments, &folder.join("tandem.log"));
        until("ready observer", START, || machine.fetch(METRICS, "/readyz"));
        Self { process, machine, folder: folder.to_owned() }
    }

    fn status(&self) -> Value {
        let socket = self.folder.join("observe.sock");
        let output =
            self.machine.output(Command::new(binary()).args(["status", "--json", "--socket"]).arg(socket));
        serde_json::from_slice(&output.stdout).expect("a status")
    }

    /// But for the host's settings, which keepalived leaves to the operator.
    fn differences(&self) -> Vec<String> {
        let status = self.status();
        assert_eq!(status["observing"], true);
        let all = status["differences"].as_array().expect("a list").iter();
        let here = all.filter(|found| found["table"] != "sysctls");
        here.map(|found| found["what"].as_str().expect("words").to_owned()).collect()
    }

    #[track_caller]
    fn reports(&self, expected: &[&str]) {
        until(&format!("report of {expected:?}"), REPORT, || {
            let found = self.differences();
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        });
    }
}

/// Everything that a director may change.
fn picture(machine: &Namespace) -> Vec<String> {
    let mut picture = machine.ipvs_saved();
    picture.push(machine.run("ipvsadm -Ln --timeout"));
    picture.push(machine.run("ipvsadm -Ln --daemon"));
    picture.push(machine.run("nft list ruleset"));
    picture.push(machine.run("ip rule"));
    // Lifetimes and the like aside.
    picture.push(machine.run("ip -brief addr"));
    for name in [
        "net.ipv4.ip_forward",
        "net.ipv4.conf.all.send_redirects",
        "net.ipv4.vs.conntrack",
        "net.ipv4.vs.expire_nodest_conn",
        "net.ipv4.vs.conn_reuse_mode",
    ] {
        picture.push(format!("{name} {}", machine.read_sysctl(name)));
    }
    picture
}

#[test]
fn beside_keepalived_each_difference_is_reported_and_nothing_is_changed() {
    let world = World::new();
    let (machine, folder) = (world.director(), world.folder());
    let file = folder.join("keepalived.conf");
    fs::write(&file, KEEPALIVED).expect("keepalived's file");
    let _keepalived = keepalived(machine, folder, &file, &[]);
    let vip = "192.168.101.100".parse().expect("an address");
    until_true("keepalived's table", START, || machine.ipvs_destinations() == 2 && machine.has_address(vip));
    let imported = machine.output(Command::new(binary()).arg("import").arg(&file));
    let policy = String::from_utf8(imported.stdout).expect("text");

    let before = picture(machine);
    let mut observer = Observer::start(machine, folder, &policy);
    observer.reports(&[]);
    assert_eq!(observer.status()["routers"][0]["role"], "master", "as keepalived holds the VIP here");

    machine.ipvsadm("-e -t 192.168.101.100:80 -r 192.168.101.110:80 -m -w 9");
    observer.reports(&["~ destination 192.168.101.110:80 of tcp://192.168.101.100:80: weight 9 -> 3"]);
    let metrics = machine.fetch(METRICS, "/metrics").expect("metrics");
    assert!(metrics.contains("tandem_observe_differences{table=\"destinations\"} 1"), "{metrics}");
    machine.ipvsadm("-e -t 192.168.101.100:80 -r 192.168.101.110:80 -m -w 3");
    observer.reports(&[]);
    // As if it had failed in keepalived's eyes alone.
    machine.ipvsadm("-d -t 192.168.101.100:80 -r 192.168.101.210:80");
    observer.reports(&["+ destination 192.168.101.210:80 of tcp://192.168.101.100:80: masquerade, weight 2"]);
    machine.ipvsadm("-a -t 192.168.101.100:80 -r 192.168.101.210:80 -m -w 2");
    observer.reports(&[]);

    assert!(observer.process.stop(START).success());
    assert_eq!(picture(machine), before);
    let log = observer.process.log();
    assert!(log.contains("weight 9 -> 3") && log.contains("observed until now"), "{log}");
}

/// A line of `ipvsadm -Sn` as the set of its options, each with its value.
fn options(line: &str) -> BTreeSet<String> {
    let mut options: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        match options.last_mut() {
            Some(last) if !word.starts_with('-') => last.push_str(&format!(" {word}")),
            _ => options.push(word.to_owned()),
        }
    }
    // A newer ipvsadm says of a tunnel without a checksum that it has none.
    options.into_iter().filter(|option| option != "--tun-nocsum").collect()
}

fn lines(text: &[String]) -> BTreeSet<BTreeSet<String>> {
    text.iter().map(|line| options(line)).collect()
}

#[test]
fn keepalived_builds_the_tables_that_imports_of_its_files_come_to() {
    for file in TABLES {
        let expected: Vec<String> =
            fs::read_to_string(file.path("table")).expect("a table").lines().map(str::to_owned).collect();
        let expected = lines(&expected);
        let host = Lone::new();
        // Its servers are nowhere: their checks fail sooner or later, and the table is looked at before.
        let configuration = file.configuration(host.folder());
        let running = keepalived(&host.machine, host.folder(), &configuration, &["--check"]);
        let mut best = usize::MAX;
        until(&format!("table of {}", file.name), BUILT, || {
            let mut found = lines(&host.machine.ipvs_saved());
            found.retain(|line| !file.left_out.iter().any(|option| line.contains(*option)));
            let missing = expected.symmetric_difference(&found).count();
            if missing == 0 {
                return Ok(());
            }
            best = best.min(missing);
            let differing: Vec<_> = expected.symmetric_difference(&found).take(6).collect();
            Err(format!("{best} at best; now {differing:?}\n{}", running.log()))
        });
    }
}

/// Whoever adds a table adds it to the list.
#[test]
fn each_table_of_an_import_is_compared() {
    let files = fs::read_dir(imports()).expect("the imports").map(|entry| entry.expect("an entry").path());
    let tables: BTreeSet<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "table")).collect();
    assert_eq!(TABLES.iter().map(|file| file.path("table")).collect::<BTreeSet<_>>(), tables);
}
