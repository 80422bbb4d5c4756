//! What an executable or library file tells of the runtime inside it, from its ELF tables. Each file is read once.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use object::elf::{FileHeader32, FileHeader64, PT_LOAD, SHT_DYNSYM, SHT_SYMTAB};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::{Endianness, ReadCache, ReadRef};

/// Symbols that give a runtime away, beside the interpreter structure of CPython.
const TELLING_SYMBOLS: &[(&str, Mark)] = &[
    ("node_module_register", Mark::Node),
    ("JNI_CreateJavaVM", Mark::Java),
    ("ruby_init", Mark::Ruby),
    ("ruby_setup", Mark::Ruby),
    ("rust_eh_personality", Mark::Rust),
];
/// Bytes of `.rodata` searched for the paths that Rust's panics leave in stripped binaries.
const SEARCHED: u64 = 8 << 20;
/// Longest table of symbols, and of their names, that is read, bytes: several times what interpreters have.
const TABLE: u64 = 32 << 20;
/// Files remembered at once.
const REMEMBERED: usize = 4096;

/// What a file is known for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Node.js.
    Node,
    /// A Java virtual machine.
    Java,
    /// Ruby.
    Ruby,
    /// Go.
    Go,
    /// Rust.
    Rust,
}

/// A symbol: link-time address and size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol {
    /// Address before relocation.
    pub address: u64,
    /// Size.
    pub size: u64,
}

/// One file's facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ElfFacts {
    /// Lowest link-time address: a mapping's start minus this is the load bias.
    pub base: u64,
    /// `_PyRuntime`: CPython's global state.
    pub py_runtime: Option<Symbol>,
    /// `interp_head`: the list of interpreters of CPython 3.6, which has no `_PyRuntime` yet; not in stripped files.
    pub py_interpreters: Option<Symbol>,
    /// `Py_Version`: CPython's version as a number, from 3.11 on.
    pub py_version: Option<Symbol>,
    /// Which other runtime is inside.
    pub marks: Vec<Mark>,
}

/// Files already read, by device and inode.
#[derive(Debug, Default)]
pub struct ElfFiles {
    known: BTreeMap<(u64, u64), ElfFacts>,
}

impl ElfFiles {
    /// The facts of a file; `None` where it cannot be read or is no ELF file.
    pub fn facts(&mut self, path: &Path) -> Option<ElfFacts> {
        let file = File::open(path).ok()?;
        let data = file.metadata().ok()?;
        let key = (data.dev(), data.ino());
        if let Some(known) = self.known.get(&key) {
            return Some(known.clone());
        }
        let cache = ReadCache::new(file);
        let facts = read::<FileHeader64<Endianness>, _>(&cache)
            .or_else(|| read::<FileHeader32<Endianness>, _>(&cache))?;
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(key, facts.clone());
        Some(facts)
    }
}

fn read<'d, H: FileHeader, R: ReadRef<'d>>(data: R) -> Option<ElfFacts> {
    let header = H::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let loaded = header.program_headers(endian, data).ok()?.iter();
    let starts = loaded.filter(|part| part.p_type(endian) == PT_LOAD).map(|part| part.p_vaddr(endian).into());
    let mut facts = ElfFacts { base: starts.min().unwrap_or(0) & !0xfff, ..ElfFacts::default() };
    let Ok(sections) = header.sections(endian, data) else { return Some(facts) };
    let file = Sections { endian, data, table: sections };
    // The full table is long and only needed where nothing is exported, as in a static executable.
    if !file.collect(&mut facts, SHT_DYNSYM) {
        file.collect(&mut facts, SHT_SYMTAB);
    }
    if file.named(".go.buildinfo").is_some() || file.named(".note.go.buildid").is_some() {
        facts.marks.push(Mark::Go);
    }
    if facts.marks.is_empty() && facts.py_runtime.is_none() && file.has_rust_paths() {
        facts.marks.push(Mark::Rust);
    }
    Some(facts)
}

/// A file's sections and what it takes to read them.
struct Sections<'d, H: FileHeader, R: ReadRef<'d>> {
    endian: H::Endian,
    data: R,
    table: SectionTable<'d, H, R>,
}

impl<'d, H: FileHeader, R: ReadRef<'d>> Sections<'d, H, R> {
    fn named(&self, name: &str) -> Option<&'d H::SectionHeader> {
        self.table.section_by_name(self.endian, name.as_bytes()).map(|(_, section)| section)
    }

    /// A section's bytes, in one read; `None` where there are more than this.
    fn bytes(&self, section: &H::SectionHeader, at_most: u64) -> Option<&'d [u8]> {
        let size: u64 = section.sh_size(self.endian).into();
        (size <= at_most).then(|| section.data(self.endian, self.data).ok()).flatten()
    }

    /// Takes what the symbols of a table tell; `true`: something.
    fn collect(&self, facts: &mut ElfFacts, table: u32) -> bool {
        self.symbols(table, |name, place| match name {
            b"_PyRuntime" => facts.py_runtime = Some(place),
            b"interp_head" => facts.py_interpreters = Some(place),
            b"Py_Version" => facts.py_version = Some(place),
            _ => {
                let telling = TELLING_SYMBOLS.iter().find(|(telling, _)| telling.as_bytes() == name);
                let mark = telling.map(|(_, mark)| *mark).filter(|mark| !facts.marks.contains(mark));
                facts.marks.extend(mark);
            }
        });
        facts.py_runtime.is_some() || !facts.marks.is_empty()
    }

    /// Hands over every symbol a table defines. The names are read as one piece: asked for one by one, each would
    /// cost two system calls and stay in memory.
    fn symbols(&self, table: u32, mut found: impl FnMut(&'d [u8], Symbol)) -> Option<()> {
        let endian = self.endian;
        let mut sections = self.table.iter();
        sections
            .find(|section| section.sh_type(endian) == table && section.sh_size(endian).into() <= TABLE)?;
        let symbols = self.table.symbols(endian, self.data, table).ok()?;
        let names = self.bytes(self.table.section(symbols.string_section()).ok()?, TABLE)?;
        for symbol in symbols.symbols().iter().filter(|symbol| symbol.is_definition(endian)) {
            let name = usize::try_from(symbol.st_name(endian)).ok().and_then(|start| names.get(start..));
            let name = name.and_then(|rest| rest.get(..memchr::memchr(0, rest)?));
            let place =
                Symbol { address: symbol.st_value(endian).into(), size: symbol.st_size(endian).into() };
            if let Some(name) = name {
                found(name, place);
            }
        }
        Some(())
    }

    /// A stripped Rust binary still names its standard library's sources in panic messages.
    fn has_rust_paths(&self) -> bool {
        let constants = self.named(".rodata").and_then(|section| self.bytes(section, SEARCHED));
        constants.is_some_and(|constants| memchr::memmem::find(constants, b"/rustc/").is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_test_binary_is_rust() {
        let facts = ElfFiles::default().facts(&std::env::current_exe().unwrap()).unwrap();
        assert!(facts.marks.contains(&Mark::Rust), "{facts:?}");
        assert_eq!(facts.py_runtime, None);
    }

    #[test]
    fn what_is_no_elf_file_has_no_facts() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"#!/bin/sh\n").unwrap();
        assert_eq!(ElfFiles::default().facts(file.path()), None);
    }
}
