//! The daemons and their settings as a policy wants them: from the desired tables through the plan into the kernel.

use super::*;
use tandem::desired::{Situation, tables};
use tandem::model::{
    HostFacts, KernelSettings, MetricsSettings, OnStop, Policy, ProbeSettings, Roles, Sysctl,
};
use tandem::reconcile::{Ownership, plan, scope};
use tandem::rotation::Placement;

fn policy() -> Policy {
    let sync_id = SYNC_ID.try_into().expect("not zero");
    let role = SyncRole::FollowRouter("outside".into());
    let connection_sync = Some(ConnectionSync { interface: "eth0".to_owned(), sync_id, role });
    Policy {
        checks: Default::default(),
        pools: Default::default(),
        virtual_addresses: Vec::new(),
        pair: tandem::model::Pair { connection_sync, ..Default::default() },
        probes: ProbeSettings::default(),
        kernel: KernelSettings::default(),
        metrics: MetricsSettings { listen: ([127, 0, 0, 1], 9752).into(), per_server: true },
        on_event: Vec::new(),
        api: None,
        on_stop: OnStop::Keep,
    }
}

/// What the director with this role has to change now, and the changes made.
fn reconcile(director: &Namespace, master: bool) -> Vec<String> {
    let master_of = master.then(|| "outside".into()).into_iter().collect();
    let roles = Roles { master_of, ..Roles::default() };
    let situation = Situation { host: &HostFacts::default(), roles: &roles };
    let desired = tables(&policy(), situation, |pool| Placement::by_verdict(pool, |_| true));
    let owned = Ownership::default();
    director.inside(|| {
        let mut kernel = LinuxKernel::new();
        let observed = kernel.observe(&scope(&desired, &owned)).expect("the tables can be read");
        let changes = plan(&desired, &observed, &owned);
        let start = std::time::Instant::now();
        for (change, result) in changes.iter().zip(kernel.apply(&changes)) {
            assert_eq!(result, Ok(()), "{change}");
        }
        println!("{} changes in {:?}", changes.len(), start.elapsed());
        changes.iter().map(ToString::to_string).collect()
    })
}

/// With the kernel's own settings the third packet would do it, which an idle connection never has.
#[test]
fn a_connection_is_told_as_soon_as_it_is_established() {
    let mut pair = Pair::new();
    let vip = near(100).of(Family::Ipv4);
    pair.add("-t", vip, 80, "", "-m");
    let [a, b] = &pair.world.directors[..] else { panic!("a pair") };
    for (director, master) in [(a, true), (b, false)] {
        assert!(!reconcile(director, master).is_empty());
        assert_eq!(reconcile(director, master), [""; 0], "the kernel holds what was said");
        assert_eq!(director.read_sysctl("net.ipv4.vs.sync_threshold"), "0\t0");
    }
    let connection = open(&pair.world.far_client, vip);
    let established = |found: &str| found.ends_with("ESTABLISHED");
    // The kernel sends what is not a full datagram after two seconds.
    until("the connection at B", LIMIT, || match &entries(b)[..] {
        [one] if established(one) => Ok(()),
        others => Err(format!("{others:?}")),
    });
    pair.move_addresses();
    assert!(ask(connection).expect("it lives on").contains("hello"));
}

#[test]
fn the_daemons_follow_the_role_and_drift_is_repaired() {
    let pair = Pair::new();
    let director = pair.world.director();
    reconcile(director, false);
    // Newer versions print more behind the id.
    let by_ipvsadm = || {
        let listed = director.run("ipvsadm -L --daemon");
        listed
            .lines()
            .map(|line| line.split([',', ')']).take(2).collect::<Vec<_>>().join(","))
            .collect::<Vec<_>>()
    };
    assert_eq!(by_ipvsadm(), ["backup sync daemon (mcast=eth0, syncid=61"]);
    let swap = [
        "+ sync daemon master on eth0 (sync id 61)".to_owned(),
        "- sync daemon backup on eth0 (sync id 61)".to_owned(),
    ];
    assert_eq!(reconcile(director, true), swap);
    assert_eq!(by_ipvsadm(), ["master sync daemon (mcast=eth0, syncid=61"]);
    director.run("ipvsadm --stop-daemon master");
    director.run("ipvsadm --start-daemon master --mcast-interface eth1 --syncid 7");
    let repair = ["- sync daemon master on eth1 (sync id 7)".to_owned(), swap[0].clone()];
    assert_eq!(reconcile(director, true), repair);
    assert_eq!(by_ipvsadm(), ["master sync daemon (mcast=eth0, syncid=61"]);
    let sysctl = Sysctl::from_path("net/ipv4/vs/sync_refresh_period");
    assert_eq!(director.read_sysctl("net.ipv4.vs.sync_refresh_period"), "10", "{sysctl}");
}

#[test]
fn refusals_say_what_to_do() {
    let pair = Pair::new();
    let daemon =
        |role, interface: &str| SyncDaemon { role, interface: interface.to_owned(), sync_id: SYNC_ID };
    let (master, backup) = (SyncDaemonRole::Master, SyncDaemonRole::Backup);
    let refused = |change: Change, words: &str| {
        let results = pair.world.director().inside(|| LinuxKernel::new().apply(&[change]));
        match &results[0] {
            Ok(()) => panic!("done instead of: {words}"),
            Err(error) => assert!(error.message.contains(words), "{error}"),
        }
    };
    let missing = daemon(backup, "nosuch0");
    refused(Change::StartSyncDaemon { daemon: missing }, "there is no interface nosuch0");
    refused(Change::StopSyncDaemon { daemon: daemon(master, "eth0") }, "it has ended already");
    pair.synchronise();
    refused(Change::StartSyncDaemon { daemon: daemon(master, "eth1") }, "another program started one");
    pair.world.director().run("ipvsadm --stop-daemon master");
    pair.world.director().ip("link add bare type dummy");
    refused(Change::StartSyncDaemon { daemon: daemon(master, "bare") }, "bare has no address, or is down");
}
