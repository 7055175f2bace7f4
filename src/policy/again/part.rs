//! Files of which only the pools are handed out that are new or always read.

use super::{Edit, KnownFile, Last, Layout, may_hold};
use crate::model::PoolName;
use crate::policy::load::MAX_FILE_BYTES;
use crate::policy::source::Files;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Files that are being read again.
pub(super) struct Reading<'a> {
    files: &'a dyn Files,
    last: &'a Last,
    /// `None` once more is different than pools.
    part: RefCell<Option<Part>>,
}

/// What was read of them.
#[derive(Default)]
pub(super) struct Part {
    pub(super) files: Vec<KnownFile>,
    /// Pools that are no more, or not so any more.
    pub(super) gone: BTreeSet<PoolName>,
    /// Pools that were not there, or not so.
    pub(super) new: BTreeSet<PoolName>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(files: &'a dyn Files, last: &'a Last) -> Self {
        Self { files, last, part: RefCell::new(Some(Part::default())) }
    }

    /// `None` where more was different than pools.
    pub(super) fn ended(self, last: &Last) -> Option<Part> {
        self.part.into_inner().filter(|part| part.files.len() == last.files.len())
    }

    /// What a file says without the pools that are known.
    fn reduced(&self, path: &Path, limit: usize, part: &mut Part) -> Option<String> {
        let known = self.last.files.get(part.files.len()).filter(|known| known.path == path)?;
        let bytes = self.files.read(path, limit).ok().filter(|bytes| bytes.len() <= MAX_FILE_BYTES)?;
        let text = String::from_utf8(bytes).ok()?;
        let Some(layout) = &known.layout else {
            part.files.push(known.clone());
            return (*text == *known.text).then_some(text);
        };
        let edit = Edit::between(&known.text, layout, &text)?;
        let values = may_hold(known.values, edit.bytes)?;
        let stays = |name: &PoolName| edit.new.contains(name) || self.last.bound.contains(name);
        let reduced = reduced(&text, &edit.layout, stays)?;
        part.gone.extend(edit.gone);
        part.new.extend(edit.new);
        part.files.push(KnownFile {
            path: path.to_owned(),
            text: text.into(),
            layout: Some(edit.layout),
            values,
        });
        Some(reduced)
    }
}

impl Files for Reading<'_> {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, String> {
        let part = self.part.take();
        let read = part.and_then(|mut part| Some((self.reduced(path, limit, &mut part)?, part)));
        let (text, part) = read.ok_or_else(|| "all of it has to be read".to_owned())?;
        self.part.replace(Some(part));
        Ok(text.into_bytes())
    }

    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        self.files.glob(pattern)
    }
}

/// A text with no other pools than those that stay; without the section where there is none.
fn reduced(text: &str, layout: &Layout, stays: impl Fn(&PoolName) -> bool) -> Option<String> {
    let items = layout.items.iter().enumerate().filter(|(_, item)| stays(&item.name));
    let items: Vec<&str> =
        items.map(|(number, item)| text.get(item.start..layout.end_of(number))).collect::<Option<_>>()?;
    let begins = if items.is_empty() { layout.section } else { layout.items.first()?.start };
    let mut reduced = text.get(..begins)?.to_owned();
    reduced.extend(items);
    reduced.push_str(text.get(layout.end..)?);
    Some(reduced)
}
