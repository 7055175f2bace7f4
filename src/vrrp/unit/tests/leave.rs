//! Leaving Master: asked to, beaten, unfit, or because it stood still; and the addresses that an earlier run has left.

use super::*;

#[test]
fn a_released_master_offers_the_addresses_and_lets_go_when_another_is_heard() {
    let mut story = Story::master(&[OUTSIDE]);
    story.give(Input::Release { at: at(410) });
    assert_eq!(story.says(), ["advertise 0 0", "backup released"]);
    story.hear(450, OUTSIDE, 12, 100);
    assert_eq!(story.says(), ["release 0"]);
    story.unit.released_by_keeper(RouterId(0));
    (5..=50).for_each(|step| story.hear(step * 100, OUTSIDE, 12, 100));
    assert_eq!(story.says(), [""; 0], "it does not preempt");
}

#[test]
fn a_released_master_goes_on_at_priority_1_where_nobody_takes_over() {
    let mut story = Story::master(&[OUTSIDE]);
    story.give(Input::Release { at: at(410) });
    story.says();
    story.until(410 + 399);
    assert_eq!(story.says(), [""; 0]);
    story.until(410 + 400);
    assert_eq!(story.says(), ["hold 0", "master nobody_took_over", "advertise 0 1"]);
}

#[test]
fn what_was_offered_is_let_go_when_the_new_master_is_heard_on_another_path_only() {
    let mut story = Story::master(&[OUTSIDE]);
    story.give(Input::Release { at: at(410) });
    story.says();
    story.elsewhere(500, "lb-b", true, Reach::Untracked);
    assert_eq!(story.says(), ["release 0"]);
}

#[test]
fn the_word_of_a_backup_on_another_path_takes_nothing_and_no_word_takes_from_a_master() {
    let mut story = Story::master(&[OUTSIDE]);
    story.elsewhere(410, "lb-b", true, Reach::Untracked);
    assert_eq!(story.says(), [""; 0], "it is Master itself");
    story.give(Input::Release { at: at(420) });
    story.says();
    story.elsewhere(430, "lb-b", false, Reach::Untracked);
    assert_eq!(story.says(), [""; 0], "the other has not taken over");
}

#[test]
fn a_stopping_master_has_stopped_when_the_keeper_has_let_go_or_nobody_is_there() {
    let mut story = Story::master(&[OUTSIDE]);
    story.give(Input::Stop { at: at(410) });
    story.hear(450, OUTSIDE, 12, 100);
    assert!(!story.unit.has_stopped(at(450)));
    story.unit.released_by_keeper(RouterId(0));
    assert!(story.unit.has_stopped(at(451)) && !story.unit.leaves_addresses());
    let mut story = Story::master(&[OUTSIDE]);
    story.give(Input::Stop { at: at(410) });
    assert!(!story.unit.has_stopped(at(809)));
    assert!(story.unit.has_stopped(at(810)) && story.unit.leaves_addresses());
}

#[test]
fn a_stopping_master_waits_for_the_hook_of_the_one_that_takes_over() {
    let hook = Some(Duration::from_secs(2));
    let mut story = Story::new(Settings { hook, ..settings() }, 150, &[OUTSIDE]);
    story.until(342);
    story.give(Input::HookDone { at: at(400) });
    story.give(Input::Stop { at: at(410) });
    assert!(!story.unit.has_stopped(at(2_809)) && story.unit.has_stopped(at(2_810)));
}

#[test]
fn a_stopping_backup_says_nothing_and_drops_what_it_may_have() {
    let mut story = Story::new(settings(), 90, &[OUTSIDE]);
    story.hear(100, OUTSIDE, 12, 100);
    story.says();
    story.give(Input::Stop { at: at(150) });
    assert_eq!(story.says(), ["drop 0", "initialize stopped"]);
    assert!(story.unit.has_stopped(at(150)));
}

