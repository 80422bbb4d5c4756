//! Words of another process's memory. Knows nothing of what they mean.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// The word at this offset.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// The half word at this offset.
pub(super) fn half(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Fills a buffer from an address on.
pub(super) fn read(memory: &File, address: u64, buffer: &mut [u8]) -> Option<()> {
    memory.read_exact_at(buffer, address).ok()
}

/// The word at this address.
pub(super) fn read_word(memory: &File, address: u64) -> Option<u64> {
    let mut bytes = [0u8; 8];
    read(memory, address, &mut bytes)?;
    Some(u64::from_ne_bytes(bytes))
}

/// Whether it may be the address of something that holds words.
pub(super) fn is_pointer(value: u64) -> bool {
    (0x1_0000..1 << 56).contains(&value) && value.is_multiple_of(8)
}
