//! Daemon threads that write: the end of the program cuts them off wherever they are.

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::Ranged;

use super::model::{Calling, Model, Start};
use super::tell;
use crate::catalog::{Language, Mark};
use crate::scan::python::context::Context;
use crate::scan::python::scope::Binding;

/// Observes the daemon threads of a file that write, unless somebody waits for threads there, whichever.
pub(super) fn observe<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    if context.mentions("atexit") || model.callings.iter().any(|calling| joins(context, calling)) {
        return;
    }
    for start in &model.starts {
        let is_thread = context.names.catalog.has(Language::Python, &start.callee, Mark::Thread);
        let Some(runs) = start.runs.filter(|_| is_thread && is_daemon(context, model, start)) else {
            continue;
        };
        let Some(function) = model.functions.get(&runs) else { continue };
        let Some(writes) = writes(context, model, start) else { continue };
        let facts = vec![("writes", writes.to_owned())];
        tell(
            context,
            "daemon-thread-writes",
            (start.scope, start.call.range()),
            function.name.as_str(),
            facts,
        );
    }
}

/// A `join` that may be that of a thread: strings and paths are joined with what they are put between.
fn joins(context: &Context<'_>, calling: &Calling<'_>) -> bool {
    let Expr::Attribute(attribute) = &*calling.call.func else { return false };
    if attribute.attr.as_str() != "join" || attribute.value.is_string_literal_expr() {
        return false;
    }
    match &*calling.call.arguments.args {
        [] => true,
        // Of one argument it is either; a number is a time to wait.
        [given] => {
            !matches!(given, Expr::Generator(_) | Expr::ListComp(_) | Expr::List(_) | Expr::Call(_))
                && !matches!(
                    context.names.resolve(&calling.call.func, calling.scope).as_deref(),
                    Some("builtins.str.join" | "builtins.bytes.join")
                )
        }
        _ => false,
    }
}

/// `daemon=True`, or set on the variable that the thread was put in.
fn is_daemon<'a>(context: &Context<'a>, model: &Model<'a>, start: &Start<'a>) -> bool {
    let yes = |value: &Expr| matches!(value, Expr::BooleanLiteral(literal) if literal.value);
    let said = start.call.arguments.find_keyword("daemon").is_some_and(|given| yes(&given.value));
    said || model.daemonising.iter().any(|(scope, thread, value)| {
        let bound = match thread {
            Expr::Name(name) => context.names.scopes.lookup(name.id.as_str(), *scope).map(|(_, bound)| bound),
            Expr::Attribute(attribute) => attribute
                .value
                .as_name_expr()
                .and_then(|base| context.names.scopes.receiver(base.id.as_str(), *scope))
                .map(|(class, _)| context.names.scopes.attribute(class, attribute.attr.as_str())),
            _ => None,
        };
        let is_it = |made: &ExprCall| std::ptr::eq(made, start.call);
        yes(value)
            && bound.is_some_and(|bound| {
                bound
                    .iter()
                    .any(|bound| matches!(bound.what, Binding::Value(Expr::Call(made)) if is_it(made)))
            })
    })
}

/// With what the function of a thread writes, as far as calls within the file tell. A file that is put in the place of
/// another once it is finished is never seen half written.
fn writes<'a>(context: &Context<'a>, model: &Model<'a>, start: &Start<'a>) -> Option<&'a str> {
    let mut writes = None;
    for function in model.called_from(context.names, start.runs) {
        for calling in model.callings_of(context.names, function) {
            let Some(callee) = context.names.resolve(&calling.call.func, calling.scope) else { continue };
            let is = |mark| context.names.catalog.has(Language::Python, &callee, mark);
            if is(Mark::Replaces) {
                return None;
            }
            if is(Mark::Writes) {
                writes = writes.or_else(|| Some(context.text(&*calling.call.func)));
            }
        }
    }
    writes
}
