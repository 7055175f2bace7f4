//! What operators order over the API, and the servers that it is about.

use super::{EPOCH, NOW, picture, served};
use crate::advert::thread::Published;
use crate::control::{
    Action, Answer, ClearBody, OverrideBody, OverrideList, RefusalCode, ReleaseRecord, Request, ServerQuery,
};
use crate::director::snapshot::Snapshot;
use crate::time::Instant;
use std::sync::Arc;

#[tokio::test]
async fn servers_are_found_by_pool_and_by_each_of_their_names() {
    let served = served();
    let asked = async |pool: Option<&str>, server: Option<&str>| {
        let query = ServerQuery { pool: pool.map(Into::into), server: server.map(Into::into) };
        served.client.servers(&query).await.expect("an answer").servers.len()
    };
    assert_eq!(asked(None, None).await, 2);
    assert_eq!(asked(Some("web"), Some("192.0.2.10:80")).await, 2);
    assert_eq!(asked(Some("web"), Some("we\u{e9} &b")).await, 0);
    assert_eq!(asked(Some("nowhere"), None).await, 0);
    let wrong = served.raw("GET /v1/servers?color=red HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(wrong.starts_with("HTTP/1.1 400 ") && wrong.contains("bad_request"), "{wrong}");
}

#[test]
fn releases_stand_among_what_is_in_force() {
    let mut picture = picture();
    picture.routers[1].released = true;
    picture.routers[1].released_until = Some(Instant::from_millis(90_000));
    let pair = Some(Arc::new(Published { picture, ..Published::default() }));
    let list = OverrideList::of(&Snapshot { pair, ..Snapshot::starting(NOW, EPOCH) });
    let until_unix_ms = Some(1_700_000_090_000);
    assert_eq!(list.releases, [ReleaseRecord { router: "inside".to_owned(), until_unix_ms }]);
    assert_eq!(list.overrides, []);
}

#[tokio::test]
async fn an_order_comes_with_the_name_of_who_gives_it() {
    let mut served = served();
    let client = served.client.clone();
    let body = r#"{"kind": "drain", "server": "web1", "for_ms": 60000, "reason": "new disk"}"#;
    let body: OverrideBody = serde_json::from_str(body).expect("a body");
    let play = async {
        let Request { action, by, answer, .. } = served.control.requests.recv().await.expect("a request");
        answer.send(Ok(Answer::of_policy(1, "done".to_owned(), Vec::new()))).expect("the server waits");
        (action.to_string(), by)
    };
    let (answer, (action, by)) = tokio::join!(client.order(&body), play);
    assert_eq!(answer.expect("done").message, "done");
    assert_eq!(action, "drain of */web1 for 1m");
    let own = nix::unistd::User::from_uid(nix::unistd::Uid::current()).ok().flatten();
    assert_eq!(by, own.expect("a name").name);
}

#[test]
fn what_is_to_be_cleared_is_one_thing() {
    let asked = |text: &str| {
        let body: ClearBody = serde_json::from_str(text).expect("a body");
        Action::try_from(body).map(|action| action.to_string()).map_err(|refused| refused.code)
    };
    for (body, action) in [
        ("{}", "clear every router"),
        (r#"{"router": "outside"}"#, "clear outside"),
        (r#"{"override": "*/web1"}"#, "clear */web1"),
        (r#"{"server": "web1"}"#, "clear web1"),
        (r#"{"server": "web1", "pool": "web"}"#, "clear web/web1"),
        (r#"{"pool": "web"}"#, "clear pool web"),
        (r#"{"overrides": true}"#, "clear every override"),
    ] {
        assert_eq!(asked(body), Ok(action.to_owned()));
    }
    for body in [
        r#"{"router": "a", "pool": "web"}"#,
        r#"{"override": "a", "server": "b"}"#,
        r#"{"pool": "a", "overrides": true}"#,
    ] {
        assert_eq!(asked(body), Err(RefusalCode::BadRequest), "{body}");
    }
}
