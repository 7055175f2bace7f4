//! What is seen, of which scene.

use crate::browser::{DESK, PHONE};
use crate::{SOON, filled, opened, said, scene};
use serde_json::json;

/// How many things are red.
const BAD: &str = "return document.querySelectorAll('[data-level=bad]').length";

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

#[test]
fn an_incident_is_seen_without_scrolling_in_light_and_dark() {
    let (_site, browser) = opened(PHONE, false, scene::incident());
    filled(&browser);
    for (size, name) in [(PHONE, "phone"), (DESK, "desk")] {
        for dark in [false, true] {
            browser.look_like(size, dark);
            browser.until("the layout", SOON, &format!("return innerWidth === {}", size.width));
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
    let (site, browser) = opened(DESK, false, scene::calm());
    browser.until_says("#verdict", "Safe to fail over: yes");
    browser.until_says("[data-router=outside]", "held by lb-a");
    browser.until_says("[data-router=outside]", "lb-b agrees");
    assert_eq!(browser.run(BAD), json!(0));
    browser.screenshot("calm-desk-light");
    browser.look_like(PHONE, true);
    browser.screenshot("calm-phone-dark");
    said(&site, &browser, scene::survivor(), "#verdict", "lb-b was last heard");
    said(&site, &browser, scene::survivor(), "[data-router=outside]", "not heard for");
    browser.screenshot("survivor-phone-dark");
    said(&site, &browser, scene::nobody(), "[data-router=outside]", "held by nobody");
    assert_eq!(
        browser.run("return document.querySelector('[data-router=outside]').dataset.level"),
        json!("bad")
    );
    browser.screenshot("nobody-phone-dark");
    said(&site, &browser, scene::incident(), "[data-router=inside]", "held by 2: lb-a and lb-b");
    said(&site, &browser, scene::bare(), "#addresses-list", "no virtual address");
    said(
        &site,
        &browser,
        scene::old(),
        "#stale",
        "The event loop of lb-a stands still: what you see is 1 min old.",
    );
}

#[test]
fn a_handover_is_no_conflict() {
    let (site, browser) = opened(DESK, false, scene::nobody());
    said(&site, &browser, scene::handed_over(), "[data-router=outside]", "held by lb-a");
    assert_eq!(browser.run(BAD), json!(0));
}

#[test]
fn addresses_that_a_director_holds_alone_are_there_or_red() {
    let (_site, browser) = opened(DESK, false, scene::lone());
    browser.until_says("[data-interface=eth0]", "held by this director");
    browser.until_says("[data-interface=eth0]", "2 of 2 really there");
    browser.until_says("[data-interface=eth9]", "held by nobody");
    browser.until_says(
        "[data-interface=eth9]",
        "missing for 2 min: address 10.20.0.1/24: there is no interface eth9",
    );
    assert_eq!(
        browser.run("return [...document.querySelectorAll('[data-interface]')].map((row) => row.dataset.interface + ' ' + row.dataset.level)"),
        json!(["eth9 bad", "eth0 good"])
    );
    browser.screenshot("lone-desk-light");
    browser.look_like(PHONE, true);
    browser.screenshot("lone-phone-dark");
}

#[test]
fn names_are_never_markup() {
    let (_site, browser) = opened(DESK, false, scene::hostile());
    filled(&browser);
    assert_eq!(
        browser.run("return document.querySelectorAll('main img, main script, main b').length"),
        json!(0)
    );
    assert_eq!(browser.run("return window.harmed === undefined"), json!(true));
    let seen = browser.run("return document.body.innerText.split('<img src=x onerror=').length - 1");
    assert!(seen.as_u64() > Some(3), "{seen}");
}
