//! Mail at events: a director writes to Exim, which delivers into a file.

use crate::host::{ADDRESS, Host};
use crate::mail::{log, sealed_options, server};
use crate::world::director::binary;
use crate::world::process::Process;
use crate::world::wait::{until, until_true};
use std::fs;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const PORT: u16 = 25;

/// Routers and transports of Exim: everything goes into one file. `rcpt` are rules before it.
fn delivery(host: &Host, rcpt: &str) -> String {
    format!(
        "acl_smtp_rcpt = rcpt\ndeliver_drop_privilege = true\n\
         begin acl\nrcpt:\n{rcpt}  accept\n\
         begin routers\nall:\n  driver = accept\n  transport = box\n\
         begin transports\nbox:\n  driver = appendfile\n  file = {}\n  envelope_to_add = true\n",
        host.text("mail-log/box")
    )
}

/// Exim's users: one, who may log in on a sealed way.
const USERS: &str = "begin authenticators\nplain:\n  driver = plaintext\n  public_name = PLAIN\n  server_prompts = :\n  \
     server_condition = ${if and{{eq{$auth2}{tandem}}{eq{$auth3}{a secret}}}}\n  server_set_id = $auth2\n  \
     server_advertise_condition = ${if def:tls_in_cipher}\n";

/// A director that is alone with its router, which it holds: `mail` are more keys of the mail, `hook` of the hook.
fn director(host: &Host, mail: &str, hook: &str) -> Process {
    at(host, &format!("{ADDRESS}:{PORT}"), mail, hook)
}

/// The same, whose mail server is at this address.
fn at(host: &Host, server: &str, mail: &str, hook: &str) -> Process {
    host.namespace().ip(
        "link add eth0 type veth peer name eth1\naddr add 192.168.102.1/24 dev eth0\nlink set eth0 up\nlink set eth1 up\n",
    );
    let policy = format!(
        "policy_version: 1\ndirectors:\n  lb-a: {{address: 192.168.102.1}}\n  lb-b: {{address: 192.168.102.2}}\n\
         virtual_routers:\n  outside:\n    interface: eth0\n    vrid: 51\n    prefer: [lb-a, lb-b]\n    \
         virtual_addresses: [192.168.102.100/24]\n\
         on_event:\n  - mail: {{server: \"{server}\", from: tandem@example.com, {mail}}}\n    {hook}\n"
    );
    let config = host.write("tandem.yaml", &policy);
    let (program, state, socket) = (binary(), host.text("state"), host.text("tandem.sock"));
    fs::create_dir_all(&state).expect("a state directory");
    let run =
        ["run", "--config", &config, "--director", "lb-a", "--state-directory", &state, "--socket", &socket];
    Process::start(host.namespace(), &program, &run, &host.path("tandem.log"))
}

fn inbox(host: &Host) -> String {
    fs::read_to_string(host.path("mail-log/box")).unwrap_or_default()
}

/// Until these words are in a director's log.
fn comes_to_say(director: &Process, words: &str) {
    until(words, LIMIT, || {
        let log = director.log();
        if log.contains(words) { Ok(()) } else { Err(log) }
    });
}

fn greets(host: &Host) {
    host.comes_up("smtp: {}", PORT);
}