#[test]
fn a_master_that_becomes_unfit_says_so_at_once_and_goes_on() {
    let mut story = Story::master(&[OUTSIDE]);
    story.unfit(410, Reach::Lost);
    assert_eq!(story.says(), ["advertise 0 9"]);
    assert_eq!(story.unit.role(), Role::Master);
}

#[test]
fn beside_other_vendors_routers_an_unfit_master_resigns_and_goes_on_where_nobody_takes_over() {
    let mut story = Story::new(Settings { tandem_peers: false, ..settings() }, 150, &[OUTSIDE]);
    story.until(400);
    story.says();
    story.unfit(410, Reach::Lost);
    assert_eq!(story.says(), ["advertise 0 0", "backup unfit"]);
    story.until(900);
    assert_eq!(story.says(), ["hold 0", "master nobody_took_over", "advertise 0 9"]);
}

#[test]
fn where_nobody_unfit_holds_the_addresses_a_fault_hands_them_over() {
    let release = || Settings { both_unfit: BothUnfit::Release, ..settings() };
    let mut story = Story::new(release(), 150, &[OUTSIDE]);
    story.until(400);
    story.says();
    story.unfit(410, Reach::Lost);
    assert_eq!(story.says(), ["advertise 0 0", "release 0", "fault unfit"]);
    // Those that were offered by a release a moment ago, too.
    let mut story = Story::new(release(), 150, &[OUTSIDE]);
    story.until(400);
    story.give(Input::Release { at: at(405) });
    story.says();
    story.unfit(410, Reach::Lost);
    assert_eq!(story.says(), ["release 0", "fault unfit"]);
}

#[test]
fn whatever_comes_first_after_a_standstill_shows_it() {
    let first: [fn(Instant) -> Input; 4] = [
        |at| Input::Timeout { at },
        |at| Input::Advertisement { at, session: OUTSIDE, heard: heard(12, 100) },
        |at| Input::Clear { at },
        |at| Input::MayPreempt { at, ready: true, follows: true, has_state: true },
    ];
    for input in first {
        let mut story = Story::master(&[OUTSIDE]);
        story.give(input(at(1_000)));
        assert_eq!(story.says(), ["drop 0", "backup stalled"], "{:?}", input(at(1_000)));
    }
}

#[test]
fn a_suspension_that_the_clock_does_not_show_is_a_standstill_as_long_as_it_was() {
    for (slept, role) in [(341, Role::Master), (343, Role::Backup), (60_000, Role::Backup)] {
        let mut story = Story::master(&[OUTSIDE]);
        // Its last advertisement is of 341 ms, and the other director waits 361 ms.
        story.give(Input::Slept { at: at(360), slept: Duration::from_millis(slept) });
        assert_eq!(story.unit.role(), role, "{slept}");
    }
}

#[test]
fn a_backup_that_was_suspended_gives_the_master_a_whole_down_interval_again() {
    let mut story = Story::new(settings(), 90, &[OUTSIDE]);
    story.hear(100, OUTSIDE, 12, 100);
    story.give(Input::Slept { at: at(400), slept: Duration::from_secs(60) });
    story.until(760);
    assert_eq!(story.unit.role(), Role::Backup);
    story.until(770);
    assert_eq!(story.unit.role(), Role::Master);
}

#[test]
fn a_standstill_shorter_than_the_others_wait_is_none() {
    // Its last advertisement is of 341 ms, and the other director (priority 100) waits 361 ms.
    for (millis, role) in [(701, Role::Master), (702, Role::Master), (703, Role::Backup)] {
        let mut story = Story::master(&[OUTSIDE]);
        story.time(millis);
        assert_eq!(story.unit.role(), role, "{millis}");
    }
}

