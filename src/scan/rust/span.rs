//! Where an expression begins. syn can tell only by printing the expression, which costs more than parsing it did.

use proc_macro2::Span;
use syn::Expr;

/// The span of the first token.
pub(super) fn first(expr: &Expr) -> Option<Span> {
    let mut expr = expr;
    loop {
        expr = match expr {
            Expr::Array(e) => return Some(e.bracket_token.span.open()),
            Expr::Assign(e) => &e.left,
            Expr::Async(e) => return Some(e.async_token.span),
            Expr::Await(e) => &e.base,
            Expr::Binary(e) => &e.left,
            Expr::Block(e) => return Some(e.block.brace_token.span.open()),
            Expr::Break(e) => return Some(e.break_token.span),
            Expr::Call(e) => &e.func,
            Expr::Cast(e) => &e.expr,
            Expr::Closure(e) => {
                let word = e.asyncness.as_ref().map(|t| t.span).or(e.capture.as_ref().map(|t| t.span));
                return Some(word.unwrap_or(e.inputs_begin.span));
            }
            Expr::Const(e) => return Some(e.const_token.span),
            Expr::Continue(e) => return Some(e.continue_token.span),
            Expr::Field(e) => &e.base,
            Expr::ForLoop(e) => return Some(e.for_token.span),
            Expr::Group(e) => &e.expr,
            Expr::If(e) => return Some(e.if_token.span),
            Expr::Index(e) => &e.expr,
            Expr::Infer(e) => return Some(e.underscore_token.span),
            Expr::Let(e) => return Some(e.let_token.span),
            Expr::Lit(e) => return Some(e.lit.span()),
            Expr::Loop(e) => return Some(e.loop_token.span),
            Expr::Macro(e) => return e.mac.path.segments.first().map(|s| s.ident.span()),
            Expr::Match(e) => return Some(e.match_token.span),
            Expr::MethodCall(e) => &e.receiver,
            Expr::Paren(e) => return Some(e.paren_token.span.open()),
            Expr::Path(e) => return e.path.segments.first().map(|s| s.ident.span()),
            Expr::Range(e) => e.start.as_deref()?,
            Expr::RawAddr(e) => return Some(e.and_token.span),
            Expr::Reference(e) => return Some(e.and_token.span),
            Expr::Repeat(e) => return Some(e.bracket_token.span.open()),
            Expr::Return(e) => return Some(e.return_token.span),
            Expr::Struct(e) => return e.path.segments.first().map(|s| s.ident.span()),
            Expr::Try(e) => &e.expr,
            Expr::TryBlock(e) => return Some(e.try_token.span),
            Expr::Tuple(e) => return Some(e.paren_token.span.open()),
            Expr::Unary(e) => &e.expr,
            Expr::Unsafe(e) => return Some(e.unsafe_token.span),
            Expr::While(e) => return Some(e.while_token.span),
            Expr::Yield(e) => return Some(e.yield_token.span),
            _ => return None,
        };
    }
}
