//! The status page: three files that hold no data, and ask the API for it. No framework, no build, nothing from outside.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};

/// A file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    pub content_type: &'static str,
    pub text: &'static str,
}

/// The page's file at a path of the API.
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    let (content_type, text) = match path {
        "/" => ("text/html; charset=utf-8", include_str!("page/index.html")),
        "/page.css" => ("text/css; charset=utf-8", include_str!("page/page.css")),
        "/page.js" => ("text/javascript; charset=utf-8", include_str!("page/page.js")),
        "/icon.svg" => ("image/svg+xml", include_str!("page/icon.svg")),
        _ => return None,
    };
    Some(Asset { content_type, text })
}

pub(super) fn response(asset: &Asset) -> Response {
    ([(header::CONTENT_TYPE, asset.content_type)], asset.text).into_response()
}
