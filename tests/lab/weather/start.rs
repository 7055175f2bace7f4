//! A director that cannot begin says why in one sentence, ends with status 1, and has touched nothing.

use super::policy;
use crate::lone::{Lone, complaint};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

/// A table of somebody else's, which is there before.
fn host_with_a_table() -> Lone {
    let host = Lone::new();
    host.machine
        .ipvsadm("-A -t 192.168.101.100:80 -s wrr\n-a -t 192.168.101.100:80 -r 192.168.101.9:80 -g -w 5");
    host
}

/// Status 1 and exactly one sentence, which says all of `words`.
#[track_caller]
fn assert_one_sentence(output: &Output, words: &[&str]) {
    let said = complaint(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let sentences: Vec<&str> =
        said.lines().filter(|line| !line.contains("few files may be open") && !line.is_empty()).collect();
    assert_eq!(sentences.len(), 1, "{said}");
    assert!(sentences[0].starts_with("tandem: "), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
}

/// Runs a case on a host, and sees that nothing of it has changed afterwards.
#[track_caller]
fn assert_untouched(case: impl FnOnce(&Lone)) {
    let host = host_with_a_table();
    let before = host.picture();
    case(&host);
    assert_eq!(host.picture(), before);
}

#[test]
fn a_malformed_policy_gets_every_problem_and_changes_nothing() {
    assert_untouched(|host| {
        let bad = policy(
            "",
            "  api: {virtual_services: [tcp://192.168.101.100:81], real_server: [192.168.101.300]}\nkernal: {}\n",
        );
        let output = host.try_run(&bad);
        let said = complaint(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for words in [
            "tried.yaml:6:",
            "real_server",
            "tried.yaml:7:1",
            "kernal",
            "^^^",
            "refused; nothing was changed",
        ] {
            assert!(said.contains(words), "{words:?} is missing in: {said}");
        }
        assert!(!host.folder().join("state").exists(), "not even a state directory");
    });
}

#[test]
fn an_empty_policy_is_said_by_name() {
    assert_untouched(|host| {
        let output = host.try_run("");
        assert_eq!(output.status.code(), Some(1), "{}", complaint(&output));
        assert!(complaint(&output).contains("tried.yaml"), "{}", complaint(&output));
    });
}

#[test]
fn a_taken_port_of_the_metrics() {
    assert_untouched(|host| {
        let _taken = host.machine.inside(|| TcpListener::bind(("127.0.0.1", 9752))).expect("a free port");
        assert_one_sentence(
            &host.try_run(&policy("", "")),
            &["127.0.0.1:9752", "another program holds this port"],
        );
    });
}

#[test]
fn an_address_of_the_metrics_that_is_not_ours() {
    assert_untouched(|host| {
        let elsewhere = policy("", "metrics: {listen: 192.0.2.1:9752}\n");
        assert_one_sentence(&host.try_run(&elsewhere), &["192.0.2.1:9752", "not an address of this host"]);
    });
}

const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const ROOT_WITHOUT_NETWORK: [&str; 2] = ["setpriv", "--bounding-set=-net_admin"];

#[test]
fn no_privilege_to_keep_state() {
    assert_untouched(|host| {
        fs::set_permissions(host.folder(), Permissions::from_mode(0o755)).expect("ours");
        let state = host.folder().join("state");
        let output = host.try_run_by(&NOBODY, &state, &policy("", ""));
        assert_one_sentence(&output, &["state directory", "Permission denied", "--state-directory"]);
    });
}

#[test]
fn no_privilege_to_change_the_network() {
    assert_untouched(|host| {
        fs::set_permissions(host.folder(), Permissions::from_mode(0o755)).expect("ours");
        let state = host.folder().join("state");
        fs::create_dir(&state).expect("a directory");
        fs::set_permissions(&state, Permissions::from_mode(0o777)).expect("ours");
        for way in [&NOBODY[..], &ROOT_WITHOUT_NETWORK] {
            let output = host.try_run_by(way, &state, &policy("", ""));
            assert_one_sentence(&output, &["it needs root or CAP_NET_ADMIN"]);
        }
    });
}

#[test]
fn a_second_director_on_the_same_state() {
    let host = Lone::new();
    let first = host.start(&policy("", ""));
    let before = host.picture();
    let output = host.try_run_by(&[], &first.state_directory(), &policy("", "on_stop: remove\n"));
    assert_one_sentence(&output, &["another tandem holds it", "stop that one first"]);
    assert_eq!(host.picture(), before);
    assert_eq!(first.metric("tandem_pool_up{pool=\"web\"}"), Some(1.0), "the first goes on");
}

#[test]
fn a_certificate_authority_that_is_not_there() {
    assert_untouched(|host| {
        let check = "{https: {path: /, host: web.lab, tls: {ca: {file: /nowhere/ca.pem}}}, port: 443}";
        let pool = format!(
            "  api: {{virtual_services: [tcp://192.168.101.100:81], real_servers: [192.168.101.110], check: {check}}}\n"
        );
        assert_one_sentence(
            &host.try_run(&policy("", &pool)),
            &["/nowhere/ca.pem", "certificate authorities"],
        );
    });
}

/// Full-NAT needs the program; DR does not, and must not ask for it.
#[test]
fn the_missing_program_nft() {
    let full_nat = policy(
        "",
        "  api: {virtual_services: [tcp://192.168.101.100:81], forwarding: full-nat, real_servers: [192.168.101.110]}\n",
    );
    assert_untouched(|host| {
        let hidden = Hidden::new("/usr/sbin/nft");
        let output = host.try_run(&full_nat);
        drop(hidden);
        assert_one_sentence(&output, &["the program nft is missing", "install the package nftables"]);
    });
    let host = Lone::new();
    let hidden = Hidden::new("/usr/sbin/nft");
    let director = host.start(&policy("", ""));
    assert!(super::web_is_there(&host));
    drop((director, hidden));
}

/// A file of the lab's throw-away file system that is not there for a while.
struct Hidden(&'static str);

impl Hidden {
    fn new(path: &'static str) -> Self {
        fs::rename(path, format!("{path}.hidden")).expect("the file can be renamed");
        Self(path)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        fs::rename(format!("{}.hidden", self.0), self.0).expect("the file can be renamed back");
    }
}
