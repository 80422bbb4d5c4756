//! Under which circumstances a call runs: awaited, in a handler, behind a cache, only where no loop runs. Knows syntax
//! and conventions; what the circumstances are worth is for others to say.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{CmpOp, ExceptHandler, Expr, Stmt, StmtFunctionDef, StmtIf, StmtTry, UnaryOp};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::context::{Ancestor, Context, Loop, is_main_guard, within};
use super::depth;
use super::facts::Flags;
use super::language::{ASYNC_SWITCHES, IMPORTED, LOOP_PROOFS, LOOP_QUESTIONS, WOULD_WAIT};
use super::scope::{elements, last_part};
use super::search::{any, any_in, waits};

/// From where on a function is special.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turns {
    /// From here on the code depends on whether a loop runs.
    guarded: Option<TextSize>,
    /// From here on it is the first call, or another miss of a cache: hits have returned.
    missed: Option<TextSize>,
    /// Whether it has a loop without an end.
    pub(super) endless: bool,
}

/// Reads the turns of a function, without those of functions in it.
pub(super) fn turns(function: &StmtFunctionDef, text: &str) -> Turns {
    let mut finder = Finder { turns: Turns::default(), text, questions: Vec::new(), globals: Vec::new() };
    finder.visit_body(&function.body);
    finder.turns
}

/// The circumstances of a call or use that stands in this range.
pub(super) fn of(context: &Context<'_>, range: TextRange, turns: Turns) -> Flags {
    let mut flags = Flags::default();
    match context.parent() {
        Some(Ancestor::Expression(Expr::Await(_))) => flags.set(Flags::AWAITED),
        Some(Ancestor::Statement(Stmt::Expr(_))) => flags.set(Flags::STATEMENT),
        Some(Ancestor::Statement(statement)) if is_awaited_by(statement, range) => flags.set(Flags::AWAITED),
        _ => {}
    }
    for ancestor in context.around() {
        match ancestor {
            Ancestor::Handler(_) => flags.set(Flags::ERROR_PATH),
            Ancestor::Statement(Stmt::Try(attempt))
                if within(&attempt.body, range) && attempt.handlers.iter().any(expects_not_to_wait) =>
            {
                flags.set(Flags::NEVER_WAITS);
            }
            Ancestor::Expression(Expr::Await(_)) => flags.set(Flags::IN_AWAIT),
            Ancestor::Statement(Stmt::If(test)) => {
                let runs_once = fills_what_was_absent(test, context) || is_imported(test, context);
                if within(&test.body, range) && runs_once {
                    flags.set(Flags::FIRST_CALL);
                }
                if is_main_guard(&test.test) {
                    flags.set(Flags::MAIN);
                }
            }
            _ => {}
        }
    }
    if context.loops(range).any(goes_on_alone) {
        flags.set(Flags::REPEATED);
    }
    if turns.guarded.is_some_and(|from| range.start() >= from) {
        flags.set(Flags::GUARDED);
    }
    if turns.missed.is_some_and(|from| range.start() >= from) {
        flags.set(Flags::FIRST_CALL);
    }
    flags
}

/// Whether `async with` or `async for` waits for what this range gives.
fn is_awaited_by(statement: &Stmt, range: TextRange) -> bool {
    match statement {
        Stmt::With(with) => with.is_async && with.items.iter().any(|item| item.context_expr.range() == range),
        Stmt::For(each) => each.is_async && each.iter.range() == range,
        _ => false,
    }
}

/// `except BlockingIOError`: whoever handles that has asked not to wait.
fn expects_not_to_wait(handler: &ExceptHandler) -> bool {
    let ExceptHandler::ExceptHandler(handler) = handler;
    let Some(caught) = handler.type_.as_deref() else { return false };
    let all = elements(caught).unwrap_or(std::slice::from_ref(caught));
    all.iter().filter_map(last_part).any(|name| WOULD_WAIT.contains(&name))
}

/// Whether a loop goes round, over more than what is written down, without an await.
fn goes_on_alone(around: Loop<'_>) -> bool {
    match around {
        Loop::For(each) => !each.is_async && elements(&each.iter).is_none() && !any(&each.body, &mut waits),
        Loop::While(until) => !any(&until.body, &mut waits) && !any_in(&until.test, &mut waits),
        Loop::Comprehension(whole) => !any_in(whole, &mut waits),
    }
}

