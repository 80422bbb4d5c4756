//! Names of functions from the symbol tables of ELF files. Source of the format: System V ABI, chapter 4.

use super::super::memory::{half, word};
use super::layout::{Layout, Source};

/// Bytes of a table of symbols, and of their names, that are read.
const TABLE: u64 = 256 << 20;
/// Bytes of an entry: name (4), info, other, section (2), value (8), size (8).
const ENTRY: usize = 24;
/// Kinds (low half of `info`) that are code: of no kind, as hand-written code often is; function; chosen at load time.
const CODE_KINDS: [u8; 3] = [0, 2, 10];

/// The functions of a file in order of address.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    functions: Vec<Function>,
    names: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Function {
    address: u64,
    size: u64,
    name: u32,
}

impl Symbols {
    /// Reads a file's table: the full one, or where it was stripped, that of what it exports.
    pub(super) fn read(source: &Source, layout: &Layout) -> Self {
        let tables = [(".symtab", ".strtab"), (".dynsym", ".dynstr")];
        let found = tables.into_iter().find_map(|(table, names)| {
            let table = layout.bytes(source, table, TABLE).filter(|table| table.len() > ENTRY)?;
            Some((table, layout.bytes(source, names, TABLE)?))
        });
        found.map_or_else(Self::default, |(table, names)| Self::parse(&table, names))
    }

    fn parse(table: &[u8], names: Vec<u8>) -> Self {
        let functions = table.chunks_exact(ENTRY).filter_map(|entry| {
            let (kind, section) = (entry[4] & 15, u16::from_ne_bytes([entry[6], entry[7]]));
            let function =
                Function { address: word(entry, 8)?, size: word(entry, 16)?, name: half(entry, 0)? };
            (CODE_KINDS.contains(&kind) && section != 0 && function.name != 0).then_some(function)
        });
        let mut functions: Vec<Function> = functions.collect();
        functions.sort_unstable();
        Self { functions, names }
    }

    /// The name of the function at a link-time address.
    pub(super) fn at(&self, address: u64) -> Option<&str> {
        let behind = self.functions.partition_point(|function| function.address <= address);
        let function = self.functions[..behind].last()?;
        // Of several at one address the longest stands last. One without a size reaches to the next.
        let reaches = function.size == 0 || address - function.address < function.size;
        self.name(function.name).filter(|_| reaches)
    }

    /// All names.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().filter_map(|function| self.name(function.name))
    }

    fn name(&self, start: u32) -> Option<&str> {
        let rest = self.names.get(usize::try_from(start).ok()?..)?;
        std::str::from_utf8(&rest[..memchr::memchr(0, rest)?]).ok().filter(|name| !name.is_empty())
    }
}

/// The address of the symbol of a name, whatever it stands for.
pub(super) fn address(source: &Source, layout: &Layout, name: &str) -> Option<u64> {
    let (table, names) = (layout.bytes(source, ".symtab", TABLE)?, layout.bytes(source, ".strtab", TABLE)?);
    let found = table.chunks_exact(ENTRY).find(|entry| {
        let start = half(entry, 0).map_or(usize::MAX, |start| start as usize);
        let rest = names.get(start..).and_then(|rest| rest.strip_prefix(name.as_bytes()));
        rest.is_some_and(|rest| rest.first() == Some(&0))
    });
    word(found?, 8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(name: u32, kind: u8, address: u64, size: u64) -> Vec<u8> {
        let mut bytes = name.to_ne_bytes().to_vec();
        bytes.extend([kind, 0, 1, 0]);
        bytes.extend(address.to_ne_bytes());
        bytes.extend(size.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_function_reaches_as_far_as_it_says() {
        let table = [entry(1, 2, 0x100, 0x10), entry(6, 0, 0x200, 0), entry(10, 1, 0x108, 8)].concat();
        let symbols = Symbols::parse(&table, b"\0main\0asm\0data\0".to_vec());
        assert_eq!(symbols.at(0x10f), Some("main"));
        assert_eq!((symbols.at(0x110), symbols.at(0xff)), (None, None));
        assert_eq!(symbols.at(0x2ff), Some("asm"));
        assert_eq!(symbols.all().count(), 2);
    }

    proptest! {
        #[test]
        fn any_table_is_read(table in proptest::collection::vec(any::<u8>(), 0..200), names: Vec<u8>, at: u64) {
            let symbols = Symbols::parse(&table, names);
            symbols.at(at);
            symbols.all().count();
        }
    }
}
