use super::*;
use nix::sys::eventfd::EventFd;
use std::os::fd::AsFd;

#[test]
fn a_wait_ends_at_its_deadline_and_not_before() {
    let (clock, quiet) = (Clock::start(), EventFd::new().expect("a descriptor"));
    let deadline = clock.now() + Duration::from_micros(2_500);
    let ready = wait(clock, &[quiet.as_fd()], Some(deadline)).expect("a wait");
    assert!(ready.is_empty() && clock.now() >= deadline);
    let past = wait(clock, &[quiet.as_fd()], Some(Instant::ZERO)).expect("a wait");
    assert!(past.is_empty());
}

#[test]
fn a_wait_says_which_descriptors_are_readable() {
    let (clock, quiet, loud) = (Clock::start(), EventFd::new().expect("one"), EventFd::new().expect("two"));
    loud.write(1).expect("room");
    let ready = wait(clock, &[quiet.as_fd(), loud.as_fd()], None).expect("a wait");
    assert!(!ready.has(0) && ready.has(1) && !ready.has(2) && !ready.has(99));
}

#[test]
fn two_copies_of_a_clock_and_one_made_of_its_start_tell_the_same_time() {
    let clock = Clock::start();
    let same = Clock::since(clock.start);
    let (first, second, third) = (clock.now(), same.now(), clock.now());
    assert!(first <= second && second <= third);
}

#[test]
fn real_time_priority_is_had_or_the_warning_says_what_to_do() {
    let warnings = std::thread::spawn(|| prefer_this_thread(ADVERT_PRIORITY)).join().expect("the thread");
    let advised = |warning: &String| warning.contains("give the service") || warning.contains("rounded");
    assert!(warnings.iter().all(advised), "{warnings:?}");
    let refused = std::thread::spawn(|| prefer_this_thread(200)).join().expect("the thread");
    assert!(refused.iter().any(|warning| warning.contains("no real-time priority 200")), "{refused:?}");
}

#[test]
fn a_capability_is_read_from_the_effective_set() {
    let status = "Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t0000000000004000\n";
    assert!(has_capability(status, CAP_IPC_LOCK));
    assert!(!has_capability(status, 13));
    assert!(!has_capability("CapEff:\tnonsense\n", CAP_IPC_LOCK) && !has_capability("", CAP_IPC_LOCK));
}

#[test]
fn a_suspension_is_told_once_and_the_noise_of_two_clocks_never() {
    let mut suspension = Suspension { known: Duration::from_secs(5) };
    assert_eq!(suspension.grown(Duration::from_secs(5)), None);
    assert_eq!(suspension.grown(Duration::from_micros(5_000_900)), None, "noise");
    assert_eq!(suspension.grown(Duration::from_micros(4_990_000)), None, "a preempted reading");
    assert_eq!(suspension.grown(Duration::from_secs(65)), Some(Duration::from_secs(60)));
    assert_eq!(suspension.grown(Duration::from_secs(65)), None);
    assert_eq!(Suspension::watch().since_last(), None, "this test is not suspended");
}

#[test]
fn suspension_only_grows_but_for_the_reading_itself() {
    let before = suspended();
    assert!(suspended() + Duration::from_millis(50) >= before);
}
