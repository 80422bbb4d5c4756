//! What a path means: the modules of all crates of the project, their imports and re-exports. Knows no bodies.
//!
//! Files are all there is: a crate is a directory with `src/lib.rs` and goes by that directory's name, as nearly all
//! do; a module is where a `mod` declares it, or where its path says, if a macro hides the declaration.

mod layout;

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use super::facts::{FileFacts, FunctionAt, Item, ScopeAt, Sym, TypeAt};
use super::vocabulary::prelude;
use crate::catalog::{Catalog, Language};
use layout::{directory, for_tests, inline_path, join_path, module_directory, target};

/// A scope of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ScopeId(pub(super) u32);

/// A function of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FunctionId {
    pub(super) file: u32,
    pub(super) at: FunctionAt,
}

/// A type definition of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TypeId {
    pub(super) file: u32,
    pub(super) at: TypeAt,
}

/// A name from outside of the project, qualified: an index into the table of [`Names::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Text(u32);

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Def {
    Module(ScopeId),
    Function(FunctionId),
    Type(TypeId),
    /// A constant or static: file, index.
    Static(u32, u32),
    /// A variant or function of a type.
    Member(TypeId, Text),
    /// Outside of the project.
    External(Text),
}

struct ScopeInfo<'f> {
    file: u32,
    /// The module or block around it.
    parent: Option<ScopeId>,
    block: bool,
    root: ScopeId,
    name: String,
    items: FxHashMap<&'f str, Def>,
    imports: FxHashMap<&'f str, &'f str>,
    globs: Vec<&'f str>,
}

struct Crate {
    name: String,
    /// The directory of its package, with a `/` at its end unless it is the root of the scan.
    package: String,
    root: ScopeId,
    library: bool,
}

/// External names, by text and by number.
type Texts = (FxHashMap<Box<str>, Text>, Vec<Box<str>>);
/// What paths have been found to mean.
type Found = FxHashMap<(ScopeId, Box<str>), Option<Def>>;

/// The names of the program.
pub(super) struct Names<'f> {
    pub(super) files: &'f [FileFacts],
    catalog: &'f Catalog,
    scopes: Vec<ScopeInfo<'f>>,
    /// The first scope of each file.
    first: Vec<u32>,
    /// Files that are only compiled for tests.
    tests: Vec<bool>,
    crates: Vec<Crate>,
    crate_of: FxHashMap<ScopeId, usize>,
    texts: RefCell<Texts>,
    found: RefCell<Found>,
}

impl<'f> Names<'f> {
    /// Joins the files into crates and modules.
    pub(super) fn new(files: &'f [FileFacts], catalog: &'f Catalog) -> Self {
        let mut names = Self {
            files,
            catalog,
            scopes: Vec::new(),
            first: Vec::new(),
            tests: files.iter().map(|facts| for_tests(&facts.path)).collect(),
            crates: Vec::new(),
            crate_of: FxHashMap::default(),
            texts: RefCell::default(),
            found: RefCell::default(),
        };
        for (file, facts) in files.iter().enumerate() {
            names.add(file as u32, facts);
        }
        names.join();
        names
    }

    fn add(&mut self, file: u32, facts: &'f FileFacts) {
        let first = self.scopes.len() as u32;
        self.first.push(first);
        for scope in &facts.scopes {
            let items = scope.items.iter().map(|(name, item)| {
                let def = match item {
                    Item::Function(at) => Def::Function(FunctionId { file, at: *at }),
                    Item::Type(at) => Def::Type(TypeId { file, at: *at }),
                    Item::Module(at) => Def::Module(ScopeId(first + at.0)),
                    Item::Static(at) => Def::Static(file, *at),
                };
                (facts.text(*name), def)
            });
            let parent = scope.parent.map(|parent| ScopeId(first + parent.0));
            let mut imports = FxHashMap::default();
            let mut globs = Vec::new();
            for import in &scope.imports {
                match import.name {
                    Some(name) => {
                        imports.entry(facts.text(name)).or_insert_with(|| facts.text(import.path));
                    }
                    None => globs.push(facts.text(import.path)),
                }
            }
            self.scopes.push(ScopeInfo {
                file,
                parent,
                block: scope.block,
                root: ScopeId(first),
                name: scope.name.map(|name| facts.text(name).to_owned()).unwrap_or_default(),
                items: items.collect(),
                imports,
                globs,
            });
        }
    }

