//! What Go writes down of its functions, in stripped programs too: how deep their stacks are, which lines they come
//! from, and what was put into them. Source of the format: Go's `internal/abi/symtab.go`, `runtime/symtab.go`,
//! `runtime/symtabinl.go` and `cmd/internal/objfile`; as written since Go 1.18.

use super::super::memory::{half, word};
use super::debug_info::Level;
use super::layout::{Layout, Source};
use super::symbols;

/// Longest table that is read, bytes.
const TABLE: u64 = 256 << 20;
/// How the table begins, and whether its functions say at which line they begin.
const MAGICS: [(u32, bool); 2] = [(0xffff_fff0, false), (0xffff_fff1, true)];
/// Tables of a function by number, that of what was put into it: in `pcdata` and in `funcdata`.
const INLINED_AT: usize = 2;
const INLINED: usize = 3;
/// Flags of a function: its stack ends with it; it sets the stack pointer as it likes.
const TOP: u8 = 1;
const SETS_STACK: u8 = 2;
/// Bytes of an entry of the table of what was put into a function.
const ENTRY: u64 = 16;
/// Steps of a table from addresses to values, and levels of functions that were put into one another.
const STEPS: usize = 1 << 20;
const LEVELS: usize = 64;

/// The table of one program.
#[derive(Debug)]
pub(super) struct GoTable {
    bytes: Vec<u8>,
    /// Where code begins that the table counts from, link-time.
    text: u64,
    /// Bytes between addresses of instructions.
    quantum: u64,
    functions: usize,
    parts: [usize; 5],
    has_start_lines: bool,
    /// The program's own packages begin so: its module, where it was noted.
    pub(super) module: Option<String>,
}

/// Parts of the table, in the order in which their places stand in its head.
const NAMES: usize = 0;
const UNITS: usize = 1;
const FILES: usize = 2;
const VALUES: usize = 3;
const FUNCTIONS: usize = 4;

/// A function's record.
#[derive(Debug, Clone, Copy)]
struct Function {
    /// From `text` on.
    entry: u64,
    record: usize,
    /// Where what follows the record's fixed part begins.
    behind: usize,
}

/// What the stack is like at an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// The return address is so many bytes behind the stack pointer.
    Bytes(u64),
    /// There is no caller.
    Top,
}

impl GoTable {
    /// A program's table; `None`: it is not Go, or of a version that is not known.
    pub(super) fn read(source: &Source, layout: &Layout) -> Option<Self> {
        let bytes = layout.bytes(source, ".gopclntab", TABLE)?;
        let magic = half(&bytes, 0)?;
        let (_, has_start_lines) = MAGICS.into_iter().find(|(known, _)| *known == magic)?;
        let number = |place: usize| usize::try_from(word(&bytes, 8 + 8 * place)?).ok();
        // Before Go 1.26 the head said where code begins; where it does not, the symbol does, or else the section.
        let text = word(&bytes, 24).filter(|text| *text != 0);
        let text = text.or_else(|| symbols::address(source, layout, "runtime.text"));
        let text = text.or_else(|| layout.section(".text").map(|section| section.address))?;
        let table = Self {
            text,
            quantum: u64::from(*bytes.get(6)?),
            functions: number(0)?,
            parts: [number(3)?, number(4)?, number(5)?, number(6)?, number(7)?],
            has_start_lines,
            module: layout.bytes(source, ".go.buildinfo", TABLE).and_then(|notes| module(&notes)),
            bytes,
        };
        let has_64_bits = table.bytes.get(7) == Some(&8);
        has_64_bits.then_some(table)
    }

    /// Where the function at a link-time address begins, and what the stack is like there.
    pub(super) fn depth(&self, address: u64) -> Option<(u64, Depth)> {
        let function = self.function(address)?;
        let start = self.text + function.entry;
        let flags = *self.bytes.get(function.behind - 3)?;
        if flags & TOP != 0 {
            return Some((start, Depth::Top));
        }
        let depth = self.value(half(&self.bytes, function.record + 16)?, address - start)?;
        let depth = u64::try_from(depth).ok().filter(|_| flags & SETS_STACK == 0)?;
        Some((start, Depth::Bytes(depth)))
    }

    /// The levels at a link-time address, innermost first; `bases` is where the tables of what was put into
    /// functions are, if that is known.
    pub(super) fn levels(
        &self,
        address: u64,
        source: &Source,
        layout: &Layout,
        base: Option<u64>,
    ) -> Vec<Level> {
        let mut levels = Vec::new();
        let Some(function) = self.function(address) else { return levels };
        let outer = half(&self.bytes, function.record + 4).and_then(|name| self.text_at(NAMES, name));
        let mut at = address - self.text - function.entry;
        while levels.len() < LEVELS {
            let index = self.inlined_index(&function, at);
            let inlined = index.zip(base).and_then(|(index, base)| {
                let entry = base.checked_add(self.inlined_entry(&function, index)?)?;
                source.bytes(layout.offset_of(entry)?, ENTRY as usize)
            });
            let (file, line) = self.line(&function, at).unzip();
            if let Some(entry) = inlined {
                let name = half(&entry, 4).and_then(|name| self.text_at(NAMES, name));
                levels.push(Level { function: name, file, line });
                at = u64::from(half(&entry, 8).unwrap_or(0));
            } else {
                // The line is that of what was put into the function: it is not the function's own.
                let is_its_own = index.is_none();
                let (file, line) = (file.filter(|_| is_its_own), line.filter(|_| is_its_own));
                levels.push(Level { function: outer, file, line });
                break;
            }
        }
        levels
    }

