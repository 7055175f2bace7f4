//! "Safe to fail over: yes or no, because". Pure.
//!
//! The answer is this director's alone: it knows that the other one is heard, and whether itself could take over. What the
//! other one holds (its tables, its policy) comes with the channel between the directors.

use crate::model::DirectorName;
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
    /// As it is at `now`.
    #[must_use]
    pub fn of(picture: &Picture, now: Instant) -> Self {
        match obstacle(picture, now) {
            Some(because) => Self { yes: false, because },
            None => Self { yes: true, because: heard(picture, now) },
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

fn silence(peer: &PeerPicture, now: Instant) -> String {
    match peer.last_heard {
        Some(heard) => {
            format!("{} was last heard {} ms ago", peer.name, now.saturating_since(heard).as_millis())
        }
        None => format!("{} was never heard", peer.name),
    }
}

fn heard(picture: &Picture, now: Instant) -> String {
    let up = picture.peers.iter().filter(|peer| peer.up);
    let words = |peer: &PeerPicture| {
        let ago = peer.last_heard.map(|heard| now.saturating_since(heard).as_millis()).unwrap_or_default();
        let name: &DirectorName = &peer.name;
        format!("{name} was heard {ago} ms ago")
    };
    up.map(words).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::{NOW, picture};
    use crate::vrrp::role::Cause;

    fn judged(change: impl FnOnce(&mut Picture)) -> (bool, String) {
        let mut picture = picture();
        change(&mut picture);
        let SafeToFailOver { yes, because } = SafeToFailOver::of(&picture, NOW);
        (yes, because)
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
