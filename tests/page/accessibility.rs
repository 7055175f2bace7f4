//! By keyboard, for a screen reader, enlarged, in both schemes, without motion, and with a great many servers.

use crate::browser::{Browser, DESK, ENTER, ESCAPE, PHONE, Size, TAB};
use crate::{SOON, TOKEN, filled, opened, opened_to_act, said, scene};
use serde_json::json;
use std::time::Duration;

/// Whether what has the focus shows that it has; the document itself is no stop.
const IS_SEEN: &str = "const e = document.activeElement; if (e === document.body) return true; \
    const s = getComputedStyle(e); return s.outlineStyle === 'solid' && parseFloat(s.outlineWidth) >= 2";
/// A reader of the site's, whose page answers within this time, was not held up.
const AT_ONCE_MS: u64 = 500;

/// A desk at 200 % has half the pixels, and a phone at 200 % is wider than 320 of them only when it lies.
#[test]
fn nothing_is_wider_than_the_screen_however_it_is_enlarged() {
    let (_site, browser) = opened(Size { width: 320, height: 640 }, false, scene::incident());
    filled(&browser);
    for width in [320, 390, 720, 768, 1024, 1440] {
        browser.look_like(Size { width, height: 800 }, false);
        let wide = browser.run("return document.documentElement.scrollWidth");
        assert!(wide.as_u64() <= Some(width), "{wide} at {width}");
    }
}

