//! What is heard that should not be: why it is not believed, or what it shows of a configuration that differs, in words that
//! end with what to do. The kinds are the metrics' labels.

/// Told of advertisements that are believed all the same.
pub const DIFFERENCES: [&str; 4] = ["address_list", "address_owner", "interval_differs", "equal_priority"];

/// The kind in words; `None`: the kind says it all.
#[must_use]
pub fn words(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "address_list" => {
            "its list of addresses is not ours, so a takeover changes what is served: give both directors one policy file"
        }
        "foreign_router" => {
            "it has our VRID and none of our addresses: another virtual router on this network; give one of the two another \
             VRID"
        }
        "address_owner" => {
            "two directors claim to own the addresses (priority 255): write at most 254 for one of them"
        }
        "interval_differs" => {
            "its advertisement interval is not ours, so each takes over after another silence: give both directors one policy file"
        }
        "equal_priority" => {
            "its priority is ours, so the higher address decides: give each director a priority of its own, and trackers room \
             between them"
        }
        "interval_mismatch" => {
            "version 2 demands equal intervals, and its is not ours: write one `advertisement_interval` for all"
        }
        "version_not_accepted" => {
            "it speaks another version of VRRP: write one `version` for all, or `accept_versions: [2, 3]` while you change over"
        }
        "ttl" => {
            "it was routed on its way, or is made up: who sends multicast for this VRID from another network?"
        }
        "unknown_source" => {
            "its source is no director's address: compare `directors` with the addresses of the machines"
        }
        "password" => "its password is another one: write one `v2_password` for all",
        "password_not_expected" => {
            "it has a password, and none is expected: write one `authentication` for all"
        }
        other => return authentication(other),
    })
}

/// Of HMAC, and of what tells of it in beats.
fn authentication(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "missing" => {
            "it is not signed, and `enforce` demands it: bring every director to `permissive` before the first to `enforce`"
        }
        "bad_trailer" => {
            "what stands behind it is no signature: another program or version sends it, or only one of the directors has a key"
        }
        "unknown_key" => {
            "it is signed with a key that is not here: every director needs both keys while they are rotated"
        }
        "bad_mac" => {
            "its signature does not fit: compare the secrets under its key's id, and the name of the router, on both directors; \
             or somebody forges"
        }
        "replayed" => "it came before: a loop in the network, or somebody plays it back",
        "stale_epoch" => {
            "it is of an earlier run than one that was accepted: somebody plays it back; or that director has lost its state \
             directory after its clock had been ahead, which mends itself where every director has the same `peer.key`; where \
             none has, add one, or rotate the keys of `authentication` and give the new one another id"
        }
        "malformed" => {
            "another version of Tandem sends it, or only one of the directors has a `peer.key`: give both one policy file"
        }
        "unknown_director" => {
            "it names a director that is not in this policy: give both directors one policy file"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::authentication::Refusal;

    #[test]
    fn every_refusal_and_every_difference_has_words_that_say_what_to_do() {
        let refusals = Refusal::ALL.into_iter().filter(|refusal| *refusal != Refusal::WrongPassword);
        for kind in refusals.map(Refusal::name).chain(DIFFERENCES) {
            assert!(words(kind).is_some(), "{kind}");
        }
        assert_eq!(words("checksum"), None);
    }
}
