//! Becoming Master: silence, preemption, hooks, postponement, two Masters that meet.

use super::*;

#[test]
fn silence_makes_it_master_and_the_addresses_come_before_the_advertisement() {
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    story.until(341);
    assert_eq!(story.says(), [""; 0]);
    story.until(342);
    assert_eq!(story.says(), ["hold 0", "master silence", "advertise 0 150"]);
}

#[test]
fn it_starts_when_its_links_are_there_and_waits_for_them_three_seconds_at_most() {
    let mut story = Story::with(settings(), 150, &[OUTSIDE, INSIDE]);
    story.link(0, OUTSIDE, true);
    story.until(100);
    story.says();
    story.link(100, INSIDE, true);
    assert_eq!(story.unit.deadline(at(100)), Some(at(0)), "at once");
    story.until(100);
    assert_eq!(story.says(), ["backup started"]);
    let mut story = Story::with(settings(), 150, &[OUTSIDE, INSIDE]);
    story.link(0, OUTSIDE, true);
    story.until(2_999);
    assert_eq!(story.unit.role(), Role::Initialize);
    story.until(3_000);
    assert_eq!(story.unit.role(), Role::Backup);
}

#[test]
fn a_preempting_return_says_whom_it_preempts() {
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    (1..=4).for_each(|step| story.hear(step * 100, OUTSIDE, 12, 100));
    assert_eq!(story.says(), ["hold 0", "master preempts", "advertise 0 150"]);
}

#[test]
fn a_takeover_from_silence_is_no_preemption_though_the_dead_master_was_lower() {
    let mut story = Story::new(Settings { preempt: Preempt::Never, ..settings() }, 150, &[OUTSIDE]);
    (1..=9).for_each(|step| story.hear(step * 100, OUTSIDE, 12, 100));
    story.until(1_300);
    assert_eq!(story.says(), ["hold 0", "master silence", "advertise 0 150"]);
}

#[test]
fn the_preempt_delay_counts_from_the_first_lower_advertisement_and_does_not_delay_a_takeover_from_silence() {
    let delayed = || Settings { preempt: Preempt::After(Duration::from_secs(2)), ..settings() };
    let mut story = Story::new(delayed(), 150, &[OUTSIDE]);
    (1..=20).for_each(|step| story.hear(step * 100, OUTSIDE, 12, 100));
    assert_eq!(story.says(), [""; 0]);
    (21..=24).for_each(|step| story.hear(step * 100, OUTSIDE, 12, 100));
    assert_eq!(story.unit.role(), Role::Master);
    let mut story = Story::new(delayed(), 150, &[OUTSIDE]);
    story.hear(100, OUTSIDE, 12, 100);
    story.until(442);
    assert_eq!(story.unit.role(), Role::Master);
}

#[test]
fn a_higher_priority_that_is_heard_starts_the_preempt_delay_anew() {
    let preempt = Preempt::After(Duration::from_secs(1));
    let mut story = Story::new(Settings { preempt, ..settings() }, 150, &[OUTSIDE]);
    (1..=9).for_each(|step| story.hear(step * 100, OUTSIDE, 12, 100));
    story.hear(1_000, OUTSIDE, 13, 160);
    (11..=20).for_each(|step| story.hear(step * 100, OUTSIDE, 12, 100));
    assert_eq!(story.unit.role(), Role::Backup);
}

#[test]
fn without_verdicts_or_state_it_does_not_preempt_and_still_takes_over_from_silence() {
    for (ready, has_state) in [(false, true), (true, false)] {
        let mut story = Story::new(settings(), 150, &[OUTSIDE]);
        story.give(Input::MayPreempt { at: at(0), ready, follows: ready, has_state });
        (1..=20).for_each(|step| story.hear(step * 100, OUTSIDE, 12, 100));
        assert_eq!(story.unit.role(), Role::Backup);
        story.until(2_400);
        assert_eq!(story.unit.role(), Role::Master);
    }
}

#[test]
fn an_unfit_master_is_relieved_after_the_skew_time_without_a_wait_for_state() {
    let mut story = Story::new(Settings { preempt: Preempt::Never, ..settings() }, 150, &[OUTSIDE]);
    story.give(Input::MayPreempt { at: at(0), ready: true, follows: true, has_state: false });
    story.hear(100, OUTSIDE, 12, 200);
    story.hear(200, OUTSIDE, 12, 9);
    story.until(200 + 41);
    assert_eq!(story.unit.role(), Role::Backup);
    story.until(200 + 42);
    assert_eq!(story.says(), ["hold 0", "master master_unfit", "advertise 0 150"]);
}

