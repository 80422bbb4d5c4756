//! Expressions to symbolic values: see [`super::facts::Value`]. Knows the scopes of one file; decides nothing that
//! another file could decide otherwise.

use std::hash::BuildHasher;

use ruff_python_ast::{Expr, ExprCall, Operator};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::facts::{Symbol, Symbols, Value, ValueId};
use super::language::{AWAITABLES, MAPPINGS, SAME_ELEMENTS, SEQUENCES, TRANSPARENT};
use super::resolve::literal;
use super::scope::{Binding, Bound, ScopeId, ScopeKind, Scopes, elements, last_part};

/// Chains of attributes, calls and operators are followed this far.
const LONGEST: u32 = 100;

/// The tables of names and values of a file in the making.
#[derive(Debug)]
pub(super) struct Values<'a> {
    scopes: &'a Scopes<'a>,
    /// Which function or class, counted separately, a scope belongs to.
    owners: Vec<u32>,
    /// The names by their hash, or by the next number that is free.
    symbol_of: FxHashMap<u64, Symbol>,
    pub(super) symbols: Symbols,
    numbers: FxHashMap<Value, ValueId>,
    pub(super) all: Vec<Value>,
    pub(super) pool: Vec<ValueId>,
    variables: FxHashMap<(ScopeId, &'a str), ValueId>,
    depth: u32,
}

impl<'a> Values<'a> {
    pub(super) fn new(scopes: &'a Scopes<'a>) -> Self {
        let (mut functions, mut classes) = (0, 0);
        let owners = (0..scopes.count())
            .map(|index| {
                let counter = match scopes.at(index).kind {
                    ScopeKind::Class(_) => &mut classes,
                    ScopeKind::Comprehension(_) => return u32::MAX,
                    _ => &mut functions,
                };
                *counter += 1;
                *counter - 1
            })
            .collect();
        Self {
            scopes,
            owners,
            symbol_of: FxHashMap::default(),
            symbols: Symbols::default(),
            numbers: FxHashMap::default(),
            all: vec![Value::Unknown],
            pool: Vec::new(),
            variables: FxHashMap::default(),
            depth: 0,
        }
    }

    /// The number of the function or class a scope belongs to; comprehensions belong to what runs them.
    pub(super) fn owner(&self, scope: ScopeId) -> u32 {
        self.owners[self.scopes.running(scope).index()]
    }

    pub(super) fn symbol(&mut self, text: &str) -> Symbol {
        let mut slot = FxBuildHasher.hash_one(text);
        while let Some(symbol) = self.symbol_of.get(&slot) {
            if self.symbols.text(*symbol) == text {
                return *symbol;
            }
            slot = slot.wrapping_add(1);
        }
        let symbol = self.symbols.add(text);
        self.symbol_of.insert(slot, symbol);
        symbol
    }

    pub(super) fn add(&mut self, value: Value) -> ValueId {
        if value == Value::Unknown {
            return ValueId::UNKNOWN;
        }
        let all = &mut self.all;
        *self.numbers.entry(value).or_insert_with(|| {
            all.push(value);
            ValueId(all.len() as u32 - 1)
        })
    }

    /// A value made of another; unknown if that is.
    fn of(&mut self, inner: ValueId, make: impl FnOnce(ValueId) -> Value) -> ValueId {
        if inner == ValueId::UNKNOWN { inner } else { self.add(make(inner)) }
    }

    pub(super) fn one_of(&mut self, mut alternatives: Vec<ValueId>) -> ValueId {
        alternatives.sort_unstable();
        alternatives.dedup();
        alternatives.retain(|value| *value != ValueId::UNKNOWN);
        match alternatives.as_slice() {
            [] => ValueId::UNKNOWN,
            [only] => *only,
            _ => {
                let value = self.pooled(&alternatives);
                self.add(value)
            }
        }
    }

    fn pooled(&mut self, alternatives: &[ValueId]) -> Value {
        let start = self.pool.len() as u32;
        self.pool.extend_from_slice(alternatives);
        Value::OneOf(start, alternatives.len() as u32)
    }

    fn literal(&mut self, name: &str) -> ValueId {
        let symbol = self.symbol(name);
        self.add(Value::Literal(symbol))
    }

    /// The value of an expression in a scope.
    pub(super) fn lower(&mut self, expression: &Expr, scope: ScopeId) -> ValueId {
        if self.depth >= LONGEST {
            return ValueId::UNKNOWN;
        }
        self.depth += 1;
        let value = self.expression(expression, scope);
        self.depth -= 1;
        value
    }

