//! Queues: those without a bound, consumers that cannot end, joins that wait for marks nobody makes. Knows the queues
//! that one file makes and names itself; a queue that goes elsewhere is judged only where that cannot matter.

use std::collections::BTreeMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Stmt, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::super::super::context::Context;
use super::super::super::depth;
use super::super::super::scope::{Binding, Bound, ScopeId, argument, elements, last_part};
use super::definitions::{Node, any};
use crate::catalog::{Language, Mark};
use crate::finding::Observation;

/// A queue by who names it, its name, and whether that is an attribute of instances.
type Key<'a> = (ScopeId, &'a str, bool);

/// A method called on a queue.
#[derive(Debug, Clone, Copy)]
struct Use<'a> {
    method: &'a str,
    call: &'a ExprCall,
    function: Option<&'a StmtFunctionDef>,
    scope: ScopeId,
    /// The innermost loop around it in its function.
    repeats: Option<&'a Stmt>,
}

#[derive(Debug, Default)]
struct Queue<'a> {
    uses: Vec<Use<'a>>,
    /// Whether it is handed on, so that not all uses are seen.
    escapes: bool,
}

/// Asked once per file.
pub(super) fn queues<'a>(context: &mut Context<'a>, body: &'a [Stmt]) {
    if !context.file.text.contains("Queue") {
        return;
    }
    let mut survey = Survey {
        context,
        scope: ScopeId::MODULE,
        function: None,
        loops: Vec::new(),
        queues: BTreeMap::new(),
        targets: Vec::new(),
    };
    survey.visit_body(body);
    let mut seen = Vec::new();
    for (key, queue) in &survey.queues {
        seen.extend(survey.unbounded(*key, queue, body));
        seen.extend(queue.uses.iter().filter_map(|used| survey.endless(used)));
        seen.extend(survey.never_done(queue));
    }
    for observation in seen {
        context.observe(observation);
    }
}

struct Survey<'c, 'a> {
    context: &'c Context<'a>,
    scope: ScopeId,
    function: Option<&'a StmtFunctionDef>,
    loops: Vec<&'a Stmt>,
    queues: BTreeMap<Key<'a>, Queue<'a>>,
    /// Names of functions that run in a thread or process which outlives the main one.
    targets: Vec<&'a str>,
}

