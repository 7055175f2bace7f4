//! "Safe to fail over: yes or no, because". Pure.
//!
//! It is the answer of this director: whether another one is heard, whether the one of the two that is the standby could take
//! over, and, where there is a channel between them, whether both hold the same. Without a key there is no channel, and what
//! the other one holds is not known.

use crate::director::snapshot::Snapshot;
use crate::model::DirectorName;
use crate::peer::{ChannelView, PeersView};
use crate::time::Instant;
use crate::vrrp::picture::{PeerPicture, Picture, RouterPicture};
use crate::vrrp::role::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whether another director would take over without anybody noticing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SafeToFailOver {
    pub yes: bool,
    /// Why, in a sentence without its full stop.
    pub because: String,
}

impl SafeToFailOver {
    /// As it is when `snapshot` was taken.
    #[must_use]
    pub fn of(picture: &Picture, snapshot: &Snapshot) -> Self {
        let now = snapshot.taken_at;
        let against = obstacle(picture, now).or_else(|| difference(picture, snapshot));
        match against {
            Some(because) => Self { yes: false, because },
            None => Self { yes: true, because: heard(picture, &snapshot.peers, now) },
        }
    }
}

impl SafeToFailOver {
    /// Of a director that takes no part.
    pub(super) fn observing() -> Self {
        let because =
            "this director only observes: it takes no part in the election and would take nothing over";
        Self { yes: false, because: because.to_owned() }
    }
}

/// A Master that was contested so recently may be so now.
const CONTESTED_FOR: Duration = Duration::from_secs(5);

/// The first reason against it.
fn obstacle(picture: &Picture, now: Instant) -> Option<String> {
    if picture.routers.is_empty() {
        return Some("this director has no virtual routers: it holds its addresses alone".to_owned());
    }
    if picture.peers.is_empty() {
        return Some("the policy names no other director".to_owned());
    }
    if !picture.peers.iter().any(|peer| peer.up) {
        let silent: Vec<_> = picture.peers.iter().map(|peer| silence(peer, now)).collect();
        return Some(silent.join("; "));
    }
    let is_master = picture.routers.iter().any(|router| router.role == Role::Master);
    let mut there = picture.peers.iter().filter(|peer| peer.up);
    if is_master && !there.clone().any(|peer| peer.fit) {
        let names: Vec<_> = there.map(|peer| peer.name.to_string()).collect();
        return Some(format!("{} is heard, but says that it is unfit or was released", names.join(", ")));
    }
    let recently = |at: &Instant| *at + CONTESTED_FOR > now;
    if let Some(router) = there.next().and_then(|_| {
        picture.routers.iter().find(|router| router.contested_at.as_ref().is_some_and(recently))
    }) {
        return Some(format!("another Master is heard for {}, which does not give way", router.name));
    }
    picture.routers.iter().find_map(standby_obstacle)
}

/// Why this director could not take a router over that another one holds.
fn standby_obstacle(router: &RouterPicture) -> Option<String> {
    let RouterPicture { name, role, cause, released, .. } = router;
    let because = cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
    match role {
        Role::Master => None,
        Role::Backup if *released => {
            Some(format!("{name} is released here: this director would not take it over"))
        }
        Role::Backup => None,
        Role::Fault => Some(format!("{name} is in Fault here{because}")),
        Role::Initialize => Some(format!("{name} takes no part in the election here{because}")),
    }
}

/// The first thing that both should have, and one has not.
fn difference(picture: &Picture, snapshot: &Snapshot) -> Option<String> {
    let is = |wanted: Role| picture.routers.iter().any(|router| router.role == wanted);
    if let (true, Err(awaited)) = (is(Role::Backup), &snapshot.readiness) {
        return Some(format!("this director is not ready: {awaited}"));
    }
    let there = picture.peers.iter().filter(|peer| peer.up);
    let mut channels = there.filter_map(|peer| snapshot.peers.channel(&peer.name));
    channels.find_map(|channel| unlike(channel, is(Role::Master), is(Role::Backup)))
}

/// What is amiss with a director that is heard.
fn unlike(channel: &ChannelView, is_master: bool, is_backup: bool) -> Option<String> {
    let name = &channel.name;
    let Some(report) = channel.report.as_ref().filter(|_| channel.up) else {
        let fault = channel.fault.as_deref().unwrap_or("nothing was reported yet");
        return Some(format!("what {name} holds is not known, since the channel to it is down: {fault}"));
    };
    let standby = (is_master && !report.ready).then(|| {
        format!("{name} is not ready: {}", report.awaits.as_deref().unwrap_or("it does not say why"))
    });
    let policy = || (channel.policy_match == Some(false)).then(|| format!("{name} runs another policy"));
    let tables = || (channel.table_match == Some(false)).then(|| tables_differ(channel));
    let down_there = || {
        let down = &channel.down_there;
        (is_master && !down.is_empty()).then(|| format!("{name} has no service for {down}, which is up here"))
    };
    let down_here = || {
        let down = &channel.down_here;
        (is_backup && !down.is_empty())
            .then(|| format!("here is no service for {down}, which is up on {name}"))
    };
    standby.or_else(policy).or_else(down_there).or_else(down_here).or_else(tables)
}

