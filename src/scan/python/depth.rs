//! How deep source may nest. Knows stacks and brackets, no grammar.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Brackets may nest this deep. `CPython` itself stops at 200.
const BRACKETS: u32 = 1_000;
/// Statements and expressions may nest this deep: a sum of as many parts is one. `CPython` gives up near there.
pub(super) const LEVELS: u32 = 3_000;
/// With less than this left, recursion goes on in a new piece of stack.
const RED_ZONE: usize = 64 << 10;
/// The size of that piece.
const PIECE: usize = 1 << 20;
/// What dropping one level of a tree takes at most, generously.
const PER_LEVEL: usize = 1 << 10;

/// Runs one level of a recursion, on more stack where the rest is short.
pub(super) fn grow<R>(level: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(RED_ZONE, PIECE, level)
}

/// Drops a tree this deep: destructors recurse and cannot be told to grow.
pub(super) fn drop_tree<T>(tree: T, depth: u32) {
    let needed = RED_ZONE + depth as usize * PER_LEVEL;
    stacker::maybe_grow(needed, needed + PIECE, || drop(tree));
}

/// Whether brackets nest so deep that it is no program. Brackets in strings count, so a file of nothing but opening
/// brackets in a string is refused too.
pub(super) fn is_absurd(text: &str) -> bool {
    // Few files have that many at all, and counting is faster than following them; fastest in bytes, which hold the
    // number of a piece.
    let opening =
        |piece: &[u8]| piece.iter().map(|byte| u8::from(matches!(byte, b'(' | b'[' | b'{'))).sum::<u8>();
    let all: usize = text.as_bytes().chunks(255).map(|piece| usize::from(opening(piece))).sum();
    if all <= BRACKETS as usize {
        return false;
    }
    let mut depth = 0_u32;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => {
                depth += 1;
                if depth > BRACKETS {
                    return true;
                }
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// What `work` gives, or `None` if it panics. A panic is a mistake of ours or of the parser, and costs one file.
pub(super) fn guarded<R>(work: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
