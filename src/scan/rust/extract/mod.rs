//! From the syntax tree of one file to its [`FileFacts`]. Knows syntax and scopes; no other file, no library.
//!
//! Runs inside the worker that parsed the file: syn's tree cannot leave its thread.

mod body;
mod control;
mod expr;
mod items;
mod macros;
mod pattern;
mod types;

use proc_macro2::Span;
use rustc_hash::FxHashMap;

use super::facts::{
    Call, CallAt, Event, FileFacts, Function, FunctionAt, Local, LoopFact, Scope, ScopeAt, Spot, Sym, Value,
    ValueAt,
};
use crate::scan::source::SourceFile;

/// Reads the facts of a file; `skipped` bytes in front of the tree were left out.
pub(super) fn facts(file: &SourceFile, tree: &syn::File, skipped: u32) -> FileFacts {
    let mut reader = Reader::new(file, skipped);
    reader.items(&tree.items);
    reader.facts
}

/// A name that is a variable.
#[derive(Debug, Clone, Copy)]
struct Variable {
    name: Sym,
    local: Local,
    value: ValueAt,
}

/// A body that is being read.
#[derive(Debug, Default)]
struct Frame {
    function: FunctionAt,
    events: Vec<Event>,
    loops: Vec<LoopFact>,
    /// Loops around the current place, innermost last.
    open_loops: Vec<u32>,
    error_path: u32,
    guarded: u32,
    first_call: u32,
    in_select: u32,
    in_macro: u32,
}

/// Reads one file.
struct Reader<'a> {
    file: &'a SourceFile,
    skipped: u32,
    facts: FileFacts,
    symbols: FxHashMap<Box<str>, Sym>,
    scope: ScopeAt,
    /// Type parameters in sight, innermost last.
    generics: Vec<(Sym, ValueAt)>,
    owner: Option<ValueAt>,
    of_trait: Option<Sym>,
    test: bool,
    frames: Vec<Frame>,
    variables: Vec<Variable>,
    next_local: u32,
    /// What the closure that is an argument of the current method call is likely to get.
    handed: ValueAt,
    /// What the last `let` in a condition was matched with.
    matched: ValueAt,
}

impl<'a> Reader<'a> {
    fn new(file: &'a SourceFile, skipped: u32) -> Self {
        let facts = FileFacts::of(&file.path);
        Self {
            file,
            skipped,
            facts,
            symbols: FxHashMap::default(),
            scope: ScopeAt(0),
            generics: Vec::new(),
            owner: None,
            of_trait: None,
            test: false,
            frames: Vec::new(),
            variables: Vec::new(),
            next_local: 0,
            handed: UNKNOWN,
            matched: UNKNOWN,
        }
    }

    fn sym(&mut self, text: &str) -> Sym {
        if let Some(sym) = self.symbols.get(text) {
            return *sym;
        }
        let sym = Sym(self.facts.names.len() as u32);
        self.facts.names.push(text.into());
        self.symbols.insert(text.into(), sym);
        sym
    }

    fn ident(&mut self, ident: &syn::Ident) -> Sym {
        let text = ident.to_string();
        self.sym(text.strip_prefix("r#").unwrap_or(&text))
    }

    fn value(&mut self, value: Value) -> ValueAt {
        if value == Value::Unknown {
            return UNKNOWN;
        }
        self.facts.values.push(value);
        ValueAt(self.facts.values.len() as u32 - 1)
    }

    fn scope_mut(&mut self) -> &mut Scope {
        let at = self.scope.at();
        &mut self.facts.scopes[at]
    }

    /// Opens a scope below the current one and makes it the current one; returns the one before.
    fn enter_scope(&mut self, name: Option<Sym>, block: bool) -> ScopeAt {
        let scope = Scope { parent: Some(self.scope), name, block, test: self.test, ..Scope::default() };
        self.facts.scopes.push(scope);
        let here = ScopeAt(self.facts.scopes.len() as u32 - 1);
        std::mem::replace(&mut self.scope, here)
    }

    /// Where the tokens from one to another stand.
    fn spot(&self, first: Span, last: Span) -> Spot {
        let start = first.byte_range().start as u32 + self.skipped;
        let end = last.byte_range().end as u32 + self.skipped;
        let place = (start, end.max(start));
        Spot { bytes: place, start: self.file.position(place.0), end: self.file.position(place.1) }
    }

    fn add_function(&mut self, function: Function) -> FunctionAt {
        self.facts.functions.push(function);
        FunctionAt(self.facts.functions.len() as u32 - 1)
    }

    fn add_call(&mut self, call: Call) -> CallAt {
        self.facts.calls.push(call);
        CallAt(self.facts.calls.len() as u32 - 1)
    }
}

/// The value of which nothing is known.
const UNKNOWN: ValueAt = ValueAt(0);
