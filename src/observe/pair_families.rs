//! The families of virtual routers and of the other directors. Pure.

use super::metrics::Families;
use crate::control::SafeToFailOver;
use crate::director::snapshot::Snapshot;
use crate::peer::ChannelView;
use crate::time::Instant;
use crate::vrrp::picture::{Counts, Picture, RouterPicture};
use crate::vrrp::role::Role;
use std::fmt;

/// All of them; none for a director that is alone.
pub(super) fn write(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    channels(families, snapshot)?;
    let Some(pair) = &snapshot.pair else { return Ok(()) };
    roles(families, &pair.picture)?;
    advertisements(families, snapshot, &pair.picture)?;
    families.histogram(
        "tandem_vrrp_advertisement_lateness_seconds",
        "How late the thread that sends the advertisements woke up; beyond half of the interval and the skew time together \
         one lost advertisement more can cost the mastership",
        &pair.lateness.histogram,
    )?;
    let dropped = &pair.dropped;
    let kinds = [
        ("malformed", dropped.malformed),
        ("stranger", dropped.strangers),
        ("own", dropped.own),
        ("routed", dropped.routed),
    ];
    families.counters(
        "tandem_vrrp_packets_dropped",
        "Packets that were no director's on this network, by kind; `own` are from our own address: a loop, or another machine \
         that has it",
        kinds.into_iter().map(|(kind, count)| ([("kind", kind)], count)),
    )?;
    peers(families, snapshot, &pair.picture)
}

type Label<'a> = [(&'static str, &'a str); 1];

fn each<'a, V>(
    picture: &'a Picture,
    value: impl Fn(&'a RouterPicture) -> V,
) -> impl Iterator<Item = (Label<'a>, V)> {
    picture.routers.iter().map(move |router| ([("router", &*router.name)], value(router)))
}

fn counted<'a>(
    picture: &'a Picture,
    count: impl Fn(&'a Counts) -> u64,
) -> impl Iterator<Item = (Label<'a>, u64)> {
    each(picture, move |router| count(&router.counts))
}

fn roles(families: &mut Families<'_>, picture: &Picture) -> fmt::Result {
    families.gauges(
        "tandem_vrrp_state",
        "Where the router is: 0 initialize, 1 backup, 2 master, 3 fault",
        each(picture, |router| router.role as u64),
    )?;
    families.gauges(
        "tandem_vrrp_master",
        "1 where this director is Master, else 0; summed over the directors it is 1, or somebody should look",
        each(picture, |router| u64::from(router.role == Role::Master)),
    )?;
    families.gauges(
        "tandem_vrrp_priority",
        "Effective priority: the configured one after trackers; below 10 the director says that it is unfit",
        each(picture, |router| u64::from(router.priority)),
    )?;
    families.gauges(
        "tandem_vrrp_released",
        "1 while an operator has released the router here, else 0: this director takes it over only when no other is left",
        each(picture, |router| u64::from(router.released)),
    )?;
    families.gauges(
        "tandem_vrrp_addresses_wanted",
        "Floating addresses that this director should hold now",
        each(picture, |router| router.addresses_wanted as u64),
    )?;
    families.gauges(
        "tandem_vrrp_addresses_held",
        "Floating addresses that the kernel holds now",
        each(picture, |router| router.addresses_held as u64),
    )?;
    let trackers = picture.routers.iter().flat_map(|router| {
        let labels = |tracker| [("router", &*router.name), ("tracker", tracker)];
        router.trackers.iter().map(move |(tracker, good)| (labels(&**tracker), u64::from(*good)))
    });
    families.gauges("tandem_vrrp_tracker_up", "1 while what is tracked is good, else 0", trackers)?;
    let transitions = picture.routers.iter().flat_map(|router| {
        let labels = |to: Role, reason| [("router", &*router.name), ("to", to.name()), ("reason", reason)];
        let counts = &router.counts.transitions;
        counts.iter().map(move |((to, reason), count)| (labels(*to, reason), *count))
    });
    families.counters(
        "tandem_vrrp_transitions",
        "Changes of role, by the new one and the reason",
        transitions,
    )?;
    families.gauges(
        "tandem_vrrp_last_takeover_seconds",
        "From the last decision to become Master until the kernel held every address",
        picture.routers.iter().filter_map(|router| {
            let took = router.counts.last_takeover?.as_secs_f64();
            Some(([("router", &*router.name)], took))
        }),
    )
}

