//! `# boundby: ignore[ID] reason` and its kin: which findings a comment in the source takes back, and which comments
//! take back nothing. Knows comments, not syntax.
//!
//! ```text
//! x = f()  # boundby: ignore[ID] why        this line
//! # boundby: ignore[ID, ID] why             on a line of its own: the next line of code
//! # boundby: ignore-begin[ID] why           down to
//! # boundby: ignore-end[ID]
//! # boundby: ignore-file[ID] why            the whole file
//! ```

use crate::catalog::Language;
use crate::finding::{Finding, Place};

use super::source::SourceFile;
use super::walk::Kind;

const MARKER: &str = "boundby:";

/// A comment that takes findings back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Ids, beginnings of ids, groups: what a selector may be.
    pub rules: Vec<String>,
    /// The lines it holds for, first and last.
    pub lines: (u32, u32),
    /// The words behind it.
    pub reason: String,
    /// The comment.
    pub place: Place,
}

/// A comment that was meant to be one and is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The comment.
    pub place: Place,
    /// What is wrong and what would be right.
    pub what: String,
}

/// What the comments of a file say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suppressions {
    /// In order.
    pub all: Vec<Suppression>,
    /// In order.
    pub malformed: Vec<Malformed>,
}

impl Suppressions {
    /// Whether no comment is one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.malformed.is_empty()
    }
}

impl Suppression {
    /// Whether it holds for a finding; `means` tells whether a selector means an id.
    pub fn covers(&self, finding: &Finding, means: impl Fn(&str, &str) -> bool) -> bool {
        let place = &finding.seen.place;
        self.lines.0 <= place.end_line
            && place.line <= self.lines.1
            && self.rules.iter().any(|rule| means(rule, finding.seen.rule))
    }
}

/// Reads the comments of a file.
#[must_use]
pub fn suppressions(file: &SourceFile, kind: Kind) -> Suppressions {
    let mut found = Suppressions::default();
    // Next to no file has one: do not look at the others twice.
    if !file.mentions(MARKER) {
        return found;
    }
    let mut open: Vec<Suppression> = Vec::new();
    for (start, end) in comments(&file.text, kind) {
        let Some(words) = marker(&file.text[start..end]) else { continue };
        let place = file.place(start as u32, end as u32);
        match parse(words) {
            Err(what) => found.malformed.push(Malformed { place, what }),
            Ok((form, rules, reason)) => {
                let line = place.line;
                let lines = match form {
                    Form::Line => own_line(file, start).map_or((line, line), |()| {
                        let next = next_code(file, place.end_line, kind);
                        (next, next)
                    }),
                    Form::File => (1, u32::MAX),
                    Form::Begin => (line, u32::MAX),
                    Form::End => {
                        close(&mut open, &mut found, &rules, place);
                        continue;
                    }
                };
                let suppression = Suppression { rules, lines, reason: reason.to_owned(), place };
                if form == Form::Begin { open.push(suppression) } else { found.all.push(suppression) }
            }
        }
    }
    for suppression in open {
        let what =
            "`ignore-begin` without its `ignore-end`: close the region, or write `ignore-file`".to_owned();
        found.malformed.push(Malformed { place: suppression.place, what });
    }
    found.all.sort_by_key(|suppression| suppression.place.bytes);
    found.malformed.sort_by_key(|malformed| malformed.place.bytes);
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Line,
    Begin,
    End,
    File,
}

const FORMS: [(&str, Form); 4] = [
    ("ignore-begin", Form::Begin),
    ("ignore-end", Form::End),
    ("ignore-file", Form::File),
    ("ignore", Form::Line),
];

/// What stands behind the marker, where a comment begins with it.
fn marker(comment: &str) -> Option<&str> {
    let words = comment.trim_start_matches(['#', '/', '*', '!']).trim_start();
    Some(words.strip_prefix(MARKER)?.trim_end_matches("*/").trim())
}

