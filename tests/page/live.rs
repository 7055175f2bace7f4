//! The page and a director that tells, falls silent, and comes back.

use crate::browser::{DESK, PHONE};
use crate::{SOON, opened, said, scene};
use serde_json::json;
use std::time::{Duration, Instant};

/// Sooner than the next look.
const AT_ONCE: Duration = Duration::from_millis(1000);

#[test]
fn events_come_by_themselves_and_each_is_followed_by_a_look() {
    let (site, browser) = opened(DESK, false, scene::calm());
    browser.until_says("#age", "live");
    let lists = site.asked("/v1/events");
    for id in 50..55 {
        let begun = Instant::now();
        site.happen(scene::event(id, 0, "error", "lb-a", &format!("web{id} is down")));
        browser.until_says("#events-list li:first-child", &format!("web{id} is down"));
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    }
    assert_eq!(site.asked("/v1/events"), lists, "nobody asked for them");
    assert_eq!(browser.run("return document.querySelectorAll('#events-list li').length"), json!(6));
    // The look that follows an event is there before the usual one could be, at least once in several.
    let began = Instant::now();
    let looks = site.asked("/v1/status");
    for id in 55..60 {
        site.happen(scene::event(id, 0, "info", "lb-a", &format!("web{id} is up")));
        std::thread::sleep(Duration::from_millis(900));
    }
    let looked = site.asked("/v1/status") - looks;
    assert!(looked >= 5, "{looked} looks in {:?}", began.elapsed());
}

#[test]
fn without_a_stream_the_page_asks_and_follows_again_when_it_may() {
    let (site, browser) = opened(DESK, false, scene::calm());
    browser.until_says("#age", "live");
    site.end_streams();
    browser.until_says("#age", "every 2 s");
    site.happen(scene::event(70, 0, "warning", "lb-a", "web7 is down"));
    browser.until_says("#events-list li:first-child", "web7 is down");
    assert_eq!(browser.run("return document.querySelector('#stale').hidden"), json!(true));
    site.allow_streams();
    browser.until(
        "the stream",
        Duration::from_secs(30),
        "return document.querySelector('#age').innerText.includes('live')",
    );
}

#[test]
fn a_director_that_stops_is_red_at_once_and_its_return_is_seen() {
    let (site, browser) = opened(DESK, false, scene::incident());
    browser.until_says("#age", "live");
    let begun = Instant::now();
    site.fall_silent();
    browser.until_says("#stale", "lb-a does not answer: what you see is ");
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    browser.until_says("#spoken", "lb-a does not answer");
    assert_eq!(browser.run("return document.querySelector('#age').dataset.level"), json!("bad"));
    assert_eq!(browser.run("return document.title"), json!("? lb-a – Tandem"));
    // The age goes on.
    browser.until_says("#stale", "what you see is 4 s old.");
    for (size, name) in [(DESK, "desk"), (PHONE, "phone")] {
        for dark in [false, true] {
            browser.look_like(size, dark);
            let place = browser.place("#stale").expect("the banner");
            assert!(size.holds(&place), "{place:?}");
            browser.screenshot(&format!("silent-{name}-{}", if dark { "dark" } else { "light" }));
        }
    }
    site.speak();
    browser.until("the banner's end", SOON, "return document.querySelector('#stale').hidden");
    said(&site, &browser, scene::calm(), "#verdict", "yes");
    browser.until_says("#age", "live");
}
