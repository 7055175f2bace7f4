//! What a policy itself does to clients, on any host.

use super::{POLICY, Visit};

#[test]
fn a_policy_that_leaves_clients_on_dead_servers_or_ends_their_connections_is_found() {
    let visit = Visit::new();
    let without_sync: String = POLICY
        .lines()
        .filter(|line| !line.starts_with("connection_sync"))
        .map(|line| format!("{line}\n"))
        .collect();
    visit.broken_by(&[("failover", "the other director knows no", "connection_sync")], &without_sync, POLICY);

    let udp = POLICY.replace("tcp://", "udp://");
    let stays = "UDP clients of a removed server of pool web stay on it";
    let kept = format!("{udp}kernel: {{expire_nodest_conn: false}}\n");
    visit.broken_by(&[("expire-nodest-conn", stays, "leave `expire_nodest_conn` out")], &kept, &udp);

    let quiesced = POLICY.replace(
        "    check: none\n",
        "    check: none\n    persistence: {timeout: 10m}\n    on_failure: quiesce\n",
    );
    let stays = "persistent clients of a failed server of pool web stay on it";
    let kept = format!("{quiesced}kernel: {{expire_quiescent_template: false}}\n");
    let mended = quiesced.replace("on_failure: quiesce", "on_failure: remove");
    visit.broken_by(&[("expire-quiescent-template", stays, "on_failure: remove")], &kept, &mended);
}

#[test]
fn services_whose_answers_the_kernel_cannot_tell_apart_are_noted() {
    let visit = Visit::new();
    let two =
        POLICY.replace("tcp://192.168.101.100:80]", "tcp://192.168.101.100:80, tcp://192.168.101.100:81]");
    let finding = ("shared-destination", "under the address of the other", "a port for each service");
    visit.broken_by(&[finding], &two, POLICY);
}
