//! The status page in a real browser: what the first ten seconds of an incident need is on the screen without scrolling, on a
//! phone and on a desk; by keyboard; for a screen reader (axe); in light and dark; and never as markup. Start it with
//! `tests/lab/run page`: it needs Debian's `chromium` and `chromium-driver`, and axe-core of the npm registry. Screenshots are
//! written into the lab's folder `out`. Plain `cargo test` leaves it out.

#![allow(
    clippy::disallowed_methods,
    reason = "the browser lives in real time: its page is polled with deadlines"
)]

mod browser;
mod scene;
mod site;

use browser::{Browser, DESK, PHONE, Size};
use serde_json::{Value, json};
use site::Site;
use std::time::Duration;

/// The page asks every two seconds.
const SOON: Duration = Duration::from_secs(8);
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// What must be seen first in the incident scene.
const MUST_BE_SEEN: [&str; 12] = [
    "#age",
    "#verdict-card",
    "#addresses-list [data-router=outside]",
    "#addresses-list [data-router=inside]",
    "#pools-list [data-rack]",
    "#pools-list [data-pool=shop]",
    "#pools-list [data-pool=web]",
    "#pools-list [data-fold=pools-good]",
    "#overrides-list [data-override='7']",
    "#events-list li:nth-child(1)",
    "#events-list li:nth-child(2)",
    "#events-list li:nth-child(3)",
];

fn opened(size: Size, dark: bool, scene: Value) -> (Site, Browser) {
    let site = Site::serve(scene);
    let browser = Browser::start();
    browser.look_like(size, dark);
    browser.open(&site.address());
    browser.until("the page is filled", SOON, "return !!document.querySelector('#verdict-card')");
    (site, browser)
}

/// The servers of failing pools come with a second question.
fn filled(browser: &Browser) {
    browser.until("the failing rack", SOON, "return !!document.querySelector('[data-rack]')");
    browser.until("the events", SOON, "return !!document.querySelector('#events-list li')");
}

#[test]
fn an_incident_is_seen_without_scrolling_in_light_and_dark() {
    let (_site, browser) = opened(PHONE, false, scene::incident());
    filled(&browser);
    for (size, name) in [(PHONE, "phone"), (DESK, "desk")] {
        for dark in [false, true] {
            browser.look_like(size, dark);
            browser.until("the layout", SOON, &format!("return innerWidth === {}", size.width));
            std::thread::sleep(Duration::from_millis(2500));
            browser.screenshot(&format!("incident-{name}-{}", if dark { "dark" } else { "light" }));
            for selector in MUST_BE_SEEN {
                let place = browser.place(selector).unwrap_or_else(|| panic!("{name}: no {selector}"));
                assert!(size.holds(&place), "{name}: {selector} is at {place:?}");
            }
            assert_eq!(browser.run("return scrollY"), json!(0));
        }
    }
}

