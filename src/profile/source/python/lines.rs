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

#[cfg(test)]
mod tests {
    use super::*;

    /// The same function, from line 5 on, with a call over several lines, a loop that goes back and a `finally`, as three
    /// versions compiled it; each with the first byte of every line and the end.
    #[test]
    fn every_instruction_has_its_line() {
        let lnotab = [0, 3, 2, 1, 2, 254, 4, 4, 8, 1, 4, 1, 2, 1, 2, 255, 6, 3, 2, 1, 8, 2];
        let expected = [
            (0, 8),
            (2, 9),
            (4, 7),
            (8, 11),
            (16, 12),
            (20, 13),
            (22, 14),
            (24, 13),
            (30, 16),
            (32, 17),
            (40, 19),
        ];
        check(LineTable::Lnotab, &lnotab, &expected, 48);

        let ranges = [2, 3, 2, 1, 4, 254, 8, 4, 4, 1, 2, 1, 2, 1, 4, 255, 2, 128, 2, 3, 4, 1, 8, 2];
        // What comes from no line, 28 to 30, counts for line 13.
        let expected = [
            (0, 8),
            (2, 9),
            (4, 7),
            (8, 11),
            (16, 12),
            (20, 13),
            (22, 14),
            (24, 13),
            (30, 16),
            (32, 17),
            (36, 19),
        ];
        check(LineTable::Ranges, &ranges, &expected, 44);

        let locations = [
            128, 0, 240, 6, 0, 9, 10, 216, 8, 9, 240, 5, 3, 9, 6, 128, 65, 240, 8, 0, 14, 15, 240, 0, 3, 5,
            20, 240, 0, 3, 5, 20, 136, 1, 216, 11, 12, 240, 0, 2, 9, 20, 216, 17, 18, 216, 17, 18, 241, 3, 1,
            18, 19, 136, 65, 248, 240, 6, 3, 5, 14, 216, 15, 16, 224, 12, 13, 136, 65, 248, 136, 65, 136, 5,
            136, 5, 136, 5, 136, 5,
        ];
        let expected = [
            (0, 5),
            (2, 8),
            (4, 9),
            (6, 7),
            (10, 11),
            (18, 12),
            (22, 13),
            (24, 14),
            (26, 13),
            (34, 16),
            (36, 17),
            (38, 19),
        ];
        check(LineTable::Locations, &locations, &expected, 54);
    }

    fn check(format: LineTable, table: &[u8], starts: &[(i64, u32)], end: i64) {
        for at in (0..end).step_by(2) {
            let expected = starts.iter().rev().find(|(start, _)| *start <= at).map(|(_, line)| *line);
            assert_eq!(line_of(format, table, 5, at), expected, "{format:?} at {at}");
        }
        assert_eq!(line_of(format, table, 5, -2), Some(5));
    }

    #[test]
    fn beyond_the_table_there_is_no_line() {
        assert_eq!(line_of(LineTable::Locations, &[0x80, 0], 5, 100), None);
        assert_eq!(line_of(LineTable::Ranges, &[2, 0], 5, 100), None);
        assert_eq!(line_of(LineTable::Locations, &[], 5, 0), None);
    }
}
