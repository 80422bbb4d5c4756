//! Source files, lines and inlined functions from the debug information of a file, or of the separate file a
//! distribution keeps it in. Source of the format: DWARF 5.

use std::fs::File;
use std::path::PathBuf;

use addr2line::Context;
use gimli::{Dwarf, EndianSlice, NativeEndian, SectionId};

use super::layout::{Layout, Source};

/// Debug information of one file that is read, bytes; it is let go before the next file's.
const SIZE: u64 = 512 << 20;
/// Where distributions keep it.
const SEPARATE: &str = "/usr/lib/debug/.build-id";
/// Parts that are used.
const PARTS: &[SectionId] = &[
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];
/// Levels of functions that were put into one another at one address.
const LEVELS: usize = 64;

/// Why a file has no debug information to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Without {
    /// It was built or stripped so.
    None,
    /// There is too much of it.
    TooLarge,
    /// It is compressed in a way that is not read: `.zdebug_*`, as linkers did until 2015.
    Compressed,
    /// It is not what it says: cut off, or packed badly.
    Damaged,
}

/// The debug information of one file, in bytes.
#[derive(Debug)]
pub(super) struct DebugInfo {
    parts: Vec<(SectionId, Vec<u8>)>,
}

/// One level of a place in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Level {
    /// As the linker or the compiler names it.
    pub(super) function: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
}

/// Debug information that was looked into.
pub(super) struct Lines<'d>(Context<EndianSlice<'d, NativeEndian>>);

/// The separate file for a build, if there is one.
pub(super) fn separate(layout: &Layout) -> Option<(Source, Layout)> {
    let id = layout.build_id.as_deref().filter(|id| id.len() > 1)?;
    let digits: Vec<String> = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = PathBuf::from(format!("{SEPARATE}/{}/{}.debug", digits[0], digits[1..].concat()));
    let source = Source::File(File::open(path).ok()?);
    let separate = Layout::read(&source).filter(|separate| separate.build_id == layout.build_id)?;
    Some((source, separate))
}

impl DebugInfo {
    /// Reads it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn read(source: &Source, layout: &Layout) -> Result<Self, Without> {
        let has = |part: &SectionId| layout.size(part.name()) > 0;
        if PARTS.iter().any(|part| layout.is_sealed(part.name())) {
            return Err(Without::Compressed);
        }
        if !has(&SectionId::DebugLine) || !has(&SectionId::DebugInfo) {
            return Err(Without::None);
        }
        if PARTS.iter().fold(0u64, |sum, part| sum.saturating_add(layout.size(part.name()))) > SIZE {
            return Err(Without::TooLarge);
        }
        let there = PARTS.iter().filter(|part| has(part));
        let read = |part: &SectionId| Some((*part, layout.bytes(source, part.name(), SIZE)?));
        let parts = there.map(read).collect::<Option<_>>().ok_or(Without::Damaged)?;
        Ok(Self { parts })
    }

    /// Looks into it; `None`: it is damaged.
    pub(super) fn lines(&self) -> Option<Lines<'_>> {
        let dwarf = Dwarf::load(|id| -> Result<_, gimli::Error> {
            let part = self.parts.iter().find(|(part, _)| *part == id);
            Ok(EndianSlice::new(part.map_or(&[][..], |(_, bytes)| bytes), NativeEndian))
        });
        Context::from_dwarf(dwarf.ok()?).ok().map(Lines)
    }
}

impl Lines<'_> {
    /// The levels at a link-time address, innermost first; none, where nothing is known.
    pub(super) fn at(&self, address: u64) -> Vec<Level> {
        let mut levels = Vec::new();
        let Ok(mut frames) = self.0.find_frames(address).skip_all_loads() else { return levels };
        while let Ok(Some(frame)) = frames.next() {
            let function = frame.function.as_ref().and_then(|function| function.raw_name().ok());
            let place = frame.location.as_ref();
            levels.push(Level {
                function: function.map(std::borrow::Cow::into_owned),
                file: place.and_then(|place| place.file).map(str::to_owned),
                line: place.and_then(|place| place.line).filter(|line| *line > 0),
            });
            if levels.len() == LEVELS {
                break;
            }
        }
        levels
    }
}