#[test]
fn other_scenes_are_told_as_they_are() {
    let text = |browser: &Browser, selector: &str| {
        browser
            .run(&format!("return document.querySelector({selector:?}).innerText"))
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let (site, browser) = opened(DESK, false, scene::calm());
    assert!(text(&browser, "#verdict").contains("Safe to fail over: yes"));
    assert!(text(&browser, "[data-router=outside]").contains("held by lb-a"));
    assert!(text(&browser, "[data-router=outside]").contains("lb-b agrees"));
    assert_eq!(browser.run("return document.querySelectorAll('[data-level=bad]').length"), json!(0));
    browser.screenshot("calm-desk-light");
    browser.look_like(PHONE, true);
    browser.screenshot("calm-phone-dark");
    let said = |site: &Site, scene: Value, selector: &str, words: &str| {
        site.tell(scene);
        let script = format!("return document.querySelector({selector:?}).innerText.includes({words:?})");
        browser.until(words, SOON, &script);
    };
    said(&site, scene::survivor(), "#verdict", "lb-b was last heard");
    said(&site, scene::survivor(), "[data-router=outside]", "not heard for");
    browser.screenshot("survivor-phone-dark");
    said(&site, scene::nobody(), "[data-router=outside]", "held by nobody");
    assert_eq!(
        browser.run("return document.querySelector('[data-router=outside]').dataset.level"),
        json!("bad")
    );
    said(&site, scene::incident(), "[data-router=inside]", "held by 2: lb-a and lb-b");
    said(&site, scene::old(), "#age", "OLD");
    site.fall_silent();
    browser.until(
        "silence is told",
        Duration::from_secs(20),
        "return document.querySelector('#age').innerText.includes('no answer')",
    );
}

#[test]
fn nothing_is_wider_than_a_small_phone() {
    let (_site, browser) = opened(Size { width: 320, height: 640 }, false, scene::incident());
    filled(&browser);
    for width in [320, 390, 768, 1024, 1440] {
        browser.look_like(Size { width, height: 800 }, false);
        let wide = browser.run("return document.documentElement.scrollWidth");
        assert!(wide.as_u64() <= Some(width), "{wide} at {width}");
    }
}

#[test]
fn everything_is_reached_by_keyboard_and_focus_stays_while_the_page_lives() {
    let (site, browser) = opened(DESK, false, scene::incident());
    site.allow(TOKEN);
    browser.run(&format!("sessionStorage.setItem('tandem-token', '{TOKEN}')"));
    browser.open(&site.address());
    filled(&browser);
    browser.until("what it may", SOON, "return document.querySelector('#who').innerText === 'May act'");
    let mut names = Vec::new();
    for _ in 0..40 {
        browser.press("\u{e004}");
        let name = browser.run(
            "const e = document.activeElement; return (e.getAttribute('aria-label') || e.innerText || e.id).replace(/\\s+/g, ' ')",
        );
        names.push(name.as_str().unwrap_or_default().to_owned());
    }
    for wanted in [
        "Skip to the status",
        "May act",
        "inside held by 2",
        "outside held by lb-a",
        "shop",
        "web",
        "14 healthy pools",
        "Clear the override of web3, all pools",
        "Events, the newest first",
    ] {
        assert!(names.iter().any(|name| name.contains(wanted)), "{wanted} is not among {names:?}");
    }
    browser.run("document.querySelector('[data-router=outside] summary').focus()");
    browser.press("\u{e007}");
    browser.until(
        "the way to hand over",
        SOON,
        "return !!document.querySelector('[data-router=outside] [data-action=release]')",
    );
    browser.run("document.querySelector('[data-pool=web] summary').focus()");
    browser.press("\u{e007}");
    browser.until(
        "its servers",
        SOON,
        "return document.querySelectorAll('[data-pool=web] .servers li').length > 10",
    );
    std::thread::sleep(Duration::from_secs(5));
    let stays =
        browser.run("return document.activeElement === document.querySelector('[data-pool=web] summary')");
    assert_eq!(stays, json!(true), "two rounds later the focus is where it was");
    browser.screenshot("servers-desk-light");
}

#[test]
fn a_server_is_drained_by_click_with_the_token_and_not_without() {
    let (site, browser) = opened(PHONE, false, scene::incident());
    filled(&browser);
    assert_eq!(
        browser.run("return document.querySelectorAll('[data-action=drain], [data-action=clear]').length"),
        json!(0)
    );
    site.demand(TOKEN);
    browser.until("the question for a token", SOON, "return document.querySelector('#token-dialog').open");
    browser.screenshot("token-phone-light");
    browser.axe("the question for a token");
    browser.run("document.querySelector('#token-input').focus()");
    browser.write(TOKEN);
    browser.press("\u{e007}");
    browser.until("what it may", SOON, "return document.querySelector('#who').innerText === 'May act'");
    browser.run("document.querySelector('[data-pool=web] summary').click()");
    browser.until(
        "its servers",
        SOON,
        "return !!document.querySelector('[data-pool=web] [data-action=drain]')",
    );
    browser.run("document.querySelector('[data-pool=web] [data-action=drain]').click()");
    browser.run("document.querySelector('#act-reason').focus()");
    browser.write("new disks");
    browser.screenshot("drain-phone-light");
    browser.axe("the question before a drain");
    browser.press("\u{e007}");
    browser.until("the end of the question", SOON, "return !document.querySelector('#act-dialog').open");
    let (path, authorization, body) = site.acted();
    assert_eq!((path.as_str(), authorization), ("/v1/override", format!("Bearer {TOKEN}")));
    assert_eq!(body["kind"], "drain");
    assert_eq!(
        (&body["pool"], &body["for_ms"], &body["reason"]),
        (&json!("web"), &json!(3_600_000), &json!("new disks"))
    );
    assert_eq!(browser.run("return document.cookie"), json!(""));
    browser.run("document.querySelector(\"[data-override='7'] [data-action=clear]\").click()");
    browser.run("document.querySelector('#act-do').click()");
    browser.until("the end of the question", SOON, "return !document.querySelector('#act-dialog').open");
    assert_eq!(site.acted().2, json!({"override": "7"}));
}

#[test]
fn names_are_never_markup() {
    let (_site, browser) = opened(DESK, false, scene::hostile());
    filled(&browser);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(
        browser.run("return document.querySelectorAll('main img, main script, main b').length"),
        json!(0)
    );
    assert_eq!(browser.run("return window.harmed === undefined"), json!(true));
    let seen = browser.run("return document.body.innerText.split('<img src=x onerror=').length - 1");
    assert!(seen.as_u64() > Some(3), "{seen}");
}

#[test]
fn axe_finds_no_violation() {
    let (site, browser) = opened(DESK, false, scene::incident());
    filled(&browser);
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
    std::thread::sleep(Duration::from_secs(4));
    for (size, dark) in [(DESK, false), (DESK, true), (PHONE, false), (PHONE, true)] {
        browser.look_like(size, dark);
        browser.axe(&format!("incident, {} wide, dark: {dark}", size.width));
    }
    for (name, scene) in
        [("calm", scene::calm()), ("survivor", scene::survivor()), ("without events", scene::bare())]
    {
        site.tell(scene);
        std::thread::sleep(Duration::from_secs(4));
        browser.look_like(PHONE, false);
        browser.axe(name);
        browser.look_like(DESK, true);
        browser.axe(name);
    }
}
