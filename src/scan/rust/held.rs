//! What is held while something else happens: guards of locks and borrows, followed from the call that gives them to
//! their end. Follows the events of a body; knows no rule.
//!
//! A guard lives in a variable until its scope ends, it is moved away or dropped; or in a temporary until its statement
//! ends, which for the head of a `match`, an `if let`, a `while let` or a `for` is the end of the whole expression.

use super::facts::{CallAt, Callee, Event, Local, Spot, Sym, Value, ValueAt};
use super::names::{Def, FunctionId, TypeId};
use super::program::{CallId, Program};
use super::values::{Shape, Target, Ty, UNKNOWN};
use super::vocabulary as words;
use crate::catalog::{Language, Mark};

/// What a guard guards, as far as it can be told apart from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Lock {
    /// The field of a type.
    Field(TypeId, String),
    /// A static: file, index.
    Static(u32, u32),
    /// A variable: the value that it began with.
    Variable(u32, ValueAt),
}

/// The kinds of guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Of a lock between threads.
    Thread,
    /// Of a lock of an event loop.
    Async,
    /// Of a `RefCell`.
    Borrow,
}

/// A guard.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    /// The call that gave it.
    pub(super) call: CallId,
    pub(super) kind: Kind,
    /// The variable it is in; a temporary otherwise.
    pub(super) local: Option<Local>,
    pub(super) lock: Option<Lock>,
    /// The value whose lock it is.
    pub(super) receiver: Option<ValueAt>,
}

/// Something that happens while guards are held.
pub(super) enum While<'g> {
    /// An `await`.
    Await(Spot),
    /// A call; its own guard, if it gives one.
    Call(CallId, Option<&'g Guard>),
    /// A guard is thrown away as soon as it is made.
    Discarded(&'g Guard, Spot),
}

/// The kind of guard that a call gives, if it gives one.
pub(super) fn guard_kind(program: &Program<'_>, call: CallId) -> Option<Kind> {
    let values = &program.values;
    let returned = match program.target(call) {
        Target::External(text) => {
            return program.kind_of(text, || {
                let returns = values.catalog.returns(Language::Rust, &values.names.text(text))?;
                kind_of(program, returns)
            });
        }
        Target::Project(found) => {
            let id = *found.first()?;
            values.ty(id.file, program.function(id).returns)
        }
        _ => return None,
    };
    let inner = unwrapped(program, returned);
    kind_of(program, &values.external_name(inner)?)
}

fn unwrapped(program: &Program<'_>, ty: Ty) -> Ty {
    match program.values.shape(ty) {
        Shape::External(text, arguments) if words::is_wrapper(&program.values.names.text(text)) => {
            arguments.first().copied().unwrap_or(UNKNOWN)
        }
        _ => ty,
    }
}

fn kind_of(program: &Program<'_>, name: &str) -> Option<Kind> {
    let has = |mark| program.values.catalog.has(Language::Rust, name, mark);
    if has(Mark::Guard) {
        Some(Kind::Thread)
    } else if has(Mark::AsyncGuard) {
        Some(Kind::Async)
    } else if has(Mark::BorrowGuard) {
        Some(Kind::Borrow)
    } else {
        None
    }
}

fn gives_guards(program: &Program<'_>, id: FunctionId) -> bool {
    program.values.events(id).iter().any(|event| {
        matches!(event, Event::Call(at) if guard_kind(program, CallId { file: id.file, at: *at }).is_some())
    })
}

/// Follows the guards of a function and tells what happens while some are held.
pub(super) fn follow(program: &Program<'_>, id: FunctionId, mut tell: impl FnMut(&[Guard], While<'_>)) {
    if !gives_guards(program, id) {
        return;
    }
    let facts = program.facts(id.file);
    let mut held: Vec<Guard> = Vec::new();
    // Guards that were moved out of a variable and may arrive in another one.
    let mut moved: Option<Guard> = None;
    let mut scopes: Vec<Vec<Local>> = Vec::new();
    let mut statements: Vec<Vec<CallAt>> = Vec::new();
    let mut forks: Vec<(Vec<Guard>, Vec<CallId>)> = Vec::new();
    for event in &facts.function(id.at).events {
        match *event {
            Event::Open => scopes.push(Vec::new()),
            Event::Close => {
                let ended = scopes.pop().unwrap_or_default();
                held.retain(|guard| guard.local.is_none_or(|local| !ended.contains(&local)));
            }
            Event::Mark => statements.push(Vec::new()),
            Event::Release => {
                let ended = statements.pop().unwrap_or_default();
                held.retain(|guard| guard.local.is_some() || !ended.contains(&guard.call.at));
            }
            Event::Call(at) => {
                let call = CallId { file: id.file, at };
                let guard = guard_kind(program, call).map(|kind| guard_of(program, call, kind));
                tell(&held, While::Call(call, guard.as_ref()));
                // A guard handed over as a temporary is the callee's.
                for argument in &facts.call(at).arguments {
                    if let Some(from) = origin(program, id.file, argument.value) {
                        held.retain(|guard| guard.local.is_some() || guard.call.at != from);
                    }
                }
                if let Some(guard) = guard {
                    if let Some(statement) = statements.last_mut() {
                        statement.push(at);
                    }
                    held.push(guard);
                }
            }
            Event::Await(value, spot) => {
                let own = origin(program, id.file, value);
                let others: Vec<Guard> =
                    held.iter().filter(|guard| Some(guard.call.at) != own).cloned().collect();
                if !others.is_empty() {
                    tell(&others, While::Await(spot));
                }
            }
            Event::Bind(local, value) => {
                if let Some(scope) = scopes.last_mut() {
                    scope.push(local);
                }
                if let Some(from) = origin(program, id.file, value) {
                    arrive(&mut held, &mut moved, local, from);
                }
            }
            Event::Absent(value) => {
                if let Some(from) = origin(program, id.file, value) {
                    held.retain(|guard| guard.local.is_some() || guard.call.at != from);
                }
            }
            Event::Discard(value, spot) => {
                if let Some(from) = origin(program, id.file, value)
                    && let Some(at) =
                        held.iter().position(|guard| guard.local.is_none() && guard.call.at == from)
                {
                    let guard = held.remove(at);
                    tell(&held, While::Discarded(&guard, spot));
                }
            }
            Event::Gone(local) => {
                if let Some(at) = held.iter().position(|guard| guard.local == Some(local)) {
                    moved = Some(held.remove(at));
                }
            }
            Event::Fork => forks.push((held.clone(), Vec::new())),
            Event::Arm => {
                if let Some((before, _)) = forks.last() {
                    held.clone_from(before);
                }
            }
            Event::ArmEnd(leaves) => {
                if let Some((before, ended)) = forks.last_mut()
                    && !leaves
                {
                    let gone = before.iter().map(|guard| guard.call);
                    ended.extend(gone.filter(|call| !held.iter().any(|guard| guard.call == *call)));
                }
            }
            Event::Join => {
                if let Some((before, ended)) = forks.pop() {
                    held = before;
                    held.retain(|guard| !ended.contains(&guard.call));
                }
            }
            Event::Used(_) | Event::Make(_) | Event::Loop(_) | Event::LoopEnd | Event::Statement(_) => {}
        }
    }
}

