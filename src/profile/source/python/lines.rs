//! From an instruction to the line it was compiled from. Pure; knows the three formats CPython has had.
//!
//! Sources: `Objects/lnotab_notes.txt` of 3.9 and of 3.10, `Objects/locations.md` (`InternalDocs/code_objects.md`) since
//! 3.11.

use super::layout::LineTable;

/// The line of the instruction at this byte of the bytecode. Code that comes from no line counts for the one before it.
pub(super) fn line_of(format: LineTable, table: &[u8], first: i32, at: i64) -> Option<u32> {
    let line = match format {
        _ if at < 0 => Some(first),
        LineTable::Lnotab => Some(lnotab(table, first, at)),
        LineTable::Ranges => ranges(table, first, at),
        LineTable::Locations => locations(table, first, at),
    };
    line.and_then(|line| u32::try_from(line).ok()).filter(|line| *line > 0)
}

/// Pairs of how many bytes and how many lines further.
fn lnotab(table: &[u8], first: i32, at: i64) -> i32 {
    let (mut line, mut address) = (first, 0);
    for pair in table.chunks_exact(2) {
        address += i64::from(pair[0]);
        if address > at {
            break;
        }
        line = line.wrapping_add(i32::from(pair[1] as i8));
    }
    line
}

/// Pairs of how many bytes a range has and how many lines further it is; -128: no line.
fn ranges(table: &[u8], first: i32, at: i64) -> Option<i32> {
    let (mut line, mut end, mut known) = (first, 0, first);
    for pair in table.chunks_exact(2) {
        end += i64::from(pair[0]);
        let further = pair[1] as i8;
        if further != i8::MIN {
            line = line.wrapping_add(i32::from(further));
            known = line;
        }
        if at < end {
            return Some(known);
        }
    }
    None
}

/// Entries whose first byte alone has its highest bit set: a form, and how many instructions it is for.
fn locations(table: &[u8], first: i32, at: i64) -> Option<i32> {
    let (mut line, mut end, mut known) = (first, 0, first);
    let mut rest = table;
    while let [start, others @ ..] = rest {
        let next = others.iter().position(|byte| byte & 0x80 != 0).unwrap_or(others.len());
        let further = match start >> 3 & 15 {
            15 => None,
            13 | 14 => Some(signed(&others[..next])),
            form @ 10..=12 => Some(i32::from(form) - 10),
            _ => Some(0),
        };
        if let Some(further) = further {
            line = line.wrapping_add(further);
            known = line;
        }
        end += 2 * (i64::from(start & 7) + 1);
        if at < end {
            return Some(known);
        }
        rest = &others[next..];
    }
    None
}

/// A signed number in groups of six bits, the lowest first, its sign in the lowest bit.
fn signed(bytes: &[u8]) -> i32 {
    let mut value = 0u32;
    for (group, byte) in bytes.iter().enumerate().take(6) {
        value |= u32::from(byte & 63) << (6 * group as u32).min(31);
        if byte & 64 == 0 {
            break;
        }
    }
    let half = (value >> 1) as i32;
    if value & 1 == 1 { -half } else { half }
}
