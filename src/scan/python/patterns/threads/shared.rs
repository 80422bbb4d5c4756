//! What several threads of a file use at once: counters, singletons, connections, files.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Operator, Stmt, StmtIf, UnaryOp};
use ruff_text_size::{Ranged, TextRange};

use super::model::{Held, Model, Start};
use crate::catalog::{Effect, Language, Mark};
use crate::scan::python::context::Context;
use crate::scan::python::depth;
use crate::scan::python::scope::{Binding, ScopeId, argument};

/// Observes what the threads of a file share.
pub(super) fn observe<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    for (function, shares_self) in reached(context, model) {
        let Some(definition) = model.functions.get(&function) else { continue };
        // A decorator, or a lock taken by hand, may be what keeps threads apart.
        let plain = definition.decorator_list.is_empty()
            && definition.name.as_str() != "__init__"
            && !context.text(definition.range()).contains(".acquire(");
        if !plain || definition.is_async {
            continue;
        }
        let outer = std::mem::replace(&mut context.scope, function);
        let mut body = Body { context, function, shares_self, told: BTreeSet::new() };
        body.visit_body(&definition.body);
        context.scope = outer;
    }
}

/// The functions that several threads run at once without a lock around them, and whether on one object.
fn reached<'a>(context: &Context<'a>, model: &Model<'a>) -> BTreeMap<ScopeId, bool> {
    let mut starts: BTreeMap<ScopeId, u32> = BTreeMap::new();
    for start in &model.starts {
        if let Some(runs) = start.runs {
            let count = if repeats(context, model, start) { 2 } else { 1 };
            *starts.entry(runs).or_default() += count;
        }
    }
    let mut reached: BTreeMap<ScopeId, bool> = BTreeMap::new();
    let mut waiting = Vec::new();
    for start in &model.starts {
        let Some(runs) = start.runs.filter(|runs| starts.get(runs).is_some_and(|count| *count > 1)) else {
            continue;
        };
        waiting.push((runs, one_object(context, model, start)));
    }
    while let Some((function, shares)) = waiting.pop() {
        if reached.get(&function).is_some_and(|known| *known || !shares) {
            continue;
        }
        reached.insert(function, shares);
        for calling in &model.callings {
            let runs_there = context.names.scopes.running(calling.scope) == function;
            if runs_there
                && let Some((callee, on_self)) = calling.calls
                && !calling.held.iter().any(|held| may_guard(context, held, calling.scope))
            {
                waiting.push((callee, on_self && shares));
            }
        }
    }
    reached
}

/// Whether a start starts several: it stands in a loop, or hands over a function for each of many things, to more
/// than one worker.
pub(super) fn repeats<'a>(context: &Context<'a>, model: &Model<'a>, start: &Start<'a>) -> bool {
    let method = start.callee.rsplit('.').next().unwrap_or_default();
    let many = method.contains("map") || model.repeats(start.call.range());
    many && !of_one_worker(context, start)
}

/// Whether a start hands its function to a pool of one worker.
pub(super) fn of_one_worker(context: &Context<'_>, start: &Start<'_>) -> bool {
    let Expr::Attribute(attribute) = &*start.call.func else { return false };
    let Expr::Name(pool) = &*attribute.value else { return false };
    let Some((_, bound)) = context.names.scopes.lookup(pool.id.as_str(), start.scope) else { return false };
    bound.iter().any(|bound| match bound.what {
        Binding::Value(Expr::Call(made)) | Binding::Entered(Expr::Call(made)) => {
            argument(made, 0, "max_workers").is_some_and(|workers| context.text(workers) == "1")
        }
        _ => false,
    })
}

/// Whether all threads of a start run the method of one object: of `self`, or of one made outside of the loop.
fn one_object<'a>(context: &Context<'a>, model: &Model<'a>, start: &Start<'a>) -> bool {
    let Expr::Attribute(attribute) = start.function else { return false };
    let Expr::Name(base) = &*attribute.value else { return false };
    let scopes = context.names.scopes;
    if scopes.receiver(base.id.as_str(), start.scope).is_some() {
        return true;
    }
    let Some((_, [only])) = scopes.lookup(base.id.as_str(), start.scope) else { return false };
    matches!(only.what, Binding::Value(made) if !model.repeats(made.range()))
}

/// Whether a `with` may keep other threads out: everything that is not known to be something else.
fn may_guard(context: &Context<'_>, held: &Held<'_>, scope: ScopeId) -> bool {
    held.reentrant.is_some() || !is_file(context, held.node, scope)
}

fn is_file(context: &Context<'_>, node: &Expr, scope: ScopeId) -> bool {
    let kind = context.names.type_of(node, scope);
    kind.is_some_and(|kind| context.names.catalog.has(Language::Python, &kind, Mark::File))
}

/// The body of a function that several threads run.
struct Body<'c, 'a> {
    context: &'c mut Context<'a>,
    function: ScopeId,
    shares_self: bool,
    told: BTreeSet<(&'static str, &'a str)>,
}

