//! One file of source as text, with the way from byte offsets to lines and columns. Knows encodings and line ends,
//! no language.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::finding::Place;

/// Larger files are generated data: parsing them would cost seconds and gigabytes.
pub const LARGEST: usize = 4 << 20;

/// A file that has been read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Relative to the root of the scan, `/` between its parts.
    pub path: Arc<str>,
    /// Decoded; where it is UTF-8, as on disk, a byte order mark included.
    pub text: Arc<str>,
    /// Whether offsets into `text` are offsets into the file. Not so where it had to be decoded: such a file is
    /// never rewritten.
    pub exact: bool,
    starts: OnceLock<Vec<u32>>,
}

/// Why a file could not be taken as source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Over [`LARGEST`] bytes: this many.
    TooLarge(usize),
    /// Holds zero bytes: UTF-16, or no text at all.
    Binary,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(
                f,
                "{:.1} MiB, more than the {} MiB that are read: exclude it if it is generated",
                *bytes as f64 / f64::from(1 << 20),
                LARGEST >> 20
            ),
            Self::Binary => write!(f, "holds zero bytes, so it is not UTF-8 source"),
        }
    }
}

impl std::error::Error for Unreadable {}

impl SourceFile {
    /// Takes the bytes of a file. What is not UTF-8 is read as Latin-1, which every byte is: the names that matter
    /// are ASCII.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn new(path: &str, bytes: Vec<u8>) -> Result<Self, Unreadable> {
        if bytes.len() > LARGEST {
            return Err(Unreadable::TooLarge(bytes.len()));
        }
        if memchr::memchr(0, &bytes).is_some() {
            return Err(Unreadable::Binary);
        }
        let (text, exact) = match String::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(error) => (error.into_bytes().into_iter().map(char::from).collect(), false),
        };
        Ok(Self { path: path.into(), text: text.into(), exact, starts: OnceLock::new() })
    }

    /// Whether these characters stand anywhere in it.
    #[must_use]
    pub fn mentions(&self, words: &str) -> bool {
        memchr::memmem::find(self.text.as_bytes(), words.as_bytes()).is_some()
    }

    /// Where the bytes from `start` up to `end` stand. Offsets beyond the end, or inside a character, are moved back.
    #[must_use]
    pub fn place(&self, start: u32, end: u32) -> Place {
        let (line, column) = self.position(start);
        let (end_line, end_column) = self.position(end.max(start));
        let path = Arc::clone(&self.path);
        Place { path, line, column, end_line, end_column, bytes: (start, end.max(start)) }
    }

    /// Line and column, both from 1, of a byte; columns in code points. A byte order mark takes no column.
    #[must_use]
    pub fn position(&self, offset: u32) -> (u32, u32) {
        let starts = self.starts();
        let line = starts.partition_point(|start| *start <= offset).max(1);
        let start = starts[line - 1] as usize;
        let end = floor_char(&self.text, offset as usize).max(start);
        let before = &self.text[start..end];
        let columns = if before.is_ascii() { before.len() } else { before.chars().count() };
        let mark = usize::from(line == 1 && before.starts_with('\u{feff}'));
        (line as u32, (columns - mark) as u32 + 1)
    }

    /// How many lines there are; a line break at the end begins no further one.
    #[must_use]
    pub fn lines(&self) -> u32 {
        let starts = self.starts();
        let last = starts[starts.len() - 1] as usize;
        (starts.len() - usize::from(last == self.text.len())) as u32
    }

    /// The text of a line, from 1, without its end; nothing beyond the last.
    #[must_use]
    pub fn line(&self, line: u32) -> Option<&str> {
        let (start, end) = self.line_bytes(line)?;
        Some(self.text[start as usize..end as usize].trim_end_matches(['\n', '\r']))
    }

    /// The bytes of a line, from 1, with its end.
    #[must_use]
    pub fn line_bytes(&self, line: u32) -> Option<(u32, u32)> {
        let starts = self.starts();
        let start = *starts.get((line as usize).checked_sub(1)?)?;
        let end = starts.get(line as usize).copied().unwrap_or(self.text.len() as u32);
        Some((start, end))
    }

    /// The offset at which each line starts.
    pub(super) fn starts(&self) -> &[u32] {
        self.starts.get_or_init(|| line_starts(&self.text))
    }
}

/// The offset at which each line starts. `\n`, `\r\n` and a lone `\r` end a line.
fn line_starts(text: &str) -> Vec<u32> {
    let bytes = text.as_bytes();
    let ends = memchr::memchr2_iter(b'\n', b'\r', bytes)
        .filter(|at| bytes[*at] == b'\n' || bytes.get(at + 1) != Some(&b'\n'));
    std::iter::once(0).chain(ends.map(|at| at as u32 + 1)).collect()
}

fn floor_char(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SourceFile {
        SourceFile::new("a.py", text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn every_line_end_counts_once_and_columns_are_code_points() {
        let file = file("a\r\nbé\u{1f600}c\rd\n");
        assert_eq!(file.lines(), 3);
        assert_eq!(file.position(0), (1, 1));
        assert_eq!(file.position(3), (2, 1));
        let c = file.text.find('c').unwrap() as u32;
        assert_eq!(file.position(c), (2, 4));
        assert_eq!(file.position(c + 2), (3, 1));
        assert_eq!((file.line(2), file.line(3), file.line(9)), (Some("bé\u{1f600}c"), Some("d"), None));
    }

    #[test]
    fn a_byte_order_mark_takes_bytes_but_no_column() {
        let file = file("\u{feff}import os\n");
        let place = file.place(3, 9);
        assert_eq!((place.line, place.column, place.end_column, place.bytes), (1, 1, 7, (3, 9)));
        assert_eq!(file.position(0), (1, 1));
    }

    #[test]
    fn offsets_that_cannot_be_are_moved_back() {
        let file = file("é");
        assert_eq!(file.position(1), (1, 1));
        assert_eq!(file.position(99), (1, 2));
        let place = file.place(2, 0);
        assert_eq!((place.end_line, place.end_column), (1, 2));
        assert_eq!(self::file("").place(0, 0).line, 1);
    }

    #[test]
    fn latin_1_is_read_but_never_rewritten() {
        let file = SourceFile::new("a.py", b"# caf\xe9\nx = 1\n".to_vec()).unwrap();
        assert!(!file.exact);
        assert_eq!(&*file.text, "# café\nx = 1\n");
    }

    #[test]
    fn what_is_no_source_says_why() {
        assert_eq!(SourceFile::new("a", vec![0xff, 0xfe, b'a', 0]).unwrap_err(), Unreadable::Binary);
        let large = SourceFile::new("a", vec![b' '; LARGEST + 1]).unwrap_err();
        assert!(large.to_string().contains("exclude it"), "{large}");
    }
}