#[test]
fn everything_is_reached_by_keyboard_and_focus_stays_while_the_page_lives() {
    let (_site, browser) = opened_to_act(DESK, scene::incident());
    filled(&browser);
    let mut names = Vec::new();
    for _ in 0..40 {
        browser.press(TAB);
        assert_eq!(browser.run(IS_SEEN), json!(true), "{names:?}");
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
    browser.press(ENTER);
    browser.until(
        "the way to hand over",
        SOON,
        "return !!document.querySelector('[data-router=outside] [data-action=release]')",
    );
    browser.run("document.querySelector('[data-pool=web] summary').focus()");
    browser.press(ENTER);
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
fn escape_closes_what_asks_and_the_focus_is_back_where_it_was() {
    let (site, browser) = opened_to_act(DESK, scene::incident());
    filled(&browser);
    browser.run("document.querySelector(\"[data-override='7'] [data-action=clear]\").focus()");
    browser.press(ENTER);
    browser.until("the question", SOON, "return document.querySelector('#act-dialog').open");
    for _ in 0..8 {
        browser.press(TAB);
        assert_eq!(browser.run(IS_SEEN), json!(true));
        let inside =
            "return document.activeElement === document.body || !!document.activeElement.closest('dialog')";
        assert_eq!(browser.run(inside), json!(true), "what lies behind a question is out of reach");
    }
    browser.press(ESCAPE);
    browser.until("its end", SOON, "return !document.querySelector('#act-dialog').open");
    let back = "return document.activeElement.dataset.override === '7' && document.activeElement.dataset.action === 'clear'";
    assert_eq!(browser.run(back), json!(true));
    assert_eq!(site.asked("/v1/clear"), 0, "nothing was done");
}

/// Who has no token closes the question once, and is left alone with it.
#[test]
fn a_question_for_a_token_that_was_closed_stays_closed() {
    let (site, browser) = opened(DESK, false, scene::calm());
    site.demand(TOKEN);
    browser.until("the question", SOON, "return document.querySelector('#token-dialog').open");
    browser.press(ESCAPE);
    let looks = site.asked("/v1/status");
    browser.until_says("#stale", "lb-a wants a token");
    browser.wait_for("further looks", SOON, || site.asked("/v1/status") > looks + 1);
    assert_eq!(browser.run("return document.querySelector('#token-dialog').open"), json!(false));
}

#[test]
fn nothing_moves_and_nothing_blinks() {
    let (_site, browser) = opened(DESK, false, scene::incident());
    filled(&browser);
    assert_eq!(browser.run("return document.getAnimations().length"), json!(0));
    let moving = "return [...document.querySelectorAll('*')].filter((e) => { const s = getComputedStyle(e); \
        return s.transitionDuration !== '0s' || s.animationName !== 'none'; }).length";
    assert_eq!(browser.run(moving), json!(0));
}

#[test]
fn fifty_pools_of_forty_servers_hold_nobody_up() {
    let (site, browser) = opened_to_act(DESK, scene::large());
    browser.run(
        "window.longest = 0; let before = performance.now(); (function frame(now) { \
         window.longest = Math.max(window.longest, now - before); before = now; requestAnimationFrame(frame); })(before)",
    );
    let looks = site.asked("/v1/status");
    browser.wait_for("three more looks", SOON, || site.asked("/v1/status") > looks + 2);
    let folded = browser.run("return Math.round(window.longest)");
    // The worst that a reader can do: open every pool.
    browser.run("document.querySelectorAll('.fold').forEach((one) => { one.open = true; })");
    browser.until("every pool", SOON, "return document.querySelectorAll('[data-pool]').length === 50");
    browser.run("document.querySelectorAll('[data-pool] details').forEach((one) => { one.open = true; })");
    browser.until("every server", SOON, "return document.querySelectorAll('.servers li').length === 2000");
    browser.run("window.longest = 0");
    let looks = site.asked("/v1/status");
    browser.wait_for("three more looks", SOON, || site.asked("/v1/status") > looks + 2);
    let open = browser.run("return Math.round(window.longest)");
    println!("the longest frame: {folded} ms folded, {open} ms with two thousand servers");
    assert!(
        folded.as_u64() < Some(AT_ONCE_MS) && open.as_u64() < Some(3 * AT_ONCE_MS),
        "{folded} ms, {open} ms"
    );
}

/// Every rule, in both schemes and both sizes.
#[track_caller]
fn has_no_violation(browser: &Browser, what: &str) {
    for (size, dark) in [(DESK, false), (DESK, true), (PHONE, false), (PHONE, true)] {
        browser.look_like(size, dark);
        browser.axe(&format!("{what}, {} wide, dark: {dark}", size.width));
    }
}

fn open_all(browser: &Browser) {
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
    browser.until("the servers", SOON, "return document.querySelectorAll('.servers li').length > 10");
}

#[test]
fn axe_finds_no_violation_in_an_incident() {
    let (_site, browser) = opened_to_act(DESK, scene::incident());
    filled(&browser);
    open_all(&browser);
    // Sparklines begin with the third look.
    browser.until("sparklines", 2 * SOON, "return document.querySelectorAll('.servers .spark').length > 10");
    has_no_violation(&browser, "incident");
}

#[test]
fn axe_finds_no_violation_in_any_other_state() {
    let (site, browser) = opened(DESK, false, scene::incident());
    for (name, scene, selector, words) in [
        ("calm", scene::calm(), "#verdict", "yes"),
        ("survivor", scene::survivor(), "#verdict", "lb-b was last heard"),
        ("nobody", scene::nobody(), "#addresses", "held by nobody"),
        ("without events", scene::bare(), "#addresses", "no virtual address"),
        ("lone", scene::lone(), "#addresses", "eth9"),
        ("old", scene::old(), "#stale", "stands still"),
    ] {
        said(&site, &browser, scene, selector, words);
        has_no_violation(&browser, name);
    }
    site.tell(scene::incident());
    browser.until_says("#addresses", "held by 2");
    site.fall_silent();
    browser.until_says("#stale", "does not answer");
    has_no_violation(&browser, "silent");
}

#[test]
fn axe_finds_no_violation_before_the_first_answer() {
    let site = crate::site::Site::serve(scene::calm());
    let browser = Browser::start();
    browser.open(&site.address());
    site.demand(TOKEN);
    browser.open(&site.address());
    browser.until("the question", SOON, "return document.querySelector('#token-dialog').open");
    has_no_violation(&browser, "the question for a token");
    browser.press(ESCAPE);
    browser.until_says("#stale", "The director wants a token.");
    has_no_violation(&browser, "nothing is known");
}
