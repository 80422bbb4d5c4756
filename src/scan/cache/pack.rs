//! Files of entries, each sealed by a digest of its key and its bytes. Knows nothing of what is in them.
//!
//! ```text
//! MAGIC, then per entry: key (16 bytes), seal (16), length (4, little endian), bytes
//! ```

use std::fs;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rustc_hash::FxHashMap;

use super::Digest;

const MAGIC: &[u8] = b"boundby cache 1\n";
const DIGEST: usize = 16;
const HEAD: usize = 2 * DIGEST + 4;
/// A larger file is none of ours.
const LARGEST: u64 = 1 << 30;
/// What is being written has this in front of its name; left behind for so long, its writer was killed.
const UNFINISHED: &str = "tmp-";
const ABANDONED: Duration = Duration::from_hours(1);

/// A file of entries that was read.
#[derive(Debug, Default)]
pub(super) struct Pack {
    bytes: Vec<u8>,
    /// Where the entry of a key is, and its seal.
    at: FxHashMap<Digest, (Digest, Range<usize>)>,
}

impl Pack {
    /// Reads a file; one that cannot be read, or is none, has no entries.
    pub(super) fn read(file: &Path) -> Self {
        let small = fs::metadata(file).is_ok_and(|data| data.is_file() && data.len() <= LARGEST);
        let bytes = if small { fs::read(file).unwrap_or_default() } else { Vec::new() };
        let mut at = FxHashMap::default();
        let mut start = MAGIC.len();
        if bytes.starts_with(MAGIC) {
            while let Some((key, seal, range)) = head(&bytes, start) {
                start = range.end;
                at.insert(key, (seal, range));
            }
        }
        Self { bytes, at }
    }

    /// The bytes kept under a key, if they are still those that were.
    pub(super) fn get(&self, key: Digest) -> Option<&[u8]> {
        let (seal, range) = self.at.get(&key)?;
        let bytes = &self.bytes[range.clone()];
        (sealed(key, bytes) == *seal).then_some(bytes)
    }
}

/// The entry whose head starts here, if it is all there.
fn head(bytes: &[u8], start: usize) -> Option<(Digest, Digest, Range<usize>)> {
    let head = bytes.get(start..start + HEAD)?;
    let digest = |at: usize| Some(Digest::from_bytes(head.get(at..at + DIGEST)?.try_into().ok()?));
    let length = u32::from_le_bytes(head[2 * DIGEST..].try_into().ok()?) as usize;
    let range = start + HEAD..start + HEAD + length;
    (range.end <= bytes.len()).then_some((digest(0)?, digest(DIGEST)?, range))
}

fn sealed(key: Digest, bytes: &[u8]) -> Digest {
    Digest::of(&[key.bytes().as_slice(), bytes])
}

/// Writes a file of entries, all of it or nothing: another scan may be reading or writing it at the same time.
pub(super) fn write(file: &Path, entries: &[(Digest, &[u8])]) -> io::Result<()> {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let unfinished = file.with_file_name(format!("{UNFINISHED}{}-{number}", std::process::id()));
    let written = fill(&unfinished, entries).and_then(|()| fs::rename(&unfinished, file));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn fill(file: &Path, entries: &[(Digest, &[u8])]) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(1 << 20, fs::File::create_new(file)?);
    out.write_all(MAGIC)?;
    for (key, bytes) in entries {
        let Ok(length) = u32::try_from(bytes.len()) else { continue };
        out.write_all(&key.bytes())?;
        out.write_all(&sealed(*key, bytes).bytes())?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(bytes)?;
    }
    out.flush()
}

/// Removes the oldest files of each sort beyond so many, and what was never finished.
pub(super) fn tidy(directory: &Path, sorts: &[(&str, usize)]) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut files: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let written = entry.metadata().and_then(|data| data.modified()).ok()?;
            Some((written, entry.file_name().into_string().ok()?))
        })
        .collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    for (sort, most) in sorts {
        let of_sort = files.iter().filter(|(_, name)| name.starts_with(sort));
        for (_, name) in of_sort.skip(*most) {
            let _ = fs::remove_file(directory.join(name));
        }
    }
    let is_old = |written: &SystemTime| written.elapsed().is_ok_and(|age| age > ABANDONED);
    for (_, name) in files.iter().filter(|(written, name)| name.starts_with(UNFINISHED) && is_old(written)) {
        let _ = fs::remove_file(directory.join(name));
    }
}