impl<'a> Body<'_, 'a> {
    /// The name of a variable that all threads share: of the module, or an attribute of their one object.
    fn shared(&self, expression: &'a Expr) -> Option<&'a str> {
        let scopes = self.context.names.scopes;
        match expression {
            Expr::Name(name) => {
                let (owner, _) = scopes.lookup(name.id.as_str(), self.function)?;
                (owner == ScopeId::MODULE).then(|| self.context.text(expression))
            }
            Expr::Attribute(attribute) if self.shares_self => {
                let Expr::Name(base) = &*attribute.value else { return None };
                let (_, of_class) = scopes.receiver(base.id.as_str(), self.function)?;
                (!of_class).then(|| self.context.text(expression))
            }
            _ => None,
        }
    }

    fn tell(
        &mut self,
        rule: &'static str,
        range: TextRange,
        subject: &'a str,
        facts: Vec<(&'static str, String)>,
    ) {
        if self.told.insert((rule, subject)) {
            let mut seen = self.context.observation(rule, range, subject);
            seen.facts = facts;
            self.context.observe(seen);
        }
    }

    /// `total += 1` and `total = total + 1`, of numbers: a list is extended in one step.
    fn update(&mut self, statement: &'a Stmt) {
        let target = match statement {
            Stmt::AugAssign(update) => &*update.target,
            Stmt::Assign(assign) => {
                let ([target], Expr::BinOp(sum)) = (assign.targets.as_slice(), &*assign.value) else {
                    return;
                };
                if self.context.text(target) != self.context.text(&*sum.left) || sum.op == Operator::BitOr {
                    return;
                }
                target
            }
            _ => return,
        };
        let Some(subject) = self.shared(target) else { return };
        let kind = self.context.names.type_of(target, self.function);
        if matches!(kind.as_deref(), Some("builtins.int" | "builtins.float" | "builtins.str")) {
            self.tell("unlocked-shared-update", statement.range(), subject, Vec::new());
        }
    }

    /// `if x is None: x = make()`.
    fn check(&mut self, test: &'a StmtIf) {
        let looked_at = match &*test.test {
            Expr::Compare(compare) if compare.comparators.iter().all(Expr::is_none_literal_expr) => {
                if !matches!(&*compare.ops, [ruff_python_ast::CmpOp::Is]) {
                    return;
                }
                &*compare.left
            }
            Expr::UnaryOp(not) if not.op == UnaryOp::Not => &*not.operand,
            _ => return,
        };
        let Some(subject) = self.shared(looked_at) else { return };
        let sets = |statement: &Stmt| {
            let Stmt::Assign(assign) = statement else { return false };
            assign.value.is_call_expr() && assign.targets.iter().any(|t| self.context.text(t) == subject)
        };
        if test.body.iter().any(sets) {
            let line = test.test.range();
            self.tell("check-then-act", line, subject, Vec::new());
        }
    }

    fn call(&mut self, call: &'a ExprCall) {
        let Some(callee) = self.context.names.resolve(&call.func, self.function) else { return };
        if callee == "builtins.open" {
            return self.appends(call);
        }
        let Expr::Attribute(attribute) = &*call.func else { return };
        let Some(subject) = self.shared(&attribute.value) else { return };
        let Some(kind) = self.context.names.type_of(&attribute.value, self.function) else { return };
        let catalog = self.context.names.catalog;
        let harmless = catalog.find(Language::Python, &format!("{kind}.{}", attribute.attr.as_str()));
        let harmless = harmless.is_some_and(|api| api.effect == Effect::Harmless);
        if catalog.has(Language::Python, &kind, Mark::NotThreadSafe) && !harmless {
            self.tell("connection-shared-across-threads", call.range(), subject, vec![("kind", kind)]);
        }
    }

    /// `open("one.txt", "a")`: the same file for every worker.
    fn appends(&mut self, call: &'a ExprCall) {
        let (Some(file), Some(Expr::StringLiteral(mode))) =
            (argument(call, 0, "file"), argument(call, 1, "mode"))
        else {
            return;
        };
        let same = file.is_string_literal_expr() || (file.is_name_expr() && self.shared(file).is_some());
        if same && mode.value.to_str().contains('a') {
            let subject = self.context.text(file);
            self.tell("pool-appends-to-one-file", call.range(), subject, Vec::new());
        }
    }
}

impl<'a> Visitor<'a> for Body<'_, 'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            // What is defined here runs some other time.
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::With(with) => {
                let open = |item: &ruff_python_ast::WithItem| {
                    is_file(self.context, &item.context_expr, self.function)
                };
                if !with.items.iter().all(open) {
                    return;
                }
            }
            Stmt::If(test) => self.check(test),
            _ => self.update(statement),
        }
        depth::grow(|| visitor::walk_stmt(self, statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            self.call(call);
        }
        if !expression.is_lambda_expr() {
            depth::grow(|| visitor::walk_expr(self, expression));
        }
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}
