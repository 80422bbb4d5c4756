//! Python objects that lead from the frame of an event loop to its tasks: dictionaries, sets, instances, coroutines.
//! Knows how they lie in memory; knows nothing of event loops.
//!
//! The offsets are what CPython's headers say on 64-bit Linux (`pycore_dict.h`, `pycore_object.h`, `pycore_frame.h`,
//! `genobject.h`, `frameobject.h`, `setobject.h`, `weakrefobject.h`).

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::super::memory::{half, is_pointer, read, read_word, word};
use super::code::string;
use super::layout::Layout;

/// Entries of a dictionary and of a set that are looked at.
const ENTRIES: u64 = 8192;
/// Longest name that is compared.
const NAME: usize = 64;
/// Bytes read of a frame that waits: up to this many of its variables.
const FRAME_BYTES: usize = 640;

/// In a dictionary, and in the module it is of.
const MODULE_DICT: u64 = 16;
const DICT_KEYS: u64 = 32;
const DICT_VALUES: u64 = 40;
/// In a set.
const SET_USED: u64 = 24;
const SET_MASK: u64 = 32;
const SET_TABLE: u64 = 40;
/// In an object that stands for another one: a weak reference, a wrapper of a coroutine, an iterator of a future.
const WRAPPED: u64 = 16;

/// What differs between versions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Objects {
    /// In a frame: the global names of its module.
    globals: u64,
    /// In a frame: its first variable.
    variables: usize,
    top: Top,
    coroutine: Coroutine,
    /// Since 3.11 dictionaries say how wide their entries are.
    compact_keys: bool,
    attributes: Attributes,
}

/// How a suspended frame tells where its stack of values ends.
#[derive(Debug, Clone, Copy)]
enum Top {
    /// By its address.
    Pointer(usize),
    /// By the number of values from the address that another word holds.
    DepthFrom { base: usize, at: usize },
    /// By the number of values from the first variable.
    Depth(usize),
}

/// Where a coroutine holds its frame.
#[derive(Debug, Clone, Copy)]
enum Coroutine {
    /// A pointer to it.
    Pointer(u64),
    /// The frame itself; the state of a suspended one is negative, and this before it has begun.
    Inline { frame: u64, state: u64, created: i8 },
}

/// Where an instance of a class holds its attributes.
#[derive(Debug, Clone, Copy)]
enum Attributes {
    /// In a dictionary behind its header.
    Dict,
    /// Before its header: a pointer to the values, and one to the dictionary if there is one.
    Before,
    /// Before its header: the one or the other, told apart by the lowest bit.
    Either,
    /// Behind its header as long as they are valid; else in a dictionary.
    Inline,
}

const V3_7: Objects = Objects {
    globals: 48,
    variables: 360,
    top: Top::Pointer(72),
    coroutine: Coroutine::Pointer(16),
    compact_keys: false,
    attributes: Attributes::Dict,
};

const V3_10: Objects = Objects { variables: 352, top: Top::DepthFrom { base: 64, at: 80 }, ..V3_7 };

const V3_11: Objects = Objects {
    globals: 8,
    variables: 72,
    top: Top::Depth(64),
    coroutine: Coroutine::Inline { frame: 80, state: 75, created: -2 },
    compact_keys: true,
    attributes: Attributes::Before,
};

const V3_12: Objects = Objects {
    globals: 24,
    coroutine: Coroutine::Inline { frame: 72, state: 67, created: -2 },
    attributes: Attributes::Either,
    ..V3_11
};

const V3_13: Objects = Objects {
    coroutine: Coroutine::Inline { frame: 72, state: 67, created: -3 },
    attributes: Attributes::Inline,
    ..V3_12
};

const V3_14: Objects = Objects { variables: 80, top: Top::Pointer(64), ..V3_13 };

const KNOWN: &[((u8, u8), Objects)] = &[
    ((3, 7), V3_7),
    ((3, 8), V3_7),
    ((3, 9), V3_7),
    ((3, 10), V3_10),
    ((3, 11), V3_11),
    ((3, 12), V3_12),
    ((3, 13), V3_13),
    ((3, 14), V3_14),
];