fn parse(words: &str) -> Result<(Form, Vec<String>, &str), String> {
    let form = FORMS.iter().find_map(|(name, form)| Some((words.strip_prefix(name)?, *form)));
    let Some((rest, form)) =
        form.filter(|(rest, _)| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
    else {
        return Err(format!("`{words}` is no directive: write `ignore[ID] reason`"));
    };
    let Some((list, reason)) = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'))
    else {
        return Err("name the rules that are meant: write `ignore[ID] reason`".to_owned());
    };
    let rules: Vec<_> =
        list.split(',').map(|rule| rule.trim().to_owned()).filter(|rule| !rule.is_empty()).collect();
    if rules.is_empty() {
        return Err("name the rules that are meant: write `ignore[ID] reason`".to_owned());
    }
    Ok((form, rules, reason.trim_start_matches([':', '-', '—']).trim()))
}

/// Ends the innermost open region of the same rules.
fn close(open: &mut Vec<Suppression>, found: &mut Suppressions, rules: &[String], place: Place) {
    if let Some(at) = open.iter().rposition(|suppression| suppression.rules == rules) {
        let mut suppression = open.remove(at);
        suppression.lines.1 = place.line;
        found.all.push(suppression);
    } else {
        let rules = rules.join(", ");
        let what = format!("`ignore-end[{rules}]` ends no region: name the rules of its `ignore-begin`");
        found.malformed.push(Malformed { place, what });
    }
}

/// Whether nothing but blanks stands before a byte in its line.
fn own_line(file: &SourceFile, at: usize) -> Option<()> {
    let (start, _) = file.line_bytes(file.position(at as u32).0)?;
    file.text[start as usize..at].trim_matches(['\u{feff}', ' ', '\t']).is_empty().then_some(())
}

/// The next line after `line` that is neither empty nor a comment nor a decorator's or attribute's.
fn next_code(file: &SourceFile, line: u32, kind: Kind) -> u32 {
    let comment = if kind == Kind::Source(Language::Rust) { "//" } else { "#" };
    let skipped = |text: &str| text.trim().is_empty() || text.trim_start().starts_with(comment);
    (line + 1..=file.lines())
        .find(|line| file.line(*line).is_some_and(|text| !skipped(text)))
        .unwrap_or(line + 1)
}

/// The comments of a text, as byte ranges. A light reading that knows strings, so that no string is taken for a
/// comment; a file that does not parse has comments all the same.
fn comments(text: &str, kind: Kind) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        at += match kind {
            Kind::Source(Language::Rust) => match rest {
                [b'/', b'/', ..] => comment(&mut found, at, line_end(rest)),
                [b'/', b'*', ..] => comment(&mut found, at, block_end(rest)),
                [b'r' | b'b' | b'c', ..] if !after_word(bytes, at) => rust_string(rest).unwrap_or(1),
                [b'"', ..] => quoted(rest, b'"', true),
                [b'\'', ..] => character(rest),
                _ => 1,
            },
            Kind::Source(Language::Python) => match rest {
                [b'#', ..] => comment(&mut found, at, line_end(rest)),
                [q @ (b'"' | b'\''), ..] if rest.starts_with(&[*q; 3]) => 3 + triple(&rest[3..], *q),
                [q @ (b'"' | b'\''), ..] => quoted(rest, *q, false),
                _ => 1,
            },
            Kind::Deploy => match rest {
                [b'#', ..] if at == 0 || bytes[at - 1].is_ascii_whitespace() => {
                    comment(&mut found, at, line_end(rest))
                }
                _ => 1,
            },
        };
    }
    found
}

fn comment(found: &mut Vec<(usize, usize)>, at: usize, length: usize) -> usize {
    found.push((at, at + length));
    length
}

fn line_end(rest: &[u8]) -> usize {
    rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len())
}

fn block_end(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth <= 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn after_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

/// `r"…"`, `br#"…"#`, `b"…"`, `c"…"`: its length, or that it is none.
fn rust_string(rest: &[u8]) -> Option<usize> {
    let prefix = rest.iter().take(2).take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
    let raw = rest[..prefix].contains(&b'r');
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') || (hashes > 0 && !raw) {
        return None;
    }
    if !raw {
        return Some(prefix + quoted(&rest[prefix..], b'"', true));
    }
    let body = prefix + hashes + 1;
    let ends = |at: usize| {
        rest[at] == b'"' && rest[at + 1..].iter().take(hashes).filter(|b| **b == b'#').count() == hashes
    };
    Some((body..rest.len()).find(|at| ends(*at)).map_or(rest.len(), |at| at + 1 + hashes))
}

