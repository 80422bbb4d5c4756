//! Gathers the facts of one file while it is walked. Knows what the whole-program part will ask for, and keeps nothing
//! else.

use ruff_python_ast::{Expr, ExprAttribute, ExprCall, ExprContext, ExprLambda, Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;
use rustc_hash::FxHashSet;

use super::circumstance::{self, Turns};
use super::context::{Ancestor, Context};
use super::facts::{
    Argument, Call, Class, FileFacts, Flags, Function, Hold, Lines, Symbol, Traits, Use, UseKind, Value,
    ValueId,
};
use super::language::{BODILESS, CACHES, COMMANDS, CONSUMERS, CONTEXT_MANAGERS, PROPERTIES, START_UP};
use super::lower::Values;
use super::scope::{ScopeId, ScopeKind, Scopes, last_part};
use crate::scan::source::SourceFile;

/// A constant longer than this is no condition anybody writes down.
const LONGEST_CONSTANT: usize = 48;

/// Facts in the making.
pub(super) struct Collector<'a> {
    scopes: &'a Scopes<'a>,
    values: Values<'a>,
    functions: Vec<Function>,
    calls: Vec<Call>,
    arguments: Vec<Argument>,
    uses: Vec<Use>,
    holds: Vec<Hold>,
    start_up: Vec<ValueId>,
    /// Uses already noted: once per function and value is enough.
    noted: FxHashSet<(u32, UseKind, ValueId)>,
    /// The functions around the node at hand, outermost first, and their turns.
    stack: Vec<(u32, Turns)>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(scopes: &'a Scopes<'a>) -> Self {
        let mut values = Values::new(scopes);
        let nameless = values.symbol("");
        let module = Function {
            name: nameless,
            short: nameless,
            class: None,
            outer: None,
            start: 0,
            end: 0,
            traits: Traits::default(),
            parameters: Vec::new(),
            decorators: Vec::new(),
            returns: ValueId::UNKNOWN,
        };
        // One slot per function, because functions are numbered before they are walked.
        let count = (0..scopes.count())
            .filter(|index| {
                !matches!(scopes.at(*index).kind, ScopeKind::Class(_) | ScopeKind::Comprehension(_))
            })
            .count();
        Self {
            scopes,
            values,
            functions: vec![module; count],
            calls: Vec::new(),
            arguments: Vec::new(),
            uses: Vec::new(),
            holds: Vec::new(),
            start_up: Vec::new(),
            noted: FxHashSet::default(),
            stack: vec![(0, Turns::default())],
        }
    }

    fn here(&self) -> (u32, Turns) {
        self.stack.last().copied().unwrap_or_default()
    }

    /// The function that runs the code at hand: decorators and defaults are run by the one around.
    fn function(&self) -> u32 {
        self.here().0
    }

    pub(super) fn enter_function(
        &mut self,
        context: &Context<'a>,
        function: &'a StmtFunctionDef,
        opened: Option<ScopeId>,
    ) {
        let Some((scope, index)) = self.open(opened) else { return };
        let turns = circumstance::turns(function, &context.file.text);
        let mut traits = self.traits(scope, traits_of(function));
        if turns.endless {
            traits.set(Traits::ENDLESS);
        }
        let outside = context.scope();
        let decorators: Vec<ValueId> = function
            .decorator_list
            .iter()
            .map(|decorator| self.values.lower(&decorator.expression, outside))
            .collect();
        let returns = match &function.returns {
            Some(annotation) => self.values.annotation(annotation, outside),
            None => ValueId::UNKNOWN,
        };
        let returns = if returns == ValueId::UNKNOWN { self.returned(scope) } else { returns };
        let positional = function.parameters.posonlyargs.iter().chain(&function.parameters.args);
        let parameters = positional.map(|given| self.values.symbol(given.parameter.name.as_str())).collect();
        let class = self.scopes.class_of(scope).map(|class| self.values.owner(class));
        let name = self.scopes.qualified(scope);
        self.functions[index as usize] = Function {
            name: self.values.symbol(&name),
            short: self.values.symbol(function.name.as_str()),
            class,
            outer: Some(self.function()),
            start: function.name.start().to_u32(),
            end: function.name.end().to_u32(),
            traits,
            parameters,
            decorators,
            returns,
        };
        self.stack.push((index, turns));
    }

    /// One of the values a function returns.
    fn returned(&mut self, scope: ScopeId) -> ValueId {
        let scopes = self.scopes;
        let returned = scopes.get(scope).returns.iter().take(8);
        let values = returned.map(|value| self.values.lower(value, scope)).collect();
        self.values.one_of(values)
    }

    pub(super) fn enter_lambda(
        &mut self,
        context: &Context<'a>,
        lambda: &'a ExprLambda,
        opened: Option<ScopeId>,
    ) {
        let Some((scope, index)) = self.open(opened) else { return };
        let traits = self.traits(scope, Traits::LAMBDA);
        let name = self.scopes.qualified(scope);
        let returns = self.returned(scope);
        self.functions[index as usize] = Function {
            name: self.values.symbol(&name),
            short: self.values.symbol("<lambda>"),
            class: None,
            outer: Some(self.function()),
            start: lambda.start().to_u32(),
            end: lambda.end().to_u32(),
            traits,
            parameters: Vec::new(),
            decorators: Vec::new(),
            returns,
        };
        let turns = self.here().1;
        debug_assert!(context.file.text.len() >= lambda.end().to_usize(), "a node lies in its file");
        self.stack.push((index, turns));
    }

    /// The function of an opened scope; without one the code stays with the function around it.
    fn open(&mut self, opened: Option<ScopeId>) -> Option<(ScopeId, u32)> {
        let Some(scope) = opened else {
            let here = self.here();
            self.stack.push(here);
            return None;
        };
        Some((scope, self.values.owner(scope)))
    }

    fn traits(&self, scope: ScopeId, mut traits: Traits) -> Traits {
        if self.scopes.get(scope).is_generator {
            traits.set(Traits::GENERATOR);
        }
        traits
    }

    pub(super) fn leave_function(&mut self) {
        self.stack.pop();
    }

    pub(super) fn call(&mut self, context: &Context<'a>, call: &'a ExprCall) {
        if context.for_type_checkers(call.range()) {
            return;
        }
        let scope = context.scope();
        let callee = self.values.lower(&call.func, scope);
        let (function, turns) = self.here();
        let mut flags = circumstance::of(context, call.range(), turns);
        if matches!(context.parent(), Some(Ancestor::Statement(Stmt::FunctionDef(_) | Stmt::ClassDef(_)))) {
            flags.set(Flags::DECORATOR);
        }
        let first = self.arguments.len() as u32;
        for given in &call.arguments.args {
            let argument = self.argument(context, None, given);
            self.arguments.push(argument);
        }
        for given in &call.arguments.keywords {
            if let Some(keyword) = &given.arg {
                let name = self.values.symbol(keyword.as_str());
                let argument = self.argument(context, Some(name), &given.value);
                if START_UP.contains(&keyword.as_str()) {
                    self.starts_up(&given.value, scope);
                }
                self.arguments.push(argument);
            }
        }
        self.calls.push(Call {
            function,
            callee,
            start: call.start().to_u32(),
            end: call.end().to_u32(),
            callee_end: call.func.end().to_u32(),
            flags,
            arguments: (first, self.arguments.len() as u32 - first),
        });
        self.registers(call, scope);
        if last_part(&call.func).is_some_and(|name| CONSUMERS.contains(&name)) {
            for given in &call.arguments.args {
                self.iterate(context, given, false);
            }
        }
    }

    fn argument(&mut self, context: &Context<'a>, keyword: Option<Symbol>, given: &'a Expr) -> Argument {
        let scope = context.scope();
        let value = self.values.lower(given, scope);
        let text = match given {
            Expr::Name(_) | Expr::Attribute(_) if last_part(given).is_some_and(is_constant) => {
                let name = context.resolve(given).unwrap_or_else(|| context.text(given).to_owned());
                (name.len() <= LONGEST_CONSTANT).then_some(name)
            }
            Expr::NoneLiteral(_) | Expr::BooleanLiteral(_) | Expr::NumberLiteral(_) | Expr::UnaryOp(_) => {
                let text = context.text(given);
                (text.len() <= LONGEST_CONSTANT).then(|| text.to_owned())
            }
            Expr::Starred(_) => Some("*".to_owned()),
            Expr::StringLiteral(literal) => {
                let text = literal.value.to_str();
                (text.len() <= LONGEST_CONSTANT / 4).then(|| format!("\"{text}\""))
            }
            _ => None,
        };
        Argument { keyword, value, text: text.map(|text| self.values.symbol(&text)) }
    }

    /// `app.on_startup.append(f)`, `app.add_event_handler("startup", f)`.
    fn registers(&mut self, call: &'a ExprCall, scope: ScopeId) {
        let Expr::Attribute(attribute) = &*call.func else { return };
        let listed = last_part(&attribute.value).is_some_and(|name| START_UP.contains(&name));
        if listed || START_UP.contains(&attribute.attr.as_str()) {
            for given in &call.arguments.args {
                self.starts_up(given, scope);
            }
        }
    }

    fn starts_up(&mut self, given: &'a Expr, scope: ScopeId) {
        let single = std::slice::from_ref(given);
        for function in super::scope::elements(given).unwrap_or(single) {
            if matches!(function, Expr::Name(_) | Expr::Attribute(_) | Expr::Lambda(_)) {
                let value = self.values.lower(function, scope);
                self.start_up.push(value);
            }
        }
    }

    /// `for … in iterated`, also in a comprehension. An async one awaits.
    pub(super) fn iterate(&mut self, context: &Context<'a>, iterated: &'a Expr, is_async: bool) {
        if !is_async && matches!(iterated, Expr::Call(_)) {
            self.note(context, UseKind::Iterate, iterated, context.scope());
        }
    }

    pub(super) fn read(&mut self, context: &Context<'a>, whole: &'a Expr, attribute: &'a ExprAttribute) {
        let called = matches!(context.parent(), Some(Ancestor::Expression(Expr::Call(call))) if std::ptr::eq(&raw const *call.func, whole));
        if attribute.ctx == ExprContext::Load && !called {
            self.note(context, UseKind::Read, whole, context.scope());
        }
    }

    pub(super) fn statement(&mut self, context: &Context<'a>, statement: &'a Stmt) {
        match statement {
            Stmt::With(with) if !with.is_async => {
                for item in &with.items {
                    self.note(context, UseKind::Enter, &item.context_expr, context.scope());
                    self.hold(context, &item.context_expr, &with.body);
                }
            }
            Stmt::For(each) => self.iterate(context, &each.iter, each.is_async),
            _ => {}
        }
    }

    /// A variable that is entered may be a lock.
    fn hold(&mut self, context: &Context<'a>, held: &'a Expr, body: &[Stmt]) {
        let (Expr::Name(_) | Expr::Attribute(_), [first, .., last] | [first @ last]) = (held, body) else {
            return;
        };
        let value = self.values.lower(held, context.scope());
        let one_call = match body {
            [Stmt::Expr(only)] => only.value.is_call_expr(),
            [Stmt::Return(only)] => only.value.as_deref().is_some_and(Expr::is_call_expr),
            _ => false,
        };
        if value != ValueId::UNKNOWN {
            self.holds.push(Hold {
                function: self.function(),
                value,
                text: self.values.symbol(context.text(held)),
                start: first.start().to_u32(),
                end: last.end().to_u32(),
                one_call,
            });
        }
    }

    fn note(&mut self, context: &Context<'a>, kind: UseKind, used: &'a Expr, scope: ScopeId) {
        let value = self.values.lower(used, scope);
        let (function, turns) = self.here();
        if value == ValueId::UNKNOWN || !self.noted.insert((function, kind, value)) {
            return;
        }
        let flags = circumstance::of(context, used.range(), turns);
        let (start, end) = (used.start().to_u32(), used.end().to_u32());
        self.uses.push(Use { function, kind, value, start, end, flags });
    }

    /// Closes the tables.
    pub(super) fn finish(mut self, file: &SourceFile) -> FileFacts {
        let scopes = self.scopes;
        let globals = self.namespace(scopes.names(ScopeId::MODULE).collect());
        let mut classes = Vec::new();
        for index in 0..scopes.count() {
            let ScopeKind::Class(class) = scopes.at(index).kind else { continue };
            let Some(scope) = scopes.opened_by(class) else { continue };
            let outside = scopes.get(scope).parent.unwrap_or(ScopeId::MODULE);
            let bases = class.arguments.as_deref().map_or(&[][..], |arguments| &*arguments.args);
            let bases = bases.iter().map(|base| self.values.lower(base, outside)).collect();
            let name = scopes.qualified(scope);
            classes.push(Class {
                name: self.values.symbol(&name),
                bases,
                members: self.namespace(scopes.names(scope).collect()),
                attributes: self.namespace(scopes.attributes(scope).collect()),
            });
        }
        let mut stars = Vec::new();
        for (module, level) in &scopes.stars {
            let module = self.values.symbol(module);
            stars.push(self.values.add(Value::Import { level: *level, module, member: None }));
        }
        FileFacts {
            path: file.path.to_string(),
            exact: file.exact,
            globals,
            stars,
            functions: self.functions,
            classes,
            calls: self.calls,
            arguments: self.arguments,
            uses: self.uses,
            holds: self.holds,
            start_up: self.start_up,
            lines: Lines::of(file),
            symbols: self.values.symbols,
            values: self.values.all,
            pool: self.values.pool,
        }
    }

    fn namespace(
        &mut self,
        mut names: Vec<(&'a str, &'a [super::scope::Bound<'a>])>,
    ) -> Vec<(Symbol, ValueId)> {
        names.sort_unstable_by_key(|(name, _)| *name);
        names
            .into_iter()
            .map(|(name, bound)| {
                let alternatives = self.values.bindings(bound);
                (self.values.symbol(name), self.values.one_of(alternatives))
            })
            .collect()
    }
}

/// Whether a name is written like a constant.
fn is_constant(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn traits_of(function: &StmtFunctionDef) -> Traits {
    let mut traits = Traits::default();
    if function.is_async {
        traits.set(Traits::ASYNC);
    }
    let mut accessor = false;
    for decorator in &function.decorator_list {
        let Some(name) = last_part(&decorator.expression) else { continue };
        accessor |= matches!(name, "setter" | "deleter");
        let rows = [
            (CACHES, Traits::CACHED),
            (PROPERTIES, Traits::PROPERTY),
            (BODILESS, Traits::ABSTRACT),
            (CONTEXT_MANAGERS, Traits::CONTEXT_MANAGER),
            (START_UP, Traits::START_UP),
            (COMMANDS, Traits::COMMAND),
            (&["staticmethod"][..], Traits::STATIC),
            (&["classmethod"][..], Traits::CLASS_METHOD),
        ];
        for (names, given) in rows {
            if names.contains(&name) {
                traits.set(given);
            }
        }
    }
    if accessor {
        traits = Traits(traits.0 & !Traits::PROPERTY.0);
    }
    if function.body.iter().all(says_nothing) {
        traits.set(Traits::ABSTRACT);
    }
    traits
}

/// `...`, `pass`, a docstring, `raise NotImplementedError`.
fn says_nothing(statement: &Stmt) -> bool {
    match statement {
        Stmt::Pass(_) => true,
        Stmt::Expr(expression) => {
            matches!(&*expression.value, Expr::StringLiteral(_) | Expr::EllipsisLiteral(_))
        }
        Stmt::Raise(raise) => raise.exc.as_deref().and_then(last_part) == Some("NotImplementedError"),
        _ => false,
    }
}
