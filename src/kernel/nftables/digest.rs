//! A digest of nft's listing: equal digests mean equal rules. Pure.
//!
//! Handles, counters and the program's own version are left out; elements have no order, so they are sorted. The hash guards
//! against accidents, not against an adversary: who can write the table owns the host.

use serde_json::Value;

/// FNV-1a, 128 bits wide (draft-eastlake-fnv).
const FNV_OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// The digest of a listing, as 32 hexadecimal digits.
pub(in crate::kernel) fn digest_of(listing: &Value) -> String {
    let step = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME);
    format!("{:032x}", canonical(listing).bytes().fold(FNV_OFFSET_BASIS, step))
}

/// What differs between listings of the same rules.
fn is_incidental(key: &str) -> bool {
    matches!(key, "handle" | "metainfo" | "counter" | "index")
}

/// One text for all listings of the same rules.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut parts: Vec<String> = object
                .iter()
                .filter(|(key, _)| !is_incidental(key))
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical_part(key, value)))
                .collect();
            parts.sort_unstable();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// The value of a key: elements of maps and sets are sorted.
fn canonical_part(key: &str, value: &Value) -> String {
    match value {
        Value::Array(items) if matches!(key, "elem" | "set") => {
            let mut elements: Vec<String> = items.iter().map(canonical).collect();
            elements.sort_unstable();
            format!("[{}]", elements.join(","))
        }
        other => canonical(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn handles_versions_and_the_order_of_elements_make_no_difference() {
        let one = json!({"nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {"set": {"name": "a", "handle": 4, "elem": [1, {"concat": ["x", 2]}]}},
        ]});
        let same = json!({"nftables": [
            {"metainfo": {"version": "1.1.0"}},
            {"set": {"elem": [{"concat": ["x", 2]}, 1], "handle": 9, "name": "a"}},
        ]});
        assert_eq!(digest_of(&one), digest_of(&same));
    }

    #[test]
    fn every_real_change_makes_another_digest() {
        let rule = |chain: &str, expression: Value| {
            digest_of(&json!({"nftables": [{"rule": {"chain": chain, "expr": [expression]}}]}))
        };
        let digests = [
            rule("a", json!({"accept": null})),
            rule("b", json!({"accept": null})),
            rule("a", json!({"drop": null})),
            rule("a", json!({"concat": ["x", 2]})),
            rule("a", json!({"concat": [2, "x"]})),
            digest_of(&json!({"nftables": []})),
        ];
        let different: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(different.len(), digests.len());
        assert_eq!(digests[0].len(), 32);
    }
}
