//! Who binds a name: the scopes of one file, and in each what its names were bound to. Knows Python's rules of scope
//! and the syntax tree; what a binding means is [`super::resolve`]'s business.
//!
//! Bindings are kept without an order: a name stands for everything it was ever bound to in its scope. That is right
//! for all that is called later than it is defined, and wrong only where one name is used for two things in turn.

mod build;

use ruff_python_ast::{Expr, ExprCall, ExprLambda, Parameter, Stmt, StmtClassDef, StmtFunctionDef};
use rustc_hash::FxHashMap;

/// A scope of a file; the module itself is [`ScopeId::MODULE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(u32);

impl ScopeId {
    /// The module.
    pub const MODULE: Self = Self(0);

    /// Its place in the order of the file.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a scope belongs to.
#[derive(Debug, Clone, Copy)]
pub enum ScopeKind<'a> {
    /// The file.
    Module,
    /// The body of a class: its names are not seen by the functions in it.
    Class(&'a StmtClassDef),
    /// A function, a method, or an async one.
    Function(&'a StmtFunctionDef),
    /// A lambda.
    Lambda(&'a ExprLambda),
    /// A comprehension or a generator expression.
    Comprehension(&'a Expr),
}

/// What a name was bound to, once.
#[derive(Debug, Clone, Copy)]
pub enum Binding<'a> {
    /// `import module` (binds the first part), `import module as name`, `from module import member as name`.
    Import {
        /// As written; empty in `from . import member`.
        module: &'a str,
        /// How many dots precede it.
        level: u32,
        /// What is taken from it.
        member: Option<&'a str>,
    },
    /// `def name`.
    Function(&'a StmtFunctionDef),
    /// `class name`.
    Class(&'a StmtClassDef),
    /// `name = expression`, also as a part of an assignment of equally many.
    Value(&'a Expr),
    /// `name: annotation`, with or without a value.
    Annotated(&'a Expr),
    /// `first, name = expression`: the part with this index.
    Part(&'a Expr, usize),
    /// `for name in expression`.
    Element(&'a Expr),
    /// `for _, name in expression`: the part with this index.
    ElementPart(&'a Expr, usize),
    /// `with expression as name`.
    Entered(&'a Expr),
    /// A parameter, its position among the positional ones (`None` for keyword-only, `*args` and `**kwargs`), and its
    /// default.
    Parameter(&'a Parameter, Option<u32>, Option<&'a Expr>),
    /// `except expression as name`.
    Caught(&'a Expr),
    /// Something else: a pattern, a deletion, an unpacking too deep to follow.
    Other,
}

/// A binding, and the scope its expressions are to be read in.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// Where the expressions of `what` are evaluated.
    pub scope: ScopeId,
    /// What the name was bound to.
    pub what: Binding<'a>,
}

/// The names of one scope.
#[derive(Debug)]
pub struct Scope<'a> {
    /// What it belongs to.
    pub kind: ScopeKind<'a>,
    /// The scope around it; `None` for the module.
    pub parent: Option<ScopeId>,
    /// What its names were bound to, in order.
    names: FxHashMap<&'a str, Vec<Bound<'a>>>,
    /// Names that `global` or `nonlocal` hands to another scope.
    elsewhere: FxHashMap<&'a str, ScopeId>,
    /// Of a class: what its methods assign to `self.name`.
    attributes: FxHashMap<&'a str, Vec<Bound<'a>>>,
    /// Of a function: the values it returns.
    pub returns: Vec<&'a Expr>,
    /// Of a function: whether it yields.
    pub is_generator: bool,
}

/// All scopes of a file.
#[derive(Debug)]
pub struct Scopes<'a> {
    all: Vec<Scope<'a>>,
    by_node: FxHashMap<usize, ScopeId>,
    /// `from module import *` at module level: module and level.
    pub stars: Vec<(&'a str, u32)>,
    /// How deep the tree is: what walks it again needs that much stack.
    pub depth: u32,
}

impl<'a> Scopes<'a> {
    /// Reads the bindings of a module.
    #[must_use]
    pub fn of(body: &'a [Stmt]) -> Self {
        build::build(body)
    }

    /// A scope.
    #[must_use]
    pub fn get(&self, scope: ScopeId) -> &Scope<'a> {
        &self.all[scope.index()]
    }

    /// A scope by its place in the order of the file.
    #[must_use]
    pub fn at(&self, index: usize) -> &Scope<'a> {
        &self.all[index]
    }

    /// A name a scope binds, as long as the file lives.
    #[must_use]
    pub fn name_in(&self, scope: ScopeId, name: &str) -> Option<&'a str> {
        self.get(scope).names.get_key_value(name).map(|(name, _)| *name)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The scope that a function, class, lambda or comprehension of this tree opens.
    #[must_use]
    pub fn opened_by<T>(&self, node: &T) -> Option<ScopeId> {
        self.by_node.get(&address(node)).copied()
    }

    /// Who binds a name that is used in a scope, and to what; `None` for builtins and for what a star import brings.
    #[must_use]
    pub fn lookup(&self, name: &str, from: ScopeId) -> Option<(ScopeId, &[Bound<'a>])> {
        let mut here = from;
        loop {
            let scope = self.get(here);
            let seen = here == from || !matches!(scope.kind, ScopeKind::Class(_));
            if seen {
                if let Some(there) = scope.elsewhere.get(name) {
                    let bound = self.get(*there).names.get(name)?;
                    return Some((*there, bound));
                }
                if let Some(bound) = scope.names.get(name) {
                    return Some((here, bound));
                }
            }
            here = scope.parent?;
        }
    }

    /// The names a scope binds itself, in no order.
    pub fn names(&self, scope: ScopeId) -> impl Iterator<Item = (&'a str, &[Bound<'a>])> {
        self.get(scope).names.iter().map(|(name, bound)| (*name, bound.as_slice()))
    }

    /// What a class binds a name to in its body.
    #[must_use]
    pub fn member(&self, class: ScopeId, name: &str) -> &[Bound<'a>] {
        self.get(class).names.get(name).map_or(&[], Vec::as_slice)
    }

    /// What the methods of a class assign to `self.name`.
    #[must_use]
    pub fn attribute(&self, class: ScopeId, name: &str) -> &[Bound<'a>] {
        self.get(class).attributes.get(name).map_or(&[], Vec::as_slice)
    }

    /// All of [`attribute`](Self::attribute), in no order.
    pub fn attributes(&self, class: ScopeId) -> impl Iterator<Item = (&'a str, &[Bound<'a>])> {
        self.get(class).attributes.iter().map(|(name, bound)| (*name, bound.as_slice()))
    }

    /// The class whose method this function is.
    #[must_use]
    pub fn class_of(&self, function: ScopeId) -> Option<ScopeId> {
        let parent = self.get(function).parent?;
        matches!(self.get(parent).kind, ScopeKind::Class(_)).then_some(parent)
    }

    /// The function, lambda or module whose code runs a scope: comprehensions run in the function around them.
    #[must_use]
    pub fn running(&self, scope: ScopeId) -> ScopeId {
        let mut here = scope;
        while let ScopeKind::Comprehension(_) = self.get(here).kind {
            let Some(parent) = self.get(here).parent else { break };
            here = parent;
        }
        here
    }

    /// The class a name stands for as the first parameter of a method, and whether it is the class itself (`cls`).
    #[must_use]
    pub fn receiver(&self, name: &str, from: ScopeId) -> Option<(ScopeId, bool)> {
        let (scope, bound) = self.lookup(name, from)?;
        let first = matches!(bound, [Bound { what: Binding::Parameter(_, Some(0), _), .. }]);
        let ScopeKind::Function(function) = self.get(scope).kind else { return None };
        let class = self.class_of(scope)?;
        if !first || is_decorated(function, "staticmethod") {
            return None;
        }
        let of_class = is_decorated(function, "classmethod")
            || matches!(function.name.as_str(), "__new__" | "__init_subclass__" | "__class_getitem__");
        Some((class, of_class))
    }

    /// The qualified name of a scope within its module: `Class.method`, `outer.<locals>.inner`; empty for the module.
    /// Of scopes nested absurdly deep only the innermost are named.
    #[must_use]
    pub fn qualified(&self, scope: ScopeId) -> String {
        let mut parts = Vec::new();
        let mut here = Some(scope);
        while let Some(id) = here.filter(|_| parts.len() < MOST_PARTS) {
            let scope = self.get(id);
            match scope.kind {
                ScopeKind::Module | ScopeKind::Comprehension(_) => {}
                ScopeKind::Class(class) => parts.push(class.name.as_str()),
                ScopeKind::Function(function) => parts.push(function.name.as_str()),
                ScopeKind::Lambda(_) => parts.push("<lambda>"),
            }
            here = scope.parent;
            let in_function = here.map(|id| self.get(id).kind);
            if !matches!(scope.kind, ScopeKind::Module | ScopeKind::Comprehension(_))
                && matches!(in_function, Some(ScopeKind::Function(_) | ScopeKind::Lambda(_)))
            {
                parts.push("<locals>");
            }
        }
        parts.reverse();
        parts.join(".")
    }
}

/// Whether a function carries a decorator whose last part is this name.
#[must_use]
pub fn is_decorated(function: &StmtFunctionDef, name: &str) -> bool {
    function.decorator_list.iter().any(|decorator| last_part(&decorator.expression) == Some(name))
}

/// The last part of a dotted name, or of the one that is called: `d` of `a.d(…)`.
#[must_use]
pub fn last_part(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        Expr::Call(call) => match &*call.func {
            Expr::Name(name) => Some(name.id.as_str()),
            Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
            _ => None,
        },
        _ => None,
    }
}

/// A qualified name has no more parts than this.
const MOST_PARTS: usize = 32;

/// Nodes are told apart by where they are: the tree does not move while it is read.
fn address<T>(node: &T) -> usize {
    std::ptr::from_ref(node).addr()
}

impl<'a> Scope<'a> {
    fn new(kind: ScopeKind<'a>, parent: Option<ScopeId>) -> Self {
        Self {
            kind,
            parent,
            names: FxHashMap::default(),
            elsewhere: FxHashMap::default(),
            attributes: FxHashMap::default(),
            returns: Vec::new(),
            is_generator: false,
        }
    }
}

/// The parts of a tuple or list display.
#[must_use]
pub fn elements(expression: &Expr) -> Option<&[Expr]> {
    match expression {
        Expr::Tuple(tuple) => Some(&tuple.elts),
        Expr::List(list) => Some(&list.elts),
        _ => None,
    }
}

/// The argument of a call at a position or with a keyword.
#[must_use]
pub fn argument<'a>(call: &'a ExprCall, position: usize, keyword: &str) -> Option<&'a Expr> {
    let named =
        call.arguments.keywords.iter().find(|given| given.arg.as_ref().is_some_and(|arg| arg == keyword));
    if let Some(given) = named {
        return Some(&given.value);
    }
    let before = call.arguments.args.get(..=position)?;
    before.iter().all(|argument| !argument.is_starred_expr()).then(|| &before[position])
}
