//! Tokens into a tree, with limits on depth and size: no text can exhaust the stack.

use std::ops::Range;

use super::Problem;
use super::ast::{Function, Literal, Node, NodeKind, Operator, Suffix, Test};
use super::lex::{Token, lex};

/// Deepest nesting of parentheses, calls and signs.
const MAX_DEPTH: usize = 64;
/// Most parts of one expression. A chain of operators is as deep a tree as it has parts.
const MAX_NODES: usize = 400;

/// Parses an expression: the value of a cap, a share, a place in a template.
///
/// # Errors
/// The first thing that is not of the language.
pub fn parse_expression(text: &str) -> Result<Node, Problem> {
    let mut parser = Parser::new(text)?;
    let node = parser.expression()?;
    parser.end()?;
    Ok(node)
}

/// Parses one line of a condition.
///
/// # Errors
/// The first thing that is not of the language.
pub fn parse_test(text: &str) -> Result<Test, Problem> {
    let mut parser = Parser::new(text)?;
    let line = parser.test()?;
    parser.end()?;
    Ok(line)
}

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    end: usize,
    depth: usize,
    nodes: usize,
}

impl Parser {
    fn new(text: &str) -> Result<Self, Problem> {
        Ok(Self { tokens: lex(text)?, at: 0, end: text.len(), depth: 0, nodes: 0 })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn span(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, span)| span.clone())
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn take_operator(&mut self, accept: fn(Operator) -> bool) -> Option<Operator> {
        match self.peek() {
            Some(&Token::Operator(operator)) if accept(operator) => {
                self.at += 1;
                Some(operator)
            }
            _ => None,
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &Token, name: &str) -> Result<(), Problem> {
        if self.take(wanted) { Ok(()) } else { Err(self.unexpected(&format!("`{name}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        let span = self.span();
        match self.peek() {
            None => Problem::new(span, format!("ends where {wanted} is due")),
            Some(_) => Problem::new(span, format!("{wanted} is due here")),
        }
    }

    fn end(&self) -> Result<(), Problem> {
        match self.peek() {
            None => Ok(()),
            Some(Token::Operator(operator)) if operator.compares() => {
                Err(Problem::new(self.span(), "a second comparison in one line")
                    .help("one comparison per line; combine lines with `all`, `any`, `none`"))
            }
            Some(Token::Word(word)) if word == "and" || word == "or" => {
                Err(Problem::new(self.span(), format!("`{word}` between comparisons"))
                    .help("one comparison per line; combine lines with `all`, `any`, `none`"))
            }
            Some(Token::Word(word)) if Suffix::from_text(word).is_some() => {
                Err(Problem::new(self.span(), format!("a space before the unit `{word}`"))
                    .help("write the unit right behind the number, as in `100ms`"))
            }
            Some(_) => Err(Problem::new(self.span(), "more text after the end of the expression")),
        }
    }

    fn test(&mut self) -> Result<Test, Problem> {
        let left = self.expression()?;
        if let Some(operator) = self.take_operator(Operator::compares) {
            return Ok(Test::Compare(operator, left, self.expression()?));
        }
        if self.take_word("in") {
            self.expect(&Token::OpenList, "[")?;
            let mut list = vec![self.expression()?];
            while self.take(&Token::Comma) {
                list.push(self.expression()?);
            }
            self.expect(&Token::CloseList, "]")?;
            return Ok(Test::In(left, list));
        }
        if self.take_word("matches") {
            return match self.peek() {
                Some(Token::Text(pattern)) => {
                    let pattern = pattern.clone();
                    self.at += 1;
                    Ok(Test::Matches(left, pattern))
                }
                _ => Err(self.unexpected("a pattern in quotes")),
            };
        }
        Ok(Test::Holds(left))
    }

    fn expression(&mut self) -> Result<Node, Problem> {
        self.chain(|operator| operator.precedence() == 1, Self::product)
    }

    fn product(&mut self) -> Result<Node, Problem> {
        self.chain(|operator| operator.precedence() == 2, Self::unary)
    }

    fn chain(
        &mut self,
        accept: fn(Operator) -> bool,
        operand: fn(&mut Self) -> Result<Node, Problem>,
    ) -> Result<Node, Problem> {
        let mut left = operand(self)?;
        while let Some(operator) = self.take_operator(accept) {
            let right = operand(self)?;
            let span = left.span.start..right.span.end;
            left = self.node(NodeKind::Binary(operator, Box::new(left), Box::new(right)), span)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Problem::new(self.span(), format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let start = self.span().start;
        let node = if self.take_operator(|operator| operator == Operator::Subtract).is_some() {
            let inner = self.unary()?;
            let span = start..inner.span.end;
            self.node(NodeKind::Negative(Box::new(inner)), span)
        } else {
            self.primary()
        };
        self.depth -= 1;
        node
    }

    fn primary(&mut self) -> Result<Node, Problem> {
        let span = self.span();
        let Some(token) = self.peek().cloned() else {
            return Err(self.unexpected("a value"));
        };
        let kind = match token {
            Token::Number(literal) => NodeKind::Number(literal),
            Token::Text(text) => NodeKind::Text(text),
            Token::Open => {
                self.at += 1;
                let mut inner = self.expression()?;
                self.expect(&Token::Close, ")")?;
                // The parentheses belong to the place, so that an error underlines all of it.
                inner.span = span.start..self.before();
                return Ok(inner);
            }
            Token::Word(word) if word == "true" || word == "false" => NodeKind::Bool(word == "true"),
            Token::Word(word) => {
                self.at += 1;
                if self.take(&Token::Open) {
                    return self.call(&word, span);
                }
                return self.node(NodeKind::Name(word), span);
            }
            _ => return Err(self.unexpected("a value")),
        };
        self.at += 1;
        self.node(kind, span)
    }

    fn call(&mut self, name: &str, span: Range<usize>) -> Result<Node, Problem> {
        let Some(function) = Function::from_text(name) else {
            let known: Vec<_> = Function::ALL.iter().map(|function| function.text()).collect();
            return Err(Problem::new(span, format!("unknown function `{name}`"))
                .help(format!("functions are {}", known.join(" "))));
        };
        let mut arguments = Vec::new();
        if !self.take(&Token::Close) {
            arguments.push(self.expression()?);
            while self.take(&Token::Comma) {
                arguments.push(self.expression()?);
            }
            self.expect(&Token::Close, ")")?;
        }
        let whole = span.start..self.before();
        self.node(NodeKind::Call(function, arguments), whole)
    }

    /// End of the token just taken.
    fn before(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |(_, span)| span.end)
    }

    fn node(&mut self, kind: NodeKind, span: Range<usize>) -> Result<Node, Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Problem::new(span, format!("more than {MAX_NODES} parts")));
        }
        Ok(Node { kind, span })
    }
}

/// Parses a value that stands for itself: `100ms`, `-3`, `95%`.
///
/// # Errors
/// When it is not a number with a unit.
pub(crate) fn parse_literal(text: &str) -> Result<Literal, Problem> {
    match parse_expression(text)? {
        Node { kind: NodeKind::Number(literal), .. } => Ok(literal),
        Node { kind: NodeKind::Negative(inner), span } => match inner.kind {
            NodeKind::Number(literal) => Ok(Literal { number: -literal.number, ..literal }),
            _ => Err(Problem::new(span, "not a number")),
        },
        Node { span, .. } => {
            Err(Problem::new(span, "not a number").help("write a number with its unit, as in `100ms`"))
        }
    }
}