    fn expression(&mut self, expression: &Expr, scope: ScopeId) -> ValueId {
        match expression {
            Expr::Name(name) => self.name(name.id.as_str(), scope),
            Expr::Attribute(attribute) => {
                let base = self.lower(&attribute.value, scope);
                let member = self.symbol(attribute.attr.as_str());
                self.of(base, |base| Value::Attribute(base, member))
            }
            Expr::Call(call) => self.call(call, scope),
            Expr::Await(wait) => {
                let inner = self.lower(&wait.value, scope);
                self.of(inner, Value::Awaited)
            }
            Expr::Named(named) => self.lower(&named.value, scope),
            Expr::Subscript(subscript) => {
                let base = self.lower(&subscript.value, scope);
                if subscript.slice.is_slice_expr() {
                    return base;
                }
                self.of(base, Value::Item)
            }
            Expr::If(choice) => {
                let either = [&choice.body, &choice.orelse].map(|side| self.lower(side, scope));
                self.one_of(either.to_vec())
            }
            Expr::BoolOp(either) => {
                let either = either.values.iter().map(|value| self.lower(value, scope)).collect();
                self.one_of(either)
            }
            // Paths, strings, lists and sets keep their type under an operator.
            Expr::BinOp(operation) => self.lower(&operation.left, scope),
            Expr::UnaryOp(operation) if operation.op != ruff_python_ast::UnaryOp::Not => {
                self.lower(&operation.operand, scope)
            }
            Expr::UnaryOp(_) => self.literal("bool"),
            Expr::Lambda(lambda) => {
                let Some(opened) = self.scopes.opened_by(lambda) else { return ValueId::UNKNOWN };
                let index = self.owners[opened.index()];
                self.add(Value::Function(index))
            }
            Expr::List(list) => self.display("list", &list.elts, scope),
            Expr::Set(set) => self.display("set", &set.elts, scope),
            Expr::Tuple(tuple) => self.display("tuple", &tuple.elts, scope),
            Expr::Dict(dict) => {
                let values = dict.items.iter().take(16).map(|item| self.lower(&item.value, scope)).collect();
                self.container("dict", values)
            }
            Expr::ListComp(list) => self.comprehension("list", expression, &list.elt),
            Expr::SetComp(set) => self.comprehension("set", expression, &set.elt),
            Expr::Generator(lazy) => self.comprehension("generator", expression, &lazy.elt),
            Expr::DictComp(dict) => self.comprehension("dict", expression, &dict.value),
            Expr::NoneLiteral(_) => self.add(Value::Nothing),
            Expr::Starred(_) => ValueId::UNKNOWN,
            _ => match literal(expression) {
                Some(name) => self.literal(name),
                None => ValueId::UNKNOWN,
            },
        }
    }

    fn display(&mut self, name: &str, parts: &[Expr], scope: ScopeId) -> ValueId {
        let parts = parts.iter().take(16).map(|part| self.lower(part, scope)).collect();
        self.container(name, parts)
    }

    fn comprehension(&mut self, name: &str, whole: &Expr, element: &Expr) -> ValueId {
        let opened = self.scopes.opened_by(whole);
        let element = opened.map_or(ValueId::UNKNOWN, |opened| self.lower(element, opened));
        self.container(name, vec![element])
    }

    fn container(&mut self, name: &str, parts: Vec<ValueId>) -> ValueId {
        let element = self.one_of(parts);
        let name = self.symbol(name);
        self.add(Value::Container(name, element))
    }

    fn call(&mut self, call: &ExprCall, scope: ScopeId) -> ValueId {
        if is_super_call(call)
            && let Some(class) = self.class_around(scope)
        {
            return self.add(Value::Super(class));
        }
        match last_part(&call.func) {
            Some("cast") if call.arguments.args.len() == 2 => {
                return self.annotation(&call.arguments.args[0], scope);
            }
            // What a partial does is what its function does.
            Some("partial" | "partialmethod") if !call.arguments.args.is_empty() => {
                return self.lower(&call.arguments.args[0], scope);
            }
            Some("copy" | "deepcopy") if call.arguments.args.len() == 1 => {
                return self.lower(&call.arguments.args[0], scope);
            }
            Some(name) if SAME_ELEMENTS.contains(&name) && call.func.is_name_expr() => {
                let last = call.arguments.args.last();
                let inner = last.map_or(ValueId::UNKNOWN, |from| self.elements_of(from, scope));
                return self.container(if name == "filter" { "list" } else { name }, vec![inner]);
            }
            _ => {}
        }
        let function = self.lower(&call.func, scope);
        self.of(function, Value::Called)
    }