/// `if x is None:` and kin whose body then sets `x`: a value made once.
fn fills_what_was_absent(test: &StmtIf, context: &Context<'_>) -> bool {
    let Some(absent) = absent(&test.test) else { return false };
    if !outlives_the_call(absent, context) {
        return false;
    }
    let mut finder = Filled { name: context.text(absent), text: &context.file.text, found: false };
    finder.visit_body(&test.body);
    finder.found
}

/// `if name in sys.modules:`: importing it again costs nothing.
fn is_imported(test: &StmtIf, context: &Context<'_>) -> bool {
    present(&test.test).is_some_and(|there| context.text(there) == IMPORTED)
}

/// Whether what an expression names is still there when the function is called again.
fn outlives_the_call(expression: &Expr, context: &Context<'_>) -> bool {
    match expression {
        Expr::Attribute(_) | Expr::Subscript(_) => true,
        Expr::Name(name) => match context.names.scopes.lookup(name.id.as_str(), context.scope()) {
            Some((owner, _)) => owner != context.names.scopes.running(context.scope()),
            None => false,
        },
        _ => false,
    }
}

/// What a test finds absent: `x` of `x is None`, `not x`, `k not in x`.
fn absent(test: &Expr) -> Option<&Expr> {
    match test {
        Expr::Compare(compare) => {
            let (operator, right) = (compare.ops.first()?, compare.comparators.first()?);
            match operator {
                CmpOp::Is | CmpOp::Eq if right.is_none_literal_expr() => Some(&compare.left),
                CmpOp::NotIn => Some(right),
                _ => None,
            }
        }
        Expr::UnaryOp(not) if not.op == UnaryOp::Not => match &*not.operand {
            named @ (Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_)) => Some(named),
            _ => None,
        },
        Expr::BoolOp(either) => either.values.iter().find_map(absent),
        _ => None,
    }
}

/// What a test finds present: `x` of `x is not None`, `x`, `k in x`.
fn present(test: &Expr) -> Option<&Expr> {
    match test {
        Expr::Compare(compare) => {
            let (operator, right) = (compare.ops.first()?, compare.comparators.first()?);
            match operator {
                CmpOp::IsNot | CmpOp::NotEq if right.is_none_literal_expr() => Some(&compare.left),
                CmpOp::In => Some(right),
                _ => None,
            }
        }
        Expr::Name(_) | Expr::Attribute(_) => Some(test),
        Expr::Named(named) => Some(&named.target),
        Expr::BoolOp(both) => both.values.first().and_then(present),
        _ => None,
    }
}

/// Looks for an assignment to a name, or to an item or attribute of it.
struct Filled<'t> {
    name: &'t str,
    text: &'t str,
    found: bool,
}

impl Filled<'_> {
    fn is_it(&self, target: &Expr) -> bool {
        let text = self.text.get(target.start().to_usize()..target.end().to_usize()).unwrap_or_default();
        text.strip_prefix(self.name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
    }
}

impl<'a> Visitor<'a> for Filled<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                let parts = assign.targets.iter().flat_map(|target| {
                    super::scope::elements(target).unwrap_or(std::slice::from_ref(target))
                });
                self.found |= parts.into_iter().any(|target| self.is_it(target));
            }
            Stmt::AnnAssign(assign) => self.found |= self.is_it(&assign.target),
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            _ => depth::grow(|| visitor::walk_stmt(self, statement)),
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

fn is_loop(expression: &Expr) -> bool {
    last_part(expression).is_some_and(|name| name == "loop" || name.ends_with("_loop"))
        && !expression.is_call_expr()
}

fn is_identity(operator: CmpOp) -> bool {
    matches!(operator, CmpOp::Is | CmpOp::IsNot)
}

/// Looks for the turns of a function.
struct Finder<'t> {
    turns: Turns,
    text: &'t str,
    /// Variables that hold the answer to whether a loop runs.
    questions: Vec<&'t str>,
    /// Variables of the module that the function sets.
    globals: Vec<&'t str>,
}

