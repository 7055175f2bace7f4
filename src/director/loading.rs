//! Where a policy comes from: the seam between the director and whoever reads files. A policy is kept as its text, so that it
//! can come back when its files have changed.

use crate::hash::fnv1a;
use crate::model::Policy;
use crate::policy::Fingerprint;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// A file of a policy, as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFile {
    pub path: PathBuf,
    pub text: Arc<str>,
}

/// The files of a policy, the one that was asked for first. Secrets are no part of it: a policy names where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyText {
    pub files: Vec<TextFile>,
}

impl PolicyText {
    /// A number that stands for it: to see whether two processes mean the same policy.
    #[must_use]
    pub fn number(&self) -> u64 {
        let files = self.files.iter().flat_map(|file| {
            let path = file.path.as_os_str().as_encoded_bytes();
            path.iter().chain(&[0]).chain(file.text.as_bytes()).chain(&[0]).copied()
        });
        fnv1a(files)
    }
}

/// A policy that is good.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub policy: Policy,
    pub text: PolicyText,
    /// Its warnings, as they are shown to people.
    pub warnings: Vec<String>,
}

/// Reads policies; called on threads that may block.
pub trait PolicyLoader: std::fmt::Debug + Send + Sync {
    /// The policy as its files are now.
    ///
    /// # Errors
    /// Every problem, as it is shown to people.
    fn read_files(&self) -> Result<Candidate, String>;

    /// A policy that was kept.
    ///
    /// # Errors
    /// Every problem: a newer program may refuse what an older one took.
    fn read_text(&self, text: &PolicyText) -> Result<Candidate, String>;

    /// Whether a file of this policy reads otherwise now, or cannot be read. What a pattern of `include` matches beside them is
    /// not looked at.
    fn differs(&self, text: &PolicyText) -> bool;

    /// What tells this policy from others, the same on every director that runs it; `None` where that is unknown. It takes as
    /// long as reading the policy once for each director.
    fn fingerprint(&self, _text: &PolicyText) -> Option<Fingerprint> {
        None
    }
}
