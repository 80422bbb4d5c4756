//! No text makes the scan fail, and the order of threads changes nothing.

use super::super::{analyse, extract};
use crate::catalog::Catalog;
use crate::scan::source::SourceFile;

const TEXT: &str = include_str!("guards.rs");

fn extracted(bytes: &[u8]) {
    if let Ok(file) = SourceFile::new("src/lib.rs", bytes.to_vec()) {
        let extracted = extract(&file, Catalog::builtin());
        let _ = analyse(&[extracted.facts], Catalog::builtin());
    }
}

#[test]
fn text_that_is_cut_off_anywhere() {
    for end in (0..TEXT.len()).step_by(97) {
        extracted(&TEXT.as_bytes()[..end]);
    }
}

#[test]
fn text_with_a_byte_changed_anywhere() {
    let mut bytes = TEXT.as_bytes().to_vec();
    for (round, at) in (0..TEXT.len()).step_by(101).enumerate() {
        let before = bytes[at];
        bytes[at] = [b'{', b')', b'"', b'\'', 0xff, b'<', b'/'][round % 7];
        extracted(&bytes);
        bytes[at] = before;
    }
}

#[test]
fn long_chains_are_followed_without_recursion_to_the_end_of_the_stack() {
    let chain = format!("async fn f(x: std::path::PathBuf) {{ x{}; }}", ".clone()".repeat(5_000));
    extracted(chain.as_bytes());
    let sum = format!("async fn f(x: u32) {{ let y = {}1; }}", "x + ".repeat(20_000));
    extracted(sum.as_bytes());
    let calls = format!("fn f() {{ {} x {} }}", "g(".repeat(400), ")".repeat(400));
    extracted(calls.as_bytes());
    let otherwise = format!("fn f() {{ {} {{}} }}", "if a {} else ".repeat(2_000));
    extracted(otherwise.as_bytes());
}

#[test]
fn positions_survive_a_byte_order_mark() {
    let text = "\u{feff}async fn f() { std::fs::read(\"é\"); }";
    let file = SourceFile::new("src/lib.rs", text.as_bytes().to_vec()).unwrap();
    let facts = extract(&file, Catalog::builtin()).facts;
    let seen = analyse(&[facts], Catalog::builtin()).observations;
    assert_eq!(seen[0].place.column, 16);
    let (start, end) = seen[0].place.bytes;
    assert_eq!(&text[start as usize..end as usize], "std::fs::read(\"é\")");
}

#[test]
fn facts_survive_a_cache() {
    let file = SourceFile::new("src/lib.rs", TEXT.as_bytes().to_vec()).unwrap();
    let facts = extract(&file, Catalog::builtin()).facts;
    let text = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<super::super::FileFacts>(&text).unwrap(), facts);
}
