//! Where in a file the walk is: what stands around the node at hand. This is what a pattern asks. Knows the tree and
//! the names of one file; must not know rules, severities or other files.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use ruff_python_ast::{ExceptHandler, Expr, ExprCall, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::language::is_test;
use super::resolve::Names;
use super::scope::{ScopeId, ScopeKind, last_part};
use crate::finding::{Mitigation, Observation, Place};
use crate::scan::Thresholds;
use crate::scan::source::SourceFile;

/// A node around the one at hand.
#[derive(Debug, Clone, Copy)]
pub enum Ancestor<'a> {
    /// A statement.
    Statement(&'a Stmt),
    /// An expression.
    Expression(&'a Expr),
    /// `except …:`.
    Handler(&'a ExceptHandler),
}

/// A loop around the node at hand.
#[derive(Debug, Clone, Copy)]
pub enum Loop<'a> {
    /// `for` and `async for`.
    For(&'a ruff_python_ast::StmtFor),
    /// `while`.
    While(&'a ruff_python_ast::StmtWhile),
    /// The comprehension whose element or condition it is.
    Comprehension(&'a Expr),
}

/// Where the walk is.
#[derive(Debug)]
pub struct Context<'a> {
    /// The file.
    pub file: &'a SourceFile,
    /// Its names and types.
    pub names: &'a Names<'a>,
    /// What the rules tell detectors.
    pub thresholds: &'a Thresholds,
    pub(super) scope: ScopeId,
    pub(super) ancestors: Vec<Ancestor<'a>>,
    pub(super) observations: Vec<Observation>,
    /// The call that detectors are asked about, the scope it stands in, and its name once one of them wanted it.
    called: Option<(&'a ExprCall, ScopeId, OnceCell<Option<String>>)>,
    /// What the text was searched for, and whether it was there.
    mentioned: RefCell<Vec<(&'static str, bool)>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(file: &'a SourceFile, names: &'a Names<'a>, thresholds: &'a Thresholds) -> Self {
        Self {
            file,
            names,
            thresholds,
            scope: ScopeId::MODULE,
            ancestors: Vec::new(),
            observations: Vec::new(),
            called: None,
            mentioned: RefCell::default(),
        }
    }

    /// Detectors are to be asked about this call: its name is found out once for all of them.
    pub(super) fn meet(&mut self, call: &'a ExprCall) {
        self.called = Some((call, self.scope, OnceCell::new()));
    }

    /// The scope names are looked up in here.
    #[must_use]
    pub fn scope(&self) -> ScopeId {
        self.scope
    }

    /// The qualified name of an expression standing here: see [`Names::resolve`].
    #[must_use]
    pub fn resolve(&self, expression: &Expr) -> Option<String> {
        self.names.resolve(expression, self.scope)
    }

    /// The qualified name of what a call standing here calls.
    #[must_use]
    pub fn callee(&self, call: &ExprCall) -> Option<String> {
        let name = || self.resolve(&call.func);
        match &self.called {
            Some((met, scope, known)) if std::ptr::eq(*met, call) && *scope == self.scope => {
                known.get_or_init(name).clone()
            }
            _ => name(),
        }
    }

    /// The qualified type of an expression standing here: see [`Names::type_of`].
    #[must_use]
    pub fn type_of(&self, expression: &Expr) -> Option<String> {
        self.names.type_of(expression, self.scope)
    }

    /// Whether these characters stand anywhere in the file: the cheapest question of all, however often it is asked.
    #[must_use]
    pub fn mentions(&self, words: &'static str) -> bool {
        let mut mentioned = self.mentioned.borrow_mut();
        if let Some((_, there)) = mentioned.iter().find(|(asked, _)| *asked == words) {
            return *there;
        }
        let there = self.file.mentions(words);
        mentioned.push((words, there));
        there
    }

    /// What stands around the node at hand, the innermost first, up to the module. The node itself is not among them.
    pub fn ancestors(&self) -> impl Iterator<Item = Ancestor<'a>> {
        self.ancestors.iter().rev().copied()
    }

    /// As [`ancestors`](Self::ancestors), but only those that run together with the node: up to the function, lambda
    /// or class around it, which is left out.
    pub fn around(&self) -> impl Iterator<Item = Ancestor<'a>> {
        self.ancestors().take_while(|ancestor| {
            !matches!(
                ancestor,
                Ancestor::Statement(Stmt::FunctionDef(_) | Stmt::ClassDef(_))
                    | Ancestor::Expression(Expr::Lambda(_))
            )
        })
    }

    /// The node directly around the one at hand.
    #[must_use]
    pub fn parent(&self) -> Option<Ancestor<'a>> {
        self.ancestors.last().copied()
    }

    /// The statement the node at hand is part of, or is.
    #[must_use]
    pub fn statement(&self) -> Option<&'a Stmt> {
        self.ancestors().find_map(|ancestor| match ancestor {
            Ancestor::Statement(statement) => Some(statement),
            _ => None,
        })
    }

    /// The function whose code this is; `None` in a lambda, in the body of a class and at module level.
    #[must_use]
    pub fn function(&self) -> Option<&'a StmtFunctionDef> {
        match self.names.scopes.get(self.names.scopes.running(self.scope)).kind {
            ScopeKind::Function(function) => Some(function),
            _ => None,
        }
    }

    /// The class whose method, or body, this is.
    #[must_use]
    pub fn class(&self) -> Option<&'a StmtClassDef> {
        let mut here = Some(self.scope);
        while let Some(id) = here {
            if let ScopeKind::Class(class) = self.names.scopes.get(id).kind {
                return Some(class);
            }
            here = self.names.scopes.get(id).parent;
        }
        None
    }

    /// Whether this code runs on an event loop because an `async def` holds it.
    #[must_use]
    pub fn in_async(&self) -> bool {
        self.function().is_some_and(|function| function.is_async)
    }

    /// Whether the expression at hand is awaited as it stands.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        matches!(self.parent(), Some(Ancestor::Expression(Expr::Await(_))))
    }

    /// Whether the expression at hand is a statement, so that its value is dropped. An `await` around it counts as
    /// part of it.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        let around = self.ancestors().find(|a| !matches!(a, Ancestor::Expression(Expr::Await(_))));
        matches!(around, Some(Ancestor::Statement(Stmt::Expr(_))))
    }

    /// The loops that repeat what stands in this range, the innermost first: not what a `for` iterates over, and not
    /// its `else`.
    pub fn loops(&self, range: TextRange) -> impl Iterator<Item = Loop<'a>> {
        self.around().filter_map(move |ancestor| match ancestor {
            Ancestor::Statement(Stmt::For(each)) => within(&each.body, range).then_some(Loop::For(each)),
            Ancestor::Statement(Stmt::While(until)) => (within(&until.body, range)
                || until.test.range().contains_range(range))
            .then_some(Loop::While(until)),
            Ancestor::Expression(
                whole @ (Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_)),
            ) => {
                let first = match whole {
                    Expr::ListComp(list) => list.generators.first(),
                    Expr::SetComp(set) => set.generators.first(),
                    Expr::DictComp(dict) => dict.generators.first(),
                    Expr::Generator(generator) => generator.generators.first(),
                    _ => None,
                };
                let once = first.is_some_and(|first| first.iter.range().contains_range(range));
                (!once).then_some(Loop::Comprehension(whole))
            }
            _ => None,
        })
    }

    /// The `with` statements whose body holds this range, the innermost first.
    pub fn withs(&self, range: TextRange) -> impl Iterator<Item = &'a ruff_python_ast::StmtWith> {
        self.around().filter_map(move |ancestor| match ancestor {
            Ancestor::Statement(Stmt::With(with)) => within(&with.body, range).then_some(with),
            _ => None,
        })
    }

    /// Whether this runs only when an error is handled.
    #[must_use]
    pub fn in_handler(&self) -> bool {
        self.around().any(|ancestor| matches!(ancestor, Ancestor::Handler(_)))
    }

    /// Whether this stands under `if __name__ == "__main__"`, or in a function's own such block.
    #[must_use]
    pub fn under_main_guard(&self) -> bool {
        self.ancestors().any(
            |ancestor| matches!(ancestor, Ancestor::Statement(Stmt::If(test)) if is_main_guard(&test.test)),
        )
    }

    /// Whether this is only for type checkers: under `if TYPE_CHECKING`, outside its `else`.
    #[must_use]
    pub fn for_type_checkers(&self, range: TextRange) -> bool {
        self.ancestors().any(|ancestor| match ancestor {
            Ancestor::Statement(Stmt::If(test)) => {
                last_part(&test.test) == Some("TYPE_CHECKING") && within(&test.body, range)
            }
            _ => false,
        })
    }

    /// The qualified name of the function or class around, or of the module.
    #[must_use]
    pub fn symbol(&self) -> Arc<str> {
        self.symbol_of(self.scope)
    }

    /// As [`symbol`](Self::symbol), for code in another scope of the file.
    #[must_use]
    pub fn symbol_of(&self, scope: ScopeId) -> Arc<str> {
        let inner = self.names.scopes.qualified(self.names.scopes.running(scope));
        match (self.names.module, inner.as_str()) {
            (module, "") => module.into(),
            ("", inner) => inner.into(),
            (module, inner) => format!("{module}.{inner}").into(),
        }
    }

    /// The place of a node.
    #[must_use]
    pub fn place(&self, node: impl Ranged) -> Place {
        self.file.place(node.start().to_u32(), node.end().to_u32())
    }

    /// The source of a node.
    #[must_use]
    pub fn text(&self, node: impl Ranged) -> &'a str {
        self.file.text.get(node.start().to_usize()..node.end().to_usize()).unwrap_or_default()
    }

    /// An observation at a node with nothing filled in but rule, place, symbol and subject.
    #[must_use]
    pub fn observation(&self, rule: &'static str, node: impl Ranged, subject: &str) -> Observation {
        let mitigations = if is_test(&self.file.path) { vec![Mitigation::Test] } else { Vec::new() };
        Observation { mitigations, ..Observation::new(rule, self.place(node), self.symbol(), subject.into()) }
    }

    /// Reports.
    pub fn observe(&mut self, observation: Observation) {
        self.observations.push(observation);
    }
}

/// Whether a range lies in these statements.
#[must_use]
pub fn within(body: &[Stmt], range: TextRange) -> bool {
    match (body.first(), body.last()) {
        (Some(first), Some(last)) => first.start() <= range.start() && range.end() <= last.end(),
        _ => false,
    }
}

/// `__name__ == "__main__"`.
#[must_use]
pub fn is_main_guard(test: &Expr) -> bool {
    let Expr::Compare(compare) = test else { return false };
    let sides = [Some(&*compare.left), compare.comparators.first()];
    let is_name = |side: &&Expr| matches!(side, Expr::Name(name) if name.id.as_str() == "__name__");
    let is_entry =
        |side: &&Expr| matches!(side, Expr::StringLiteral(literal) if literal.value.to_str() == "__main__");
    sides.iter().flatten().any(is_name) && sides.iter().flatten().any(is_entry)
}
