//! How an ELF file is laid out: which of its bytes are loaded where, and where its sections are. Gets bytes by number;
//! knows nothing of what is in them. Source of the format: System V ABI, chapters 4 and 5.

use std::fs::File;
use std::os::unix::fs::FileExt;

use object::elf::{FileHeader64, NT_GNU_BUILD_ID, PT_LOAD, SHT_NOBITS};
use object::read::elf::{CompressionHeader, FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadCache, ReadRef};

use super::packed;

/// Sections looked at.
const SECTIONS: usize = 4096;

/// Bytes of instructions with which programs begin before they call anything.
const BEGINNING: u64 = 64;

/// Where the bytes of an ELF file come from.
#[derive(Debug)]
pub(super) enum Source {
    /// A file.
    File(File),
    /// A piece of memory that is laid out as a file.
    Memory(Vec<u8>),
}

impl Source {
    /// Bytes from `offset` on; `None`: there are not as many.
    pub(super) fn bytes(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).ok()?;
                bytes.get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
            }
            Self::File(file) => {
                let size = file.metadata().ok()?.len();
                // Checked first: a header may promise more memory than there is.
                if offset.checked_add(length as u64)? > size {
                    return None;
                }
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, offset).ok()?;
                Some(bytes)
            }
        }
    }
}

/// A section: its name and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// `.text`.
    pub(super) name: String,
    /// Link-time address.
    pub(super) address: u64,
    offset: u64,
    /// Bytes it has, and in the file.
    size: u64,
    stored: u64,
    /// The way it is packed, if it is.
    packed: Option<u32>,
}

/// A loaded part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

/// One file's layout.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    segments: Vec<Segment>,
    sections: Vec<Section>,
    /// Where the program begins, link-time; 0: it is a library.
    entry: u64,
    /// What names this very build, where the linker noted it.
    pub(super) build_id: Option<Vec<u8>>,
}

impl Layout {
    /// Reads the headers; `None`: it is no 64-bit ELF file.
    pub(super) fn read(source: &Source) -> Option<Self> {
        match source {
            Source::File(file) => parse(&ReadCache::new(file)),
            Source::Memory(bytes) => parse(bytes.as_slice()),
        }
    }

    /// The link-time address of a byte of the file.
    pub(super) fn address_of(&self, offset: u64) -> Option<u64> {
        let segment = self.segments.iter().find(|part| offset.wrapping_sub(part.offset) < part.size)?;
        segment.address.checked_add(offset - segment.offset)
    }

    /// Where in the file the byte of a link-time address is.
    pub(super) fn offset_of(&self, address: u64) -> Option<u64> {
        let segment = self.segments.iter().find(|part| address.wrapping_sub(part.address) < part.size)?;
        segment.offset.checked_add(address - segment.address)
    }

    /// Whether a link-time address is in the first few instructions of the program.
    pub(super) fn is_beginning(&self, address: u64) -> bool {
        self.entry != 0 && address.wrapping_sub(self.entry) < BEGINNING
    }

    /// The section of a name.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The bytes of a section; `None`: there is none, it has more than `at_most`, or they cannot be unpacked.
    pub(super) fn bytes(&self, source: &Source, name: &str, at_most: u64) -> Option<Vec<u8>> {
        let section =
            self.section(name).filter(|section| section.size <= at_most && section.stored <= at_most)?;
        let bytes = source.bytes(section.offset, usize::try_from(section.stored).ok()?)?;
        match section.packed {
            Some(way) => packed::unpacked(way, &bytes, usize::try_from(section.size).ok()?),
            None => Some(bytes),
        }
    }

    /// Where in the file a section is, and how long.
    #[cfg(test)]
    pub(super) fn place(&self, name: &str) -> Option<(u64, u64)> {
        self.section(name).map(|section| (section.offset, section.size))
    }

    /// First and last link-time address of code.
    #[cfg(test)]
    pub(super) fn code(&self) -> Option<(u64, u64)> {
        self.section(".text").map(|section| (section.address, section.address + section.size))
    }

    /// How long a section is; 0: there is none.
    pub(super) fn size(&self, name: &str) -> u64 {
        self.section(name).map_or(0, |section| section.size)
    }

    /// Whether a section is there, but packed in a way that nobody here knows. Until 2015 that was told by its name.
    pub(super) fn is_sealed(&self, name: &str) -> bool {
        let known = self.section(name).and_then(|section| section.packed).is_none_or(packed::is_known);
        let old = name.strip_prefix(".debug_").map(|rest| format!(".zdebug_{rest}"));
        !known || old.is_some_and(|old| self.section(&old).is_some())
    }
}

fn parse<'d, R: ReadRef<'d>>(data: R) -> Option<Layout> {
    let header = FileHeader64::<Endianness>::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let loaded = header.program_headers(endian, data).ok()?.iter();
    let segments = loaded.filter(|part| part.p_type(endian) == PT_LOAD).map(|part| Segment {
        address: part.p_vaddr(endian),
        offset: part.p_offset(endian),
        size: part.p_filesz(endian),
    });
    let mut layout =
        Layout { segments: segments.collect(), entry: header.e_entry(endian), ..Layout::default() };
    let Ok(table) = header.sections(endian, data) else { return Some(layout) };
    for section in table.iter().filter(|section| section.sh_type(endian) != SHT_NOBITS).take(SECTIONS) {
        let Ok(name) = table.section_name(endian, section) else { continue };
        if name == b".note.gnu.build-id" {
            layout.build_id = section.notes(endian, data).ok().flatten().and_then(|mut notes| {
                let note = notes.next().ok()??;
                (note.n_type(endian) == NT_GNU_BUILD_ID).then(|| note.desc().to_vec())
            });
        }
        let Ok(header) = section.compression(endian, data) else { continue };
        let (offset, stored) = header
            .map_or((section.sh_offset(endian), section.sh_size(endian)), |(_, offset, stored)| {
                (offset, stored)
            });
        layout.sections.push(Section {
            name: String::from_utf8_lossy(name).into_owned(),
            address: section.sh_addr(endian),
            offset,
            size: header.map_or(stored, |(header, ..)| header.ch_size(endian)),
            stored,
            packed: header.map(|(header, ..)| header.ch_type(endian)),
        });
    }
    Some(layout)
}