    fn class_around(&self, scope: ScopeId) -> Option<u32> {
        let mut here = Some(scope);
        while let Some(id) = here {
            if let Some(class) = self.scopes.class_of(id) {
                return Some(self.owners[class.index()]);
            }
            here = self.scopes.get(id).parent;
        }
        None
    }

    fn name(&mut self, name: &str, scope: ScopeId) -> ValueId {
        let scopes = self.scopes;
        if let Some((class, of_class)) = scopes.receiver(name, scope) {
            let class = self.owners[class.index()];
            return self.add(if of_class { Value::ClassReceiver(class) } else { Value::Receiver(class) });
        }
        match scopes.lookup(name, scope) {
            None | Some((ScopeId::MODULE, _)) => {
                let symbol = self.symbol(name);
                self.add(Value::Global(symbol))
            }
            Some((owner, bound)) => {
                let Some(name) = scopes.name_in(owner, name) else { return ValueId::UNKNOWN };
                self.variable(owner, name, bound)
            }
        }
    }

    /// The value of a variable: reserved before its bindings are read, because they may refer to it.
    pub(super) fn variable(&mut self, owner: ScopeId, name: &'a str, bound: &'a [Bound<'a>]) -> ValueId {
        if let Some(known) = self.variables.get(&(owner, name)) {
            return *known;
        }
        self.all.push(Value::Unknown);
        let reserved = ValueId(self.all.len() as u32 - 1);
        self.variables.insert((owner, name), reserved);
        let mut alternatives = self.bindings(bound);
        alternatives.retain(|value| *value != reserved);
        self.all[reserved.0 as usize] = self.pooled(&alternatives);
        reserved
    }

    /// What a name bound like this can be; annotations say it all where there are any.
    pub(super) fn bindings(&mut self, bound: &'a [Bound<'a>]) -> Vec<ValueId> {
        let mut annotated = Vec::new();
        for bound in bound {
            if let Binding::Annotated(annotation) = bound.what {
                annotated.push(self.annotation(annotation, bound.scope));
            }
        }
        annotated.retain(|value| *value != ValueId::UNKNOWN);
        if !annotated.is_empty() {
            return annotated;
        }
        let mut alternatives: Vec<ValueId> = bound.iter().take(12).map(|bound| self.binding(bound)).collect();
        alternatives.sort_unstable();
        alternatives.dedup();
        alternatives.retain(|value| *value != ValueId::UNKNOWN);
        alternatives
    }

    fn binding(&mut self, bound: &Bound<'a>) -> ValueId {
        match bound.what {
            Binding::Import { module, level, member } => {
                let module = self.symbol(module);
                let member = member.map(|member| self.symbol(member));
                self.add(Value::Import { level, module, member })
            }
            Binding::Function(function) => self.defined(self.scopes.opened_by(function), Value::Function),
            Binding::Class(class) => self.defined(self.scopes.opened_by(class), Value::Class),
            Binding::Value(value) => self.lower(value, bound.scope),
            Binding::Element(each) => self.elements_of(each, bound.scope),
            Binding::ElementPart(each, index) => self.element_part(each, index, bound.scope),
            Binding::Entered(entered) => {
                let inner = self.lower(entered, bound.scope);
                self.of(inner, Value::Entered)
            }
            Binding::Caught(caught) => {
                let classes = match elements(caught) {
                    Some(classes) => classes.iter().map(|class| self.lower(class, bound.scope)).collect(),
                    None => vec![self.lower(caught, bound.scope)],
                };
                let class = self.one_of(classes);
                self.of(class, Value::Instance)
            }
            Binding::Parameter(parameter, position, default) => {
                let outside = self.scopes.get(bound.scope).parent.unwrap_or(ScopeId::MODULE);
                if let Some(annotation) = &parameter.annotation {
                    let known = self.annotation(annotation, outside);
                    if known != ValueId::UNKNOWN {
                        return known;
                    }
                }
                let given = match position {
                    Some(position) => {
                        let function = self.owner(bound.scope);
                        self.add(Value::Parameter(function, position))
                    }
                    None => ValueId::UNKNOWN,
                };
                let default = default.map_or(ValueId::UNKNOWN, |default| self.lower(default, outside));
                self.one_of(vec![given, default])
            }
            Binding::Annotated(_) | Binding::Part(..) | Binding::Other => ValueId::UNKNOWN,
        }
    }

    fn defined(&mut self, opened: Option<ScopeId>, make: fn(u32) -> Value) -> ValueId {
        match opened {
            Some(scope) => {
                let index = self.owners[scope.index()];
                self.add(make(index))
            }
            None => ValueId::UNKNOWN,
        }
    }

