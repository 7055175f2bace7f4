//! Exim, and the smtp probe.

use crate::host::{ADDRESS, Host};
use crate::world::certificates;
use crate::world::process::Process;
use crate::world::wait::until_true;
use nix::sys::signal::Signal;
use nix::unistd::User;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::Duration;

const PORT: u16 = 25;
const LIMIT: Duration = Duration::from_secs(10);

/// Exim with these options beside those that every case needs.
pub(super) fn server(host: &Host, options: &str) -> Process {
    let user = User::from_name("Debian-exim").expect("the users can be read").expect("the lab makes it");
    for folder in [host.path("spool"), host.path("mail-log"), "/var/log/exim4".into()] {
        fs::create_dir_all(&folder).expect("a folder");
        chown(&folder, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("it can be given away");
    }
    let configuration = format!(
        "primary_hostname = mail.example.com\n\
         keep_environment =\n\
         daemon_smtp_ports = {PORT}\n\
         tls_advertise_hosts = {}\n\
         host_lookup =\n\
         rfc1413_query_timeout = 0s\n\
         log_selector = +smtp_connection\n\
         spool_directory = {}\n\
         log_file_path = {}/%slog\n\
         pid_file_path = {}\n\
         {options}\n",
        if options.contains("tls_certificate") { "*" } else { "" },
        host.text("spool"),
        host.text("mail-log"),
        host.text("exim.pid"),
    );
    let path = host.write("exim.conf", &configuration);
    host.start("exim4", &["-bdf", "-C", &path])
}

pub(super) fn log(host: &Host) -> String {
    fs::read_to_string(host.path("mail-log/mainlog")).unwrap_or_default()
}

/// What Exim needs for STARTTLS: a certificate for the host's address, whose authority is in `ca.pem`.
pub(super) fn sealed_options(host: &Host) -> String {
    let made = certificates::shared();
    for (file, name) in
        [(&made.authority, "ca.pem"), (&made.certificate, "mail.pem"), (&made.key, "mail.key")]
    {
        fs::copy(file, host.path(name)).expect("a copy");
        fs::set_permissions(host.path(name), fs::Permissions::from_mode(0o644))
            .expect("the server can read it");
    }
    format!("tls_certificate = {}\ntls_privatekey = {}\n", host.text("mail.pem"), host.text("mail.key"))
}

#[test]
fn a_mail_server_that_greets_is_up_and_is_left_politely() {
    let host = Host::new();
    let mut server = server(&host, "acl_smtp_connect = accept");
    host.comes_up("smtp: {}", PORT);
    host.succeeds("smtp: {hello: lb-a.example.com}", PORT);
    until_true("a QUIT in the server's log", LIMIT, || log(&host).matches("closed by QUIT").count() >= 2);
    let rude = ["lost", "unexpected", "reset"].into_iter().find(|word| log(&host).contains(word));
    assert_eq!(rude, None, "{}", log(&host));
    server.signal(Signal::SIGSTOP);
    host.comes_to_fail("smtp: {}", PORT, "timeout", "waiting for the greeting");
    server.signal(Signal::SIGCONT);
    server.stop(LIMIT);
    host.fails("smtp: {}", PORT, "connection_refused", "refused");
}

#[test]
fn a_mail_server_without_a_place_left_is_down_in_its_own_words() {
    let host = Host::new();
    let _server = server(&host, "acl_smtp_connect = accept\nsmtp_accept_max = 1");
    host.comes_up("smtp: {}", PORT);
    let place = host.namespace().inside(|| TcpStream::connect((ADDRESS, PORT))).expect("the only place");
    host.comes_to_fail("smtp: {}", PORT, "server_error", "421 Too many concurrent SMTP connections");
    drop(place);
    host.comes_up("smtp: {}", PORT);
}

#[test]
fn a_mail_server_that_wants_no_mail_is_down_in_its_own_words() {
    let host = Host::new();
    let _server = server(
        &host,
        "acl_smtp_connect = deny message = Down for maintenance\nacl_smtp_helo = deny message = Not today",
    );
    host.comes_to_fail("smtp: {}", PORT, "server_error", "550 Down for maintenance");
    let host = Host::new();
    let _server = server(&host, "acl_smtp_connect = accept\nacl_smtp_helo = deny message = Not today");
    host.comes_to_fail("smtp: {}", PORT, "server_error", "550 Not today");
}

#[test]
fn a_dialogue_of_texts_does_what_the_probe_does() {
    let host = Host::new();
    let _server = server(&host, "acl_smtp_connect = accept");
    let dialogue = "tcp: {dialogue: [{expect: \"220 \"}, {send: \"EHLO lb-a.example.com\\r\\n\", \
                    expect: {regex: \"(?m)^250 \"}}, {send: \"QUIT\\r\\n\", expect: \"221 \"}]}";
    host.comes_up(dialogue, PORT);
    let wrong = dialogue.replace("221", "299");
    host.fails(&wrong, PORT, "unexpected_reply", "221 mail.example.com closing connection");
}

#[test]
fn a_mail_server_goes_on_over_tls_with_a_certificate_that_is_verified() {
    let host = Host::new();
    let _server = server(&host, &format!("acl_smtp_connect = accept\n{}", sealed_options(&host)));
    let sealed = |tls: &str| format!("smtp: {{starttls: true, tls: {{{tls}}}}}");
    host.comes_up(&sealed("ca: {file: ca.pem}, server_name: web.lab"), PORT);
    let outcome = host.probe(&sealed("ca: {file: ca.pem}"), PORT);
    assert_eq!(outcome.result, Ok(()), "its address is in the certificate too");
    assert!(outcome.findings.certificate_expires.is_some(), "and its end is noted");
    host.fails(&sealed("ca: {file: ca.pem}, server_name: mail.example.com"), PORT, "tls", "mail.example.com");
    host.succeeds(&sealed("verify: false"), PORT);
    until_true("a QUIT in the server's log", LIMIT, || log(&host).contains("closed by QUIT"));
    let plain = Host::new();
    let _plain = server(&plain, "acl_smtp_connect = accept");
    plain.comes_up("smtp: {}", PORT);
    plain.fails(&sealed("verify: false"), PORT, "unexpected_reply", "does not offer STARTTLS");
}