impl<'t> Finder<'t> {
    fn text_of(&self, node: &impl Ranged) -> &'t str {
        self.text.get(node.start().to_usize()..node.end().to_usize()).unwrap_or_default()
    }

    fn guard(&mut self, from: TextSize) {
        self.turns.guarded = Some(self.turns.guarded.map_or(from, |earlier| earlier.min(from)));
    }

    /// Whether a test asks for the loop or the thread.
    fn asks(&self, test: &Expr) -> bool {
        match test {
            Expr::Call(call) => {
                last_part(&call.func).is_some_and(|name| LOOP_QUESTIONS.contains(&name))
                    || call.arguments.args.iter().any(|argument| self.asks(argument))
            }
            // `loop is None`: whoever found it out, it was asked.
            Expr::Compare(compare)
                if is_loop(&compare.left) && compare.ops.iter().all(|operator| is_identity(*operator)) =>
            {
                true
            }
            Expr::Compare(compare) => {
                self.asks(&compare.left) || compare.comparators.iter().any(|side| self.asks(side))
            }
            Expr::BoolOp(either) => either.values.iter().any(|value| self.asks(value)),
            Expr::UnaryOp(operation) => self.asks(&operation.operand),
            Expr::Named(named) => self.asks(&named.value),
            Expr::Attribute(attribute) => {
                ASYNC_SWITCHES.contains(&attribute.attr.as_str()) || self.asks(&attribute.value)
            }
            Expr::Name(name) => {
                ASYNC_SWITCHES.contains(&name.id.as_str()) || self.questions.contains(&self.text_of(test))
            }
            _ => false,
        }
    }

    /// `if cached is not None: return cached`.
    fn returns_what_is_there(&mut self, test: &StmtIf) {
        let Some(there) = present(&test.test) else { return };
        let Some(Stmt::Return(done)) = test.body.last() else { return };
        let Some(value) = &done.value else { return };
        let name = self.text_of(there);
        let lasting = matches!(there, Expr::Attribute(_) | Expr::Subscript(_))
            || self.globals.contains(&name)
            || name.to_ascii_lowercase().contains("cache");
        let returned = self.text_of(&**value);
        if lasting && returned.starts_with(name) && self.turns.missed.is_none() {
            self.turns.missed = Some(test.end());
        }
    }

    fn proves_absence(&self, attempt: &StmtTry) -> bool {
        let body = attempt.body.first().map_or("", |first| self.text_of(first));
        let handled = attempt.handlers.iter().any(|handler| {
            let ExceptHandler::ExceptHandler(handler) = handler;
            handler.type_.as_deref().is_none_or(|caught| self.text_of(caught).contains("Error"))
        });
        handled && LOOP_PROOFS.iter().any(|proof| body.contains(proof))
    }
}

impl<'a> Visitor<'a> for Finder<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::If(test) => {
                let elif = test.elif_else_clauses.iter().filter_map(|clause| clause.test.as_ref());
                if std::iter::once(&*test.test).chain(elif).any(|test| self.asks(test)) {
                    self.guard(test.start());
                }
                self.returns_what_is_there(test);
            }
            Stmt::While(until) => {
                let forever = matches!(&*until.test, Expr::BooleanLiteral(literal) if literal.value)
                    || matches!(&*until.test, Expr::NumberLiteral(_));
                self.turns.endless |= forever;
                if self.asks(&until.test) {
                    self.guard(until.start());
                }
            }
            Stmt::Assert(assertion) if self.asks(&assertion.test) => self.guard(assertion.start()),
            Stmt::Try(attempt) if self.proves_absence(attempt) => {
                self.guard(attempt.start());
            }
            Stmt::Global(names) => {
                for name in &names.names {
                    let name = self.text_of(name);
                    self.globals.push(name);
                }
            }
            Stmt::Assign(assign) if self.asks(&assign.value) => {
                for target in &assign.targets {
                    let name = self.text_of(target);
                    self.questions.push(name);
                }
            }
            _ => {}
        }
        depth::grow(|| visitor::walk_stmt(self, statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::If(choice) = expression
            && self.asks(&choice.test)
        {
            self.guard(choice.start());
        }
    }
}