fn advertisements(families: &mut Families<'_>, snapshot: &Snapshot, picture: &Picture) -> fmt::Result {
    families.counters(
        "tandem_vrrp_advertisements_sent",
        "Advertisements sent, of both families",
        counted(picture, |counts| counts.sent),
    )?;
    families.counters(
        "tandem_vrrp_advertisements_received",
        "Advertisements of others that were believed",
        counted(picture, |counts| counts.received),
    )?;
    let unix = |at: Instant| snapshot.unix_time(at).as_secs_f64();
    families.gauges(
        "tandem_vrrp_last_advertisement_timestamp_seconds",
        "When the last advertisement of another was believed",
        picture
            .routers
            .iter()
            .filter_map(|router| Some(([("router", &*router.name)], unix(router.counts.last_received?)))),
    )?;
    let errors = picture.routers.iter().flat_map(|router| {
        let labels = |kind| [("router", &*router.name), ("kind", kind)];
        router.counts.errors.iter().map(move |(kind, count)| (labels(*kind), *count))
    });
    families.counters(
        "tandem_vrrp_errors",
        "Advertisements that were not believed, or that show a difference of configuration, by kind",
        errors,
    )?;
    families.counters(
        "tandem_vrrp_master_conflicts",
        "Advertisements of another Master, heard as Master, that had to give way",
        counted(picture, |counts| counts.master_conflicts),
    )?;
    families.counters(
        "tandem_address_conflicts",
        "Another machine answered for an address that this director holds as Master",
        counted(picture, |counts| counts.address_conflicts),
    )
}

fn peers(families: &mut Families<'_>, snapshot: &Snapshot, picture: &Picture) -> fmt::Result {
    let label = |peer: &'_ crate::vrrp::picture::PeerPicture| [("peer", peer.name.to_string())];
    families.gauges(
        "tandem_peer_up",
        "1 while beats of the other director are heard, else 0",
        picture.peers.iter().map(|peer| (label(peer), u64::from(peer.up))),
    )?;
    families.gauges(
        "tandem_peer_last_seen_timestamp_seconds",
        "When the last beat of the other director was heard",
        picture
            .peers
            .iter()
            .filter_map(|peer| Some((label(peer), snapshot.unix_time(peer.last_heard?).as_secs_f64()))),
    )?;
    families.counters(
        "tandem_peer_errors",
        "Beats of other directors that were not believed, by kind",
        picture.bad_beats.iter().map(|(kind, count)| ([("kind", *kind)], *count)),
    )?;
    let safe = SafeToFailOver::of(picture, snapshot);
    families.gauge(
        "tandem_failover_ready",
        "1 when another director would take the addresses over and serve, else 0; tandem status says why",
        Some(u64::from(safe.yes)),
    )
}

/// The channels to the other directors. What is not known is left out: an absent value is no alarm.
fn channels(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let channels = &snapshot.peers.channels;
    let each = |value: fn(&ChannelView) -> Option<u64>| {
        let label = |channel: &ChannelView| [("peer", channel.name.to_string())];
        channels.iter().filter_map(move |channel| Some((label(channel), value(channel)?)))
    };
    families.gauges(
        "tandem_peer_channel_up",
        "1 while the encrypted channel to the other director stands, else 0; tandem status says why",
        each(|channel| Some(channel.up.into())),
    )?;
    families.gauges(
        "tandem_peer_policy_match",
        "1 while the other director runs the same policy, 0 when it has run another one for ten seconds; absent while unknown",
        each(|channel| channel.policy_match.map(u64::from)),
    )?;
    families.gauges(
        "tandem_peer_table_match",
        "1 while the IPVS tables of both directors' pools are the same, 0 when some have differed for ten seconds: with mh, \
         connections would break in a failover; absent while unknown",
        each(|channel| channel.table_match.map(u64::from)),
    )?;
    families.counters(
        "tandem_peer_channel_errors",
        "Connections between the directors that failed or were refused, by kind",
        snapshot.peers.errors.iter().map(|(kind, count)| ([("kind", *kind)], *count)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Format, metrics::render};
    use crate::peer::PeersView;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn a_channel_is_told_with_what_is_known_of_the_other_end() {
        let channel = ChannelView { up: true, policy_match: Some(false), ..ChannelView::new("lb-b".into()) };
        let peers = Arc::new(PeersView { channels: vec![channel], errors: [("wrong_key", 3)].into() });
        let snapshot = Snapshot { peers, ..Snapshot::starting(Instant::ZERO, Duration::ZERO) };
        let text = render(&Arc::new(snapshot), Format::Text).expect("a string takes everything");
        for line in [
            r#"tandem_peer_channel_up{peer="lb-b"} 1"#,
            r#"tandem_peer_policy_match{peer="lb-b"} 0"#,
            r#"tandem_peer_channel_errors_total{kind="wrong_key"} 3"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in:\n{text}");
        }
        assert!(!text.contains("tandem_peer_table_match"), "what is not known is left out");
    }
}