#[test]
fn a_hook_runs_before_the_addresses_are_taken_until_it_is_done_or_its_time_is_over() {
    let hook = Some(Duration::from_millis(500));
    for (done, took_over) in [(Some(400), 400), (None, 842)] {
        let mut story = Story::new(Settings { hook, ..settings() }, 150, &[OUTSIDE]);
        story.until(342);
        assert_eq!(story.says(), ["hook"]);
        done.into_iter().for_each(|done| story.give(Input::HookDone { at: at(done) }));
        story.until(took_over - 1);
        story.until(took_over);
        assert_eq!(story.unit.role(), Role::Master, "{done:?}");
    }
}

#[test]
fn a_fit_master_on_another_path_postpones_the_takeover_by_ten_intervals() {
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    for step in 1..=14 {
        story.elsewhere(step * 100, "lb-b", true, Reach::Untracked);
    }
    assert_eq!(story.unit.role(), Role::Master, "due at 341, postponed to 1,341");
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    for step in 1..=13 {
        story.elsewhere(step * 100, "lb-b", true, Reach::Untracked);
    }
    assert_eq!(story.unit.role(), Role::Backup);
}

/// Seed 2407: where the other reached the gateway it was never preempted.
#[test]
fn a_master_that_is_heard_is_preempted_and_one_that_resigns_followed_whatever_the_other_path_says() {
    for last in [100, 0] {
        let mut story = Story::new(settings(), 150, &[OUTSIDE]);
        for step in 1..=4 {
            story.elsewhere(step * 100, "lb-b", true, Reach::Reached);
            story.hear(step * 100, OUTSIDE, 12, if step == 2 { last } else { 100 });
        }
        assert_eq!(story.unit.role(), Role::Master, "{last}");
    }
}

#[test]
fn a_resignation_is_believed_though_a_master_is_heard_on_another_path() {
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    story.give(Input::MayPreempt { at: at(0), ready: false, follows: false, has_state: false });
    story.hear(100, OUTSIDE, 12, 200);
    story.elsewhere(190, "lb-b", true, Reach::Reached);
    story.hear(200, OUTSIDE, 12, 0);
    story.until(242);
    assert_eq!(story.says(), ["hold 0", "master master_resigned", "advertise 0 150"]);
}

#[test]
fn of_three_directors_the_word_of_a_backup_does_not_hide_that_of_the_master() {
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    for step in 1..=9 {
        story.elsewhere(step * 100, "lb-b", true, Reach::Untracked);
        story.elsewhere(step * 100 + 1, "lb-c", false, Reach::Untracked);
        assert_eq!(story.unit.role(), Role::Backup);
    }
}

#[test]
fn after_the_postponement_the_side_that_reaches_the_gateway_wins() {
    for (other, own_lost, role) in [
        (Reach::Reached, false, Role::Backup),
        (Reach::Lost, false, Role::Master),
        (Reach::Lost, true, Role::Backup),
    ] {
        let mut story = Story::new(settings(), 150, &[OUTSIDE]);
        let reach = if own_lost { Reach::Lost } else { Reach::Reached };
        story.give(Input::Fitness { at: at(0), fitness: Fitness { reach, ..Fitness::default() } });
        for step in 1..=30 {
            story.until(step * 100);
            story.elsewhere(step * 100, "lb-b", true, other);
        }
        assert_eq!(story.unit.role(), role, "{other:?} {own_lost}");
    }
}

#[test]
fn a_master_without_gateway_gives_way_to_one_with_it_that_only_the_other_path_hears() {
    let mut story = Story::master(&[OUTSIDE]);
    story.unfit(450, Reach::Lost);
    story.says();
    story.elsewhere(460, "lb-b", true, Reach::Reached);
    assert_eq!(story.says(), ["release 0", "backup other_reaches_gateway", "advertise 0 0"]);
}

/// Without a key anybody on the path can say that it is the Master and reaches the gateway.
#[test]
fn an_unsealed_word_postpones_a_takeover_by_ten_intervals_and_does_nothing_else() {
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    for step in 1..=13 {
        story.told_elsewhere(step * 100, "lb-b", true, Reach::Reached, false);
    }
    assert_eq!(story.unit.role(), Role::Backup, "due at 400, when it was looked at, postponed to 1,400");
    story.told_elsewhere(1_400, "lb-b", true, Reach::Reached, false);
    assert_eq!(story.unit.role(), Role::Master);
    let mut story = Story::master(&[OUTSIDE]);
    story.unfit(450, Reach::Lost);
    story.says();
    story.told_elsewhere(460, "lb-b", true, Reach::Reached, false);
    assert_eq!(story.says(), [""; 0], "no Master steps down for it");
    story.give(Input::Release { at: at(470) });
    story.says();
    story.told_elsewhere(480, "lb-b", true, Reach::Reached, false);
    assert_eq!(story.says(), [""; 0], "nobody is known to have taken over");
}