impl<'a> Survey<'_, 'a> {
    /// What names a queue that this file makes.
    fn key(&self, expression: &'a Expr) -> Option<Key<'a>> {
        let scopes = self.context.names.scopes;
        let (key, bound) = match expression {
            Expr::Name(name) => {
                let (owner, bound) = scopes.lookup(name.id.as_str(), self.scope)?;
                ((owner, name.id.as_str(), false), bound)
            }
            Expr::Attribute(attribute) => {
                let Expr::Name(base) = &*attribute.value else { return None };
                let (class, _) = scopes.receiver(base.id.as_str(), self.scope)?;
                let name = attribute.attr.as_str();
                ((class, name, true), scopes.attribute(class, name))
            }
            _ => return None,
        };
        let (made, scope) = made(bound)?;
        let kind = self.context.names.type_of(made, scope)?;
        let catalog = self.context.names.catalog;
        let marks = [Mark::ThreadQueue, Mark::ProcessQueue, Mark::AsyncQueue];
        marks.iter().any(|mark| catalog.has(Language::Python, &kind, *mark)).then_some(key)
    }

    fn kind(&self, key: Key<'a>) -> Option<(&'a Expr, String)> {
        let scopes = self.context.names.scopes;
        let (owner, name, of_instances) = key;
        let bound = if of_instances { scopes.attribute(owner, name) } else { scopes.lookup(name, owner)?.1 };
        let (made, scope) = made(bound)?;
        Some((made, self.context.names.type_of(made, scope)?))
    }

    fn observation(
        &self,
        rule: &'static str,
        node: impl Ranged,
        used: Option<&Use<'a>>,
        subject: &Expr,
    ) -> Observation {
        let mut seen = self.context.observation(rule, node, self.context.text(subject));
        if let Some(used) = used {
            let inner = self.context.names.scopes.qualified(used.scope);
            let parts = [self.context.names.module, &inner];
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            seen.symbol = parts.join(".").into();
        }
        seen
    }

    /// Filled in a loop of one function, emptied by another, and nothing that slows the first one down.
    fn unbounded(&self, key: Key<'a>, queue: &Queue<'a>, module: &[Stmt]) -> Option<Observation> {
        let (made, kind) = self.kind(key)?;
        let catalog = self.context.names.catalog;
        let Expr::Call(call) = made else { return None };
        let has_bound = [Mark::ThreadQueue, Mark::AsyncQueue]
            .iter()
            .any(|mark| catalog.has(Language::Python, &kind, *mark))
            && !kind.ends_with("SimpleQueue");
        let unknown = call.arguments.keywords.iter().any(|keyword| keyword.arg.is_none())
            || call.arguments.args.iter().any(Expr::is_starred_expr);
        if !has_bound
            || unknown
            || argument(call, 0, "maxsize").is_some_and(|size| self.context.text(size) != "0")
        {
            return None;
        }
        if queue.uses.iter().any(|used| matches!(used.method, "qsize" | "full")) {
            return None;
        }
        let mut taking = queue.uses.iter().filter(|used| matches!(used.method, "get" | "get_nowait"));
        let fills = queue.uses.iter().find(|used| {
            matches!(used.method, "put" | "put_nowait") && self.fills_without_end(used, module)
        })?;
        taking
            .any(|taken| taken.function.map(Ranged::range) != fills.function.map(Ranged::range))
            .then(|| self.context.observation("unbounded-queue", made, &name_of(key)))
    }

    /// Whether a `put` is repeated as often as something else likes, while somebody could be reading.
    fn fills_without_end(&self, used: &Use<'a>, module: &[Stmt]) -> bool {
        let Some(repeats) = used.repeats else { return false };
        let known = match repeats {
            Stmt::For(each) => {
                elements(&each.iter).is_some()
                    || matches!(&*each.iter, Expr::Call(call) if last_part(&call.func) == Some("range"))
                    || used.call.arguments.args.first().is_some_and(Expr::is_none_literal_expr)
            }
            _ => used.call.arguments.args.first().is_some_and(Expr::is_none_literal_expr),
        };
        // What is started after the loop finds all of it there.
        let end =
            used.function.map_or_else(|| module.last().map(Ranged::end), |function| Some(function.end()));
        let after =
            end.map_or("", |end| self.context.text(TextRange::new(repeats.end(), end.max(repeats.end()))));
        let starts =
            ["start(", "Thread(", "Process(", "create_task(", "ensure_future(", "gather(", "submit(", "run("];
        !known && !starts.iter().any(|start| after.contains(start))
    }

    /// `while True: … jobs.get()` in a thread that nothing ends.
    fn endless(&self, used: &Use<'a>) -> Option<Observation> {
        let Some(Stmt::While(until)) = used.repeats.filter(|_| used.method == "get") else { return None };
        let forever = matches!(&*until.test, Expr::BooleanLiteral(literal) if literal.value)
            || matches!(&*until.test, Expr::NumberLiteral(_));
        if !forever || !used.call.arguments.is_empty() {
            return None;
        }
        let name = used.function?.name.as_str();
        if !self.targets.contains(&name) || self.context.file.text.contains("aemon") {
            return None;
        }
        let leaves = any(&until.body, &mut |node| match node {
            Node::Statement(statement) => {
                matches!(statement, Stmt::Break(_) | Stmt::Return(_) | Stmt::Raise(_) | Stmt::Assert(_))
            }
            Node::Expression(Expr::Call(call)) => {
                last_part(&call.func).is_some_and(|name| matches!(name, "exit" | "_exit" | "kill" | "abort"))
            }
            Node::Expression(_) => false,
        });
        let Expr::Attribute(method) = &*used.call.func else { return None };
        (!leaves).then(|| self.observation("get-without-sentinel", used.call, Some(used), &method.value))
    }

    /// `jobs.join()` where nobody says `task_done()`.
    fn never_done(&self, queue: &Queue<'a>) -> Option<Observation> {
        let joined = queue.uses.iter().find(|used| used.method == "join")?;
        let taken = queue.uses.iter().any(|used| used.method == "get");
        if queue.escapes || !taken || self.context.file.text.contains("task_done") {
            return None;
        }
        let Expr::Attribute(method) = &*joined.call.func else { return None };
        Some(self.observation("task-done-missing", joined.call, Some(joined), &method.value))
    }

    fn target(&mut self, call: &'a ExprCall) {
        let Some(given) = call.arguments.find_keyword("target") else { return };
        let catalog = self.context.names.catalog;
        let made = self.context.names.resolve(&call.func, self.scope);
        let runs = made.is_some_and(|made| {
            [Mark::Thread, Mark::Process].iter().any(|mark| catalog.has(Language::Python, &made, *mark))
        });
        if runs {
            self.targets.extend(last_part(&given.value).filter(|_| !given.value.is_call_expr()));
        }
    }

    /// Does something in a scope, outside of the loops around it.
    fn inside(&mut self, scope: Option<ScopeId>, work: impl FnOnce(&mut Self)) {
        let outer = (self.scope, std::mem::take(&mut self.loops));
        self.scope = scope.unwrap_or(self.scope);
        work(self);
        (self.scope, self.loops) = outer;
    }
}

