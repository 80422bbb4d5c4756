//! What a name means within one file: the qualified name of an expression and the type of a value, from imports,
//! definitions, annotations, constructors and what the catalogue says of factories. Names of other files of the
//! project stay as their imports spell them; `super::names` follows those.

use std::cell::Cell;

use ruff_python_ast::{Expr, Operator, StmtFunctionDef};

use super::language::is_builtin;
use super::modules::absolute;
use super::scope::{Binding, Bound, ScopeId, ScopeKind, Scopes, elements};
use crate::catalog::{Catalog, Language};

/// How many steps one question may take: bindings refer to each other, also in circles.
const STEPS: u32 = 256;

/// Names and types of one file.
#[derive(Debug)]
pub struct Names<'a> {
    /// The bindings they rest on.
    pub scopes: &'a Scopes<'a>,
    /// The module, dotted.
    pub module: &'a str,
    /// Whether it is the body of a package, from where dots count differently.
    pub in_package: bool,
    /// What libraries return.
    pub catalog: &'a Catalog,
    steps: Cell<u32>,
}

impl<'a> Names<'a> {
    /// Names of a module whose scopes have been read.
    #[must_use]
    pub fn new(scopes: &'a Scopes<'a>, module: &'a str, in_package: bool, catalog: &'a Catalog) -> Self {
        Self { scopes, module, in_package, catalog, steps: Cell::new(0) }
    }

    /// The qualified name of an expression: `requests.get` for `get` after `from requests import get`,
    /// `requests.Session.get` for `self.session.get`, `builtins.open` for the builtin, `module.Class.method` for what the file
    /// itself defines. A name that is bound nowhere stands for itself; a parameter or local of unknown content has
    /// none.
    #[must_use]
    pub fn resolve(&self, expression: &Expr, scope: ScopeId) -> Option<String> {
        self.steps.set(STEPS);
        self.name(expression, scope)
    }

    /// The qualified name of the type of an expression: `requests.Session` for a variable that got `Session()`.
    /// Where a variable was given values of several types, the first one that is known.
    #[must_use]
    pub fn type_of(&self, expression: &Expr, scope: ScopeId) -> Option<String> {
        self.steps.set(STEPS);
        self.kind(expression, scope)
    }

    /// The type an annotation means: that of `X` for `Optional[X]`, `X | None`, `Annotated[X, …]` and `"X"`.
    #[must_use]
    pub fn annotated(&self, annotation: &Expr, scope: ScopeId) -> Option<String> {
        self.steps.set(STEPS);
        self.annotation(annotation, scope)
    }

    /// Whether a bare name means the builtin of that name here.
    #[must_use]
    pub fn is_builtin(&self, name: &str, scope: ScopeId) -> bool {
        self.scopes.lookup(name, scope).is_none()
    }

    fn step(&self) -> Option<()> {
        let left = self.steps.get().checked_sub(1)?;
        self.steps.set(left);
        Some(())
    }

    fn name(&self, expression: &Expr, scope: ScopeId) -> Option<String> {
        self.step()?;
        match expression {
            Expr::Name(name) => {
                let name = name.id.as_str();
                match self.scopes.lookup(name, scope) {
                    None if is_builtin(name) => Some(format!("builtins.{name}")),
                    None => Some(name.to_owned()),
                    Some((owner, bound)) => {
                        bound.iter().find_map(|bound| self.bound_name(name, owner, bound))
                    }
                }
            }
            Expr::Attribute(attribute) => {
                let member = attribute.attr.as_str();
                if let Expr::Name(base) = &*attribute.value
                    && let Some((class, _)) = self.scopes.receiver(base.id.as_str(), scope)
                {
                    return self.member(class, member);
                }
                if is_super(&attribute.value)
                    && let Some(class) = self.enclosing_class(scope)
                {
                    return self.inherited(class, member);
                }
                let base =
                    self.name(&attribute.value, scope).or_else(|| self.kind(&attribute.value, scope))?;
                Some(format!("{base}.{member}"))
            }
            _ => None,
        }
    }

    fn bound_name(&self, name: &str, owner: ScopeId, bound: &Bound<'a>) -> Option<String> {
        match bound.what {
            Binding::Import { module, level, member } => {
                let module = absolute(self.module, self.in_package, level, module)?;
                Some(match member {
                    Some(member) if module.is_empty() => member.to_owned(),
                    Some(member) => format!("{module}.{member}"),
                    None => module.into_owned(),
                })
            }
            Binding::Function(_) | Binding::Class(_) => Some(self.own(owner, name)),
            Binding::Value(value @ (Expr::Name(_) | Expr::Attribute(_))) => self.name(value, bound.scope),
            _ => None,
        }
    }

