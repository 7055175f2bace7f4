//! The status page in a real browser: what the first ten seconds of an incident need is on the screen without scrolling, on a
//! phone and on a desk; by keyboard; for a screen reader (axe); in light and dark; never as markup; live, and red at once when the
//! director has gone. Most of it beside a site that tells made-up scenes ([`scene`]); [`director`] is the page of a real pair. Start
//! it with `tests/lab/run page`: it needs Debian's `chromium` and `chromium-driver`, and axe-core of the npm registry; the real
//! directors need root and network namespaces, but no IPVS. Screenshots are written into the lab's folder `out`. Plain `cargo
//! test` leaves it out.

#![allow(
    clippy::disallowed_methods,
    reason = "the browser lives in real time: its page is polled with deadlines"
)]
#![allow(clippy::print_stdout, reason = "libtest shows what a failed case prints")]
#![allow(dead_code, reason = "world is a library for cases")]

mod accessibility;
mod acting;
mod browser;
#[path = "../monitoring/director.rs"]
mod director;
mod incident;
mod live;
#[path = "../monitoring/memory.rs"]
mod memory;
mod real;
mod scene;
mod site;
#[path = "../lab/world/mod.rs"]
mod world;

use browser::{Browser, Size};
use serde_json::Value;
use site::Site;
use std::time::Duration;

/// The page looks every two seconds.
const SOON: Duration = Duration::from_secs(8);
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn opened(size: Size, dark: bool, scene: Value) -> (Site, Browser) {
    let site = Site::serve(scene);
    let browser = Browser::start();
    browser.look_like(size, dark);
    browser.open(&site.address());
    browser.until("the page is filled", SOON, "return !!document.querySelector('#verdict-card')");
    (site, browser)
}

/// The same with a token that may act.
fn opened_to_act(size: Size, scene: Value) -> (Site, Browser) {
    let (site, browser) = opened(size, false, scene);
    site.allow(TOKEN);
    browser.run(&format!("sessionStorage.setItem('tandem-token', '{TOKEN}')"));
    browser.open(&site.address());
    browser.until("what it may", SOON, "return document.querySelector('#who').innerText === 'May act'");
    (site, browser)
}

/// Everything of a failing scene is there.
fn filled(browser: &Browser) {
    browser.until("the failing rack", SOON, "return !!document.querySelector('[data-rack]')");
    browser.until("the events", SOON, "return !!document.querySelector('#events-list li')");
}

/// Tells another scene, and waits for words of it in a part of the page.
#[track_caller]
fn said(site: &Site, browser: &Browser, scene: Value, selector: &str, words: &str) {
    site.tell(scene);
    browser.until_says(selector, words);
}
