//! Files that are read again: where nothing but pools changed, only these are read.
//!
//! A policy of which most pools are left out is read as any other, and its pools take their places among those that are known.
//! That is the policy that a whole reading would give, for these reasons:
//!
//! - What the files say beside pools is the same to the byte, and is read with them. The same files are read: includes are
//!   followed, patterns looked up.
//! - Where a pool begins and ends in a text is certain ([`layout`], [`edit`]), so that it means the same beside any others. No
//!   pool hangs on another one by an anchor, an alias or a merged mapping: such files are read whole.
//! - A pool that another part of the policy looks at is always read too ([`binding`]): one that is tracked or tracks, one that an
//!   event or a router names, one with local addresses, which float with a router.
//! - What only all pools together can tell is asked of the result ([`validate::holds_together`]).
//! - The known policy gave nothing to complain or to warn of, and neither does the part. With the least of it all is read, so
//!   that everything is said, in its place.

mod binding;
mod edit;
mod layout;
mod part;

use self::edit::Edit;
use self::layout::Layout;
use self::part::{Part, Reading};
use super::load::{Loaded, Text};
use super::source::{Files, Sources};
use super::validate;
use super::view::View;
use super::yaml::MAX_NODES;
use crate::model::{DirectorName, Policy, PoolName, Pools};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is known of the files that were read last.
#[derive(Clone, Debug, Default)]
pub struct Known {
    last: Option<Last>,
    /// Those of the policy that was read last, whatever there was to say of it: what is equal is shared.
    pools: Pools,
}

/// A policy without a problem and without a warning.
#[derive(Clone, Debug)]
struct Last {
    path: PathBuf,
    /// For whom it was read, in a form that is kept.
    view: String,
    director: Option<DirectorName>,
    /// In the order in which they were read.
    files: Vec<KnownFile>,
    /// Pools that are always read.
    bound: BTreeSet<PoolName>,
    /// Pools that no layout has: they are always read too.
    elsewhere: BTreeSet<PoolName>,
    policy: Policy,
}

/// A file that was read.
#[derive(Clone, Debug)]
struct KnownFile {
    path: PathBuf,
    text: Arc<str>,
    /// `None`: it is read whole, and with any change of it everything is.
    layout: Option<Layout>,
    /// Values in it, at most.
    values: usize,
}

/// Files that were read again, of which only pools are different.
#[derive(Debug)]
pub struct Again {
    /// What was read: the policy with no other pools than those that are new or always read.
    pub part: Loaded,
    next: Last,
}

impl Known {
    /// Reads files again; `None` where more may be different than pools, or there is something to say of them. What is known
    /// stays as it is.
    #[must_use]
    pub fn again(&self, path: &Path, files: &dyn Files, view: View<'_>) -> Option<Again> {
        let last = self.last.as_ref().filter(|last| last.path == path && last.view == format!("{view:?}"))?;
        let reading = Reading::new(files, last);
        let part = super::load::load(path, &reading, view);
        let Part { files, gone, new } = reading.ended(last)?;
        let read = part.policy.as_ref().filter(|_| part.diagnostics.is_empty())?;
        let policy = last.with(read, &gone, &new)?;
        let mut bound = last.bound.clone();
        bound.extend(binding::of_pools(read.pools.values()));
        (part.director == last.director).then_some(())?;
        let next = Last {
            path: last.path.clone(),
            view: last.view.clone(),
            director: last.director.clone(),
            files,
            bound,
            elsewhere: last.elsewhere.clone(),
            policy,
        };
        Some(Again { part, next })
    }

    /// Takes what was read again for what is known.
    pub fn take(&mut self, again: Again) -> Loaded {
        let mut sources = Sources::default();
        for file in &again.next.files {
            sources.add(file.path.clone(), file.text.clone());
        }
        let policy = again.next.policy.clone();
        self.pools = policy.pools.clone();
        self.last = Some(again.next);
        Loaded { policy: Some(policy), sources, ..again.part }
    }

    /// Reads files whole, and knows them from then on where there is nothing to say of them. Pools that are as they were are
    /// shared with what was known.
    pub fn load(&mut self, path: &Path, files: &dyn Files, view: View<'_>) -> Loaded {
        let text = Text::read(path, files);
        let mut loaded = text.interpret(view);
        if let Some(policy) = &mut loaded.policy {
            policy.pools.share_with(&self.pools);
            self.pools = policy.pools.clone();
        }
        let last = Last::of(path, view, &text, &loaded);
        self.last = last.or(self.last.take());
        Loaded { sources: text.sources, ..loaded }
    }

    /// The one or the other.
    pub fn read(&mut self, path: &Path, files: &dyn Files, view: View<'_>) -> Loaded {
        match self.again(path, files, view) {
            Some(again) => self.take(again),
            None => self.load(path, files, view),
        }
    }

    /// Has everything be read the next time.
    pub fn forget(&mut self) {
        self.last = None;
    }
}

impl Last {
    fn of(path: &Path, view: View<'_>, text: &Text, loaded: &Loaded) -> Option<Self> {
        let policy = loaded.policy.clone().filter(|_| loaded.diagnostics.is_empty())?;
        let sources = text.sources.files();
        if sources.len() != text.documents.len() {
            return None;
        }
        let files = sources.iter().zip(&text.documents).map(|(file, document)| KnownFile {
            path: file.path.clone(),
            text: file.text.clone(),
            layout: Layout::of(document, &file.text),
            values: document.values,
        });
        let files: Vec<KnownFile> = files.collect();
        let items = files.iter().filter_map(|file| file.layout.as_ref()).flat_map(|layout| &layout.items);
        let placed: BTreeSet<&PoolName> = items.map(|item| &item.name).collect();
        let elsewhere = policy.pools.keys().filter(|name| !placed.contains(name)).cloned().collect();
        let (path, view, director) = (path.to_owned(), format!("{view:?}"), loaded.director.clone());
        let bound = binding::of_policy(&policy);
        Some(Self { path, view, director, files, bound, elsewhere, policy })
    }

    /// The policy with the pools that were `read`, and without those that are `gone`; `None` where that is not certainly what
    /// a whole reading would give.
    fn with(&self, read: &Policy, gone: &BTreeSet<PoolName>, new: &BTreeSet<PoolName>) -> Option<Policy> {
        let mut policy = self.policy.clone();
        gone.iter().for_each(|name| policy.pools.remove(name));
        // One of the same name stands elsewhere.
        if new.iter().any(|name| policy.pools.contains_key(name)) {
            return None;
        }
        let always = self.bound.union(&self.elsewhere).filter(|name| policy.pools.contains_key(name));
        let expected: BTreeSet<&PoolName> = new.iter().chain(always).collect();
        // What differs on one director may add pools of its own.
        if !read.pools.keys().eq(expected) {
            return None;
        }
        policy.pools.extend(&read.pools);
        policy.pools.share_with(&self.policy.pools);
        validate::holds_together(&self.policy, policy, read, gone)
    }
}

/// Whether another text of a file, so much of which was looked at, has no more values than one may have.
const fn may_hold(values: usize, bytes: usize) -> Option<usize> {
    // A value takes a byte, and may stand beside one that was left out.
    let most = values.saturating_add(bytes.saturating_mul(2)).saturating_add(2);
    if most <= MAX_NODES { Some(most) } else { None }
}
