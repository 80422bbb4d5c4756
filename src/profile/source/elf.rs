//! What an executable or library file tells of the runtime inside it, from its ELF tables. Each file is read once.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use object::read::elf::{ElfFile32, ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSection, ObjectSegment, ObjectSymbol, ReadCache, ReadRef};

/// Symbols that give a runtime away, beside the interpreter structure of CPython.
const TELLING_SYMBOLS: &[(&str, Mark)] = &[
    ("node_module_register", Mark::Node),
    ("JNI_CreateJavaVM", Mark::Java),
    ("ruby_init", Mark::Ruby),
    ("ruby_setup", Mark::Ruby),
    ("rust_eh_personality", Mark::Rust),
];
/// Bytes of `.rodata` searched for the paths that Rust's panics leave in stripped binaries.
const SEARCHED: usize = 8 << 20;

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
        let facts = match ElfFile64::<Endianness, _>::parse(&cache) {
            Ok(elf) => read(&elf),
            Err(_) => read(&ElfFile32::<Endianness, _>::parse(&cache).ok()?),
        };
        self.known.insert(key, facts.clone());
        Some(facts)
    }
}

fn read<'d, H: FileHeader, R: ReadRef<'d>>(elf: &object::read::elf::ElfFile<'d, H, R>) -> ElfFacts {
    let mut facts = ElfFacts {
        base: elf.segments().map(|segment| segment.address()).min().unwrap_or(0) & !0xfff,
        ..ElfFacts::default()
    };
    let told = collect(&mut facts, elf.dynamic_symbols());
    // The full table is long and only needed where nothing is exported, as in a static executable.
    if !told {
        collect(&mut facts, elf.symbols());
    }
    if elf.section_by_name(".go.buildinfo").is_some() || elf.section_by_name(".note.go.buildid").is_some() {
        facts.marks.push(Mark::Go);
    }
    if facts.marks.is_empty() && facts.py_runtime.is_none() && has_rust_paths(elf) {
        facts.marks.push(Mark::Rust);
    }
    facts
}

/// Takes what the symbols tell; `true`: something.
fn collect<'d>(facts: &mut ElfFacts, symbols: impl Iterator<Item = impl ObjectSymbol<'d>>) -> bool {
    for symbol in symbols.filter(ObjectSymbol::is_definition) {
        let Ok(name) = symbol.name() else { continue };
        let place = Symbol { address: symbol.address(), size: symbol.size() };
        match name {
            "_PyRuntime" => facts.py_runtime = Some(place),
            "Py_Version" => facts.py_version = Some(place),
            _ => {
                let mark =
                    TELLING_SYMBOLS.iter().find(|(telling, _)| *telling == name).map(|(_, mark)| *mark);
                facts.marks.extend(mark.filter(|mark| !facts.marks.contains(mark)));
            }
        }
    }
    facts.py_runtime.is_some() || !facts.marks.is_empty()
}

/// A stripped Rust binary still names its standard library's sources in panic messages.
fn has_rust_paths<'d, H: FileHeader, R: ReadRef<'d>>(elf: &object::read::elf::ElfFile<'d, H, R>) -> bool {
    let Some(section) = elf.section_by_name(".rodata") else { return false };
    if section.size() > SEARCHED as u64 {
        return false;
    }
    section.data().is_ok_and(|data| memchr::memmem::find(data, b"/rustc/").is_some())
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
