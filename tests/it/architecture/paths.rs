//! Which other modules a file names: by `use`, by an inline path, or inside a macro.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use super::ARROWS;

/// Modules that must give the same bytes for the same input. Loading YAML from a directory is the one exception.
const PURE: &[&str] =
    &["units", "wait", "yaml", "finding", "catalog", "facts", "rules", "advice", "join", "report"];
const READS_FILES: &[&str] = &["yaml/load.rs"];
/// What would make them depend on something else than their input.
const OUTSIDE: &[&str] =
    &["std::fs", "std::env", "std::net", "std::process", "std::time::Instant", "std::time::SystemTime"];

/// Uses of modules that stand right of this one.
pub(super) fn wrong_arrows(file: &str, source: &str) -> Vec<String> {
    let here = module_of(file);
    let Some((_, allowed)) = ARROWS.iter().find(|(module, _)| *module == here) else {
        return vec![format!("module {here} has no row in ARROWS (tests/it/architecture.rs)")];
    };
    let mut breaches = BTreeMap::new();
    for path in paths_in(file, source) {
        let used = match path.split("::").collect::<Vec<_>>().as_slice() {
            ["crate"] | ["crate", "*", ..] => "everything",
            ["crate", used, ..] => used,
            ["boundby", used, ..] if here == "main" => used,
            _ => continue,
        };
        if used != here && !allowed.contains(&used) {
            breaches.entry(used.to_owned()).or_insert_with(|| path.clone());
        }
    }
    breaches.iter().map(|(used, path)| format!("{here} must not use {used} ({path})")).collect()
}

/// Paths out of a pure module into the world.
pub(super) fn impure(file: &str, source: &str) -> Vec<String> {
    if !PURE.contains(&module_of(file).as_str()) || READS_FILES.contains(&file) || is_test_file(file) {
        return Vec::new();
    }
    let reaches_out = |path: &String| {
        OUTSIDE.iter().any(|outside| {
            path.strip_prefix(outside).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    };
    let paths: BTreeSet<String> = paths_in(file, source).into_iter().filter(reaches_out).collect();
    paths.into_iter().map(|path| format!("{path} in a module that must be pure")).collect()
}

/// `src/tests.rs` and kin: the out-of-line form of `#[cfg(test)] mod tests`.
pub(super) fn is_test_file(file: &str) -> bool {
    file == "tests.rs" || file.ends_with("/tests.rs") || file.contains("/tests/")
}

/// Whether an item is compiled for tests only.
pub(super) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn module_of(file: &str) -> String {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

/// Every path of a file, from the crate root where it can be told; code for tests left out where it reaches out of
/// the crate.
fn paths_in(file: &str, source: &str) -> Vec<String> {
    let tree = syn::parse_file(source).unwrap_or_else(|error| panic!("{file}: {error}"));
    let trimmed = file.strip_suffix(".rs").unwrap_or(file);
    let mut place: Vec<String> = trimmed.split('/').map(str::to_owned).collect();
    if place.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        place.pop();
    }
    let mut collector = Collector { place, paths: Vec::new(), in_tests: false };
    collector.visit_file(&tree);
    collector.paths
}

struct Collector {
    /// The module the visitor is in, from the crate root.
    place: Vec<String>,
    paths: Vec<String>,
    in_tests: bool,
}

impl Collector {
    fn add(&mut self, segments: &[String]) {
        let mut place = self.place.clone();
        let mut rest = segments;
        let mut relative = false;
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "self" => {}
                "super" => {
                    place.pop();
                }
                _ => break,
            }
            relative = true;
            rest = others;
        }
        let mut path: Vec<&str> = Vec::new();
        if relative {
            path.push("crate");
            path.extend(place.iter().map(String::as_str));
        }
        path.extend(rest.iter().map(String::as_str));
        let outside = path.first() != Some(&"crate");
        if !(outside && self.in_tests) {
            self.paths.push(path.join("::"));
        }
    }

    fn add_use(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_use(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.add_use(prefix, item)),
            syn::UseTree::Name(name) => self.add_leaf(prefix, name.ident.to_string()),
            syn::UseTree::Rename(rename) => self.add_leaf(prefix, rename.ident.to_string()),
            syn::UseTree::Glob(_) => self.add_leaf(prefix, "*".to_owned()),
        }
    }

    fn add_leaf(&mut self, prefix: &[String], leaf: String) {
        let mut segments = prefix.to_vec();
        // `use a::{self}` names `a`.
        if leaf != "self" || prefix.is_empty() {
            segments.push(leaf);
        }
        self.add(&segments);
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(&mut Vec::new(), &item.tree);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let outer = self.in_tests;
        self.in_tests |= is_for_tests(&item.attrs);
        self.place.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.place.pop();
        self.in_tests = outer;
    }

    /// `pub(crate)` and `pub(super)` look like paths and use nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments);
        visit::visit_path(self, path);
    }

    /// The arguments of a macro are tokens; printed, a path stands there as `crate :: facts :: Facts`.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let text = item.tokens.to_string().replace(" :: ", "::");
        let is_path_character = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        for path in text.split(|c| !is_path_character(c)).filter(|path| path.contains("::")) {
            let segments: Vec<String> = path.split("::").map(str::to_owned).collect();
            self.add(&segments);
        }
        visit::visit_macro(self, item);
    }
}