/// The length of a string with escapes, its quotes included. Where it may not hold a line break, it ends there.
fn quoted(rest: &[u8], quote: u8, over_lines: bool) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'\n' if !over_lines => return at,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Up to the end of three quotes.
fn triple(rest: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            _ if rest[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A character, or the tick of a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return quoted(rest, b'\'', false);
    }
    // One character of up to four bytes, then the tick; a lifetime has none so near.
    let near = rest.iter().skip(1).take(5).position(|byte| *byte == b'\'');
    let one = near.is_some_and(|length| {
        std::str::from_utf8(&rest[1..=length]).is_ok_and(|text| text.chars().count() == 1)
    });
    if one { near.unwrap_or(0) + 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: Kind = Kind::Source(Language::Python);
    const RUST: Kind = Kind::Source(Language::Rust);

    fn read(text: &str, kind: Kind) -> Suppressions {
        suppressions(&SourceFile::new("a", text.as_bytes().to_vec()).unwrap(), kind)
    }

    fn lines(text: &str, kind: Kind) -> Vec<(u32, u32)> {
        let found = read(text, kind);
        assert_eq!(found.malformed, []);
        found.all.iter().map(|suppression| suppression.lines).collect()
    }

    #[test]
    fn a_marker_holds_for_its_line_the_next_line_a_region_or_the_file() {
        assert_eq!(lines("f()  # boundby: ignore[A] once a day\n", PYTHON), [(1, 1)]);
        assert_eq!(lines("# boundby: ignore[a-b, C] why\n\n# more\nf()\n", PYTHON), [(4, 4)]);
        assert_eq!(
            lines("x\n# boundby: ignore-begin[A] why\nf()\n# boundby: ignore-end[A]\n", PYTHON),
            [(2, 4)]
        );
        assert_eq!(lines("# boundby: ignore-file[A]: generated\n", PYTHON), [(1, u32::MAX)]);
        assert_eq!(lines("f(); // boundby: ignore[A] why\n", RUST), [(1, 1)]);
        assert_eq!(lines("/* boundby: ignore[A] why */\nf();\n", RUST), [(2, 2)]);
        let found = read("# boundby: ignore[a-b, C] why not\n", PYTHON);
        assert_eq!((found.all[0].rules.join(" "), &*found.all[0].reason), ("a-b C".to_owned(), "why not"));
    }

    #[test]
    fn a_string_is_no_comment() {
        let python = "a = '# boundby: ignore[A] x'\nb = \"\"\"\n# boundby: ignore[A] x\n\"\"\"\nc = 'it\\'s # boundby: ignore[A]'\n";
        assert_eq!(read(python, PYTHON), Suppressions::default());
        let rust = "let a = \"// boundby: ignore[A] x\"; let b = r#\"\" // boundby: ignore[A]\"#; let c = '\"'; fn f<'a>() {}\n";
        assert_eq!(read(rust, RUST), Suppressions::default());
        assert_eq!(lines("let c = '\"'; f::<'_>('é'); // boundby: ignore[A] x\n", RUST), [(1, 1)]);
        assert_eq!(lines("d = f\"{x[\"a\"]}\"  # boundby: ignore[A] x\n", PYTHON), [(1, 1)]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |text: &str| read(text, PYTHON).malformed.remove(0).what;
        assert!(wrong("# boundby: ignore\n").contains("name the rules"));
        assert!(wrong("# boundby: ignore[]\n").contains("name the rules"));
        assert!(wrong("# boundby: ignored[A]\n").contains("is no directive"));
        assert!(wrong("# boundby: ignore-begin[A] x\n").contains("without its `ignore-end`"));
        assert!(wrong("# boundby: ignore-end[A]\n").contains("ends no region"));
    }

    #[test]
    fn unfinished_source_ends() {
        for text in ["'# boundby:", "\"\"\"# boundby:", "r#\"boundby:", "/* boundby:", "'\\", "b\"boundby:\\"]
        {
            let _ = (read(text, PYTHON), read(text, RUST), read(text, Kind::Deploy));
        }
    }
}