    /// Finds the crates and follows their `mod` declarations; then places what no declaration reaches.
    fn join(&mut self) {
        let by_path: FxHashMap<&str, u32> =
            self.files.iter().enumerate().map(|(at, facts)| (facts.path.as_ref(), at as u32)).collect();
        let mut placed = vec![false; self.files.len()];
        let mut order: Vec<u32> = (0..self.files.len() as u32).collect();
        order.sort_by_key(|file| {
            let path = &self.files[*file as usize].path;
            (path.matches('/').count(), path.clone())
        });
        for file in &order {
            if let Some((package, library)) = target(&self.files[*file as usize].path) {
                self.crate_at(*file, package.to_owned(), library);
                placed[*file as usize] = true;
            }
        }
        let roots: Vec<u32> = self.crates.iter().map(|c| self.scopes[c.root.0 as usize].file).collect();
        for root in roots {
            self.declared(root, &by_path, &mut placed);
        }
        for file in order {
            if !placed[file as usize] {
                placed[file as usize] = true;
                self.place_by_path(file);
                self.declared(file, &by_path, &mut placed);
            }
        }
    }

    fn crate_at(&mut self, file: u32, package: String, library: bool) {
        let root = ScopeId(self.first[file as usize]);
        let directory = package.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let name = if directory.is_empty() { "crate".to_owned() } else { directory.replace('-', "_") };
        self.scopes[root.0 as usize].name.clone_from(&name);
        self.crate_of.insert(root, self.crates.len());
        self.crates.push(Crate { name, package, root, library });
    }

    fn place_by_path(&mut self, file: u32) {
        let path = &self.files[file as usize].path;
        let home = self
            .crates
            .iter()
            .filter(|c| {
                c.library
                    || self.files[self.scopes[c.root.0 as usize].file as usize].path.ends_with("main.rs")
            })
            .filter(|c| path.strip_prefix(c.package.as_str()).is_some_and(|rest| rest.starts_with("src/")))
            .max_by_key(|c| (c.package.len(), c.library));
        let scope = ScopeId(self.first[file as usize]);
        let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
        if let Some(home) = home {
            let name = stem[home.package.len() + "src/".len()..].replace('/', "::");
            let root = home.root;
            self.adopt(scope, root, name);
        } else {
            let name = stem.rsplit('/').next().unwrap_or(stem).to_owned();
            self.scopes[scope.0 as usize].name = name;
        }
    }

    /// Makes the file of `scope` a module below `parent`.
    fn adopt(&mut self, scope: ScopeId, parent: ScopeId, name: String) {
        let root = self.scopes[parent.0 as usize].root;
        let info = &mut self.scopes[scope.0 as usize];
        info.parent = Some(parent);
        info.name = name;
        let file = info.file as usize;
        let first = self.first[file] as usize;
        for scope in &mut self.scopes[first..first + self.files[file].scopes.len()] {
            scope.root = root;
        }
    }

    fn declared(&mut self, file: u32, by_path: &FxHashMap<&str, u32>, placed: &mut [bool]) {
        let mut pending = vec![file];
        while let Some(file) = pending.pop() {
            let facts = &self.files[file as usize];
            let first = self.first[file as usize];
            for (at, scope) in facts.scopes.iter().enumerate() {
                for (name, path, test) in &scope.declared {
                    let module = facts.text(*name);
                    let candidates = if let Some(path) = path {
                        vec![join_path(&directory(&facts.path), facts.text(*path))]
                    } else {
                        let is_root = self.crate_of.contains_key(&ScopeId(first));
                        let inner = inline_path(facts, ScopeAt(at as u32));
                        let base = format!("{}{inner}", module_directory(facts, is_root));
                        vec![format!("{base}{module}.rs"), format!("{base}{module}/mod.rs")]
                    };
                    let Some(child) = candidates.iter().find_map(|path| by_path.get(path.as_str())) else {
                        continue;
                    };
                    if placed[*child as usize] {
                        continue;
                    }
                    placed[*child as usize] = true;
                    let parent = ScopeId(first + at as u32);
                    let scope = ScopeId(self.first[*child as usize]);
                    self.adopt(scope, parent, module.to_owned());
                    self.tests[*child as usize] |= *test || self.tests[file as usize];
                    self.scopes[parent.0 as usize].items.entry(module).or_insert(Def::Module(scope));
                    pending.push(*child);
                }
            }
        }
    }

    /// Whether a file is only there for tests, benchmarks or examples.
    pub(super) fn is_test(&self, file: u32) -> bool {
        self.tests[file as usize]
    }

