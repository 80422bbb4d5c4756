//! The documents against the code: module map and exit codes.

use super::{document, rust_files};

/// The modules of the crate in the order of `lib.rs`.
pub(super) fn modules_of_the_crate() -> Vec<String> {
    let (_, source) =
        rust_files("src").into_iter().find(|(name, _)| name == "lib.rs").expect("there is a lib.rs");
    let tree = syn::parse_file(&source).expect("lib.rs is Rust");
    let modules = tree.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) => Some(module.ident.to_string()),
        _ => None,
    });
    modules.collect()
}

/// The constants of `exit.rs` with their numbers.
fn exit_codes(source: &str) -> Vec<(String, String)> {
    let constants = source.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("pub const ")?.split_once(": u8 = ")?;
        Some((name.to_owned(), value.strip_suffix(';')?.to_owned()))
    });
    constants.collect()
}

/// Exit codes that the section on exit codes of a document does not name.
fn missing_codes(text: &str, codes: &[(String, String)]) -> Vec<String> {
    let is_heading = |line: &&str| line.starts_with('#');
    let section: Vec<&str> = text
        .lines()
        .skip_while(|line| !(is_heading(line) && line.to_lowercase().contains("exit code")))
        .enumerate()
        .take_while(|(index, line)| *index == 0 || !is_heading(line))
        .map(|(_, line)| line)
        .collect();
    let named = |number: &str| {
        let mut words = section.iter().flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()));
        words.any(|word| word == number)
    };
    codes
        .iter()
        .filter(|(_, number)| !named(number))
        .map(|(name, number)| format!("{number} ({name})"))
        .collect()
}

#[test]
fn the_readme_names_every_exit_code() {
    let (_, source) =
        rust_files("src").into_iter().find(|(name, _)| name == "exit.rs").expect("there is exit.rs");
    let codes = exit_codes(&source);
    assert!(codes.len() >= 7, "the constants of exit.rs were not understood: {codes:?}");
    // Until the README is written there is nothing to disagree with.
    let Some(readme) = document("README.md") else { return };
    assert_eq!(missing_codes(&readme, &codes), [""; 0], "the section on exit codes of README.md lacks these");
}

#[test]
fn a_code_that_is_not_in_the_section_is_missed() {
    let codes = exit_codes("pub const SUCCESS: u8 = 0;\npub const NOT_FOUND: u8 = 127;\nconst X: u8 = 9;\n");
    assert_eq!(codes.len(), 2);
    let named = "## Exit codes\n| 0 | fine |\n| `127` | not found |\n## Next\n";
    assert_eq!(missing_codes(named, &codes), [""; 0]);
    let elsewhere = "127 programs\n## Exit codes\n| 0 | fine |\n## Next\n127\n";
    assert_eq!(missing_codes(elsewhere, &codes), ["127 (NOT_FOUND)"]);
    assert_eq!(missing_codes("no such section: 0, 127", &codes).len(), 2);
}

#[test]
fn the_code_map_names_every_module() {
    let map = document("ARCHITECTURE.md").expect("ARCHITECTURE.md describes the modules");
    for module in modules_of_the_crate() {
        let named =
            [format!("`src/{module}.rs`"), format!("`src/{module}/`")].iter().any(|name| map.contains(name));
        assert!(named, "ARCHITECTURE.md lacks `src/{module}.rs` or `src/{module}/`");
    }
}
