//! The API over TCP written out as YAML.

use super::resolved_pair::secret;
use super::yaml_text::{Yaml, mapping, text};
use crate::model::{ApiSettings, ApiToken, Secret};
use std::path::Path;

/// The section `api`.
pub(super) fn section(api: &ApiSettings) -> Yaml {
    let mut keys = vec![("listen", text(api.listen))];
    keys.extend(api.tls.as_ref().map(|tls| {
        let parts =
            [("certificate", mapping([secret(&tls.certificate)])), ("key", mapping([secret(&tls.key)]))];
        ("tls", mapping(parts))
    }));
    if !api.tokens.is_empty() {
        keys.push(("tokens", Yaml::List(api.tokens.iter().map(token).collect())));
    }
    if !api.allowed_hosts.is_empty() {
        keys.push(("allowed_hosts", Yaml::List(api.allowed_hosts.iter().map(text).collect())));
    }
    mapping(keys)
}

fn token(token: &ApiToken) -> Yaml {
    mapping([
        ("name", text(&token.name)),
        ("scope", text(token.scope.name())),
        ("token", mapping([secret(&token.token)])),
    ])
}

/// Puts the relative paths of the API below a folder.
pub(super) fn below(api: &mut ApiSettings, base: &Path) {
    let places = api.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]);
    for place in places.chain(api.tokens.iter_mut().map(|token| &mut token.token)) {
        if let Secret::File(path) = place {
            *path = base.join(&*path);
        }
    }
}