    /// The scope of a file.
    pub(super) fn scope(&self, file: u32, at: ScopeAt) -> ScopeId {
        ScopeId(self.first[file as usize] + at.0)
    }

    /// The text of an external name.
    pub(super) fn text(&self, text: Text) -> Box<str> {
        self.texts.borrow().1[text.0 as usize].clone()
    }

    /// An external name.
    pub(super) fn intern(&self, text: &str) -> Text {
        let mut texts = self.texts.borrow_mut();
        if let Some(found) = texts.0.get(text) {
            return *found;
        }
        let made = Text(texts.1.len() as u32);
        texts.1.push(text.into());
        texts.0.insert(text.into(), made);
        made
    }

    /// An external name; `core` and `alloc` are `std`, as their items are.
    fn external(&self, path: &str) -> Def {
        let path = path.trim_start_matches("::");
        for alias in ["core::", "alloc::"] {
            if let Some(rest) = path.strip_prefix(alias) {
                return Def::External(self.intern(&format!("std::{rest}")));
            }
        }
        Def::External(self.intern(path))
    }

    /// The module that a scope stands in, qualified: `crate_name::module`.
    pub(super) fn module_name(&self, scope: ScopeId) -> String {
        let mut parts = Vec::new();
        let mut at = Some(scope);
        while let Some(scope) = at {
            let info = &self.scopes[scope.0 as usize];
            if !info.block && !info.name.is_empty() {
                parts.push(info.name.as_str());
            }
            at = info.parent;
        }
        parts.reverse();
        parts.join("::")
    }

    /// Whether a scope, or one around it, has imported something whose path begins so.
    pub(super) fn imports_of(&self, scope: ScopeId, module: &str) -> bool {
        let mut at = Some(scope);
        while let Some(scope) = at {
            let info = &self.scopes[scope.0 as usize];
            if info.globs.iter().chain(info.imports.values()).any(|path| path.starts_with(module)) {
                return true;
            }
            at = info.parent;
        }
        false
    }

    /// What a path means in a scope.
    pub(super) fn resolve(&self, scope: ScopeId, path: &str) -> Option<Def> {
        let key = (scope, Box::from(path));
        if let Some(found) = self.found.borrow().get(&key) {
            return *found;
        }
        // While it is looked for it leads nowhere: imports may lead back to themselves.
        self.found.borrow_mut().insert(key.clone(), None);
        let found = stacker::maybe_grow(64 << 10, 2 << 20, || self.follow(scope, path));
        self.found.borrow_mut().insert(key, found);
        found
    }

    fn follow(&self, scope: ScopeId, path: &str) -> Option<Def> {
        let (first, rest) = path.split_once("::").unwrap_or((path, ""));
        let def = match first {
            "" => {
                let (name, rest) = rest.split_once("::").unwrap_or((rest, ""));
                let def = self.extern_crate(self.scopes[scope.0 as usize].root, name, rest)?;
                return self.below(def, rest);
            }
            "crate" | "$crate" => Def::Module(self.scopes[scope.0 as usize].root),
            "self" => Def::Module(self.module_of(scope)),
            "super" => Def::Module(self.above(self.module_of(scope))),
            name => self
                .in_sight(scope, name, rest.is_empty())
                .or_else(|| self.extern_crate(self.scopes[scope.0 as usize].root, name, rest))?,
        };
        self.below(def, rest)
    }

    fn of_type(&self, ty: TypeId, part: &str) -> Def {
        Def::Member(ty, self.intern(part))
    }

    fn module_of(&self, scope: ScopeId) -> ScopeId {
        let mut at = scope;
        while self.scopes[at.0 as usize].block {
            match self.scopes[at.0 as usize].parent {
                Some(parent) => at = parent,
                None => break,
            }
        }
        at
    }

    fn above(&self, module: ScopeId) -> ScopeId {
        self.scopes[module.0 as usize].parent.map_or(module, |parent| self.module_of(parent))
    }

    /// A name as it is seen from inside of a scope.
    fn in_sight(&self, scope: ScopeId, name: &str, last: bool) -> Option<Def> {
        let mut at = scope;
        loop {
            if let Some(def) = self.member(at, name, last) {
                return Some(def);
            }
            let info = &self.scopes[at.0 as usize];
            if !info.block {
                break;
            }
            at = info.parent?;
        }
        prelude(name).map(|path| self.external(path))
    }

