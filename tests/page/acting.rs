//! What a click does, and for whom.

use crate::browser::{ENTER, PHONE};
use crate::{SOON, TOKEN, filled, opened, scene};
use serde_json::json;

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
    browser.press(ENTER);
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
    browser.press(ENTER);
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