#[test]
fn a_master_without_gateway_stays_where_the_one_that_reaches_it_is_backup() {
    let mut story = Story::master(&[OUTSIDE]);
    story.unfit(450, Reach::Lost);
    story.says();
    story.elsewhere(460, "lb-b", false, Reach::Reached);
    assert_eq!(story.says(), [""; 0], "nobody else would hold the addresses");
}

#[test]
fn two_masters_that_meet_settle_it_by_priority_and_the_neighbours_are_told() {
    let mut story = Story::master(&[OUTSIDE]);
    story.hear(410, OUTSIDE, 12, 100);
    assert_eq!(story.says(), ["advertise 0 150", "contested"]);
    story.hear(420, OUTSIDE, 10, 200);
    assert_eq!(story.says(), ["advertise 0 0", "release 0", "backup higher_priority"]);
}

/// The other was heard first, so it never heard this one.
#[test]
fn one_that_gives_way_says_so_and_the_other_repairs_what_neighbours_learnt_from_it() {
    let mut story = Story::master(&[OUTSIDE]);
    story.hear(410, OUTSIDE, 12, 0);
    assert_eq!(story.says(), ["advertise 0 150", "contested"]);
}

#[test]
fn a_preemption_that_is_no_longer_permitted_is_not_carried_out() {
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    for millis in (50..=250).step_by(100) {
        story.hear(millis, OUTSIDE, 12, 100);
    }
    story.give(Input::MayPreempt { at: at(260), ready: false, follows: false, has_state: true });
    story.until(500);
    assert_eq!(story.unit.role(), Role::Backup);
    story.hear(510, OUTSIDE, 12, 100);
    story.until(800);
    assert_eq!(story.unit.role(), Role::Backup);
    story.until(900);
    assert_eq!(story.unit.role(), Role::Master, "what nobody holds it takes all the same");
}

/// To follow one that has left is no preemption, and needs no permission.
#[test]
fn who_follows_one_that_resigned_is_not_held_up_by_a_permission_that_ends() {
    let mut story = Story::new(settings(), 100, &[OUTSIDE]);
    story.hear(50, OUTSIDE, 12, 100);
    story.hear(150, OUTSIDE, 12, 0);
    story.give(Input::MayPreempt { at: at(160), ready: true, follows: true, has_state: false });
    story.until(215);
    assert_eq!(story.unit.role(), Role::Master, "{:?}", story.said);
}

#[test]
fn a_release_in_the_middle_of_a_preemption_ends_it() {
    let mut story = Story::new(settings(), OWNER, &[OUTSIDE]);
    story.until(100);
    story.unit.give_up(at(100));
    for millis in (150..=350).step_by(100) {
        story.hear(millis, OUTSIDE, 12, 150);
    }
    story.give(Input::Release { at: at(360) });
    story.until(440);
    assert_eq!(story.unit.role(), Role::Backup, "{:?}", story.said);
}

#[test]
fn one_whose_tables_are_cold_follows_an_unfit_master_when_it_is_allowed_to() {
    for follows in [true, false] {
        let mut story = Story::new(settings(), 100, &[OUTSIDE]);
        story.give(Input::MayPreempt { at: at(10), ready: false, follows, has_state: false });
        for millis in (50..=450).step_by(100) {
            story.hear(millis, OUTSIDE, 12, 9);
        }
        assert_eq!(story.unit.role() == Role::Master, follows);
    }
}

/// What `tests/fuzz` found: the time of the hook was over, and the thread that sends advertisements was woken without end.
#[test]
fn the_hook_of_a_preemption_that_came_to_nothing_is_forgotten_and_runs_before_the_next_takeover() {
    let hook = Some(Duration::from_millis(300));
    let mut story = Story::new(Settings { hook, ..settings() }, 150, &[OUTSIDE]);
    story.hear(100, OUTSIDE, 12, 100);
    story.until(450);
    assert_eq!(story.says(), ["hook"]);
    for millis in (500..=1_500).step_by(100) {
        story.until(millis);
        story.hear(millis, OUTSIDE, 12, 200);
    }
    assert_eq!(story.says(), [""; 0], "the other is the better one");
    story.until(2_500);
    assert_eq!(story.says().first().map(String::as_str), Some("hook"));
}

#[test]
fn a_hook_goes_on_while_the_master_that_is_preempted_resigns() {
    let hook = Some(Duration::from_millis(300));
    let mut story = Story::new(Settings { hook, ..settings() }, 150, &[OUTSIDE]);
    story.hear(100, OUTSIDE, 12, 100);
    story.until(450);
    assert_eq!(story.says(), ["hook"]);
    story.hear(450, OUTSIDE, 12, 0);
    story.until(700);
    let said = story.says();
    assert!(
        said.iter().any(|word| word.starts_with("master")) && !said.contains(&"hook".to_owned()),
        "{said:?}"
    );
}