/// A guard arrives in a variable: from a temporary, or from another variable.
fn arrive(held: &mut Vec<Guard>, moved: &mut Option<Guard>, local: Local, from: CallAt) {
    if let Some(guard) = held.iter_mut().find(|guard| guard.local.is_none() && guard.call.at == from) {
        guard.local = Some(local);
    } else if let Some(mut guard) = moved.take_if(|guard| guard.call.at == from) {
        guard.local = Some(local);
        held.push(guard);
    }
}

fn guard_of(program: &Program<'_>, call: CallId, kind: Kind) -> Guard {
    let receiver = match program.call(call).callee {
        Callee::Method(receiver, _) => Some(receiver),
        Callee::Path(..) => program.call(call).arguments.first().map(|argument| argument.value),
        _ => None,
    };
    // What a function of the project locks is its own business: its name says nothing of the receiver's lock.
    let own = matches!(program.target(call), Target::External(_));
    let receiver = receiver.filter(|_| own);
    let lock = receiver.and_then(|receiver| lock_of(program, call.file, receiver));
    Guard { call, kind, local: None, lock, receiver }
}

/// The call behind a value that may hold its guard.
fn origin(program: &Program<'_>, file: u32, value: ValueAt) -> Option<CallAt> {
    let facts = program.facts(file);
    let mut at = value;
    for _ in 0..16 {
        match facts.value(at) {
            Value::Call(call) => match facts.call(*call).callee {
                Callee::Method(receiver, name) if words::hands_on(facts.text(name)) => at = receiver,
                _ => return Some(*call),
            },
            Value::Tried(base) | Value::Awaited(base) => at = *base,
            Value::Matched(base, pattern, _)
                if matches!(facts.text(*pattern).rsplit("::").next(), Some("Ok" | "Some")) =>
            {
                at = *base;
            }
            // An annotation stands before the value.
            Value::OneOf(several) => at = *several.last()?,
            _ => return None,
        }
    }
    None
}