/// The one call that makes what is bound.
fn made<'a>(bound: &[Bound<'a>]) -> Option<(&'a Expr, ScopeId)> {
    let mut values = bound.iter().filter_map(|bound| match bound.what {
        Binding::Annotated(_) => None,
        Binding::Value(value) => Some(Some((value, bound.scope))),
        _ => Some(None),
    });
    let (value, scope) = values.next()??;
    (values.next().is_none() && value.is_call_expr()).then_some((value, scope))
}

impl<'a> Visitor<'a> for Survey<'_, 'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let scopes = self.context.names.scopes;
        depth::grow(|| match statement {
            Stmt::FunctionDef(function) => {
                let outer = self.function.replace(function);
                self.inside(scopes.opened_by(function), |survey| survey.visit_body(&function.body));
                self.function = outer;
            }
            Stmt::ClassDef(class) => {
                self.inside(scopes.opened_by(class), |survey| survey.visit_body(&class.body));
            }
            Stmt::For(_) | Stmt::While(_) => {
                self.loops.push(statement);
                visitor::walk_stmt(self, statement);
                self.loops.pop();
            }
            _ => visitor::walk_stmt(self, statement),
        });
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            self.target(call);
            if let Expr::Attribute(method) = &*call.func
                && let Some(key) = self.key(&method.value)
            {
                let used = Use {
                    method: method.attr.as_str(),
                    call,
                    function: self.function,
                    scope: self.scope,
                    repeats: self.loops.last().copied(),
                };
                self.queues.entry(key).or_default().uses.push(used);
                self.visit_arguments(&call.arguments);
                return;
            }
        }
        let read = match expression {
            Expr::Name(name) => name.ctx.is_load(),
            Expr::Attribute(attribute) => attribute.ctx.is_load(),
            _ => false,
        };
        if read && let Some(key) = self.key(expression) {
            self.queues.entry(key).or_default().escapes = true;
        }
        depth::grow(|| visitor::walk_expr(self, expression));
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}

fn name_of((_, name, of_instances): Key<'_>) -> String {
    if of_instances { format!("self.{name}") } else { name.to_owned() }
}
