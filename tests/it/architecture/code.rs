//! What a file does: `unsafe`, printing, ending the process, deriving a format.

use syn::visit::{self, Visit};

use super::paths::{is_for_tests, is_test_file};

/// Starting a process and asking the kernel for what no safe crate offers.
const UNSAFE: &[&str] = &["profile/launch.rs", "profile/sys.rs", "profile/source/perf/ring.rs"];
/// Modules whose types are ours alone: what is written or read has types of its own.
const INTERNAL: &[&str] = &["wait", "machine", "profile", "facts", "advice"];

/// Where a format of ours is defined inside such a module: recordings, for tests.
const FORMATS: &[&str] = &[
    "profile/source/replay/wire.rs",
    "profile/source/replay/wire/machine.rs",
    "profile/source/replay/wire/sources.rs",
];

/// `unsafe` outside of the files that may have it.
pub(super) fn unsafe_elsewhere(file: &str, source: &str) -> Vec<String> {
    if UNSAFE.contains(&file) { Vec::new() } else { seen(file, source).unsafety }
}

/// Printing and ending the process anywhere but in `main.rs`; tests may print.
pub(super) fn prints_and_exits(file: &str, source: &str) -> Vec<String> {
    if file == "main.rs" || is_test_file(file) { Vec::new() } else { seen(file, source).effects }
}

/// Internal types that derive a serialisation.
pub(super) fn serialized_internals(file: &str, source: &str) -> Vec<String> {
    let module = file.split(['/', '.']).next().unwrap_or_default();
    if INTERNAL.contains(&module) && !FORMATS.contains(&file) {
        seen(file, source).formats
    } else {
        Vec::new()
    }
}

fn seen(file: &str, source: &str) -> Seen {
    let tree = syn::parse_file(source).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut seen = Seen::default();
    seen.visit_file(&tree);
    seen
}

#[derive(Default)]
struct Seen {
    unsafety: Vec<String>,
    effects: Vec<String>,
    formats: Vec<String>,
}

impl<'ast> Visit<'ast> for Seen {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let effects = self.effects.len();
        visit::visit_item_mod(self, item);
        if is_for_tests(&item.attrs) {
            self.effects.truncate(effects);
        }
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.unsafety.push("an unsafe block".to_owned());
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if matches!(signature.safety, syn::Safety::Unsafe(_)) {
            self.unsafety.push(format!("unsafe fn {}", signature.ident));
        }
        visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if item.unsafety.is_some() {
            self.unsafety.push("an unsafe impl".to_owned());
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_item_foreign_mod(&mut self, item: &'ast syn::ItemForeignMod) {
        self.unsafety.push("a foreign function".to_owned());
        visit::visit_item_foreign_mod(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let Ok(list) = attribute.meta.require_list() else { return };
        let words = list.tokens.to_string();
        if (list.path.is_ident("allow") || list.path.is_ident("expect")) && words.contains("unsafe_code") {
            self.unsafety.push("unsafe code is allowed".to_owned());
        }
        let serialize = words.split([',', ' ', ':']).any(|word| word == "Serialize");
        if list.path.is_ident("derive") && serialize {
            self.formats.push(format!("derive({words}): public formats have types of their own"));
        }
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let name = item.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if matches!(name.as_str(), "print" | "println" | "eprint" | "eprintln" | "dbg") {
            self.effects.push(format!("{name}!"));
        }
        if item.tokens.to_string().replace(' ', "").contains("process::exit(") {
            self.effects.push("process::exit".to_owned());
        }
        visit::visit_macro(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.ends_with(&["process".to_owned(), "exit".to_owned()]) {
            self.effects.push("process::exit".to_owned());
        }
        visit::visit_path(self, path);
    }

    fn visit_use_path(&mut self, path: &'ast syn::UsePath) {
        let exits = |tree: &syn::UseTree| matches!(tree, syn::UseTree::Name(name) if name.ident == "exit");
        let found = match &*path.tree {
            syn::UseTree::Group(group) => group.items.iter().any(exits),
            tree => exits(tree),
        };
        if path.ident == "process" && found {
            self.effects.push("imports process::exit".to_owned());
        }
        visit::visit_use_path(self, path);
    }
}

#[test]
fn unsafe_is_found_in_every_form_and_allowed_where_it_belongs() {
    for wrong in [
        "fn f() { unsafe { g() } }",
        "unsafe fn f() {}",
        "unsafe impl Send for X {}",
        "unsafe extern \"C\" { fn fork() -> i32; }",
        "#[allow(unsafe_code)] fn f() {}",
    ] {
        assert_eq!(unsafe_elsewhere("machine/cpus.rs", wrong).len(), 1, "{wrong}");
        assert_eq!(unsafe_elsewhere("profile/launch.rs", wrong), [""; 0], "{wrong}");
    }
    assert_eq!(unsafe_elsewhere("machine/cpus.rs", "// unsafe\nfn f() { g(\"unsafe\") }"), [""; 0]);
}

#[test]
fn printing_and_exiting_are_found_and_left_to_main() {
    for wrong in [
        "fn f() { println!(\"x\"); }",
        "fn f() { anstream::eprintln!(\"x\"); }",
        "fn f() { std::process::exit(1); }",
        "use std::process::{Command, exit};",
        "fn f() { dbg!(1); }",
    ] {
        assert_eq!(prints_and_exits("report/text.rs", wrong).len(), 1, "{wrong}");
        assert_eq!(prints_and_exits("main.rs", wrong), [""; 0], "{wrong}");
    }
    let harmless =
        "use crate::exit; fn f() { writeln!(out, \"x\"); } #[cfg(test)] mod tests { fn t() { println!(); } }";
    assert_eq!(prints_and_exits("report/text.rs", harmless), [""; 0]);
}

#[test]
fn a_derived_format_is_found_in_internal_types() {
    let derived = "#[derive(Debug, serde::Serialize)] struct Machine;";
    assert_eq!(serialized_internals("machine/mod.rs", derived).len(), 1);
    assert_eq!(serialized_internals("report/json/v1.rs", derived), [""; 0]);
    assert_eq!(serialized_internals("machine/mod.rs", "#[derive(Debug)] struct Serialize;"), [""; 0]);
}