#[test]
fn a_failover_is_one_mail_over_starttls_from_who_logged_in() {
    let host = Host::new();
    let options = format!("{}{}{USERS}", sealed_options(&host), delivery(&host, ""));
    let _server = server(&host, &options);
    greets(&host);
    host.write("password", "a secret\n");
    let mail =
        "to: [ops@example.com, night@example.com], username: tandem, password: {file: password}, collect: 2s";
    let mut director =
        director(&host, mail, "ca: {file: ca.pem}\n    kinds: [router_backup, router_master, router_fault]");
    until_true("a mail", LIMIT, || inbox(&host).contains("outside is Master"));
    let first = inbox(&host);
    for said in [
        "Subject: [lb-a] outside is ",
        "Auto-Submitted: auto-generated",
        "From: tandem@example.com",
        "To: ops@example.com, night@example.com",
        "\nDate: ",
        "\nMessage-ID: <lb-a-",
        "router_master, warning, because: ",
        "look further: tandem events --router outside",
    ] {
        assert!(first.contains(said), "{said}: {first}");
    }
    let received = log(&host);
    assert!(received.contains("X=TLS1.3") && received.contains("A=plain:tandem"), "{received}");
    // What happens while it stops is told at once.
    director.stop(LIMIT);
    until_true("the last mail", LIMIT, || inbox(&host).matches("Subject: ").count() >= 2);
    assert!(inbox(&host).contains("because: stopped"), "{}", inbox(&host));
    let rude = ["lost", "unexpected", "reset"].into_iter().find(|word| log(&host).contains(word));
    assert_eq!(rude, None, "{}", log(&host));
    assert!(!director.log().contains("a secret"), "{}", director.log());
}

#[test]
fn a_mail_goes_over_tls_from_the_first_byte_on() {
    let host = Host::new();
    let ports = "local_interfaces = 0.0.0.0.25 : 0.0.0.0.465\ntls_on_connect_ports = 465\n";
    let _server = server(&host, &format!("{}{ports}{}", sealed_options(&host), delivery(&host, "")));
    greets(&host);
    let hook = "ca: {file: ca.pem}\n    kinds: [router_master]";
    let _director = at(&host, ADDRESS, "to: [ops@example.com], tls: tls, collect: 0s", hook);
    until_true("a mail", LIMIT, || inbox(&host).contains("Subject: [lb-a] outside is Master"));
    assert!(log(&host).contains("X=TLS1.3"), "{}", log(&host));
}

#[test]
fn without_starttls_or_with_another_certificate_nothing_is_sent() {
    let host = Host::new();
    let _server = server(&host, &delivery(&host, ""));
    greets(&host);
    host.write("ca.pem", &fs::read_to_string(&crate::world::certificates::shared().authority).expect("PEM"));
    let director = director(&host, "to: [ops@example.com], collect: 0s", "ca: {file: ca.pem}");
    comes_to_say(&director, "it does not offer STARTTLS: nothing is sent");
    assert!(!log(&host).contains("<="), "{}", log(&host));
    drop(director);

    let sealed = Host::new();
    let _server = server(&sealed, &format!("{}{}", sealed_options(&sealed), delivery(&sealed, "")));
    greets(&sealed);
    let hook = "ca: {file: ca.pem}\n    kinds: [router_master]";
    // Its certificate is good for another address.
    let director = at(&sealed, "127.0.0.1:25", "to: [ops@example.com], collect: 0s", hook);
    comes_to_say(&director, "in 4 attempts");
    assert!(director.log().contains("invalid peer certificate"), "{}", director.log());
    assert!(!log(&sealed).contains("<="), "{}", log(&sealed));
}

#[test]
fn who_is_refused_keeps_no_other_from_the_mail_and_later_is_tried_again() {
    let host = Host::new();
    let rules = format!(
        "  deny local_parts = nobody\n    message = No such person\n  \
         defer local_parts = night\n    condition = ${{if !exists{{{}}}}}\n    message = Come again\n",
        host.text("known")
    );
    let _server = server(&host, &delivery(&host, &rules));
    greets(&host);
    let mail = "to: [nobody@example.com, night@example.com, ops@example.com], tls: none, collect: 1s";
    let director = director(&host, mail, "kinds: [router_master]");
    until_true("the first attempt", LIMIT, || log(&host).contains("Come again"));
    host.write("known", "");
    until_true("both mails", LIMIT, || {
        inbox(&host).matches("Subject: [lb-a] outside is Master").count() == 2
    });
    let received = inbox(&host);
    let to = |name: &str| received.matches(&format!("Envelope-to: {name}@example.com")).count();
    assert_eq!((to("ops"), to("night"), to("nobody")), (1, 1, 0), "{received}");
    assert!(
        director.log().contains("nobody@example.com: permanent error (550): No such person"),
        "{}",
        director.log()
    );
}
