//! The files of a machine, real or recorded: everything is read relative to a root, so that a recorded tree can be
//! surveyed like the computer itself. Knows paths and bounded reads, not what is in the files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// No file of interest is larger; one that never ends cannot fill the memory.
const LARGEST: u64 = 4 << 20;

/// A file tree with `/proc` and `/sys` in it.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The computer we run on.
    pub(crate) fn live() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// A recorded tree.
    #[cfg(test)]
    pub(crate) fn recorded(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where an absolute path of the surveyed machine is found.
    pub(crate) fn locate(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file; bytes that are not UTF-8 become replacement characters.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> io::Result<String> {
        let mut bytes = Vec::new();
        File::open(self.locate(path.as_ref()))?.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether the directory exists.
    pub(crate) fn has_dir(&self, path: &Path) -> bool {
        self.locate(path).is_dir()
    }
}

/// A process in the form `/proc` wants it: the pid or `self`.
pub(crate) fn proc_dir(pid: Option<i32>) -> PathBuf {
    Path::new("/proc").join(pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string()))
}
