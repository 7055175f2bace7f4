//! What chosen imports mean, once the policy's own reader has read them.

use super::loaded;
use std::path::Path;
use std::time::Duration;
use tandem::model::{
    Authentication, Check, Condition, EventKind, HookAct, Initial, MailSecurity, OnFailure, OnStop, Policy,
    Preempt, ProbeSpec, QuorumUnit, Tracked, Transport, VirtualRouter, VrrpVersion,
};

fn policy(name: &str) -> Policy {
    loaded(&Path::new("tests/import").join(name))
}

fn router<'a>(policy: &'a Policy, name: &str) -> &'a VirtualRouter {
    &policy.pair.routers[name]
}

fn priorities(router: &VirtualRouter) -> Vec<(&str, u8)> {
    router.priorities.iter().map(|(name, priority)| (&**name, *priority)).collect()
}

/// Every check that decides on a server.
fn checks<'a>(policy: &'a Policy, condition: &Condition) -> Vec<&'a Check> {
    condition.targets().iter().map(|target| &policy.checks[&target.check]).collect()
}

#[test]
fn both_files_of_a_pair_fill_in_both_directors() {
    let policy = policy("15-nopreempt.conf");
    let router = router(&policy, "VI_1");
    assert_eq!(priorities(router), [("keep-a", 100), ("keep-b", 101)]);
    assert_eq!((router.preempt, router.version), (Preempt::Never, VrrpVersion::V2));
    assert!(matches!(router.authentication, Some(Authentication::V2Password(_))));
    let own: Vec<String> = policy
        .pair
        .directors
        .values()
        .filter_map(|director| director.ipv4)
        .map(|own| own.to_string())
        .collect();
    assert_eq!(own, ["172.20.0.2", "172.20.0.3"]);
    assert_eq!(policy.on_stop, OnStop::Remove);
}

#[test]
fn one_file_for_both_machines_is_read_for_each() {
    let policy = policy("17-conditionals.conf");
    let router = router(&policy, "VI_A");
    assert_eq!(priorities(router), [("lb-a", 200), ("lb-b", 150)]);
    assert_eq!(router.transport, Transport::Unicast);
    let interface = Tracked::Interface("eth1".to_owned());
    assert_eq!(router.track.iter().map(|tracker| &tracker.what).collect::<Vec<_>>(), [&interface]);
}

#[test]
fn a_check_waits_and_counts_as_keepalived_does() {
    let policy = policy("02-dr-pair.conf");
    let server = &policy.pools["tcp-10.10.0.101-25"].servers[0];
    let checks = checks(&policy, server.check.as_ref().expect("a check"));
    let [mail] = checks.as_slice() else { panic!("{checks:?}") };
    assert!(
        matches!(&mail.probe, ProbeSpec::Smtp(smtp) if smtp.hello.as_deref() == Some("lb-a.example.com"))
    );
    // delay_loop 15, delay_before_retry 5, connect_timeout 6, retry 2; one success brings a server back.
    let times = [mail.interval, mail.interval_changing, mail.timeout].map(|time| time.as_secs());
    assert_eq!((times, mail.rise, mail.fall), ([15, 5, 6], 1, 3));
}

#[test]
fn several_checkers_all_decide_and_the_quorum_is_one_of_weight() {
    let policy = policy("09-sorry-quorum.conf");
    let pool = &policy.pools["tcp-172.16.5.10-80"];
    let Some(condition @ Condition::All(members)) = &pool.servers[0].check else {
        panic!("{:?}", pool.servers[0].check)
    };
    assert_eq!((members.len(), checks(&policy, condition).len()), (2, 2));
    let quorum = pool.rules.quorum;
    assert_eq!((quorum.unit, quorum.least, quorum.recover), (QuorumUnit::Weight, 15, 25));
    assert_eq!((pool.on_failure, pool.initial), (OnFailure::Quiesce, Initial::Down));
    assert_eq!(pool.sorry_servers[0].address.to_string(), "172.16.6.99");
}

#[test]
fn trackers_keep_what_they_do_to_the_priority() {
    let policy = policy("11-track-script.conf");
    let router = router(&policy, "VI_1");
    let changes: Vec<(&str, Option<i16>)> =
        router.track.iter().map(|tracker| (&*tracker.name, tracker.priority_change)).collect();
    let wanted = [
        ("process haproxy", Some(-2)),
        ("check chk_port", None),
        ("check chk_gateway", Some(-40)),
        ("process nginx", Some(-10)),
        ("file /var/run/keepalived/maintenance", Some(-100)),
    ];
    assert_eq!(changes, wanted);
}

