//! The other directors as their beats tell of them.

use super::*;
use crate::hash::fnv1a;
use crate::vrrp::fitness::Reach;

const EVERY: Duration = Duration::from_millis(100);
const MOMENT: Duration = Duration::from_micros(1);

fn peers() -> Peers {
    Peers::new("a".into(), 7, ["b", "c"].map(Into::into).into_iter())
}

fn beat(director: &str, epoch: u64, sequence: u64) -> Beat {
    let director = director.into();
    Beat { director, epoch, sequence, interval: EVERY, said: Said::default(), units: Vec::new(), stale: None }
}

fn unit(name: &str, role: Role, is_fit: bool) -> UnitBeat {
    UnitBeat { name: fnv1a(name.bytes()), role, is_fit, reach: Reach::Reached, priority: 100 }
}

#[test]
fn a_director_is_up_while_no_more_than_three_beats_are_missing() {
    let mut peers = peers();
    let up = |peers: &Peers, now| peers.up(now).map(|(_, up)| up).collect::<Vec<_>>();
    assert_eq!((up(&peers, at(0)), peers.any_up(at(0))), (vec![false, false], false));
    assert!(peers.heard(&beat("c", 1, 1), at(100)));
    assert_eq!((up(&peers, at(100)), peers.any_up(at(100))), (vec![false, true], true));
    assert_eq!(peers.fresh_for(), EVERY * 4);
    assert!(peers.any_up(at(100) + EVERY * 4 - MOMENT) && !peers.any_up(at(100) + EVERY * 4));
    let heard: Vec<_> = peers.heard_at().map(|(name, heard)| (&**name, heard)).collect();
    assert_eq!(heard, [("b", None), ("c", Some(at(100)))]);
    assert!(!peers.is_empty() && Peers::new("a".into(), 7, std::iter::empty()).is_empty());
}

#[test]
fn an_interval_that_nobody_would_configure_is_not_believed() {
    let mut peers = peers();
    peers.heard(&Beat { interval: Duration::from_secs(3_600), ..beat("b", 1, 1) }, at(0));
    assert_eq!(peers.fresh_for(), Duration::from_secs(40));
}

#[test]
fn a_beat_of_a_stranger_and_one_older_than_the_last_are_not_taken_until_that_is_stale() {
    let mut peers = peers();
    assert!(!peers.heard(&beat("d", 1, 1), at(0)), "no director of this policy");
    assert!(peers.heard(&beat("b", 2, 5), at(0)));
    assert!(peers.heard(&beat("b", 2, 5), at(1)), "the same on another path");
    assert!(!peers.heard(&beat("b", 2, 4), at(2)));
    assert!(!peers.heard(&beat("b", 1, 9), at(2)), "of an earlier run");
    assert!(peers.heard(&beat("b", 3, 1), at(3)), "of a later run");
    let stale = at(3) + EVERY * 4;
    assert!(!peers.heard(&beat("b", 1, 1), stale - MOMENT));
    assert!(peers.heard(&beat("b", 1, 1), stale), "anybody could have said the higher number");
}

#[test]
fn a_director_could_be_master_of_what_it_says_it_is_fit_for() {
    let mut peers = peers();
    let units = vec![unit("outside", Role::Backup, true), unit("inside", Role::Backup, false)];
    peers.heard(&Beat { units, ..beat("b", 1, 1) }, at(0));
    let fit = |names: &[&str]| peers.fit(names).collect::<Vec<_>>();
    assert_eq!(fit(&["outside"]), [true, false], "c said nothing");
    assert_eq!(fit(&["outside", "inside"]), [false, false]);
    assert_eq!(fit(&["elsewhere"]), [false, false], "a unit that it does not have");
    assert_eq!(fit(&[]), [true, true]);
}

#[test]
fn what_is_said_of_a_unit_is_of_that_unit_and_master_where_its_role_is() {
    let outside = unit("outside", Role::Master, true);
    assert!(outside.is_of("outside") && !outside.is_of("inside"));
    for (role, is_master) in [(Role::Master, true), (Role::Backup, false), (Role::Fault, false)] {
        let elsewhere = unit("outside", role, false).elsewhere("b".into(), true, at(9));
        let expected = Elsewhere {
            director: "b".into(),
            is_master,
            is_fit: false,
            reach: Reach::Reached,
            sealed: true,
            until: at(9),
        };
        assert_eq!(elsewhere, expected);
    }
}

#[test]
fn each_beat_has_the_next_number_of_its_run() {
    let mut peers = peers();
    let numbers = [1, 2, 3].map(|_| {
        let beat = peers.next_beat(EVERY, Said::default(), Vec::new());
        (beat.epoch, beat.sequence)
    });
    assert_eq!(numbers, [(7, 1), (7, 2), (7, 3)]);
}
