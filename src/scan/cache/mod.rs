//! What earlier scans learnt: the facts of a file by its path and contents, and the outcome of a whole scan by those of
//! all its files. Knows digests and bytes; knows no syntax, no rule and no setting.
//!
//! Nothing in a cache is believed unless its digest says that it was written for exactly this: the same boundby, the
//! same rules, the same contents. Anything else is as good as not there, so a cache may be truncated, shared, stale or
//! written by two scans at once, and still changes nothing but how long a scan takes.

mod digest;
mod entry;
mod pack;
mod wire;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::source::SourceFile;
use super::walk::Kind;
use super::{Extracted, Scan};
pub use digest::Digest;
use pack::Pack;

/// What boundby is made of: another one may find something else in the same files.
const BUILD: &str = env!("BOUNDBY_BUILD");
/// Files of each sort that are kept: scans of several projects, branches and directories share a cache.
const SORTS: [(&str, usize); 2] = [(FACTS, 4), (SCAN, 16)];
const FACTS: &str = "facts-";
const SCAN: &str = "scan-";

/// A directory with what earlier scans learnt.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
    /// What findings depend on besides the files.
    rules: Digest,
    /// Which files are scanned: others are likely to have other facts.
    about: Digest,
}

impl Cache {
    /// Opens a cache, and makes its directory where there is none: version control and other tools are told to leave it
    /// alone. `rules` is what the project lays over the built-in rules; scans `about` the same thing share their facts.
    ///
    /// # Errors
    /// The directory cannot be made or written.
    pub fn open(directory: &Path, rules: Digest, about: Digest) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        for (name, text) in [
            (".gitignore", "*\n"),
            (
                "CACHEDIR.TAG",
                "Signature: 8a477f597d28d172789f06886806bc55\n# What boundby learnt from earlier scans.\n",
            ),
        ] {
            let file = directory.join(name);
            if !file.exists() {
                fs::write(file, text)?;
            }
        }
        let rules = Digest::of(&[BUILD.as_bytes(), rules.bytes().as_slice()]);
        Ok(Self { directory: directory.to_owned(), rules, about })
    }

    /// The same cache for a scan about something else.
    #[must_use]
    pub fn about(&self, what: &str) -> Self {
        let about = Digest::of(&[self.about.bytes().as_slice(), what.as_bytes()]);
        Self { about, ..self.clone() }
    }

    /// What the facts of each of these files depend on.
    pub(super) fn keys(&self, files: &[(SourceFile, Kind)]) -> Vec<Digest> {
        let key = |(file, kind): &(SourceFile, Kind)| {
            let sort = format!("{kind:?} {}", file.exact);
            Digest::of(&[
                self.rules.bytes().as_slice(),
                sort.as_bytes(),
                file.path.as_bytes(),
                file.text.as_bytes(),
            ])
        };
        files.par_iter().map(key).collect()
    }

    /// The outcome of a scan of such files; what depends on more than their contents is left empty.
    pub(super) fn recall(&self, keys: &[Digest]) -> Option<Scan> {
        let key = self.of_all(keys);
        entry::scan_of(Pack::read(&self.scan_file(key)).get(key)?)
    }

    /// Keeps the outcome of a scan. A cache that cannot be written is no reason to fail.
    pub(super) fn keep(&self, keys: &[Digest], scan: &Scan) {
        let key = self.of_all(keys);
        if let Some(bytes) = entry::of_scan(scan) {
            let _ = pack::write(&self.scan_file(key), &[(key, &bytes)]);
        }
        pack::tidy(&self.directory, &SORTS);
    }

    /// What is known of single files.
    pub(super) fn facts(&self) -> Facts {
        let file = self.directory.join(format!("{FACTS}{}", self.rules.with(self.about)));
        Facts { old: Pack::read(&file), file, fresh: Mutex::default() }
    }

    fn of_all(&self, keys: &[Digest]) -> Digest {
        keys.iter().fold(self.rules, |all, key| all.with(*key))
    }

    fn scan_file(&self, key: Digest) -> PathBuf {
        self.directory.join(format!("{SCAN}{key}"))
    }
}

/// The facts of single files, by their keys. Asked from many threads.
pub(super) struct Facts {
    file: PathBuf,
    old: Pack,
    fresh: Mutex<Vec<(Digest, Vec<u8>)>>,
}

impl Facts {
    /// What was kept under a key.
    pub(super) fn recall<F: DeserializeOwned>(&self, key: Digest, file: &SourceFile) -> Option<Extracted<F>> {
        entry::extracted_of(self.old.get(key)?, file)
    }

    /// Keeps it, once [`write`](Self::write) is called.
    pub(super) fn keep<F: Serialize>(&self, key: Digest, extracted: &Extracted<F>) {
        if let Some(bytes) = entry::of_extracted(extracted) {
            self.fresh.lock().unwrap_or_else(PoisonError::into_inner).push((key, bytes));
        }
    }

    /// Writes what was kept, with what was there before and still counts; nothing where nothing is new.
    pub(super) fn write(self, keys: &[Digest]) {
        let mut fresh = self.fresh.into_inner().unwrap_or_else(PoisonError::into_inner);
        if fresh.is_empty() {
            return;
        }
        fresh.sort_by_key(|(key, _)| *key);
        let known = |key: &Digest| match fresh.binary_search_by_key(key, |(key, _)| *key) {
            Ok(at) => Some((*key, fresh[at].1.as_slice())),
            Err(_) => Some((*key, self.old.get(*key)?)),
        };
        let entries: Vec<_> = keys.par_iter().filter_map(known).collect();
        let _ = pack::write(&self.file, &entries);
    }
}

#[cfg(test)]
mod tests;
