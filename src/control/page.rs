//! The status page: files that hold no data, and ask the API for it. No framework, no build, nothing from outside. The script's
//! parts are modules of the browser, one file a topic; `page.js` brings them together.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};

/// A file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    pub content_type: &'static str,
    pub text: &'static str,
}

macro_rules! files {
    ($($name:literal),* $(,)?) => { [$((concat!("/", $name), include_str!(concat!("page/", $name)))),*] };
}

const INDEX: &str = "/index.html";

/// Every file by its path.
pub(super) const FILES: [(&str, &str); 19] = files![
    "index.html",
    "page.css",
    "icon.svg",
    "page.js",
    "act.js",
    "addresses.js",
    "ask.js",
    "document.js",
    "events.js",
    "failover.js",
    "holders.js",
    "live.js",
    "overrides.js",
    "pools.js",
    "racks.js",
    "servers.js",
    "sparks.js",
    "state.js",
    "words.js",
];

/// The page's file at a path of the API.
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    let wanted = if path == "/" { INDEX } else { path };
    let (name, text) = *FILES.iter().find(|(name, _)| *name == wanted)?;
    let content_type = match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    Some(Asset { content_type, text })
}

pub(super) fn response(asset: &Asset) -> Response {
    ([(header::CONTENT_TYPE, asset.content_type)], asset.text).into_response()
}
