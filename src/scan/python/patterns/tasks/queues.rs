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
use super::sentinels::{Start, Times, counted, joins_all, same, started};
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
    /// How often it runs when its function does.
    times: Times<'a>,
}

#[derive(Debug, Default)]
struct Queue<'a> {
    uses: Vec<Use<'a>>,
    /// Whether it is handed on, so that not all uses are seen.
    escapes: bool,
    /// Whether it is handed on to others than those who are started with it.
    leaves: bool,
}

/// Somebody who is started beside the rest of the program.
#[derive(Debug)]
struct Worker<'a> {
    start: Start<'a>,
    /// The queues among what it is given, by position.
    queues: Vec<Option<Key<'a>>>,
    times: Times<'a>,
    /// Where it is started.
    function: Option<&'a StmtFunctionDef>,
}

/// Asked once per file.
pub(super) fn queues<'a>(context: &mut Context<'a>, body: &'a [Stmt]) {
    if !context.mentions("Queue") {
        return;
    }
    let mut survey = Survey {
        context,
        scope: ScopeId::MODULE,
        function: None,
        loops: Vec::new(),
        rounds: Vec::new(),
        workers: Vec::new(),
        queues: BTreeMap::new(),
        targets: Vec::new(),
    };
    survey.visit_body(body);
    let mut seen = Vec::new();
    for (key, queue) in &survey.queues {
        seen.extend(survey.unbounded(*key, queue, body));
        seen.extend(queue.uses.iter().filter_map(|used| survey.endless(used)));
        seen.extend(survey.never_done(queue));
        seen.extend(survey.too_few_sentinels(*key, queue));
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
    /// How often each loop around runs, those of comprehensions too.
    rounds: Vec<Times<'a>>,
    workers: Vec<Worker<'a>>,
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
        if !self.targets.contains(&name) || self.context.mentions("aemon") {
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
        let receiver = receiver(used.call)?;
        (!leaves).then(|| self.observation("get-without-sentinel", used.call, Some(used), receiver))
    }

    /// `jobs.join()` where nobody says `task_done()`.
    fn never_done(&self, queue: &Queue<'a>) -> Option<Observation> {
        let joined = queue.uses.iter().find(|used| used.method == "join")?;
        let taken = queue.uses.iter().any(|used| used.method == "get");
        if queue.escapes || !taken || self.context.mentions("task_done") {
            return None;
        }
        Some(self.observation("task-done-missing", joined.call, Some(joined), receiver(joined.call)?))
    }

    /// One `None` put in for several who take until they get one.
    fn too_few_sentinels(&self, key: Key<'a>, queue: &Queue<'a>) -> Option<Observation> {
        let text = &self.context.file.text;
        // What ends with the program, or is cancelled, needs no sentinel.
        if queue.leaves || text.contains("aemon") || text.contains(".cancel(") {
            return None;
        }
        let ends = |used: &&Use<'a>| {
            matches!(used.method, "put" | "put_nowait")
                && used.call.arguments.args.first().is_some_and(Expr::is_none_literal_expr)
        };
        let last = queue.uses.iter().rfind(ends)?;
        let consumers: Vec<_> = self.workers.iter().filter(|worker| self.consumes(worker, key)).collect();
        let runs_once = |used: &Use<'a>| {
            consumers.iter().all(|worker| same(worker.function, used.function))
                || used.function.is_some_and(joins_all)
        };
        if !queue.uses.iter().filter(ends).all(runs_once) {
            return None;
        }
        let sentinels = Times::sum(queue.uses.iter().filter(ends).map(|used| used.times));
        let consumers = Times::sum(consumers.iter().map(|worker| worker.times));
        let too_few = match (sentinels, consumers) {
            (Times::Number(sentinels), Times::Number(consumers)) => sentinels < consumers,
            (Times::Number(1), Times::Each(_)) => true,
            _ => false,
        };
        let mut seen = self.observation("too-few-sentinels", last.call, Some(last), receiver(last.call)?);
        seen.facts.push(("sentinels", counted(sentinels, "sentinel")));
        seen.facts.push(("consumers", counted(consumers, "consumer")));
        too_few.then_some(seen)
    }

    /// Whether a worker takes from a queue: as one of its parameters, or by the name it has in its file.
    fn consumes(&self, worker: &Worker<'a>, key: Key<'a>) -> bool {
        let start = &worker.start;
        if let Some(position) = worker.queues.iter().position(|queue| *queue == Some(key)) {
            let parameter = start.parameter(self.context, position);
            return parameter.is_some_and(|name| start.consumes(self.context, name));
        }
        let (owner, name, of_instances) = key;
        let scopes = self.context.names.scopes;
        let visible = if of_instances {
            start.worker.owner == owner
        } else {
            scopes.lookup(name, start.worker.scope).is_some_and(|(found, _)| found == owner)
        };
        visible && start.consumes(self.context, &name_of(key))
    }

    fn starts(&mut self, call: &'a ExprCall) {
        let Some(start) = started(self.context, call, self.scope) else { return };
        let queues = start.given.iter().map(|given| self.key(given)).collect();
        let times = Times::inside(&self.rounds);
        self.workers.push(Worker { start, queues, times, function: self.function });
    }

    /// Whether an expression is what somebody is started with.
    fn is_given(&self, expression: &Expr) -> bool {
        self.workers
            .iter()
            .any(|worker| worker.start.given.iter().any(|given| std::ptr::eq(given, expression)))
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
        let outer = (self.scope, std::mem::take(&mut self.loops), std::mem::take(&mut self.rounds));
        self.scope = scope.unwrap_or(self.scope);
        work(self);
        (self.scope, self.loops, self.rounds) = outer;
    }
}

/// What a method is called on.
fn receiver(call: &ExprCall) -> Option<&Expr> {
    call.func.as_attribute_expr().map(|method| &*method.value)
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
                let times = match statement {
                    Stmt::For(each) => Times::of(self.context, &each.iter),
                    _ => Times::Unknown,
                };
                self.loops.push(statement);
                self.rounds.push(times);
                visitor::walk_stmt(self, statement);
                self.rounds.pop();
                self.loops.pop();
            }
            _ => visitor::walk_stmt(self, statement),
        });
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            self.target(call);
            self.starts(call);
            if let Expr::Attribute(method) = &*call.func
                && let Some(key) = self.key(&method.value)
            {
                let used = Use {
                    method: method.attr.as_str(),
                    call,
                    function: self.function,
                    scope: self.scope,
                    repeats: self.loops.last().copied(),
                    times: Times::inside(&self.rounds),
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
            let leaves = !self.is_given(expression);
            let queue = self.queues.entry(key).or_default();
            queue.escapes = true;
            queue.leaves |= leaves;
        }
        let parts = match expression {
            Expr::ListComp(list) => &*list.generators,
            Expr::SetComp(set) => &*set.generators,
            Expr::Generator(lazy) => &*lazy.generators,
            Expr::DictComp(dict) => &*dict.generators,
            _ => &[],
        };
        let before = self.rounds.len();
        if !parts.is_empty() {
            self.rounds.push(Times::of_parts(self.context, parts));
        }
        depth::grow(|| visitor::walk_expr(self, expression));
        self.rounds.truncate(before);
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}

fn name_of((_, name, of_instances): Key<'_>) -> String {
    if of_instances { format!("self.{name}") } else { name.to_owned() }
}
