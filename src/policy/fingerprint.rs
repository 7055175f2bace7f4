//! A policy as a short text, equal on all directors that run the same one: it is what the policy means for each of its directors,
//! one after the other, so that it does not matter which of them computes it.
//!
//! Two versions of the program may mean another thing by the same files (a default that changed, a key that is new): there
//! is a fingerprint of the files, too, for a pair that is being brought up to date. Comments and layout change only that one.

use super::load::load_each;
use super::resolved::resolved;
use super::source::{Files, Sources};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Bytes of a fingerprint; twice as many digits.
const LENGTH: usize = 16;

/// Both fingerprints of a policy, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Of what it means.
    pub meaning: String,
    /// Of its files.
    pub files: String,
}

/// The fingerprint of a policy; `None` where it is none. Its paths are part of it: hand in such that are the same on every director.
#[must_use]
pub fn fingerprint(path: &Path, files: &dyn Files) -> Option<Fingerprint> {
    let (views, sources) = load_each(path, files);
    let mut meaning = Sha256::new();
    for loaded in &views {
        meaning.update(resolved(loaded.policy.as_ref()?, Path::new("")));
        meaning.update([0]);
    }
    Some(Fingerprint { meaning: digits(meaning), files: digits(of_files(&sources)) })
}

fn of_files(sources: &Sources) -> Sha256 {
    let mut hash = Sha256::new();
    for file in sources.files() {
        hash.update(file.path.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(file.text.as_bytes());
        hash.update([0]);
    }
    hash
}

fn digits(hash: Sha256) -> String {
    hash.finalize().iter().take(LENGTH).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::OneFile;

    const POLICY: &str = "\
policy_version: 1
directors:
  lb-a: {address: 192.0.2.11, metrics: {listen: 127.0.0.1:9752}}
  lb-b: {address: 192.0.2.12}
peer: {key: {file: peer.key}}
virtual_routers: {outside: {interface: eth0, vrid: 51, prefer: [lb-a, lb-b], virtual_addresses: [192.0.2.1/24]}}
pools: {web: {virtual_services: [tcp://192.0.2.1:80], forwarding: nat, check: none, real_servers: [192.0.2.10:80]}}
";

    fn of(text: &str) -> Fingerprint {
        fingerprint(Path::new("tandem.yaml"), &OneFile(text.to_owned())).expect("a good policy")
    }

    #[test]
    fn comments_and_what_goes_without_saying_do_not_change_what_it_means() {
        let same = format!("# a comment\n{POLICY}on_stop: keep\n");
        assert_eq!(of(&same).meaning, of(POLICY).meaning);
        assert_ne!(of(&same).files, of(POLICY).files);
    }

    #[test]
    fn what_changes_for_any_director_changes_it() {
        for (from, to) in [(":80]}}", ":81]}}"), ("9752", "9753"), ("vrid: 51", "vrid: 52")] {
            assert_ne!(of(&POLICY.replacen(from, to, 1)).meaning, of(POLICY).meaning, "{to}");
        }
    }

    #[test]
    fn a_policy_that_is_none_has_none() {
        assert_eq!(fingerprint(Path::new("tandem.yaml"), &OneFile("pools: {}\n".to_owned())), None);
    }
}