    fn function(&self, address: u64) -> Option<Function> {
        let offset = address.checked_sub(self.text)?;
        let table = self.parts[FUNCTIONS];
        let entry = |i: usize| half(&self.bytes, table.checked_add(i.checked_mul(8)?)?).map(u64::from);
        // The last entry is the end of code.
        let (mut first, mut behind) = (0, self.functions);
        if entry(behind)? <= offset {
            return None;
        }
        while behind - first > 1 {
            let middle = usize::midpoint(first, behind);
            if entry(middle)? <= offset { first = middle } else { behind = middle }
        }
        let record =
            table.checked_add(half(&self.bytes, table.checked_add(first.checked_mul(8)? + 4)?)? as usize)?;
        let record = Some(record).filter(|record| *record < self.bytes.len())?;
        let start = entry(first).filter(|start| *start <= offset)?;
        let behind = record.checked_add(if self.has_start_lines { 44 } else { 40 })?;
        Some(Function { entry: start, record, behind })
    }

    /// The value of a table at an address, from the function's beginning on.
    fn value(&self, table: u32, at: u64) -> Option<i64> {
        if table == 0 {
            return None;
        }
        let mut rest = self.bytes.get(self.parts[VALUES].checked_add(table as usize)?..)?;
        let (mut value, mut behind) = (-1i64, 0u64);
        for step in 0..STEPS {
            let change = varint(&mut rest)?;
            if change == 0 && step > 0 {
                return None;
            }
            let change = (change >> 1) as i64 ^ -((change & 1) as i64);
            value = value.wrapping_add(change);
            behind = behind.wrapping_add(varint(&mut rest)?.wrapping_mul(self.quantum));
            if at < behind {
                return Some(value);
            }
        }
        None
    }

    fn line(&self, function: &Function, at: u64) -> Option<(String, u32)> {
        let [file, line, unit] = [20, 24, 32].map(|field| half(&self.bytes, function.record + field));
        let file = u32::try_from(self.value(file?, at)?).ok()?;
        let place = self.parts[UNITS].checked_add((unit?.checked_add(file)? as usize).checked_mul(4)?)?;
        let file = self.text_at(FILES, half(&self.bytes, place)?)?;
        Some((file, u32::try_from(self.value(line?, at)?).ok()?))
    }

    /// The number of what was put into a function at an address.
    fn inlined_index(&self, function: &Function, at: u64) -> Option<u64> {
        let tables = half(&self.bytes, function.record + 28)? as usize;
        let table = half(&self.bytes, function.behind + 4 * INLINED_AT).filter(|_| tables > INLINED_AT)?;
        u64::try_from(self.value(table, at)?).ok()
    }

    /// Where it is described, from where the tables of what was put into functions begin.
    fn inlined_entry(&self, function: &Function, index: u64) -> Option<u64> {
        let tables = half(&self.bytes, function.record + 28)? as usize;
        let more = usize::from(*self.bytes.get(function.behind - 1)?);
        let table = half(&self.bytes, function.behind.checked_add(4 * (tables + INLINED))?)?;
        let is_there = more > INLINED && table != u32::MAX;
        u64::from(table).checked_add(index.checked_mul(ENTRY)?).filter(|_| is_there)
    }

    fn text_at(&self, part: usize, offset: u32) -> Option<String> {
        let rest = self.bytes.get(self.parts[part].checked_add(offset as usize)?..)?;
        let text = &rest[..memchr::memchr(0, rest)?];
        (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }
}

/// The symbol from which the tables of what was put into functions are counted.
pub(super) const INLINED_BASE: &str = "go:func.*";

/// The path of a program's module in the notes of its build.
fn module(notes: &[u8]) -> Option<String> {
    let start = memchr::memmem::find(notes, b"\nmod\t")? + 5;
    let rest = notes.get(start..)?;
    let path = rest.get(..memchr::memchr2(b'\t', b'\n', rest)?)?;
    std::str::from_utf8(path).ok().map(str::to_owned)
}

/// A number of seven bits a byte, lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_module_is_in_the_notes_of_the_build() {
        let notes = b"\xff Go buildinf:go1.27\npath\texample.org/etl/cmd\nmod\texample.org/etl\t(devel)\t\n";
        assert_eq!(module(notes).as_deref(), Some("example.org/etl"));
        assert_eq!(module(b"path\tx\n"), None);
    }

    proptest! {
        #[test]
        fn any_table_is_read(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            parts in any::<[u16; 5]>(),
            functions in 0usize..20,
            at in 0u64..0x10000,
        ) {
            let parts = parts.map(|part| usize::from(part % 400));
            let table =
                GoTable { bytes, text: 0, quantum: 1, functions, parts, has_start_lines: true, module: None };
            let nothing = Source::Memory(Vec::new());
            table.depth(at);
            table.levels(at, &nothing, &Layout::default(), Some(at));
        }
    }
}