#[test]
fn a_fast_router_keeps_its_pace_and_the_order_of_its_keys() {
    let policy = policy("13-vrrp-v3-hmac.conf");
    let router = router(&policy, "VI_FAST");
    assert_eq!(router.interval, Duration::from_millis(50));
    assert_eq!(router.preempt, Preempt::After(Duration::from_secs(60)));
    let Some(Authentication::Hmac { keys, .. }) = &router.authentication else {
        panic!("{:?}", router.authentication)
    };
    assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn addresses_on_other_interfaces_move_together() {
    let policy = policy("14-virtual-routes.conf");
    let group = policy.pair.groups.values().next().expect("a group");
    let routers: Vec<&str> = group.routers.iter().map(|name| &**name).collect();
    assert_eq!(routers, ["EDGE", "EDGE-eth1", "EDGE-eth2", "EDGE-eth1-ipv6", "EDGE-ipv6"]);
    let interfaces: Vec<&str> = routers.iter().map(|name| router(&policy, name).interface.as_str()).collect();
    assert_eq!(interfaces, ["eth0", "eth1", "eth2", "eth1", "eth0"]);
}

/// What is run at an event of this kind.
fn run_at(policy: &Policy, kind: EventKind) -> Vec<Vec<String>> {
    let hooks = policy.on_event.iter().filter(|hook| hook.filter.kinds.contains(&kind));
    let command = |act: &HookAct| match act {
        HookAct::Exec { command, .. } => Some(command.clone()),
        HookAct::Webhook { .. } | HookAct::Mail(_) => None,
    };
    hooks.filter_map(|hook| command(&hook.act)).collect()
}

#[test]
fn scripts_are_run_at_the_events_that_they_were_run_at() {
    let policy = policy("20-notify-scripts.conf");
    let notify = |word: &str| vec![vec!["/etc/keepalived/notify.sh".to_owned(), word.to_owned()]];
    assert_eq!(run_at(&policy, EventKind::RouterMaster), notify("master"));
    assert_eq!(run_at(&policy, EventKind::RouterFault), notify("fault"));
    assert_eq!(run_at(&policy, EventKind::DirectorStopping), notify("stop"));
    let stop = policy.on_event.iter().find(|hook| hook.filter.kinds.contains(&EventKind::DirectorStopping));
    assert!(stop.expect("a hook").filter.routers.is_empty(), "the end of a director is no router's");
    // A hook is of a whole pool: the script of one server asks which it is.
    for (server, told) in
        [("10.81.0.11:80", "10.81.0.11"), ("10.81.0.12:80", "10.81.0.12"), ("10.81.0.13:80", "")]
    {
        let said: String = run_at(&policy, EventKind::ServerDown)
            .iter()
            .map(|command| {
                let shell = [&command[..3], &["/bin/echo".to_owned()], &command[4..]].concat();
                let output = std::process::Command::new(&shell[0])
                    .args(&shell[1..])
                    .env("TANDEM_SERVER", server)
                    .output();
                String::from_utf8(output.expect("a shell").stdout).expect("text")
            })
            .collect();
        let expected = if told.is_empty() { String::new() } else { format!("down {told}\n") };
        assert_eq!(said, expected, "{server}");
    }
}

#[test]
fn the_script_of_every_change_is_told_what_keepalived_tells_it() {
    let policy = policy("11-track-script.conf");
    let command = run_at(&policy, EventKind::RouterBackup).remove(0);
    let shell = [&command[..3], &["/bin/echo".to_owned()], &command[4..]].concat();
    let output =
        std::process::Command::new(&shell[0]).args(&shell[1..]).env("TANDEM_STATE", "BACKUP").output();
    assert_eq!(String::from_utf8(output.expect("a shell").stdout).as_deref(), Ok("INSTANCE VI_1 BACKUP\n"));
}

#[test]
fn mail_goes_where_it_went() {
    let policy = policy("27-large-site.conf");
    let mails: Vec<_> = policy
        .on_event
        .iter()
        .filter_map(|hook| match &hook.act {
            HookAct::Mail(mail) => Some((mail, &hook.filter)),
            HookAct::Exec { .. } | HookAct::Webhook { .. } => None,
        })
        .collect();
    let [(mail, filter)] = mails.as_slice() else { panic!("one mail: {mails:?}") };
    assert_eq!(
        (mail.server.as_str(), mail.port, mail.security),
        ("mail.shop.example", 25, MailSecurity::None)
    );
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("lb@shop.example", &["ops@shop.example".to_owned()][..])
    );
    assert!(filter.kinds.contains(&EventKind::RouterMaster) && filter.kinds.contains(&EventKind::ServerDown));
}
