//! How advertisements prove where they come from: `authentication`, `auth_hmac`.

use super::context::Context;
use super::keywords::Place;
use super::tree::Statement;
use super::value::{bad, number, or_bad};
use crate::import::site::Authentication;
use crate::import::verdict::{near, none, same};

/// The simple password; `None` where it is no password.
pub(super) fn password(statement: &Statement, context: &mut Context<'_>) -> Option<Authentication> {
    let is_header = |inner: &Statement| inner.name() == "auth_type" && inner.word(1) == Some("AH");
    if statement.inside().iter().any(is_header) {
        let how = "there is no IPsec AH, so nothing is authenticated: keys of HMAC-SHA256 prove more";
        statement.inside().iter().for_each(|inner| context.note(inner, none(how)));
        return None;
    }
    context.block(Place::Password, statement.inside(), |_, _| None);
    Some(Authentication::Password)
}

/// keepalived does not heed a password with version 3.
pub(super) fn without_password(statement: &Statement, context: &mut Context<'_>) {
    let of = statement.inside().iter().filter(|inner| inner.name() == "authentication");
    for at in of.flat_map(|inner| [vec![inner.at], inner.origins()].concat()) {
        let mut judged = same();
        judged.how = "left out, as keepalived does: version 3 has no password".to_owned();
        context.ledger.replace(at, judged);
    }
}

/// Keys of HMAC: the active one first.
pub(super) fn hmac(statement: &Statement, context: &mut Context<'_>) -> Option<Authentication> {
    let mut keys: Vec<(u8, Option<String>)> = Vec::new();
    let mut active: Option<u8> = None;
    let mut mode = "enforce";
    context.block(Place::Hmac, statement.inside(), |_, inner| {
        match inner.name() {
            "key" => {
                let Some(id) = number::<u8>(inner, 1).filter(|id| *id > 0) else {
                    return Some(none("a key has a number from 1 to 255"));
                };
                let file = inner.word(2).and_then(|key| key.strip_prefix("file:")).map(str::to_owned);
                if file.as_deref() == Some("") {
                    return bad(inner);
                }
                let in_place = file.is_none();
                keys.retain(|(other, _)| *other != id);
                keys.push((id, file));
                return in_place
                    .then(|| near("a policy holds no secret: write the key into the file that it names"));
            }
            "active_key" => active = Some(or_bad!(number(inner, 1), inner)),
            "mode" => {
                mode = match inner.word(1) {
                    Some("receive-only") => "receive",
                    Some("permissive") => "permissive",
                    _ => "enforce",
                }
            }
            _ => {}
        }
        None
    });
    keys.sort_by_key(|(id, _)| (Some(*id) != active, *id));
    (!keys.is_empty()).then_some(Authentication::Keys(mode, keys))
}