/// A coroutine's frame that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suspended {
    /// Its address.
    pub(super) frame: u64,
    /// What it waits for: the object on top of its stack.
    pub(super) awaits: u64,
    /// Changes with its variables.
    pub(super) digest: u64,
}

impl Objects {
    /// Those of a version, where they are known: builds without the lock lay their objects out differently.
    pub(super) fn of(version: (u8, u8), layout: &Layout) -> Option<Self> {
        let (_, objects) = KNOWN.iter().find(|(known, _)| *known == version)?;
        (layout.object.0 == 8).then_some(*objects)
    }

    /// An entry of the globals of a frame's module.
    pub(super) fn global(self, memory: &File, layout: &Layout, frame: u64, name: &str) -> Option<u64> {
        let globals = pointer(memory, frame.checked_add(self.globals)?)?;
        self.entry(memory, layout, globals, name)
    }

    /// What a module defines under a name.
    pub(super) fn member(self, memory: &File, layout: &Layout, module: u64, name: &str) -> Option<u64> {
        let dict = pointer(memory, module.checked_add(MODULE_DICT)?)?;
        self.entry(memory, layout, dict, name)
    }

    /// The first variables of a frame.
    pub(super) fn variables(self, memory: &File, frame: u64, count: usize) -> Vec<u64> {
        let mut buffer = vec![0u8; count * 8];
        let Some(start) = frame.checked_add(self.variables as u64) else { return Vec::new() };
        let length = memory.read_at(&mut buffer, start).unwrap_or(0);
        buffer[..length].chunks_exact(8).filter_map(|bytes| word(bytes, 0)).map(untagged).collect()
    }

    fn entry(self, memory: &File, layout: &Layout, dict: u64, name: &str) -> Option<u64> {
        let keys = pointer(memory, dict.checked_add(DICT_KEYS)?)?;
        let (entries, width, key, count) = self.keys(memory, keys)?;
        let values = read_word(memory, dict.checked_add(DICT_VALUES)?)?;
        if values != 0 {
            return None;
        }
        let mut table = vec![0u8; usize::try_from(count.checked_mul(width)?).ok()?];
        read(memory, entries, &mut table)?;
        table.chunks_exact(width as usize).find_map(|entry| {
            let known = string(memory, layout, word(entry, key)?, NAME)?;
            (known == name).then(|| word(entry, key + 8)).flatten()
        })
    }

    /// The first entry of a table of keys, the width of each, where its key is, and how many there are.
    fn keys(self, memory: &File, keys: u64) -> Option<(u64, u64, usize, u64)> {
        let mut head = [0u8; 40];
        read(memory, keys, &mut head)?;
        let (indices, width, key, count) = if self.compact_keys {
            let (index_bytes, kind) = (*head.get(9)?, *head.get(10)?);
            let (width, key) = if kind == 0 { (24, 8) } else { (16, 0) };
            (32 + 1u64.checked_shl(u32::from(index_bytes))?, width, key, word(&head, 24)?)
        } else {
            let size = word(&head, 8)?;
            let index = match size {
                0..=0xff => 1,
                0x100..=0xffff => 2,
                _ => 4,
            };
            (40 + size.checked_mul(index)?, 24, 8, word(&head, 32)?)
        };
        (count <= ENTRIES).then_some((keys.checked_add(indices)?, width, key, count))
    }

    /// The attribute that was given to an instance first.
    pub(super) fn first_attribute(self, memory: &File, object: u64) -> Option<u64> {
        let values = match self.attributes {
            Attributes::Dict => None,
            Attributes::Before => Some(read_word(memory, object.checked_sub(32)?)?).filter(|at| *at != 0),
            Attributes::Either => {
                let either = read_word(memory, object.checked_sub(24)?)?;
                (either & 1 == 1).then_some(either.wrapping_add(1))
            }
            Attributes::Inline => {
                let state = read_word(memory, object.checked_add(16)?)?;
                // Capacity, size, whether they are here, whether they are valid.
                (state >> 24 & 0xff == 1).then_some(object.checked_add(24)?)
            }
        };
        if let Some(values) = values {
            return pointer(memory, values);
        }
        let dict = match self.attributes {
            Attributes::Dict => object.checked_add(16)?,
            _ => object.checked_sub(24)?,
        };
        let dict = pointer(memory, dict)?;
        match read_word(memory, dict.checked_add(DICT_VALUES)?)? {
            0 => {
                let keys = pointer(memory, dict.checked_add(DICT_KEYS)?)?;
                let (entries, _, key, _) = self.keys(memory, keys)?;
                pointer(memory, entries.checked_add(key as u64 + 8)?)
            }
            values if matches!(self.attributes, Attributes::Inline) => {
                pointer(memory, values.checked_add(8)?)
            }
            values => pointer(memory, values),
        }
    }