    /// A name of a module: defined, imported, or let in by a glob. Where it is not the `last` of a path it must be
    /// something with names in it; where it is, a function is meant before the module of the same name.
    fn member(&self, module: ScopeId, name: &str, last: bool) -> Option<Def> {
        let info = &self.scopes[module.0 as usize];
        let defined = info.items.get(name).copied();
        if let Some(def) = defined
            && !(last && matches!(def, Def::Module(_)))
        {
            return Some(def);
        }
        if let Some(path) = info.imports.get(name) {
            let found = if path.split("::").next() != Some(name) {
                self.resolve(module, path)
            } else if let Some(inner @ Def::Module(_)) = defined {
                self.below(inner, path[name.len()..].trim_start_matches("::"))
            } else {
                // `use x::x`, or `use x` in the 2018 edition: the crate, not the name itself.
                let root = info.root;
                let rest = path[name.len()..].trim_start_matches("::");
                self.extern_crate(root, name, rest).and_then(|def| self.below(def, rest))
            };
            return Some(found.unwrap_or_else(|| self.external(path)));
        }
        defined.or_else(|| self.through_globs(module, name, last))
    }

    fn through_globs(&self, module: ScopeId, name: &str, last: bool) -> Option<Def> {
        self.scopes[module.0 as usize].globs.iter().find_map(|path| match self.resolve(module, path)? {
            Def::Module(other) if other != module => {
                // Globs may lead in circles: while a name is looked for it leads nowhere.
                let key = (other, format!("{name}{}", if last { "*" } else { "::*" }).into_boxed_str());
                if let Some(found) = self.found.borrow().get(&key) {
                    return *found;
                }
                self.found.borrow_mut().insert(key.clone(), None);
                let found = self.member(other, name, last);
                if found.is_none() {
                    self.found.borrow_mut().remove(&key);
                }
                found
            }
            Def::Type(ty) => {
                let facts = &self.files[ty.file as usize];
                let variant = format!("{name}.");
                let fields = &facts.types[ty.at.at()].fields;
                let known = fields.iter().any(|(field, ..)| facts.text(*field).starts_with(&variant));
                known.then(|| self.of_type(ty, name))
            }
            Def::External(text) => {
                let path = format!("{}::{name}", self.text(text));
                self.catalog.knows(Language::Rust, &path).then(|| self.external(&path))
            }
            _ => None,
        })
    }

    /// What the rest of a path means below something; the thing itself where there is no rest.
    fn below(&self, def: Def, rest: &str) -> Option<Def> {
        let mut def = def;
        let mut parts = rest.split("::").filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            def = match def {
                Def::Module(module) if part == "super" => Def::Module(self.above(module)),
                Def::Module(module) if part == "self" => Def::Module(module),
                Def::Module(module) => self.member(module, part, parts.peek().is_none())?,
                Def::Type(ty) => self.of_type(ty, part),
                Def::External(text) => self.external(&format!("{}::{part}", self.text(text))),
                Def::Member(..) | Def::Function(_) | Def::Static(..) => return None,
            };
        }
        Some(def)
    }

    /// A crate by its name: one of the project, or one from outside.
    fn extern_crate(&self, root: ScopeId, name: &str, rest: &str) -> Option<Def> {
        if matches!(name, "std" | "core" | "alloc") {
            return Some(self.external(name));
        }
        let libraries = || self.crates.iter().filter(|c| c.library);
        if let Some(found) = libraries().find(|c| c.name == name) {
            return Some(Def::Module(found.root));
        }
        if !name.chars().next().is_some_and(|c| c.is_lowercase() || c == '_')
            || rest.is_empty() && name.len() < 2
        {
            return None;
        }
        // A package need not be called like its directory: take it at its word if what is asked for is there.
        let next = rest.split("::").next().unwrap_or_default();
        let here = self.crate_of.get(&root).map(|at| &self.crates[*at]);
        let fits = |c: &&Crate| {
            let asked = self.scopes[c.root.0 as usize].items.contains_key(next)
                || self.scopes[c.root.0 as usize].imports.contains_key(next);
            let own = here.is_some_and(|here| !here.library && here.package == c.package);
            let suffix =
                c.name.len() > 2 && name.strip_suffix(c.name.as_str()).is_some_and(|p| p.ends_with('_'));
            asked && (own || suffix)
        };
        if !next.is_empty()
            && let Some(found) = libraries().find(fits)
        {
            return Some(Def::Module(found.root));
        }
        Some(self.external(name))
    }

    /// The text of a symbol of a file.
    pub(super) fn sym(&self, file: u32, sym: Sym) -> &'f str {
        self.files[file as usize].text(sym)
    }
}