/// Which lock a value is.
pub(super) fn lock_of(program: &Program<'_>, file: u32, value: ValueAt) -> Option<Lock> {
    let facts = program.facts(file);
    let values = &program.values;
    let at = without_views(program, file, value);
    match facts.value(at) {
        Value::Field(base, name) => {
            let mut ty = values.ty(file, *base);
            loop {
                if let Shape::Project(id, _) = values.shape(ty) {
                    return Some(Lock::Field(id, facts.text(*name).to_owned()));
                }
                ty = values.dereferenced(ty)?;
            }
        }
        Value::Path(path, scope) => {
            match values.names.resolve(values.names.scope(file, *scope), facts.text(*path))? {
                Def::Static(file, at) => Some(Lock::Static(file, at)),
                _ => None,
            }
        }
        Value::Unknown | Value::Index(_) => None,
        _ => Some(Lock::Variable(file, at)),
    }
}

/// The value without `clone`, `as_ref`, `Arc::clone(&…)`: what it is a view of.
fn without_views(program: &Program<'_>, file: u32, value: ValueAt) -> ValueAt {
    let facts = program.facts(file);
    let mut at = value;
    for _ in 0..16 {
        if let Value::Behind(base) = facts.value(at) {
            at = *base;
            continue;
        }
        let Value::Call(call) = facts.value(at) else { break };
        let call = facts.call(*call);
        match call.callee {
            Callee::Method(receiver, name)
                if matches!(facts.text(name), "clone" | "as_ref" | "borrow" | "as_deref" | "to_owned") =>
            {
                at = receiver;
            }
            Callee::Path(path, _) if facts.text(path).ends_with("::clone") && call.arguments.len() == 1 => {
                at = call.arguments[0].value;
            }
            _ => break,
        }
    }
    at
}

/// Whether two values of a file are written the same way from the same variable.
pub(super) fn same(program: &Program<'_>, file: u32, left: ValueAt, right: ValueAt) -> bool {
    let (left, right) = (without_views(program, file, left), without_views(program, file, right));
    if left == right {
        return left.0 != 0;
    }
    let facts = program.facts(file);
    match (facts.value(left), facts.value(right)) {
        (Value::Field(a, name), Value::Field(b, other)) => name == other && same(program, file, *a, *b),
        (Value::Path(a, here), Value::Path(b, there)) => a == b && here == there,
        _ => false,
    }
}

/// The name of a lock for people.
pub(super) fn lock_name(program: &Program<'_>, lock: &Lock) -> String {
    match lock {
        Lock::Field(id, name) => {
            let facts = program.facts(id.file);
            format!("{}.{name}", facts.text(facts.types[id.at.at()].name))
        }
        Lock::Static(file, at) => {
            let facts = program.facts(*file);
            facts.text(facts.statics[*at as usize].0).to_owned()
        }
        Lock::Variable(..) => "lock".to_owned(),
    }
}

/// The name of a guard's lock as it is written: `self.state`, `queue`.
pub(super) fn written(program: &Program<'_>, guard: &Guard) -> String {
    let receiver = guard.receiver.map(|receiver| source_of(program, guard.call.file, receiver));
    match (receiver.filter(|text| !text.is_empty()), &guard.lock) {
        (Some(text), _) => text,
        (None, Some(lock)) => lock_name(program, lock),
        (None, None) => program.callee(guard.call).to_string(),
    }
}

fn source_of(program: &Program<'_>, file: u32, value: ValueAt) -> String {
    let facts = program.facts(file);
    let at = without_views(program, file, value);
    let name = |sym: Sym| facts.text(sym).to_owned();
    match facts.value(at) {
        Value::Field(base, field) => match source_of(program, file, *base) {
            base if base.is_empty() => name(*field),
            base => format!("{base}.{}", name(*field)),
        },
        Value::Path(path, _) => name(*path),
        Value::OneOf(_) if facts.functions.iter().any(|function| function.this == Some(at)) => {
            "self".to_owned()
        }
        _ => String::new(),
    }
}