    /// The qualified name of something defined in a scope of this file.
    fn own(&self, owner: ScopeId, name: &str) -> String {
        if owner == ScopeId::MODULE && !self.module.is_empty() {
            return format!("{}.{name}", self.module);
        }
        let scope = self.scopes.qualified(owner);
        let locals = matches!(self.scopes.get(owner).kind, ScopeKind::Function(_) | ScopeKind::Lambda(_));
        let parts = [self.module, &scope, if locals { "<locals>" } else { "" }, name];
        parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(".")
    }

    /// What `self.member` is: a method, an attribute's type or alias, or what a base class gives.
    fn member(&self, class: ScopeId, member: &str) -> Option<String> {
        self.step()?;
        let defined = self.scopes.member(class, member);
        if let Some(found) = defined.iter().find_map(|bound| self.bound_name(member, class, bound)) {
            return Some(found);
        }
        if !defined.is_empty() || !self.scopes.attribute(class, member).is_empty() {
            return None;
        }
        self.inherited(class, member)
    }

    fn inherited(&self, class: ScopeId, member: &str) -> Option<String> {
        self.step()?;
        let ScopeKind::Class(definition) = self.scopes.get(class).kind else { return None };
        let outside = self.scopes.get(class).parent.unwrap_or(ScopeId::MODULE);
        let bases = definition.arguments.as_deref().map_or(&[][..], |arguments| &*arguments.args);
        bases.iter().find_map(|base| match self.class_scope(base, outside) {
            Some(class) => self.member(class, member),
            None => self.name(base, outside).map(|base| format!("{base}.{member}")),
        })
    }

    /// The scope of a class of this file that an expression names.
    #[must_use]
    pub fn class_scope(&self, expression: &Expr, scope: ScopeId) -> Option<ScopeId> {
        let Expr::Name(name) = expression else { return None };
        let (_, bound) = self.scopes.lookup(name.id.as_str(), scope)?;
        bound.iter().find_map(|bound| match bound.what {
            Binding::Class(class) => self.scopes.opened_by(class),
            _ => None,
        })
    }

    fn enclosing_class(&self, scope: ScopeId) -> Option<ScopeId> {
        let mut here = Some(scope);
        while let Some(id) = here {
            if let Some(class) = self.scopes.class_of(id) {
                return Some(class);
            }
            here = self.scopes.get(id).parent;
        }
        None
    }

    fn kind(&self, expression: &Expr, scope: ScopeId) -> Option<String> {
        self.step()?;
        match expression {
            Expr::Name(name) => {
                if let Some((class, false)) = self.scopes.receiver(name.id.as_str(), scope) {
                    return Some(self.class_name(class));
                }
                let (_, bound) = self.scopes.lookup(name.id.as_str(), scope)?;
                self.first_kind(bound)
            }
            Expr::Attribute(attribute) => {
                if let Expr::Name(base) = &*attribute.value
                    && let Some((class, _)) = self.scopes.receiver(base.id.as_str(), scope)
                {
                    let member = attribute.attr.as_str();
                    return self
                        .first_kind(self.scopes.member(class, member))
                        .or_else(|| self.first_kind(self.scopes.attribute(class, member)));
                }
                let base = self.kind(&attribute.value, scope)?;
                self.catalog.attribute(Language::Python, &base, attribute.attr.as_str()).map(str::to_owned)
            }
            Expr::Call(call) => {
                let function = self.name(&call.func, scope)?;
                if let Some(made) = self.catalog.returns(Language::Python, &function) {
                    return Some(made.to_owned());
                }
                self.made_by(&call.func, scope).or_else(|| looks_like_class(&function).then_some(function))
            }
            Expr::Await(wait) => self.kind(&wait.value, scope),
            Expr::Named(named) => self.kind(&named.value, scope),
            Expr::If(choice) => self.kind(&choice.body, scope).or_else(|| self.kind(&choice.orelse, scope)),
            Expr::BoolOp(either) => either.values.iter().find_map(|value| self.kind(value, scope)),
            _ => literal(expression).map(|name| format!("builtins.{name}")),
        }
    }