    /// What iterating an expression gives.
    pub(super) fn elements_of(&mut self, iterated: &Expr, scope: ScopeId) -> ValueId {
        let inner = self.lower(iterated, scope);
        self.of(inner, Value::Element)
    }

    fn element_part(&mut self, iterated: &Expr, index: usize, scope: ScopeId) -> ValueId {
        let Expr::Call(call) = iterated else { return ValueId::UNKNOWN };
        let arguments = &call.arguments.args;
        match (last_part(&call.func), index) {
            (Some("enumerate"), 1) if !arguments.is_empty() => self.elements_of(&arguments[0], scope),
            (Some("enumerate"), 0) => self.literal("int"),
            (Some("zip"), index) if index < arguments.len() => self.elements_of(&arguments[index], scope),
            (Some("items"), 1) => match &*call.func {
                Expr::Attribute(attribute) => {
                    let mapping = self.lower(&attribute.value, scope);
                    self.of(mapping, Value::Second)
                }
                _ => ValueId::UNKNOWN,
            },
            _ => ValueId::UNKNOWN,
        }
    }

    /// The value that an annotation promises.
    pub(super) fn annotation(&mut self, annotation: &Expr, scope: ScopeId) -> ValueId {
        if self.depth >= LONGEST {
            return ValueId::UNKNOWN;
        }
        self.depth += 1;
        let value = self.promised(annotation, scope);
        self.depth -= 1;
        value
    }

    fn promised(&mut self, annotation: &Expr, scope: ScopeId) -> ValueId {
        match annotation {
            Expr::Name(name) if matches!(name.id.as_str(), "Any" | "object") => ValueId::UNKNOWN,
            Expr::Name(name) if name.id.as_str() == "Self" => {
                match self.class_around(scope).or_else(|| self.class_at(scope)) {
                    Some(class) => self.add(Value::Receiver(class)),
                    None => ValueId::UNKNOWN,
                }
            }
            Expr::Attribute(attribute) if attribute.attr.as_str() == "Any" => ValueId::UNKNOWN,
            Expr::Name(name) if MAPPINGS.contains(&name.id.as_str()) => self.container("dict", Vec::new()),
            Expr::Name(name) if SEQUENCES.contains(&name.id.as_str()) => self.container("list", Vec::new()),
            Expr::Name(_) | Expr::Attribute(_) => {
                let class = self.lower(annotation, scope);
                self.of(class, Value::Instance)
            }
            Expr::NoneLiteral(_) => self.add(Value::Nothing),
            Expr::StringLiteral(text) => match ruff_python_parser::parse_expression(text.value.to_str()) {
                Ok(parsed) if !parsed.expr().is_string_literal_expr() => {
                    self.annotation(parsed.expr(), scope)
                }
                _ => ValueId::UNKNOWN,
            },
            Expr::BinOp(either) if either.op == Operator::BitOr => {
                let either = [&either.left, &either.right].map(|side| self.annotation(side, scope));
                self.one_of(either.to_vec())
            }
            Expr::Subscript(subscript) => {
                let Some(name) = last_part(&subscript.value) else { return ValueId::UNKNOWN };
                let single = std::slice::from_ref(&*subscript.slice);
                let arguments = elements(&subscript.slice).unwrap_or(single);
                let (Some(first), Some(last)) = (arguments.first(), arguments.last()) else {
                    return ValueId::UNKNOWN;
                };
                match name {
                    "Annotated" => self.annotation(first, scope),
                    _ if TRANSPARENT.contains(&name) => {
                        let either =
                            arguments.iter().map(|argument| self.annotation(argument, scope)).collect();
                        self.one_of(either)
                    }
                    "type" | "Type" => self.lower(first, scope),
                    "Literal" => match literal(first) {
                        Some(name) => self.literal(name),
                        None => ValueId::UNKNOWN,
                    },
                    "Callable" => ValueId::UNKNOWN,
                    _ if AWAITABLES.contains(&name) => self.annotation(last, scope),
                    _ if SEQUENCES.contains(&name) => {
                        let element = self.annotation(first, scope);
                        self.container("list", vec![element])
                    }
                    _ if MAPPINGS.contains(&name) => {
                        let element = self.annotation(last, scope);
                        self.container("dict", vec![element])
                    }
                    _ => self.annotation(&subscript.value, scope),
                }
            }
            _ => ValueId::UNKNOWN,
        }
    }

    fn class_at(&self, scope: ScopeId) -> Option<u32> {
        matches!(self.scopes.get(scope).kind, ScopeKind::Class(_)).then(|| self.owners[scope.index()])
    }
}

fn is_super_call(call: &ExprCall) -> bool {
    matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "super")
}