#[test]
fn a_wrong_arrow_is_found_however_it_is_written() {
    for wrong in [
        "use crate::advice::Strategy;",
        "use crate::{wait, advice::{self, Strategy}};",
        "use crate::advice as harmless;",
        "fn f() -> crate::advice::Strategy { loop {} }",
        "fn f() { let _ = crate::advice::types::Strategy::ALL; }",
        "use super::super::advice::Strategy;",
        "use super::super::{wait, advice};",
        "fn f() { super::super::advice::advise(); }",
        "fn f() { println!(\"{}\", crate::advice::NAME); }",
        "mod inner { use super::super::super::advice; }",
        "#[cfg(test)] mod tests { use crate::advice; }",
        "macro_rules! m { () => { $crate::advice::advise() } }",
    ] {
        let found = wrong_arrows("profile/sampler.rs", wrong);
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
        assert!(found[0].contains("profile must not use advice"), "{found:?}");
    }
    assert_eq!(wrong_arrows("wait.rs", "use crate::*;").len(), 1);
    assert_eq!(wrong_arrows("main.rs", "fn main() { boundby::profile::run(); }").len(), 1);
    assert!(wrong_arrows("novelty/mod.rs", "")[0].contains("no row in ARROWS"));
}

#[test]
fn right_arrows_are_left_alone() {
    let source = "use crate::wait::{Book, WaitKind}; use super::model::Profile; use self::inner::X; \
                  use std::advice::X; mod inner { use super::super::model; pub struct X; } \
                  fn f() { advice::local(); crate::units::seconds(1.0); }";
    assert_eq!(wrong_arrows("profile/sampler.rs", source), [""; 0]);
    assert_eq!(wrong_arrows("commands/profile.rs", "use crate::{advice, cli, exit, report};"), [""; 0]);
    assert_eq!(wrong_arrows("main.rs", "use boundby::{cli, commands, exit}; fn main() {}"), [""; 0]);
}

#[test]
fn a_pure_module_that_looks_outside_is_found() {
    for wrong in [
        "use std::time::{Duration, Instant};",
        "fn f() { std::env::var(\"HOME\").ok(); }",
        "use std::{fs, io};",
        "fn f() { format!(\"{:?}\", std::time::SystemTime::now()); }",
    ] {
        assert_eq!(impure("report/text.rs", wrong).len(), 1, "{wrong}");
        assert_eq!(impure("profile/sampler.rs", wrong), [""; 0], "measuring reads clocks and files");
    }
    let harmless = "use std::time::Duration; use std::fmt; #[cfg(test)] mod tests { use std::fs; }";
    assert_eq!(impure("report/text.rs", harmless), [""; 0]);
}