fn tables_differ(channel: &ChannelView) -> String {
    let (name, pools) = (&channel.name, &channel.differing);
    match channel.mh_differs {
        true => format!("the mh tables of {pools} are not those of {name}: connections would break"),
        false => format!("the IPVS tables of {pools} are not those of {name}"),
    }
}

fn silence(peer: &PeerPicture, now: Instant) -> String {
    match peer.last_heard {
        Some(heard) => {
            format!("{} was last heard {} ms ago", peer.name, now.saturating_since(heard).as_millis())
        }
        None => format!("{} was never heard", peer.name),
    }
}

fn heard(picture: &Picture, peers: &PeersView, now: Instant) -> String {
    let up = picture.peers.iter().filter(|peer| peer.up);
    let words = |peer: &PeerPicture| {
        let ago = peer.last_heard.map(|heard| now.saturating_since(heard).as_millis()).unwrap_or_default();
        let name: &DirectorName = &peer.name;
        let channel = peers.channel(name);
        let same =
            channel.is_some_and(|channel| [channel.policy_match, channel.table_match] == [Some(true); 2]);
        format!(
            "{name} was heard {ago} ms ago{}",
            if same { ", with the same policy and tables" } else { "" }
        )
    };
    up.map(words).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::{NOW, picture};
    use crate::peer::report::Report;
    use crate::peer::view::Names;
    use crate::vrrp::role::Cause;
    use std::sync::Arc;

    fn judged(change: impl FnOnce(&mut Picture)) -> (bool, String) {
        let mut picture = picture();
        change(&mut picture);
        beside(&picture, Ok(()), PeersView::default())
    }

    fn beside(picture: &Picture, readiness: Result<(), String>, peers: PeersView) -> (bool, String) {
        let peers = Arc::new(peers);
        let snapshot = Snapshot { readiness, peers, ..Snapshot::starting(NOW, Duration::ZERO) };
        let SafeToFailOver { yes, because } = SafeToFailOver::of(picture, &snapshot);
        (yes, because)
    }

    /// Master of one router and Backup of another, with a channel to the other director.
    fn with_channel(change: impl FnOnce(&mut ChannelView)) -> (bool, String) {
        let report = Report { ready: true, ..Report::default() };
        let mut channel = ChannelView {
            up: true,
            report: Some(Arc::new(report)),
            policy_match: Some(true),
            table_match: Some(true),
            ..ChannelView::new("lb-b".into())
        };
        change(&mut channel);
        beside(&picture(), Ok(()), PeersView { channels: vec![channel], ..PeersView::default() })
    }

    #[test]
    fn what_the_other_director_holds_counts() {
        let safe = with_channel(|_| ());
        assert_eq!(safe, (true, "lb-b was heard 40 ms ago, with the same policy and tables".to_owned()));
        let mut web = Names::default();
        web.push("web");
        type Change = fn(&mut ChannelView, Names);
        let cases: [(Change, &str); 6] = [
            (|channel, _| channel.up = false, "what lb-b holds is not known"),
            (|channel, _| channel.report = Some(Arc::default()), "lb-b is not ready"),
            (|channel, _| channel.policy_match = Some(false), "lb-b runs another policy"),
            (|channel, web| channel.down_there = web, "lb-b has no service for web, which is up here"),
            (|channel, web| channel.down_here = web, "here is no service for web, which is up on lb-b"),
            (
                |channel, web| {
                    (channel.table_match, channel.mh_differs, channel.differing) = (Some(false), true, web);
                },
                "the mh tables of web are not those of lb-b",
            ),
        ];
        for (change, words) in cases {
            let (yes, because) = with_channel(|channel| change(channel, web.clone()));
            assert!(!yes && because.starts_with(words), "{words}: {because}");
        }
    }

    #[test]
    fn a_standby_that_is_not_ready_makes_it_unsafe() {
        let starting = beside(&picture(), Err("the first verdicts".to_owned()), PeersView::default());
        assert_eq!(starting, (false, "this director is not ready: the first verdicts".to_owned()));
    }

    #[test]
    fn it_is_safe_while_another_director_is_heard() {
        assert_eq!(judged(|_| {}), (true, "lb-b was heard 40 ms ago".to_owned()));
    }

    #[test]
    fn it_is_not_safe_alone_and_the_reason_says_since_when() {
        assert_eq!(
            judged(|all| all.peers[0].up = false),
            (false, "lb-b was last heard 40 ms ago".to_owned())
        );
        let never = judged(|all| (all.peers[0].up, all.peers[0].last_heard) = (false, None));
        assert_eq!(never, (false, "lb-b was never heard".to_owned()));
        assert!(!judged(|all| all.peers.clear()).0);
        assert!(judged(|all| all.routers.clear()).1.contains("no virtual routers"));
    }

    #[test]
    fn a_standby_that_would_not_take_over_makes_it_unsafe() {
        let unfit = Cause::Unfit { trackers: vec!["interface eth1".into()] };
        let fault = judged(|all| (all.routers[1].role, all.routers[1].cause) = (Role::Fault, Some(unfit)));
        assert_eq!(fault, (false, "inside is in Fault here (bad: interface eth1)".to_owned()));
        assert!(judged(|all| all.routers[1].released = true).1.contains("inside is released here"));
        assert!(!judged(|all| all.routers[1].role = Role::Initialize).0);
    }
}