    fn first_kind(&self, bound: &[Bound<'a>]) -> Option<String> {
        let annotated = bound.iter().find_map(|bound| match bound.what {
            Binding::Annotated(annotation) => self.annotation(annotation, bound.scope),
            _ => None,
        });
        annotated.or_else(|| {
            bound.iter().find_map(|bound| match bound.what {
                Binding::Value(value) => self.kind(value, bound.scope),
                Binding::Entered(entered) => {
                    let kind = self.kind(entered, bound.scope)?;
                    let enter = format!("{kind}.__enter__");
                    Some(self.catalog.returns(Language::Python, &enter).map_or(kind, str::to_owned))
                }
                Binding::Parameter(parameter, ..) => {
                    let outside = self.scopes.get(bound.scope).parent.unwrap_or(ScopeId::MODULE);
                    self.annotation(parameter.annotation.as_deref()?, outside)
                }
                Binding::Element(each) => {
                    let parts = elements(each)?;
                    parts.iter().find_map(|part| self.kind(part, bound.scope))
                }
                _ => None,
            })
        })
    }

    /// The type a function or class of this file makes when called.
    fn made_by(&self, function: &Expr, scope: ScopeId) -> Option<String> {
        self.step()?;
        let (owner, bound) = match function {
            Expr::Name(name) => self.scopes.lookup(name.id.as_str(), scope)?,
            Expr::Attribute(attribute) => {
                let Expr::Name(base) = &*attribute.value else { return None };
                let (class, _) = self.scopes.receiver(base.id.as_str(), scope)?;
                (class, self.scopes.member(class, attribute.attr.as_str()))
            }
            _ => return None,
        };
        bound.iter().find_map(|bound| match bound.what {
            Binding::Class(class) => Some(self.own(owner, class.name.as_str())),
            Binding::Function(function) => self.returned_by(function),
            _ => None,
        })
    }

    fn returned_by(&self, function: &'a StmtFunctionDef) -> Option<String> {
        let inside = self.scopes.opened_by(function)?;
        if let Some(annotation) = &function.returns {
            return self.annotation(annotation, self.scopes.get(inside).parent.unwrap_or(ScopeId::MODULE));
        }
        self.scopes.get(inside).returns.iter().find_map(|value| self.kind(value, inside))
    }

    fn class_name(&self, class: ScopeId) -> String {
        format!("{}.{}", self.module, self.scopes.qualified(class))
    }

    fn annotation(&self, annotation: &Expr, scope: ScopeId) -> Option<String> {
        self.step()?;
        match annotation {
            Expr::Name(_) | Expr::Attribute(_) => self.name(annotation, scope),
            Expr::StringLiteral(text) => {
                let parsed = ruff_python_parser::parse_expression(text.value.to_str()).ok()?;
                match parsed.expr() {
                    Expr::StringLiteral(_) => None,
                    inner => self.annotation(inner, scope),
                }
            }
            Expr::BinOp(either) if either.op == Operator::BitOr => {
                self.annotation(&either.left, scope).or_else(|| self.annotation(&either.right, scope))
            }
            Expr::Subscript(subscript) => match super::scope::last_part(&subscript.value)? {
                "Optional" | "Annotated" | "Final" | "ClassVar" | "Union" => {
                    let inner =
                        elements(&subscript.slice).map_or(Some(&*subscript.slice), <[Expr]>::first)?;
                    self.annotation(inner, scope)
                }
                _ => self.name(&subscript.value, scope),
            },
            _ => None,
        }
    }
}

/// `super()`.
#[must_use]
pub fn is_super(expression: &Expr) -> bool {
    matches!(expression, Expr::Call(call) if matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "super"))
}

/// Whether the last part of a dotted name is written like a class: calling it makes one.
#[must_use]
pub fn looks_like_class(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name).trim_start_matches('_');
    last.starts_with(|first: char| first.is_ascii_uppercase()) && last.chars().any(|c| c.is_ascii_lowercase())
}

/// The builtin type of a literal.
#[must_use]
pub fn literal(expression: &Expr) -> Option<&'static str> {
    Some(match expression {
        Expr::StringLiteral(_) | Expr::FString(_) => "str",
        Expr::BytesLiteral(_) => "bytes",
        Expr::List(_) | Expr::ListComp(_) => "list",
        Expr::Dict(_) | Expr::DictComp(_) => "dict",
        Expr::Set(_) | Expr::SetComp(_) => "set",
        Expr::Tuple(_) => "tuple",
        Expr::BooleanLiteral(_) | Expr::Compare(_) => "bool",
        Expr::NumberLiteral(number) => match number.value {
            ruff_python_ast::Number::Int(_) => "int",
            ruff_python_ast::Number::Float(_) => "float",
            ruff_python_ast::Number::Complex { .. } => "complex",
        },
        _ => return None,
    })
}
