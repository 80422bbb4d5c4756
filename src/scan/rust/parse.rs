//! From text to a syntax tree, or to an error: no input may crash the scan. Knows syn's limits, no meaning.
//!
//! syn descends natively, so nesting is bounded before it starts; it accepts a file whole or not at all; and its
//! positions live in a table of the thread that grows with every file until it is told to forget.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Brackets in brackets. rustc itself stops people at 128 unless asked.
const DEEPEST: usize = 500;
/// Prefixes before prefixes (`&&&&x`, `if if if`), which nest without brackets.
const LONGEST_CHAIN: usize = 4_000;
/// What a level of nesting takes of the stack, generously; code that is not optimised takes far more.
const STACK_PER_LEVEL: usize = if cfg!(debug_assertions) { 128 << 10 } else { 16 << 10 };

/// What is wrong with a file: byte offset and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unparsed {
    /// Where, as on disk.
    pub(super) offset: u32,
    /// What.
    pub(super) what: String,
}

/// Parses `text` and hands the tree, and how many bytes in front of it were left out, to `use_tree`.
///
/// # Errors
/// If the file is nested too deeply, is not Rust, or makes the parser panic.
pub(super) fn parse<T>(text: &str, use_tree: impl FnOnce(&syn::File, u32) -> T) -> Result<T, Unparsed> {
    let skipped = prelude(text);
    let code = &text[skipped..];
    let levels = nesting(code).map_err(|at| Unparsed {
        offset: (skipped + at) as u32,
        what: "nested too deeply to be read".to_owned(),
    })?;
    let stack = (levels + 64) * STACK_PER_LEVEL;
    let guarded = || {
        catch_unwind(AssertUnwindSafe(|| match syn::parse_str::<syn::File>(code) {
            Ok(tree) => Ok(use_tree(&tree, skipped as u32)),
            Err(error) => Err(Unparsed {
                offset: (skipped + error.span().byte_range().start.min(code.len())) as u32,
                what: error.to_string(),
            }),
        }))
    };
    let done = stacker::maybe_grow(stack, stack, guarded);
    proc_macro2::extra::invalidate_current_thread_spans();
    done.unwrap_or_else(|_| {
        Err(Unparsed { offset: skipped as u32, what: "makes the parser fail: please report it".to_owned() })
    })
}

/// The bytes before the first item that are not Rust: byte order mark, `#!` line, front matter of a script.
fn prelude(text: &str) -> usize {
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let rest = &text[at..];
    if rest.starts_with("#!") && !rest[2..].trim_start().starts_with('[') {
        at += rest.find('\n').unwrap_or(rest.len());
    }
    let rest = &text[at..];
    let body = rest.trim_start();
    if body.starts_with("---") {
        let open = at + (rest.len() - body.len());
        let fence = body.len() - body.trim_start_matches('-').len();
        let mut line = open;
        while let Some(end) = text[line..].find('\n') {
            line += end + 1;
            if text[line..].starts_with(&body[..fence]) {
                return line + fence;
            }
        }
    }
    at
}

/// The deepest nesting that the text can have; the offset where it is too deep.
fn nesting(code: &str) -> Result<usize, usize> {
    let bytes = code.as_bytes();
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut chain, mut longest) = (0_usize, 0_usize);
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let mut next = at + 1;
        match byte {
            b'(' | b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
                if depth > DEEPEST {
                    return Err(at);
                }
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                chain = 0;
            }
            b';' | b',' => chain = 0,
            b'&' | b'!' | b'-' | b'*' | b'|' | b'<' | b'=' => chain += 1,
            b'/' if bytes.get(next) == Some(&b'/') => next = find(bytes, at, b'\n').unwrap_or(bytes.len()),
            b'/' if bytes.get(next) == Some(&b'*') => next = comment(bytes, at),
            b'"' => next = string(bytes, at),
            b'\'' => next = character(bytes, at),
            _ if byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80 => {
                next = bytes[at..].iter().position(|b| !word(*b)).map_or(bytes.len(), |n| at + n);
                let name = &bytes[at..next];
                if matches!(name, b"r" | b"br" | b"cr") && matches!(bytes.get(next), Some(b'"' | b'#')) {
                    next = raw(bytes, next);
                } else if KEYWORDS.contains(&name) {
                    chain += 1;
                }
            }
            _ => {}
        }
        longest = longest.max(chain);
        if chain > LONGEST_CHAIN {
            return Err(at);
        }
        at = next;
    }
    Ok(deepest + longest)
}