#[test]
fn advertisements_of_another_master_that_have_queued_show_a_standstill_that_the_clock_does_not() {
    let lower = (OUTSIDE, heard(12, 100));
    // The Master that has taken over goes on advertising, a moment to an interval after the queue.
    for again in [440, 500, 510] {
        let mut story = Story::master(&[OUTSIDE]);
        story.hear_together(410, &[lower, lower, lower]);
        assert_eq!(story.says(), [""; 0], "it does not fight");
        story.until(again - 1);
        story.hear(again, OUTSIDE, 12, 100);
        assert_eq!(story.says(), ["drop 0", "backup stalled"], "{again}");
    }
    let mut story = Story::master(&[OUTSIDE]);
    story.hear_together(410, &[lower, lower]);
    assert_eq!(story.says(), ["advertise 0 150", "contested", "advertise 0 150", "contested"]);
}

/// A switch that holds packets back, or anybody who sends three at once, made a healthy Master give up.
#[test]
fn a_burst_of_advertisements_that_nobody_goes_on_with_is_no_sign_of_a_standstill() {
    let lower = (OUTSIDE, heard(12, 100));
    let mut story = Story::master(&[OUTSIDE]);
    story.hear_together(410, &[lower, lower, lower]);
    // The rest of the burst.
    story.hear_together(411, &[lower, lower]);
    story.until(559);
    assert_eq!(story.says(), [""; 0]);
    story.until(560);
    assert_eq!(story.says(), ["contested", "advertise 0 150"], "well before the others' 361 ms are over");
    // A second burst is answered as any lower Master is: it cannot silence this one for good.
    story.hear_together(600, &[lower, lower, lower]);
    assert_eq!(story.says().iter().filter(|said| *said == "advertise 0 150").count(), 3);
    assert_eq!(story.unit.role(), Role::Master);
}

#[test]
fn who_suspects_itself_still_follows_a_better_master_and_answers_one_that_resigns() {
    let lower = (OUTSIDE, heard(12, 100));
    let mut story = Story::master(&[OUTSIDE]);
    story.hear_together(410, &[lower, lower, lower]);
    story.hear(412, OUTSIDE, 12, 0);
    assert_eq!(story.says(), ["advertise 0 150", "contested"]);
    story.hear(420, OUTSIDE, 10, 200);
    assert_eq!(story.says(), ["advertise 0 0", "release 0", "backup higher_priority"]);
}

#[test]
fn what_an_earlier_run_has_left_is_kept_until_another_master_is_heard_also_before_its_own_start() {
    for start_delay in [Duration::ZERO, Duration::from_secs(30)] {
        let mut story = Story::with(Settings { start_delay, ..settings() }, 150, &[OUTSIDE]);
        story.link(0, OUTSIDE, true);
        story.time(0);
        assert_eq!(story.says()[0], "release 0");
        story.hear(100, OUTSIDE, 12, 200);
        assert_eq!(story.says(), ["release 0"], "{start_delay:?}");
    }
}

/// Seed 10: they were dropped a millisecond before the new Master had them.
#[test]
fn what_an_earlier_run_has_left_is_kept_for_a_master_that_has_only_just_taken_over() {
    let mut story = Story::with(settings(), 90, &[OUTSIDE]);
    story.link(0, OUTSIDE, true);
    story.time(0);
    story.says();
    story.hear(200, OUTSIDE, 12, 200);
    assert_eq!(story.says(), ["release 0"]);
    story.hear(300, OUTSIDE, 12, 200);
    assert_eq!(story.says(), [""; 0]);
}

#[test]
fn a_released_owner_follows_and_returns_when_the_release_is_lifted() {
    let mut story = Story::new(settings(), OWNER, &[OUTSIDE]);
    assert_eq!(story.unit.role(), Role::Master);
    story.give(Input::Release { at: at(10) });
    story.hear(50, OUTSIDE, 12, 100);
    assert_eq!(story.says(), ["advertise 0 0", "backup released", "release 0"]);
    story.give(Input::Clear { at: at(100) });
    (1..=4).for_each(|step| story.hear(100 + step * 100, OUTSIDE, 12, 100));
    assert_eq!(story.says(), ["hold 0", "master owner", "advertise 0 255"]);
}