    /// The frame of a coroutine that has begun and waits. `None`: it does not wait, or is none.
    pub(super) fn suspended(self, memory: &File, coroutine: u64) -> Option<Suspended> {
        let frame = match self.coroutine {
            Coroutine::Pointer(at) => pointer(memory, coroutine.checked_add(at)?)?,
            Coroutine::Inline { frame, state, created } => {
                let mut byte = [0u8];
                read(memory, coroutine.checked_add(state)?, &mut byte)?;
                let state = byte[0] as i8;
                if state >= 0 || state == created {
                    return None;
                }
                coroutine.checked_add(frame)?
            }
        };
        let mut buffer = [0u8; FRAME_BYTES];
        let length = memory.read_at(&mut buffer, frame).ok()?;
        let bytes = buffer.get(..length)?;
        let first = frame.checked_add(self.variables as u64)?;
        let end = match self.top {
            Top::Pointer(at) => word(bytes, at)?,
            Top::DepthFrom { base, at } => word(bytes, base)?.checked_add(8 * u64::from(half(bytes, at)?))?,
            Top::Depth(at) => first.checked_add(8 * u64::from(half(bytes, at)?))?,
        };
        let last = end.checked_sub(8).filter(|last| *last >= first && last.is_multiple_of(8))?;
        let values = usize::try_from(last - first).ok()?;
        let known = bytes.get(self.variables..(self.variables + values + 8).min(length))?;
        let awaits = match word(known, values) {
            Some(awaits) => awaits,
            None => read_word(memory, last)?,
        };
        let digest = known
            .chunks_exact(8)
            .filter_map(|bytes| word(bytes, 0))
            .fold(frame, |sum, value| sum.rotate_left(7) ^ value.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Some(Suspended { frame, awaits: untagged(awaits), digest })
    }
}

/// The address that a reference leads to: its lowest bits may be flags.
fn untagged(reference: u64) -> u64 {
    reference & !7
}

/// The pointer at this address.
pub(super) fn pointer(memory: &File, at: u64) -> Option<u64> {
    read_word(memory, at).filter(|to| is_pointer(*to))
}

/// What an object stands for.
pub(super) fn wrapped(memory: &File, object: u64) -> Option<u64> {
    pointer(memory, object.checked_add(WRAPPED)?)
}

/// How many members a set has, and some of them: those from its `from`-th place on, all around, up to `most`.
pub(super) fn members(memory: &File, set: u64, from: u64, most: usize) -> Option<(u64, Vec<u64>)> {
    let used = read_word(memory, set.checked_add(SET_USED)?)?;
    let places = read_word(memory, set.checked_add(SET_MASK)?)?.checked_add(1)?;
    let table = pointer(memory, set.checked_add(SET_TABLE)?)?;
    if !places.is_power_of_two() || used > places {
        return None;
    }
    let (mut found, mut at) = (Vec::new(), from % places);
    let mut left = places.min(ENTRIES);
    let mut buffer = [0u8; 64 * 16];
    while left > 0 && found.len() < most.min(used as usize) {
        let part = (places - at).min(64).min(left);
        let bytes = buffer.get_mut(..part as usize * 16)?;
        read(memory, table.checked_add(at * 16)?, bytes)?;
        // A place is a member and its hash.
        found.extend(bytes.chunks_exact(16).filter_map(|place| word(place, 0)).filter(|to| is_pointer(*to)));
        (at, left) = ((at + part) % places, left - part);
    }
    found.truncate(most);
    Some((used, found))
}