const KEYWORDS: &[&[u8]] = &[
    b"if", b"move", b"return", b"break", b"match", b"async", b"unsafe", b"dyn", b"mut", b"yield", b"else",
    b"while",
];

fn word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn find(bytes: &[u8], from: usize, byte: u8) -> Option<usize> {
    Some(from + bytes.get(from..)?.iter().position(|b| *b == byte)?)
}

fn comment(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from + 2, 1_usize);
    while at < bytes.len() && depth > 0 {
        match (bytes[at], bytes.get(at + 1)) {
            (b'*', Some(b'/')) => (depth, at) = (depth - 1, at + 2),
            (b'/', Some(b'*')) => (depth, at) = (depth + 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn string(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// A character literal, or the tick of a lifetime.
fn character(bytes: &[u8], from: usize) -> usize {
    match bytes.get(from + 1) {
        Some(b'\\') => {
            let mut at = from + 3;
            while at < bytes.len() && bytes[at] != b'\'' && bytes[at] != b'\n' {
                at += 1;
            }
            at + 1
        }
        Some(_) if bytes.get(from + 2) == Some(&b'\'') => from + 3,
        _ => from + 1,
    }
}

/// A raw string from its hashes on; `r#name` is none.
fn raw(bytes: &[u8], from: usize) -> usize {
    let hashes = bytes[from..].iter().take_while(|b| **b == b'#').count();
    if bytes.get(from + hashes) != Some(&b'"') {
        return from + hashes;
    }
    let mut at = from + hashes + 1;
    while let Some(quote) = find(bytes, at, b'"') {
        at = quote + 1;
        if bytes[at..].iter().take(hashes).filter(|b| **b == b'#').count() == hashes {
            return at + hashes;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Result<usize, Unparsed> {
        parse(text, |file, _| file.items.len())
    }

    #[test]
    fn what_stands_before_the_code_is_left_out_and_counted() {
        for (text, skipped) in [
            ("\u{feff}fn f() {}", 3),
            ("#!/usr/bin/env run\nfn f() {}", 18),
            ("#!/usr/bin/env cargo\n---\n[dependencies]\n---\nfn f() {}", 43),
            ("#![allow(x)]\nfn f() {}", 0),
        ] {
            assert_eq!(parse(text, |file, skipped| (file.items.len(), skipped)), Ok((1, skipped)), "{text}");
        }
    }

    #[test]
    fn an_error_has_its_place() {
        let error = items("fn f() {}\nfn g( {}\n").unwrap_err();
        assert!(error.offset > 9, "{error:?}");
    }

    #[test]
    fn deep_nesting_is_an_error_and_never_a_crash() {
        for open in ["(", "[", "{", "f(", "m!{", "if x {"] {
            let text = format!("fn f() {{ {} }}", open.repeat(100_000));
            assert_eq!(items(&text).unwrap_err().what, "nested too deeply to be read", "{open}");
        }
        for prefix in ["&", "!", "-", "*", "|x| ", "if ", "return ", "a = ", "move ", "x..", "Vec<", "a::<"] {
            for count in [3_000, 15_000, 200_000] {
                let text = format!("fn f() {{ {}x; }}", prefix.repeat(count));
                let _ = items(&text);
            }
        }
    }

    #[test]
    fn brackets_in_strings_comments_and_characters_do_not_nest() {
        let unit =
            "let a = \"(\\\"(\"; let b = '('; let c = r#\"((\"#; // (\n let d: &'a str = x; /* ( /* ( */ */";
        let text = format!("fn f() {{ {} }}", unit.repeat(600));
        assert_eq!(items(&text), Ok(1));
    }
}
