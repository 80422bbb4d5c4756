//! Words of a stack: of a living process, or of a copy the kernel made. Knows nothing of frames.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::super::memory::{read_word, word};

/// Bytes read at once: most stacks of blocked threads are shorter from their inner end to where their code begins.
const WINDOW: usize = 8 * 1024;
/// Further pieces of a deep stack that are read.
const PIECES: usize = 128;

/// What an unwinder reads.
pub(super) trait Memory {
    /// The word at an address; `None`: it cannot be read.
    fn word(&mut self, address: u64) -> Option<u64>;
    /// A word that is not on the stack.
    fn far_word(&mut self, address: u64) -> Option<u64>;
}

/// Memory of a living process through `/proc/PID/mem`.
pub(super) struct Living<'m> {
    file: &'m File,
    buffer: &'m mut Vec<u8>,
    start: u64,
    pieces_left: usize,
}

impl<'m> Living<'m> {
    /// `buffer` is kept from one use to the next.
    pub(super) fn new(file: &'m File, buffer: &'m mut Vec<u8>) -> Self {
        buffer.clear();
        Self { file, buffer, start: 0, pieces_left: PIECES }
    }

    fn held(&self, address: u64) -> Option<u64> {
        word_of(self.buffer, address.checked_sub(self.start)?)
    }
}

impl Memory for Living<'_> {
    fn word(&mut self, address: u64) -> Option<u64> {
        if let Some(word) = self.held(address) {
            return Some(word);
        }
        self.pieces_left = self.pieces_left.checked_sub(1)?;
        self.buffer.resize(WINDOW, 0);
        // Where the stack ends within the piece, the kernel reads as far as it goes.
        let length = self.file.read_at(self.buffer, address).unwrap_or(0);
        self.buffer.truncate(length);
        self.start = address;
        self.held(address)
    }

    fn far_word(&mut self, address: u64) -> Option<u64> {
        read_word(self.file, address)
    }
}

/// A copy of the inner end of a stack.
pub(super) struct Copied<'m> {
    /// Address of its first byte.
    pub(super) start: u64,
    /// The copy.
    pub(super) bytes: &'m [u8],
    /// Whose stack it was, for what does not change.
    pub(super) file: Option<&'m File>,
}

impl Memory for Copied<'_> {
    fn word(&mut self, address: u64) -> Option<u64> {
        word_of(self.bytes, address.checked_sub(self.start)?)
    }

    fn far_word(&mut self, address: u64) -> Option<u64> {
        self.file.and_then(|file| read_word(file, address))
    }
}

fn word_of(bytes: &[u8], offset: u64) -> Option<u64> {
    word(bytes, usize::try_from(offset).ok()?)
}
