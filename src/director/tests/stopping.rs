//! What a director leaves behind that stops and keeps its table.

use super::*;
use crate::desired::fixtures::in_a_pair;
use crate::model::{ConnectionSync, SyncRole};

/// Rules that wait for another director's connections would drop packets for good, where nobody is there any more who takes
/// those in.
#[test]
fn a_backup_that_stops_holds_nothing_back_and_keeps_its_table() {
    let mut policy = dr();
    in_a_pair(&mut policy, VIP);
    let role = SyncRole::FollowRouter("outside".into());
    let sync_id = 61.try_into().expect("not zero");
    policy.pair.connection_sync = Some(ConnectionSync { interface: "eth1".into(), sync_id, role });
    let mut world = World::fresh(policy);
    world.run_for(seconds(5));
    assert_ne!(world.kernel.ruleset, ObservedRuleset::Absent, "a Backup holds resets back");
    let services = world.kernel.services.clone();
    world.core.handle(Input::Stop { at: world.now });
    world.run_for(seconds(1));
    assert!(world.stopped);
    assert_eq!(world.kernel.ruleset, ObservedRuleset::Absent);
    assert_eq!(world.kernel.services, services);
}
